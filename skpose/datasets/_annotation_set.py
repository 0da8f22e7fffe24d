"""Annotation sets: images, keypoints and skeleton in one HDF5 file, as DeepPoseKit made them."""

from pathlib import Path
import shutil
import warnings

import h5py
import numpy as np
from sklearn.utils import Bunch

from skpose._files import changing, check_output, holds_hdf5, replacing
from skpose._hdf5 import open_hdf5
from skpose.base import check_images
from skpose.datasets._annotation_checks import check_confidence, check_labels
from skpose.datasets._annotation_layout import (
    Labels,
    copy_others,
    create_images,
    create_labels,
    create_skeleton,
    is_same_name,
    read_skeleton,
    read_stored,
)
from skpose.datasets._hdf5_images import HDF5Images
from skpose.skeleton import Skeleton


def read_annotations(
    path,
    *,
    skeleton=None,
    labelled="annotated",
    frames="labelled",
    key="images",
    return_X_y=False,
):
    """Read an annotation set, DeepPoseKit's HDF5 file; the images stay on disk.

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
    images = _images_of(stored, key)
    skeleton = _skeleton_of(stored, skeleton)
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
    return Bunch(
        images=images,
        keypoints=keypoints[index],
        annotated=stored.annotated[index],
        confidence=np.where(stored.annotated, np.nan, stored.confidence)[index],
        occluded=stored.occluded[index],
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


def write_annotations(
    path,
    images,
    keypoints=None,
    *,
    skeleton,
    annotated=None,
    occluded=None,
    videos=None,
    frame_numbers=None,
    overwrite=False,
):
    """Write an annotation set that `read_annotations` and DeepPoseKit read.

    The file appears, or takes the old one's place, when it is complete. Images larger than memory
    are copied part by part.

    Parameters
    ----------
    path : path-like
        The HDF5 file to write.
    images : array-like of shape (n_samples, height, width, n_channels)
        The images, also ones that stay on disk.
    keypoints : array-like of shape (n_samples, n_keypoints, 2), default=None
        (x, y) in pixels; NaN where not labelled. None: nothing is labelled yet.
    skeleton : Skeleton
        The bodyparts.
    annotated : array-like of shape (n_samples, n_keypoints), bool, default=None
        Which keypoints to mark as annotated; False for a model's guesses. None: those that are not
        NaN.
    occluded : array-like of shape (n_samples, n_keypoints), bool, default=None
        Which annotated keypoints cannot be seen where they are. None: none.
    videos : array-like of shape (n_samples,), str, default=None
        What the video of each image is known by, ``"name, size bytes"``; "" for none. None: all "".
    frame_numbers : array-like of shape (n_samples,), int, default=None
        Which frame of its video each image is; -1 for none. Needed with `videos`.
    overwrite : bool, default=False
        Replace the file if it exists.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If images, keypoints and skeleton do not fit each other.

    See Also
    --------
    append_images : Add images to the file.
    update_annotations : Change keypoints in the file.

    Notes
    -----
    The datasets are ``images`` (uint8), ``annotations`` (float64, n_samples x n_keypoints x 2, -1
    where not labelled), ``annotated`` (bool, n_samples x n_keypoints), ``skeleton`` (int32,
    n_keypoints x 2: parent and partner, -1 for none) and ``skeleton_names`` (bytes, UTF-8).
    What DeepPoseKit does not read is there only where it is needed: ``confidence`` (float32,
    n_samples x n_keypoints), ``occluded`` (bool, likewise), ``frame_source`` (int32, n_samples x 2:
    position in ``source_videos`` and number of the frame, -1 for none).

    Examples
    --------
    See `read_annotations`.
    """
    images = check_images(images, name="images")
    _check_is_skeleton(skeleton)
    labels = check_labels(
        len(images), len(skeleton), keypoints, annotated, occluded, videos, frame_numbers
    )
    _check_new(path, overwrite)
    with replacing(path, overwrite=overwrite) as new, h5py.File(new, "x") as file:
        create_images(file, [images])
        create_labels(file, labels)
        swaps = skeleton.swap_index
        swaps = np.where(swaps == np.arange(len(swaps)), -1, swaps)
        create_skeleton(
            file,
            np.stack([skeleton.parents, swaps], axis=1),
            [name.encode() for name in skeleton.names],
        )


def append_images(
    path,
    images,
    keypoints=None,
    *,
    annotated=None,
    occluded=None,
    videos=None,
    frame_numbers=None,
):
    """Add images to the end of an annotation set.

    The file is rewritten and takes the old one's place when it is complete. All else in it stays.

    Parameters
    ----------
    path : path-like
        The HDF5 file.
    images : array-like of shape (n_samples, height, width, n_channels)
        The new images, of the size of those in the file.
    keypoints : array-like of shape (n_samples, n_keypoints, 2), default=None
        (x, y) in pixels; NaN where not labelled. None: nothing is labelled yet.
    annotated : array-like of shape (n_samples, n_keypoints), bool, default=None
        Which keypoints to mark as annotated; False for a model's guesses. None: those that are not
        NaN.
    occluded, videos, frame_numbers : array-like, default=None
        As in `write_annotations`.

    Raises
    ------
    ValueError
        If the file is not a whole annotation set, or the images or keypoints do not fit it.

    See Also
    --------
    merge_annotations : Join several annotation sets.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import append_images, read_annotations, write_annotations
    >>> X = np.zeros((2, 8, 8, 1), dtype=np.uint8)
    >>> with TemporaryDirectory() as folder:
    ...     write_annotations(f"{folder}/set.h5", X, skeleton=Skeleton(["head"]))
    ...     append_images(f"{folder}/set.h5", X, np.ones((2, 1, 2)))
    ...     print(read_annotations(f"{folder}/set.h5").index)
    [2 3]
    """
    images = check_images(images, name="images")
    with changing(path) as new:
        stored = read_stored(path)
        old = _images_of(stored)
        if images.shape[1:] != old.shape[1:]:
            raise ValueError(
                f"images are {_size(images)}, but those in {path} are {_size(old)}. Resize or crop "
                "them to that size."
            )
        labels = check_labels(
            len(images), len(stored.table), keypoints, annotated, occluded, videos, frame_numbers
        )
        with h5py.File(new, "x") as file:
            create_images(file, [old, images])
            create_labels(file, Labels.join([Labels.of(stored), labels]))
            with open_hdf5(path) as old_file:
                copy_others(old_file, file)


def merge_annotations(paths, out, *, overwrite=False):
    """Join annotation sets of one skeleton and one image size to one file.

    Coordinates, marks and names are copied as they are. Where names differ only in that DeepPoseKit
    cut them, the whole ones are kept.

    Parameters
    ----------
    paths : sequence of path-like
        The HDF5 files, in the order that their images shall have.
    out : path-like
        The HDF5 file to write; it may be one of `paths`.
    overwrite : bool, default=False
        Replace `out` if it exists.

    Raises
    ------
    FileExistsError
        If `out` exists and `overwrite` is False.
    ValueError
        If a file is not a whole annotation set, or skeletons or image sizes differ.

    See Also
    --------
    append_images : Add images to an annotation set.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import merge_annotations, read_annotations, write_annotations
    >>> X, y = np.zeros((2, 8, 8, 1), dtype=np.uint8), np.ones((2, 1, 2))
    >>> with TemporaryDirectory() as folder:
    ...     write_annotations(f"{folder}/a.h5", X, y, skeleton=Skeleton(["head"]))
    ...     write_annotations(f"{folder}/b.h5", X, y, skeleton=Skeleton(["head"]))
    ...     merge_annotations([f"{folder}/a.h5", f"{folder}/b.h5"], f"{folder}/both.h5")
    ...     print(len(read_annotations(f"{folder}/both.h5").images))
    4
    """
    if isinstance(paths, str | bytes) or not hasattr(paths, "__iter__"):
        raise TypeError(f"paths must be a sequence of files, but was {paths!r}.")
    paths = list(paths)
    if not paths:
        raise ValueError("paths must name at least one annotation set, but is empty.")
    _check_new(out, overwrite)
    exists = overwrite and Path(out).is_file()  # it may be one of those that are joined
    with changing(out) if exists else replacing(out, overwrite=overwrite) as new:
        _merge([read_stored(path) for path in paths], new)


def _check_new(path, overwrite):
    is_set = holds_hdf5(lambda file: "annotations" in file and "skeleton" in file)
    check_output(path, what="Annotation sets", overwrite=overwrite, is_same=is_set)


def _merge(sets, new):
    images = [_images_of(stored) for stored in sets]
    names = max((stored.names for stored in sets if stored.names), key=_n_bytes, default=None)
    for stored, its_images in zip(sets, images, strict=True):
        _check_alike(stored, its_images, sets[0], images[0], names)
    with h5py.File(new, "x") as file:
        create_images(file, images)
        create_labels(file, Labels.join([Labels.of(stored) for stored in sets]))
        create_skeleton(file, sets[0].table, names)


def update_annotations(path, index, keypoints, *, annotated=None, confidence=None, occluded=None):
    """Change the keypoints of some images of an annotation set.

    The file is copied, changed and put in the old one's place when it is complete: it costs about
    the time to copy the file, so change many images at a time in a large one.

    Parameters
    ----------
    path : path-like
        The HDF5 file.
    index : array-like of int of shape (n_samples,)
        Where the images are in the file, as `read_annotations` gives it; each once.
    keypoints : array-like of shape (n_samples, n_keypoints, 2)
        Their new keypoints, (x, y) in pixels; NaN where not labelled.
    annotated : array-like of shape (n_samples, n_keypoints), bool, default=None
        Which keypoints to mark as annotated: True also for one that is NaN because it cannot be
        seen, False for a model's guess. None: those that are not NaN.
    confidence : array-like of shape (n_samples, n_keypoints), default=None
        How sure a model is of its guesses, 0..1; NaN for what is not its guess. None: all NaN.
    occluded : array-like of shape (n_samples, n_keypoints), bool, default=None
        Which annotated keypoints cannot be seen where they are. None: none.

    Raises
    ------
    ValueError
        If the file is not a whole annotation set, or index or keypoints do not fit it.

    See Also
    --------
    read_annotations : Read the set; ``frames="unlabelled"`` gives the images still to do.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import read_annotations, update_annotations, write_annotations
    >>> X = np.zeros((3, 8, 8, 1), dtype=np.uint8)
    >>> with TemporaryDirectory() as folder:
    ...     write_annotations(f"{folder}/set.h5", X, skeleton=Skeleton(["head"]))
    ...     update_annotations(f"{folder}/set.h5", [1], [[[2.0, 3.0]]])
    ...     print(read_annotations(f"{folder}/set.h5", frames="unlabelled").index)
    [0 2]
    """
    with changing(path) as new:
        stored = read_stored(path)
        index, n_keypoints = _check_index(index, stored), len(stored.table)
        labels = check_labels(len(index), n_keypoints, keypoints, annotated, occluded)
        stored.coordinates[index], stored.annotated[index] = labels.coordinates, labels.annotated
        stored.occluded[index] = labels.occluded
        stored.confidence[index] = check_confidence(confidence, len(index), n_keypoints)
        _write_labels(stored, new)


def write_guesses(path, index, keypoints, confidence=None):
    """Write a model's guesses into an annotation set; what is annotated stays as it is.

    Parameters
    ----------
    path : path-like
        The HDF5 file.
    index : array-like of int of shape (n_samples,)
        Where the images are in the file; each once.
    keypoints : array-like of shape (n_samples, n_keypoints, 2)
        The guesses, (x, y) in pixels; NaN: none.
    confidence : array-like of shape (n_samples, n_keypoints), default=None
        How sure the model is, 0..1. None: not told.

    Raises
    ------
    ValueError
        If the file is not a whole annotation set, or index or keypoints do not fit it.
    """
    with changing(path) as new:
        stored = read_stored(path)
        index, n_keypoints = _check_index(index, stored), len(stored.table)
        labels = check_labels(len(index), n_keypoints, keypoints)
        confidence = check_confidence(confidence, len(index), n_keypoints)
        free = ~stored.annotated[index]
        rows, columns = np.nonzero(free)
        stored.coordinates[index[rows], columns] = labels.coordinates[rows, columns]
        stored.confidence[index[rows], columns] = confidence[rows, columns]
        _write_labels(stored, new)


def _write_labels(stored, new):
    shutil.copyfile(stored.path, new)
    with h5py.File(new, "r+") as file:
        create_labels(file, Labels.of(stored))


def _check_index(index, stored):
    index = np.asarray(index)
    if index.ndim != 1 or (len(index) and index.dtype.kind not in "iu"):
        raise ValueError(
            f"index must be integers of shape (n_samples,), but is {index.dtype} of shape "
            f"{index.shape}."
        )
    n_samples = len(stored.coordinates)
    if len(np.unique(index)) < len(index) or ((index < 0) | (index >= n_samples)).any():
        raise ValueError(
            f"index must hold different numbers from 0 to {n_samples - 1}, the images of "
            f"{stored.path}, but was {index.tolist()}."
        )
    return index.astype(int)


def read_sources(path):
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


def _images_of(stored, key="images"):
    images = HDF5Images(stored.path, key)
    if len(images) != len(stored.coordinates):
        raise ValueError(
            f"{stored.path} is not an annotation set: it has {len(images)} images, but annotations "
            f"of {len(stored.coordinates)}."
        )
    return images


def _skeleton_of(stored, skeleton):
    """Give the skeleton that the user gave, if it fits the file, or else the file's."""
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


