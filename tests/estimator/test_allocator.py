"""Memory that is freed between two steps is there for the next one."""

import os
import platform
import subprocess
import sys

import pytest

# Prints whether freed memory is kept, and the pages that a thread had to fetch for 20 "steps".
STEPS = """
from concurrent.futures import ThreadPoolExecutor
import resource
import numpy as np
from skpose.estimator._allocator import keep_freed_memory


def step():
    features = [np.ones(2**18) for _ in range(8)]  # 2 MB each


def count_faults():
    step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


kept = keep_freed_memory()
with ThreadPoolExecutor(1) as pool:
    print(kept, pool.submit(count_faults).result())
"""

on_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")


def _run(**environment):
    rest = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GLIBC_TUNABLES", "MALLOC_"))
    }
    command = [sys.executable, "-c", STEPS]
    run = subprocess.run(
        command, env={**rest, **environment}, capture_output=True, text=True, check=True
    )
    kept, n_faults = run.stdout.split()
    return kept == "True", int(n_faults)


@on_glibc
def test_freed_memory_is_kept_for_the_next_step():
    kept, n_faults = _run()
    assert kept
    assert n_faults < 2000  # of 20 x 16 MB, which are 80,000 pages


@on_glibc
@pytest.mark.parametrize(
    "environment",
    [{"MALLOC_TOP_PAD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.top_pad=131072"}],
)
def test_what_the_user_has_set_is_left_as_it_is(environment):
    kept, n_faults = _run(**environment)
    assert not kept
    assert n_faults > 20_000
