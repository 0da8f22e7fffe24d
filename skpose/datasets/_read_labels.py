"""Labels of any format, told by what a file holds."""

from __future__ import annotations

from collections.abc import Callable
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils import Bunch

from skpose._boxes import boxes_around
from skpose._hdf5 import open_hdf5
from skpose._label_formats import READ
from skpose._sleap_files import holds_training, is_analysis
from skpose._types import ImageSize, PathLike
from skpose.datasets._annotation_set import read_annotations
from skpose.datasets._coco import read_coco
from skpose.datasets._deeplabcut import read_deeplabcut
from skpose.datasets._label_studio import is_label_studio, read_label_studio
from skpose.datasets._lightning_pose import find_tables, read_lightning_pose
from skpose.datasets._netcdf_labels import read_netcdf_labels
from skpose.datasets._nwb_labels import read_nwb_labels
from skpose.datasets._sleap import read_sleap_labels
from skpose.datasets._yolo import is_yolo_config, read_yolo
from skpose.poses import is_table

if TYPE_CHECKING:
    from skpose.skeleton import Skeleton

__all__ = ["find_format", "read_labels"]

Format = Literal[
    "deepposekit",
    "deeplabcut",
    "lightning_pose",
    "coco",
    "sleap",
    "yolo",
    "labelstudio",
    "nwb",
    "netcdf",
]

_NETCDF_START = b"CDF"  # of netCDF 3; netCDF 4 is HDF5
_HDF5_START = b"\x89HDF\r\n\x1a\n"
_START = 4096  # bytes of a text that tell what it is


