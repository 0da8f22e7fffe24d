"""Measurements in processes of their own: times, and resident memory."""

from concurrent.futures import ProcessPoolExecutor
import multiprocessing
from pathlib import Path
import resource
import sys
from time import perf_counter

import numpy as np


def run_alone(function, *args):
    """Call a function of a module in a fresh process, and give what it returns."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *args).result()


def peak_memory():
    """The most memory that this process has had resident so far, in MiB."""
    if Path("/proc/self/status").exists():  # the system's own figure counts the parent in
        return _status("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def resident_memory():
    """The memory that this process has resident now, in MiB (Linux only)."""
    return _status("VmRSS")


def _status(name):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no entry {name}.")


def time_calls(functions, *, seconds=5.0, n_rounds=20):
    """Call functions in turn, once to warm up and then until the time is over.

    Parameters
    ----------
    functions : dict of str to callable
        Without arguments. Taking turns, all see the same disturbances of the machine.
    seconds : float, default=5.0
        Time for all of them together; each is called twice at least.
    n_rounds : int, default=20
        The most calls of each.

    Returns
    -------
    dict of str to ndarray
        The seconds of each call.
    """
    for function in functions.values():
        function()
    times = {name: [] for name in functions}
    start = perf_counter()
    for i in range(n_rounds):
        if i >= 2 and perf_counter() - start > seconds:
            break
        for name, function in functions.items():
            before = perf_counter()
            function()
            times[name].append(perf_counter() - before)
    return {name: np.array(values) for name, values in times.items()}
