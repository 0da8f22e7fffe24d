"""Boxes around poses."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["bounding_boxes", "box_sides", "boxes_around"]


def bounding_boxes(
    keypoints: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and the greatest (x, y) of labelled keypoints, inf and -inf without any."""
    is_labelled = np.isfinite(keypoints).all(axis=2, keepdims=True)
    low = np.where(is_labelled, keypoints, np.inf).min(axis=1, initial=np.inf)
    high = np.where(is_labelled, keypoints, -np.inf).max(axis=1, initial=-np.inf)
    return low, high


def box_sides(keypoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (width, height) that labelled keypoints span: 0 where there are fewer than two."""
    low, high = bounding_boxes(keypoints)
    return np.maximum(high - low, 0)


def boxes_around(keypoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (x, y, width, height) of the boxes of whole pixels around labelled keypoints.

    A box of one keypoint has the size of a pixel, one without any is NaN.
    """
    low, high = bounding_boxes(keypoints)
    is_labelled = np.isfinite(low).all(axis=1, keepdims=True)
    low, high = (np.where(is_labelled, corner, np.nan) for corner in (low, high))
    return np.concatenate([low - 0.5, high - low + 1], axis=1)


def typical_size(keypoints: NDArray[np.float64]) -> float:
    """Return the median of the longer side that labels span; NaN where none has two of them."""
    lengths = box_sides(keypoints).max(axis=1)
    lengths = lengths[lengths > 0]
    return float(np.median(lengths)) if len(lengths) else float("nan")
