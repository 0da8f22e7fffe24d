"""Images told apart by a number each."""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from skpose._batching import batch_slices
from skpose._types import Rows

__all__ = ["digest_images", "digest_rows"]


def digest_images(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a digest of each image's pixels, (n_samples,)."""
    digests = [blake2b(image.tobytes(), digest_size=8).digest() for image in images]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def digest_rows(images: Rows) -> NDArray[np.uint64]:
    """Return the same of images that may stay on disk, of which a few are read at a time."""
    parts = [digest_images(np.asarray(images[part])) for part in batch_slices(len(images), None)]
    return np.concatenate(parts) if parts else np.array([], dtype=np.uint64)
