"""Keypoints in the text files of Ultralytics YOLO-pose."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skpose._files import reading
from skpose._types import ImageSize, PathLike
from skpose.datasets._bodyparts import places_among
from skpose.datasets._image_files import largest, open_listed, read_image_size
from skpose.datasets._several_animals import check_choice, check_one_each
from skpose.skeleton import Skeleton, number_names

__all__ = ["SPLITS", "is_yolo_config", "read_yolo"]

SPLITS = ("train", "val", "test")
_ENDINGS = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
_BOX = 5  # numbers before the keypoints: the class, and the box


def read_yolo(
    path: PathLike,
    *,
    category: str | None = None,
    individuals: Literal["error", "each"] = "error",
    skeleton: Skeleton | None = None,
    n_channels: int | None = None,
    image_size: ImageSize | None = None,
) -> Bunch:
    """Read a dataset of Ultralytics YOLO-pose; the images stay on disk.

    Parameters
    ----------
    path : path-like
        The YAML file that describes the dataset, or the folder that has it as ``data.yaml``.
    category : str, default=None
        The class of animals to read. None: the only one that is labelled.
    individuals : {"error", "each"}, default="error"
        What becomes of images with several animals. "error": they are refused. "each": a sample is
        an animal in an image, so an image occurs as often as it has animals.
    skeleton : Skeleton, default=None
        The skeleton; its names choose the bodyparts and their order. None: the file's.
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
            2 visible, 1 occluded, 0 not labelled.
        skeleton : Skeleton
            The bodyparts. Partners are those of ``flip_idx``; edges, which the format does not
            know, are read where ``skeleton`` lists them.
        groups : None
            Videos are not known.
        splits : ndarray of shape (n_samples,), str
            "train", "val" or "test". An image that is in several is read once.
        bboxes : ndarray of shape (n_samples, 4)
            (x, y, width, height) in pixels of the box around each animal.
        filenames : ndarray of shape (n_samples,), str
            The image files.

    Raises
    ------
    FileNotFoundError
        If the file, or a folder that it names, is missing.
    ValueError
        If it is no such dataset, a line of it is damaged, nothing is labelled, or there are
        several animals or classes and it was not said which to read.

    See Also
    --------
    read_labels : Read labels of any format.
    write_labels : Write labels of any format.

    Notes
    -----
    The files have shares of the image's width and height, from its corner: half a pixel is taken
    off, so that whole numbers are the centres of pixels. Images without an animal are left out. In
    files that do not tell whether a bodypart is there, (0, 0) and what is negative is not labelled.

    References
    ----------
    https://docs.ultralytics.com/datasets/pose

    Examples
    --------
    >>> from pathlib import Path
    >>> import cv2
    >>> import numpy as np
    >>> from skpose.datasets import read_yolo
    >>> for folder in ("images", "labels"):
    ...     Path("mice", folder).mkdir(parents=True)
    >>> _ = cv2.imwrite("mice/images/0.png", np.zeros((50, 100), np.uint8))
    >>> _ = Path("mice/labels/0.txt").write_text("0 0.5 0.5 0.2 0.2 0.5 0.5 2 0 0 0")
    >>> _ = Path("mice/data.yaml").write_text("{train: images, kpt_shape: [2, 3], names: [mouse]}")
    >>> read_yolo("mice").keypoints.tolist()
    [[[49.5, 24.5], [nan, nan]]]
    """
    check_choice(individuals)
    path = Path(path)
    config = path / "data.yaml" if path.is_dir() else path
    if not config.is_file():
        raise FileNotFoundError(f"There is no file {config}.")
    with reading(config, "the description of a YOLO dataset"):
        dataset = _describe(config)
    animals = [
        animal
        for split, image in _list_images(dataset, config)
        for animal in _read_animals(split, image, dataset)
    ]
    animals = _choose_class(animals, dataset.classes, category, path)
    files = [animal.image for animal in animals]
    check_one_each(files, individuals, path)
    keypoints = np.stack([animal.keypoints for animal in animals])
    visibility = np.stack([animal.visibility for animal in animals])
    if skeleton is not None:
        places = places_among(skeleton.names, dataset.skeleton.names, path)
        keypoints, visibility = keypoints[:, places], visibility[:, places]
    if image_size is None:
        image_size = largest([animal.image_size for animal in animals])
    images = open_listed(files, path, n_channels=n_channels, image_size=image_size)
    return Bunch(
        images=images,
        keypoints=keypoints,
        visibility=visibility,
        skeleton=dataset.skeleton if skeleton is None else skeleton,
        groups=None,
        splits=np.array([animal.split for animal in animals]),
        bboxes=np.stack([animal.bbox for animal in animals]),
        filenames=np.array(images.paths),
    )


class _Dataset(NamedTuple):
    """What a YAML file says of a dataset."""

    root: Path
    places: dict  # of splits: list of str, folders of images, or files that list them
    skeleton: Skeleton
    n_numbers: int  # of each keypoint: 2, or 3 with its visibility
    classes: dict  # of int: str


class _Animal(NamedTuple):
    """One line of a file."""

    split: str
    image: Path
    image_size: tuple  # (height, width)
    category: int
    bbox: NDArray[np.float64]
    keypoints: NDArray[np.float64]
    visibility: NDArray[np.int8]


def is_yolo_config(content):
    """Whether what a YAML file holds describes a dataset with keypoints."""
    return isinstance(content, dict) and "kpt_shape" in content


def _describe(config):
    import yaml

    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    if not is_yolo_config(content):
        raise ValueError("it has no kpt_shape, so it is of no dataset with keypoints")
    n_keypoints, n_numbers = (int(number) for number in content["kpt_shape"])
    if n_keypoints < 1 or n_numbers not in (2, 3):
        raise ValueError(f"kpt_shape must be [n, 2] or [n, 3], but is {content['kpt_shape']}")
    names = content.get("names") or {0: "animal"}
    classes = dict(enumerate(names) if isinstance(names, list) else names)
    root = config.parent / str(content.get("path") or "")
    return _Dataset(
        root=root if root.is_dir() else config.parent,  # which may have been moved
        places={
            split: places if isinstance(places, list) else [places]
            for split in SPLITS
            if (places := content.get(split))
        },
        skeleton=_skeleton(content, n_keypoints),
        n_numbers=n_numbers,
        classes={int(number): str(name) for number, name in classes.items()},
    )


def _skeleton(content, n_keypoints):
    """Return the skeleton, with what a file, or one of sleap-io's, says of names and edges."""
    names = content.get("kpt_names") or content.get("node_names")
    if isinstance(names, dict):  # of each class its own
        names = next(iter(names.values()))
    names = [str(name) for name in names] if names else number_names(n_keypoints)
    parents = [None] * n_keypoints
    for parent, child in content.get("skeleton") or ():
        if parents[child] is None:
            parents[child] = int(parent)
    flips = content.get("flip_idx") or range(n_keypoints)
    swaps = [None if int(flip) == k else int(flip) for k, flip in enumerate(flips)]
    return Skeleton(names, parents, swaps)


