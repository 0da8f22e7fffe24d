"""The estimator: images in, keypoints out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
import multiprocessing
from numbers import Integral, Real
import os
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skpose._digests import digest_rows
from skpose._interrupts import interrupts_held
from skpose._messages import tell
from skpose._predictor import KeypointRegressorMixin, find_in_batches
from skpose._types import Images, PathLike, RandomState
from skpose.base import (
    HasMethods,
    Interval,
    StrOptions,
    batch_slices,
    check_batch_size,
    fit_context,
)
from skpose.estimator._budget import Budget
from skpose.estimator._export import write_onnx
from skpose.estimator._parts import (
    PartsMixin,
    default_targets,
    have_same_parameters,
    make_augmenters,
)
from skpose.estimator._pretrained import Pretrained
from skpose.estimator._quantize import check_calibration, convert_to_8_bits
from skpose.estimator._samples import check_training_samples, check_validation_samples
from skpose.estimator._scoring import refuse_scores_of_tables
from skpose.estimator._split import extend_validation, split_validation
from skpose.estimator._trained import NetworkSettings, TrainedNetwork
from skpose.models import get_architecture
from skpose.preprocessing import ImageBatch, ImageResizer
from skpose.saving import check_savable, save
from skpose.skeleton import Skeleton
from skpose.targets import ConfidenceMaps

if TYPE_CHECKING:
    import keras

    from skpose.augment._base import BaseAugmenter
    from skpose.models import Architecture

__all__ = ["PoseEstimator"]

_SEED_END = 2**31 - 1
_N_EPOCHS = 200  # where neither epochs nor minutes are given
_NOT_KNOWN = {
    "minutes_": 0.0,
    "training_digests_": None,
    "validation_digests_": None,
    "_first_epoch": 0,
}
_N_ITER_NO_CHANGE = {"plateau": 50, "cosine": None}


def _of_trained(get):
    """Make an attribute that the trained network owns; there is none before `fit`."""

    def read(self):
        if "_trained" not in vars(self):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet. Call fit first.")
        return get(self._trained)

    return property(read)


class PoseEstimator(PartsMixin, KeypointRegressorMixin, BaseEstimator):
    """Positions of an animal's bodyparts in images.

    A network is trained to draw a confidence map for each bodypart, and the maps' peaks are found
    to a fraction of a pixel.

    Parameters
    ----------
    model : str, Architecture, callable or keras.Model, default="residual_unet"
        The network: the name of one in `skpose.models`, an object with its settings, or a network
        of your own (see `skpose.models.CustomArchitecture`). "stacked_densenet" is the paper's,
        with its settings; the default does a fifth of its work.
    skeleton : Skeleton, default=None
        The bodyparts, in the order of the keypoints. Its edges add the maps of the posture graph,
        its left/right partners make mirror images possible.
    targets : ConfidenceMaps, default=None
        What the network learns to draw. None: ``ConfidenceMaps()`` with the network's own
        `downsample_factor`. A skeleton and image size that it lacks are given to it.
    augmenter : Augmenter, "auto" or None, default="auto"
        What is done to the images in training, afresh in every epoch. "auto": ``Augmenter()``,
        which reads off the labels given to `fit` how far to turn, mirror, magnify and shift the
        images (`partial_fit` before any `fit`: all the way round), unless they bring augmenters
        from a Pipeline. None: nothing. ``set_params(augmenter__rotation=180)`` sets one of them.
    occluded : {"learn", "ignore"}, default="learn"
        Whether bodyparts that are hidden, which `visibility` tells in `fit`, are learnt where they
        were placed, or do not count.
    absent : {"silence", "ignore"}, default="silence"
        What is learnt of bodyparts that a person looked for in vain, which `visibility` tells in
        `fit`. "silence": that their maps are empty, so that their confidence is low where they are
        not in the image. "ignore": nothing, as of those that nobody has labelled.
    subpixel : bool or "auto", default="auto"
        Find peaks between the cells of the maps. "auto": unless the network is published with
        whole-cell maxima, as LEAP is.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        The optimizer: a name, or an object whose settings are copied.
    learning_rate : float, default=1e-3
        Learning rate at the start, where `optimizer` is a name.
    batch_size : int, default=4
        Images for each step of the optimizer. The last batch of an epoch may be smaller.
    max_epochs : int, default=None
        The most epochs of training. None: 200, or, with `max_minutes`, as many as these allow.
    max_minutes : float, default=None
        The most minutes of training, compilation included, after which it ends at the next step.
        Then `random_state` fixes everything but the number of steps. None: no limit.
    early_stopping : bool, default=True
        Keep samples back for validation (unless `validation_data` is given). With plateaus, and
        where training is interrupted, the epoch is kept up to which their error is least, in the
        mean over a tenth of the epochs so far; of a cosine that has come to its end, the last one.
        False: train on all samples, and keep the last epoch.
    validation_fraction : float, default=0.1
        Share of the samples (or of the groups) to keep back.
    n_iter_no_change : int, default=None
        With `early_stopping`, epochs without improvement after which training stops. None: 50 with
        plateaus, none with a cosine, which gets better to its end.
    tol : float, default=1e-3
        Least improvement of the mean keypoint error in pixels.
    lr_schedule : {"cosine", "plateau"}, default="cosine"
        How the learning rate falls. "cosine": along half a cosine, down to a hundredth at the end
        of `max_epochs` or `max_minutes`. "plateau": where the error no longer falls. An optimizer
        with a schedule of its own keeps that. `partial_fit` keeps the learning rate.
    lr_patience : int, default=20
        With plateaus, epochs without improvement after which the learning rate falls.
    lr_factor : float, default=0.2
        By what the learning rate is multiplied then.
    pretrained : str or path-like, default=None
        A model file to begin with: the network takes its features, and its maps too if they are of
        the same bodyparts. It must have the same architecture, `downsample_factor` and number of
        channels; images and bodyparts may be others. None: random weights.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last `fit`. Parameters that another network
        would be built from must not have changed since.
    precision : {"float32", "mixed_bfloat16", "mixed_float16"}, default="float32"
        Keras dtype policy of the network.
    callbacks : list of callbacks, default=None
        `Checkpoint`, `EpochReport`, or of Keras, called in training. One that sets the learning
        rate takes it over from `lr_schedule`. The logs have ``loss``, ``keypoint_error`` (pixels;
        of the keypoints that augmentation leaves in the image), and the same with ``val_``.
    random_state : int, RandomState or None, default=None
        What the first weights, the validation split and the augmentation depend on.
    verbose : int, default=0
        1: show the progress of the training.

    Attributes
    ----------
    architecture_ : Architecture
        The network that was used.
    targets_ : ConfidenceMaps
        The targets that were used, fitted.
    augmenters_ : list
        The augmenters that were used, fitted: ``augmenters_[0].choice_`` says what was read off the
        labels.
    model_ : keras.Model
        The trained network: images to the maps of each stage.
    n_keypoints_ : int
        Number of keypoints.
    image_shape_ : tuple of (height, width, n_channels)
        Shape of the images that the network was trained on, after preprocessing.
    precision_ : str
        Keras dtype policy of the network.
    subpixel_ : bool
        Whether peaks are found between the cells of the maps.
    n_iter_ : int
        Number of epochs trained.
    minutes_ : float
        Minutes that the last training took, with those before an interruption.
    best_epoch_ : int or None
        The epoch, from 0, whose weights are kept; None: the last.
    history_ : dict of str to list of float
        ``loss`` (squared error of maps of height 255, summed over stages) and ``keypoint_error``
        (pixels) for each epoch, and the same with ``val_``.
    validation_indices_ : ndarray of int
        Samples that were kept back in the last `fit`; empty if none were.
    training_digests_, validation_digests_ : ndarray of uint64 or None
        Of the images that were trained on and watched, whenever that was; see `image_roles`. None:
        an older file does not tell.

    Raises
    ------
    ValueError
        Before any training, if images, keypoints and parameters do not fit together.

    See Also
    --------
    skpose.load : Read an estimator that was saved.

    Notes
    -----
    The loss is that of Graving et al. (2019): the mean squared error of the maps of every stage,
    with Adam. There, the learning rate falls by a factor of 5 after 10 epochs without improvement,
    and training stops after 50: with ten frames kept back, the error is noisy, and a rate that
    falls too soon leaves the network half trained. A cosine needs no error to watch, and ends when
    it was told to. With ``lr_schedule="plateau"`` the error watched is the keypoints' in pixels,
    not the maps', and the learning rate falls after 20 epochs. A step takes 4 images, not 16: of a
    hundred frames, batches of 16 make so few steps an epoch that the network ends with a larger
    error in the same time.

    References
    ----------
    Graving, J. M. et al. DeepPoseKit, a software toolkit for fast and robust animal pose estimation
    using deep learning. eLife 8:e47994 (2019).

    Examples
    --------
    >>> from skpose import PoseEstimator
    >>> from skpose.datasets import make_poses
    >>> from skpose.models import StackedDenseNet
    >>> X, y = make_poses(8, image_size=32, random_state=0)
    >>> network = StackedDenseNet(n_stacks=1, growth_rate=4)
    >>> estimator = PoseEstimator(network, max_epochs=1, random_state=0).fit(X, y)
    >>> estimator.predict(X).shape == y.shape
    True
    """

    _parameter_constraints = {
        "model": [str, HasMethods("build"), callable],
        "skeleton": [Skeleton, None],
        "targets": [ConfidenceMaps, None],
        "augmenter": [StrOptions({"auto"}), HasMethods("augment"), None],
        "occluded": [StrOptions({"learn", "ignore"})],
        "absent": [StrOptions({"silence", "ignore"})],
        "subpixel": ["boolean", StrOptions({"auto"})],
        "optimizer": [str, HasMethods(["get_config", "build"])],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), None],
        "max_minutes": [Interval(Real, 0, None, closed="neither"), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "lr_schedule": [StrOptions({"cosine", "plateau"})],
        "lr_patience": [Interval(Integral, 1, None, closed="left")],
        "lr_factor": [Interval(Real, 0, 1, closed="neither")],
        "pretrained": [str, os.PathLike, None],
        "warm_start": ["boolean"],
        "precision": [StrOptions({"float32", "mixed_bfloat16", "mixed_float16"})],
        "callbacks": [list, tuple, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # What parameters were before there were parameters, for files that do not have them.
    _older_params: ClassVar = {
        "lr_schedule": "plateau",
        "max_minutes": None,
        "pretrained": None,
        "occluded": "learn",
        "absent": "ignore",
    }
    _never_saved = ("callbacks",)  # they belong to one training
    _only_for_training = ("augmenter",)  # a file that cannot hold it is still of use

    architecture_: Architecture = _of_trained(lambda trained: trained.settings.architecture)
    targets_: ConfidenceMaps = _of_trained(lambda trained: trained.settings.targets)
    image_shape_: tuple[int, int, int] = _of_trained(lambda trained: trained.settings.image_shape)
    precision_: str = _of_trained(lambda trained: trained.settings.precision)
    subpixel_: bool = _of_trained(lambda trained: trained.settings.subpixel)
    n_keypoints_: int = _of_trained(lambda trained: trained.settings.targets.n_keypoints_)
    model_: keras.Model = _of_trained(lambda trained: trained.network)

    def __init__(
        self,
        model: str | Architecture | Callable[..., Any] | keras.Model = "residual_unet",
        *,
        skeleton: Skeleton | None = None,
        targets: ConfidenceMaps | None = None,
        augmenter: BaseAugmenter | Literal["auto"] | None = "auto",
        occluded: Literal["learn", "ignore"] = "learn",
        absent: Literal["silence", "ignore"] = "silence",
        subpixel: bool | Literal["auto"] = "auto",
        optimizer: str | keras.optimizers.Optimizer = "adam",
        learning_rate: float = 1e-3,
        batch_size: int = 4,
        max_epochs: int | None = None,
        max_minutes: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = None,
        tol: float = 1e-3,
        lr_schedule: Literal["cosine", "plateau"] = "cosine",
        lr_patience: int = 20,
        lr_factor: float = 0.2,
        pretrained: PathLike | None = None,
        warm_start: bool = False,
        precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32",
        callbacks: list[Any] | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.skeleton = skeleton
        self.targets = targets
        self.augmenter = augmenter
        self.occluded = occluded
        self.absent = absent
        self.subpixel = subpixel
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.max_minutes = max_minutes
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.lr_schedule = lr_schedule
        self.lr_patience = lr_patience
        self.lr_factor = lr_factor
        self.pretrained = pretrained
        self.warm_start = warm_start
        self.precision = precision
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Images,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        visibility: ArrayLike | None = None,
        validation_data: tuple[Images, ArrayLike] | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images, 1 or 3 channels; anything with `shape`, `dtype`, `len` and integer-array
            indexing, of any length, since they are read a batch at a time.
        y : array-like of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of X; NaN: not labelled, which does not count.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each image in the loss and in the error that is watched.
        groups : array-like of shape (n_samples,), default=None
            The video of each image, say: the images of one group are all trained on or all kept
            back.
        visibility : array-like of shape (n_samples, n_keypoints), default=None
            What a person said of each keypoint: 2 visible, 1 occluded, 0 not labelled, -1 looked
            for in vain; 1 and 2 where y has coordinates. `skpose.datasets.read_labels` returns it.
            `occluded` and `absent` say what is made of it.
        validation_data : tuple of (X, y), default=None
            What to watch, in place of samples kept back.

        Returns
        -------
        self : PoseEstimator
        """
        refuse_scores_of_tables(self)
        go_on = self.warm_start and hasattr(self, "n_iter_")
        budget, resumes = self._make_budget(go_on, y)
        samples = self._check(X, y, sample_weight, visibility, go_on)
        seeds = check_random_state(self.random_state).randint(_SEED_END, size=3)
        indices, kept = np.arange(len(samples.images)), np.array([], dtype=int)
        validation = None
        if validation_data is not None:
            validation = check_validation_samples(validation_data, samples)
        elif self.early_stopping:
            indices, kept = self._split(samples.images, groups, int(seeds[0]), go_on)
            validation = samples.take(kept)
        self._set_up(samples, int(seeds[1]), go_on, resumes, labels=y)
        self.validation_indices_ = kept
        self._train(samples.take(indices), validation, int(seeds[2]), budget, self.lr_schedule)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Images,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        visibility: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on these images, keeping none back.

        Parameters
        ----------
        X, y, sample_weight, visibility
            As in `fit`. The first call sets the size of the images and the number of keypoints.

        Returns
        -------
        self : PoseEstimator
        """
        go_on = hasattr(self, "n_iter_")
        samples = self._check(X, y, sample_weight, visibility, go_on)
        seeds = check_random_state(self.random_state).randint(_SEED_END, size=3)
        self._set_up(samples, int(seeds[1]), go_on, False)
        self.validation_indices_ = np.array([], dtype=int)
        self._train(samples, None, int(seeds[2]), Budget(1), "plateau")  # in one epoch: constant
        return self

    def _make_budget(self, go_on, y):
        """Start the clock; tell whether an interrupted training goes on, and count what it took.

        With more images, or fewer, it is another one, which begins with the weights of the last.
        """
        n_epochs = self._n_epochs()
        if go_on and self._unfinished and np.shape(y)[:1] == (self._n_samples,):
            n_before = self.n_iter_ - self._first_epoch
            before = {"epochs_before": n_before, "minutes_before": self.minutes_}
            budget = Budget(n_epochs, self.max_minutes, **before)
            if budget.n_epochs_left > 0 and not budget.is_out_of_time:
                return budget, True
        return Budget(n_epochs, self.max_minutes), False

    def _n_epochs(self):
        is_open = self.max_epochs is None and self.max_minutes is None
        return _N_EPOCHS if is_open else self.max_epochs

    def share_of_budget(self, n_parts: int) -> dict[str, Any]:
        """Return `max_epochs` and `max_minutes` of each of several trainings, in place of one.

        Parameters
        ----------
        n_parts : int
            How many.

        Returns
        -------
        dict
            What `set_params` takes; at least one epoch.
        """
        n_epochs = self._n_epochs()
        return {
            "max_epochs": None if n_epochs is None else max(n_epochs // n_parts, 1),
            "max_minutes": None if self.max_minutes is None else self.max_minutes / n_parts,
        }

    def _check(self, X, y, sample_weight, visibility, go_on):
        samples = check_training_samples(
            X,
            y,
            sample_weight,
            visibility,
            occluded=self.occluded,
            absent=self.absent,
            n_channels=self.image_shape_[2] if go_on else None,
            n_keypoints=self.n_keypoints_ if go_on else None,
            names=None if self.skeleton is None else self.skeleton.names,
        )
        if go_on and samples.images.shape[1:] != self.image_shape_:
            raise ValueError(
                f"Training goes on from images of {self.image_shape_} (height, width, n_channels), "
                f"but these are {samples.images.shape[1:]}. Resize or crop them, or fit anew with "
                "warm_start=False."
            )
        return samples

    def _split(self, images, groups, seed, go_on):
        # What was kept back stays so when training goes on, or it would leak into the training.
        n_samples, options = len(images), {"groups": groups, "random_state": seed}
        if go_on and self.training_digests_ is not None:
            roles = self.image_roles(images)
            if (roles == "validation").any():
                return extend_validation(roles, self.validation_fraction, **options)
        if go_on and len(self.validation_indices_) and n_samples == self._n_samples:
            kept = self.validation_indices_
            return np.setdiff1d(np.arange(n_samples), kept), kept
        return split_validation(n_samples, self.validation_fraction, **options)

    def _set_up(self, samples, seed, go_on, resumes, labels=None):
        settings = self._choose_settings(samples)
        augmenters = self._choose_augmenters(samples.images, labels, go_on)
        if not go_on:
            settings.architecture.check(settings.image_shape, settings.targets.downsample_factor)
            pretrained = None
            if self.pretrained is not None:
                pretrained = Pretrained(self.pretrained)
                settings = pretrained.adapt(settings)
            self._trained = TrainedNetwork(settings, seed, pretrained)
            self.history_, self.n_iter_, self.best_epoch_ = {}, 0, None
            self.training_digests_ = self.validation_digests_ = np.array([], dtype=np.uint64)
            if pretrained is not None:
                self.training_digests_ = pretrained.estimator.training_digests_
                self.validation_digests_ = pretrained.estimator.validation_digests_
            self._unfinished = False
        else:
            if self.pretrained is not None:
                settings = settings.as_deep_as(self.architecture_)
            self._check_unchanged(settings)
            if not resumes:
                self._trained.reset_learning_rate(self.optimizer, self.learning_rate)
        if not resumes:
            self._first_epoch, self.minutes_ = self.n_iter_, 0.0
            self._unfinished = False
        self.augmenters_ = augmenters
        self._n_samples = len(samples.images)

    def _choose_settings(self, samples):
        """Choose what a network for these samples is built from."""
        architecture = clone(get_architecture(self.model))
        subpixel = architecture.default_subpixel if self.subpixel == "auto" else self.subpixel
        targets, image_shape = self._fit_targets(samples), tuple(samples.images.shape[1:])
        return NetworkSettings(
            architecture,
            targets,
            image_shape,
            subpixel=subpixel,
            precision=self.precision,
            pixel_size=samples.pixel_size,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
        )

    def _check_unchanged(self, settings):
        changed = settings.differences(self._trained.settings)
        if changed:
            raise ValueError(
                f"Training goes on with the network that it began with, but {', '.join(changed)} "
                "changed since, and would need another one. Set it back, or train a new network: "
                "set warm_start=False and call fit."
            )

    def _choose_augmenters(self, images, labels, go_on):
        augmenters = make_augmenters(self.augmenter, images, self.skeleton)
        if labels is None and go_on and have_same_parameters(augmenters, self.augmenters_):
            return self.augmenters_  # what was read off the labels of all is not forgotten for some
        for augmenter in augmenters:
            augmenter.fit(images, labels)
            if getattr(augmenter, "choice_", ""):
                tell(augmenter.choice_, self.verbose)
        return augmenters

    def _fit_targets(self, samples):
        targets = default_targets(self.model) if self.targets is None else clone(self.targets)
        if targets.skeleton is None:
            targets.set_params(skeleton=self.skeleton)
        return targets.set_params(image_size=samples.images.shape[1:3]).fit(samples.keypoints)

    def _train(self, training, validation, seed, budget, lr_schedule):
        from skpose.estimator._schedule import initial_learning_rate

        batches, watched = self._make_batches(training, validation, seed)
        run = self._make_run(budget, is_watched=watched is not None)
        if any(hasattr(callback, "set_save") for callback in self.callbacks or ()):
            check_savable(self)  # before the training, not in it
        before = self.history_
        self._unfinished = True

        def record():
            self._record(run, before)
            self._record_digests(batches, watched)

        def save_so_far(path, within=None):
            record()
            save(self if within is None else within(self), path, overwrite=True)

        n_iter_no_change = self.n_iter_no_change
        if n_iter_no_change is None:
            n_iter_no_change = _N_ITER_NO_CHANGE[self.lr_schedule]
        self._trained.train(
            run,
            batches,
            watched,
            tol=self.tol,
            n_iter_no_change=n_iter_no_change,
            learning_rate=initial_learning_rate(self.optimizer, self.learning_rate),
            lr_schedule=lr_schedule,
            lr_patience=self.lr_patience,
            lr_factor=self.lr_factor,
            callbacks=self.callbacks or (),
            verbose=self.verbose,
            save=save_so_far,
        )
        record()
        self._unfinished = run.interrupted

    def _make_batches(self, training, validation, seed):
        """Return what is trained on and what is watched, or None, in mini-batches."""
        from skpose.estimator._batches import PoseBatches

        skeleton = self.skeleton
        swap_index = skeleton.swap_index if skeleton is not None and skeleton.has_swaps else None
        batches = PoseBatches(
            *training[:3],
            batch_size=self.batch_size,
            augmenters=self.augmenters_,
            swap_index=swap_index,
            seed=seed,
            first_epoch=self.n_iter_,
        )
        if validation is None:
            return batches, None
        return batches, PoseBatches(*validation[:3], batch_size=check_batch_size(None))

    def _make_run(self, budget, *, is_watched):
        from skpose.estimator._training import TrainingRun

        monitor = "val_keypoint_error" if is_watched else "keypoint_error"
        return TrainingRun(
            budget=budget,
            first_epoch=self.n_iter_,
            keep_best=self.early_stopping and is_watched,
            monitor=monitor,
            before=self.history_.get(monitor, [np.nan] * self.n_iter_),
            start=self._first_epoch,
            best_epoch=self.best_epoch_ if self._unfinished else None,
        )

    def _record(self, run, before):
        n_before = len(before.get("loss", ()))
        history = run.history
        n_now = len(history.get("loss", ()))
        self.history_ = {
            key: before.get(key, [np.nan] * n_before) + history.get(key, [np.nan] * n_now)
            for key in {**before, **history}
        }
        self.n_iter_ = n_before + n_now
        self.best_epoch_ = run.best_epoch
        self.minutes_ = run.budget.minutes_used

    def _record_digests(self, batches, watched):
        """Remember which images have been seen, unless an older file has forgotten others."""
        if self.training_digests_ is None:
            return
        self.training_digests_ = np.union1d(self.training_digests_, batches.digests)
        if watched is not None:
            self.validation_digests_ = np.union1d(self.validation_digests_, watched.digests)

    @overload
    def predict(
        self, X: Images, *, return_confidence: Literal[False] = False, batch_size: int | None = None
    ) -> NDArray[np.float64]: ...

    @overload
    def predict(
        self, X: Images, *, return_confidence: Literal[True], batch_size: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...

    def predict(
        self, X: Images, *, return_confidence: bool = False, batch_size: int | None = None
    ) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find the bodyparts in images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images, of any size, with as many channels as in `fit`.
        return_confidence : bool, default=False
            Whether to give the confidences too.
        batch_size : int, default=None
            How many images go through the network at a time. None: a number that is fast.

        Returns
        -------
        y : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of X; never NaN.
        confidence : ndarray of shape (n_samples, n_keypoints)
            Height of each peak, 0..1; only with `return_confidence`.
        """
        check_is_fitted(self)
        batch = ImageBatch.wrap(X, n_channels=self.image_shape_[2])
        keypoints, confidence = find_in_batches(
            self._trained.find, batch, self.n_keypoints_, batch_size=batch_size
        )
        return (keypoints, confidence) if return_confidence else keypoints

    def predict_maps(self, X: Images, *, batch_size: int | None = None) -> NDArray[np.float32]:
        """Return the confidence maps of images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images.
        batch_size : int, default=None
            How many images go through the network at a time. None: a number that is fast.

        Returns
        -------
        maps : ndarray of shape (n_samples, n_rows, n_columns, n_maps)
            float32, in the frame of the network: of the images after preprocessing. What each map
            shows stands in ``targets_.map_names_``.
        """
        check_is_fitted(self)
        batch = ImageBatch.wrap(X, n_channels=self.image_shape_[2])
        n_rows, n_columns = (-(-side // self.targets_.stride) for side in batch.shape[1:3])
        maps = np.empty((len(batch), n_rows, n_columns, self.targets_.n_maps_), dtype=np.float32)
        with interrupts_held() as check_interrupted:
            for part in batch_slices(len(batch), batch_size):
                maps[part] = self._trained.draw(np.asarray(batch[part]))
                check_interrupted()
        return maps

    def image_roles(self, X: Images) -> NDArray[np.str_]:
        """Tell which images the estimator has been trained on.

        Images are known by their pixels, as they were before they were resized, cropped or turned,
        so neither their order nor the file that they are in matters. Crops of one frame count as
        one image, and images that were filled up to another size as others.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images.

        Returns
        -------
        roles : ndarray of str of shape (n_samples,)
            "training": it was trained on. "validation": it was watched, to keep the best epoch and
            to know when to stop. "new": neither.

        Raises
        ------
        ValueError
            If the estimator comes from an older file, which does not tell.
        """
        check_is_fitted(self)
        if self.training_digests_ is None:
            raise ValueError("The file of this estimator does not tell what it was trained on.")
        digests = digest_rows(ImageBatch.wrap(X).source)
        roles = np.full(len(digests), "new", dtype="U10")
        roles[np.isin(digests, self.validation_digests_)] = "validation"
        roles[np.isin(digests, self.training_digests_)] = "training"
        return roles

    def fingerprint(self) -> str:
        """Return a text that is the same for estimators that predict the same.

        Returns
        -------
        fingerprint : str
        """
        check_is_fitted(self)
        return self._trained.fingerprint()

    def save(self, path: PathLike, *, overwrite: bool = False) -> None:
        """Write the estimator to one file, which `skpose.load` reads; see `skpose.save`.

        Parameters
        ----------
        path : str or path-like
            The file. It appears when it is complete.
        overwrite : bool, default=False
            Whether it may exist, and is replaced.
        """
        save(self, path, overwrite=overwrite)

    def export(
        self,
        path: PathLike,
        *,
        overwrite: bool = False,
        resizer: ImageResizer | None = None,
        calibration: Images | None = None,
    ) -> None:
        """Write what `predict` does as an ONNX model, which other programs can run.

        `skpose.load` reads the file as a `skpose.runtime.ExportedPoseEstimator`, which predicts the
        same keypoints without TensorFlow, and single images faster. The model computes in float32,
        whatever `precision` is. It has one input,
        ``images``, uint8 of shape (n_samples, height, width, n_channels), with the image size of
        `fit`, and one output, ``keypoints``, float32 of shape (n_samples, n_keypoints, 3): x and y
        in pixels of the images, and the confidence. It cannot be trained any more: `save` the
        estimator too.

        Parameters
        ----------
        path : str or path-like
            The file, ending in ``.onnx``. It appears when it is complete.
        overwrite : bool, default=False
            Whether it may exist, and is replaced.
        resizer : ImageResizer, default=None
            Fitted: what has made the images for `fit` out of larger ones, which
            `skpose.runtime.ExportedPoseEstimator` is given then and resizes in the same way. The
            ONNX model itself takes the small ones.
        calibration : array-like of shape (n_samples, height, width, n_channels), default=None
            Images as the exported estimator will be given, some dozens, such as those of the
            training. Convolutions then compute in 8 bits, and the ranges of their features are
            those in these images: prediction takes half the time on a processor with 8-bit
            products (AVX-512 VNNI, AVX-VNNI, Arm's dot products), and keypoints move by some
            hundredths of a pixel of the network's images. On older ones, sums may be cut off.

        Raises
        ------
        FileExistsError
            If there is such a file, and `overwrite` is False.
        ImportError
            Without tf2onnx: ``pip install 'skpose[onnx]'``.
        RuntimeError
            If Keras runs on another backend than TensorFlow.
        ValueError
            If `path` ends otherwise, or `calibration` has no images, or of another size.
        """
        check_is_fitted(self)
        *network_size, n_channels = self.image_shape_
        input_size, region = network_size, None
        if resizer is not None:
            input_size, region = resizer.input_size_, resizer.region_
        convert = self._trained.to_onnx
        if calibration is not None:
            images = check_calibration(calibration, self.image_shape_, resizer)
            convert = partial(convert_to_8_bits, self._trained.to_onnx, images)
        description = {
            "n_bits": 32 if calibration is None else 8,
            "image_shape": [*input_size, n_channels],
            "network_size": network_size,
            "region": None if region is None else [int(n) for n in region],
            "n_keypoints": self.n_keypoints_,
            "skeleton": None if self.skeleton is None else self.skeleton.to_dict(),
        }
        write_onnx(path, convert, description, overwrite=overwrite)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_trained" in state:
            state["_trained"] = state["_trained"].state()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "n_iter_" in state:
            state = {**_NOT_KNOWN, **state}  # older files do not say
        if "model" in state:  # a pickle, with the parameters
            state = {**self._older_params, **state}
        super().__setstate__(state)
        if "_trained" in state:
            self._trained = TrainedNetwork.from_state(
                state["_trained"], model=self.model, optimizer=self.optimizer
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self),), self.__getstate__()


def _restore(cls):
    """Return an empty estimator; a parameter that is unpickled after it may start the backend."""
    if multiprocessing.parent_process() is not None:
        from skpose.estimator._backend import share_machine

        share_machine()
    return cls.__new__(cls)
