"""How far keypoints are from where they should be.

Every metric takes keypoints of shape ``(n_samples, n_keypoints, 2)``, ``(x, y)`` in pixels. NaN in
`y_true` is a keypoint that is not labelled: it does not count. scikit-learn's own scorers cannot
take such arrays, so give its tools the scorers from here, as in
``cross_val_score(estimator, X, y, scoring=pck_scorer)``.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import make_scorer

from skpose._boxes import box_sides
from skpose.base import check_keypoints, check_sample_weight

__all__ = [
    "correct_keypoints",
    "get_scorer",
    "keypoint_errors",
    "mean_keypoint_error",
    "neg_mean_keypoint_error_scorer",
    "oks",
    "oks_scorer",
    "pck",
    "pck_scorer",
]


def keypoint_errors(y_true: ArrayLike, y_pred: ArrayLike) -> NDArray[np.float64]:
    """Return the distance of each predicted keypoint from the true one, in pixels.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_keypoints, 2)
        True keypoints (x, y) in pixels; NaN: not labelled.
    y_pred : array-like of shape (n_samples, n_keypoints, 2)
        Predicted keypoints (x, y) in pixels.

    Returns
    -------
    ndarray of shape (n_samples, n_keypoints)
        Euclidean distances in pixels; NaN where the keypoint is not labelled, or not predicted.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> from skpose.metrics import keypoint_errors
    >>> nan = float("nan")
    >>> keypoint_errors([[[0, 0], [nan, nan]]], [[[3, 4], [1, 1]]]).tolist()
    [[5.0, nan]]
    """
    y_true = check_keypoints(y_true, name="y_true")
    y_pred = check_keypoints(y_pred, name="y_pred")
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"y_true has shape {y_true.shape}, but y_pred has {y_pred.shape}; they must have "
            "the same (n_samples, n_keypoints, 2)."
        )
    return np.linalg.norm(y_pred - y_true, axis=2)


def mean_keypoint_error(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Return the mean distance of the labelled keypoints from the predicted ones, in pixels.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_keypoints, 2)
        True keypoints (x, y) in pixels; NaN: not labelled, does not count.
    y_pred : array-like of shape (n_samples, n_keypoints, 2)
        Predicted keypoints (x, y) in pixels.
    sample_weight : array-like of shape (n_samples,), default=None
        The weight of each labelled keypoint of a sample. None: 1.

    Returns
    -------
    float
        Mean Euclidean distance in pixels, over all labelled keypoints alike: a sample with more of
        them counts for more.

    Raises
    ------
    ValueError
        If no keypoint is labelled, if a labelled one is not predicted, or if the shapes differ.

    Examples
    --------
    >>> from skpose.metrics import mean_keypoint_error
    >>> mean_keypoint_error([[[0, 0], [0, 0]]], [[[3, 4], [0, 1]]])
    3.0
    """
    errors = keypoint_errors(y_true, y_pred)
    labelled = _labelled(y_true)
    if np.isnan(errors[labelled]).any():
        raise ValueError(
            f"y_pred is NaN at {np.isnan(errors[labelled]).sum()} of {labelled.sum()} labelled "
            "keypoints: there is no distance to them. `pck` and `oks` count them as missed."
        )
    return _weighted_mean(errors, labelled, sample_weight)


def correct_keypoints(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    threshold: float,
    relative_to: ArrayLike | Literal["bounding_box"] | None = None,
) -> NDArray[np.float64]:
    """Tell which keypoints are predicted to within a distance.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_keypoints, 2)
        True keypoints (x, y) in pixels; NaN: not labelled.
    y_pred : array-like of shape (n_samples, n_keypoints, 2)
        Predicted keypoints (x, y) in pixels; NaN: not found, which is wrong.
    threshold : float
        The largest distance that is right: in pixels, or in the lengths of `relative_to`.
    relative_to : tuple of int, array-like of shape (n_samples,) or "bounding_box", default=None
        The length of each individual, as for `pck`.

    Returns
    -------
    ndarray of shape (n_samples, n_keypoints)
        1 for right, 0 for wrong; NaN where the keypoint is not labelled, or the length of its
        individual is not known.

    Raises
    ------
    ValueError
        If the shapes differ, or `threshold` is not greater than 0.

    See Also
    --------
    pck : The mean of these.

    Examples
    --------
    >>> from skpose.metrics import correct_keypoints
    >>> y_true, y_pred = [[[0, 0], [10, 0]]], [[[0, 1], [14, 0]]]
    >>> correct_keypoints(y_true, y_pred, threshold=2).tolist()
    [[1.0, 0.0]]
    """
    is_scalar = np.isscalar(threshold)
    if not is_scalar or not threshold > 0:
        raise ValueError(f"threshold must be a number greater than 0, but was {threshold!r}.")
    errors = keypoint_errors(y_true, y_pred)
    lengths = _body_lengths(check_keypoints(y_true), relative_to)
    is_known = lengths > 0
    counts = _labelled(y_true) & is_known[:, None]
    limits = threshold * np.where(is_known, lengths, np.nan)
    return np.where(counts, errors <= limits[:, None], np.nan)  # False where nothing is predicted


