"""``python -m benchmarks``."""

from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py"))


def run(*arguments):
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_all_are_listed_with_what_they_measure():
    lines = run().stdout.splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    assert all(len(line.split()) > 5 and line.endswith((".", "?")) for line in lines)


def test_one_is_run_with_its_options():
    said = run("edits", "--help")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("usage: python -m benchmarks edits [-h]")


def test_one_that_there_is_not():
    said = run("speed")
    assert said.returncode == 1
    assert "There is no benchmark speed" in said.stderr


@pytest.mark.parametrize("name", NAMES)
def test_each_says_how_to_run_it(name):
    assert f"benchmarks/{name}.py" in (ROOT / "benchmarks" / f"{name}.py").read_text()
