"""Exported estimators under OpenVINO."""

import sys
from threading import Lock

import numpy as np

from skpose._threads import threads_wanted

__all__ = ["start_openvino"]

_MANY = 8  # images that go through the network at a time, where there are many


def start_openvino(content, precision):
    """Start OpenVINO with a model.

    Parameters
    ----------
    content : bytes
        The ONNX model.
    precision : {"float32", "bfloat16"}
        What the network computes in.

    Returns
    -------
    run : callable
        Takes uint8 images, gives x, y and confidence, (n_samples, n_keypoints, 3).
    """
    openvino = _import_openvino()
    core, requests, lock = openvino.Core(), {}, Lock()
    if precision == "bfloat16" and "BF16" not in core.get_property(
        "CPU", "OPTIMIZATION_CAPABILITIES"
    ):
        raise ValueError("This processor has no bfloat16. Use precision='float32'.")
    settings = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "PERFORMANCE_HINT": "LATENCY",
    }
    if threads_wanted():
        settings["INFERENCE_NUM_THREADS"] = threads_wanted()

    model = core.read_model(content)
    _replace_selu(model)
    shape = list(model.input(0).partial_shape)[1:]

    def start(n_images):
        model.reshape([n_images, *shape])
        return core.compile_model(model, "CPU", settings).create_infer_request()

    def find(images):
        n_images = len(images)
        if n_images not in requests:
            requests[n_images] = start(n_images)
        return requests[n_images].infer([images])[0]

    def run(images):
        with lock:  # an image takes all cores, and a request cannot be shared
            return np.concatenate([find(part) for part in _divide(images)])

    return run


def _import_openvino():
    """Import OpenVINO without the package by which it reports to its makers."""
    name = "openvino_telemetry"
    is_new = name not in sys.modules
    if is_new:
        sys.modules[name] = None  # which OpenVINO takes for "not installed"
    try:
        import openvino
    except ImportError as error:
        raise ImportError(
            "engine='openvino' needs openvino: pip install 'skpose[openvino]'."
        ) from error
    finally:
        if is_new:
            sys.modules.pop(name, None)
    return openvino


def _divide(images):
    """Divide images into parts of two sizes only: a model is compiled for a number of images.

    One for any number takes a sixth more time for many images, and a half more for a single one.
    """
    n_whole = len(images) - len(images) % _MANY
    sizes = [_MANY] * (n_whole // _MANY) + [1] * (len(images) - n_whole)
    return np.split(images, np.cumsum(sizes)[:-1])


def _replace_selu(model):
    """Write each Selu as an Elu and a factor, which are computed along with the convolution.

    OpenVINO computes a Selu itself value by value, which took longer than the convolutions.
    """
    import openvino
    from openvino import opset13 as operations

    for node in model.get_ops():
        if node.get_type_name() != "Selu":
            continue
        alpha, factor = (node.input_value(i).get_node().data for i in (1, 2))
        elu = operations.elu(node.input_value(0), float(alpha.item()))
        openvino.utils.replace_node(node, operations.multiply(elu, factor))
