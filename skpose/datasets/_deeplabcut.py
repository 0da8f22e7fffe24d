"""DeepLabCut projects."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skpose._types import ImageSize, PathLike, Rows
from skpose.datasets._image_files import open_listed
from skpose.poses import read_table
from skpose.skeleton import Skeleton

_PREFIX = "CollectedData_"
_FORMATS = (".csv", ".h5")  # the first is preferred: people can read it


@overload
def read_deeplabcut(
    path: PathLike,
    *,
    scorer: str | None = None,
    videos: Sequence[str] | None = None,
    skeleton: Skeleton | None = None,
    guess_swaps: bool = True,
    n_channels: int | None = None,
    image_size: ImageSize | None = None,
    return_X_y: Literal[False] = False,
) -> Bunch: ...


@overload
def read_deeplabcut(
    path: PathLike,
    *,
    scorer: str | None = None,
    videos: Sequence[str] | None = None,
    skeleton: Skeleton | None = None,
    guess_swaps: bool = True,
    n_channels: int | None = None,
    image_size: ImageSize | None = None,
    return_X_y: Literal[True],
) -> tuple[Rows, NDArray[np.float64]]: ...


def read_deeplabcut(
    path: PathLike,
    *,
    scorer: str | None = None,
    videos: Sequence[str] | None = None,
    skeleton: Skeleton | None = None,
    guess_swaps: bool = True,
    n_channels: int | None = None,
    image_size: ImageSize | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[Rows, NDArray[np.float64]]:
    """Read the labelled frames of a single-animal DeepLabCut project; the images stay on disk.

    Read are ``labeled-data/<video>/CollectedData_<scorer>.csv``, or where there is none the ``.h5``
    file of that name.

    Parameters
    ----------
    path : path-like
        The project's folder, which has ``labeled-data`` in it; its ``config.yaml``; or the label
        file of one video, ``CollectedData_<scorer>.csv`` or ``.h5``.
    scorer : str, default=None
        Who labelled. None: the only one there is.
    videos : sequence of str, default=None
        Folders in ``labeled-data`` to read. None: all that this scorer has labelled.
    skeleton : Skeleton, default=None
        The skeleton; its names choose the bodyparts and their order. None: all bodyparts in the
        order of the files, without edges.
    guess_swaps : bool, default=True
        If `skeleton` is None, take bodyparts whose names differ only in "left" and "right", or in
        one "L" and "R", for left/right partners.
    n_channels : {1, 3}, default=None
        Channels to read, as in `ImageFiles`: 1 for grey images, also where they are stored as RGB.
    image_size : int or tuple of (height, width), default=None
        Size in pixels to fill up smaller images to, as in `ImageFiles`. None: that of the largest
        image, where videos differ.
    return_X_y : bool, default=False
        Give ``(images, keypoints)`` in place of a Bunch.

    Returns
    -------
    Bunch
        With the fields

        images : ImageFiles of shape (n_samples, height, width, n_channels)
            Images that are read when they are indexed; ``np.asarray(images)`` reads all.
        keypoints : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels; NaN where not labelled.
        visibility : ndarray of shape (n_samples, n_keypoints), int8
            2 where labelled, 0 elsewhere.
        skeleton : Skeleton
            The bodyparts.
        groups : ndarray of shape (n_samples,), str
            The video of each frame, to keep a video's frames together when data are split.
        filenames : ndarray of shape (n_samples,), str
            The image files.

    Raises
    ------
    FileNotFoundError
        If there are no labels, or images are missing.
    ValueError
        If there are several scorers or animals, a file is damaged, a frame is listed twice with
        different labels, or an image is larger than `image_size`.

    See Also
    --------
    read_annotations : Read a DeepPoseKit annotation set.
    ImageFiles : Images in files of their own.

    Notes
    -----
    Coordinates are taken as they are: whole numbers are the centres of pixels. Images are looked
    for in the folders of the videos that the file names, beside its own folder, wherever the
    project was when they were labelled. Nothing in an ``.h5`` file is unpickled.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import cv2
    >>> import numpy as np
    >>> from skpose.datasets import read_deeplabcut
    >>> with TemporaryDirectory() as folder:
    ...     video = Path(folder, "labeled-data", "day1")
    ...     video.mkdir(parents=True)
    ...     _ = cv2.imwrite(str(video / "img0.png"), np.zeros((4, 6), np.uint8))
    ...     _ = (video / "CollectedData_Ann.csv").write_text(
    ...         "scorer,Ann,Ann\\nbodyparts,snout,snout\\ncoords,x,y\\n"
    ...         "labeled-data/day1/img0.png,2.5,1.0\\n"
    ...     )
    ...     project = read_deeplabcut(folder)
    >>> project.keypoints.tolist(), project.skeleton.names, project.groups.tolist()
    ([[[2.5, 1.0]]], ('snout',), ['day1'])
    """
    if skeleton is not None and not isinstance(skeleton, Skeleton):
        raise TypeError(f"skeleton must be a Skeleton or None, but was {skeleton!r}.")
    path = Path(path)
    tables = [_read_labels(file) for file in _find_tables(path, scorer, videos)]
    names = list(dict.fromkeys(name for table in tables for name in table.keypoints))
    if skeleton is None:
        skeleton = Skeleton.from_names(names, guess_swaps=guess_swaps)
    if unknown := [name for name in skeleton.names if name not in names]:
        raise ValueError(
            f"skeleton has the bodyparts {', '.join(unknown)}, which nobody labelled in "
            f"{path}; there are {', '.join(names)}."
        )
    keypoints = np.concatenate([_in_order(table, skeleton.names) for table in tables])
    files = [file for table in tables for file in table.files]
    if not files:
        raise ValueError(f"The label files of {path} list no frames.")
    images = open_listed(files, path, n_channels=n_channels, image_size=image_size)
    _read_one_of_each(images, tables)
    if return_X_y:
        return images, keypoints
    return Bunch(
        images=images,
        keypoints=keypoints,
        visibility=np.where(np.isnan(keypoints).any(axis=2), 0, 2).astype(np.int8),
        skeleton=skeleton,
        groups=np.array([file.parent.name for file in files]),
        filenames=np.array(images.paths),
    )


class _Labels(NamedTuple):
    """The labels of one file."""

    files: list  # of pathlib.Path, the images
    keypoints: dict  # of bodypart: ndarray of shape (n_frames, 2)


def _find_tables(path, scorer, videos):
    """Return the paths of the label files to read, one for each video."""
    if path.is_file() and path.suffix not in (".yaml", ".yml"):
        if scorer is not None or videos is not None:
            raise ValueError(
                f"scorer and videos choose in a project, but {path} is one label file."
            )
        return [path]
    project_dir = path.parent if path.is_file() else path
    folder = project_dir / "labeled-data"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{project_dir} has no folder 'labeled-data'. Give the folder of a DeepLabCut project, "
            "the one with config.yaml in it."
        )
    found = {}
    for suffix in _FORMATS:
        for file in sorted(folder.glob(f"*/{_PREFIX}*{suffix}")):
            found.setdefault(file.stem.removeprefix(_PREFIX), {}).setdefault(file.parent.name, file)
    scorer = _choose_scorer(found, scorer, folder)
    if videos is None:
        videos = sorted(found[scorer])
    unknown = [str(video) for video in videos if str(video) not in found[scorer]]
    if unknown or not len(videos):
        raise FileNotFoundError(
            f"Scorer {scorer!r} has labelled no frames of video(s) {', '.join(unknown)} in "
            f"{folder}, only of {', '.join(sorted(found[scorer]))}."
        )
    return [found[scorer][str(video)] for video in videos]


def _choose_scorer(found, scorer, folder):
    if not found:
        raise FileNotFoundError(
            f"{folder} has no labels: there is no <video>/{_PREFIX}<scorer>.csv or .h5 in it."
        )
    if scorer is None and len(found) > 1:
        raise ValueError(
            f"{folder} has labels of several scorers, {', '.join(sorted(found))}. Choose one with "
            "scorer=..."
        )
    if scorer is not None and scorer not in found:
        raise FileNotFoundError(
            f"{folder} has no labels of scorer {scorer!r}, only of {', '.join(sorted(found))}."
        )
    return next(iter(found)) if scorer is None else scorer


def _read_labels(path):
    table = read_table(path)
    if "individuals" in table.levels:
        raise ValueError(
            f"{path} is of a multi-animal project, with several individuals in a frame, but a pose "
            "is estimated for one. Crop the individuals, or take a single-animal project."
        )
    if table.index and all(str(entry[-1]).isdecimal() for entry in table.index):
        raise ValueError(
            f"{path} has numbered frames, not images: it is a table of poses, which "
            "skpose.poses.read_poses reads."
        )
    values = table.arrange(("x", "y"))  # (n_frames, n_keypoints, 2)
    values[np.isnan(values).any(axis=2)] = np.nan
    files = _find_images(path, [_parts(entry) for entry in table.index])
    kept = _keep_once(path, files, values)
    (names,) = table.places
    keypoints = dict(zip(names, values[kept].swapaxes(0, 1), strict=True))
    return _Labels([files[i] for i in kept], keypoints)


def _parts(entry):
    """Return the parts of an image's path, which is in one column or in several, of any system."""
    cells = [str(cell) for cell in entry if str(cell).strip()]
    return PurePosixPath("/".join(cells).replace("\\", "/")).parts