def read_labels(
    path: PathLike,
    *,
    format: Format | None = None,
    skeleton: Skeleton | None = None,
    labelled: Literal["annotated", "visible", "all"] | None = None,
    scorer: str | None = None,
    category: str | None = None,
    individuals: str | None = None,
    video_dir: PathLike | None = None,
    image_dir: PathLike | None = None,
    video: PathLike | None = None,
    missing: Literal["unlabelled", "absent"] | None = None,
    n_channels: int | None = None,
    image_size: ImageSize | None = None,
) -> Bunch:
    """Read labelled images of any format; the images stay on disk.

    Parameters
    ----------
    path : path-like
        DeepPoseKit's annotation set (HDF5); a DeepLabCut project, given by its folder, its
        ``config.yaml`` or the label file of a video; a Lightning Pose project, given by its folder
        or the table of a view; a COCO file (JSON); a SLEAP file (``.slp``, ``.pkg.slp``); a dataset
        of YOLO-pose, given by its folder or its ``data.yaml``; an export of Label Studio (JSON); an
        NWB file with labels; or poses in netCDF, with the video that they are of. What it is, is
        told by what it holds, whatever its name.
    format : {"deepposekit", "deeplabcut", "lightning_pose", "coco", "sleap", "yolo", \
"labelstudio", "nwb", "netcdf"}, default=None
        The format. None: found by looking into the file.
    skeleton : Skeleton, default=None
        The bodyparts, in place of the file's own. Their names choose the bodyparts and their order,
        but in an annotation set, whose columns they name.
    labelled : {"annotated", "visible", "all"}, default=None
        Of an annotation set, and of a SLEAP file: which keypoints count as labels, see
        `read_annotations` and `read_sleap_labels`. None: "annotated".
    scorer : str, default=None
        Of a DeepLabCut project: who labelled. None: the only one there is.
    category : str, default=None
        Of COCO and YOLO: the category or class to read. None: the only one with keypoints.
    individuals : str, default=None
        Of formats with several animals in a frame, all but annotation sets, Lightning Pose and
        COCO: "error", "each" or, where they have names, that of one, see `read_deeplabcut`. None:
        "error".
    video_dir : path-like, default=None
        Of SLEAP and NWB: where videos are that have been moved.
    image_dir : path-like, default=None
        Of COCO and Label Studio: where the images are. None: beside the file.
    video : path-like, default=None
        Of netCDF: the video that the poses are of. None: the one that the file names.
    missing : {"unlabelled", "absent"}, default=None
        Of all formats but annotation sets, which tell it themselves: what a bodypart without a
        place is in an image in which others have one. "absent": a person looked for it in vain, so
        its visibility is -1, and a network learns that it is not there. None: "unlabelled".
    n_channels : {1, 3}, default=None
        The channels to read: 1 makes colour images grey. None: as they are.
    image_size : int or tuple of (height, width), default=None
        Of images in files of their own: size in pixels to fill up smaller ones to, at the bottom
        and right. None: that of the largest.

    Returns
    -------
    Bunch
        What the reader of the format returns. Of all formats it has

        images : array-like of shape (n_samples, height, width, n_channels)
            Images that are read when they are indexed.
        keypoints : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels; NaN where not labelled.
        visibility : ndarray of shape (n_samples, n_keypoints), int8
            2 visible, 1 occluded, 0 not labelled, -1 looked for in vain.
        skeleton : Skeleton
            The bodyparts.
        groups : ndarray of shape (n_samples,), or None
            The video of each image, to keep a video's frames together when data are split; None
            where it is not known.
        bboxes : ndarray of shape (n_samples, 4)
            (x, y, width, height) in pixels of the box around each animal: that of the file, or
            around its keypoints; NaN without any.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or images are missing.
    ValueError
        If it holds no labels, or those of a format that is not read, or an option does not apply to
        its format.

    See Also
    --------
    read_annotations : Read DeepPoseKit's annotation set.
    read_deeplabcut : Read a DeepLabCut project.
    read_lightning_pose : Read a Lightning Pose project.
    read_coco : Read a COCO file.
    read_sleap_labels : Read a SLEAP file.
    read_yolo : Read a dataset of YOLO-pose.
    read_label_studio : Read an export of Label Studio.
    read_nwb_labels : Read the labels in an NWB file.
    read_netcdf_labels : Read poses as labels of a video's frames.
    write_labels : Write labels of any format.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import read_labels, write_annotations
    >>> X, y = np.zeros((2, 8, 8, 1), dtype=np.uint8), np.ones((2, 1, 2))
    >>> write_annotations("labels.h5", X, y, skeleton=Skeleton(["head"]))
    >>> read_labels("labels.h5").visibility.tolist()
    [[2], [2]]
    """
    path = Path(path)
    format = find_format(path) if format is None else format
    if format not in _READERS:
        raise ValueError(f"format must be one of {', '.join(_READERS)}, but was {format!r}.")
    read, applicable = _READERS[format]
    options = {
        "skeleton": skeleton,
        "labelled": labelled,
        "scorer": scorer,
        "category": category,
        "individuals": individuals,
        "video_dir": video_dir,
        "image_dir": image_dir,
        "video": video,
        "missing": missing,
        "n_channels": n_channels,
        "image_size": image_size,
    }
    if missing not in (None, "unlabelled", "absent"):
        raise ValueError(f"missing must be 'unlabelled' or 'absent', but was {missing!r}.")
    options = {name: value for name, value in options.items() if value is not None}
    for name in options:
        if name not in applicable:
            raise ValueError(f"{name} does not apply to {path}, which is labels of {format}.")
    options.pop("missing", None)  # of no reader: it is done to what they read
    labels = read(path, **options)
    if missing == "absent":
        is_placed = labels.visibility > 0
        is_absent = ~is_placed & is_placed.any(axis=1, keepdims=True)
        labels.visibility = np.where(is_absent, -1, labels.visibility).astype(np.int8)
    if labels.get("bboxes") is None:
        labels["bboxes"] = boxes_around(labels.keypoints)
    return labels


