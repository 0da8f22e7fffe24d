"""Keypoints in the JSON files of Label Studio."""

from __future__ import annotations

import json
from pathlib import Path, PureWindowsPath
import re
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
import warnings

import numpy as np
from sklearn.utils import Bunch

from skpose._files import reading
from skpose._types import ImageSize, PathLike
from skpose.datasets._bodyparts import places_among
from skpose.datasets._image_files import largest, open_listed, read_image_size
from skpose.datasets._moved_files import check_apart
from skpose.datasets._several_animals import check_choice, check_one_each
from skpose.skeleton import Skeleton

__all__ = ["is_label_studio", "read_label_studio"]

_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what Label Studio puts before names of uploaded files
_KEYPOINT, _RELATION = "keypointlabels", "relation"


def read_label_studio(
    path: PathLike,
    *,
    image_dir: PathLike | None = None,
    individuals: Literal["error", "each"] = "error",
    skeleton: Skeleton | None = None,
    guess_swaps: bool = True,
    n_channels: int | None = None,
    image_size: ImageSize | None = None,
) -> Bunch:
    """Read keypoints that were exported from Label Studio; the images stay on disk.

    Parameters
    ----------
    path : path-like
        The file, exported as "JSON".
    image_dir : path-like, default=None
        Folder of the images, which the export does not have in it. Each is looked for by as many of
        its folders as are there, and without what Label Studio puts before the names of uploaded
        files. None: beside the file.
    individuals : {"error", "each"}, default="error"
        What becomes of images with several animals, which are regions that keypoints lie in or are
        related to. "error": they are refused. "each": a sample is an animal in an image, so an
        image occurs as often as it has animals.
    skeleton : Skeleton, default=None
        The skeleton; its names choose the bodyparts and their order. None: all labels of
        keypoints, in the order in which they first occur, without edges.
    guess_swaps : bool, default=True
        If `skeleton` is None, take bodyparts whose names differ only in "left" and "right", or in
        one "L" and "R", for left/right partners.
    n_channels : {1, 3}, default=None
        Channels to read, as in `ImageFiles`: 1 for grey images, also where they are stored as RGB.
    image_size : int or tuple of (height, width), default=None
        Size in pixels to fill up smaller images to, as in `ImageFiles`. None: that of the largest.

    Returns
    -------
    Bunch
        With the fields

        images : ImageFiles of shape (n_samples, height, width, n_channels)
            Images that are read when they are indexed.
        keypoints : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels; NaN where not labelled.
        visibility : ndarray of shape (n_samples, n_keypoints), int8
            2 where labelled, 0 elsewhere.
        skeleton : Skeleton
            The bodyparts.
        groups : None
            Videos are not known.
        filenames : ndarray of shape (n_samples,), str
            The image files.

    Raises
    ------
    FileNotFoundError
        If the file or images are missing.
    ValueError
        If it is no such file, has no keypoints, or a bodypart twice in one animal, or there are
        several animals in an image.

    Warns
    -----
    UserWarning
        If an image was labelled several times. The ground truth is taken, or else what comes first.

    See Also
    --------
    read_labels : Read labels of any format.

    Notes
    -----
    The files have percents of the image's width and height, from its corner: half a pixel is taken
    off, so that whole numbers are the centres of pixels.

    References
    ----------
    https://labelstud.io/tags/keypointlabels

    Examples
    --------
    >>> import json
    >>> from pathlib import Path
    >>> import cv2
    >>> import numpy as np
    >>> from skpose.datasets import read_label_studio
    >>> _ = cv2.imwrite("fly.png", np.zeros((50, 100), np.uint8))
    >>> head = {
    ...     "type": "keypointlabels",
    ...     "original_width": 100,
    ...     "original_height": 50,
    ...     "value": {"x": 20.0, "y": 10.0, "keypointlabels": ["head"]},
    ... }
    >>> task = {"data": {"image": "/data/upload/1/fly.png"}, "annotations": [{"result": [head]}]}
    >>> _ = Path("export.json").write_text(json.dumps([task]))
    >>> read_label_studio("export.json").keypoints.tolist()
    [[[19.5, 4.5]]]
    """
    check_choice(individuals)
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    with reading(path, "an export of Label Studio"):
        tasks = json.loads(path.read_text(encoding="utf-8-sig"))
        animals = [animal for task in tasks for animal in _animals(task, path)]
        if not animals:
            raise ValueError("it has no keypoints")
        names = list(dict.fromkeys(name for animal in animals for name in animal.points))
        own = Skeleton.from_names(names, guess_swaps=guess_swaps)
    found = {animal.image: _find(animal.image, path, image_dir) for animal in animals}
    check_apart(found, path, "image_dir")
    files = [found[animal.image] for animal in animals]
    check_one_each(files, individuals, path)
    skeleton = own if skeleton is None else skeleton
    places_among(skeleton.names, names, path)  # else an error
    nowhere = (np.nan, np.nan)
    shares = np.array(
        [[animal.points.get(name, nowhere) for name in skeleton.names] for animal in animals]
    )
    sizes = _sizes(animals, found, path)
    keypoints = shares * np.array(sizes, dtype=float)[:, np.newaxis, ::-1] - 0.5
    image_size = largest(sizes) if image_size is None else image_size
    images = open_listed(files, path, n_channels=n_channels, image_size=image_size)
    return Bunch(
        images=images,
        keypoints=keypoints,
        visibility=np.where(np.isnan(keypoints).any(axis=2), 0, 2).astype(np.int8),
        skeleton=skeleton,
        groups=None,
        filenames=np.array(images.paths),
    )


