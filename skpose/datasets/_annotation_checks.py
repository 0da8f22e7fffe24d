"""Checks of what is written into an annotation set."""

import numpy as np

from skpose._checks import check_keypoints
from skpose.datasets._annotation_journal import as_stored
from skpose.datasets._annotation_layout import Labels
from skpose.skeleton import Skeleton

__all__ = ["check_confidence", "check_index", "check_is_skeleton", "check_labels"]


def check_labels(
    n_samples,
    n_keypoints,
    keypoints=None,
    annotated=None,
    occluded=None,
    videos=None,
    frame_numbers=None,
    annotators=None,
):
    """Return what is stored of labels, once they fit each other."""
    shape = (n_samples, n_keypoints)
    if keypoints is None:
        keypoints = np.full((*shape, 2), np.nan)
    keypoints = check_keypoints(
        keypoints, n_samples=n_samples, n_keypoints=n_keypoints, name="keypoints"
    )
    is_nan = np.isnan(keypoints).any(axis=2)
    if annotated is None:
        annotated = ~is_nan
    occluded = np.zeros(shape, dtype=bool) if occluded is None else occluded
    annotated = _check_marks("annotated", annotated, shape)
    occluded = _check_marks("occluded", occluded, shape)
    if (occluded & (is_nan | ~annotated)).any():
        raise ValueError("occluded marks keypoints that are not annotated, or are NaN.")
    source = _check_source(videos, frame_numbers, n_samples)
    annotators = _check_annotators(annotators, annotated)
    return Labels(
        as_stored(keypoints), annotated, np.full(shape, np.nan), occluded, annotators, *source
    )


def _check_annotators(annotators, annotated):
    if annotators is None:
        return np.full(annotated.shape, "", dtype=object)
    annotators = np.asarray(annotators, dtype=object)
    are_names = all(isinstance(name, str) for name in annotators.ravel())
    if annotators.shape != annotated.shape or not are_names:
        raise ValueError(
            f'annotators must be texts of shape {annotated.shape}, (n_samples, n_keypoints), "" '
            f"for nobody, but have shape {annotators.shape}."
        )
    if ((annotators != "") & ~annotated).any():
        raise ValueError("annotators name people for keypoints that are not annotated.")
    return annotators


def _check_marks(name, marks, shape):
    marks = np.asarray(marks)
    if marks.shape != shape or marks.dtype != bool:
        raise ValueError(
            f"{name} must be booleans of shape {shape}, (n_samples, n_keypoints), but is "
            f"{marks.dtype} of shape {marks.shape}."
        )
    return marks


def _check_source(videos, frame_numbers, n_samples):
    """Return the video and the number of each frame, "" and -1 where they are not known."""
    if (videos is None) != (frame_numbers is None):
        raise ValueError("videos and frame_numbers belong together: give both or none.")
    if videos is None:
        return np.full(n_samples, ""), np.full(n_samples, -1)
    videos, frame_numbers = np.asarray(videos, dtype=str), np.asarray(frame_numbers)
    if videos.shape != (n_samples,) or frame_numbers.shape != (n_samples,):
        raise ValueError(
            f"videos and frame_numbers must have an entry for each of {n_samples} images, but "
            f"their shapes are {videos.shape} and {frame_numbers.shape}."
        )
    if frame_numbers.dtype.kind not in "iu":
        raise ValueError(f"frame_numbers must be integers, but are {frame_numbers.dtype}.")
    return videos, frame_numbers


def check_confidence(confidence, n_samples, n_keypoints):
    """Return confidences as they are stored, NaN for none."""
    shape = (n_samples, n_keypoints)
    if confidence is None:
        return np.full(shape, np.nan)
    confidence = np.asarray(confidence, dtype=np.float64)
    if confidence.shape != shape or np.isinf(confidence).any():
        raise ValueError(
            f"confidence must be finite numbers or NaN of shape {shape}, (n_samples, n_keypoints), "
            f"but is of shape {confidence.shape}."
        )
    return confidence


def check_index(index, n_samples, path):
    """Return numbers of images of a set, once they are that."""
    index = np.asarray(index)
    if index.ndim != 1 or (len(index) and index.dtype.kind not in "iu"):
        raise ValueError(
            f"index must be integers of shape (n_samples,), but is {index.dtype} of shape "
            f"{index.shape}."
        )
    if len(np.unique(index)) < len(index) or ((index < 0) | (index >= n_samples)).any():
        raise ValueError(
            f"index must hold different numbers from 0 to {n_samples - 1}, the images of "
            f"{path}, but was {index.tolist()}."
        )
    return index.astype(int)


def check_is_skeleton(skeleton):
    """Raise TypeError if something is not a Skeleton."""
    if not isinstance(skeleton, Skeleton):
        raise TypeError(
            f"skeleton must be a Skeleton, but was {skeleton!r}. Skeleton.from_csv reads one from "
            "a table, Skeleton(names) makes one without edges."
        )
