"""An estimator of two, the first of which tells the second where to look."""

from __future__ import annotations

import copy
from numbers import Real
from typing import Any, ClassVar, Literal, Self, overload

import joblib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skpose._boxes import box_sides, typical_size
from skpose._messages import tell
from skpose._meta_estimators import (
    InnerRolesMixin,
    check_export_path,
    check_options,
    export_within,
    fit_within,
    take_options,
    with_seed,
)
from skpose._predictor import KeypointRegressorMixin, Predictor
from skpose._types import Images, ImageSize, PathLike, RandomState
from skpose.base import (
    HasMethods,
    Interval,
    StrOptions,
    batch_slices,
    check_image_size,
    check_keypoints,
    fit_context,
)
from skpose.estimator import PoseEstimator
from skpose.preprocessing import (
    ImageBatch,
    ImageCropper,
    ImageResizer,
    bounding_box_centers,
    crop_size,
)
from skpose.runtime import ExportedPoseEstimator
from skpose.saving import save
from skpose.skeleton import Skeleton
from skpose.two_stage._stages import go_on_with, save_within

__all__ = ["TwoStageEstimator"]

_LENGTH = 32.0  # pixels that the animal keeps in the small image
_SIDE = 96.0  # pixels that the small image's shorter side keeps
_HALF = 0.5  # share of the bodyparts that must be labelled to tell where the animal's middle is
_AT_ONCE = 8  # frames that are held in memory at full size
_SEED_END = 2**31 - 1


