"""Images in, keypoints out: the estimator, and what belongs to its training."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from skpose.estimator._estimator import PoseEstimator
from skpose.estimator._load import load

__all__ = ["Checkpoint", "PoseEstimator", "load"]


if TYPE_CHECKING:
    from skpose.estimator._callbacks import Checkpoint
else:

    def __getattr__(name):
        if name == "Checkpoint":  # needs Keras, which is loaded by the first fit
            return _import_module("skpose.estimator._callbacks").Checkpoint
        raise AttributeError(f"module 'skpose.estimator' has no attribute {name!r}")
