"""Annotation sets: images, keypoints and skeleton in one HDF5 file, as DeepPoseKit made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload
import warnings

import numpy as np
from numpy.typing import NDArray

from skpose._types import PathLike, Rows
from skpose.datasets._annotation_checks import check_is_skeleton
from skpose.datasets._annotation_layout import is_same_name, read_skeleton, read_stored
from skpose.datasets._hdf5_images import HDF5Images

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from skpose.skeleton import Skeleton


@overload
def read_annotations(
    path: PathLike,
    *,
    skeleton: Skeleton | None = None,
    labelled: Literal["annotated", "visible", "all"] = "annotated",
    frames: Literal["labelled", "unlabelled", "all"] = "labelled",
    key: str = "images",
    n_channels: int | None = None,
    return_X_y: Literal[False] = False,
) -> Bunch: ...


@overload
def read_annotations(
    path: PathLike,
    *,
    skeleton: Skeleton | None = None,
    labelled: Literal["annotated", "visible", "all"] = "annotated",
    frames: Literal["labelled", "unlabelled", "all"] = "labelled",
    key: str = "images",
    n_channels: int | None = None,
    return_X_y: Literal[True],
) -> tuple[Rows, NDArray[np.float64]]: ...


def read_annotations(
    path: PathLike,
    *,
    skeleton: Skeleton | None = None,
    labelled: Literal["annotated", "visible", "all"] = "annotated",
    frames: Literal["labelled", "unlabelled", "all"] = "labelled",
    key: str = "images",
    n_channels: int | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[Rows, NDArray[np.float64]]:
    """Read an annotation set, DeepPoseKit's HDF5 file; the images stay on disk.

    Labels in the set's journal (`update_annotations`) are read as if they were in the file.

    Parameters
    ----------
    path : path-like
        The HDF5 file.
    skeleton : Skeleton, default=None
        The skeleton to use in place of the file's: for files without names, or with names that
        DeepPoseKit cut at 10 bytes, or with wrong partners. None: the one in the file.
    labelled : {"annotated", "visible", "all"}, default="annotated"
        Which keypoints are labelled: those that are marked as annotated, those of them that can be
        seen, or all that have coordinates, which may be a model's guesses that nobody has looked
        at.
    frames : {"labelled", "unlabelled", "all"}, default="labelled"
        Which images to give: those with at least one labelled keypoint, those with none, or all.
    key : str, default="images"
        Name of the images' dataset in the file.
    n_channels : {1, 3}, default=None
        The channels to read: 1 makes colour images grey. None: as they are.
    return_X_y : bool, default=False
        Give ``(images, keypoints)`` in place of a Bunch.

    Returns
    -------
    Bunch
        With the fields

        images : HDF5Images of shape (n_samples, height, width, n_channels)
            Images that are read when they are indexed; ``np.asarray(images)`` reads all.
        keypoints : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels, as they are in the file; NaN where not labelled.
        annotated : ndarray of shape (n_samples, n_keypoints), bool
            The marks in the file. An annotated keypoint that is NaN was looked for in vain.
        confidence : ndarray of shape (n_samples, n_keypoints)
            How sure a model was of the keypoints that it put there, 0..1
            (`skpose.sampling.initialize_annotations`); NaN for all others.
        occluded : ndarray of shape (n_samples, n_keypoints), bool
            Annotated keypoints that a person placed where they cannot be seen.
        annotators : ndarray of shape (n_samples, n_keypoints), str as objects
            Who annotated each keypoint; "" for nobody, or not known.
        visibility : ndarray of shape (n_samples, n_keypoints), int8
            What a person said of each keypoint, as `PoseEstimator.fit` takes it: 2 visible, 1
            occluded, 0 not labelled, -1 looked for in vain.
        videos : ndarray of shape (n_samples,), str
            What the video of each image is known by, ``"name, size bytes"``; "" where the file does
            not tell it.
        frame_numbers : ndarray of shape (n_samples,), int
            Which frame of its video each image is; -1 where the file does not tell it.
        groups : ndarray of shape (n_samples,), str, or None
            `videos`, to keep a video's frames together when data are split; None if one is unknown.
        skeleton : Skeleton
            The bodyparts.
        index : ndarray of shape (n_samples,)
            Where each image is in the file, for `update_annotations`.
        filename : str
            The file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole annotation set, does not fit `skeleton`, or has no labelled keypoint
        though ``frames="labelled"``.

    See Also
    --------
    write_annotations : Write such a file.
    read_deeplabcut : Read a DeepLabCut project.

    Notes
    -----
    Coordinates are taken as they are: whole numbers are the centres of pixels. (-1, -1) stands for
    no coordinates, as does (0, 0) where it is not annotated, since DeepPoseKit filled up with both.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import read_annotations, write_annotations
    >>> X = np.zeros((3, 8, 8, 1), dtype=np.uint8)
    >>> y = np.array([[[1.0, 2.0]], [[np.nan, np.nan]], [[3.0, 4.0]]])
    >>> with TemporaryDirectory() as folder:
    ...     write_annotations(f"{folder}/set.h5", X, y, skeleton=Skeleton(["head"]))
    ...     bunch = read_annotations(f"{folder}/set.h5")
    ...     print(bunch.images.shape, bunch.index, bunch.keypoints.tolist())
    (2, 8, 8, 1) [0 2] [[[1.0, 2.0]], [[3.0, 4.0]]]
    """
    _check_option("labelled", labelled, ("annotated", "visible", "all"))
    _check_option("frames", frames, ("labelled", "unlabelled", "all"))
    stored = read_stored(path)
    images = images_of(stored, key, n_channels)
    skeleton = skeleton_of(stored, skeleton)
    missing = stored.is_missing
    is_labelled = {
        "annotated": stored.annotated,
        "visible": stored.annotated & ~stored.occluded,
        "all": stored.annotated | ~missing,
    }[labelled]
    keypoints = np.where((is_labelled & ~missing)[..., np.newaxis], stored.coordinates, np.nan)
    index = _choose_frames(frames, labelled, is_labelled, stored)
    images = images.select(index)
    if return_X_y:
        return images, keypoints[index]
    from sklearn.utils import Bunch  # scikit-learn takes seconds; who only labels needs none

    return Bunch(
        images=images,
        keypoints=keypoints[index],
        annotated=stored.annotated[index],
        confidence=np.where(stored.annotated, np.nan, stored.confidence)[index],
        occluded=stored.occluded[index],
        annotators=stored.annotators[index],
        visibility=_visibility(is_labelled, missing, stored.occluded)[index],
        videos=stored.videos[index],
        frame_numbers=stored.frame_numbers[index],
        groups=stored.videos[index] if stored.videos[index].all() else None,
        skeleton=skeleton,
        index=index,
        filename=images.path,
    )


def _visibility(is_labelled, is_missing, is_occluded):
    visibility = np.where(is_occluded, 1, 2)
    return np.where(is_labelled, np.where(is_missing, -1, visibility), 0).astype(np.int8)


def read_sources(path: PathLike) -> dict[str, list[int]]:
    """Read which frames of which videos are in an annotation set.

    Parameters
    ----------
    path : path-like
        The HDF5 file.

    Returns
    -------
    dict of str to list of int
        Of each video, by what it is known, ``"name, size bytes"``: the numbers of its frames.

    Raises
    ------
    ValueError
        If the file is not a whole annotation set.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import read_sources, write_annotations
    >>> X = np.zeros((3, 8, 8, 1), dtype=np.uint8)
    >>> write_annotations(
    ...     "sources.h5",
    ...     X,
    ...     skeleton=Skeleton(["head"]),
    ...     videos=["fly.mp4, 900 bytes"] * 3,
    ...     frame_numbers=[40, 7, 25],
    ... )
    >>> read_sources("sources.h5")
    {'fly.mp4, 900 bytes': [7, 25, 40]}
    """
    stored = read_stored(path)
    sources = {video: set(numbers) for video, numbers in stored.seen.items()}
    for video, number in zip(stored.videos.tolist(), stored.frame_numbers.tolist(), strict=True):
        if video:
            sources.setdefault(video, set()).add(number)
    return {video: sorted(numbers) for video, numbers in sources.items()}


def _check_option(name, value, options):
    if value not in options:
        raise ValueError(f"{name} must be {' or '.join(map(repr, options))}, but was {value!r}.")


def images_of(stored, key="images", n_channels=None):
    images = HDF5Images(stored.path, key, n_channels=n_channels)
    if len(images) != len(stored.coordinates):
        raise ValueError(
            f"{stored.path} is not an annotation set: it has {len(images)} images, but annotations "
            f"of {len(stored.coordinates)}."
        )
    return images


def skeleton_of(stored, skeleton=None):
    """Return the skeleton that the user gave, if it fits the file, or else the file's."""
    if skeleton is not None:
        _check_fits(skeleton, stored)
        return skeleton
    if stored.names is None:
        warnings.warn(
            f"{stored.path} has no names of bodyparts, so they are called '0', '1', ... Give "
            "skeleton=Skeleton.from_csv(...), from the table that the set was made with.",
            UserWarning,
            stacklevel=3,
        )
        numbers = [str(i).encode() for i in range(len(stored.table))]
        stored = stored._replace(names=numbers)
    return read_skeleton(stored)


