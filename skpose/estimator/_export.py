"""ONNX models that say what they are."""

import json

from skpose._files import check_output, replacing
from skpose.runtime._checksum import CHECKSUM, NO_CHECKSUM, add_checksum

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
    check_output(
        path,
        what="Exported estimators",
        endings=(".onnx",),
        overwrite=overwrite,
        is_same=lambda path: b"skpose" in path.read_bytes(),
    )
    with replacing(path, overwrite=overwrite) as temporary:
        model = convert()
        for key, value in (("skpose", json.dumps(description)), (CHECKSUM, NO_CHECKSUM)):
            entry = model.metadata_props.add()
            entry.key, entry.value = key, value
        temporary.write_bytes(add_checksum(model.SerializeToString()))
