"""Annotation sets of which some images are taken or removed, or whose skeleton is changed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skpose._hdf5 import create_hdf5, open_hdf5
from skpose._types import PathLike, RandomState
from skpose.datasets._annotation_changes import check_new, copied, holding, making, n_bytes_of
from skpose.datasets._annotation_checks import check_index, check_is_skeleton
from skpose.datasets._annotation_layout import (
    Labels,
    copy_others,
    create_images,
    create_labels,
    create_names,
    create_skeleton,
    read_stored,
    table_of,
)
from skpose.datasets._annotation_set import images_of

if TYPE_CHECKING:
    from skpose.skeleton import Skeleton


def take_images(
    path: PathLike, index: ArrayLike, out: PathLike, *, overwrite: bool = False
) -> None:
    """Write some images of an annotation set, with all that is known of them, to another.

    Pixels and labels are copied as they are, and so are datasets of other programs, of which those
    with as many rows as there are images lose the same rows.

    Parameters
    ----------
    path : path-like
        The HDF5 file.
    index : array-like of int of shape (n_samples,)
        Where the images are in the file, as `read_annotations` gives it, in the order that they
        shall have; each once.
    out : path-like
        The HDF5 file to write; it may be `path`.
    overwrite : bool, default=False
        Replace `out` if it exists.

    Raises
    ------
    FileExistsError
        If `out` exists and `overwrite` is False.
    ValueError
        If the file is not a whole annotation set, or has no such image.

    See Also
    --------
    remove_images : Take images out of a set.
    split_annotations : Divide a set into two.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import read_annotations, take_images, write_annotations
    >>> X = np.zeros((5, 8, 8, 1), dtype=np.uint8)
    >>> with TemporaryDirectory() as folder:
    ...     write_annotations(f"{folder}/set.h5", X, skeleton=Skeleton(["head"]))
    ...     take_images(f"{folder}/set.h5", [4, 0], f"{folder}/two.h5")
    ...     print(len(read_annotations(f"{folder}/two.h5", frames="all").images))
    2
    """
    check_new(out, overwrite)
    with _from_to(path, out, overwrite) as (stored, new):
        _write_taken(path, stored, check_index(index, len(stored.annotated), path), new)


def remove_images(path: PathLike, index: ArrayLike) -> None:
    """Take images out of an annotation set.

    The file is rewritten and takes the old one's place when it is complete. A page on which it is
    being labelled says that it was replaced, and has to be opened again.

    Parameters
    ----------
    path : path-like
        The HDF5 file.
    index : array-like of int of shape (n_samples,)
        Where the images are in the file, as `read_annotations` gives it; each once.

    Raises
    ------
    ValueError
        If the file is not a whole annotation set, has no such image, or would have none left.

    See Also
    --------
    take_images : Write some images to another set.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import read_annotations, remove_images, write_annotations
    >>> X = np.zeros((5, 8, 8, 1), dtype=np.uint8)
    >>> with TemporaryDirectory() as folder:
    ...     write_annotations(f"{folder}/set.h5", X, skeleton=Skeleton(["head"]))
    ...     remove_images(f"{folder}/set.h5", [1, 2])
    ...     print(len(read_annotations(f"{folder}/set.h5", frames="all").images))
    3
    """
    with holding(path) as (stored, new):
        n_samples = len(stored.annotated)
        index = check_index(index, n_samples, path)
        if len(index) == n_samples:
            raise ValueError(f"{path} would have no image left. Delete the file instead.")
        _write_taken(path, stored, np.setdiff1d(np.arange(n_samples), index), new)


def split_annotations(
    path: PathLike,
    train: PathLike,
    test: PathLike,
    *,
    test_size: float = 0.2,
    random_state: RandomState = None,
    overwrite: bool = False,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Divide an annotation set into two, by chance.

    Images of one video go into one of them, if the set tells the videos of all and there are
    several: neighbouring frames are almost the same.

    Parameters
    ----------
    path : path-like
        The HDF5 file, which stays as it is.
    train, test : path-like
        The HDF5 files to write.
    test_size : float, default=0.2
        The share of the images, or of the videos, that goes into `test`.
    random_state : int, RandomState or None, default=None
        Determines which.
    overwrite : bool, default=False
        Replace the files if they exist.

    Returns
    -------
    train_index, test_index : ndarray of int
        Where the images of each are in the file.

    Raises
    ------
    FileExistsError
        If a file exists and `overwrite` is False.
    ValueError
        If the file is not a whole annotation set, or one of the two would have no image.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import split_annotations, write_annotations
    >>> X = np.zeros((10, 8, 8, 1), dtype=np.uint8)
    >>> with TemporaryDirectory() as folder:
    ...     path, train, test = (f"{folder}/{name}.h5" for name in ("set", "train", "test"))
    ...     write_annotations(path, X, skeleton=Skeleton(["head"]))
    ...     train_index, test_index = split_annotations(path, train, test, random_state=0)
    >>> len(train_index), len(test_index)
    (8, 2)
    """
    from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit

    if len({Path(name).resolve() for name in (path, train, test)}) < 3:
        raise ValueError("path, train and test must be three different files.")
    for out in (train, test):
        check_new(out, overwrite)
    stored = read_stored(path)
    videos = stored.videos
    is_known = len(set(videos)) > 1 and (videos != "").all()
    splitter = (GroupShuffleSplit if is_known else ShuffleSplit)(
        1, test_size=test_size, random_state=random_state
    )
    ((train_index, test_index),) = splitter.split(videos, groups=videos if is_known else None)
    parts = np.sort(train_index), np.sort(test_index)
    for out, index in zip((train, test), parts, strict=True):
        with making(out, overwrite) as new:
            _write_taken(path, stored, index, new)
    return parts


