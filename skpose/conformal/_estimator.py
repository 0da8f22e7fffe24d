"""An estimator around another one, which knows how wrong that may be."""

from __future__ import annotations

from numbers import Integral, Real
import os
from typing import Any, ClassVar, Literal, Self
import warnings

import joblib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold, KFold
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skpose._boxes import typical_size
from skpose._meta_estimators import (
    InnerRolesMixin,
    check_options,
    fit_or_stop,
    take_options,
    with_seed,
)
from skpose._predictor import KeypointRegressorMixin, Predictor
from skpose._types import Images, PathLike, RandomState
from skpose.base import HasMethods, Interval, StrOptions, check_keypoints, fit_context
from skpose.conformal._clues import predict_with_clues
from skpose.conformal._difficulty import expected_errors, expected_in_folds, fit_difficulty
from skpose.conformal._folds import KeptFolds, look_at
from skpose.conformal._scores import Scores, radii_in_folds
from skpose.estimator import PoseEstimator
from skpose.metrics import keypoint_errors
from skpose.preprocessing import ImageBatch
from skpose.skeleton import Skeleton

__all__ = ["ConformalPoseEstimator"]

_SEED_END = 2**31 - 1
_WITHIN = 0.05  # of the animal's size: a keypoint that is found


def _draws_maps(self):
    return hasattr(Predictor(getattr(self, "estimator_", self.estimator)).last, "predict_maps")


