"""The Stacked DenseNet of Graving et al. (2019)."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING

from skpose.base import Interval
from skpose.models._architecture import Architecture
from skpose.models._encoders import encode
from skpose.models._sizes import count_transitions

if TYPE_CHECKING:
    import keras

# Where DenseNet-121 ends for maps of 1/4 and of 1/8 of the image.
_DENSENET_ENDS = {2: "conv2_block6_concat", 3: "conv3_block12_concat"}


class StackedDenseNet(Architecture):
    """Densely connected hourglasses, stacked: DeepPoseKit's network, small, fast and accurate.

    Parameters
    ----------
    n_stacks : int, default=2
        Number of hourglasses. Each is trained to give the maps, and refines what the one before
        gave. More are more accurate, and slower.
    n_transitions : int, default=-1
        Number of times that the image is halved on the way to the coarsest features. -1 chooses
        the largest number that leaves the image's smaller side at least 3 cells (6 for 192 pixels,
        5 for 160), -2 one less, and so on, but at least ``downsample_factor + 1``.
    growth_rate : int, default=48
        Number of channels that a dense unit adds.
    bottleneck_factor : float, default=1
        Channels of the 1 x 1 convolution before each 3 x 3 one, as a multiple of the latter's.
    compression_factor : float, default=0.5
        Proportion of channels that a 1 x 1 convolution keeps where the size changes, in (0, 1].
    separable : bool, default=False
        Use depthwise-separable 3 x 3 convolutions in the dense blocks: less than half of the
        parameters, and slightly larger errors [1]_. For devices with little memory, and CPUs; GPUs
        gain little time.
    pretrained : bool, default=False
        Start from the first blocks of DenseNet-121 with their ImageNet weights, in place of the
        network's own front end. Maps must then be 1/4 or 1/8 of the image.
    freeze_encoder : int, default=0
        Number of first epochs in which those blocks are not trained. Counts only if `pretrained`.

    Raises
    ------
    OSError
        By `build`, if `pretrained` and the ImageNet weights are neither in Keras's cache nor can be
        downloaded.
    ValueError
        By `build` and by `size_divisor`, if a parameter is out of its range, `downsample_factor` is
        not 1, 2 or 3 (if `pretrained`, not 2 or 3), or `n_transitions` does not exceed it or halves
        the images below one cell.

    See Also
    --------
    StackedHourglass : The network whose hourglasses these are.

    Notes
    -----
    A 7 x 7 convolution of stride 2 and dense blocks bring the image to the size of the maps. Each
    hourglass then halves the features and doubles them again, with compressed bridges between
    features of one size; a dense block of ``u`` units is a 1 x 1 and a 3 x 3 convolution that add
    ``min(u, 3) * growth_rate`` channels to those that came in. There are no normalisation layers in
    between: kernels start LeCun-normal and activations are SELU, which keeps activations at mean 0
    and variance 1 [4]_. The maps of each stage go back into the features of the next. The network
    gives ``n_stacks + 1`` lists of maps, the first from the front end. The blocks of DenseNet-121
    are one nested network, the layer ``encoder``.

    The computation is that of DeepPoseKit 0.3.9, and its parameters are as many: 1,543,454 for 9
    maps of 160 x 160 grey pixels with one stack; 1,525,424 for 32 maps of such images with
    ``growth_rate=32``; 4,673,437 for 66 maps of 192 x 192 grey pixels with the defaults.

    References
    ----------
    .. [1] J. M. Graving et al. "DeepPoseKit, a software toolkit for fast and robust animal pose
       estimation using deep learning." eLife 8:e47994, 2019.
    .. [2] S. Jegou et al. "The one hundred layers tiramisu: fully convolutional DenseNets for
       semantic segmentation." CVPR Workshops, 2017.
    .. [3] G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger. "Densely connected convolutional
       networks." CVPR, 2017.
    .. [4] G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter. "Self-normalizing neural networks."
       NeurIPS, 2017.

    Examples
    --------
    >>> from skpose.models import StackedDenseNet
    >>> StackedDenseNet(n_stacks=1).size_divisor((160, 160, 1))
    32
    """

    _parameter_constraints: dict = {
        "n_stacks": [Interval(Integral, 1, None, closed="left")],
        "n_transitions": [
            Interval(Integral, None, -1, closed="right"),
            Interval(Integral, 1, None, closed="left"),
        ],
        "growth_rate": [Interval(Integral, 1, None, closed="left")],
        "bottleneck_factor": [Interval(Real, 0, None, closed="neither")],
        "compression_factor": [Interval(Real, 0, 1, closed="right")],
        "separable": ["boolean"],
        "pretrained": ["boolean"],
        "freeze_encoder": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_stacks: int = 2,
        *,
        n_transitions: int = -1,
        growth_rate: int = 48,
        bottleneck_factor: float = 1,
        compression_factor: float = 0.5,
        separable: bool = False,
        pretrained: bool = False,
        freeze_encoder: int = 0,
    ) -> None:
        self.n_stacks = n_stacks
        self.n_transitions = n_transitions
        self.growth_rate = growth_rate
        self.bottleneck_factor = bottleneck_factor
        self.compression_factor = compression_factor
        self.separable = separable
        self.pretrained = pretrained
        self.freeze_encoder = freeze_encoder

    @property
    def downsample_factors(self) -> tuple[int, ...]:  # type: ignore[override]
        return (2, 3) if self.pretrained else (1, 2, 3)

    def encoder_layers(self, model: keras.Model) -> tuple[str, ...]:
        return ("encoder",) if self.pretrained else ()

    def _build(self, image_shape, n_outputs, downsample_factor, load_weights):
        parameters = self.get_params(deep=False)
        del parameters["freeze_encoder"]
        return _build_network(image_shape, n_outputs, downsample_factor, load_weights, **parameters)

    def _size_divisor(self, image_shape, downsample_factor):
        return 2 ** count_transitions(image_shape, self.n_transitions, downsample_factor)


def _build_network(
    image_shape,
    n_outputs,
    downsample_factor,
    load_weights,
    *,
    n_stacks,
    n_transitions,
    pretrained,
    **widths,
):
    """Build a stack of densely connected hourglasses with a map after each."""
    import keras

    from skpose.models._layers import emit_maps, normalise_images

    n_transitions = count_transitions(image_shape, n_transitions, downsample_factor)
    blocks = _Blocks(**widths)
    images = keras.Input((None, None, image_shape[2]), name="images")
    if pretrained:
        front = _encoder_front(images, downsample_factor, load_weights, blocks)
    else:
        front = _front(normalise_images(images), downsample_factor, blocks)
    maps = [emit_maps(front, n_outputs, 0)]
    front = [front, keras.layers.BatchNormalization(name="front_maps_bn")(maps[0])]
    x = front
    for stack in range(1, n_stacks + 1):
        name = f"stack_{stack}"
        x = [_hourglass(x, n_transitions - downsample_factor, downsample_factor, blocks, name)]
        x.append(_concatenate(front, f"{name}_front_concat"))
        x.append(keras.layers.BatchNormalization(name=f"{name}_maps_bn")(maps[-1]))
        maps.append(emit_maps(_concatenate(x, f"maps_{stack}_concat"), n_outputs, stack))
    return keras.Model(images, maps, name="stacked_densenet")


def _front(x, downsample_factor, blocks):
    """Bring images to the size of the maps, keeping what each size on the way has seen."""
    from skpose.models._layers import SpaceToDepth

    x = [
        SpaceToDepth(2, name="front_space_to_depth")(x),
        blocks.convolve(x, blocks.growth_rate, 7, "front_conv", strides=2),
    ]
    levels = []
    for level in range(1, downsample_factor):
        name = f"front_{level}"
        x = [_concatenate(blocks.dense(x, level, name), f"{name}_joined")]
        pool_size = 2 ** (downsample_factor - level)
        levels.append([blocks.down(x, f"{name}_to_maps", pool_size)])
        x = [blocks.down(x, f"{name}_down")]
    levels.append(blocks.dense(x, downsample_factor, f"front_{downsample_factor}"))
    levels = [blocks.compress(x, f"front_{i}_out") for i, x in enumerate(levels, start=1)]
    return _concatenate(levels, "front_joined")


def _encoder_front(images, downsample_factor, load_weights, blocks):
    """Bring images to the size of the maps with the first blocks of DenseNet-121."""
    import keras

    weights = "imagenet" if load_weights else None
    x = encode(images, "densenet121", weights=weights, up_to=_DENSENET_ENDS[downsample_factor])
    x = keras.layers.BatchNormalization(name="front_bn")(x)
    x = keras.layers.Activation("relu", name="front_relu")(x)
    return blocks.compress([x], "front_out")


def _hourglass(x, n_levels, n_units, blocks, name):
    """Halve the maps `n_levels` times and double them again, with a bridge at each size."""
    bridges = [_concatenate(x, f"{name}_joined")]
    x = [blocks.down(bridges, f"{name}_down_0")]
    for level in range(1, n_levels):
        x = blocks.dense(x, level + n_units, f"{name}_encoder_{level}")
        bridges.append(_concatenate(x, f"{name}_encoder_{level}_joined"))
        x = [blocks.down(bridges[-1:], f"{name}_down_{level}")]
    bridges.append(x[0])
    bridges = [blocks.compress([b], f"{name}_bridge_{i}") for i, b in enumerate(bridges)]
    x = blocks.dense(x, n_units, f"{name}_bottom")
    for level in range(n_levels, 0, -1):
        x = blocks.dense([*x, bridges[level]], level - 1 + n_units, f"{name}_decoder_{level}")
        x = [blocks.up(x, f"{name}_up_{level}")]
    x = blocks.dense([*x, bridges[0]], n_units, f"{name}_out")
    return _concatenate(x, f"{name}_out_joined")


def _concatenate(tensors, name):
    """Join the channels of several tensors; a single one stays as it is."""
    if len(tensors) == 1:
        return tensors[0]
    import keras

    return keras.layers.Concatenate(name=name)(tensors)


@dataclass(frozen=True)
class _Blocks:
    """The pieces of the network; each takes a list of tensors, whose channels it joins."""

    growth_rate: int
    bottleneck_factor: float
    compression_factor: float
    separable: bool

    def convolve(self, x, filters, kernel_size, name, strides=1):
        import keras

        from skpose.models._layers import selu

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
        import keras

        from skpose.models._layers import selu

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
        old = _concatenate(tensors, f"{name}_concat")
        x = self.convolve(
            old, round(filters * self.bottleneck_factor) or 1, 1, f"{name}_bottleneck"
        )
        if self.separable:
            return [old, self.convolve_separably(x, filters, f"{name}_conv")]
        return [old, self.convolve(x, filters, 3, f"{name}_conv")]

    def compress(self, tensors, name):
        x = _concatenate(tensors, f"{name}_concat")
        return self.convolve(x, self._n_compressed(x), 1, f"{name}_compress")

    def down(self, tensors, name, pool_size=2):
        import keras

        x = _concatenate(tensors, f"{name}_concat")
        filters = self._n_compressed(x)
        x = keras.layers.MaxPooling2D(pool_size, name=f"{name}_pool")(x)
        return self.convolve(x, filters, 1, f"{name}_compress")

    def up(self, tensors, name):
        from skpose.models._layers import DepthToSpace

        x = _concatenate(tensors, f"{name}_concat")
        quarter = -(-(self._n_compressed(x) - 2) // 4)  # to the nearest multiple of 4, ties down
        x = self.convolve(x, 4 * max(quarter, 1), 1, f"{name}_compress")
        return DepthToSpace(2, name=f"{name}_depth_to_space")(x)

    def _n_compressed(self, x):
        return round(x.shape[-1] * self.compression_factor) or 1
