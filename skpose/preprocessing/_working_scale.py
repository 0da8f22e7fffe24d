"""How small images may be made for a network to find the bodyparts in them."""

import numpy as np
from numpy.typing import ArrayLike

from skpose._boxes import box_sides
from skpose._types import ImageSize
from skpose.base import check_image_size, check_keypoints

__all__ = ["working_scale"]

_LENGTH = 40.0  # pixels that the animal keeps
_GAP = 5.0  # pixels that bodyparts beside each other keep between them
_SIDE = 96.0  # pixels that the image's shorter side keeps
_STEPS = 20  # scales are multiples of 1 / _STEPS
_HARDLY = 0.8  # from which on it is not worth the loss


def working_scale(y: ArrayLike, image_size: ImageSize) -> float:
    """Return by how much images can be made smaller, for a network that is fast and still exact.

    The animal keeps 40 pixels of length, and bodyparts beside each other keep 5 between them. A
    training step costs as much as there are pixels, so half the size takes a quarter of the time;
    and a network sees more of the animal at once.

    Parameters
    ----------
    y : array-like of shape (n_samples, n_keypoints, 2)
        (x, y) of labelled keypoints in pixels; NaN: not labelled.
    image_size : int or tuple of int
        (height, width) of the images in pixels.

    Returns
    -------
    float
        Pixels of the small image per pixel of the image, a multiple of 0.05; 1 where it would save
        little, and where no image has two labelled bodyparts.

    Raises
    ------
    ValueError
        If `y` is of another shape, a value is infinite, or `image_size` is not in whole pixels.

    See Also
    --------
    ImageResizer : ``ImageResizer(scale="auto")`` makes images smaller by this.

    Notes
    -----
    The animal's length is the longer side of the box that bounds its labelled keypoints, and the
    distance is that of each keypoint to the nearest other one of the pose; both are medians over
    all poses. Images stay at least 96 pixels wide and high.

    Examples
    --------
    >>> from skpose.preprocessing import working_scale
    >>> working_scale([[[100.0, 200.0], [250.0, 200.0], [300.0, 200.0]]], (480, 640))
    0.2
    """
    height, width = check_image_size(image_size)
    keypoints = check_keypoints(y, name="y")
    lengths, gaps = _lengths(keypoints), _gaps(keypoints)
    if not len(lengths) or np.median(lengths) <= 0:
        return 1.0
    scale = max(_LENGTH / np.median(lengths), _SIDE / min(height, width))
    if len(gaps):
        scale = max(scale, _GAP / np.median(gaps))
    scale = float(np.ceil(_STEPS * scale - 1e-9)) / _STEPS
    return 1.0 if scale >= _HARDLY else scale


def _lengths(keypoints):
    """Return the longer side of the box round each pose of two keypoints or more."""
    n_known = np.isfinite(keypoints).all(axis=2).sum(axis=1)
    return box_sides(keypoints[n_known > 1]).max(axis=1)


def _gaps(keypoints):
    """Return the distance of each keypoint to the nearest that lies elsewhere in its pose."""
    nearest = []
    for pose in keypoints:  # one at a time: the distances of all would take much memory
        pose = pose[np.isfinite(pose).all(axis=1)]
        far = np.linalg.norm(pose[:, None] - pose, axis=-1)
        far[far == 0] = np.inf
        if len(pose) > 1:
            nearest.append(far.min(axis=1))
    gaps = np.concatenate(nearest) if nearest else np.empty(0)
    return gaps[np.isfinite(gaps)]
