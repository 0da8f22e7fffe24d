"""Every reader against damaged files: right, or an error that names the file.

``SKPOSE_MUTATIONS=5000 python -m pytest tests/robustness`` looks longer than the usual run does,
``SKPOSE_SEED=1`` elsewhere.
"""

import json
import os
from pathlib import Path
import subprocess
import sys

import pytest
from robustness.mutations import CHECKED, READERS

N_MUTATIONS = int(os.environ.get("SKPOSE_MUTATIONS", 100))
SEED = os.environ.get("SKPOSE_SEED", "0")
TESTS = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits time and memory by means of POSIX")
@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_are_read_right_or_refused_by_name(reader, record_property):
    run = subprocess.run(
        [sys.executable, TESTS / "robustness" / "mutations.py", reader, str(N_MUTATIONS), SEED],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)])},
    )
    assert run.returncode == 0, f"the process ended with {run.returncode}: {run.stderr[-3000:]}"
    result = json.loads(run.stdout.splitlines()[-1])
    counts = result["counts"]
    record_property("counts", counts)
    print(reader, counts)
    assert not result["faults"], "\n".join(result["faults"])
    assert sum(counts.values()) == N_MUTATIONS
    assert counts.get("refused", 0) + counts.get("told", 0) > 0
    if reader in CHECKED:
        assert not counts.get("changed"), counts
