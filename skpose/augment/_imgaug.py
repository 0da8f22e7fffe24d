"""Any pipeline of imgaug as an augmenter, and imgaug itself under NumPy 2."""

import copy
import sys
import threading
from types import ModuleType
from typing import Any
import warnings

import numpy as np

from skpose._opencv import import_opencv
from skpose._types import RandomState
from skpose.augment._base import BaseAugmenter
from skpose.skeleton import Skeleton

__all__ = ["ImgaugAugmenter", "import_imgaug"]

_LOCK = threading.RLock()
_HALF_PIXEL = 0.5  # imgaug counts from the image's corner, not from the middle of its first pixel


def import_imgaug() -> ModuleType:
    """Return the module imgaug, which NumPy 2 keeps from being imported by name.

    imgaug 0.4.0 asks for one thing that NumPy 2 has no more. It is there during this import and
    removed after. From then on ``import imgaug`` works as well.

    Returns
    -------
    module
        imgaug, with its submodules.

    Raises
    ------
    ImportError
        If imgaug, or OpenCV, cannot be imported.

    Notes
    -----
    imgaug gets no more releases. FutureWarning and DeprecationWarning that its own code causes are
    therefore ignored from then on; no others are.

    Examples
    --------
    >>> from skpose.augment import import_imgaug
    >>> iaa = import_imgaug().augmenters
    >>> pipeline = iaa.Sequential([iaa.Fliplr(0.5), iaa.Affine(rotate=(-180, 180))])
    """
    with _LOCK:
        if "imgaug" not in sys.modules:
            _import_with_sctypes()
        return sys.modules["imgaug"]


class ImgaugAugmenter(BaseAugmenter):
    """Augment images and keypoints by any pipeline of imgaug.

    Three things that imgaug leaves to its users are done here: its keypoints, which lie half a
    pixel off, are moved; those that are not labelled stay so; left and right change places in
    mirror images.

    Parameters
    ----------
    pipeline : imgaug.augmenters.Augmenter or list of them
        What is done to the images; a list is done in its order. It must keep the size of the
        images. Seeds of its own are not used. Never changed.
    skeleton : Skeleton, default=None
        Names the left/right partners, which change places in mirror images. An estimator gives its
        own skeleton's.
    random_state : int, Generator, RandomState or None, default=None
        What the changes are drawn from, where the caller of `augment` does not say. Estimators do.

    Raises
    ------
    TypeError
        By `fit` and by `augment`, if the pipeline is not one of imgaug's.
    ValueError
        By `augment`, if the pipeline changes the size of the images or the number of keypoints.

    Warns
    -----
    UserWarning
        Once per `fit`, if an image is mirrored and no bodypart has a left/right partner.

    See Also
    --------
    Augmenter : The default, several times as fast.
    import_imgaug : Gives imgaug, which does not import under NumPy 2 by itself.

    Notes
    -----
    Whether an image has been mirrored is read off three further keypoints that go through the
    pipeline with the others: a mirror turns their triangle round. So any combination of mirrors is
    known for what it is.

    imgaug's PiecewiseAffine and ElasticTransformation move keypoints to whole pixels only. With the
    versions of NumPy and OpenCV that skpose needs, ElasticTransformation takes a range for alpha,
    not a number; pillike.Autocontrast, ChangeColorTemperature and all that draw noise in the
    frequency domain (Clouds, Fog) fail.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.augment import ImgaugAugmenter, import_imgaug
    >>> iaa = import_imgaug().augmenters
    >>> fly = Skeleton(["head", "wingL", "wingR"], swaps=["", "wingR", "wingL"])
    >>> mirror = ImgaugAugmenter(iaa.Fliplr(1.0), skeleton=fly)
    >>> images = np.arange(5, dtype=np.uint8).reshape(1, 1, 5, 1)
    >>> keypoints = [[[2, 0], [0, 0], [np.nan, np.nan]]]
    >>> images, keypoints = mirror.augment(images, keypoints, random_state=0)
    >>> images.ravel().tolist()
    [4, 3, 2, 1, 0]
    >>> keypoints.tolist()
    [[[2.0, 0.0], [nan, nan], [4.0, 0.0]]]
    """

    _parameter_constraints = {
        "pipeline": "no_validation",  # by _check, which imports imgaug
        "skeleton": [Skeleton, None],
        "random_state": ["random_state", np.random.Generator],
    }
    _NO_MIRRORS = "leave Fliplr and Flipud out of the pipeline"

    def __init__(
        self,
        pipeline: Any,
        *,
        skeleton: Skeleton | None = None,
        random_state: RandomState | np.random.Generator = None,
    ) -> None:
        self.pipeline = pipeline
        self.skeleton = skeleton
        self.random_state = random_state

    def _check(self):
        base = import_imgaug().augmenters.Augmenter
        steps = self.pipeline if _is_plain_list(self.pipeline) else [self.pipeline]
        for step in steps:
            if not isinstance(step, base):
                raise TypeError(
                    "pipeline must be an augmenter of imgaug or a list of them, but "
                    f"{'has' if steps is self.pipeline else 'is'} {step!r}. Build one with "
                    "`iaa = skpose.augment.import_imgaug().augmenters`, such as iaa.Fliplr(0.5)."
                )
        return False  # known only when it has been done

    def _augment(self, images, keypoints, rng):
        pipeline = _seeded(self.pipeline, int(rng.integers(2**31)))
        if not len(images):
            return images.copy(), keypoints, np.zeros(0, dtype=bool)
        size = np.array(images.shape[2:0:-1])  # (width, height)
        centre = (size - 1) / 2
        is_missing = np.isnan(keypoints)
        probes = np.broadcast_to(
            centre + size / 8 * [[-1, -1], [1, -1], [-1, 1]], (len(images), 3, 2)
        )
        points = np.concatenate([np.where(is_missing, centre, keypoints), probes], axis=1)
        images, points = _run(pipeline, images, points)
        moved, probes = points[:, :-3], points[:, -3:]
        moved[is_missing] = np.nan
        return images, moved, np.linalg.det(probes[:, 1:] - probes[:, :1]) < 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self),), self.__getstate__()

    def __getstate__(self) -> dict[str, Any]:
        # A pipeline holds generators, which are not used here. Without this, the hash that a
        # Pipeline's memory goes by would change with imgaug's global generator.
        state = super().__getstate__()
        if _is_plain_list(self.pipeline):
            return state | {"pipeline": [_seeded(step, 0) for step in self.pipeline]}
        return state | {"pipeline": _seeded(self.pipeline, 0)}


