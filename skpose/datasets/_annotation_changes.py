"""Annotation sets that are made, joined and changed, each as a whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager, suppress
import math
import os
from pathlib import Path
import shutil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from skpose._checks import check_images
from skpose._files import changing, check_output, check_room, holds_hdf5, locked, replacing
from skpose._hdf5 import create_hdf5, open_hdf5
from skpose._types import Images, PathLike
from skpose.datasets import _annotation_journal as journals
from skpose.datasets._annotation_checks import (
    check_confidence,
    check_index,
    check_is_skeleton,
    check_labels,
)
from skpose.datasets._annotation_layout import (
    Labels,
    check_is_set,
    checksum_of,
    copy_others,
    create_images,
    create_labels,
    create_skeleton,
    is_same_name,
    read_checksum,
    read_mark,
    read_stored,
    table_of,
)
from skpose.datasets._annotation_set import images_of

if TYPE_CHECKING:
    from skpose.skeleton import Skeleton


def write_annotations(
    path: PathLike,
    images: Images,
    keypoints: ArrayLike | None = None,
    *,
    skeleton: Skeleton,
    annotated: ArrayLike | None = None,
    occluded: ArrayLike | None = None,
    annotators: ArrayLike | None = None,
    videos: ArrayLike | None = None,
    frame_numbers: ArrayLike | None = None,
    overwrite: bool = False,
) -> None:
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
    annotators : array-like of shape (n_samples, n_keypoints), str, default=None
        Who annotated each keypoint; "" for nobody, or not known. None: all "".
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
    position in ``source_videos`` and number of the frame, -1 for none), ``annotator`` (int16,
    n_samples x n_keypoints: position in ``annotator_names``, -1 for none).

    Examples
    --------
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import read_annotations, write_annotations
    >>> X = np.zeros((2, 8, 8, 1), dtype=np.uint8)
    >>> y = [[[1.0, 2.0], [5.5, 2.0]], [[2.0, 2.0], [np.nan, np.nan]]]
    >>> write_annotations("fly.h5", X, y, skeleton=Skeleton(["head", "tail"]))
    >>> read_annotations("fly.h5").keypoints[1].tolist()
    [[2.0, 2.0], [nan, nan]]
    """
    images = check_images(images, name="images")
    check_is_skeleton(skeleton)
    labels = check_labels(
        len(images),
        len(skeleton),
        keypoints,
        annotated,
        occluded,
        videos,
        frame_numbers,
        annotators,
    )
    check_new(path, overwrite)
    with making(path, overwrite) as new, create_hdf5(new, n_bytes_of([images])) as file:
        create_images(file, [images])
        create_labels(file, labels)
        create_skeleton(file, table_of(skeleton), [name.encode() for name in skeleton.names])


def append_images(
    path: PathLike,
    images: Images,
    keypoints: ArrayLike | None = None,
    *,
    annotated: ArrayLike | None = None,
    occluded: ArrayLike | None = None,
    annotators: ArrayLike | None = None,
    videos: ArrayLike | None = None,
    frame_numbers: ArrayLike | None = None,
) -> None:
    """Add images to the end of an annotation set.

    The file is rewritten and takes the old one's place when it is complete. All else in it stays,
    and the labels of its journal (`update_annotations`) go into it.

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
    occluded, annotators, videos, frame_numbers : array-like, default=None
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
    with holding(path) as (stored, new):
        old = images_of(stored)
        if images.shape[1:] != old.shape[1:]:
            raise ValueError(
                f"images are {_size(images)}, but those in {path} are {_size(old)}. Resize or crop "
                "them to that size."
            )
        labels = check_labels(
            len(images),
            len(stored.table),
            keypoints,
            annotated,
            occluded,
            videos,
            frame_numbers,
            annotators,
        )
        with create_hdf5(new, n_bytes_of([old, images])) as file:
            create_images(file, [old, images])
            mark = stored.mark and stored.mark.next()
            create_labels(file, Labels.join([Labels.of(stored), labels]), mark)
            with open_hdf5(path) as old_file:
                copy_others(old_file, file)


def merge_annotations(paths: Sequence[PathLike], out: PathLike, *, overwrite: bool = False) -> None:
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
    check_new(out, overwrite)
    with making(out, overwrite) as new:
        _merge([read_stored(path) for path in paths], new)  # `out` may be one of them


def check_new(path, overwrite):
    is_set = holds_hdf5(lambda file: "annotations" in file and "skeleton" in file)
    check_output(path, what="Annotation sets", overwrite=overwrite, is_same=is_set)


def making(path, overwrite):
    """Return the name of a file that becomes a new set, without the journal of the old one."""
    if overwrite and Path(path).is_file():
        return changing(path, done=lambda: journals.journal_of(path).unlink(missing_ok=True))
    return replacing(path, overwrite=overwrite)


def _merge(sets, new):
    images = [images_of(stored) for stored in sets]
    names = max((stored.names for stored in sets if stored.names), key=_n_bytes, default=None)
    for stored, its_images in zip(sets, images, strict=True):
        _check_alike(stored, its_images, sets[0], images[0], names)
    with create_hdf5(new, n_bytes_of(images)) as file:
        create_images(file, images)
        create_labels(file, Labels.join([Labels.of(stored) for stored in sets]))
        create_skeleton(file, sets[0].table, names)


def update_annotations(
    path: PathLike,
    index: ArrayLike,
    keypoints: ArrayLike,
    *,
    annotated: ArrayLike | None = None,
    confidence: ArrayLike | None = None,
    occluded: ArrayLike | None = None,
) -> None:
    """Change the keypoints of some images of an annotation set.

    They are appended to the set's journal, ``<set>.h5.journal``, a text file that every reader of
    the set takes into account: that takes milliseconds, however large the set is, and what is
    written stays when the process is killed or the power fails. After some thousand changes, and
    whenever the set is rewritten for another reason, they go into the HDF5 file itself. For
    programs other than skpose, `fold_annotations` brings that about. A set that skpose did not make
    is copied and replaced at the first change.

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
    OSError
        If they cannot be written; nothing is changed then.
    ValueError
        If the file is not a whole annotation set, or index or keypoints do not fit it.

    See Also
    --------
    read_annotations : Read the set; ``frames="unlabelled"`` gives the images still to do.
    fold_annotations : Bring the changes into the HDF5 file.

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
    with open_hdf5(path, what="an annotation set") as file:
        check_is_set(file, path)
        n_samples, n_keypoints, _ = file["annotations"].shape
    index = check_index(index, n_samples, path)
    labels = check_labels(len(index), n_keypoints, keypoints, annotated, occluded)
    labels = labels._replace(confidence=check_confidence(confidence, len(index), n_keypoints))
    is_long = _append(path, index, labels)
    if is_long is None:
        with _rewriting(path) as stored:
            for name in ("coordinates", "annotated", "occluded", "annotators", "confidence"):
                getattr(stored, name)[index] = getattr(labels, name)
    elif is_long:
        with suppress(OSError):  # no room for a copy, say: they are safe in the journal
            fold_annotations(path)


