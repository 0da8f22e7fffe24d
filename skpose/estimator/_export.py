"""Fitted estimators as ONNX models."""

import json
from pathlib import Path

from skpose._files import replacing

__all__ = ["export_onnx"]


def export_onnx(estimator, path):
    """Write what an estimator does with images of the size that it was fitted on.

    Parameters
    ----------
    estimator : PoseEstimator
        Fitted.
    path : str or path-like
        The file; see `PoseEstimator.export`.
    """
    from skpose.estimator._backend import convert_to_onnx

    if Path(path).suffix != ".onnx":
        raise ValueError(f"The name of an exported estimator ends in .onnx, but {path} does not.")
    with replacing(path, overwrite=True) as temporary:
        network = _in_float32(estimator)
        model = convert_to_onnx(network.find_keypoints, estimator.image_shape_)
        entry = model.metadata_props.add()
        entry.key, entry.value = "skpose", json.dumps(_describe(estimator))
        temporary.write_bytes(model.SerializeToString())


def _in_float32(estimator):
    """Give the network, or one of the same weights; engines choose their precision themselves."""
    if estimator.precision == "float32":
        return estimator.model_
    model = estimator._build_network(seed=0, load_weights=False, precision="float32")
    model.network.set_weights(estimator.model_.network.get_weights())
    return model


def _describe(estimator):
    skeleton = estimator.skeleton
    return {
        "image_shape": list(estimator.image_shape_),
        "n_keypoints": estimator.n_keypoints_,
        "skeleton": None if skeleton is None else skeleton.to_dict(),
    }
