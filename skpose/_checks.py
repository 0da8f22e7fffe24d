"""Checks of images, keypoints and weights, which need NumPy only."""

from collections.abc import Sequence
from typing import Any, cast, overload
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skpose._batching import batch_slices
from skpose._types import Images, ImageSize, Region, Rows

__all__ = [
    "check_image_axes",
    "check_image_size",
    "check_images",
    "check_keypoints",
    "check_n_channels",
    "check_region",
    "check_sample_weight",
    "warn_far_outside",
]

_ROWS_TO_LOOK_AT = 256  # images are read in parts, so that checking costs no memory


def check_images(X: Images, *, n_channels: int | None = None, name: str = "X") -> Rows:
    """Check that `X` is images, without reading them if they are uint8.

    Parameters
    ----------
    X : array-like of shape (n_samples, height, width, n_channels)
        uint8, or floats that are whole numbers in 0..255. Anything with `shape`, `dtype`, `len` and
        integer-array indexing is passed on as it is.
    n_channels : int, default=None
        Number of channels to insist on; None: 1 or 3.
    name : str, default="X"
        What the messages call it.

    Returns
    -------
    X : array-like
        uint8 images. Lists become an ndarray, floats become uint8; an `ImageBatch` stays one.

    Raises
    ------
    TypeError
        If the images are of another type.
    ValueError
        If their shape is another, or floats have NaN or a value that is not a grey level.
    """
    X = check_image_axes(X, name)
    if X.shape[3] not in (1, 3):
        raise ValueError(
            f"{name} must have 1 (grey) or 3 (RGB) channels on its last axis, but its shape is "
            f"{tuple(X.shape)}. Drop an alpha channel with {name}[..., :3]; channels that come "
            "first are moved with np.moveaxis."
        )
    if n_channels is not None and X.shape[3] != n_channels:
        raise ValueError(
            f"{name} has {X.shape[3]} channel(s), but this estimator was fitted on images with "
            f"{n_channels}."
        )
    if X.dtype == np.uint8:
        return X
    images = _as_uint8(X, name)
    return X.with_pixels(images) if hasattr(X, "with_pixels") else images  # keeps a batch's frame


def check_image_axes(X: Images, name: str) -> Rows:
    """Check that `X` has the axes of images, whatever the type of its values.

    Parameters
    ----------
    X : array-like
        The images. Anything with `shape`, `dtype` and indexing is passed on as it is.
    name : str
        What the messages call it.

    Returns
    -------
    X : array-like of shape (n_samples, height, width, n_channels)
    """
    if not all(hasattr(X, attribute) for attribute in ("shape", "dtype", "__getitem__")):
        X = np.asarray(X)
    X = cast(Rows, X)
    if isinstance(X, np.ma.MaskedArray):
        raise ValueError(
            f"{name} is a masked array, but images have no missing pixels. Give {name}.filled(0), "
            "or another grey level for what is masked."
        )
    if X.dtype == object:
        raise ValueError(
            f"{name} must be images of one size, (n_samples, height, width, n_channels), but its "
            "images differ in shape. Resize or crop them to one size first."
        )
    if len(X.shape) != 4:
        hint = (
            f" Grey images need a last axis of one channel: {name}[..., np.newaxis]."
            if len(X.shape) == 3
            else ""
        )
        raise ValueError(
            f"{name} must have 4 axes, (n_samples, height, width, n_channels), but its shape is "
            f"{tuple(X.shape)}.{hint}"
        )
    if min(X.shape[1:3]) < 1:
        raise ValueError(f"{name} has images without pixels: its shape is {tuple(X.shape)}.")
    return X


def check_image_size(image_size: ImageSize, name: str = "image_size") -> tuple[int, int]:
    """Return (height, width) for one integer or two.

    Parameters
    ----------
    image_size : int or sequence of two ints
        Whole pixels, at least 1.
    name : str, default="image_size"
        What the message calls it.

    Returns
    -------
    tuple of int
    """
    is_one = not hasattr(image_size, "__len__")
    sides: Any = (image_size, image_size) if is_one else tuple(image_size)  # type: ignore[arg-type]
    if len(sides) != 2 or any(n != int(n) or n < 1 for n in sides):
        raise ValueError(
            f"{name} must be (height, width) in whole pixels, at least 1, but was {image_size!r}."
        )
    return int(sides[0]), int(sides[1])


def check_n_channels(n_channels: int | None) -> None:
    """Check the channels that images are read with: 1 for grey, 3 for RGB, None for as they are."""
    if n_channels not in (None, 1, 3):
        raise ValueError(f"n_channels must be 1, 3 or None, but was {n_channels!r}.")


def check_region(region: Region | None, image_size: ImageSize) -> tuple[int, int, int, int]:
    """Return (x, y, width, height) of a part of images, of the whole for None.

    Parameters
    ----------
    region : sequence of four ints, or None
        Whole pixels.
    image_size : int or sequence of two ints
        (height, width) of the images.

    Returns
    -------
    tuple of int
    """
    height, width = check_image_size(image_size)
    if region is None:
        return 0, 0, width, height
    numbers = tuple(region)
    if len(numbers) != 4 or any(n != int(n) for n in numbers):
        raise ValueError(
            f"region must be (x, y, width, height) in whole pixels, but was {region!r}."
        )
    x, y, region_width, region_height = (int(n) for n in numbers)
    if x < 0 or y < 0 or region_width < 1 or region_height < 1:
        raise ValueError(
            f"region must have x, y >= 0 and a size of at least 1, but was {region!r}."
        )
    if x + region_width > width or y + region_height > height:
        raise ValueError(
            f"region {region!r} reaches beyond the images, which are {width} pixels wide and "
            f"{height} high."
        )
    return x, y, region_width, region_height


