"""The Stacked DenseNet of Graving et al. (2019)."""

import keras

from skpose.models._networks.encoders import encode
from skpose.models._networks.layers import (
    DepthToSpace,
    SpaceToDepth,
    concatenate,
    emit_maps,
    normalise_images,
    selu,
)
from skpose.models._sizes import count_transitions

# Where DenseNet-121 ends for maps of 1/4 and of 1/8 of the image.
_DENSENET_ENDS = {2: "conv2_block6_concat", 3: "conv3_block12_concat"}


def build_stacked_densenet(
    image_shape,
    n_outputs,
    *,
    downsample_factor=2,
    n_stacks=2,
    n_transitions=-1,
    growth_rate=48,
    bottleneck_factor=1,
    compression_factor=0.5,
    separable=False,
    encoder=None,
    encoder_weights=None,
):
    """Build a stack of densely connected hourglasses with a map after each.

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
    growth_rate : int, default=48
        Number of channels that a dense unit adds.
    bottleneck_factor : float, default=1
        Channels of the 1 x 1 convolution before each 3 x 3 one, as a multiple of the latter's.
    compression_factor : float, default=0.5
        Proportion of channels that a 1 x 1 convolution keeps where the size changes.
    separable : bool, default=False
        Use depthwise-separable 3 x 3 convolutions.
    encoder : {"densenet121", None}, default=None
        Let the first blocks of DenseNet-121 bring images to the size of the maps, which must be 1/4
        or 1/8; None: the network's own front end. The encoder is one nested network, the layer
        ``encoder``.
    encoder_weights : {"imagenet", None}, default=None
        Weights of the encoder; None: random.

    Returns
    -------
    keras.Model
        Input ``images`` of shape (n, None, None, n_channels) in 0..255; a list of ``n_stacks + 1``
        outputs ``maps_0``, ``maps_1``, ..., each of shape (n, h / stride, w / stride, n_outputs).
    """
    n_transitions = count_transitions(image_shape, n_transitions, downsample_factor)
    blocks = _Blocks(growth_rate, bottleneck_factor, compression_factor, separable)
    images = keras.Input((None, None, image_shape[2]), name="images")
    if encoder is None:
        front = _front(normalise_images(images), downsample_factor, blocks)
    else:
        front = _encoder_front(images, downsample_factor, encoder, encoder_weights, blocks)
    maps = [emit_maps([front], n_outputs, 0)]
    front = [front, keras.layers.BatchNormalization(name="front_maps_bn")(maps[0])]
    x = front
    for stack in range(1, n_stacks + 1):
        name = f"stack_{stack}"
        x = [_hourglass(x, n_transitions - downsample_factor, downsample_factor, blocks, name)]
        x.append(concatenate(front, f"{name}_front_concat"))
        x.append(keras.layers.BatchNormalization(name=f"{name}_maps_bn")(maps[-1]))
        maps.append(emit_maps(x, n_outputs, stack))
    return keras.Model(images, maps, name="stacked_densenet")


def _front(x, downsample_factor, blocks):
    """Bring images to the size of the maps, keeping what each size on the way has seen."""
    x = [
        SpaceToDepth(2, name="front_space_to_depth")(x),
        blocks.convolve(x, blocks.growth_rate, 7, "front_conv", strides=2),
    ]
    levels = []
    for level in range(1, downsample_factor):
        name = f"front_{level}"
        x = [concatenate(blocks.dense(x, level, name), f"{name}_joined")]
        pool_size = 2 ** (downsample_factor - level)
        levels.append([blocks.down(x, f"{name}_to_maps", pool_size)])
        x = [blocks.down(x, f"{name}_down")]
    levels.append(blocks.dense(x, downsample_factor, f"front_{downsample_factor}"))
    levels = [blocks.compress(x, f"front_{i}_out") for i, x in enumerate(levels, start=1)]
    return concatenate(levels, "front_joined")


