"""What a network computes and moves for one image, counted from its layers."""

from math import prod
from typing import NamedTuple

import keras

_BY_OUTPUT = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Dense,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
_BY_INPUT = (keras.layers.Conv2DTranspose,)
_FLOAT_BYTES = 4


class LayerCost(NamedTuple):
    """What one layer costs for one image."""

    name: str
    kind: str
    flop: int  # a multiplication and an addition count as two
    moved_bytes: int  # float32 features read and written, if none of them stayed in a cache
    weight_bytes: int


def count_layers(model, image_shape):
    """Count the operations of each layer of a functional network.

    Only multiplications with kernels count: convolutions (also depthwise, separable and transposed
    ones) and dense layers, those of nested networks too. Biases, activations, normalisation and
    pooling are some per cent of these.

    Parameters
    ----------
    model : keras.Model
        Functional, of one input.
    image_shape : tuple of int (height, width, n_channels)
        Shape of an image as the network gets it, padded.

    Returns
    -------
    list of LayerCost
        In the order in which the layers are applied.

    Raises
    ------
    ValueError
        If a layer has a kernel, but is not known here.
    """
    costs = []

    def apply(layer, *args, **kwargs):
        outputs = layer(*args, **kwargs)
        before, after = (
            [tensor.shape for tensor in keras.tree.flatten(x) if hasattr(tensor, "shape")]
            for x in (args, outputs)
        )
        if isinstance(layer, keras.Model):
            costs.extend(count_layers(layer, before[0][1:]))
        else:
            costs.append(_cost(layer, before, after))
        return outputs

    images = keras.Input(batch_shape=(1, *image_shape))
    keras.models.clone_model(model, input_tensors=images, call_function=apply)
    return costs


def count_gflop(model, image_shape):
    """Billions of operations for one image; see `count_layers`."""
    return sum(cost.flop for cost in count_layers(model, image_shape)) / 1e9


def _cost(layer, before, after):
    kernels = [prod(weight.shape) for weight in layer.weights if len(weight.shape) > 1]
    if isinstance(layer, _BY_INPUT):
        n_positions = prod(before[0][:-1])
    elif isinstance(layer, _BY_OUTPUT):
        n_positions = prod(after[0][:-1])
    elif kernels:
        raise ValueError(
            f"The operations of layer {layer.name}, {type(layer).__name__}, are not "
            "known: add its class to benchmarks/_flops.py."
        )
    else:
        n_positions = 0
    return LayerCost(
        layer.name,
        type(layer).__name__,
        2 * n_positions * sum(kernels),
        _FLOAT_BYTES * sum(prod(shape) for shape in before + after),
        _FLOAT_BYTES * sum(prod(weight.shape) for weight in layer.weights),
    )