def _as_uint8(X, name):
    if not (np.issubdtype(X.dtype, np.floating) or np.issubdtype(X.dtype, np.integer)):
        raise TypeError(f"{name} must be uint8 images, but its dtype is {X.dtype}.")
    images = np.empty(X.shape, dtype=np.uint8)
    for rows in batch_slices(X.shape[0], _ROWS_TO_LOOK_AT):
        part = np.asarray(X[rows])
        if not np.isfinite(part).all():
            raise ValueError(f"{name} contains NaN or infinity. Images are uint8, 0 to 255.")
        if part.size and (part.min() < 0 or part.max() > 255 or (part != np.floor(part)).any()):
            raise ValueError(
                f"{name} is {X.dtype} with values from {part.min():.4g} to {part.max():.4g}, but "
                "images are uint8, or floats that are whole numbers from 0 to 255. If yours run "
                f"from 0 to 1, give np.round({name} * 255).astype(np.uint8)."
            )
        images[rows] = part
    return images


def check_keypoints(
    y: ArrayLike, *, n_samples: int | None = None, n_keypoints: int | None = None, name: str = "y"
) -> NDArray[np.float64]:
    """Check that `y` is keypoints that fit their images.

    Parameters
    ----------
    y : array-like of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels; NaN: not labelled.
    n_samples : int, default=None
        Number of images that it belongs to.
    n_keypoints : int, default=None
        Number of bodyparts to insist on.
    name : str, default="y"
        What the messages call it.

    Returns
    -------
    y : ndarray of shape (n_samples, n_keypoints, 2)
        float64. A keypoint with one NaN coordinate has two.

    Raises
    ------
    ValueError
        If the shape is another, or a value is infinite.
    """
    if isinstance(y, np.ma.MaskedArray):
        y = np.ma.filled(y.astype(np.float64), np.nan)  # what is masked is not labelled
    if np.iscomplexobj(y):
        raise ValueError(f"Complex data not supported: {name} must be keypoints, real numbers.")
    try:
        y = np.array(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be keypoints, numbers of shape (n_samples, n_keypoints, 2): {error}"
        ) from None
    if y.ndim != 3 or y.shape[2] != 2:
        raise ValueError(
            f"{name} must have the shape (n_samples, n_keypoints, 2), with (x, y) on its last "
            f"axis, but its shape is {y.shape}."
        )
    if n_samples is not None and len(y) != n_samples:
        raise ValueError(f"{name} has keypoints for {len(y)} images, but there are {n_samples}.")
    if n_keypoints is not None and y.shape[1] != n_keypoints:
        raise ValueError(
            f"{name} has {y.shape[1]} keypoints an image, but {n_keypoints} are needed."
        )
    if y.shape[1] == 0:
        raise ValueError(f"{name} has no keypoints: its shape is {y.shape}.")
    if np.isinf(y).any():
        raise ValueError(f"{name} contains infinity. Use NaN for a bodypart that is not labelled.")
    y[np.isnan(y).any(axis=2)] = np.nan
    return y


@overload
def check_sample_weight(sample_weight: None, n_samples: int) -> None: ...


@overload
def check_sample_weight(sample_weight: ArrayLike, n_samples: int) -> NDArray[np.float64]: ...


def check_sample_weight(
    sample_weight: ArrayLike | None, n_samples: int
) -> NDArray[np.float64] | None:
    """Check the weights of samples.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), or None
        The weights; None: all samples count alike.
    n_samples : int
        Number of samples.

    Returns
    -------
    sample_weight : ndarray of shape (n_samples,), or None
        float64.

    Raises
    ------
    ValueError
        If there is another number of weights, one is negative, infinite or NaN, or all are 0.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must be of shape ({n_samples},), a number for each sample, but its "
            f"shape is {weights.shape}."
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(
            f"sample_weight must be finite and at least 0, but has {weights.min()} to "
            f"{weights.max()}."
        )
    if n_samples and not weights.any():
        raise ValueError("sample_weight is 0 for every sample, and zero lets none of them count.")
    return weights


def warn_far_outside(
    y: NDArray[np.float64], image_size: Sequence[int], *, name: str = "y", stacklevel: int = 3
) -> None:
    """Warn of keypoints that cannot belong to images of this size.

    Parameters
    ----------
    y : ndarray of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels of the images.
    image_size : tuple of (height, width)
        Size of the images. Half of it beyond each border is allowed for.
    name : str, default="y"
        What the message calls it.
    stacklevel : int, default=3
        Whose line the warning points at.
    """
    height, width = image_size
    size = np.array([width, height])
    outside = (y < -0.5 * size) | (y > 1.5 * size)
    n_outside = int(outside.any(axis=2).sum())
    if n_outside:
        warnings.warn(
            f"{n_outside} keypoints of {name} lie far outside their images of {height} x {width} "
            "pixels. Keypoints are (x, y) in pixels of the images as given; if the images were "
            "resized or cropped, the keypoints need the same.",
            UserWarning,
            stacklevel=stacklevel,
        )