def _restore(cls):
    """Return an empty augmenter; imgaug must be there before its pipeline is unpickled."""
    import_imgaug()
    return cls.__new__(cls)


def _is_plain_list(pipeline):
    return type(pipeline) is list  # imgaug's own Sequential and SomeOf are lists, too


def _seeded(pipeline, seed):
    """Return a copy of a pipeline that draws from `seed` alone. Copies let threads work at once."""
    pipeline = copy.deepcopy(pipeline)
    if _is_plain_list(pipeline):
        pipeline = import_imgaug().augmenters.Sequential(pipeline)
    if hasattr(pipeline, "seed_"):
        _reseed(pipeline, seed)
    return pipeline


def _reseed(pipeline, seed):
    """Seed a pipeline in place; imgaug's own `seed_` misses pipelines that stand for a list."""
    make_rng = import_imgaug().random.RNG
    augmenters = [augmenter for augmenter in _walk(pipeline) if not augmenter.deterministic]
    seeds = np.random.SeedSequence(seed).generate_state(len(augmenters))
    for augmenter, number in zip(augmenters, seeds.tolist(), strict=True):
        augmenter.random_state = make_rng(number)


def _walk(augmenter):
    """Yield an augmenter and all those inside it."""
    yield augmenter
    for children in augmenter.get_children_lists():
        is_other = children is not augmenter and hasattr(children, "get_children_lists")
        for child in [children] if is_other else children:
            yield from _walk(child)


def _run(pipeline, images, points):
    """Return images, and points of shape (n_samples, n_points, 2), after a pipeline of imgaug."""
    kps = import_imgaug().augmentables.kps
    on_images = [
        kps.KeypointsOnImage([kps.Keypoint(x, y) for x, y in row], shape=images.shape[1:])
        for row in (points + _HALF_PIXEL).tolist()
    ]
    new_images, on_images = pipeline(images=images.copy(), keypoints=on_images)
    shapes = {np.shape(image) for image in new_images}
    if shapes != {images.shape[1:]}:
        raise ValueError(
            f"The pipeline makes images of shape {images.shape[1:]} into "
            f"{' and '.join(map(str, sorted(shapes)))}, but augmentation must keep their size. Use "
            "keep_size=True where imgaug has it, and ImageResizer or ImageCropper to change sizes."
        )
    if any(len(row.keypoints) != points.shape[1] for row in on_images):
        raise ValueError(
            "The pipeline removes keypoints. Leave out such augmenters as "
            "RemoveCBAsByOutOfImageFraction: keypoints may lie outside the image."
        )
    points = np.array([[(point.x, point.y) for point in row.keypoints] for row in on_images])
    return np.asarray(new_images, dtype=np.uint8), points.astype(np.float64) - _HALF_PIXEL


def _import_with_sctypes():
    import_opencv()  # says what to install if that is what is missing
    is_lent = not hasattr(np, "sctypes")
    if is_lent:
        np.sctypes = {  # noqa: NPY201
            "int": [np.int8, np.int16, np.int32, np.int64],
            "uint": [np.uint8, np.uint16, np.uint32, np.uint64],
            "float": [np.float16, np.float32, np.float64, np.longdouble],
            "complex": [np.complex64, np.complex128, np.clongdouble],
            "others": [bool, object, bytes, str, np.void],
        }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import imgaug  # noqa: F401
    finally:
        if is_lent:
            del np.sctypes  # noqa: NPY201
    for category in (FutureWarning, DeprecationWarning):
        warnings.filterwarnings("ignore", category=category, module=r"imgaug(\.|$)")
