"""The frames of a video, one after the other."""

import numpy as np

from skpose.preprocessing import ImageBatch
from skpose.video._threads import read_ahead


def read_in_order(X, n_at_once, start=0, stop=None):
    """Give (first, images) of a few frames after the other, read ahead of their use by a thread.

    Parameters
    ----------
    X : array-like of shape (n_frames, height, width, n_channels)
        Anything that can be sliced. Its ``iter_batches`` is used if it has one. Of an `ImageBatch`,
        batches are given that are still to be read.
    n_at_once : int
        Number of frames.
    start, stop : int, default=0, None
        From which frame, and before which.
    """
    stop = len(X) if stop is None else stop
    if hasattr(X, "iter_batches"):
        parts = X.iter_batches(n_at_once, start, stop)
    else:
        starts = range(start, stop, n_at_once)
        parts = ((first, _read(X, first, min(first + n_at_once, stop))) for first in starts)
    yield from read_ahead(parts, n_ahead=1)


def _read(X, start, stop):
    images = X[start:stop]
    return images if isinstance(images, ImageBatch) else np.asarray(images)
