"""Images of a set as a browser shows them."""

from collections import OrderedDict
import math
from threading import Lock
from typing import NamedTuple

import numpy as np

from skpose._opencv import import_opencv

__all__ = ["EncodedCache", "EncodedImages", "encode_image"]

_CACHE = 2**24  # bytes
_EXACT_UP_TO = 3 * 2**18  # bytes of images that are sent without loss


class Encoded(NamedTuple):
    """An image file."""

    content: bytes
    media_type: str


class EncodedCache:
    """Keeps image files, those that were used last.

    Parameters
    ----------
    n_bytes : int
        How much.
    """

    def __init__(self, n_bytes):
        self._most = n_bytes
        self._files: OrderedDict[tuple, Encoded] = OrderedDict()
        self._n_bytes = 0
        self._lock = Lock()

    def get(self, key):
        """Return what is kept under a key, None if nothing is."""
        with self._lock:
            if key in self._files:
                self._files.move_to_end(key)
            return self._files.get(key)

    def keep(self, key, encoded):
        """Keep a file."""
        with self._lock:
            if key in self._files:
                return
            self._files[key] = encoded
            self._n_bytes += len(encoded.content)
            while self._n_bytes > self._most and len(self._files) > 1:
                _, oldest = self._files.popitem(last=False)
                self._n_bytes -= len(oldest.content)


class EncodedImages:
    """Encodes images, and keeps those that were asked for last.

    Small images are exact; large ones are JPEG of high quality, so that they are there in time, and
    parts of them can be had exactly.

    Parameters
    ----------
    get_images : callable
        Returns the images as they are now, array-like of shape (n_images, height, width,
        n_channels), uint8, grey or RGB, which are read one by one.

    Attributes
    ----------
    is_exact : bool
        Whether whole images are sent as they are.
    most_cropped : int
        Width and height that a part may have at most, in pixels.
    """

    most_cropped = 1024

    def __init__(self, get_images):
        n_channels = get_images().shape[3]
        if n_channels not in (1, 3):
            raise ValueError(
                f"The page shows grey and RGB images, of 1 or 3 channels, but these have "
                f"{n_channels}."
            )
        self._get_images = get_images
        self.is_exact = math.prod(get_images().shape[1:]) <= _EXACT_UP_TO
        self._cache = EncodedCache(_CACHE)

    def encode(self, index, crop=None):
        """Return an image as a file.

        Parameters
        ----------
        index : int
            Which image.
        crop : tuple of (x, y, width, height), default=None
            The part of it that is wanted, exactly. None: all of it.

        Returns
        -------
        Encoded

        Raises
        ------
        ValueError
            If there is no such image or part.
        """
        images = self._get_images()
        self._check(images.shape, index, crop)
        key = (index, crop)
        encoded = self._cache.get(key)
        if encoded is not None:
            return encoded
        image = np.asarray(images[index])
        if crop is not None:
            x, y, width, height = crop
            image = image[y : y + height, x : x + width]
        encoded = encode_image(image, is_exact=crop is not None or self.is_exact)
        self._cache.keep(key, encoded)
        return encoded

    def _check(self, shape, index, crop):
        n_images, n_rows, n_columns = shape[:3]
        if not 0 <= index < n_images:
            raise ValueError(f"There are the images 0 to {n_images - 1}, but not {index}.")
        if crop is not None:
            x, y, width, height = crop
            is_inside = 0 <= x < x + width <= n_columns and 0 <= y < y + height <= n_rows
            if not is_inside or max(width, height) > self.most_cropped:
                raise ValueError(
                    f"A part of an image is x,y,width,height inside of {n_columns} x {n_rows} px, "
                    f"{self.most_cropped} px a side at most, but was {crop}."
                )


def encode_image(image, *, is_exact):
    """Return an image, (height, width, 1 or 3), as a file: PNG, or JPEG of high quality."""
    cv2 = import_opencv()
    if image.shape[2] == 3:
        image = image[..., ::-1]
    image = np.ascontiguousarray(image)
    if is_exact:
        _, content = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        return Encoded(content.tobytes(), "image/png")
    # Colours at full resolution: edges of bodyparts often differ in nothing else.
    options = [cv2.IMWRITE_JPEG_QUALITY, 95]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, content = cv2.imencode(".jpg", image, options)
    return Encoded(content.tobytes(), "image/jpeg")
