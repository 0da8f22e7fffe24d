"""Samples, a part at a time."""

from collections.abc import Iterator
from numbers import Integral

__all__ = ["batch_slices", "check_batch_size"]

_PREDICTION_BATCH = 32  # images that go through a network at a time, where the user has no wish


def check_batch_size(batch_size: int | None) -> int:
    """Return how many images to predict at a time: at least 1, None for a number that is fast."""
    if batch_size is None:
        return _PREDICTION_BATCH
    if not isinstance(batch_size, Integral) or batch_size < 1:
        raise ValueError(
            f"batch_size must be a whole number of at least 1, or None, but was {batch_size!r}."
        )
    return int(batch_size)


def batch_slices(n_samples: int, batch_size: int | None) -> Iterator[slice]:
    """Yield the slices that divide samples into batches, in order.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    batch_size : int or None
        Samples a batch. None: a number with which a network is fast.

    Yields
    ------
    slice

    Raises
    ------
    ValueError
        If `batch_size` is less than 1.
    """
    batch_size = check_batch_size(batch_size)
    for start in range(0, n_samples, batch_size):
        yield slice(start, start + batch_size)
