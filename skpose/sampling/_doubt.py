"""Frames that one estimator, or several together, are in doubt about."""

from typing import Any, Literal

import numpy as np

from skpose._predictor import Predictor
from skpose._types import RandomState
from skpose.base import HasMethods, batch_slices
from skpose.ensemble import PoseEnsemble, spread
from skpose.preprocessing import ImageBatch
from skpose.sampling._base import ScoreSampler

_MAP_BYTES = 2**28  # of confidence maps that are held in memory


class ConfidenceSampler(ScoreSampler):
    """Choose frames in which an estimator is least confident.

    Parameters
    ----------
    estimator : estimator, default=None
        Fitted, maybe in a Pipeline or a search; predicts the confidences. None: they are given to
        `select`.
    n_frames : int, default=20
        How many to choose.
    reduce : {"mean", "max"}, default="mean"
        Judge a frame by the mean over its keypoints, or by the worst of them.
    min_separation : int, default=10
        Least distance of two chosen frames, in frames. Doubt comes in bouts: frames beside each
        other show much the same.
    random_state : int, RandomState or None, default=None
        Chooses among frames with equal scores.

    Raises
    ------
    TypeError
        By `select` and by `scores`, if the estimator does not tell its confidence.
    ValueError
        By `select` and by `scores`, if a parameter is out of its range, confidences are neither
        given nor can be predicted, or arrays do not fit each other.

    See Also
    --------
    EntropySampler : By the whole confidence maps, not just their peaks.
    EnsembleSampler : By how much several estimators differ, which notices confident mistakes too.

    Notes
    -----
    The score is ``1 - confidence``. `sklearn.base.clone` makes the estimator in a chooser forget
    what it learnt; give ``sklearn.frozen.FrozenEstimator(estimator)`` where that matters.

    The most doubtful frames may look alike. To choose among many of them those that differ::

        doubtful = ConfidenceSampler(estimator, n_frames=500, min_separation=1).select(video)
        index = doubtful[KMeansSampler(50).select(video[doubtful])]

    References
    ----------
    Lewis, D. D. & Gale, W. A. A sequential algorithm for training text classifiers. SIGIR (1994).

    Examples
    --------
    >>> from skpose.sampling import ConfidenceSampler
    >>> confidence = [[0.9], [0.2], [0.8], [0.1], [0.3]]
    >>> sampler = ConfidenceSampler(n_frames=2, min_separation=2)
    >>> sampler.select(confidence=confidence).tolist()
    [1, 3]
    """

    _parameter_constraints: dict = {
        **ScoreSampler._parameter_constraints,
        "estimator": [HasMethods("predict"), None],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_frames: int = 20,
        reduce: Literal["mean", "max"] = "mean",
        min_separation: int = 10,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.n_frames = n_frames
        self.reduce = reduce
        self.min_separation = min_separation
        self.random_state = random_state

    def _keypoint_scores(self, data):
        return 1 - data.confidences(self.estimator, self)


class EntropySampler(ScoreSampler):
    """Choose frames whose confidence maps are spread out or have several peaks.

    Parameters
    ----------
    estimator : estimator
        Fitted, maybe in a Pipeline or a search; draws the maps.
    n_frames : int, default=20
        How many to choose.
    reduce : {"mean", "max"}, default="mean"
        Judge a frame by the mean over its keypoints, or by the worst of them.
    min_separation : int, default=10
        Least distance of two chosen frames, in frames.
    random_state : int, RandomState or None, default=None
        Chooses among frames with equal scores.

    Raises
    ------
    TypeError
        By `select` and by `scores`, if the estimator draws no maps.
    ValueError
        By `select` and by `scores`, if a parameter is out of its range, there are no images, or
        arrays do not fit each other.

    See Also
    --------
    ConfidenceSampler : By the heights of the peaks; quicker, since poses can be given.

    Notes
    -----
    A map m of one keypoint is made a distribution, ``p = m**2 / sum(m**2)`` over its cells, where
    negative values count as 0. The score is its entropy in nats, ``-sum(p * log(p))``. For a single
    peak with a standard deviation of s cells it is ``1 + log(pi * s**2)``, for two such peaks log 2
    more, and for an empty map the logarithm of the number of cells. Without the square, the many
    cells of a map that are nearly 0 would outweigh its peak.

    References
    ----------
    Liu, B. & Ferrari, V. Active learning for human pose estimation. ICCV (2017).

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.sampling import EntropySampler
    >>> class Oracle:
    ...     n_keypoints_ = 1
    ...     def predict_maps(self, X):  # the second frame has two peaks
    ...         maps = np.zeros((len(X), 4, 4, 1))
    ...         maps[:, 0, 0] = 1
    ...         maps[1, 3, 3] = 1
    ...         return maps
    ...     def predict(self, X): ...
    >>> sampler = EntropySampler(Oracle(), n_frames=1)
    >>> sampler.scores(np.zeros((3, 16, 16, 1), dtype=np.uint8)).round(2).tolist()
    [0.0, 0.69, 0.0]
    """

    _parameter_constraints: dict = {
        **ScoreSampler._parameter_constraints,
        "estimator": [HasMethods("predict")],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        n_frames: int = 20,
        reduce: Literal["mean", "max"] = "mean",
        min_separation: int = 10,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.n_frames = n_frames
        self.reduce = reduce
        self.min_separation = min_separation
        self.random_state = random_state

    def _keypoint_scores(self, data):
        data.need_images(self.estimator, self)
        predictor = Predictor(self.estimator)
        X = ImageBatch.wrap(data.X)  # sliced before it is read
        return np.concatenate(
            [
                map_entropy(predictor.predict_maps(X[part]))
                for part in batch_slices(len(X), _n_at_once(predictor.last, X.shape[1:3]))
            ]
        )


class EnsembleSampler(ScoreSampler):
    """Choose frames in which several estimators disagree.

    Parameters
    ----------
    estimators : PoseEnsemble or list of estimators, default=None
        Fitted on the same labels from different random states, or on different parts of them.
        None: their poses are given to `select`, as keypoints of shape (n_estimators, n_samples,
        n_keypoints, 2).
    n_frames : int, default=20
        How many to choose.
    reduce : {"mean", "max"}, default="mean"
        Judge a frame by the mean over its keypoints, or by the worst of them.
    min_separation : int, default=10
        Least distance of two chosen frames, in frames.
    random_state : int, RandomState or None, default=None
        Chooses among frames with equal scores.

    Raises
    ------
    ValueError
        By `select` and by `scores`, if a parameter is out of its range, poses are neither given nor
        can be predicted, they are those of fewer than two estimators, or arrays do not fit each
        other.

    See Also
    --------
    ConfidenceSampler : The doubt of one estimator.
    skpose.ensemble.PoseEnsemble : Trains several estimators.

    Notes
    -----
    The score of a keypoint is the root mean square distance, in pixels, of the estimators'
    positions from their mean.

    References
    ----------
    Seung, H. S., Opper, M. & Sompolinsky, H. Query by committee. COLT (1992).

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.sampling import EnsembleSampler
    >>> poses = np.zeros((2, 3, 1, 2))  # two estimators, three frames, one keypoint
    >>> poses[1, 2] = [6.0, 8.0]
    >>> EnsembleSampler().scores(keypoints=poses).tolist()
    [0.0, 0.0, 5.0]
    """

    _parameter_constraints: dict = {
        **ScoreSampler._parameter_constraints,
        "estimators": [list, tuple, HasMethods("predict_members"), None],
    }

    def __init__(
        self,
        estimators: PoseEnsemble | list[Any] | None = None,
        *,
        n_frames: int = 20,
        reduce: Literal["mean", "max"] = "mean",
        min_separation: int = 10,
        random_state: RandomState = None,
    ) -> None:
        self.estimators = estimators
        self.n_frames = n_frames
        self.reduce = reduce
        self.min_separation = min_separation
        self.random_state = random_state

    def _keypoint_scores(self, data):
        poses = self._poses(data)
        if len(poses) < 2:
            raise ValueError(f"EnsembleSampler needs at least 2 estimators, but has {len(poses)}.")
        return spread(poses)

    def _poses(self, data):
        """Return keypoints of shape (n_estimators, n_samples, n_keypoints, 2)."""
        if data.keypoints is None:
            is_ensemble = hasattr(self.estimators, "predict_members")
            estimators = self.estimators if is_ensemble else list(self.estimators or ())
            data.need_images(estimators, self, "keypoints")
            if is_ensemble:
                return estimators.predict_members(data.X)[0]
            return np.stack([Predictor(estimator).predict(data.X)[0] for estimator in estimators])
        if data.keypoints.ndim != 4:
            raise ValueError(
                "EnsembleSampler needs the keypoints of every estimator, of shape (n_estimators, "
                f"n_samples, n_keypoints, 2), but their shape is {data.keypoints.shape}."
            )
        return data.keypoints


def map_entropy(maps):
    """Return the entropy of squared maps, in nats.

    Parameters
    ----------
    maps : ndarray of shape (n_samples, n_rows, n_columns, n_maps)
        Confidence maps. Values below 0 count as 0.

    Returns
    -------
    entropy : ndarray of shape (n_samples, n_maps)
    """
    n_samples, n_rows, n_columns, n_maps = maps.shape
    mass = np.square(np.maximum(maps, 0).reshape(n_samples, n_rows * n_columns, n_maps))
    total = mass.sum(axis=1, keepdims=True)
    is_empty = total <= np.finfo(mass.dtype).tiny
    p = np.where(is_empty, 1 / (n_rows * n_columns), mass / np.where(is_empty, 1, total))
    return -(p * np.log(np.where(p > 0, p, 1))).sum(axis=1)


def _n_at_once(estimator, image_size):
    """How many frames' maps to hold in memory."""
    targets = getattr(estimator, "targets_", None)
    n_maps = getattr(targets, "n_maps_", 64)
    stride = getattr(targets, "stride", 4)
    return max(64, int(_MAP_BYTES * stride**2 / (4 * n_maps * np.prod(image_size))))