def rename_bodyparts(path: PathLike, names: Mapping[str, str]) -> None:
    """Give bodyparts of an annotation set other names.

    Parameters
    ----------
    path : path-like
        The HDF5 file. It is copied, changed and put in the old one's place when it is complete.
    names : dict of str to str
        New names by old ones; those that are not in it stay.

    Raises
    ------
    ValueError
        If the file is not a whole annotation set with names, there is no such bodypart, or two
        would have one name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import read_annotations, rename_bodyparts, write_annotations
    >>> X = np.zeros((1, 8, 8, 1), dtype=np.uint8)
    >>> with TemporaryDirectory() as folder:
    ...     write_annotations(f"{folder}/set.h5", X, skeleton=Skeleton(["nose", "tail"]))
    ...     rename_bodyparts(f"{folder}/set.h5", {"nose": "snout"})
    ...     print(read_annotations(f"{folder}/set.h5", frames="all").skeleton.names)
    ('snout', 'tail')
    """
    from skpose.skeleton import Skeleton

    with holding(path) as (stored, new):
        if stored.names is None:
            raise ValueError(f"{path} has no names of bodyparts. Write it anew with a skeleton.")
        before = [name.decode() for name in stored.names]
        unknown = [name for name in names if name not in before]
        if unknown:
            raise ValueError(f"{path} has no bodypart {unknown[0]!r}; it has {', '.join(before)}.")
        after = Skeleton([names.get(name, name) for name in before]).names
        with copied(path, new, Labels.of(stored), stored.mark) as file:
            create_names(file, [name.encode() for name in after])


def change_skeleton(path: PathLike, skeleton: Skeleton) -> None:
    """Give an annotation set other names, lines or partners, and more bodyparts.

    Parameters
    ----------
    path : path-like
        The HDF5 file. It is copied, changed and put in the old one's place when it is complete.
    skeleton : Skeleton
        Its first bodyparts are those of the set, in their order, whatever their names. Those behind
        them are new, and not labelled in any image.

    Raises
    ------
    ValueError
        If the file is not a whole annotation set, or has more bodyparts: none can be left out.

    See Also
    --------
    rename_bodyparts : Change names only.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import change_skeleton, read_annotations, write_annotations
    >>> X = np.zeros((1, 8, 8, 1), dtype=np.uint8)
    >>> with TemporaryDirectory() as folder:
    ...     write_annotations(f"{folder}/set.h5", X, skeleton=Skeleton(["nose"]))
    ...     change_skeleton(f"{folder}/set.h5", Skeleton(["nose", "tail"], ["", "nose"]))
    ...     print(read_annotations(f"{folder}/set.h5", frames="all").keypoints.shape)
    (1, 2, 2)
    """
    check_is_skeleton(skeleton)
    with holding(path) as (stored, new):
        n_before = len(stored.table)
        if len(skeleton) < n_before:
            raise ValueError(
                f"{path} has {n_before} bodyparts, but the new skeleton {len(skeleton)}: none that "
                "may be labelled can be left out. Write another set, with write_annotations."
            )
        mark = stored.mark and stored.mark.next()
        labels = Labels.of(stored).with_more_keypoints(len(skeleton) - n_before)
        with copied(path, new, labels, mark) as file:
            create_skeleton(file, table_of(skeleton), [name.encode() for name in skeleton.names])


@contextmanager
def _from_to(path, out, overwrite):
    """Yield what a set stores, and the file that becomes `out`, which may be the set itself."""
    if Path(out).exists() and Path(out).samefile(path):
        with holding(path) as (stored, new):
            yield stored, new
    else:
        with making(out, overwrite) as new:
            yield read_stored(path), new


def _write_taken(path, stored, index, new):
    """Write images of a set, and all that belongs to them, to a new file."""
    images = images_of(stored).select(index)
    labels = Labels(*(column[index] for column in Labels.of(stored)))
    with create_hdf5(new, n_bytes_of([images])) as file:
        create_images(file, [images])
        create_labels(file, labels)
        with open_hdf5(path) as old_file:
            copy_others(old_file, file, index)
