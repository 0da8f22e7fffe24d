"""The part of the images in which the animal is seen."""

import numpy as np
from numpy.typing import ArrayLike

from skpose._boxes import bounding_boxes, box_sides
from skpose._types import ImageSize
from skpose.base import check_image_size, check_keypoints

__all__ = ["working_region"]

_MARGIN = 0.5  # lengths of the animal
_HARDLY = 0.8  # share of the pixels from which on it is not worth the loss


def working_region(y: ArrayLike, image_size: ImageSize) -> tuple[int, int, int, int] | None:
    """Return the part of the images that the labelled animal visits.

    For a camera that does not move, and sees much that the animal never comes to. The labels must
    show the animal wherever it goes: what is outside the region is not seen at all.

    Parameters
    ----------
    y : array-like of shape (n_samples, n_keypoints, 2)
        (x, y) of labelled keypoints in pixels; NaN: not labelled.
    image_size : int or tuple of int
        (height, width) of the images in pixels.

    Returns
    -------
    tuple of int or None
        (x, y, width, height) in pixels: of the box that bounds all labelled keypoints, and half the
        animal's length around it. None, for the whole image: where that would save less than a
        fifth of the pixels, or nothing is labelled.

    Raises
    ------
    ValueError
        If `y` is of another shape, a value is infinite, or `image_size` is not in whole pixels.

    See Also
    --------
    ImageResizer : ``ImageResizer(scale=1, region="auto")`` cuts this out of the images.

    Notes
    -----
    The animal's length is the longer side of the box that bounds its labelled keypoints, the
    greatest of all poses.

    Examples
    --------
    >>> from skpose.preprocessing import working_region
    >>> working_region([[[100.0, 200.0], [200.0, 200.0]]], (480, 640))
    (50, 150, 201, 101)
    """
    height, width = check_image_size(image_size)
    keypoints = check_keypoints(y, name="y")
    low, high = bounding_boxes(keypoints.reshape(1, -1, 2))
    if not np.isfinite(low).all():
        return None
    margin = _MARGIN * float(box_sides(keypoints).max())
    size = np.array([width, height])
    start = np.clip(np.floor(low[0] - margin), 0, size - 1).astype(int)
    stop = np.clip(np.ceil(high[0] + margin) + 1, start + 1, size).astype(int)
    (left, top), (columns, rows) = start.tolist(), (stop - start).tolist()
    if rows * columns > _HARDLY * height * width:
        return None
    return left, top, columns, rows
