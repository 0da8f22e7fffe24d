"""Labels that look wrong: far from where the pose has them, or left for right, or given twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple
import warnings

import numpy as np
from numpy.typing import ArrayLike

from skpose._batching import batch_slices
from skpose._boxes import box_sides
from skpose._checks import check_images, check_keypoints
from skpose._digests import digest_images
from skpose._opencv import import_opencv
from skpose._types import Images

if TYPE_CHECKING:
    from skpose.skeleton import Skeleton

_N_ROUNDS = 10
_LEAST_POSES = 10  # with which it is known what is usual
_LEAST_LABELS = 3  # of a pose, with which it has a shape
_FAR = 6.0  # times what is usual of the bodypart
_FAR_AT_LEAST = 0.3  # of the animal's size
_BETTER = 0.2  # of the squared distances that are left when sides are swapped
_SAME_PLACE = 0.01  # of the animal's size
_SMALL = 32  # pixels: the side at which images are compared
_LIKE = 0.1  # of the contrast of an image


class Suspect(NamedTuple):
    """A label or an image that looks wrong.

    Attributes
    ----------
    kind : {"far", "swapped", "same_place", "outside", "same_image", "like_image"}
        What is wrong with it.
    image : int
        Its position among the images.
    other : int
        Position of the other image, for two that are alike; -1 otherwise.
    bodyparts : tuple of int
        Positions of the bodyparts.
    message : str
        What is wrong, in words.
    """

    kind: Literal["far", "swapped", "same_place", "outside", "same_image", "like_image"]
    image: int
    other: int
    bodyparts: tuple[int, ...]
    message: str


def find_suspects(
    images: Images,
    keypoints: ArrayLike,
    *,
    skeleton: Skeleton,
    numbers: ArrayLike | None = None,
) -> list[Suspect]:
    """Look for labels that look wrong, and for images that are there twice.

    Parameters
    ----------
    images : array-like of shape (n_samples, height, width, n_channels)
        uint8 images, in the order of their videos; they are read once.
    keypoints : array-like of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels; NaN: not labelled.
    skeleton : Skeleton
        The bodyparts, and which are partners.
    numbers : array-like of int of shape (n_samples,), default=None
        What messages call the images: their positions in a file, say. None: 0, 1, ...

    Returns
    -------
    list of Suspect
        In the order of the images.

    Raises
    ------
    TypeError
        If the images are of another type.
    ValueError
        If images, keypoints, skeleton and numbers do not fit together.

    See Also
    --------
    skpose.sampling.MotionSampler : Jumps of poses that were predicted for a video.

    Notes
    -----
    Each pose is aligned to the mean pose (Procrustes analysis, robust against single keypoints that
    lie elsewhere). A keypoint is far if it is further from its place than is usual for it, six
    times, and than 0.3 of the animal's size. Partners are swapped if they fit far better the other
    way round. It takes ten poses to know what is usual. Images are alike if they differ by less
    than a tenth of their contrast when they are small; two in a row of a resting animal are, and
    if one of them is trained on, the error in the other says little about new ones.

    Examples
    --------
    >>> from skpose.datasets import find_suspects, make_poses
    >>> mice = make_poses(40, return_bunch=True, random_state=0)
    >>> mice.keypoints[7, [2, 3]] = mice.keypoints[7, [3, 2]]
    >>> for suspect in find_suspects(mice.images, mice.keypoints, skeleton=mice.skeleton):
    ...     print(suspect.image, suspect.message)
    7 left_ear and right_ear look swapped
    """
    images = check_images(images, name="images")
    keypoints = check_keypoints(
        keypoints, n_samples=len(images), n_keypoints=len(skeleton), name="keypoints"
    )
    numbers = np.arange(len(images)) if numbers is None else np.asarray(numbers)
    if numbers.shape != (len(images),):
        raise ValueError(
            f"numbers must have shape ({len(images)},), one for each image, but have "
            f"{numbers.shape}."
        )
    found = [
        *_outside(keypoints, images.shape[1:3], skeleton),
        *_far_and_swapped(keypoints, skeleton),
        *_same_place(keypoints, skeleton),
        *_alike(images, numbers),
    ]
    return sorted(found, key=lambda suspect: (suspect.image, suspect.kind, suspect.bodyparts))


def _outside(keypoints, image_size, skeleton):
    height, width = image_size
    x, y = keypoints[..., 0], keypoints[..., 1]
    is_outside = (x < -0.5) | (y < -0.5) | (x > width - 0.5) | (y > height - 0.5)
    for i, k in np.argwhere(is_outside).tolist():
        place = f"({x[i, k]:.0f}, {y[i, k]:.0f})"
        yield Suspect("outside", i, -1, (k,), f"{skeleton.names[k]} lies outside, at {place}")


def _same_place(keypoints, skeleton):
    """Tell bodyparts that were placed onto one another."""
    sizes = _sizes(keypoints)
    gaps = np.linalg.norm(keypoints[:, :, None] - keypoints[:, None], axis=3)
    is_same = gaps < _SAME_PLACE * sizes[:, None, None]
    for i, j, k in np.argwhere(is_same & np.triu(np.ones(is_same.shape[1:], bool), 1)).tolist():
        names = f"{skeleton.names[j]} and {skeleton.names[k]}"
        yield Suspect("same_place", i, -1, (j, k), f"{names} lie at the same place")


def _sizes(keypoints):
    """Return the longer side of the box around each pose; NaN for fewer than two labels."""
    sizes = box_sides(keypoints).max(axis=1)
    return np.where(sizes > 0, sizes, np.nan)


def _far_and_swapped(keypoints, skeleton):
    poses = keypoints[..., 0] + 1j * keypoints[..., 1]
    poses = np.where(np.isnan(poses), np.nan, poses)
    rows = np.flatnonzero((~np.isnan(poses)).sum(axis=1) >= _LEAST_LABELS)
    if len(rows) < _LEAST_POSES:
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN|Mean of empty", RuntimeWarning)  # never labelled
        mean, aligned = _align(poses[rows])
        distances = np.abs(aligned - mean)
        usual = np.nanmedian(distances, axis=0)
    size = np.nanmax(np.abs(mean[:, None] - mean))
    limit = np.maximum(_FAR * usual, _FAR_AT_LEAST * size)
    pairs = [(j, int(k)) for j, k in enumerate(skeleton.swap_index) if k > j]
    for i, pose, away in zip(rows.tolist(), aligned, distances, strict=True):
        swapped = [pair for pair in pairs if _fits_better(pose, mean, pair, usual)]
        for j, k in swapped:
            names = f"{skeleton.names[j]} and {skeleton.names[k]}"
            yield Suspect("swapped", i, -1, (j, k), f"{names} look swapped")
        of_pairs = {k for pair in swapped for k in pair}
        for k in np.flatnonzero(away > limit).tolist():
            if k not in of_pairs:
                told = f"{skeleton.names[k]} is far from where the other bodyparts would have it"
                yield Suspect("far", i, -1, (k,), told)


def _fits_better(pose, mean, pair, usual):
    """Whether two partners fit the mean pose far better the other way round."""
    j, k = pair
    now = abs(pose[j] - mean[j]) ** 2 + abs(pose[k] - mean[k]) ** 2
    then = abs(pose[j] - mean[k]) ** 2 + abs(pose[k] - mean[j]) ** 2
    is_unusual = now > 4 * (usual[j] ** 2 + usual[k] ** 2)
    return is_unusual and then < _BETTER * now  # False where one is not labelled


def _align(poses):
    """Return the mean pose, and each pose turned, magnified and shifted onto it.

    Parameters
    ----------
    poses : ndarray of shape (n_poses, n_keypoints), complex
        x + iy; NaN: not labelled.
    """
    known = ~np.isnan(poses)
    mean = poses[np.argmax(known.sum(axis=1))]
    mean = mean - np.nanmean(mean)
    weights = np.ones(poses.shape)
    aligned = poses
    for _ in range(_N_ROUNDS):
        aligned = _onto(poses, mean, np.where(known & ~np.isnan(mean), weights, 0))
        mean = np.nanmedian(aligned.real, axis=0) + 1j * np.nanmedian(aligned.imag, axis=0)
        mean = mean - np.nanmean(mean)
        distances = np.abs(aligned - mean)
        scale = np.maximum(2 * np.nanmedian(distances), 1e-9)
        weights = 1 / (1 + np.nan_to_num(distances / scale) ** 2) ** 2
    return mean, aligned


def _onto(poses, mean, weights):
    """Fit each pose onto the mean by weighted least squares, without reflection."""
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    pose, like = np.nan_to_num(poses), np.nan_to_num(mean)[None]
    middle = (weights * pose).sum(axis=1, keepdims=True) / total
    like_middle = (weights * like).sum(axis=1, keepdims=True) / total
    product = (weights * np.conj(pose - middle) * (like - like_middle)).sum(axis=1, keepdims=True)
    extent = (weights * np.abs(pose - middle) ** 2).sum(axis=1, keepdims=True)
    return product / np.maximum(extent, 1e-9) * (poses - middle) + like_middle


def _alike(images, numbers):
    """Tell images that are the same as an earlier one, or nearly so as the one before."""
    first, before = {}, None
    for part in batch_slices(len(images), None):
        batch = np.asarray(images[part])
        for i, (digest, image) in enumerate(
            zip(digest_images(batch).tolist(), batch, strict=True), part.start
        ):
            small = _make_small(image)
            if digest in first:
                told = f"is the same image as {numbers[first[digest]]}"
                yield Suspect("same_image", i, first[digest], (), told)
            elif before is not None and _differ_by(small, before) < _LIKE:
                told = f"is nearly the same image as {numbers[i - 1]}"
                yield Suspect("like_image", i, i - 1, (), told)
            first.setdefault(digest, i)
            before = small


def _make_small(image):
    cv2 = import_opencv()
    height, width = image.shape[:2]
    factor = _SMALL / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(image.astype(np.float32).mean(axis=2), size, interpolation=cv2.INTER_AREA)


def _differ_by(image, other):
    """Return the difference of two small images, in parts of their contrast."""
    contrast = max(image.std(), other.std(), 1.0)
    return float(np.sqrt(np.mean((image - other) ** 2)) / contrast)
