"""Images with their keypoints and weights, checked before any work starts."""

from typing import NamedTuple
import warnings

import numpy as np

from skpose.base import check_keypoints, check_sample_weight, warn_far_outside
from skpose.preprocessing import ImageBatch, working_scale
from skpose.targets._drawing import ABSENT

_MUCH = 0.5  # a scale up to which a warning is due: a step takes four times as long as need be

__all__ = ["Samples", "check_training_samples", "check_validation_samples"]


class Samples(NamedTuple):
    """What a network is trained on or watched with.

    Parameters
    ----------
    images : ImageBatch
        The images.
    keypoints : ndarray of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels of `images`; NaN: not labelled; `ABSENT`: not in the image.
    weight : ndarray of shape (n_samples,) or None
        Weights.
    visibility : ndarray of shape (n_samples, n_keypoints) or None
        2 visible, 1 occluded, 0 not labelled, -1 looked for in vain.
    """

    images: ImageBatch
    keypoints: np.ndarray
    weight: np.ndarray | None = None
    visibility: np.ndarray | None = None

    def take(self, indices):
        """Return some of the samples."""
        return Samples(*(None if part is None else part[indices] for part in self))

    @property
    def pixel_size(self):
        """Mean size of the images' pixels in pixels of the user's images."""
        determinants = np.abs(np.linalg.det(self.images.matrices[:, :, :2]))
        return float(np.mean(1 / np.sqrt(determinants)))


def check_training_samples(
    X,
    y,
    sample_weight=None,
    visibility=None,
    *,
    occluded="learn",
    absent="silence",
    n_channels=None,
    n_keypoints=None,
    names=None,
):
    """Check what a user wants to train on.

    Parameters
    ----------
    X, y, sample_weight, visibility
        As in `PoseEstimator.fit`.
    occluded, absent : str
        As in `PoseEstimator`: what is learnt of keypoints that are hidden, or not there.
    n_channels, n_keypoints : int, default=None
        What the network was built for; None: it is not built yet.
    names : sequence of str, default=None
        Names of the bodyparts, for the messages.

    Returns
    -------
    Samples
    """
    images = ImageBatch.wrap(X, n_channels=n_channels)
    if len(images) == 0:
        raise ValueError("There are no images: X has 0 samples.")
    y = check_keypoints(y, n_samples=len(images), n_keypoints=n_keypoints)
    visibility = _check_visibility(visibility, y)
    if visibility is not None and occluded == "ignore":
        y = np.where((visibility == 1)[..., np.newaxis], np.nan, y)
    unlabelled = np.isnan(y).all(axis=(0, 2))
    if unlabelled.all():
        hidden = ', or occluded, which occluded="ignore" leaves out'
        raise ValueError(
            "y has no labelled keypoint: all of it is NaN"
            f"{hidden if visibility is not None and occluded == 'ignore' else ''}."
        )
    if unlabelled.any():
        never = (str(names[i] if names else i) for i in np.flatnonzero(unlabelled))
        warnings.warn(
            f"Bodyparts that are never labelled cannot be learnt: {', '.join(never)}. What is "
            "predicted for them means nothing.",
            UserWarning,
            stacklevel=4,
        )
    keypoints = images.to_batch(y)
    warn_far_outside(keypoints, images.shape[1:3], stacklevel=5)
    if n_keypoints is None:  # a network that is built already has its scale
        _warn_of_large_images(keypoints, images.image_size)
    sample_weight = check_sample_weight(sample_weight, len(images))
    if sample_weight is not None:
        sample_weight = sample_weight.astype(np.float32)
    if visibility is not None and absent == "silence":
        keypoints = np.where((visibility == -1)[..., np.newaxis], ABSENT, keypoints)
    return Samples(images, keypoints, sample_weight, visibility)


def _warn_of_large_images(keypoints, image_size):
    scale = working_scale(keypoints, image_size)
    if scale <= _MUCH:
        warnings.warn(
            f"Images of {image_size[0]} x {image_size[1]} pixels are larger than the labels need, "
            f"and training takes about {round(1 / scale**2)} times as long as at a scale of "
            f"{scale:g}. To work at that scale, with predictions in pixels of the large images as "
            'before: make_pipeline(ImageResizer(scale="auto"), PoseEstimator(...)), with '
            "make_pipeline of sklearn.pipeline and ImageResizer of skpose.preprocessing.",
            UserWarning,
            stacklevel=6,
        )


def _check_visibility(visibility, y):
    """Check that what is said of each keypoint goes with what is labelled."""
    if visibility is None:
        return None
    visibility = np.asarray(visibility)
    if visibility.shape != y.shape[:2] or not np.isin(visibility, (-1, 0, 1, 2)).all():
        raise ValueError(
            "visibility must be 2 (visible), 1 (occluded), 0 (not labelled) or -1 (looked for in "
            f"vain) for each of {y.shape[:2]} keypoints, but has the shape {visibility.shape} and "
            f"values such as {np.unique(visibility)[:5].tolist()}."
        )
    n_contradicting = int(((visibility > 0) == np.isnan(y[..., 0])).sum())
    if n_contradicting:
        raise ValueError(
            f"visibility contradicts y for {n_contradicting} keypoints: it must be 1 or 2 where y "
            "has coordinates, and 0 or -1 where it is NaN."
        )
    return visibility.astype(np.int8)


def check_validation_samples(validation_data, training):
    """Check what a user wants to watch the training with.

    Parameters
    ----------
    validation_data : tuple of (X, y)
        As in `PoseEstimator.fit`.
    training : Samples
        What is trained on.

    Returns
    -------
    Samples
    """
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        raise ValueError("validation_data must be a tuple of (X, y).")
    images = ImageBatch.wrap(validation_data[0], name="validation_data[0]")
    if images.shape[1:] != training.images.shape[1:]:
        raise ValueError(
            f"The validation images are {images.shape[1:]} (height, width, n_channels), but those "
            f"to train on are {training.images.shape[1:]}; they must agree."
        )
    y = check_keypoints(
        validation_data[1],
        n_samples=len(images),
        n_keypoints=training.keypoints.shape[1],
        name="validation_data[1]",
    )
    if np.isnan(y).all():
        raise ValueError("The validation data have no labelled keypoint: all of them are NaN.")
    return Samples(images, images.to_batch(y))
