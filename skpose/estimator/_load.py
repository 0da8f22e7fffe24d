"""Estimators from files."""

from pathlib import Path

import numpy as np

from skpose.estimator._estimator import PoseEstimator
from skpose.estimator._model_file import HINT, decode, read_model
from skpose.models import get_architecture
from skpose.runtime import ExportedPoseEstimator

__all__ = ["load"]


def load(path, *, custom_objects=None):
    """Read an estimator that `PoseEstimator.save` or `PoseEstimator.export` wrote.

    No code of the file's is run, and nothing in it is unpickled.

    Parameters
    ----------
    path : str or path-like
        The file. One that ends in ``.onnx`` was exported.
    custom_objects : dict, default=None
        Values of parameters that a file cannot hold, by the parameter's name, such as
        ``{"model": my_architecture, "callbacks": [...]}``. They replace what the file says.

    Returns
    -------
    PoseEstimator or skpose.runtime.ExportedPoseEstimator

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If it was exported, and ONNX Runtime is not installed.
    ValueError
        If it is not a model, or was cut short or changed, or if `custom_objects` are given for one
        that was exported.

    Examples
    --------
    >>> import skpose
    >>> from skpose.datasets import make_poses
    >>> from skpose.models import StackedDenseNet
    >>> X, y = make_poses(8, image_size=32, random_state=0)
    >>> network = StackedDenseNet(n_stacks=1, growth_rate=4)
    >>> estimator = skpose.PoseEstimator(network, max_epochs=1, random_state=0).fit(X, y)
    >>> estimator.save("mouse.skpose")
    >>> skpose.load("mouse.skpose").n_keypoints_ == y.shape[1]
    True
    """
    if Path(path).suffix == ".onnx":
        if custom_objects:
            raise ValueError(f"{path} was exported: it has no parameters for custom_objects.")
        return ExportedPoseEstimator(path).fit()
    header, network, validation_indices = read_model(Path(path))
    try:
        estimator = _restore(header, custom_objects or {})
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: its description cannot be read ({error!r}). {HINT}") from error
    estimator._saved_network = network
    estimator.validation_indices_ = validation_indices
    return estimator


def _restore(header, custom):
    params, fitted = decode(header, custom)
    estimator = PoseEstimator(**params, **custom)
    if "model" in custom:
        estimator.architecture_ = get_architecture(custom["model"])
    for name, value in fitted.items():
        setattr(estimator, name, value)
    estimator.targets_.fit(np.zeros((1, estimator.n_keypoints_, 2)))
    estimator.augmenters_ = []
    estimator._compiled = None
    return estimator
