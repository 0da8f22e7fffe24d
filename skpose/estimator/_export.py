"""ONNX models that say what they are."""

import json

from skpose._files import check_output, replacing

__all__ = ["write_onnx"]


def write_onnx(path, convert, description, *, overwrite):
    """Write an ONNX model that `skpose.load` reads as an estimator.

    Parameters
    ----------
    path : str or path-like
        The file; see `PoseEstimator.export`.
    convert : callable
        Returns the onnx.ModelProto; called once the file can be written.
    description : dict
        What JSON holds: the shape of the images, the number of keypoints, the skeleton.
    overwrite : bool
        Whether the file may exist.
    """
    check_output(path, what="Exported estimators", endings=(".onnx",), overwrite=overwrite)
    with replacing(path, overwrite=overwrite) as temporary:
        model = convert()
        entry = model.metadata_props.add()
        entry.key, entry.value = "skpose", json.dumps(description)
        temporary.write_bytes(model.SerializeToString())