def _check_fits(skeleton, stored):
    check_is_skeleton(skeleton)
    if len(skeleton) != len(stored.table):
        raise ValueError(
            f"skeleton has {len(skeleton)} bodyparts, but {stored.path} has {len(stored.table)}."
        )
    for i, (name, there) in enumerate(zip(skeleton.names, stored.names or (), strict=False)):
        if not is_same_name(name.encode(), there):
            raise ValueError(
                f"Bodypart {i} of skeleton is {name!r}, but {there.decode(errors='replace')!r} in "
                f"{stored.path}. Bring the skeleton's rows in the order of the file."
            )


def _choose_frames(frames, labelled, is_labelled, stored):
    """Positions of the frames to give."""
    has_label = is_labelled.any(axis=1)
    if frames == "unlabelled":
        return np.flatnonzero(~has_label)
    n_guesses = int((~stored.is_missing).sum())
    if labelled == "annotated" and not has_label.any() and n_guesses:
        message = (
            f"No keypoint of {stored.path} is marked as annotated, though {n_guesses} have "
            "coordinates. Give labelled='all' to take these for labels, if they are more than a "
            "model's guesses."
        )
        if frames == "labelled":
            raise ValueError(message)
        warnings.warn(message, UserWarning, stacklevel=3)
    if frames == "all":
        return np.arange(len(has_label))
    if not has_label.any():
        raise ValueError(
            f"No image of {stored.path} is labelled yet. Give frames='all' to read them anyway."
        )
    return np.flatnonzero(has_label)
