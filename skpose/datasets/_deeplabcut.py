"""DeepLabCut projects, and those of Lightning Pose, whose tables are the same."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple, overload
import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skpose._types import ImageSize, PathLike, Rows
from skpose.datasets._bodyparts import skeleton_of_edges
from skpose.datasets._image_files import open_listed
from skpose.poses import read_table
from skpose.skeleton import Skeleton

_PREFIX = "CollectedData_"
_FORMATS = (".csv", ".h5")  # the first is preferred: people can read it
_SINGLE = "single"  # DeepLabCut's individual that has the bodyparts which are no animal's


@overload
def read_deeplabcut(
    path: PathLike,
    *,
    scorer: str | None = None,
    videos: Sequence[str] | None = None,
    individuals: str = "error",
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
    individuals: str = "error",
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
    individuals: str = "error",
    skeleton: Skeleton | None = None,
    guess_swaps: bool = True,
    n_channels: int | None = None,
    image_size: ImageSize | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[Rows, NDArray[np.float64]]:
    """Read the labelled frames of a DeepLabCut project; the images stay on disk.

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
    individuals : str, default="error"
        What becomes of projects with several animals. "error": they are refused. "each": a sample
        is an animal in a frame, so an image occurs as often as it has labelled animals. Else the
        name of the animal to read. Bodyparts of DeepLabCut's "single", which are no animal's, are
        read under that name only.
    skeleton : Skeleton, default=None
        The skeleton; its names choose the bodyparts and their order. None: all bodyparts in the
        order of the files, with the edges that ``config.yaml`` names.
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
        individuals : ndarray of shape (n_samples,), str
            The animal of each sample; "" in projects of one.
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
    files = _find_tables(path, scorer, videos)
    bunch = read_tables(
        files,
        path,
        config=_config_of(path),
        individuals=individuals,
        skeleton=skeleton,
        guess_swaps=guess_swaps,
        n_channels=n_channels,
        image_size=image_size,
    )
    return (bunch.images, bunch.keypoints) if return_X_y else bunch


def read_tables(
    tables, path, *, config, individuals, skeleton, guess_swaps, n_channels, image_size
):
    """Read label files, and open the images that they list.

    Parameters
    ----------
    tables : sequence of pathlib.Path
        The files.
    path : pathlib.Path
        What the user named, for messages.
    config : pathlib.Path or None
        The project's ``config.yaml``, which may name edges.
    individuals, skeleton, guess_swaps, n_channels, image_size
        As in `read_deeplabcut`.

    Returns
    -------
    Bunch
    """
    tables = [_read_labels(file, individuals) for file in tables]
    names = list(dict.fromkeys(name for table in tables for name in table.keypoints))
    if skeleton is None:
        skeleton = skeleton_of_edges(names, _edges(config, names), guess_swaps=guess_swaps)
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
    return Bunch(
        images=images,
        keypoints=keypoints,
        visibility=np.where(np.isnan(keypoints).any(axis=2), 0, 2).astype(np.int8),
        skeleton=skeleton,
        groups=np.array([file.parent.name for file in files]),
        individuals=np.array([name for table in tables for name in table.individuals]),
        filenames=np.array(images.paths),
    )


class _Labels(NamedTuple):
    """The labels of one file."""

    files: list  # of pathlib.Path, the image of each sample
    individuals: list  # of str, the animal of each sample; "" where there is one
    keypoints: dict  # of bodypart: ndarray of shape (n_samples, 2)


def _config_of(path):
    """Return the configuration of the project that a path is in, whether there is one or not."""
    if path.suffix in (".yaml", ".yml"):
        return path
    folder = path if path.is_dir() else path.parent.parent.parent  # labeled-data/<video>/<table>
    return folder / "config.yaml"


def _edges(config, names):
    """Return the edges that a configuration names between bodyparts, (child, parent) positions."""
    import yaml

    if config is None or not config.is_file():
        return []
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
        pairs = [tuple(map(str, pair)) for pair in content.get("skeleton") or []]
    except (yaml.YAMLError, AttributeError, TypeError, UnicodeError) as error:
        said = " ".join(str(error).split())
        warnings.warn(
            f"The skeleton in {config} cannot be read, so there are no edges: {said}.",
            UserWarning,
            stacklevel=4,
        )
        return []
    # DeepLabCut fills in an example, of bodyparts that a project need not have.
    known = [pair for pair in pairs if len(pair) == 2 and set(pair) <= set(names)]
    return [(names.index(child), names.index(parent)) for parent, child in known]


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


def _read_labels(path, individuals):
    table = read_table(path)
    if table.index and all(str(entry[-1]).isdecimal() for entry in table.index):
        raise ValueError(
            f"{path} has numbered frames, not images: it is a table of poses, which "
            "skpose.poses.read_poses reads."
        )
    values = table.arrange(("x", "y"))  # (n_frames, [n_individuals,] n_keypoints, 2)
    values[np.isnan(values).any(axis=-1)] = np.nan
    files = _find_images(path, [_parts(entry) for entry in table.index])
    kept = _keep_once(path, files, values)
    files, values = [files[i] for i in kept], values[kept]
    if "individuals" not in table.levels:
        (names,) = table.places
        keypoints = dict(zip(names, values.swapaxes(0, 1), strict=True))
        return _Labels(files, [""] * len(files), keypoints)
    return _choose_individuals(path, table, files, values, individuals)


def _choose_individuals(path, table, files, values, individuals):
    """Return the labels of one animal, or of each as a sample of its own."""
    animals, names = table.places
    if individuals not in ("each", *animals):
        raise ValueError(
            f"{path} is of a multi-animal project, with several individuals in a frame, but a pose "
            f'is estimated for one. individuals="each" makes a sample of each of '
            f"{', '.join(animals)}, and the name of one reads that one; it was {individuals!r}."
        )
    chosen = [k for k, animal in enumerate(animals) if individuals in (animal, "each")]
    if individuals == "each" and len(animals) > 1:
        chosen = [k for k in chosen if animals[k] != _SINGLE]
    has = {column[1:-1] for column in table.columns}
    own = [j for j, name in enumerate(names) if any((animals[k], name) in has for k in chosen)]
    values = values[:, chosen][:, :, own]
    is_labelled = np.isfinite(values).any(axis=(2, 3)) | (individuals != "each")
    rows, places = np.nonzero(is_labelled)
    return _Labels(
        [files[row] for row in rows],
        [animals[chosen[place]] for place in places],
        {names[j]: values[rows, places, i] for i, j in enumerate(own)},
    )


def _parts(entry):
    """Return the parts of an image's path, which is in one column or in several, of any system."""
    cells = [str(cell) for cell in entry if str(cell).strip()]
    return PurePosixPath("/".join(cells).replace("\\", "/")).parts


def _find_images(path, rows):
    """Return the image of each row: in the folder of its video, beside the one of the labels.

    A folder may have been renamed since; then the images lie where the labels lie. Lightning Pose
    has its table at the project's root, from which it names the images.
    """
    folders = {parts[-2] for parts in rows if len(parts) > 1}
    here, is_renamed = path.parent, len(folders) == 1
    files = []
    for row, parts in enumerate(rows, 1):
        if not parts:
            raise ValueError(f"{path} names no image in row {row} of its labels.")
        folder = here.parent / parts[-2] if len(parts) > 1 else here
        if len(parts) > 2 and here.joinpath(*parts[-3:-1]).is_dir():
            folder = here.joinpath(*parts[-3:-1])
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
