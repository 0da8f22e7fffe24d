"""Frames whose poses do not fit those before and after them."""

from math import comb
from numbers import Integral
from typing import Any, Literal

import numpy as np

from skpose._types import RandomState
from skpose.base import HasMethods, Interval
from skpose.sampling._base import ScoreSampler

_LEAST_SCALE = 0.1  # pixels: what peaks jitter by; a bodypart at rest moves less
_TRUST_LIMIT = 3  # standard deviations beyond which a frame loses weight
_RAYLEIGH_MEDIAN = 1.1774  # median length of a 2-D normal vector of unit variance
_N_ITERATIONS = 10


class MotionSampler(ScoreSampler):
    """Choose frames in which bodyparts jump.

    Parameters
    ----------
    estimator : estimator, default=None
        Fitted, maybe in a Pipeline or a search; predicts the poses. None: they are given to
        `select`.
    order : int, default=2
        Which derivative of the positions to look at: 1 is the speed, 2 the acceleration, which is
        small while the animal just runs, 3 its change.
    n_frames : int, default=20
        How many to choose.
    reduce : {"mean", "max"}, default="max"
        Judge a frame by the mean over its keypoints, or by the worst of them.
    min_separation : int, default=10
        Least distance of two chosen frames, in frames.
    random_state : int, RandomState or None, default=None
        Chooses among frames with equal scores.

    Raises
    ------
    ValueError
        By `select` and by `scores`, if a parameter is out of its range, poses are neither given nor
        can be predicted, or arrays do not fit each other.

    See Also
    --------
    AutoregressiveSampler : Learns how each bodypart moves, and looks for what is different.

    Notes
    -----
    The frames must be those of one video, in order. With ``order=1`` the score of a keypoint is how
    far it moves from frame to frame, with ``order=2`` how much that changes, and so on: the length
    of its differences over time. A frame takes part in several of these, and its score is their
    mean, weighted as it counts in each. Scores are divided by the bodypart's median (or by 0.1
    pixels where that is less), so that bodyparts that are always quick do not stand out.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.sampling import MotionSampler
    >>> keypoints = np.zeros((50, 1, 2))
    >>> keypoints[:, 0, 0] = np.arange(50)  # walks to the right, a pixel a frame
    >>> keypoints[30, 0, 1] = 20  # but for one frame
    >>> MotionSampler(n_frames=1).select(keypoints=keypoints).tolist()
    [30]
    """

    _parameter_constraints: dict = {
        **ScoreSampler._parameter_constraints,
        "estimator": [HasMethods("predict"), None],
        "order": [Interval(Integral, 1, 3, closed="both")],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        order: int = 2,
        n_frames: int = 20,
        reduce: Literal["mean", "max"] = "max",
        min_separation: int = 10,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.order = order
        self.n_frames = n_frames
        self.reduce = reduce
        self.min_separation = min_separation
        self.random_state = random_state

    def _keypoint_scores(self, data):
        poses = data.poses(self.estimator, self)
        if len(poses) <= self.order:
            return np.zeros(poses.shape[:2])
        jumps = np.linalg.norm(np.diff(poses, n=self.order, axis=0), axis=2)
        return _in_medians(_share_out(jumps, self.order), poses)


class AutoregressiveSampler(ScoreSampler):
    """Choose frames whose poses an autoregressive model would not have expected.

    Parameters
    ----------
    estimator : estimator, default=None
        Fitted, maybe in a Pipeline or a search; predicts the poses. None: they are given to
        `select`.
    order : int, default=3
        How many frames before a frame the model looks at.
    n_frames : int, default=20
        How many to choose.
    reduce : {"mean", "max"}, default="max"
        Judge a frame by the mean over its keypoints, or by the worst of them.
    min_separation : int, default=10
        Least distance of two chosen frames, in frames.
    random_state : int, RandomState or None, default=None
        Chooses among frames with equal scores.

    Raises
    ------
    ValueError
        By `select` and by `scores`, if a parameter is out of its range, poses are neither given nor
        can be predicted, or arrays do not fit each other.

    See Also
    --------
    MotionSampler : Jumps, without a model.

    Notes
    -----
    The frames must be those of one video, in order. For each keypoint, ``y[t] = a[1] y[t-1] + ... +
    a[p] y[t-p] + e[t]`` is fitted to its positions around their median, x and y together, by least
    squares. That the frame after a mistake is badly predicted from it says nothing about that
    frame. So the score is the residual of the model's interpolation between all frames before and
    after a frame: a filter with the inverse autocorrelations of the model, which are those of the
    sequence ``1, -a[1], ..., -a[p]``. It is divided by its median over all frames (or by 0.1 pixels
    where it is less). Keypoints that were not found are interpolated for their neighbours, and have
    no score.

    The fit is robust: it is repeated, and frames with large residuals lose weight in all equations
    that they take part in, as the square of Huber's weight.

    DeepLabCut fits SARIMAX models for the same purpose (``outlieralgorithm="fitting"``), which
    takes far longer.

    References
    ----------
    Cleveland, W. S. The inverse autocorrelations of a time series and their applications.
    Technometrics 14, 277-293 (1972).

    Nath, T. et al. Using DeepLabCut for 3D markerless pose estimation across species and behaviors.
    Nature Protocols 14, 2152-2176 (2019).

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.sampling import AutoregressiveSampler
    >>> t = np.arange(200)
    >>> keypoints = np.stack([20 * np.cos(t / 10), 20 * np.sin(t / 10)], axis=1)[:, None]
    >>> keypoints[120] += 5
    >>> AutoregressiveSampler(n_frames=1).select(keypoints=keypoints).tolist()
    [120]
    """

    _parameter_constraints: dict = {
        **ScoreSampler._parameter_constraints,
        "estimator": [HasMethods("predict"), None],
        "order": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        order: int = 3,
        n_frames: int = 20,
        reduce: Literal["mean", "max"] = "max",
        min_separation: int = 10,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.order = order
        self.n_frames = n_frames
        self.reduce = reduce
        self.min_separation = min_separation
        self.random_state = random_state

    def _keypoint_scores(self, data):
        poses = data.poses(self.estimator, self)
        residuals = np.full(poses.shape[:2], np.nan)
        for k in range(poses.shape[1]):
            path = poses[:, k]
            is_known = ~np.isnan(path[:, 0])
            if is_known.sum() <= 2 * self.order:
                residuals[is_known, k] = 0
                continue
            path = _fill_gaps(path, is_known)
            path = path - np.median(path, axis=0)
            residuals[:, k] = interpolation_residuals(path, fit_autoregression(path, self.order))
        return _in_medians(residuals, poses)


def fit_autoregression(path, order):
    """Fit an autoregressive model to a path around the origin, outliers counting little.

    Parameters
    ----------
    path : ndarray of shape (n_samples, 2)
        Positions, without NaN.
    order : int
        Number of coefficients.

    Returns
    -------
    coefficients : ndarray of shape (order,)
        ``path[t]`` is about ``sum(coefficients[i] * path[t - 1 - i])``, in x as in y.
    """
    n_rows = len(path) - order
    lags = np.stack([path[order - 1 - i : order - 1 - i + n_rows] for i in range(order)], axis=2)
    target = path[order:]
    ridge = 1e-9 * (np.mean(path**2) + 1) * n_rows * np.eye(order)  # a path at rest has no model
    weights = np.ones(n_rows)
    for _ in range(_N_ITERATIONS):
        weighted = lags * weights[:, None, None]
        coefficients = np.linalg.solve(
            np.einsum("tci,tcj->ij", weighted, lags) + ridge,
            np.einsum("tci,tc->i", weighted, target),
        )
        lengths = interpolation_residuals(path, coefficients)
        limit = _TRUST_LIMIT * max(np.median(lengths), 1e-6) / _RAYLEIGH_MEDIAN
        trust = (limit / np.maximum(lengths, limit)) ** 2  # of each frame
        weights = np.min([trust[i : i + n_rows] for i in range(order + 1)], axis=0)
    return coefficients


def interpolation_residuals(path, coefficients):
    """Return how far each position is from what an autoregressive model expects between the others.

    Parameters
    ----------
    path : ndarray of shape (n_samples, 2)
        Positions around the origin, without NaN.
    coefficients : ndarray of shape (order,)
        Of the model.

    Returns
    -------
    lengths : ndarray of shape (n_samples,)
        In the unit of `path`.
    """
    order = len(coefficients)
    whitening = np.concatenate([[1], -coefficients])
    inverse = np.correlate(whitening, whitening, mode="full")
    inverse = inverse / inverse[order]
    # The path goes on beyond its ends as it would if it were turned about them.
    padded = np.concatenate(
        [2 * path[0] - path[order:0:-1], path, 2 * path[-1] - path[-2 : -order - 2 : -1]]
    )
    residuals = [np.convolve(column, inverse, mode="valid") for column in padded.T]
    return np.linalg.norm(residuals, axis=0)


def _fill_gaps(path, is_known):
    """Interpolate positions that are not known."""
    t = np.arange(len(path))
    return np.stack([np.interp(t, t[is_known], column[is_known]) for column in path.T], axis=1)


def _share_out(jumps, order):
    """Give each frame the mean of the differences that it is in, by its weights in them.

    Differences that are NaN do not count.
    """
    weights = np.array([comb(order, i) for i in range(order + 1)], dtype=float)
    n_samples = len(jumps) + order
    total, weight = np.zeros((2, n_samples, jumps.shape[1]))
    is_known = ~np.isnan(jumps)
    for i, w in enumerate(weights):
        total[i : i + len(jumps)] += w * np.where(is_known, jumps, 0)
        weight[i : i + len(jumps)] += w * is_known
    return total / np.where(weight > 0, weight, 1)


def _in_medians(lengths, poses):
    """Divide each keypoint's lengths by their median; NaN where the keypoint was not found."""
    is_known = ~np.isnan(poses).any(axis=2)
    scores = np.full(lengths.shape, np.nan)
    for k in range(lengths.shape[1]):
        known = is_known[:, k]
        if known.any():
            scale = max(float(np.median(lengths[known, k])), _LEAST_SCALE)
            scores[known, k] = lengths[known, k] / scale
    return scores