def pck(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    threshold: float,
    relative_to: ArrayLike | Literal["bounding_box"] | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the share of labelled keypoints that are predicted to within a distance.

    This is the percentage of correct keypoints, as a fraction.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_keypoints, 2)
        True keypoints (x, y) in pixels; NaN: not labelled, does not count.
    y_pred : array-like of shape (n_samples, n_keypoints, 2)
        Predicted keypoints (x, y) in pixels; NaN: not found, counts as wrong.
    threshold : float
        The largest distance that is right: in pixels, or in the lengths of `relative_to`.
    relative_to : tuple of int, array-like of shape (n_samples,) or "bounding_box", default=None
        The length of each individual: the true distance between two keypoints, given by their
        positions ``(i, j)`` in a tuple; or any length in pixels, in an array; or the longer side of
        the box that bounds its labelled keypoints. Samples whose length is not known, or 0, do not
        count. None: `threshold` is in pixels.
    sample_weight : array-like of shape (n_samples,), default=None
        The weight of each labelled keypoint of a sample. None: 1.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If no keypoint is labelled, no length is known, or the shapes differ.

    See Also
    --------
    correct_keypoints : Which keypoints are right, one by one.

    References
    ----------
    Y. Yang and D. Ramanan, "Articulated human detection with flexible mixtures of parts", IEEE
    Transactions on Pattern Analysis and Machine Intelligence, 2013.

    Examples
    --------
    >>> from skpose.metrics import pck
    >>> y_true, y_pred = [[[0, 0], [10, 0]]], [[[0, 1], [14, 0]]]
    >>> pck(y_true, y_pred, threshold=2)
    0.5
    >>> pck(y_true, y_pred, threshold=0.4, relative_to=(0, 1))
    1.0
    """
    correct = correct_keypoints(y_true, y_pred, threshold=threshold, relative_to=relative_to)
    return _weighted_mean(correct, ~np.isnan(correct), sample_weight, "of known length ")


def oks(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    area: ArrayLike | None = None,
    kappas: ArrayLike = 0.1,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the mean object keypoint similarity, as in COCO.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_keypoints, 2)
        True keypoints (x, y) in pixels; NaN: not labelled, does not count.
    y_pred : array-like of shape (n_samples, n_keypoints, 2)
        Predicted keypoints (x, y) in pixels; NaN: not found, counts as infinitely far.
    area : float or array-like of shape (n_samples,), default=None
        The area of each individual in square pixels: in COCO, that of its segment. None: the area
        of the box that bounds its labelled keypoints. Samples whose area is not known, or 0, do
        not count.
    kappas : float or array-like of shape (n_keypoints,), default=0.1
        How far off each keypoint may be, relative to the square root of the area. In COCO, twice
        the standard deviation of people who label it: 0.05 for an eye, 0.21 for a hip.
    sample_weight : array-like of shape (n_samples,), default=None
        The weight of each sample. None: 1.

    Returns
    -------
    float
        Between 0 and 1. Samples count alike, however many of their keypoints are labelled.

    Raises
    ------
    ValueError
        If no sample has a labelled keypoint and an area, or if the shapes differ.

    Notes
    -----
    With distance d of a keypoint, its similarity is ``exp(-d**2 / (2 * area * kappa**2))``. That of
    a sample is the mean over its labelled keypoints.

    References
    ----------
    M. R. Ronchi and P. Perona, "Benchmarking and error diagnosis in multi-instance pose
    estimation", IEEE International Conference on Computer Vision, 2017.

    Examples
    --------
    >>> from skpose.metrics import oks
    >>> y_true, y_pred = [[[0, 0], [10, 10]]], [[[0, 0], [10, 11]]]
    >>> round(oks(y_true, y_pred), 4)  # (1 + exp(-1 / 2)) / 2
    0.8033
    """
    errors = keypoint_errors(y_true, y_pred)
    n_samples, n_keypoints = errors.shape
    kappas = _per_item(kappas, n_keypoints, "kappas", "keypoint")
    if not (kappas > 0).all():
        raise ValueError(f"kappas must be greater than 0, but are {kappas.tolist()}.")
    if area is None:
        area = box_sides(check_keypoints(y_true)).prod(axis=1)
    area = _per_item(area, n_samples, "area", "sample")
    labelled = _labelled(y_true)
    counted = (area > 0) & labelled.any(axis=1)
    spread = 2 * np.where(counted, area, np.nan)[:, None] * kappas**2
    similar = np.where(labelled & ~np.isnan(errors), np.exp(-(errors**2) / spread), 0)
    similarity = similar.sum(axis=1) / np.maximum(labelled.sum(axis=1), 1)
    return _weighted_mean(similarity[:, None], counted[:, None], sample_weight, "of known area ")


