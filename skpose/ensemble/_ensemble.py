"""An estimator of several, whose poses are averaged."""

from __future__ import annotations

from collections.abc import Sequence
import copy
from numbers import Integral
from typing import Any, ClassVar, Self

import joblib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skpose._boxes import typical_size
from skpose._messages import tell
from skpose._meta_estimators import (
    check_export_path,
    check_options,
    export_within,
    fit_or_stop,
    innermost,
    with_seed,
)
from skpose._predictor import KeypointRegressorMixin, Predictor
from skpose._types import Images, PathLike, RandomState
from skpose.base import HasMethods, Interval, batch_slices, check_keypoints, fit_context
from skpose.ensemble._robust import robust_mean, spread
from skpose.ensemble._views import make_views
from skpose.estimator import PoseEstimator
from skpose.preprocessing import ImageBatch
from skpose.saving import save
from skpose.skeleton import Skeleton

__all__ = ["PoseEnsemble"]

_N_ESTIMATORS = 5
_SEED_END = 2**31 - 1
_AGREEMENT = 0.05  # of the animal's size: the standard deviation of a pose that agrees
_ROLES = ("new", "validation", "training")  # from what was seen least to what was seen most


class PoseEnsemble(KeypointRegressorMixin, BaseEstimator):
    """Poses of several estimators together, which are nearer the truth than those of each.

    Estimators that begin with other weights, and keep other frames back, err in different places.
    The pose is their robust mean, and how far they differ tells how wrong it may be.

    Parameters
    ----------
    estimator : estimator or list of estimators, default=None
        What is cloned: a `PoseEstimator`, or a Pipeline that ends in one. Several: their clones are
        trained, so that networks differ too. None: ``PoseEstimator()``.
    n_estimators : int, default=None
        How many to train. None: 5, or each one of a list.
    snapshots : bool, default=False
        Whether to train one estimator, in the time that one takes, and to keep it as it is after
        each of `n_estimators` parts of the training: each part begins with a high learning rate
        again, and ends somewhere else.
    rotations : sequence of float, default=(0,)
        By how many degrees images are turned when they are predicted; each estimator sees them once
        for every one.
    mirror : bool, default=False
        Whether each estimator sees the images mirrored too when they are predicted. It needs a
        skeleton with left/right partners.
    n_jobs : int, default=None
        How many are trained at once, through joblib: None is one, unless in a
        ``joblib.parallel_config``, in which the backend can be a Dask cluster.
    random_state : int, RandomState or None, default=None
        Where the seeds of the estimators come from. They replace each `random_state` of their own.
    verbose : int, default=0
        1: say which estimator is trained. The progress of each is told by its own `verbose`.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted estimators.
    size_ : float
        The animal's size in pixels: the median longer side of the box around its labels; NaN where
        no image has two.
    n_keypoints_ : int
        Number of bodyparts.
    image_shape_ : tuple of (height, width, n_channels)
        Shape of the images in `fit`.

    Raises
    ------
    TypeError
        With `snapshots`, if the estimator cannot go on with its training.
    ValueError
        Before any training, if estimators would all be the same, since they have no `random_state`,
        or there is nothing to mirror.

    See Also
    --------
    skpose.sampling.EnsembleSampler : Choose frames in which estimators disagree.
    skpose.conformal.ConformalPoseEstimator : A radius within which a share of the positions lies.
    skpose.video_poses.predict_members : The poses of each, as Ensemble Kalman Smoothing takes them.

    Notes
    -----
    A pose that is far from the others counts less, see `robust_mean`, and one that is not confident
    too. Where estimators disagree the confidence is low: it is the mean of what each says, times
    ``exp(-d**2 / (2 * s**2))`` for one that is d pixels away, with s a twentieth of the animal's
    size.

    In the same time, one network that is trained for as long as five together has smaller errors
    (``benchmarks/ensembles.py``): an ensemble is for who has more time than one network can use.

    References
    ----------
    Lakshminarayanan, B., Pritzel, A. & Blundell, C. Simple and scalable predictive uncertainty
    estimation using deep ensembles. NeurIPS (2017).

    Huang, G. et al. Snapshot ensembles: train 1, get M for free. ICLR (2017).

    Examples
    --------
    >>> from skpose import PoseEstimator
    >>> from skpose.datasets import make_poses
    >>> from skpose.ensemble import PoseEnsemble
    >>> from skpose.models import LEAP
    >>> X, y = make_poses(8, image_size=32, random_state=0)
    >>> small = PoseEstimator(LEAP(filters=4), max_epochs=1)
    >>> ensemble = PoseEnsemble(small, n_estimators=2, random_state=0).fit(X, y)
    >>> keypoints, std = ensemble.predict(X, return_std=True)
    >>> keypoints.shape == y.shape, std.shape == y.shape[:2]
    (True, True)
    """

    _clones: ClassVar = {"estimators_": "estimator"}
    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"]), list, tuple, None],
        "n_estimators": [Interval(Integral, 1, None, closed="left"), None],
        "snapshots": ["boolean"],
        "rotations": ["array-like"],
        "mirror": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: Any = None,
        n_estimators: int | None = None,
        *,
        snapshots: bool = False,
        rotations: Sequence[float] = (0,),
        mirror: bool = False,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.snapshots = snapshots
        self.rotations = rotations
        self.mirror = mirror
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @property
    def skeleton(self) -> Skeleton | None:
        """The bodyparts, as the first estimator knows them."""
        first = self.estimators_[0] if hasattr(self, "estimators_") else self._templates()[0]
        return Predictor(first).skeleton

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
        """Train all estimators on the same images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images.
        y : array-like of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of X; NaN: not labelled, which does not count.
        sample_weight, groups, visibility : array-like, default=None
            As `PoseEstimator.fit` takes them; handed to each estimator.

        Returns
        -------
        self : PoseEnsemble
        """
        batch = ImageBatch.wrap(X)
        y = check_keypoints(y, n_samples=len(batch), name="y")
        self._check_views(Predictor(self._templates()[0]).skeleton)
        given = {"sample_weight": sample_weight, "groups": groups, "visibility": visibility}
        options = check_options(self._templates()[0], len(batch), **given)
        if self.snapshots:
            estimators = self._fit_snapshots(batch, y, options)
        else:
            estimators = joblib.Parallel(n_jobs=self.n_jobs)(
                joblib.delayed(self._fit_one)(i, member, batch, y, options)
                for i, member in enumerate(self._make_members())
            )
        self.size_ = typical_size(y)
        self.n_keypoints_, self.image_shape_ = y.shape[1], tuple(batch.shape[1:])
        self.estimators_ = estimators
        return self

    def _templates(self):
        """Return what is cloned."""
        if isinstance(self.estimator, list | tuple):
            if not self.estimator:
                raise ValueError("The list of estimators is empty.")
            return list(self.estimator)
        return [PoseEstimator() if self.estimator is None else self.estimator]

    def _n_members(self, templates):
        if self.n_estimators is not None:
            return self.n_estimators
        return len(templates) if isinstance(self.estimator, list | tuple) else _N_ESTIMATORS

    def _make_members(self):
        """Return clones with seeds of their own."""
        templates = self._templates()
        n_members = self._n_members(templates)
        for template in templates[:n_members]:
            if n_members > len(templates) and not _has_seed(template):
                raise ValueError(
                    f"A {type(innermost(template)).__name__} has no random_state, so several would "
                    "all be the same. Give a list of estimators that differ."
                )
        seeds = check_random_state(self.random_state).randint(_SEED_END, size=n_members)
        return [
            with_seed(clone(templates[i % len(templates)]), int(seed), always=True)
            for i, seed in enumerate(seeds)
        ]

    def _fit_one(self, i, member, X, y, options):
        tell(f"Estimator {i + 1} of the ensemble.", self.verbose)
        return fit_or_stop(member, X, y, options)

    def _fit_snapshots(self, X, y, options):
        """Train one estimator in several parts, and return a copy of it after each."""
        templates = self._templates()
        if len(templates) > 1:
            raise ValueError("snapshots are of one estimator, but several are given.")
        n_parts = self._n_members(templates)
        seed = int(check_random_state(self.random_state).randint(_SEED_END))
        member = with_seed(clone(templates[0]), seed, always=True)
        last = innermost(member)
        if not isinstance(last, PoseEstimator):
            raise TypeError(
                f"snapshots need a PoseEstimator, which can go on with its training; a "
                f"{type(last).__name__} cannot."
            )
        last.set_params(warm_start=True, **last.share_of_budget(n_parts))
        copies = []
        for i in range(n_parts):
            copies.append(copy.deepcopy(self._fit_one(i, member, X, y, options)))
        return copies

    def _check_views(self, skeleton):
        """Check how images are looked at, before any training."""
        if np.ndim(self.rotations) != 1 or not len(self.rotations):
            raise ValueError(
                f"rotations must be degrees, such as (-10, 0, 10), but were {self.rotations!r}."
            )
        if self.mirror and (skeleton is None or not skeleton.has_swaps):
            raise ValueError(
                "mirror=True exchanges left and right, but no partners are known. Give the "
                "estimator a skeleton with swaps."
            )

    def predict(
        self,
        X: Images,
        *,
        return_confidence: bool = False,
        return_std: bool = False,
        batch_size: int | None = None,
    ) -> Any:
        """Find the bodyparts in images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images.
        return_confidence : bool, default=False
            Whether to give the confidences too.
        return_std : bool, default=False
            Whether to give the spread of the estimators too.
        batch_size : int, default=None
            How many images are looked at at a time. None: a number that is fast.

        Returns
        -------
        y : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of X; NaN where no estimator found the bodypart.
        confidence : ndarray of shape (n_samples, n_keypoints)
            0..1, low where the estimators disagree; NaN if none tells one. Only with
            `return_confidence`.
        std : ndarray of shape (n_samples, n_keypoints)
            Root mean square distance of the estimators from their mean, in pixels; NaN where fewer
            than two found the bodypart. Only with `return_std`.
        """
        poses, confidences = self.predict_members(X, batch_size=batch_size)
        keypoints = robust_mean(poses, confidences)
        results = [keypoints]
        if return_confidence:
            results.append(self._confidence(poses, confidences, keypoints))
        if return_std:
            results.append(spread(poses))
        return tuple(results) if len(results) > 1 else keypoints

    def predict_members(
        self, X: Images, *, batch_size: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the poses that each estimator finds, once for each way to look at the images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images.
        batch_size : int, default=None
            How many images are looked at at a time. None: a number that is fast.

        Returns
        -------
        poses : ndarray of shape (n_estimators * n_views, n_samples, n_keypoints, 2)
            (x, y) in pixels of X.
        confidence : ndarray of shape (n_estimators * n_views, n_samples, n_keypoints)
            0..1; NaN of an estimator that tells none.
        """
        check_is_fitted(self)
        batch = ImageBatch.wrap(X, n_channels=self.image_shape_[2])
        predictors = [Predictor(estimator) for estimator in self.estimators_]
        self._check_views(predictors[0].skeleton)
        ways = [
            (predictor, view)
            for predictor in predictors
            for view in make_views(self.rotations, self.mirror)
        ]
        poses = np.empty((len(ways), len(batch), self.n_keypoints_, 2))
        confidences = np.full(poses.shape[:3], np.nan)
        for part in batch_slices(len(batch), batch_size):
            images = batch[part].read()
            for i, (predictor, view) in enumerate(ways):
                found, sure = view.predict(predictor, images, batch_size)
                if found.shape[1] != self.n_keypoints_:
                    raise ValueError(
                        f"estimators_[{i // (len(ways) // len(predictors))}] finds "
                        f"{found.shape[1]} bodyparts, but the ensemble has {self.n_keypoints_}."
                    )
                poses[i, part] = found
                if sure is not None:
                    confidences[i, part] = sure
        return poses, confidences

    def _confidence(self, poses, confidences, keypoints):
        far = np.linalg.norm(poses - keypoints, axis=3) / (_AGREEMENT * self.size_)
        agrees = np.exp(-(far**2) / 2) if np.isfinite(self.size_) else np.ones(far.shape)
        agrees[np.isnan(poses).any(axis=3)] = 0.0  # one that finds nothing does not agree
        tells = ~np.isnan(confidences) | (agrees == 0)  # others are as sure as those that tell it
        says = np.where(tells & (agrees > 0), confidences, 0.0) * agrees
        mean = says.sum(axis=0) / np.maximum(tells.sum(axis=0), 1)
        return np.where(np.isnan(confidences).all(axis=0), np.nan, mean)

    def image_roles(self, X: Images) -> NDArray[np.str_]:
        """Tell which images any of the estimators has been trained on.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images.

        Returns
        -------
        roles : ndarray of str of shape (n_samples,)
            "training" if one of them was trained on it, else "validation" if one has watched it,
            else "new"; see `PoseEstimator.image_roles`.

        Raises
        ------
        ValueError
            If one of them does not tell.
        """
        check_is_fitted(self)
        roles = [Predictor(estimator).image_roles(X) for estimator in self.estimators_]
        if any(known is None for known in roles):
            raise ValueError("One of the estimators does not tell what it was trained on.")
        ranks = [np.select([r == role for role in _ROLES], range(len(_ROLES))) for r in roles]
        return np.array(_ROLES)[np.max(ranks, axis=0)]

    @property
    def region_(self) -> tuple[int, int, int, int] | None:
        """(x, y, width, height) of what the first estimator sees of the images; None: all."""
        return Predictor(self.estimators_[0]).region if hasattr(self, "estimators_") else None

    @property
    def training_digests_(self) -> NDArray[np.uint64] | None:
        """Of the images that the estimators were trained on; None: one of them does not know."""
        if not hasattr(self, "estimators_"):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet. Call fit first.")
        digests = [
            getattr(Predictor(estimator).last, "training_digests_", None)
            for estimator in self.estimators_
        ]
        known = [digest for digest in digests if digest is not None]
        return np.unique(np.concatenate(known)) if len(known) == len(digests) else None

    def fingerprint(self) -> str:
        """Return a text that is the same for estimators that predict the same.

        Returns
        -------
        fingerprint : str
        """
        check_is_fitted(self)
        members = [Predictor(estimator).fingerprint() for estimator in self.estimators_]
        own = [[float(rotation) for rotation in self.rotations], bool(self.mirror), self.size_]
        return joblib.hash([*members, *own])

    def export(
        self, path: PathLike, *, overwrite: bool = False, calibration: Images | None = None
    ) -> None:
        """Write a model file that predicts the same without TensorFlow.

        It holds the networks as ONNX models. `skpose.load` reads it as a PoseEnsemble whose
        ``estimators_`` are `skpose.runtime.ExportedPoseEstimator`. It cannot be trained any more:
        save the ensemble too.

        Parameters
        ----------
        path : str or path-like
            The file, such as ``ensemble_onnx.skpose``. It appears when it is complete.
        overwrite : bool, default=False
            Whether it may exist, and is replaced.
        calibration : array-like of shape (n_samples, height, width, n_channels), default=None
            Some dozens of images, for networks that compute in 8 bits; see `PoseEstimator.export`.

        Raises
        ------
        FileExistsError
            If there is such a file, and `overwrite` is False.
        ImportError
            Without tf2onnx: ``pip install 'skpose[onnx]'``.
        TypeError
            If one of them is no PoseEstimator, alone or behind one ImageResizer.
        ValueError
            If `path` ends in ``.onnx``: such a file holds one network.
        """
        check_is_fitted(self)
        check_export_path(path, overwrite=overwrite)
        exported = copy.copy(self).set_params(estimator=None)
        exported.estimators_ = [
            export_within(estimator, f"estimators_[{i}]", calibration)
            for i, estimator in enumerate(self.estimators_)
        ]
        save(exported, path, overwrite=overwrite)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimators_")


def _has_seed(estimator):
    return "random_state" in innermost(estimator).get_params(deep=False)