def _find_images(path, rows):
    """Return the image of each row: in the folder of its video, beside the one of the labels.

    A folder may have been renamed since; then the images lie where the labels lie.
    """
    folders = {parts[-2] for parts in rows if len(parts) > 1}
    here, is_renamed = path.parent, len(folders) == 1
    files = []
    for row, parts in enumerate(rows, 1):
        if not parts:
            raise ValueError(f"{path} names no image in row {row} of its labels.")
        folder = here.parent / parts[-2] if len(parts) > 1 else here
        if is_renamed and not folder.is_dir():
            folder = here
        files.append(folder / parts[-1])
    return files


def _keep_once(path, files, values):
    """Return the rows to keep, each image once; rows of one image must agree."""
    first = {}
    for i, file in enumerate(files):
        j = first.setdefault(file, i)
        if not np.array_equal(values[i], values[j], equal_nan=True):
            raise ValueError(
                f"{path} lists {file.name} twice, in rows {j + 1} and {i + 1}, with different "
                "labels. Delete one of the rows."
            )
    return list(first.values())


def _in_order(table, names):
    """Keypoints of a video in the order of the names, NaN for bodyparts that it does not have."""
    nowhere = np.full((len(table.files), 2), np.nan)
    return np.stack([table.keypoints.get(name, nowhere) for name in names], axis=1)


def _read_one_of_each(images, tables):
    """Read a frame of each video, so that one that differs in channels is an error at once."""
    ends = np.cumsum([len(table.files) for table in tables])
    for last in ends[ends > 0] - 1:
        images[last]