def _list_images(dataset, config):
    """Yield the split and the file of each image, once."""
    seen = set()
    for split, places in dataset.places.items():
        for place in places:
            found = dataset.root / str(place)
            if not found.exists():  # as Roboflow writes it, and Ultralytics reads it
                found = dataset.root / str(place).removeprefix("../")
            if found.is_dir():
                files = [f for f in sorted(found.rglob("*")) if f.suffix.lower() in _ENDINGS]
            elif found.is_file() and found.suffix == ".txt":
                lines = found.read_text(encoding="utf-8").splitlines()
                files = [found.parent / line.strip() for line in lines if line.strip()]
            else:
                raise FileNotFoundError(f"{config} names {place} as {split}, which is not there.")
            for file in files:
                if file.resolve() not in seen:
                    seen.add(file.resolve())
                    yield split, file


def _labels_of(image):
    """Return the file of an image's labels: that in "labels" where the image is in "images"."""
    parts = list(image.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _read_animals(split, image, dataset):
    """Return the animals in an image, none if it has no file of labels."""
    path = _labels_of(image)
    if not path.is_file():
        return []
    with reading(path, "labels of YOLO"):
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        rows = [[float(number) for number in line] for line in lines if line]
        if not rows:
            return []
        n_numbers = _BOX + len(dataset.skeleton) * dataset.n_numbers
        if wrong := [len(row) for row in rows if len(row) != n_numbers]:
            raise ValueError(
                f"a line has {wrong[0]} numbers, but a class, a box and {len(dataset.skeleton)} "
                f"keypoints of {dataset.n_numbers} are {n_numbers}"
            )
        if not np.isfinite(rows).all():
            raise ValueError("a number is infinite or none")
        image_size = read_image_size(image)
        return [_animal(split, image, image_size, np.array(row), dataset) for row in rows]


def _animal(split, image, image_size, row, dataset):
    size = np.array(image_size[::-1], dtype=float)  # (width, height)
    points = row[_BOX:].reshape(-1, dataset.n_numbers)
    if dataset.n_numbers == 3:
        visibility = points[:, 2].astype(np.int8)
        if not np.isin(points[:, 2], (0, 1, 2)).all():
            raise ValueError("a visibility is not 0, 1 or 2")
    else:
        is_there = (points >= 0).all(axis=1) & (points > 0).any(axis=1)
        visibility = np.where(is_there, 2, 0).astype(np.int8)
    keypoints = points[:, :2] * size - 0.5
    keypoints[visibility == 0] = np.nan
    center, extent = row[1:3] * size, row[3:5] * size
    bbox = np.concatenate([center - extent / 2 - 0.5, extent])
    return _Animal(split, image, image_size, int(row[0]), bbox, keypoints, visibility)


def _choose_class(animals, classes, name, path):
    found = {classes.get(animal.category, str(animal.category)) for animal in animals}
    if not found:
        raise ValueError(f"{path} has no image in which an animal is labelled.")
    if name is None and len(found) > 1 or name is not None and name not in found:
        raise ValueError(
            f"{path} has animals of the classes {', '.join(sorted(found))}; category must name one "
            f"of them, but was {name!r}."
        )
    return [
        animal
        for animal in animals
        if name in (None, classes.get(animal.category, str(animal.category)))
    ]
