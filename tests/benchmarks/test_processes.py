import mmap
import os
from pathlib import Path

import pytest

on_linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")


def test_alone_is_another_process():
    from _processes import run_alone

    assert run_alone(os.getpid) != os.getpid()
    assert run_alone(divmod, 7, 2) == (3, 1)


@on_linux
def test_memory_is_seen_and_its_peak_stays():
    from _processes import peak_memory, resident_memory

    before = resident_memory()
    # Mapped, as an allocator that training has tuned may keep what an array gives back.
    with mmap.mmap(-1, 2**26) as block:
        for start in range(0, 2**26, mmap.PAGESIZE):
            block[start] = 1
        during = resident_memory()
    assert 60 < during - before < 80
    assert resident_memory() < before + 10
    assert peak_memory() >= during - 1


def test_calls_take_turns():
    from _processes import time_calls

    order = []
    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    times = time_calls(calls, seconds=10, n_rounds=3)
    assert "".join(order) == "ab" * 4  # the first round warms up
    assert {name: len(values) for name, values in times.items()} == {"a": 3, "b": 3}
    assert all((values >= 0).all() for values in times.values())
