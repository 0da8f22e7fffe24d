"""DeepLabCut projects."""

import csv
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch

from skpose.datasets._image_files import ImageFiles
from skpose.skeleton import Skeleton

_PREFIX = "CollectedData_"
_FORMATS = (".csv", ".h5")  # the first is preferred: it needs no PyTables
_HEADER = ("scorer", "individuals", "bodyparts", "coords")


def read_deeplabcut(
    project_dir,
    *,
    scorer=None,
    videos=None,
    skeleton=None,
    guess_swaps=True,
    n_channels=None,
    image_size=None,
    return_X_y=False,
):
    """Read the labelled frames of a single-animal DeepLabCut project; the images stay on disk.

    Read are ``labeled-data/<video>/CollectedData_<scorer>.csv``, or where there is none the ``.h5``
    file of that name.

    Parameters
    ----------
    project_dir : path-like
        The project's folder, which has ``labeled-data`` in it.
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
    image_size : tuple of (height, width), default=None
        Size in pixels to fill up smaller images to, as in `ImageFiles`, for videos of different
        sizes.
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
        If there are several scorers or animals, a file is damaged or videos differ in size.
    ImportError
        If an ``.h5`` file must be read and PyTables is not installed.

    See Also
    --------
    read_annotations : Read a DeepPoseKit annotation set.
    ImageFiles : Images in files of their own.

    Notes
    -----
    Coordinates are taken as they are: whole numbers are the centres of pixels. Images are looked
    for beside the file that lists them, wherever the project was when they were labelled. An
    ``.h5`` file of DeepLabCut contains pickled objects, which can run code when they are read: read
    only those that you trust.

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
    tables = [_read_table(path) for path in _find_tables(Path(project_dir), scorer, videos)]
    names = list(dict.fromkeys(name for table in tables for name in table.keypoints))
    if skeleton is None:
        skeleton = Skeleton.from_names(names, guess_swaps=guess_swaps)
    if unknown := [name for name in skeleton.names if name not in names]:
        raise ValueError(
            f"skeleton has the bodyparts {', '.join(unknown)}, which nobody labelled in "
            f"{project_dir}; there are {', '.join(names)}."
        )
    keypoints = np.concatenate([_in_order(table, skeleton.names) for table in tables])
    files = [table.path.parent / file for table in tables for file in table.files]
    if not files:
        raise ValueError(f"The label files of {project_dir} list no frames.")
    images = ImageFiles(files, n_channels=n_channels, image_size=image_size)
    _check_sizes(images, tables)
    if return_X_y:
        return images, keypoints
    return Bunch(
        images=images,
        keypoints=keypoints,
        skeleton=skeleton,
        groups=np.array([table.path.parent.name for table in tables for _ in table.files]),
        filenames=np.array(images.paths),
    )


class _Table(NamedTuple):
    """The labels of one video."""

    path: Path
    files: list  # names of the images, in the folder of `path`
    keypoints: dict  # of bodypart: ndarray of shape (n_frames, 2)


def _find_tables(project_dir, scorer, videos):
    """Paths of the label files to read, one for each video."""
    folder = project_dir / "labeled-data"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{project_dir} has no folder 'labeled-data'. Give the folder of a DeepLabCut project, "
            "the one with config.yaml in it."
        )
    found = {}
    for suffix in _FORMATS:
        for path in sorted(folder.glob(f"*/{_PREFIX}*{suffix}")):
            found.setdefault(path.stem.removeprefix(_PREFIX), {}).setdefault(path.parent.name, path)
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


def _read_table(path):
    header, rows = (_read_csv if path.suffix == ".csv" else _read_hdf)(path)
    if "individuals" in header:
        raise ValueError(
            f"{path} is of a multi-animal project, with several individuals in a frame, but a pose "
            "is estimated for one. Crop the individuals, or take a single-animal project."
        )
    if not {"bodyparts", "coords"} <= set(header):
        raise ValueError(
            f"{path} is not a table of DeepLabCut: its first rows must be scorer, bodyparts and "
            f"coords, but are {', '.join(header) or 'others'}."
        )
    values = np.array([row[1] for row in rows], dtype=float).reshape(-1, len(header["coords"]))
    columns = {
        name: values[:, j]
        for j, name in enumerate(zip(header["bodyparts"], header["coords"], strict=True))
    }
    keypoints = {}
    for bodypart in dict.fromkeys(header["bodyparts"]):
        if (bodypart, "x") not in columns or (bodypart, "y") not in columns:
            raise ValueError(f"{path} lacks the x or y column of bodypart {bodypart!r}.")
        keypoints[bodypart] = np.stack([columns[bodypart, axis] for axis in "xy"], axis=1)
    return _Table(path, [row[0] for row in rows], keypoints)


def _read_csv(path):
    """Header and rows of a CSV file: labels of the columns, and (file, values) of each frame."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = [line for line in csv.reader(file) if any(line)]
    n_header = next((i for i, line in enumerate(lines) if line[0] not in _HEADER), len(lines))
    if n_header == 0:
        return {}, []
    # older projects have the image in one column, newer ones folder, video and image in three
    n_index = next((j for j, cell in enumerate(lines[0][1:], 1) if cell), 1)
    header = {line[0]: line[n_index:] for line in lines[:n_header]}
    rows = []
    for line in lines:
        if len(line) != len(lines[0]):
            raise ValueError(
                f"{path} is damaged or cut short: the row of {line[0]!r} has {len(line)} cells, "
                f"but the first row {len(lines[0])}."
            )
    for line in lines[n_header:]:
        try:
            values = [float(cell) if cell.strip() else np.nan for cell in line[n_index:]]
        except ValueError as error:
            raise ValueError(f"{path}, frame {line[n_index - 1]!r}: {error}.") from None
        rows.append((_file_name(line[n_index - 1]), values))
    return header, rows


def _read_hdf(path):
    """Header and rows of an HDF5 file of pandas, as `_read_csv` gives them."""
    import pandas as pd

    try:
        import tables  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"Reading {path} needs PyTables: `pip install skpose[dlc]`. It is not needed if the "
            "CSV file of the same name lies beside it.",
            name="tables",
        ) from error
    frame = pd.read_hdf(path)
    levels = _HEADER if frame.columns.nlevels == len(_HEADER) else (_HEADER[0], *_HEADER[2:])
    header = dict(zip(levels, zip(*frame.columns, strict=True), strict=True))
    files = [_file_name(index[-1] if isinstance(index, tuple) else index) for index in frame.index]
    return header, list(zip(files, frame.to_numpy(dtype=float), strict=True))


def _file_name(path):
    return PurePosixPath(path.replace("\\", "/")).name


def _in_order(table, names):
    """Keypoints of a video in the order of the names, NaN for bodyparts that it does not have."""
    nowhere = np.full((len(table.files), 2), np.nan)
    keypoints = np.stack([table.keypoints.get(name, nowhere) for name in names], axis=1)
    keypoints[np.isnan(keypoints).any(axis=2)] = np.nan
    return keypoints


def _check_sizes(images, tables):
    """Read a frame of each video, so that a video of another size is an error at once."""
    ends = np.cumsum([len(table.files) for table in tables])
    for last in ends[ends > 0] - 1:
        images[last]
