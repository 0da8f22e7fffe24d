"""How the C library's allocator treats memory that a network has freed."""

import ctypes
import os
import sys

__all__ = ["keep_freed_memory"]

# Numbers of `mallopt`, from malloc.h of glibc.
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3

_KEPT = 64 * 2**20  # as large as the heap of a thread can be
_LARGEST_KEPT = 32 * 2**20  # the largest that glibc itself would choose in time
_USERS_OWN = ("MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def keep_freed_memory():
    """Let glibc keep up to 64 MB of what each thread has freed, for what it needs next.

    A step of a network frees all of its features and asks for as many again in the next one.
    Memory that has gone back to the system meanwhile has to be fetched and zeroed a page at a
    time, which takes as long as the network's own work where the features are small. What the user
    has set is left as it is, and so are other C libraries.

    Returns
    -------
    bool
        Whether it was done.
    """
    if sys.platform != "linux" or _set_by_user():
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    # Setting one of them keeps glibc from adapting the other, so that it needs a value too.
    return all(
        library.mallopt(option, value)
        for option, value in ((_M_TOP_PAD, _KEPT), (_M_MMAP_THRESHOLD, _LARGEST_KEPT))
    )


def _set_by_user():
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    return "glibc.malloc." in tunables or any(name in os.environ for name in _USERS_OWN)
