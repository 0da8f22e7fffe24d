"""What all choosers of frames share: one method, seeds, and frames that are not neighbours."""

from numbers import Integral
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skpose._predictor import Predictor
from skpose._types import Images
from skpose.base import (
    ImageInputMixin,
    Interval,
    StrOptions,
    check_images,
    check_keypoints,
    fit_context,
)


class FrameSampler(ImageInputMixin, BaseEstimator):
    """The base of all choosers; a subclass says in ``_rank`` which frames it likes best."""

    _parameter_constraints: dict = {
        "n_frames": [Interval(Integral, 1, None, closed="left")],
        "min_separation": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    @fit_context(prefer_skip_nested_validation=False)
    def select(
        self,
        X: Images | None = None,
        *,
        keypoints: ArrayLike | None = None,
        confidence: ArrayLike | None = None,
        exclude: ArrayLike | None = None,
    ) -> NDArray[np.intp]:
        """Choose frames.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels), default=None
            The frames of one video, in order; they may stay on disk. None: choose by the poses
            alone, for choosers that can.
        keypoints : array-like of shape (n_samples, n_keypoints, 2), default=None
            Predicted poses, (x, y) in pixels, to spare the time to predict them again; NaN: not
            found.
        confidence : array-like of shape (n_samples, n_keypoints), default=None
            Confidences of the predicted poses.
        exclude : array-like of int or bool, default=None
            Frames not to choose, by index or as a mask: those that are labelled already.

        Returns
        -------
        index : ndarray of shape (n_frames,)
            Sorted indices of the frames, at least ``min_separation`` from each other and from those
            in `exclude`.

        Raises
        ------
        ValueError
            If what this chooser goes by is neither given nor can be predicted, or arrays do not fit
            each other.

        Warns
        -----
        UserWarning
            If there are not as many frames as asked for; fewer are given then.
        """
        data = _Frames.check(X, keypoints, confidence)
        data.excluded = excluded = _check_excluded(exclude, data.n_samples)
        order = self._rank(data, check_random_state(self.random_state))
        index = pick_apart(
            order, self.n_frames, self.min_separation, n_samples=data.n_samples, excluded=excluded
        )
        if len(index) < self.n_frames:
            warnings.warn(
                f"Only {len(index)} of {self.n_frames} frames were chosen. Of {data.n_samples} "
                f"frames, {len(excluded)} of them excluded, no more can be judged and are "
                f"{self.min_separation} apart. Ask for fewer, or lower min_separation.",
                UserWarning,
                stacklevel=3,
            )
        return index

    def _rank(self, data, random):
        """Return indices of frames, best first; a frame that is left out is never chosen."""
        raise NotImplementedError


class ScoreSampler(FrameSampler):
    """A chooser that prefers frames with a high score."""

    _parameter_constraints: dict = {
        **FrameSampler._parameter_constraints,
        "reduce": [StrOptions({"mean", "max"})],
    }

    @fit_context(prefer_skip_nested_validation=False)
    def scores(
        self,
        X: Images | None = None,
        *,
        keypoints: ArrayLike | None = None,
        confidence: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """Return the score of each frame; those with high scores are chosen.

        Parameters
        ----------
        X, keypoints, confidence
            As in `select`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            NaN where there is nothing to judge by, since no keypoint was found.
        """
        return self._scores(_Frames.check(X, keypoints, confidence))

    def _scores(self, data):
        scores = np.asarray(self._keypoint_scores(data), dtype=np.float64)
        is_known = ~np.isnan(scores)
        if self.reduce == "max":
            reduced = np.where(is_known, scores, -np.inf).max(axis=1)
        else:
            reduced = np.where(is_known, scores, 0).sum(axis=1) / np.maximum(is_known.sum(1), 1)
        return np.where(is_known.any(axis=1), reduced, np.nan)

    def _rank(self, data, random):
        scores = self._scores(data)
        order = random.permutation(np.flatnonzero(~np.isnan(scores)))  # for frames that tie
        return order[np.argsort(-scores[order], kind="stable")]

    def _keypoint_scores(self, data):
        """Return scores of shape (n_samples, n_keypoints), NaN where there is nothing to judge."""
        raise NotImplementedError


class _Frames:
    """What is known of the frames to choose from."""

    def __init__(self, X, keypoints, confidence):
        self.X, self.keypoints, self.confidence = X, keypoints, confidence
        self.given = [part for part in (X, keypoints, confidence) if part is not None]
        self.excluded = np.array([], dtype=int)

    @classmethod
    def check(cls, X, keypoints, confidence):
        X = None if X is None else check_images(X)
        if keypoints is not None:
            keypoints = _check_poses(keypoints)
        if confidence is not None:
            confidence = np.asarray(confidence, dtype=np.float64)
            if confidence.ndim != 2:
                raise ValueError(
                    "confidence must have the shape (n_samples, n_keypoints), but its shape is "
                    f"{confidence.shape}."
                )
        data = cls(X, keypoints, confidence)
        if not data.given:
            raise ValueError("select needs images X, or predicted keypoints or confidence.")
        sizes = {
            "X": None if X is None else len(X),
            "keypoints": None if keypoints is None else keypoints.shape[-3],
            "confidence": None if confidence is None else len(confidence),
        }
        sizes = {name: size for name, size in sizes.items() if size is not None}
        if len(set(sizes.values())) > 1:
            said = ", ".join(f"{name} of {size}" for name, size in sizes.items())
            raise ValueError(f"All must be of the same frames, but got {said}.")
        data.n_samples = next(iter(sizes.values()))
        return data

    def poses(self, estimator, sampler):
        """Return keypoints of shape (n_samples, n_keypoints, 2), given or predicted."""
        if self.keypoints is not None:
            if self.keypoints.ndim != 3:
                raise ValueError(
                    f"{type(sampler).__name__} needs keypoints of shape (n_samples, n_keypoints, "
                    f"2), but their shape is {self.keypoints.shape}."
                )
            return self.keypoints
        self.need_images(estimator, sampler, "keypoints")
        return Predictor(estimator).predict(self.X)[0]

    def confidences(self, estimator, sampler):
        """Return confidences of shape (n_samples, n_keypoints), given or predicted."""
        if self.confidence is not None:
            return self.confidence
        self.need_images(estimator, sampler, "confidence")
        confidence = Predictor(estimator).predict(self.X)[1]
        if confidence is None:
            raise TypeError(
                f"{type(sampler).__name__} needs an estimator that tells its confidence, as a "
                f"PoseEstimator does, but got {estimator!r}."
            )
        return confidence

    def need_images(self, estimator, sampler, name=None):
        """Raise an error unless there are images and an estimator to predict with."""
        if self.X is None or estimator is None or (isinstance(estimator, list) and not estimator):
            name = f"`{name}`, or " if name else ""
            raise ValueError(
                f"{type(sampler).__name__} needs {name}images X and a fitted estimator to predict "
                f"from them, but X is {'missing' if self.X is None else 'given'} and the estimator "
                f"is {estimator!r}."
            )


def _check_poses(keypoints):
    """Check keypoints of one estimator, (n, k, 2), or of several, (m, n, k, 2)."""
    if np.ndim(keypoints) == 4:
        return np.stack([check_keypoints(part, name="keypoints") for part in keypoints])
    return check_keypoints(keypoints, name="keypoints")


def _check_excluded(exclude, n_samples):
    """Return the indices of frames that must not be chosen."""
    if exclude is None:
        return np.array([], dtype=int)
    exclude = np.asarray(exclude)
    if exclude.dtype == bool and exclude.shape == (n_samples,):
        return np.flatnonzero(exclude)
    if exclude.size == 0:
        return np.array([], dtype=int)
    if exclude.ndim != 1 or exclude.dtype.kind not in "iu":
        raise ValueError(
            f"exclude must be integers, or booleans of shape ({n_samples},), but is "
            f"{exclude.dtype} of shape {exclude.shape}."
        )
    if exclude.min() < 0 or exclude.max() >= n_samples:
        raise ValueError(
            f"exclude must hold numbers from 0 to {n_samples - 1}, but has {exclude.min()} to "
            f"{exclude.max()}."
        )
    return np.unique(exclude)


def pick_apart(order, n_frames, min_separation, *, n_samples, excluded=()):
    """Take frames in an order of preference, but none near to one that is taken.

    Parameters
    ----------
    order : iterable of int
        Indices of frames, best first.
    n_frames : int
        How many to take at most.
    min_separation : int
        Least difference between the indices of two frames.
    n_samples : int
        Number of frames that there are.
    excluded : iterable of int, default=()
        Frames that count as taken already.

    Returns
    -------
    index : ndarray of shape (<= n_frames,)
        Sorted.
    """
    is_free = np.ones(n_samples, dtype=bool)
    for i in excluded:
        is_free[max(0, i - min_separation + 1) : i + min_separation] = False
    chosen = []
    for i in order:
        if len(chosen) == n_frames:
            break
        if is_free[i]:
            chosen.append(i)
            is_free[max(0, i - min_separation + 1) : i + min_separation] = False
    return np.sort(np.array(chosen, dtype=int))
