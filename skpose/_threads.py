"""How many threads the user wants a library to take."""

import os

__all__ = ["threads_wanted"]


def threads_wanted():
    """Return what the environment variable ``OMP_NUM_THREADS`` says, or None."""
    n_threads = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(n_threads) if n_threads.isdecimal() else None
