"""Images in files of their own."""

from collections.abc import Sequence
from io import BytesIO
import os
from typing import Literal

import numpy as np

from skpose._checks import check_image_size, check_n_channels
from skpose._lazy_array import LazyArray
from skpose._opencv import import_opencv, with_channels
from skpose._types import ImageSize, PathLike

_ORIENTATION = 0x0112  # the tag of EXIF
_ON_ITS_SIDE = 5  # from which on height and width change places when the image is turned upright


class ImageFiles(LazyArray):
    """Images in PNG, JPEG or other files that OpenCV reads, as an array that stays on disk.

    It can stand wherever images `X` are asked for. A file is decoded each time that its image is
    asked for: an integer gives one image, a slice or an array of integers or booleans an ndarray of
    just those, ``np.asarray`` all of them.

    Parameters
    ----------
    paths : sequence of path-like
        The files, one for each image.
    n_channels : {1, 3}, default=None
        Number of channels to read: 1 for grey, also from files that store grey as RGB, 3 for RGB.
        None: as the first file has it, and all others must have.
    image_size : int, tuple of (height, width) or "largest", default=None
        Size in pixels of all images. Smaller ones are filled up with black at the bottom and at the
        right, where it moves no keypoint. "largest": the greatest height and the greatest width of
        all files, which are read from their heads. None: all files must be of the first one's size.

    Attributes
    ----------
    paths : list of str
        The files, absolute.
    shape : tuple of int
        (n_samples, height, width, n_channels).
    dtype : dtype
        uint8.
    ndim : int
        4.

    Raises
    ------
    FileNotFoundError
        If files are missing, when the object is made.
    ValueError
        If a file is no image or holds several, is not 8-bit or differs in size or channels, when
        it is first read.

    See Also
    --------
    read_deeplabcut : The frames and keypoints of a DeepLabCut project.
    HDF5Images : Images in one HDF5 file.

    Notes
    -----
    Channels are in the order RGB. An alpha channel is dropped. Where a file says how the camera was
    held (EXIF orientation), the image is turned upright, as viewers show it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import cv2
    >>> import numpy as np
    >>> from skpose.datasets import ImageFiles
    >>> with TemporaryDirectory() as folder:
    ...     for i in range(3):
    ...         _ = cv2.imwrite(f"{folder}/{i}.png", np.full((4, 6), 10 * i, np.uint8))
    ...     X = ImageFiles(sorted(Path(folder).glob("*.png")))
    ...     print(X.shape, X[[2, 0]][:, 0, 0, 0])
    (3, 4, 6, 1) [20  0]
    """

    def __init__(
        self,
        paths: Sequence[PathLike],
        *,
        n_channels: int | None = None,
        image_size: ImageSize | Literal["largest"] | None = None,
    ) -> None:
        check_n_channels(n_channels)
        self._paths = _check_paths(paths)
        self._n_channels = n_channels
        if isinstance(image_size, str) and image_size == "largest":
            image_size = largest(map(read_image_size, self._paths))
        self._image_size = None if image_size is None else check_image_size(image_size)
        first = read_image(self._paths[0])
        size = self._image_size or first.shape[:2]
        super().__init__(len(self._paths), (*size, n_channels or first.shape[2]))

    @property
    def paths(self) -> list[str]:
        return [self._paths[i] for i in self._index]

    def _read(self, positions):
        images = np.zeros((len(positions), *self._row_shape), dtype=self.dtype)
        for image, i in zip(images, positions, strict=True):
            self._read_into(image, self._paths[i])
        return images

    def _read_into(self, image, path):
        pixels = read_image(path)
        height, width, n_channels = pixels.shape
        if self._n_channels is None and n_channels != self._row_shape[2]:
            raise ValueError(
                f"{path} has {n_channels} channel(s), but {self._paths[0]} has "
                f"{self._row_shape[2]}. Give n_channels=1 to read all as grey, 3 as RGB."
            )
        self._check_size(path, height, width)
        image[:height, :width] = with_channels(pixels, self._row_shape[2])

    def _check_size(self, path, height, width):
        asked = self._row_shape[:2]
        if self._image_size is not None and (height > asked[0] or width > asked[1]):
            raise ValueError(
                f"{path} is {height} x {width} pixels, larger than image_size={asked}. Give the "
                "size of the largest image."
            )
        if self._image_size is None and (height, width) != asked:
            raise ValueError(
                f"{path} is {height} x {width} pixels, but {self._paths[0]} is {asked[0]} x "
                f"{asked[1]}. Give image_size=(height, width) of the largest image, to fill up the "
                "smaller ones at the bottom and right, or resize or crop the files to one size."
            )


