"""What an estimator tells with a keypoint that its error can be foreseen from."""

import numpy as np

from skpose._predictor import Predictor
from skpose.base import batch_slices

__all__ = ["predict_with_clues"]

_CONFIDENCES = 0.02, 0.98  # beyond which all are alike
_LEAST_STD = 0.05  # pixels
_TINY = 1e-6


def predict_with_clues(estimator, X, use_maps, batch_size=None):
    """Find keypoints, and what their errors can be foreseen from.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : array-like of shape (n_samples, height, width, n_channels)
        uint8 images.
    use_maps : bool
        Whether to draw the confidence maps too.
    batch_size : int, default=None
        How many images are looked at at a time.

    Returns
    -------
    keypoints : ndarray of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels of X.
    clues : ndarray of shape (n_samples, n_keypoints, n_clues)
        Greater where more error is to be expected: how low the peak is, how far an ensemble's
        estimators differ, how large the map's peak is, and how high a second one. As many as there
        are; 0 where one is not known.
    """
    predictor = Predictor(estimator)
    keypoints, confidence, std = predictor.predict_with("std", X, batch_size)
    clues = []
    if confidence is not None:
        clues += _doubts(confidence)
    if std is not None:
        clues.append(np.log(np.maximum(std, _LEAST_STD)))
    if use_maps:
        clues += _map_clues(predictor, X, batch_size)
    clues = np.stack(clues, axis=2) if clues else np.zeros((*keypoints.shape[:2], 0))
    return keypoints, np.nan_to_num(clues, nan=0.0)


def _doubts(confidence):
    """Return what falls with the confidence: as it is, its logarithm, and that of its odds."""
    sure = np.clip(confidence, *_CONFIDENCES)
    return [1 - sure, -np.log(sure), np.log(1 - sure) - np.log(sure)]


def _map_clues(predictor, X, batch_size):
    """Return the logarithm of each peak's area, and the height of the second peak beside it."""
    targets = predictor.last.targets_
    radius = 2 * targets.sigma / targets.stride
    parts = [
        _measure_maps(predictor.predict_maps(X[part]), radius)
        for part in batch_slices(len(X), batch_size)
    ]
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def _measure_maps(maps, radius):
    """Return both of maps (n_samples, n_rows, n_columns, n_keypoints); `radius` is in cells."""
    maps = np.maximum(maps, 0)
    n_samples, n_rows, n_columns, n_keypoints = maps.shape
    flat = maps.reshape(n_samples, -1, n_keypoints)
    peak = np.maximum(flat.max(axis=1), _TINY)
    row, column = np.divmod(flat.argmax(axis=1), n_columns)
    rows, columns = np.arange(n_rows)[:, None], np.arange(n_columns)[:, None]
    is_far = ((rows - row[:, None]) ** 2)[:, :, None] + ((columns - column[:, None]) ** 2)[
        :, None
    ] > radius**2
    second = np.where(is_far, maps, 0).max(axis=(1, 2))
    return np.log(flat.sum(axis=1) / peak + _TINY), second / peak