class _Animal(NamedTuple):
    image: str  # an address, or a path on some machine
    points: dict  # of bodypart: (x, y), as shares of the image's width and height
    size: tuple  # (width, height) of the image as it was labelled


def is_label_studio(content):
    """Whether what a JSON file holds is an export of Label Studio."""
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and "data" in first and bool(_told(first))


def _told(task):
    """Return by which word a task has its annotations, which has changed; "" without any."""
    return next((word for word in ("annotations", "completions") if word in task), "")


def _animals(task, path):
    """Return the animals that are labelled in a task, which is an image."""
    regions = _regions_of(task, path)
    points = [region for region in regions if region.get("type") == _KEYPOINT]
    if not points:
        return []
    known = {region.get("id") for region in points}
    owners = {}
    for region in regions:
        ends = region.get("from_id"), region.get("to_id")
        if region.get("type") == _RELATION and not known.issuperset(ends):  # else it is an edge
            owners[ends[0]], owners[ends[1]] = ends[1], ends[0]
    animals = {}
    for region in points:
        owner = region.get("parentID") or owners.get(region.get("id"))
        (name, *more), place = region["value"][_KEYPOINT], _share(region)
        animal = animals.setdefault(owner, {})
        if more or name in animal:
            raise ValueError(
                f"{path}: task {task.get('id')} has {name!r} twice, or a keypoint of two names. "
                "Draw a box round each animal, and relate its keypoints to it"
            )
        animal[name] = place
    if len({region.get("to_name") for region in points}) > 1:
        raise ValueError(f"task {task.get('id')} has keypoints in several images, and one is read")
    image = _image_of(task, path)
    size = points[0]["original_width"], points[0]["original_height"]
    return [_Animal(image, places, size) for places in animals.values()]


def _regions_of(task, path):
    """Return what was drawn in a task, by the ground truth or else by whoever came first."""
    told = [one for one in task.get(_told(task)) or [] if not one.get("was_cancelled")]
    if len(told) > 1:
        told.sort(key=lambda one: not one.get("ground_truth"))
        warnings.warn(
            f"{path}: task {task.get('id')} was labelled {len(told)} times. What is marked as "
            "ground truth is read, or else the first.",
            UserWarning,
            stacklevel=4,
        )
    return told[0]["result"] if told else []


def _share(region):
    """Return the place of a keypoint as shares of the image's width and height."""
    if region.get("image_rotation"):
        raise ValueError("it has images that were turned for labelling, which is not read")
    value = region["value"]
    return value["x"] / 100, value["y"] / 100


def _sizes(animals, found, path):
    """Return the (height, width) of each animal's image, which has the shape that was labelled."""
    sizes = {image: read_image_size(file) for image, file in found.items()}
    for animal in animals:
        (height, width), (old_width, old_height) = sizes[animal.image], animal.size
        if abs(width * old_height - height * old_width) > max(width, height, *animal.size):
            raise ValueError(
                f"{path} was labelled in an image of {old_width} x {old_height} pixels (width, "
                f"height), but {found[animal.image]} has {width} x {height}. Is it another image?"
            )
    return [sizes[animal.image] for animal in animals]


def _image_of(task, path):
    """Return what a task says of its image."""
    texts = [value for value in task["data"].values() if isinstance(value, str)]
    named = [text for text in (task["data"].get("image"), task["data"].get("img")) if text]
    if not (named or len(texts) == 1):
        raise ValueError(
            f"{path}: which of {', '.join(task['data']) or 'nothing'} is the image of task "
            f"{task.get('id')} cannot be told; call it 'image'"
        )
    return (named or texts)[0]


def _find(address, path, image_dir):
    """Find an image by as many of its folders as are there."""
    if address.startswith("data:"):
        raise ValueError(
            f"{path} has images in itself, which are not read. Export their addresses."
        )
    parts = urlsplit(address.replace("\\", "/"))
    local = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]  # of "local files"
    names = [name for name in PureWindowsPath(local).parts if name not in ("/", "\\", "..")]
    folder = path.parent if image_dir is None else Path(image_dir)
    tails = [Path(*names[start:]) for start in range(len(names))]
    places = [folder / tail for tail in tails]
    if names:
        places.append(folder / _UPLOADED.sub("", names[-1]))
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(
        f"{path} is of the image {address}, which is not in {folder}. Download the images, and "
        "give their folder as image_dir."
    )