def _check_is_skeleton(skeleton):
    if not isinstance(skeleton, Skeleton):
        raise TypeError(
            f"skeleton must be a Skeleton, but was {skeleton!r}. Skeleton.from_csv reads one from "
            "a table, Skeleton(names) makes one without edges."
        )


def _check_fits(skeleton, stored):
    _check_is_skeleton(skeleton)
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


def _check_alike(stored, images, first, first_images, names):
    """Check that a set can be merged with the first one, under the names."""
    if images.shape[1:] != first_images.shape[1:]:
        raise ValueError(
            f"Images are {_size(images)} in {stored.path}, but {_size(first_images)} in "
            f"{first.path}. Sets can only be merged if their images have one size."
        )
    if not np.array_equal(stored.table, first.table):
        raise ValueError(
            f"The skeletons of {stored.path} and {first.path} differ in bodyparts, parents or "
            "partners. Read both and write them with one skeleton (write_annotations)."
        )
    for i, (name, there) in enumerate(zip(names or (), stored.names or (), strict=False)):
        if not is_same_name(name, there):
            raise ValueError(
                f"The skeletons differ: bodypart {i} is {there.decode(errors='replace')!r} in "
                f"{stored.path}, but {name.decode(errors='replace')!r} in another file."
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


def _size(images):
    height, width, n_channels = images.shape[1:]
    return f"{height} x {width} x {n_channels}"


def _n_bytes(names):
    return sum(map(len, names))
