"""Exported estimators under ONNX Runtime."""

import json
import os

from skpose._threads import threads_wanted
from skpose.runtime._checksum import check_checksum

__all__ = ["import_onnxruntime", "read_description", "start_onnxruntime"]


def import_onnxruntime():
    """Import ONNX Runtime, which reports to its makers unless this is set before."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "An exported estimator needs onnxruntime: pip install 'skpose[onnx]'."
        ) from error
    return onnxruntime


def start_onnxruntime(content, path, providers):
    """Start ONNX Runtime with a model.

    Parameters
    ----------
    content : bytes
        The ONNX model.
    path : path-like
        Its file, for the message.
    providers : list of str or None
        What it is to run on. None: it is not run, only what the file says is wanted.

    Returns
    -------
    onnxruntime.InferenceSession
    """
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = threads_wanted() or 0
    if providers is None:
        providers = ["CPUExecutionProvider"]
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(content, sess_options=options, providers=providers)
    except Exception as error:  # its errors have no class of their own in common
        raise ValueError(f"{path} cannot be read as an ONNX model ({error}).") from error


def read_description(session, content, path):
    entries = session.get_modelmeta().custom_metadata_map
    if "skpose" not in entries:
        raise ValueError(
            f"{path} is an ONNX model, but was not written by PoseEstimator.export, so it does not "
            "say what its keypoints are."
        )
    check_checksum(content, path)
    description = json.loads(entries["skpose"])
    of_older_files = {"network_size": description["image_shape"][:2], "region": None, "n_bits": 32}
    return {**of_older_files, **description}
