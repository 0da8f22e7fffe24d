"""Animal pose estimation for people who know scikit-learn.

The conventions of every array, said once:

- ``X``: images, ``(n_samples, height, width, n_channels)``, uint8, 1 or 3 channels (RGB). Anything
  with ``shape``, ``dtype``, ``len`` and integer-array indexing will do: an ndarray, ``np.memmap``,
  ``h5py.Dataset``, or the package's own lazy `datasets.ImageFiles`.
- ``y``: keypoints, ``(n_samples, n_keypoints, 2)``, float, ``(x, y)`` in pixels of the image that
  the user gave, pixel centres at whole numbers. NaN: not labelled. Whatever is resized, padded or
  cropped on the way, what comes back is in that frame.
- A confidence map has one cell for each square of ``stride = 2 ** downsample_factor`` pixels. Cell
  ``(i, j)`` is centred on its square: ``x = stride * j + (stride - 1) / 2``, ``y`` likewise from
  ``i``.
- ``sigma``: standard deviation of a map's Gaussian, in pixels of the image. Maps are 1 at their
  keypoint.
- `Skeleton`: names of the bodyparts, a parent for each (or none), a left/right partner for each.

The way of an image: ``poses, video -> datasets -> preprocessing, augment -> targets -> models ->
layers -> metrics -> comparison, saving -> runtime -> estimator -> two_stage -> ensemble ->
conformal -> plot -> video_poses -> sampling -> individuals -> annotate``. Names are loaded when
they are first used, so ``import skpose`` is quick.
"""

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING

_HOMES = {
    "PoseEstimator": "skpose.estimator",
    "Skeleton": "skpose.skeleton",
    "load": "skpose.estimator",
    "save": "skpose.saving",
}
_SUBPACKAGES = {
    "annotate",
    "augment",
    "baseline",
    "comparison",
    "conformal",
    "datasets",
    "ensemble",
    "estimator",
    "individuals",
    "layers",
    "metrics",
    "models",
    "plot",
    "poses",
    "preprocessing",
    "runtime",
    "sampling",
    "saving",
    "skeleton",
    "targets",
    "two_stage",
    "video",
    "video_poses",
}

__version__ = _version("skpose")
__all__ = sorted({"__version__", *_HOMES, *_SUBPACKAGES})


if TYPE_CHECKING:
    from skpose import (
        annotate as annotate,
        augment as augment,
        baseline as baseline,
        comparison as comparison,
        conformal as conformal,
        datasets as datasets,
        ensemble as ensemble,
        estimator as estimator,
        individuals as individuals,
        layers as layers,
        metrics as metrics,
        models as models,
        plot as plot,
        poses as poses,
        preprocessing as preprocessing,
        runtime as runtime,
        sampling as sampling,
        saving as saving,
        skeleton as skeleton,
        targets as targets,
        two_stage as two_stage,
        video as video,
        video_poses as video_poses,
    )
    from skpose.estimator import PoseEstimator as PoseEstimator, load as load
    from skpose.saving import save as save
    from skpose.skeleton import Skeleton as Skeleton
else:

    def __getattr__(name):
        if name in _HOMES:
            return getattr(_import_module(_HOMES[name]), name)
        if name in _SUBPACKAGES:
            return _import_module(f"skpose.{name}")
        raise AttributeError(f"module 'skpose' has no attribute {name!r}")


def __dir__():
    return __all__
