"""What is inside a fitted estimator, a Pipeline or a search, and how it is asked for poses."""

from functools import cached_property
from inspect import signature
import warnings

import joblib
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skpose._interrupts import interrupts_held
from skpose._types import Images
from skpose.base import ImageInputMixin, batch_slices, check_keypoints
from skpose.metrics import mean_keypoint_error
from skpose.preprocessing import ImageResizer
from skpose.skeleton import number_names

__all__ = ["KeypointRegressorMixin", "Predictor", "find_in_batches"]


class KeypointRegressorMixin(ImageInputMixin, RegressorMixin):
    """Tags and score of an estimator that finds the keypoints of images."""

    def score(self, X: Images, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the negative mean distance between predicted and labelled keypoints.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images.
        y : array-like of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of X; NaN: not labelled, which does not count.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each image.

        Returns
        -------
        score : float
            Pixels; greater is better.
        """
        y = check_keypoints(y, n_samples=len(X))
        return -mean_keypoint_error(y, self.predict(X), sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        tags.target_tags.required = True
        tags.regressor_tags.poor_score = True
        return tags


def find_in_batches(find, batch, n_keypoints, *, batch_size):
    """Find the keypoints of images, a mini-batch at a time.

    Parameters
    ----------
    find : callable
        Takes uint8 images (n, height, width, n_channels), returns x, y and confidence,
        (n, n_keypoints, 3), in pixels of these.
    batch : ImageBatch
        The images.
    n_keypoints : int
        Number of keypoints.
    batch_size : int or None
        How many images to give at a time. None: a number that is fast.

    Returns
    -------
    keypoints : ndarray of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels of the user's images.
    confidence : ndarray of shape (n_samples, n_keypoints)
    """
    peaks = np.empty((len(batch), n_keypoints, 3))
    with interrupts_held() as check_interrupted:
        for part in batch_slices(len(batch), batch_size):
            peaks[part] = find(np.ascontiguousarray(batch[part]))
            check_interrupted()
    if np.isnan(peaks).any():
        warnings.warn(
            "The network draws maps that are not numbers, so keypoints are NaN: its training has "
            "diverged. Train it anew with a lower learning_rate.",
            UserWarning,
            stacklevel=3,
        )
    return batch.to_user(peaks[..., :2]), peaks[..., 2]


class Predictor:
    """What is inside an estimator, asked in one way whatever holds it.

    Parameters
    ----------
    estimator : estimator
        Fitted: anything with `predict`, a Pipeline that ends in such, a search or a
        `FrozenEstimator` that holds one, or any nesting of these.

    Attributes
    ----------
    last : estimator
        The innermost estimator, which finds the keypoints.
    steps : list of transformers
        What is done to the images before they reach it.
    skeleton : Skeleton or None
        That of `last`.
    """

    def __init__(self, estimator):
        self.estimator = estimator
        self.steps, self.last = _unwrap(estimator)
        self.skeleton = getattr(self.last, "skeleton", None)

    @property
    def n_channels(self):
        """int: number of channels of the images; 3 where any would do."""
        return self.n_channels_fitted or 3

    @property
    def n_channels_fitted(self):
        """int or None: number of channels of the images in `fit`; None where any would do."""
        return getattr(self.last, "image_shape_", (0, 0, None))[2]

    @property
    def n_keypoints(self):
        """int or None: number of keypoints, where it is known before a prediction."""
        if self.skeleton is not None:
            return len(self.skeleton)
        return getattr(self.last, "n_keypoints_", None)

    @property
    def image_size(self):
        """tuple of (height, width) or None: size of images in `fit`; None where steps hide it."""
        if self.steps:
            return getattr(self.steps[0], "input_size_", None) if len(self.steps) == 1 else None
        shape = getattr(self.last, "image_shape_", None)
        return None if shape is None else tuple(shape[:2])

    @property
    def region(self):
        """tuple of int or None: (x, y, width, height) of what it sees of the images; None: all."""
        return getattr(self.steps[0] if self.steps else self.last, "region_", None)

    @property
    def is_plain(self):
        """bool: whether no step is before it but, maybe, one fitted ImageResizer that pads not."""
        is_resized = (
            len(self.steps) == 1
            and isinstance(self.steps[0], ImageResizer)
            and not self.steps[0].keep_aspect
            and self.image_size is not None
        )
        return is_resized or not self.steps

    def names(self, frame=None):
        """Return the names of the bodyparts.

        Parameters
        ----------
        frame : callable, default=None
            Returns an image, (height, width, n_channels), which is predicted where nothing else
            tells the number of bodyparts.

        Returns
        -------
        tuple of str
            Of the skeleton, or numbers.
        """
        if self.skeleton is not None:
            return tuple(self.skeleton.names)
        n_keypoints = self.n_keypoints
        if n_keypoints is None:
            n_keypoints = self.predict(frame()[np.newaxis])[0].shape[1]
        return number_names(n_keypoints)

    def predict(self, X, batch_size=None):
        """Find keypoints, with their confidence where the estimator tells it.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            Images.
        batch_size : int, default=None
            How many go through a network at a time, where there is one.

        Returns
        -------
        keypoints : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of X.
        confidence : ndarray of shape (n_samples, n_keypoints) or None
            0 to 1.
        """
        return self.predict_with(None, X, batch_size)[:2]

    def predict_with(self, what, X, batch_size=None):
        """Find keypoints, their confidence, and something else where the estimator tells it.

        Parameters
        ----------
        what : {"std", "radius"} or None
            What else: the spread of an ensemble, or the radius of a calibrated estimator.
        X, batch_size
            As for `predict`.

        Returns
        -------
        keypoints, confidence
            As of `predict`.
        values : ndarray of shape (n_samples, n_keypoints) or None
            Pixels of X.
        """
        # A search's predict takes no options, nor does a Pipeline's under metadata routing.
        X = self._transform(X)
        options = {}
        if batch_size is not None and self._takes("batch_size"):
            options["batch_size"] = batch_size
        if self._takes("return_confidence"):
            options["return_confidence"] = True
        if self.tells(what):
            options[f"return_{what}"] = True
        found = self.last.predict(X, **options)
        keypoints, *others = found if isinstance(found, tuple) else (np.asarray(found),)
        names = [name for name in options if name != "batch_size"]
        told = dict(zip(names, others, strict=False))  # whoever takes any option may not know these
        return keypoints, told.get("return_confidence"), told.get(f"return_{what}")

    def tells(self, what):
        """Whether `predict_with` gives it."""
        return f"return_{what}" in self._parameters

    def _takes(self, option):
        parameters = self._parameters
        return option in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    @cached_property
    def _parameters(self):
        return signature(self.last.predict).parameters

    def predict_maps(self, X):
        """Draw the confidence maps of the keypoints, (n_samples, n_rows, n_columns, n_keypoints).

        Raises
        ------
        TypeError
            If the estimator draws none.
        """
        if not hasattr(self.last, "predict_maps"):
            raise TypeError(
                f"A {type(self.last).__name__} has no confidence maps. Use the PoseEstimator that "
                "was trained."
            )
        return self.last.predict_maps(self._transform(X))[..., : self.n_keypoints]

    def image_roles(self, X):
        """Return which images it was trained on, as `PoseEstimator.image_roles`; None: not known.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            Images.

        Returns
        -------
        ndarray of str of shape (n_samples,), or None
        """
        if getattr(self.last, "training_digests_", None) is None:
            return None
        return self.last.image_roles(self._transform(X))

    def _transform(self, X):
        for step in self.steps:
            X = step.transform(X)
        return X

    def fingerprint(self):
        """Return a text that is the same for estimators that predict the same."""
        last = self.last
        last = last.fingerprint() if hasattr(last, "fingerprint") else joblib.hash(last)
        steps = [(type(step).__name__, {**vars(step), "input_size_": None}) for step in self.steps]
        return joblib.hash([steps, last])


def _unwrap(estimator):
    """Return the transformers that images go through, and the estimator behind them."""
    steps = []
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif isinstance(estimator, Pipeline):
            steps += [step for _, step in estimator.steps[:-1] if step not in (None, "passthrough")]
            estimator = estimator[-1]
        else:
            return steps, estimator