def open_listed(files, table, *, n_channels, image_size):
    """Open the image files that a table of labels lists; an error about them names the table.

    Where no size is given, images are filled up to the largest: videos differ.
    """
    image_size = "largest" if image_size is None else image_size
    try:
        return ImageFiles(files, n_channels=n_channels, image_size=image_size)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{table} lists images that are not there: {error}") from error


def read_image(path):
    """Read an image file.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    ndarray of shape (height, width, n_channels), uint8
        1 channel, or 3 in the order RGB.
    """
    cv2 = import_opencv()
    encoded = np.fromfile(path, dtype=np.uint8)  # cv2.imread fails on some names of files
    _check_head(encoded, path)
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    try:
        pixels = cv2.imdecode(encoded, flags) if len(encoded) else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ValueError(
            f"{path} cannot be read as an image ({len(encoded)} bytes): it is damaged, cut short "
            "or of a format that OpenCV does not know."
        )
    if pixels.dtype != np.uint8:
        raise ValueError(
            f"{path} is a {pixels.dtype} image, but images must be uint8 (8 bits a channel). "
            "Convert the file; which of its levels become 0 and 255 only you can know."
        )
    return pixels[..., np.newaxis] if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def largest(sizes):
    """Return the greatest height and the greatest width of (height, width) pairs."""
    heights, widths = zip(*sizes, strict=True)
    return max(heights), max(widths)


def read_image_size(path):
    """Return the (height, width) of an image file, from its head where that is sure."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = _orientation(image) >= _ON_ITS_SIDE
    except (Image.DecompressionBombError, UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return read_image(path).shape[:2]  # which says what is wrong
    # Which formats are turned upright depends on the versions of Pillow and OpenCV.
    return read_image(path).shape[:2] if turned else (height, width)


def _orientation(image):
    """Return how a photo was taken, as its head tells, or 1."""
    if image.format == "TIFF":
        return image.tag_v2.get(_ORIENTATION, 1)
    # Pillow decodes a PNG to look for what it does not have.
    return image.getexif().get(_ORIENTATION, 1) if "exif" in image.info else 1


def _check_head(encoded, path):
    """Look at what a file says of itself, before its pixels are decoded."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(encoded)) as image:
            n_images = getattr(image, "n_frames", 1)
            is_photo = image.format in ("JPEG", "MPO")  # cameras add previews and depths
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path} is too large for an image of a video: {error}") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return  # OpenCV decides whether it can be read
    if n_images > 1 and not is_photo:
        raise ValueError(
            f"{path} holds {n_images} images, but a file must hold one. Save each as a file of its "
            "own, or all as a video."
        )


def _check_paths(paths):
    if isinstance(paths, str | bytes | os.PathLike):
        raise TypeError(
            f"paths must be a sequence of files, but was the one path {os.fspath(paths)!r}. Give "
            "[path], or sorted(Path(folder).glob('*.png'))."
        )
    paths = [os.path.abspath(os.fspath(path)) for path in paths]
    if not paths:
        raise ValueError("paths must name at least one image file, but is empty.")
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(paths)} image files do not exist: {', '.join(missing[:5])}"
            f"{', ...' if len(missing) > 5 else ''}."
        )
    return paths
