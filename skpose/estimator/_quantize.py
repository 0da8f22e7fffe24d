"""ONNX models whose convolutions compute in 8 bits."""

from pathlib import Path
import tempfile

import numpy as np

from skpose.preprocessing import ImageBatch
from skpose.runtime._onnxruntime import import_onnxruntime

__all__ = ["check_calibration", "convert_to_8_bits"]


def check_calibration(X, image_shape, resizer):
    """Return images as a network sees them, in which the ranges of its features are read.

    Parameters
    ----------
    X : array-like of shape (n_samples, height, width, n_channels)
        As `PoseEstimator.export` takes them.
    image_shape : tuple of (height, width, n_channels)
        What the network sees.
    resizer : ImageResizer or None
        What images go through before.

    Returns
    -------
    ImageBatch
    """
    batch = ImageBatch.wrap(X, n_channels=image_shape[2])
    if len(batch) == 0:
        raise ValueError("calibration has no images. Give some dozens, such as those to train on.")
    if resizer is not None:
        batch = resizer.transform(batch)
    if batch.image_size != tuple(image_shape[:2]):
        (height, width), (own_height, own_width) = batch.image_size, image_shape[:2]
        raise ValueError(
            f"The network sees images of {own_height} x {own_width} pixels (height, width), but "
            f"those of calibration are {height} x {width} there. Give images of the size in fit."
        )
    return batch


def convert_to_8_bits(convert, images):
    """Return a model whose convolutions take weights and features of 8 bits.

    Convolutions of 1 x 1 stay as they are: they are quick, and what is lost in them moves keypoints
    the most.

    Parameters
    ----------
    convert : callable
        Returns the onnx.ModelProto in float32, with an input ``images``.
    images : ImageBatch
        As the network sees them.

    Returns
    -------
    onnx.ModelProto
    """
    import_onnxruntime()
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory(prefix="skpose-") as folder:
        path, out = Path(folder, "model.onnx"), Path(folder, "in_8_bits.onnx")
        model = convert()
        entry = model.metadata_props.add()  # or a line of advice is logged
        entry.key, entry.value = "onnx.quant.pre_process", "onnxruntime.quant"
        onnx.save(model, path)
        quantize_static(
            path,
            out,
            _Reader(images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[node.name for node in model.graph.node if _is_pointwise(node)],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(out)


def _is_pointwise(node):
    sizes = [list(a.ints) for a in node.attribute if a.name == "kernel_shape"]
    return node.op_type == "Conv" and sizes == [[1, 1]]


class _Reader:
    """Gives images one by one, as ONNX Runtime asks for them."""

    def __init__(self, images):
        self._images = (np.asarray(images[i : i + 1]) for i in range(len(images)))

    def get_next(self):
        image = next(self._images, None)
        return None if image is None else {"images": image}
