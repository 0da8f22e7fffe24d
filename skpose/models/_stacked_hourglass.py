"""The Stacked Hourglass of Newell et al. (2016), in DeepPoseKit's version."""

from dataclasses import dataclass
from numbers import Integral

from skpose.base import Interval
from skpose.models._architecture import Architecture
from skpose.models._sizes import count_transitions

# Every block is normalised, so a network whose moving averages lag cannot be judged. Keras' 0.99
# takes some hundred steps to follow, which is long for an epoch of six.
_MOMENTUM = 0.9


class StackedHourglass(Architecture):
    """Residual hourglasses, stacked: the smallest network with the defaults.

    Parameters
    ----------
    n_stacks : int, default=2
        Number of hourglasses. Each is trained to give the maps, and refines what the one before
        gave. More are more accurate, and slower.
    n_transitions : int, default=-1
        Number of times that the image is halved on the way to the coarsest features. -1 chooses
        the largest number that leaves the image's smaller side at least 3 cells (6 for 192 pixels,
        5 for 160), -2 one less, and so on, but at least ``downsample_factor + 1``.
    filters : int, default=64
        Number of channels between residual blocks.
    bottleneck_factor : int, default=2
        The 3 x 3 convolution of a residual block has ``filters // bottleneck_factor`` channels.

    Raises
    ------
    ValueError
        By `build` and by `size_divisor`, if a parameter is out of its range, `downsample_factor` is
        not 1, 2 or 3, or `n_transitions` does not exceed it or halves the images below one cell.

    See Also
    --------
    StackedDenseNet : Hourglasses with dense connections, and without normalisation.

    Notes
    -----
    The computation is that of DeepPoseKit 0.3.9, and its parameters are as many: 530,688 for 32
    maps of 192 x 192 grey pixels with the defaults, 7,860,672 with ``filters=256``. Batch
    normalisation stands before each convolution and at each sum, so batches should not be small.
    Its moving averages have a momentum of 0.9 rather than Keras' 0.99: with about a hundred frames,
    an epoch is only a few steps long. The network gives `n_stacks` lists of maps.

    References
    ----------
    .. [1] A. Newell, K. Yang, J. Deng. "Stacked hourglass networks for human pose estimation."
       ECCV, 2016.
    .. [2] J. M. Graving et al. "DeepPoseKit, a software toolkit for fast and robust animal pose
       estimation using deep learning." eLife 8:e47994, 2019.

    Examples
    --------
    >>> from skpose.models import StackedHourglass
    >>> StackedHourglass().size_divisor((192, 256, 3))
    64
    """

    _parameter_constraints: dict = {
        "n_stacks": [Interval(Integral, 1, None, closed="left")],
        "n_transitions": [
            Interval(Integral, None, -1, closed="right"),
            Interval(Integral, 1, None, closed="left"),
        ],
        "filters": [Interval(Integral, 1, None, closed="left")],
        "bottleneck_factor": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_stacks: int = 2,
        *,
        n_transitions: int = -1,
        filters: int = 64,
        bottleneck_factor: int = 2,
    ) -> None:
        self.n_stacks = n_stacks
        self.n_transitions = n_transitions
        self.filters = filters
        self.bottleneck_factor = bottleneck_factor

    def _build(self, image_shape, n_outputs, downsample_factor, load_weights):
        return _build_network(
            image_shape, n_outputs, downsample_factor, **self.get_params(deep=False)
        )

    def _size_divisor(self, image_shape, downsample_factor):
        return 2 ** count_transitions(image_shape, self.n_transitions, downsample_factor)


def _build_network(image_shape, n_outputs, downsample_factor, *, n_stacks, n_transitions, **widths):
    """Build a stack of residual hourglasses with a map after each."""
    import keras

    from skpose.models._layers import normalise_images

    n_transitions = count_transitions(image_shape, n_transitions, downsample_factor)
    n_levels = n_transitions - downsample_factor
    blocks = _Blocks(**widths)
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
    import keras

    x = blocks.convolve(x, blocks.filters, 7, "front_conv", strides=2)
    for level in range(1, downsample_factor):
        x = blocks.residual(x, f"front_{level}")
        x = keras.layers.MaxPooling2D(2, name=f"front_{level}_pool")(x)
    return blocks.residual(blocks.residual(x, "front_out_1"), "front_out_2")


def _hourglass(x, n_levels, blocks, name):
    """Halve the features `n_levels` times and double them again, with a bridge at each size."""
    import keras

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
    """Return the maps of a stack, and what the next stack takes: features and maps joined."""
    import keras

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
    import keras

    return keras.layers.BatchNormalization(momentum=_MOMENTUM, name=name)(x)


@dataclass(frozen=True)
class _Blocks:
    """The pieces of the network."""

    filters: int
    bottleneck_factor: int

    def convolve(self, x, filters, kernel_size, name, strides=1):
        import keras

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
        import keras

        tensors = [_normalise(x, f"{name}_bn_{i}") for i, x in enumerate(tensors)]
        return keras.layers.Add(name=name)(tensors)

    def residual(self, x, name):
        narrow = max(self.filters // self.bottleneck_factor, 1)
        y = self.normalised_convolve(x, narrow, 1, f"{name}_narrow")
        y = self.normalised_convolve(y, narrow, 3, f"{name}_conv")
        y = self.normalised_convolve(y, self.filters, 1, f"{name}_widen")
        return self.add([x, y], name)