def _append(path, index, labels):
    """Append labels to the journal; return whether it is long, None if the set can have none."""
    edits = journals.edits_of(index, labels)
    with locked(path), open_hdf5(path, is_known=True) as file:
        mark = read_mark(file)
        if mark is None:
            return None
        _, is_long = journals.append_edits(path, mark, edits, lambda: read_checksum(file))
    return is_long


def fold_annotations(path: PathLike) -> None:
    """Bring the labels in the journal of an annotation set into its HDF5 file.

    So the file holds all by itself, to be copied, or to be opened by DeepPoseKit. It is copied,
    changed and put in the old one's place when it is complete; then the journal is removed.

    Parameters
    ----------
    path : path-like
        The HDF5 file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If it cannot be written, as the disk is full, say. Nothing is changed then.
    ValueError
        If it is not a whole annotation set.

    See Also
    --------
    update_annotations : Change labels.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import fold_annotations, update_annotations, write_annotations
    >>> X = np.zeros((3, 8, 8, 1), dtype=np.uint8)
    >>> with TemporaryDirectory() as folder:
    ...     write_annotations(f"{folder}/set.h5", X, skeleton=Skeleton(["head"]))
    ...     update_annotations(f"{folder}/set.h5", [1], [[[2.0, 3.0]]])
    ...     print(sorted(path.name for path in Path(folder).glob("*.journal")))
    ...     fold_annotations(f"{folder}/set.h5")
    ...     print(sorted(path.name for path in Path(folder).glob("*.journal")))
    ['set.h5.journal']
    []
    """
    if journals.journal_of(path).exists():
        rewrite(path)


@contextmanager
def holding(path):
    """Yield what a set stores, and the name of the file that takes its place and its journal's."""
    with changing(path, done=lambda: journals.remove_journal(path, stored.journal)) as new:
        stored = read_stored(path)
        yield stored, new


@contextmanager
def _rewriting(path):
    """Yield the labels of a set; what is in them afterwards, and in the journal, is in the file."""
    with holding(path) as (stored, new):
        before = checksum_of(stored)
        yield stored
        mark = stored.mark
        if mark is not None and checksum_of(stored) != before:
            mark = mark.next()
        with copied(path, new, Labels.of(stored), mark):
            pass


@contextmanager
def copied(path, new, labels, mark):
    """Yield a copy of a set, an open file, that has these labels."""
    check_room(new, os.path.getsize(path))
    shutil.copyfile(path, new)
    with create_hdf5(new, labels.coordinates.nbytes, mode="r+") as file:
        create_labels(file, labels, mark)
        yield file


def rewrite(path):
    """Write a set anew with its journal in it, and the mark that a journal needs."""
    with _rewriting(path):
        pass


def write_guesses(
    path: PathLike, index: ArrayLike, keypoints: ArrayLike, confidence: ArrayLike | None = None
) -> None:
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

    Examples
    --------
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import read_annotations, write_annotations, write_guesses
    >>> X, y = np.zeros((2, 8, 8, 1), dtype=np.uint8), np.array([[[1.0, 2.0]], [[np.nan, np.nan]]])
    >>> write_annotations("guesses.h5", X, y, skeleton=Skeleton(["head"]))
    >>> write_guesses("guesses.h5", [0, 1], [[[5.0, 5.0]], [[4.0, 4.0]]], [[0.9], [0.5]])
    >>> guesses = read_annotations("guesses.h5", labelled="all")
    >>> guesses.keypoints.tolist(), guesses.annotated.tolist(), guesses.confidence.tolist()
    ([[[1.0, 2.0]], [[4.0, 4.0]]], [[True], [False]], [[nan], [0.5]])
    """
    with _rewriting(path) as stored:
        n_samples, n_keypoints = stored.annotated.shape
        index = check_index(index, n_samples, path)
        labels = check_labels(len(index), n_keypoints, keypoints)
        confidence = check_confidence(confidence, len(index), n_keypoints)
        rows, columns = np.nonzero(~stored.annotated[index])
        stored.coordinates[index[rows], columns] = labels.coordinates[rows, columns]
        stored.confidence[index[rows], columns] = confidence[rows, columns]


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


def _size(images):
    height, width, n_channels = images.shape[1:]
    return f"{height} x {width} x {n_channels}"


def n_bytes_of(sources):
    return sum(math.prod(source.shape) for source in sources)


def _n_bytes(names):
    return sum(map(len, names))