class TwoStageEstimator(InnerRolesMixin, KeypointRegressorMixin, BaseEstimator):
    """Poses in large frames: where the animal is, in a small image, then its pose in a crop.

    A frame that is much larger than the animal costs a network most of its time on what is not the
    animal. So a first estimator finds its middle in a small copy of the frame, and a second its
    bodyparts in a crop around that, with the pixels as they are.

    Parameters
    ----------
    coarse : estimator, default=None
        Finds one keypoint, the middle of the animal, in frames that were made smaller. None:
        ``PoseEstimator()``.
    fine : estimator, default=None
        Finds the bodyparts in crops. None: ``PoseEstimator()``. A skeleton is given to it:
        ``fine=PoseEstimator(skeleton=skeleton)``. Where crops are still larger than the labels
        need: ``fine=make_pipeline(ImageResizer(scale="auto"), PoseEstimator(...))``.
    scale : float or "auto", default="auto"
        Pixels of the small image per pixel of the frame, at most 1. "auto": so that the animal is
        32 pixels long in the median, and the shorter side of the image at least 96.
    box_size : int, tuple of int or "auto", default="auto"
        (height, width) of the crops in pixels, or their side. "auto": as large as the animal is at
        its largest, wherever it points, with `margin`; see `skpose.preprocessing.crop_size`.
    margin : float, default=0.25
        By which part of the animal's size crops are larger, and by how much of it the middles are
        moved at random in training, as the first estimator will err.
    warm_start : bool, default=False
        Whether a second `fit` goes on with the training of `fine_`, and leaves the rest as it is.
    random_state : int, RandomState or None, default=None
        What the crops for training, and those estimators without a `random_state` of their own,
        depend on. The two of them keep the same frames back.
    verbose : int, default=0
        1: say what was chosen. The progress of each is told by its own `verbose`.

    Attributes
    ----------
    coarse_, fine_ : estimator
        The fitted estimators.
    resizer_ : ImageResizer
        What makes frames smaller for the first.
    box_size_ : tuple of (height, width)
        Size of the crops.
    n_keypoints_ : int
        Number of bodyparts.
    image_shape_ : tuple of (height, width, n_channels)
        Shape of the frames in `fit`; those to predict may be of another size.
    validation_indices_ : ndarray of int
        Rows of X in `fit` that both estimators kept back, if they are PoseEstimators.

    Raises
    ------
    ValueError
        Before any training, if no image has two labelled bodyparts, from which sizes are read, or
        parameters do not fit together.

    See Also
    --------
    PoseEstimator : One network that sees the whole image.
    skpose.preprocessing.ImageCropper : Crops around places that are known.

    Notes
    -----
    An animal's middle is that of the box that bounds its labelled bodyparts. Images in which fewer
    than half of them are labelled do not tell the first estimator where it is.

    A `skpose.estimator.Checkpoint` of the second estimator saves both of them. The first one is
    trained in a part of the time, and not saved before the second begins.

    A bodypart's confidence is the lower one of the two estimators', so that it says so where the
    first one looks at the wrong place.

    The two stages are those of top-down pose estimation, for one animal: Pereira, T. D. et al.
    SLEAP. Nature Methods 19, 486-495 (2022).

    Examples
    --------
    >>> from skpose import PoseEstimator
    >>> from skpose.datasets import make_poses
    >>> from skpose.models import LEAP
    >>> from skpose.two_stage import TwoStageEstimator
    >>> X, y = make_poses(8, image_size=64, random_state=0)
    >>> small = PoseEstimator(LEAP(filters=4), max_epochs=1)
    >>> estimator = TwoStageEstimator(small, small, random_state=0).fit(X, y)
    >>> estimator.predict(X).shape == y.shape
    True
    """

    _inner = "fine_"
    _clones: ClassVar = {"coarse_": "coarse", "fine_": "fine"}
    _parameter_constraints: dict = {
        "coarse": [HasMethods(["fit", "predict"]), None],
        "fine": [HasMethods(["fit", "predict"]), None],
        "scale": [Interval(Real, 0, 1, closed="right"), StrOptions({"auto"})],
        "box_size": [Interval(Real, 1, None, closed="left"), tuple, list, StrOptions({"auto"})],
        "margin": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        coarse: Any = None,
        fine: Any = None,
        *,
        scale: float | Literal["auto"] = "auto",
        box_size: ImageSize | Literal["auto"] = "auto",
        margin: float = 0.25,
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.coarse = coarse
        self.fine = fine
        self.scale = scale
        self.box_size = box_size
        self.margin = margin
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @property
    def skeleton(self) -> Skeleton | None:
        """The bodyparts, as the second estimator knows them."""
        return Predictor(getattr(self, "fine_", self.fine)).skeleton

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Images,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        visibility: ArrayLike | None = None,
    ) -> Self:
        """Train both estimators, the first one first.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 frames, which may stay on disk.
        y : array-like of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of X; NaN: not labelled, which does not count.
        groups : array-like of shape (n_samples,), default=None
            The video of each frame, say: those of one group are all trained on or all kept back.
        visibility : array-like of shape (n_samples, n_keypoints), default=None
            As `PoseEstimator.fit` takes it.

        Returns
        -------
        self : TwoStageEstimator
        """
        batch = ImageBatch.wrap(X)
        y = check_keypoints(y, n_samples=len(batch), name="y")
        generator = check_random_state(self.random_state)
        seed = int(generator.randint(_SEED_END))
        given = check_options(self.fine, len(batch), groups=groups, visibility=visibility)
        # Both learn of the same frames, and keep the same back.
        rows = np.flatnonzero(np.isfinite(y).reshape(len(y), -1).any(axis=1))
        batch, y = ImageBatch.wrap(batch[rows]), y[rows]
        options = take_options(given, rows)
        keypoints = batch.to_batch(y)
        if not (self.warm_start and hasattr(self, "fine_")):
            self._fit_coarse(batch, keypoints, seed, options.get("groups"))
        fine = self._make_fine(seed)
        shift = self.margin * float(box_sides(keypoints).max(initial=0)) / 2
        middles = bounding_box_centers(keypoints) + generator.uniform(-shift, shift, (len(y), 2))
        self.n_keypoints_ = y.shape[1]
        self.fine_ = fit_within(fine, self._crop(batch, middles), y, options)
        kept = getattr(Predictor(self.fine_).last, "validation_indices_", np.array([], dtype=int))
        self.validation_indices_ = rows[kept]
        return self

    def _choose_scale(self, keypoints, image_size):
        if self.scale != "auto":
            return float(self.scale)
        size = typical_size(keypoints)
        if np.isnan(size):
            raise ValueError(
                "No image has two labelled bodyparts, so the size of the animal is not known. "
                "Give scale and box_size, or label more."
            )
        return min(1.0, max(_LENGTH / size, _SIDE / min(image_size)))

    def _choose_box(self, keypoints):
        if self.box_size != "auto":
            return check_image_size(self.box_size, "box_size")
        side = crop_size(keypoints, margin=self.margin)
        return side, side

    def _fit_coarse(self, batch, keypoints, seed, groups):
        """Train where the animal's middle is, in small images."""
        resizer = ImageResizer(scale=self._choose_scale(keypoints, batch.image_size)).fit(batch)
        box_size = self._choose_box(keypoints)
        self.__dict__.pop("fine_", None)  # it belongs to another first one
        self.resizer_, self.box_size_ = resizer, box_size
        self.image_shape_ = tuple(batch.shape[1:])
        small = resizer.transform(batch)
        height, width = small.image_size
        tell(
            f"The animal is looked for in frames of {height} x {width} pixels, and its bodyparts "
            f"in crops of {box_size[0]} x {box_size[1]}.",
            self.verbose,
        )
        middles = bounding_box_centers(keypoints)
        is_told = np.isfinite(keypoints).all(axis=2).mean(axis=1) >= _HALF
        if is_told.any():
            middles[~is_told] = np.nan
        coarse = with_seed(PoseEstimator() if self.coarse is None else clone(self.coarse), seed)
        options = {} if groups is None else {"groups": groups}
        self.coarse_ = fit_within(coarse, small, batch.to_user(middles[:, np.newaxis]), options)

    def _make_fine(self, seed):
        """Return what is to be trained, or trained further."""
        fine = with_seed(PoseEstimator() if self.fine is None else clone(self.fine), seed)
        if self.warm_start and hasattr(self, "fine_"):
            fine = go_on_with(self.fine_, fine)
        save_within(fine, self._with_fine)
        return fine

    def _with_fine(self, fine):
        """Return an estimator like this one with another second one."""
        other = copy.copy(self)
        other.fine_ = fine
        return other

    def _crop(self, frames, middles):
        """Return crops around places in pixels of the batch."""
        centers = frames.to_user(middles[:, np.newaxis])[:, 0]
        cropper = ImageCropper(box_size=self.box_size_, outside="pad")
        return cropper.fit(frames).transform(frames, centers)

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
        """Find the bodyparts in frames.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 frames, of any size, with as many channels as in `fit`.
        return_confidence : bool, default=False
            Whether to give the confidences too.
        batch_size : int, default=None
            How many frames are read at a time. None: 8.

        Returns
        -------
        y : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of X; NaN where the first estimator found no animal at all.
        confidence : ndarray of shape (n_samples, n_keypoints)
            The lower one of the two estimators', 0..1; NaN if neither tells one. Only with
            `return_confidence`.
        """
        check_is_fitted(self)
        batch = ImageBatch.wrap(X, n_channels=self.image_shape_[2])
        self._check_size(batch.image_size)
        keypoints = np.empty((len(batch), self.n_keypoints_, 2))
        confidence = np.empty(keypoints.shape[:2])
        for part in batch_slices(len(batch), batch_size or _AT_ONCE):
            keypoints[part], confidence[part] = self._find(batch[part].read())
        return (keypoints, confidence) if return_confidence else keypoints

    def _check_size(self, image_size):
        is_exported = isinstance(Predictor(self.coarse_).last, ExportedPoseEstimator)
        if is_exported and image_size != self.image_shape_[:2]:
            (height, width), (own_height, own_width) = image_size, self.image_shape_[:2]
            raise ValueError(
                f"What was exported takes frames of {own_height} x {own_width} pixels (height, "
                f"width), but these are {height} x {width}. Use the estimator itself, which takes "
                "any size."
            )

    def _find(self, frames):
        middles, sure, is_found = self._find_middles(frames)
        keypoints, confidence = Predictor(self.fine_).predict(self._crop(frames, middles))
        none = np.full(keypoints.shape[:2], np.nan)
        confidence = np.fmin(
            none if confidence is None else confidence, none if sure is None else sure[:, :1]
        )
        keypoints[~is_found], confidence[~is_found] = np.nan, 0.0
        return keypoints, confidence

    def _find_middles(self, frames):
        """Return where to look in each frame, how sure that is, and whether anything was found."""
        middles, sure = Predictor(self.coarse_).predict(self.resizer_.transform(frames))
        middles = frames.to_batch(middles)[:, 0]
        is_found = np.isfinite(middles).all(axis=1)
        height, width = frames.image_size
        middles[~is_found] = (width - 1) / 2, (height - 1) / 2
        return middles, sure, is_found

    def fingerprint(self) -> str:
        """Return a text that is the same for estimators that predict the same.

        Returns
        -------
        fingerprint : str
        """
        check_is_fitted(self)
        parts = [Predictor(estimator).fingerprint() for estimator in (self.coarse_, self.fine_)]
        return joblib.hash([*parts, self.resizer_.scale_, self.box_size_])

    def export(
        self, path: PathLike, *, overwrite: bool = False, calibration: Images | None = None
    ) -> None:
        """Write a model file that predicts the same without TensorFlow, and single frames faster.

        It holds both networks as ONNX models. `skpose.load` reads it as a TwoStageEstimator whose
        ``coarse_`` and ``fine_`` are `skpose.runtime.ExportedPoseEstimator`, each with an `engine`.
        It takes frames of the size in `fit`, and cannot be trained any more: save the estimator
        too.

        Parameters
        ----------
        path : str or path-like
            The file, such as ``arena_onnx.skpose``. It appears when it is complete.
        overwrite : bool, default=False
            Whether it may exist, and is replaced.
        calibration : array-like of shape (n_samples, height, width, n_channels), default=None
            Some dozens of frames, for networks that compute in 8 bits; see `PoseEstimator.export`.

        Raises
        ------
        FileExistsError
            If there is such a file, and `overwrite` is False.
        ImportError
            Without tf2onnx: ``pip install 'skpose[onnx]'``.
        RuntimeError
            If Keras runs on another backend than TensorFlow.
        TypeError
            If one of them is no PoseEstimator, alone or behind one ImageResizer.
        ValueError
            If `path` ends in ``.onnx``: such a file holds one network.
        """
        check_is_fitted(self)
        check_export_path(path, overwrite=overwrite)
        exported = copy.copy(self).set_params(coarse=None, fine=None)
        small = crops = None
        if calibration is not None:
            frames = ImageBatch.wrap(calibration, n_channels=self.image_shape_[2])
            small = self.resizer_.transform(frames)
            crops = self._crop(frames, self._find_middles(frames)[0])
        exported.coarse_ = export_within(self.coarse_, "coarse", small)
        exported.fine_ = export_within(self.fine_, "fine", crops)
        save(exported, path, overwrite=overwrite)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "fine_")