def _encoder_front(images, downsample_factor, encoder, weights, blocks):
    """Bring images to the size of the maps with a pretrained encoder."""
    x = encode(images, encoder, weights=weights, up_to=_DENSENET_ENDS[downsample_factor])
    x = keras.layers.BatchNormalization(name="front_bn")(x)
    x = keras.layers.Activation("relu", name="front_relu")(x)
    return blocks.compress([x], "front_out")


def _hourglass(x, n_levels, n_units, blocks, name):
    """Halve the maps `n_levels` times and double them again, with a bridge at each size."""
    bridges = [concatenate(x, f"{name}_joined")]
    x = [blocks.down(bridges, f"{name}_down_0")]
    for level in range(1, n_levels):
        x = blocks.dense(x, level + n_units, f"{name}_encoder_{level}")
        bridges.append(concatenate(x, f"{name}_encoder_{level}_joined"))
        x = [blocks.down(bridges[-1:], f"{name}_down_{level}")]
    bridges.append(x[0])
    bridges = [blocks.compress([b], f"{name}_bridge_{i}") for i, b in enumerate(bridges)]
    x = blocks.dense(x, n_units, f"{name}_bottom")
    for level in range(n_levels, 0, -1):
        x = blocks.dense([*x, bridges[level]], level - 1 + n_units, f"{name}_decoder_{level}")
        x = [blocks.up(x, f"{name}_up_{level}")]
    x = blocks.dense([*x, bridges[0]], n_units, f"{name}_out")
    return concatenate(x, f"{name}_out_joined")


class _Blocks:
    """The pieces of the network; each takes a list of tensors, whose channels it joins."""

    def __init__(self, growth_rate, bottleneck_factor, compression_factor, separable):
        self.growth_rate = growth_rate
        self.bottleneck_factor = bottleneck_factor
        self.compression_factor = compression_factor
        self.separable = separable

    def convolve(self, x, filters, kernel_size, name, strides=1):
        layer = keras.layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding="same",
            activation=selu,
            kernel_initializer="lecun_normal",
            name=name,
        )
        return layer(x)

    def convolve_separably(self, x, filters, name):
        # A depthwise kernel sees one channel only, but Keras counts all of them as its fan-in.
        lecun_normal = keras.initializers.VarianceScaling(
            scale=x.shape[-1], mode="fan_in", distribution="truncated_normal"
        )
        layer = keras.layers.SeparableConv2D(
            filters,
            3,
            padding="same",
            activation=selu,
            depthwise_initializer=lecun_normal,
            pointwise_initializer="lecun_normal",
            name=name,
        )
        return layer(x)

    def dense(self, tensors, n_units, name):
        """Add up to three units of new channels; give old and new channels as two tensors."""
        filters = self.growth_rate * min(n_units, 3)
        old = concatenate(tensors, f"{name}_concat")
        x = self.convolve(
            old, round(filters * self.bottleneck_factor) or 1, 1, f"{name}_bottleneck"
        )
        if self.separable:
            return [old, self.convolve_separably(x, filters, f"{name}_conv")]
        return [old, self.convolve(x, filters, 3, f"{name}_conv")]

    def compress(self, tensors, name):
        x = concatenate(tensors, f"{name}_concat")
        return self.convolve(x, self._n_compressed(x), 1, f"{name}_compress")

    def down(self, tensors, name, pool_size=2):
        x = concatenate(tensors, f"{name}_concat")
        filters = self._n_compressed(x)
        x = keras.layers.MaxPooling2D(pool_size, name=f"{name}_pool")(x)
        return self.convolve(x, filters, 1, f"{name}_compress")

    def up(self, tensors, name):
        x = concatenate(tensors, f"{name}_concat")
        quarter = -(-(self._n_compressed(x) - 2) // 4)  # to the nearest multiple of 4, ties down
        x = self.convolve(x, 4 * max(quarter, 1), 1, f"{name}_compress")
        return DepthToSpace(2, name=f"{name}_depth_to_space")(x)

    def _n_compressed(self, x):
        return round(x.shape[-1] * self.compression_factor) or 1
