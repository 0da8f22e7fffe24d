"""Layers that several networks share."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("skpose")
class DepthToSpace(keras.layers.Layer):
    """Spread the channels of each cell over a square of cells.

    Parameters
    ----------
    block_size : int, default=2
        Side of the square, in cells.
    **kwargs
        Arguments of `keras.layers.Layer`.

    Notes
    -----
    Input ``(n, h, w, block_size ** 2 * c)``, output ``(n, block_size * h, block_size * w, c)``: the
    channel ``(block_size * i + j) * c + k`` becomes the cell ``(i, j)`` of channel ``k``.
    """

    def __init__(self, block_size=2, **kwargs):
        super().__init__(**kwargs)
        self.block_size = block_size

    def call(self, inputs):
        size = self.block_size
        _, height, width, n_channels = ops.shape(inputs)
        n_channels //= size**2
        x = ops.reshape(inputs, (-1, height, width, size, size, n_channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, height * size, width * size, n_channels))

    def compute_output_shape(self, input_shape):
        n_samples, height, width, n_channels = input_shape
        size = self.block_size
        return (
            n_samples,
            None if height is None else height * size,
            None if width is None else width * size,
            n_channels // size**2,
        )

    def get_config(self):
        return {**super().get_config(), "block_size": self.block_size}


@keras.saving.register_keras_serializable("skpose")
class SpaceToDepth(keras.layers.Layer):
    """Gather each square of cells into the channels of one: the inverse of `DepthToSpace`.

    Parameters
    ----------
    block_size : int, default=2
        Side of the square, in cells.
    **kwargs
        Arguments of `keras.layers.Layer`.

    Notes
    -----
    Input ``(n, block_size * h, block_size * w, c)``, output ``(n, h, w, block_size ** 2 * c)``.
    """

    def __init__(self, block_size=2, **kwargs):
        super().__init__(**kwargs)
        self.block_size = block_size

    def call(self, inputs):
        size = self.block_size
        _, height, width, n_channels = ops.shape(inputs)
        height, width = height // size, width // size
        x = ops.reshape(inputs, (-1, height, size, width, size, n_channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, height, width, size**2 * n_channels))

    def compute_output_shape(self, input_shape):
        n_samples, height, width, n_channels = input_shape
        size = self.block_size
        return (
            n_samples,
            None if height is None else height // size,
            None if width is None else width // size,
            n_channels * size**2,
        )

    def get_config(self):
        return {**super().get_config(), "block_size": self.block_size}


@keras.saving.register_keras_serializable("skpose")
class ImageNetScaling(keras.layers.Layer):
    """Scale pixels as the encoders trained on ImageNet expect them, in three channels.

    Parameters
    ----------
    mode : {"caffe", "tf", "torch"}
        "caffe": colours in the order blue, green, red, less ImageNet's mean colour. "tf": from
        -1 to 1. "torch": from 0 to 1, less the mean colour, over the colours' standard deviation.
    **kwargs
        Arguments of `keras.layers.Layer`.

    Notes
    -----
    Input (n, h, w, 1 or 3) in 0..255, red, green, blue or grey; output (n, h, w, 3).
    """

    _means = {
        "caffe": (123.68, 116.779, 103.939),
        "tf": (127.5,),
        "torch": (123.675, 116.28, 103.53),
    }
    _scales = {"caffe": (1.0,), "tf": (127.5,), "torch": (58.395, 57.12, 57.375)}

    def __init__(self, mode, **kwargs):
        super().__init__(**kwargs)
        self.mode = mode

    def call(self, inputs):
        x = (inputs - self._constant(self._means)) / self._constant(self._scales)
        if x.shape[-1] == 1:
            x = ops.concatenate([x, x, x], axis=-1)
        return ops.flip(x, axis=-1) if self.mode == "caffe" else x

    def _constant(self, table):
        return ops.convert_to_tensor(table[self.mode], dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 3)

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}


@keras.saving.register_keras_serializable("skpose")
def selu(x):
    """Scaled exponential linear unit, in float32 whatever the precision of the features.

    For bfloat16 TensorFlow computes it value by value on a CPU, which takes twice as long as this,
    and as long as all convolutions of a network.
    """
    dtype = keras.backend.standardize_dtype(x.dtype)
    return ops.cast(ops.selu(ops.cast(x, "float32")), dtype)


def normalise_images(images):
    """Scale pixels from 0..255 to -1..1."""
    return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(images)


def emit_maps(x, n_outputs, index):
    """Return the maps of one stage: a linear 1 x 1 convolution named ``maps_<index>``."""
    return keras.layers.Conv2D(n_outputs, 1, name=f"maps_{index}")(x)
