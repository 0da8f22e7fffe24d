"""The Stacked Hourglass of Newell et al. (2016), in DeepPoseKit's version."""

import keras

from skpose.models._networks.layers import normalise_images
from skpose.models._sizes import count_transitions

# Every block is normalised, so a network whose moving averages lag cannot be judged. Keras' 0.99
# takes some hundred steps to follow, which is long for an epoch of six.
_MOMENTUM = 0.9


def build_stacked_hourglass(
    image_shape,
    n_outputs,
    *,
    downsample_factor=2,
    n_stacks=2,
    n_transitions=-1,
    filters=64,
    bottleneck_factor=2,
):
    """Build a stack of residual hourglasses with a map after each.

    Parameters
    ----------
    image_shape : tuple of int (height, width, n_channels)
        Shape of the images, in pixels. Height and width only serve to choose `n_transitions` where
        it is negative: the network takes all sides divisible by ``2 ** n_transitions``.
    n_outputs : int
        Number of maps.
    downsample_factor : int, default=2
        Maps are smaller than images by ``2 ** downsample_factor``.
    n_stacks : int, default=2
        Number of hourglasses.
    n_transitions : int, default=-1
        Number of times that the image is halved; -1 chooses it by the image's size.
    filters : int, default=64
        Number of channels between residual blocks.
    bottleneck_factor : int, default=2
        A block's 3 x 3 convolution has ``filters // bottleneck_factor`` channels.

    Returns
    -------
    keras.Model
        Input ``images`` of shape (n, None, None, n_channels) in 0..255; a list of ``n_stacks``
        outputs ``maps_0``, ``maps_1``, ..., each of shape (n, h / stride, w / stride, n_outputs).
    """
    n_transitions = count_transitions(image_shape, n_transitions, downsample_factor)
    n_levels = n_transitions - downsample_factor
    blocks = _Blocks(filters, bottleneck_factor)
    images = keras.Input((None, None, image_shape[2]), name="images")
    x = _front(normalise_images(images), downsample_factor, blocks)
    maps = []
    for stack in range(n_stacks):
        x = _hourglass(x, n_levels, blocks, f"stack_{stack}")
        new_maps, x = _emit(x, n_outputs, blocks, stack, is_last=stack == n_stacks - 1)
        maps.append(new_maps)
    return keras.Model(images, maps, name="stacked_hourglass")


def _front(x, downsample_factor, blocks):
    """Bring images to the size of the maps."""
    x = blocks.convolve(x, blocks.filters, 7, "front_conv", strides=2)
    for level in range(1, downsample_factor):
        x = blocks.residual(x, f"front_{level}")
        x = keras.layers.MaxPooling2D(2, name=f"front_{level}_pool")(x)
    return blocks.residual(blocks.residual(x, "front_out_1"), "front_out_2")


def _hourglass(x, n_levels, blocks, name):
    """Halve the features `n_levels` times and double them again, with a bridge at each size."""
    bridges = []
    for level in range(n_levels):
        bridges.append(blocks.residual(x, f"{name}_encoder_{level}"))
        x = keras.layers.MaxPooling2D(2, name=f"{name}_encoder_{level}_pool")(bridges[-1])
    x = skipped = blocks.residual(x, f"{name}_bottom_0")
    for i in (1, 2, 3):
        x = blocks.residual(x, f"{name}_bottom_{i}")
    x = blocks.add([skipped, x], f"{name}_bottom")
    for level in reversed(range(n_levels)):
        bridge = blocks.residual(bridges[level], f"{name}_bridge_{level}")
        x = keras.layers.UpSampling2D(2, name=f"{name}_decoder_{level}_up")(x)
        x = blocks.add([bridge, x], f"{name}_decoder_{level}_sum")
        x = blocks.residual(x, f"{name}_decoder_{level}")
    return x


def _emit(x, n_outputs, blocks, stack, is_last):
    """Give the maps of a stack, and what the next stack takes: features and maps joined."""
    name = f"stack_{stack}_out"
    features = blocks.normalised_convolve(x, blocks.filters, 1, f"{name}_features")
    maps = _normalise(features, f"maps_{stack}_bn")
    maps = keras.layers.Conv2D(n_outputs, 1, name=f"maps_{stack}")(maps)
    if is_last:
        return maps, None
    back = blocks.normalised_convolve(maps, blocks.filters, 1, f"{name}_from_maps")
    features = blocks.normalised_convolve(features, blocks.filters, 1, f"{name}_from_features")
    return maps, blocks.add([back, features, x], name)


def _normalise(x, name):
    return keras.layers.BatchNormalization(momentum=_MOMENTUM, name=name)(x)


class _Blocks:
    """The pieces of the network."""

    def __init__(self, filters, bottleneck_factor):
        self.filters = filters
        self.bottleneck_factor = bottleneck_factor

    def convolve(self, x, filters, kernel_size, name, strides=1):
        layer = keras.layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding="same",
            activation="relu",
            use_bias=False,
            name=name,
        )
        return layer(x)

    def normalised_convolve(self, x, filters, kernel_size, name):
        x = _normalise(x, f"{name}_bn")
        return self.convolve(x, filters, kernel_size, name)

    def add(self, tensors, name):
        tensors = [_normalise(x, f"{name}_bn_{i}") for i, x in enumerate(tensors)]
        return keras.layers.Add(name=name)(tensors)

    def residual(self, x, name):
        narrow = max(self.filters // self.bottleneck_factor, 1)
        y = self.normalised_convolve(x, narrow, 1, f"{name}_narrow")
        y = self.normalised_convolve(y, narrow, 3, f"{name}_conv")
        y = self.normalised_convolve(y, self.filters, 1, f"{name}_widen")
        return self.add([x, y], name)