neg_mean_keypoint_error_scorer = make_scorer(mean_keypoint_error, greater_is_better=False)
"""Scorer: the negative `mean_keypoint_error` in pixels, so that greater is better."""

pck_scorer = make_scorer(pck, threshold=0.1, relative_to="bounding_box")
"""Scorer: `pck` at a tenth of the longer side of the labelled keypoints' bounding box.

For another threshold, ``sklearn.metrics.make_scorer(pck, threshold=3)``.
"""

oks_scorer = make_scorer(oks)
"""Scorer: `oks` with its defaults."""

_SCORERS = {
    "neg_mean_keypoint_error": neg_mean_keypoint_error_scorer,
    "oks": oks_scorer,
    "pck": pck_scorer,
}


def get_scorer(
    name: Literal["neg_mean_keypoint_error", "oks", "pck"] | Callable[..., float],
) -> Callable[..., float]:
    """Return a scorer by its name, for scikit-learn's `scoring`.

    Parameters
    ----------
    name : {"neg_mean_keypoint_error", "oks", "pck"} or callable
        The scorer's name; a callable is given as it is.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)`` gives a float, greater for better.

    Raises
    ------
    ValueError
        If there is no scorer of that name.

    Examples
    --------
    >>> from skpose.metrics import get_scorer
    >>> get_scorer("pck")
    make_scorer(pck, response_method='predict', threshold=0.1, relative_to=bounding_box)
    """
    if callable(name):
        return name
    if name not in _SCORERS:
        raise ValueError(f"scorers are {', '.join(_SCORERS)}, but got {name!r}.")
    return _SCORERS[name]


def _labelled(keypoints):
    return ~np.isnan(np.asarray(keypoints, dtype=np.float64)).any(axis=2)


def _weighted_mean(values, counted, sample_weight, which=""):
    """Return the mean of the counted values, each with the weight of its row."""
    if not counted.any():
        raise ValueError(
            f"No sample {which}has a labelled keypoint (NaN: not labelled), so there is nothing to "
            "score. Use splits that spread the labelled samples."
        )
    weights = counted * 1.0
    if sample_weight is not None:
        weights *= check_sample_weight(sample_weight, len(counted))[:, None]
    total = weights.sum()
    if total == 0:
        raise ValueError(
            f"sample_weight is 0 for every sample {which}that has a labelled keypoint, so there is "
            "nothing to score."
        )
    return float((np.where(counted, values, 0) * weights).sum() / total)


def _body_lengths(y_true, relative_to):
    """Return the length of each individual in pixels, 1 if lengths are not asked for."""
    n_samples, n_keypoints = y_true.shape[:2]
    if relative_to is None:
        return np.ones(n_samples)
    if isinstance(relative_to, str):
        if relative_to != "bounding_box":
            raise ValueError(
                "relative_to must be None, a tuple of two positions, an array of lengths or "
                f"'bounding_box', but was {relative_to!r}."
            )
        return box_sides(y_true).max(axis=1)
    if isinstance(relative_to, tuple):
        is_position = [
            isinstance(i, int | np.integer) and -n_keypoints <= i < n_keypoints for i in relative_to
        ]
        if len(relative_to) != 2 or not all(is_position):
            raise ValueError(
                f"relative_to={relative_to} must be the positions of two of the {n_keypoints} "
                "keypoints. Give lengths as an array."
            )
        return np.linalg.norm(y_true[:, relative_to[0]] - y_true[:, relative_to[1]], axis=1)
    return _per_item(relative_to, n_samples, "relative_to", "sample")


def _per_item(values, n_items, name, item):
    """Return one value for each item."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim == 0:
        return np.full(n_items, float(values))
    if values.shape != (n_items,):
        raise ValueError(
            f"{name} must have one value for each {item}, shape ({n_items},), but has shape "
            f"{values.shape}."
        )
    return values
