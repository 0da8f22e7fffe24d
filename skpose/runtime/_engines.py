"""Which engine, and which processor, runs an exported network."""

from importlib.util import find_spec

__all__ = ["choose_engine", "choose_providers"]

_CUDA, _TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"


def choose_engine(engine, precision):
    """Return the engine that "auto" stands for, or the one that was named.

    Parameters
    ----------
    engine : str
        As `ExportedPoseEstimator` takes it.
    precision : {"float32", "bfloat16"}
        Which only OpenVINO may choose.

    Returns
    -------
    engine : {"onnxruntime", "openvino", "tensorrt"}
    """
    if engine != "auto":
        return engine
    if precision == "bfloat16":
        return "openvino"
    if find_spec("onnxruntime") is not None and _CUDA in _available():
        return "onnxruntime"
    return "openvino" if find_spec("openvino") is not None else "onnxruntime"


def choose_providers(engine):
    """Return what ONNX Runtime is to run on, the first that can.

    A GPU is taken wherever there is one; TensorRT, which takes minutes to prepare a network, only
    if it was named.

    Parameters
    ----------
    engine : {"onnxruntime", "tensorrt"}
        Which.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If TensorRT was named and ONNX Runtime was built without it.
    """
    available = _available()
    if engine == "tensorrt" and _TENSORRT not in available:
        raise ValueError(
            "This ONNX Runtime has no TensorRT. Install onnxruntime-gpu in its place, and "
            "TensorRT, or give another engine."
        )
    wanted = [_CUDA] if engine == "onnxruntime" else [_TENSORRT, _CUDA]
    return [name for name in wanted if name in available] + ["CPUExecutionProvider"]


def _available():
    from skpose.runtime._onnxruntime import import_onnxruntime

    return import_onnxruntime().get_available_providers()
