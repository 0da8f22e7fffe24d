"""The middle of several poses, and their spread."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["robust_mean", "spread"]

_N_STEPS = 10
_TURN = 1.5  # standard deviations beyond which a pose counts less, as Huber's estimator has it
_RAYLEIGH = 1.1774  # median distance from the middle, in standard deviations, in two dimensions
_LEAST = 0.05  # pixels: a smaller spread is none
_LEAST_WEIGHT = 1e-3


def robust_mean(poses: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return the middle of several poses, to which those far from the others count little.

    Parameters
    ----------
    poses : array-like of shape (n_estimators, n_samples, n_keypoints, 2)
        (x, y) in pixels; NaN: not found, which does not count.
    weights : array-like of shape (n_estimators, n_samples, n_keypoints), default=None
        The weight of each, such as its confidence. None, and NaN: 1.

    Returns
    -------
    ndarray of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels; NaN where no estimator found the keypoint.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Notes
    -----
    The mean is Huber's: a pose that is more than 1.5 standard deviations from the middle counts as
    much less as it is farther away. The standard deviation is read off the median distance.

    References
    ----------
    Huber, P. J. Robust estimation of a location parameter. Annals of Mathematical Statistics 35,
    73-101 (1964).

    Examples
    --------
    >>> from skpose.ensemble import robust_mean
    >>> robust_mean([[[[0, 0]]], [[[2, 0]]], [[[1, 0]]], [[[99, 0]]]]).round(1).tolist()
    [[[1.5, 0.0]]]
    """
    poses, is_known = _check(poses)
    if weights is None:
        weights = np.ones(is_known.shape)
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != is_known.shape:
        raise ValueError(
            f"weights must have shape {is_known.shape}, as poses have, but have {weights.shape}."
        )
    weights = np.where(np.isnan(weights), 1.0, np.maximum(weights, _LEAST_WEIGHT)) * is_known
    found = np.where(is_known[..., np.newaxis], poses, 0.0)
    # Where none is found, the zeros that stand for it have a median too, and do not warn.
    counts = is_known | ~is_known.any(axis=0)
    middle = np.nanmedian(np.where(counts[..., np.newaxis], found, np.nan), axis=0)
    distances = np.where(counts, _distances(found, middle), np.nan)
    scale = np.maximum(np.nanmedian(distances, axis=0) / _RAYLEIGH, _LEAST)
    for _ in range(_N_STEPS):
        far = _distances(found, middle) / (_TURN * scale)
        counted = weights / np.maximum(far, 1.0)
        total = np.where(is_known.any(axis=0), counted.sum(axis=0), np.nan)
        middle = (counted[..., np.newaxis] * found).sum(axis=0) / total[..., np.newaxis]
    return middle


def spread(poses: ArrayLike) -> NDArray[np.float64]:
    """Return the root mean square distance of several poses from their mean.

    Parameters
    ----------
    poses : array-like of shape (n_estimators, n_samples, n_keypoints, 2)
        (x, y) in pixels; NaN: not found, which does not count.

    Returns
    -------
    ndarray of shape (n_samples, n_keypoints)
        Pixels; NaN where fewer than two estimators found the keypoint.

    Raises
    ------
    ValueError
        If the shape is another.

    Examples
    --------
    >>> from skpose.ensemble import spread
    >>> spread([[[[0, 0]]], [[[6, 8]]]]).tolist()
    [[5.0]]
    """
    poses, is_known = _check(poses)
    n_known = np.maximum(is_known.sum(axis=0), 1)
    found = np.where(is_known[..., np.newaxis], poses, 0.0)
    mean = found.sum(axis=0) / n_known[..., np.newaxis]
    squares = np.where(is_known, _distances(found, mean) ** 2, 0.0).sum(axis=0) / n_known
    return np.where(is_known.sum(axis=0) > 1, np.sqrt(squares), np.nan)


def _check(poses):
    poses = np.asarray(poses, dtype=np.float64)
    if poses.ndim != 4 or poses.shape[3] != 2:
        raise ValueError(
            "poses must have shape (n_estimators, n_samples, n_keypoints, 2), but have "
            f"{poses.shape}."
        )
    return poses, np.isfinite(poses).all(axis=3)


def _distances(poses, middle):
    return np.linalg.norm(poses - middle, axis=-1)
