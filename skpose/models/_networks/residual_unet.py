"""A small residual U-Net."""

import keras

from skpose.models._networks.layers import emit_maps, normalise_images
from skpose.models._sizes import count_transitions


def build_residual_unet(
    image_shape,
    n_outputs,
    *,
    downsample_factor=2,
    filters=48,
    max_filters=128,
    n_blocks=1,
    n_transitions=-1,
    head_filters=256,
):
    """Build a U-Net of residual blocks that starts and ends at the size of the maps.

    Parameters
    ----------
    image_shape : tuple of int (height, width, n_channels)
        Shape of the images, in pixels. Height and width only serve to choose `n_transitions` where
        it is negative: the network takes all sides divisible by ``2 ** n_transitions``.
    n_outputs : int
        Number of maps.
    downsample_factor : int, default=2
        Maps are smaller than images by ``2 ** downsample_factor``.
    filters : int, default=48
        Number of channels at the size of the maps.
    max_filters : int, default=128
        The most channels at any size.
    n_blocks : int, default=1
        Number of residual blocks at each size on the way down and on the way up.
    n_transitions : int, default=-1
        Number of times that the image is halved; -1 chooses it by the image's size.
    head_filters : int, default=256
        Number of channels that the last maps are a linear function of.

    Returns
    -------
    keras.Model
        Input ``images`` of shape (n, None, None, n_channels) in 0..255; a list of two outputs
        ``maps_0`` and ``maps_1``, each of shape (n, h / stride, w / stride, n_outputs).
    """
    n_transitions = count_transitions(image_shape, n_transitions, downsample_factor)
    widths = [
        _width(level, filters, max_filters)
        for level in range(n_transitions - downsample_factor + 1)
    ]
    images = keras.Input((None, None, image_shape[2]), name="images")
    stride = 2**downsample_factor
    x = _convolve(normalise_images(images), widths[0], 2 * stride, "front", strides=stride)
    levels = []
    for level, width in enumerate(widths):
        name = f"encoder_{level}"
        if level:
            x = _convolve(x, width, 3, f"{name}_down", strides=2)
        x = _residual_blocks(x, width, n_blocks, name)
        levels.append(x)
    for level in reversed(range(len(widths) - 1)):
        name = f"decoder_{level}"
        x = _convolve(x, widths[level], 1, f"{name}_project", activation=None)
        x = keras.layers.UpSampling2D(2, name=f"{name}_up")(x)
        x = keras.layers.Add(name=f"{name}_add")([x, levels[level]])
        x = keras.layers.Activation("relu", name=f"{name}_relu")(x)
        x = _residual_blocks(x, widths[level], n_blocks, name)
    # Maps of few features cannot be independent of each other where there are more maps than that.
    x = _convolve(x, head_filters, 1, "head")
    maps = [emit_maps([x], n_outputs, i) for i, x in enumerate((levels[0], x))]
    return keras.Model(images, maps, name="residual_unet")


def _width(level, filters, max_filters):
    """Twice the channels for every two levels, in whole vector registers."""
    if level == 0:
        return min(filters, max_filters)
    return min(max_filters, max(1, round(filters * 2 ** (level / 2) / 16)) * 16)


def _residual_blocks(x, filters, n_blocks, name):
    for i in range(n_blocks):
        # Without normalisation, features would grow from block to block if both started large.
        y = _convolve(x, filters, 3, f"{name}_block_{i}_conv_0")
        y = _convolve(y, filters, 3, f"{name}_block_{i}_conv_1", activation=None, scale=0.2)
        x = keras.layers.Add(name=f"{name}_block_{i}_add")([x, y])
        x = keras.layers.Activation("relu", name=f"{name}_block_{i}_relu")(x)
    return x


def _convolve(x, filters, kernel_size, name, *, strides=1, activation="relu", scale=2.0):
    layer = keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        activation=activation,
        kernel_initializer=keras.initializers.VarianceScaling(scale),
        name=name,
    )
    return layer(x)
