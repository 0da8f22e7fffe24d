"""Estimators from files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skpose._types import PathLike
from skpose.runtime import ExportedPoseEstimator
from skpose.saving import read

__all__ = ["load"]


def load(path: PathLike, *, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Read an estimator that `skpose.save` or `PoseEstimator.export` wrote.

    No code of the file's is run, and nothing in it is unpickled.

    Parameters
    ----------
    path : str or path-like
        The file. One that ends in ``.onnx`` was exported.
    custom_objects : dict, default=None
        Values of parameters that a file cannot hold, by the parameter's name as in `get_params`,
        such as ``{"model": my_architecture}`` or, in a Pipeline, ``{"poseestimator__model": ...}``.
        They replace what the file says of the parameters, not what was learnt.

    Returns
    -------
    estimator
        What was saved: a PoseEstimator, a Pipeline, a class of yours. For a file that was exported,
        a `skpose.runtime.ExportedPoseEstimator`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If it was exported, and ONNX Runtime is not installed.
    ValueError
        If it is not a model, or was cut short or changed, or if `custom_objects` are given for one
        that was exported.

    See Also
    --------
    skpose.save : Write an estimator.
    skpose.saving.register : Let a file hold a class of yours.

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
    return read(path, custom_objects)