_READERS: dict[str, tuple[Callable[..., Any], set[str]]] = {
    "deepposekit": (read_annotations, {"skeleton", "labelled", "n_channels"}),
    "deeplabcut": (
        read_deeplabcut,
        {"skeleton", "missing", "scorer", "individuals", "n_channels", "image_size"},
    ),
    "lightning_pose": (read_lightning_pose, {"skeleton", "missing", "n_channels", "image_size"}),
    "coco": (
        read_coco,
        {"skeleton", "missing", "category", "image_dir", "n_channels", "image_size"},
    ),
    "sleap": (
        read_sleap_labels,
        {"skeleton", "missing", "labelled", "individuals", "video_dir", "n_channels"},
    ),
    "yolo": (
        read_yolo,
        {"skeleton", "missing", "category", "individuals", "n_channels", "image_size"},
    ),
    "labelstudio": (
        read_label_studio,
        {"skeleton", "missing", "individuals", "image_dir", "n_channels", "image_size"},
    ),
    "nwb": (read_nwb_labels, {"skeleton", "missing", "individuals", "video_dir", "n_channels"}),
    "netcdf": (read_netcdf_labels, {"skeleton", "missing", "individuals", "video", "n_channels"}),
}


def find_format(path: PathLike) -> str:
    """Find the format of labels by looking at what a file or folder holds.

    Parameters
    ----------
    path : path-like
        The file or folder.

    Returns
    -------
    str
        As `read_labels` takes it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds something else; it says what.

    See Also
    --------
    read_labels : Read labels of any format.

    Examples
    --------
    >>> from skpose.datasets import find_format, make_poses, write_labels
    >>> labels = make_poses(2, image_size=32, random_state=0, return_bunch=True)
    >>> find_format(write_labels("mouse", labels))
    'deeplabcut'
    """
    path = Path(path)
    if path.is_dir():
        if find_tables(path):
            return "lightning_pose"
        if (path / "labeled-data").is_dir():
            return "deeplabcut"
        if (path / "data.yaml").is_file():
            return "yolo"
        raise _unknown(path, "a folder without 'labeled-data' or data.yaml")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    with path.open("rb") as file:
        start = file.read(_START)
    if start.startswith(_HDF5_START):
        return _format_of_hdf5(path)
    if start.startswith(_NETCDF_START):
        return "netcdf"
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = start.decode(encoding, errors="replace").lstrip("\ufeff \t\r\n")
    if text.startswith(("{", "[")):
        return _format_of_json(path)
    if path.suffix in (".yaml", ".yml") and is_yolo_config(_load_yaml(path)):
        return "yolo"
    if text.startswith(("scorer,", "scorer;", "scorer\t")) or _is_config(text):
        return "lightning_pose" if _is_beside_images(path) else "deeplabcut"
    raise _unknown(path, f"a file that begins with {text[:20]!r}" if text else "an empty file")


def _is_beside_images(path):
    """Whether a table is at the root of a project, as Lightning Pose has it."""
    return path.suffix == ".csv" and (path.parent / "labeled-data").is_dir()


def _is_config(text):
    keys = {line.partition(":")[0].strip() for line in text.splitlines()}
    return {"Task", "scorer"} <= keys


def _load_yaml(path):
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeError):
        return None


def _format_of_hdf5(path):
    with open_hdf5(path) as file:
        names = set(file)
        has_table = any(is_table(group) for group in file.values())
        is_predictions = is_analysis(file)
        is_nwb = "nwb_version" in file.attrs
        has_labels = is_nwb and holds_training(file)
    if names & {"annotations", "annotated", "skeleton"}:
        return "deepposekit"
    if has_table:
        return "deeplabcut"
    if is_nwb and not has_labels:
        raise _unknown(path, "an NWB file without PoseTraining, which has no labels")
    if is_nwb:
        return "nwb"
    if {"position", "space"} <= names:
        return "netcdf"
    if is_predictions:
        raise _unknown(path, "an analysis file of SLEAP, which is predictions")
    if {"metadata", "points", "instances"} <= names:
        return "sleap"
    raise _unknown(path, f"HDF5 with {', '.join(sorted(names)[:8]) or 'nothing'}")


def _format_of_json(path):
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON, or cut short: {error}.") from error
    keys = set(content) if isinstance(content, dict) else set()
    if keys & {"images", "annotations", "categories"}:
        return "coco"
    if is_label_studio(content):
        return "labelstudio"
    raise _unknown(path, f"JSON with {', '.join(sorted(keys)[:8]) or 'a list'}")


def _unknown(path, found):
    return ValueError(f"{path} is {found}, not labels that are read: {', '.join(READ.values())}.")
