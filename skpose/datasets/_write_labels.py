"""Labels in the formats of other programs, told by what a file is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from skpose._files import begins_with, check_no_folder, check_output
from skpose._label_formats import FOLDER, WRITTEN
from skpose._sleap_files import is_own
from skpose._types import PathLike
from skpose.datasets._annotation_changes import check_new, write_annotations
from skpose.datasets._write_coco import START, images_beside, write_coco
from skpose.datasets._write_deeplabcut import write_deeplabcut, write_lightning_pose
from skpose.datasets._write_sleap import write_sleap
from skpose.datasets._write_yolo import write_yolo

if TYPE_CHECKING:
    from sklearn.utils import Bunch

__all__ = ["check_labels_path", "write_labels"]

Format = Literal["deepposekit", "deeplabcut", "lightning_pose", "coco", "sleap", "yolo"]


def _write_set(path, labels, *, overwrite):
    videos, groups = labels.get("videos"), labels.get("groups")
    if videos is None and groups is not None and np.asarray(groups).dtype.kind == "U":
        videos = groups  # so that they are kept together when they are divided
    numbers, people = labels.get("frame_numbers"), labels.get("annotators")
    if videos is not None and numbers is None:
        numbers = np.full(len(videos), -1)
    write_annotations(
        path,
        labels.images,
        labels.keypoints,
        skeleton=labels.skeleton,
        annotated=labels.visibility != 0,
        occluded=labels.visibility == 1,
        annotators=None if people is None else np.where(labels.visibility != 0, people, ""),
        videos=videos,
        frame_numbers=None if videos is None else numbers,
        overwrite=overwrite,
    )


_BY_ENDING = {
    **{Path(f"x{ending}").suffix: format for format, ending in WRITTEN.items() if ending},
    FOLDER: "deeplabcut",
}
_WRITERS = {
    "deepposekit": _write_set,
    "deeplabcut": write_deeplabcut,
    "lightning_pose": write_lightning_pose,
    "coco": write_coco,
    "sleap": write_sleap,
    "yolo": write_yolo,
}
# What tells that skpose has written a file, so that it may be replaced.
_IS_OWN = {"coco": begins_with(START), "sleap": is_own("labels")}


def write_labels(
    path: PathLike, labels: Bunch, *, format: Format | None = None, overwrite: bool = False
) -> Path:
    """Write labelled images in the format of another program.

    The file or folder appears when it is complete. Images are written as they are given, a few at a
    time: they may be larger than memory.

    Parameters
    ----------
    path : path-like
        ``.h5`` for DeepPoseKit's annotation set, a folder for a project of DeepLabCut or Lightning
        Pose and for YOLO, ``.json`` for COCO, whose images go into a folder beside it, ``.pkg.slp``
        for SLEAP, with the images in it.
    labels : Bunch
        What `read_labels` returns: ``images``, ``keypoints``, ``visibility`` and ``skeleton``, and
        where they are known ``videos`` or ``groups``, ``frame_numbers`` and ``filenames``, from
        which images have their names.
    format : {"deepposekit", "deeplabcut", "lightning_pose", "coco", "sleap", "yolo"}, default=None
        The format. None: by the ending of `path`; a folder is a DeepLabCut project.
    overwrite : bool, default=False
        Replace the file if it exists, and skpose has written it. Folders, with images that may be a
        person's only ones, are never replaced.

    Returns
    -------
    pathlib.Path
        The file or folder.

    Raises
    ------
    FileExistsError
        If it exists and `overwrite` is False, or it is a folder.
    ImportError
        If sleap-io is needed and not installed.
    ValueError
        If the format is none or cannot be told, or `labels` lacks something.

    See Also
    --------
    read_labels : Read labels of any format.
    write_annotations : Write an annotation set.

    Notes
    -----
    Coordinates are written as they are, in full: all of these formats but YOLO count from the
    centre of the first pixel. COCO's boxes count from its corner, and are written so. YOLO has
    shares of the image's size, from its corner: they come back to within 1e-9 px, and what lies
    outside of the image is not labelled, with a warning. Where labels have ``splits``, as
    `read_yolo` gives them, they stay; else all is for training, and "val", which Ultralytics asks
    for, is the same.

    What a format has no place for is lost. All but annotation sets, SLEAP and YOLO lose partners,
    which are guessed from names when they are read; DeepLabCut, Lightning Pose and SLEAP do not
    tell an occluded keypoint from one that can be seen; and none but an annotation set one that was
    looked for in vain from one that nobody has looked at. Lightning Pose has no edges. In
    DeepLabCut and COCO a bodypart has one parent, or is connected to one.

    Examples
    --------
    >>> from skpose.datasets import make_poses, read_labels, write_labels
    >>> labels = make_poses(4, image_size=32, random_state=0, return_bunch=True)
    >>> _ = write_labels("mouse", labels)  # a DeepLabCut project
    >>> project = read_labels("mouse")
    >>> bool((project.keypoints == labels.keypoints).all()), len(project.images)
    (True, 4)
    """
    path = Path(path)
    format = check_labels_path(path, format=format, overwrite=overwrite)
    labels = _check(labels)
    _WRITERS[format](path, labels, overwrite=overwrite)
    return path


def check_labels_path(path: PathLike, *, format: str | None = None, overwrite: bool = False) -> str:
    """Check that labels can be written to a place, before any work starts.

    Parameters
    ----------
    path : path-like
        The file or folder.
    format : str, default=None
        As `write_labels` takes it.
    overwrite : bool, default=False
        Whether a file may exist.

    Returns
    -------
    str
        The format.

    Raises
    ------
    FileExistsError
        If it exists and may not, or it is a folder.
    FileNotFoundError
        If there is no folder to write it in.
    ValueError
        If the format is none or cannot be told.

    Examples
    --------
    >>> from skpose.datasets import check_labels_path
    >>> check_labels_path("mouse.json")
    'coco'
    """
    path = Path(path)
    if format is None:
        format = _BY_ENDING.get(path.suffix.lower())
    if format is None:
        raise ValueError(
            f"What {path} is to be is not known: labels are written to .h5 (an annotation set), "
            ".json (COCO), .pkg.slp (SLEAP) or a folder (DeepLabCut, or give the format)."
        )
    if format not in _WRITERS:
        raise ValueError(f"format must be one of {', '.join(_WRITERS)}, but was {format!r}.")
    if format == "deepposekit":
        check_new(path, overwrite)
    elif WRITTEN[format] == FOLDER:
        check_no_folder(path)
    else:
        if format == "coco":
            check_no_folder(images_beside(path))
        endings = [Path(f"x{WRITTEN[format]}").suffix]
        is_same = _IS_OWN[format]
        check_output(path, what="Labels", endings=endings, overwrite=overwrite, is_same=is_same)
    return format


def _check(labels):
    """Return labels with what all formats need."""
    missing = [name for name in ("images", "keypoints", "skeleton") if labels.get(name) is None]
    if missing:
        raise ValueError(f"labels need {' and '.join(missing)}, as read_labels gives them.")
    if not len(labels.keypoints):
        raise ValueError("There are no labels to write.")
    if labels.get("visibility") is None:
        seen = np.isfinite(labels.keypoints).all(axis=2)
        labels = type(labels)(**{**labels, "visibility": np.where(seen, 2, 0).astype(np.int8)})
    return labels