class ConformalPoseEstimator(InnerRolesMixin, KeypointRegressorMixin, BaseEstimator):
    """Poses, and for each keypoint of each frame a radius that holds a share of the true positions.

    The images are divided into folds, and the errors in each are those of an estimator that was
    trained on the others. What an estimator tells with a keypoint, such as a low peak, says how
    large an error to expect; the errors found say by how much to multiply that.

    Parameters
    ----------
    estimator : estimator, default=None
        What finds the poses: a `PoseEstimator`, a Pipeline, a `skpose.ensemble.PoseEnsemble`.
        None: ``PoseEstimator()``. ``FrozenEstimator(fitted)`` of `sklearn.frozen` is not trained
        any more: the images given to `fit` must be others than it was trained on.
    coverage : float, default=0.9
        The share of the true positions that lie within their radius.
    cv : int or splitter, default=5
        In how many folds images are divided, or what divides them, as scikit-learn has it. So many
        trainings are needed, and one on all images.
    refit : bool, default=True
        Whether to train the estimator on all images. False: it is fitted, on these images, and
        predicts as it is; only those of the folds are trained.
    use_maps : bool, default=False
        Whether errors are also foreseen from the confidence maps, by how large each peak is and how
        high a second one. Prediction with radii takes about twice as long then.
    within : float or "auto", default="auto"
        The distance that the confidence speaks of, in pixels. "auto": a twentieth of the animal's
        size.
    memory : str, path-like or joblib.Memory, default=None
        A folder in which is kept what came out of each fold, as a Pipeline takes it: the same `fit`
        after one that was stopped takes up where that was. The same are images, labels, parameters
        and an integer as `random_state`. None: nothing is kept.
    n_jobs : int, default=None
        How many are trained at once, through joblib: None is one, unless in a
        ``joblib.parallel_config``.
    random_state : int, RandomState or None, default=None
        What the folds, and estimators without a `random_state` of their own, depend on.
    verbose : int, default=0
        1: say which fold is trained.

    Attributes
    ----------
    estimator_ : estimator
        Trained on all images.
    within_ : float
        The distance that the confidence speaks of, in pixels.
    errors_ : ndarray of shape (n_samples, n_keypoints)
        Of each labelled keypoint in `fit`, found by an estimator that had not seen its image, in
        pixels; NaN: not labelled, or not found at all, which does not count.
    expected_errors_ : ndarray of shape (n_samples, n_keypoints)
        What was foreseen of them without the fold that they are in.
    folds_ : ndarray of int of shape (n_samples,)
        The fold of each image; -1: it has no labels.
    n_keypoints_ : int
        Number of bodyparts.

    Raises
    ------
    ValueError
        Before any training, if there are fewer labelled images, or groups, than folds, or no labels
        at all.

    Warns
    -----
    UserWarning
        If an estimator has been trained on images that it is judged by, as one with `pretrained` or
        a frozen one may have been: then all radii are too small.

    See Also
    --------
    skpose.plot.ReliabilityDisplay : Whether confidences are what they say.

    Notes
    -----
    What is promised: of frames that are like those in `fit`, drawn at random from the same videos
    or, with `groups`, from other ones of the same kind, about that share of the positions lies
    within the radius, for each bodypart, on average over frames. Nothing is promised of a single
    frame, nor of other light, another camera, other animals: there radii are too small, as all that
    is learnt is worse. With few groups the share may be some way off.

    The method is conformal prediction with normalized errors, by cross-validation: what is promised
    is what was found, not a theorem. The folds' estimators have seen fewer images than the one that
    predicts, so radii are rather too large than too small. A bodypart with fewer than 20 labels has
    the errors of all bodyparts.

    The confidence is the share of errors, in `fit`, that would be less than `within_` if multiplied
    as this keypoint's: the probability that it is found.

    References
    ----------
    Papadopoulos, H., Gammerman, A. & Vovk, V. Normalized nonconformity measures for regression
    conformal prediction. AIA (2008).

    Lei, J. et al. Distribution-free predictive inference for regression. Journal of the American
    Statistical Association 113, 1094-1111 (2018).

    Examples
    --------
    >>> from skpose import PoseEstimator
    >>> from skpose.conformal import ConformalPoseEstimator
    >>> from skpose.datasets import make_poses
    >>> from skpose.models import LEAP
    >>> X, y = make_poses(30, image_size=32, random_state=0)
    >>> small = PoseEstimator(LEAP(filters=4), max_epochs=1)
    >>> estimator = ConformalPoseEstimator(small, cv=2, random_state=0).fit(X, y)
    >>> keypoints, radius = estimator.predict(X, return_radius=True)
    >>> radius.shape == y.shape[:2], bool((radius > 0).all())
    (True, True)
    """

    _inner = "estimator_"
    _clones: ClassVar = {"estimator_": "estimator"}
    _only_for_training = ("cv", "memory")  # a file that cannot hold it is still of use
    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "coverage": [Interval(Real, 0, 1, closed="neither")],
        "cv": [Interval(Integral, 2, None, closed="left"), HasMethods("split")],
        "refit": ["boolean"],
        "use_maps": ["boolean"],
        "within": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        coverage: float = 0.9,
        cv: Any = 5,
        refit: bool = True,
        use_maps: bool = False,
        within: float | Literal["auto"] = "auto",
        memory: PathLike | joblib.Memory | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.coverage = coverage
        self.cv = cv
        self.refit = refit
        self.use_maps = use_maps
        self.within = within
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @property
    def skeleton(self) -> Skeleton | None:
        """The bodyparts, as the estimator knows them."""
        return Predictor(getattr(self, "estimator_", self.estimator)).skeleton

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Images,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        visibility: ArrayLike | None = None,
    ) -> Self:
        """Train an estimator on all images, and one for each fold without it.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images.
        y : array-like of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of X; NaN: not labelled, which does not count.
        sample_weight, visibility : array-like, default=None
            As `PoseEstimator.fit` takes them.
        groups : array-like of shape (n_samples,), default=None
            The video of each image, say: those of one group are in one fold.

        Returns
        -------
        self : ConformalPoseEstimator
        """
        batch = ImageBatch.wrap(X)
        y = check_keypoints(y, n_samples=len(batch), name="y")
        self._check()
        given = {"sample_weight": sample_weight, "groups": groups, "visibility": visibility}
        given = check_options(self._template(), len(batch), **given)
        generator = check_random_state(self.random_state)
        rows = np.flatnonzero(np.isfinite(y).any(axis=(1, 2)))
        splits = self._split(rows, given.get("groups"), int(generator.randint(_SEED_END)))
        self.within_ = self._choose_within(y)
        seed = int(generator.randint(_SEED_END))
        jobs = self._list_jobs(batch, y, given, seed, splits)
        if not self._is_frozen and self.refit:
            jobs.append(joblib.delayed(self._train)(batch, y, given, seed, rows))
        found = joblib.Parallel(n_jobs=self.n_jobs)(jobs)
        self.estimator_ = found.pop() if len(found) > len(splits) else self.estimator
        _warn_if_seen(sum(n_seen for *_, n_seen in found), len(rows))
        self.n_keypoints_, self.image_shape_ = y.shape[1], tuple(batch.shape[1:])
        self._learn(y, [test for _, test in splits], found)
        return self

    @property
    def _is_frozen(self):
        return isinstance(self.estimator, FrozenEstimator)

    def _template(self):
        """Return what is cloned for each fold."""
        return PoseEstimator() if self.estimator is None else self.estimator

    def _check(self):
        """Check what can be known of the estimator before it is trained."""
        template = self._template()
        if not (self.refit or self._is_frozen):
            check_is_fitted(template)
        if self.use_maps and not hasattr(Predictor(template).last, "targets"):
            raise ValueError(
                f"A {type(Predictor(template).last).__name__} draws no confidence maps, which "
                "use_maps=True needs."
            )

    def _choose_within(self, y):
        if self.within != "auto":
            return float(self.within)
        size = typical_size(y)
        if np.isnan(size):
            raise ValueError(
                "No image has two labels, so the animal's size is not known. Give within, in "
                "pixels, which the confidence is to speak of."
            )
        return _WITHIN * size

    def _split(self, rows, groups, seed):
        """Return the rows to train on and those to predict, for each fold."""
        groups = None if groups is None else groups[rows]
        if not isinstance(self.cv, Integral):
            splits = self.cv.split(rows, groups=groups)
            return [(rows[a], rows[b]) for a, b in splits]
        kind, n_units = "labelled images", len(rows)
        if groups is not None:
            kind, n_units = "groups with labels", len(np.unique(groups))
        if n_units < self.cv:
            raise ValueError(
                f"There are {n_units} {kind}, too few for {self.cv} folds. Label more, or set cv "
                "to a smaller number."
            )
        options = {"n_splits": self.cv, "shuffle": True, "random_state": seed}
        splitter = KFold(**options) if groups is None else GroupKFold(**options)
        return [(rows[a], rows[b]) for a, b in splitter.split(rows, groups=groups)]

    def _list_jobs(self, batch, y, given, seed, splits):
        """Return what is to be done for each fold, to be run by joblib."""
        if self._is_frozen:
            look = joblib.delayed(look_at)
            return [look(self.estimator, batch[test], self.use_maps) for _, test in splits]
        find = joblib.delayed(KeptFolds(self.memory, batch, self.verbose))
        return [
            find(f"Fold {i}", self._new_estimator(seed), y, given, split, self.use_maps)
            for i, split in enumerate(splits, 1)
        ]

    def _new_estimator(self, seed):
        return with_seed(clone(self._template()), seed)

    def _train(self, batch, y, given, seed, rows):
        """Train an estimator on all images that have labels."""
        options = take_options(given, rows)
        return fit_or_stop(self._new_estimator(seed), batch[rows], y[rows], options)

    def _learn(self, y, tests, found):
        """Learn how errors go with clues, and how they are distributed then."""
        self.folds_ = np.full(len(y), -1)
        self.errors_ = np.full(y.shape[:2], np.nan)
        clues = np.zeros((*y.shape[:2], found[0][1].shape[2]))
        for i, (test, (keypoints, told, _)) in enumerate(zip(tests, found, strict=True)):
            self.folds_[test] = i
            self.errors_[test] = keypoint_errors(y[test], keypoints)
            clues[test] = told
        if len(np.unique(self.folds_[np.isfinite(self.errors_).any(axis=1)])) < 2:
            raise ValueError(
                "The estimators found no labelled keypoint in all folds but one, so there are too "
                "few errors to learn from."
            )
        self.expected_errors_ = expected_in_folds(self.errors_, clues, self.folds_)
        self.difficulty_ = fit_difficulty(self.errors_, clues)

    @property
    def region_(self) -> tuple[int, int, int, int] | None:
        """(x, y, width, height) of what the estimator sees of the images; None: all."""
        return Predictor(self.estimator_).region if hasattr(self, "estimator_") else None

    def predict(
        self,
        X: Images,
        *,
        return_confidence: bool = False,
        return_radius: bool = False,
        coverage: float | None = None,
        batch_size: int | None = None,
    ) -> Any:
        """Find the bodyparts in images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images.
        return_confidence : bool, default=False
            Whether to give the confidences too.
        return_radius : bool, default=False
            Whether to give the radii too.
        coverage : float, default=None
            The share of the true positions within them, if another one than in `fit`.
        batch_size : int, default=None
            How many images are looked at at a time. None: a number that is fast.

        Returns
        -------
        y : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of X.
        confidence : ndarray of shape (n_samples, n_keypoints)
            Probability that the true position is within `within_` pixels. Only with
            `return_confidence`.
        radius : ndarray of shape (n_samples, n_keypoints)
            Pixels; infinite where there were too few labels for the coverage, NaN where no
            bodypart was found. Only with `return_radius`.
        """
        check_is_fitted(self)
        coverage = self.coverage if coverage is None else coverage
        if not 0 < coverage < 1:
            raise ValueError(f"coverage must be between 0 and 1, but was {coverage!r}.")
        if not (return_confidence or return_radius):
            return Predictor(self.estimator_).predict(X, batch_size)[0]
        keypoints, clues = predict_with_clues(self.estimator_, X, self.use_maps, batch_size)
        expected = expected_errors(self.difficulty_, clues)
        expected[np.isnan(keypoints).any(axis=2)] = np.nan
        scores = Scores(self.errors_ / self.expected_errors_)
        results = [keypoints]
        if return_confidence:
            shares = scores.shares_within(self.within_ / expected)
            results.append(np.where(np.isnan(expected), 0.0, shares))
        if return_radius:
            results.append(expected * scores.quantiles(coverage))
        return tuple(results)

    def measure_coverage(self, coverage: ArrayLike) -> tuple[NDArray[np.float64], ...]:
        """Tell which share of the positions in `fit` lies within radii that did not know them.

        Parameters
        ----------
        coverage : float or array-like of shape (n_levels,)
            The shares asked for.

        Returns
        -------
        measured : ndarray of shape (n_levels, n_samples, n_keypoints)
            1 where the position is within its radius, 0 where it is not, NaN: not labelled. Each
            radius comes from the errors in the other folds.
        radius : ndarray of shape (n_levels, n_samples, n_keypoints)
            The radii, in pixels.
        """
        check_is_fitted(self)
        levels = np.atleast_1d(np.asarray(coverage, dtype=np.float64))
        if not ((levels > 0) & (levels < 1)).all():
            raise ValueError(f"coverage must be between 0 and 1, but was {coverage!r}.")
        radius = radii_in_folds(self.errors_, self.expected_errors_, self.folds_, levels)
        is_within = np.where(np.isnan(self.errors_), np.nan, self.errors_ <= radius)
        return is_within, radius

    @available_if(_draws_maps)
    def predict_maps(self, X: Images) -> NDArray[np.float32]:
        """Return the confidence maps of the keypoints; see `PoseEstimator.predict_maps`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images.

        Returns
        -------
        maps : ndarray of shape (n_samples, n_rows, n_columns, n_keypoints)
        """
        return Predictor(self.estimator_).predict_maps(X)

    def fingerprint(self) -> str:
        """Return a text that is the same for estimators that predict the same.

        Returns
        -------
        fingerprint : str
        """
        check_is_fitted(self)
        learnt = [self.errors_, self.expected_errors_, self.difficulty_, self.within_]
        own = [self.coverage, self.use_maps, *learnt]
        return joblib.hash([Predictor(self.estimator_).fingerprint(), own])

    def __sklearn_is_fitted__(self):
        return hasattr(self, "difficulty_")


def _warn_if_seen(n_seen, n_images):
    """Warn of images that an estimator is judged by, and has been trained on."""
    if n_seen:
        warnings.warn(
            f"{n_seen} of the {n_images} images were trained on before they were to be found, by "
            "what the estimator began with, or since they are there twice: radii will be too "
            "small. Set pretrained=None, or give a frozen estimator images that it has not seen.",
            UserWarning,
            stacklevel=3,
        )
