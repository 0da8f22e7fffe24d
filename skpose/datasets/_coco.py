"""Keypoints in the JSON format of COCO."""

import json
from pathlib import Path
from typing import Literal, overload
import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skpose._files import reading
from skpose._types import ImageSize, PathLike, Rows
from skpose.datasets._bodyparts import places_among, skeleton_of_edges
from skpose.datasets._image_files import open_listed
from skpose.skeleton import Skeleton


@overload
def read_coco(
    path: PathLike,
    *,
    image_dir: PathLike | None = None,
    category: str | None = None,
    skeleton: Skeleton | None = None,
    guess_swaps: bool = True,
    n_channels: int | None = None,
    image_size: ImageSize | None = None,
    return_X_y: Literal[False] = False,
) -> Bunch: ...


@overload
def read_coco(
    path: PathLike,
    *,
    image_dir: PathLike | None = None,
    category: str | None = None,
    skeleton: Skeleton | None = None,
    guess_swaps: bool = True,
    n_channels: int | None = None,
    image_size: ImageSize | None = None,
    return_X_y: Literal[True],
) -> tuple[Rows, NDArray[np.float64]]: ...


def read_coco(
    path: PathLike,
    *,
    image_dir: PathLike | None = None,
    category: str | None = None,
    skeleton: Skeleton | None = None,
    guess_swaps: bool = True,
    n_channels: int | None = None,
    image_size: ImageSize | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[Rows, NDArray[np.float64]]:
    """Read keypoints from a COCO JSON file, a sample for each annotated animal.

    Parameters
    ----------
    path : path-like
        The JSON file.
    image_dir : path-like, default=None
        Folder of the image files. None: that of the JSON file.
    category : str, default=None
        Name of the category to read. None: the only one with keypoints.
    skeleton : Skeleton, default=None
        The skeleton; its names choose the bodyparts and their order. None: the file's.
    guess_swaps : bool, default=True
        Take bodyparts whose names differ only in "left" and "right", or in one "L" and "R", for
        left/right partners; the format knows none.
    n_channels : {1, 3}, default=None
        Channels to read, as in `ImageFiles`: 1 for grey images, also where they are stored as RGB.
    image_size : int or tuple of (height, width), default=None
        Size in pixels to fill up smaller images to, as in `ImageFiles`. None: that of the largest
        image.
    return_X_y : bool, default=False
        Give ``(images, keypoints)`` in place of a Bunch.

    Returns
    -------
    Bunch
        With the fields

        images : ImageFiles of shape (n_samples, height, width, n_channels)
            Images that are read when they are indexed; ``np.asarray(images)`` reads all.
        keypoints : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels; NaN where not labelled (visibility 0).
        visibility : ndarray of shape (n_samples, n_keypoints), int8
            2 visible, 1 occluded, 0 not labelled.
        skeleton : Skeleton
            The bodyparts.
        groups : ndarray of shape (n_samples,), int
            The id of each sample's image, to keep the animals of an image together when data are
            split.
        filenames : ndarray of shape (n_samples,), str
            The image files.
        bboxes : ndarray of shape (n_samples, 4)
            (x, y, width, height) in pixels of the box around each animal, in the coordinates of
            the keypoints; NaN if there is none.

    Raises
    ------
    FileNotFoundError
        If the file or images are missing.
    ValueError
        If the file has no keypoints, or those of several categories.

    Warns
    -----
    UserWarning
        If there are several animals in an image; or if the file's edges form a cycle, as parents
        cannot.

    See Also
    --------
    read_annotations : Read a DeepPoseKit annotation set.
    read_deeplabcut : Read a DeepLabCut project.

    Notes
    -----
    Keypoints are taken as they are: whole numbers are the centres of pixels. Boxes are counted from
    the corner of the first pixel in the file, so half a pixel is taken off. CVAT counts keypoints
    so too, which its files do not tell: take half a pixel off these yourself. Animals without any
    labelled keypoint, and crowds, are left out.

    Examples
    --------
    >>> import json
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import cv2
    >>> import numpy as np
    >>> from skpose.datasets import read_coco
    >>> content = {
    ...     "images": [{"id": 7, "file_name": "7.png"}],
    ...     "categories": [{"id": 1, "name": "fly", "keypoints": ["head", "tail"]}],
    ...     "annotations": [{"image_id": 7, "category_id": 1, "keypoints": [2, 1, 2, 0, 0, 0]}],
    ... }
    >>> with TemporaryDirectory() as folder:
    ...     _ = cv2.imwrite(f"{folder}/7.png", np.zeros((4, 6), np.uint8))
    ...     _ = Path(folder, "flies.json").write_text(json.dumps(content))
    ...     flies = read_coco(f"{folder}/flies.json")
    >>> flies.keypoints.tolist()
    [[[2.0, 1.0], [nan, nan]]]
    """
    path = Path(path)
    with reading(path, "a COCO file"):
        content = _load(path)
        category, animals = _choose_animals(content, category, path)
        table = _keypoints(animals, len(category["keypoints"]), path)
        if skeleton is None:
            skeleton = _skeleton(category, guess_swaps, path)
        table = table[:, places_among(skeleton.names, category["keypoints"], path)]
        ids = [animal["image_id"] for animal in animals]
        files = _find_files(content["images"], ids, path, image_dir)
        bboxes = np.array([animal.get("bbox") or [np.nan] * 4 for animal in animals], dtype=float)
        bboxes[:, :2] -= 0.5
    if len(set(ids)) < len(ids):
        warnings.warn(
            f"{path} has images with several animals: each animal is a sample, and its image "
            "occurs as often. Crop the images to `bboxes` before you learn from them.",
            UserWarning,
            stacklevel=2,
        )
    images = open_listed(files, path, n_channels=n_channels, image_size=image_size)
    keypoints = table[..., :2]
    if return_X_y:
        return images, keypoints
    return Bunch(
        images=images,
        keypoints=keypoints,
        visibility=table[..., 2].astype(np.int8),
        skeleton=skeleton,
        groups=_as_groups(ids),
        filenames=np.array(images.paths),
        bboxes=bboxes,
    )


def _load(path):
    with path.open(encoding="utf-8-sig") as file:
        try:
            content = json.load(file)
        except ValueError as error:
            raise ValueError(f"{path} is not JSON, or cut short: {error}.") from error
    keys = ("images", "annotations", "categories")
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise ValueError(f"{path} is not a COCO file: it has no {' or '.join(missing)}.")
    return content


def _choose_animals(content, name, path):
    """Return the category to read, and its annotations that have labelled keypoints."""
    found = [category for category in content["categories"] if category.get("keypoints")]
    names = [category["name"] for category in found]
    chosen = [category for category in found if name in (None, category["name"])]
    if len(chosen) != 1:
        raise ValueError(
            f"{path} has keypoints of the categories {', '.join(names) or '(none)'}; category must "
            f"name one of them, but was {name!r}."
        )
    (category,) = chosen
    only = category["id"] if len(content["categories"]) == 1 else None  # files may leave it out
    animals = [
        animal
        for animal in content["annotations"]
        if animal.get("category_id", only) == category["id"] and _is_labelled(animal, path)
    ]
    if not animals:
        raise ValueError(f"{path} has no labelled keypoints of {category['name']!r}.")
    return category, animals


def _is_labelled(animal, path):
    numbers = animal.get("keypoints") or ()
    if not all(isinstance(number, int | float) for number in numbers):
        raise ValueError(
            f"{path}: the keypoints of image {animal.get('image_id')} must be numbers, but are "
            f"{str(numbers)[:80]}."
        )
    return not animal.get("iscrowd") and any(visibility > 0 for visibility in numbers[2::3])


def _find_files(images, ids, path, image_dir):
    """Return the file of each animal's image, which lies in the folder of the labels or below."""
    names = {image["id"]: image.get("file_name", image.get("filename")) for image in images}
    if unknown := sorted({i for i in ids if names.get(i) is None}):
        raise ValueError(f"{path} has annotations of images that it does not list: {unknown[:5]}.")
    folder = path.parent if image_dir is None else Path(image_dir)
    files = [folder / str(names[i]).replace("\\", "/") for i in ids]
    outside = [file for file in files if not file.resolve().is_relative_to(folder.resolve())]
    if outside and image_dir is None:
        raise ValueError(
            f"{path} names images outside of its own folder, such as {outside[0]}. If you trust "
            "it, give the folder of the images as image_dir."
        )
    return files


def _as_groups(ids):
    try:
        return np.array(ids, dtype=np.int64)
    except (OverflowError, TypeError, ValueError):  # too large, or texts
        return np.array([str(i) for i in ids])


def _keypoints(animals, n_keypoints, path):
    """Return x, y and visibility; what is not labelled is NaN and 0."""
    for animal in animals:
        if len(animal["keypoints"]) != 3 * n_keypoints:
            raise ValueError(
                f"{path}: the annotation of image {animal['image_id']} has "
                f"{len(animal['keypoints'])} numbers, but {n_keypoints} keypoints need "
                f"{3 * n_keypoints} (x, y and visibility of each)."
            )
    table = np.array([animal["keypoints"] for animal in animals], dtype=float)
    table = table.reshape(len(animals), n_keypoints, 3)
    strange = ~np.isin(table[..., 2], (0, 1, 2)) | np.isinf(table).any(axis=2)
    if strange.any():
        i = animals[int(np.argwhere(strange)[0, 0])]["image_id"]
        raise ValueError(
            f"{path}: the annotation of image {i} has a coordinate that is infinite, or a "
            "visibility that is not 0, 1 or 2."
        )
    table[np.isnan(table).any(axis=2) | (table[..., 2] == 0)] = [np.nan, np.nan, 0]
    return table


def _skeleton(category, guess_swaps, path):
    names = category["keypoints"]
    edges = _edges(category.get("skeleton") or (), names, path)
    return skeleton_of_edges(names, edges, guess_swaps=guess_swaps)


def _edges(pairs, names, path):
    """Return pairs of positions; files count bodyparts from 1, some from 0, or name them."""
    ends = [end for pair in pairs for end in pair]
    if all(isinstance(end, str) for end in ends):
        positions = {name: i for i, name in enumerate(names)}
    else:
        first = 0 if 0 in ends else 1
        positions = {i + first: i for i in range(len(names))}
    if unknown := [end for end in ends if end not in positions]:
        raise ValueError(
            f"{path} has edges to bodyparts that it does not have, such as {unknown[0]!r}: there "
            f"are {len(names)}, {', '.join(names[:5])}, ..."
        )
    return [(positions[a], positions[b]) for a, b in pairs]
