from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _find_scripts(monkeypatch):
    """Import the benchmarks as they import each other: they are scripts, not a package."""
    monkeypatch.syspath_prepend(SCRIPTS)
