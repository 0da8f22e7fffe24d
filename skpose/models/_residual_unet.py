"""A small residual U-Net."""

from numbers import Integral

from skpose.base import Interval
from skpose.models._architecture import Architecture
from skpose.models._sizes import count_transitions


class ResidualUNet(Architecture):
    """A small U-Net with residual blocks: the fastest network, and the default.

    Parameters
    ----------
    filters : int, default=48
        Number of channels at the size of the maps. It doubles whenever the features have been
        halved twice.
    max_filters : int, default=128
        The most channels at any size.
    n_blocks : int, default=1
        Number of residual blocks at each size on the way down and on the way up.
    n_transitions : int, default=-1
        Number of times that the image is halved on the way to the coarsest features. -1 chooses
        the largest number that leaves the image's smaller side at least 3 cells (6 for 192 pixels,
        5 for 160), -2 one less, and so on, but at least ``downsample_factor + 1``.
    head_filters : int, default=256
        Number of channels that the last maps are a linear function of. Fewer than there are maps
        cost precision.

    Raises
    ------
    ValueError
        By `build` and by `size_divisor`, if a parameter is out of its range, `downsample_factor` is
        not 1, 2 or 3, or `n_transitions` does not exceed it or halves the images below one cell.

    See Also
    --------
    StackedDenseNet : DeepPoseKit's network: more than four times the work for an image, and the
        more precise one once it is trained for long.

    Notes
    -----
    Much of the time that a Stacked DenseNet takes on a processor goes into features of half the
    image's size, into joining channels and into its activation. Here one convolution brings the
    image straight to the size of the maps, features of one size are added rather than joined, and
    activations are rectifiers, which are computed along with the convolution. A U-Net [1]_ of
    residual blocks [2]_ follows, without normalisation: the second convolution of each block starts
    with small weights, so that a block is close to the identity at first [3]_. There are two lists
    of maps, from the finest features before and after the U, and both are trained. The last maps
    are a linear function of `head_filters` features of a cell, since the U ends with 48 features,
    and 66 maps that are linear functions of 48 features depend on each other.

    It has 1,864,004 parameters for 66 maps of 192 x 192 grey pixels, and takes 0.92 GFLOP for an
    image; a Stacked DenseNet with the paper's settings has 4,673,437, and takes 4.2.

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer, T. Brox. "U-Net: convolutional networks for biomedical image
       segmentation." MICCAI, 2015.
    .. [2] K. He, X. Zhang, S. Ren, J. Sun. "Deep residual learning for image recognition." CVPR,
       2016.
    .. [3] H. Zhang, Y. N. Dauphin, T. Ma. "Fixup initialization: residual learning without
       normalization." ICLR, 2019.

    Examples
    --------
    >>> from skpose.models import ResidualUNet
    >>> ResidualUNet().size_divisor((192, 192, 1))
    64
    """

    _parameter_constraints: dict = {
        "filters": [Interval(Integral, 2, None, closed="left")],
        "max_filters": [Interval(Integral, 2, None, closed="left")],
        "n_blocks": [Interval(Integral, 1, None, closed="left")],
        "n_transitions": [
            Interval(Integral, None, -1, closed="right"),
            Interval(Integral, 1, None, closed="left"),
        ],
        "head_filters": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        filters: int = 48,
        *,
        max_filters: int = 128,
        n_blocks: int = 1,
        n_transitions: int = -1,
        head_filters: int = 256,
    ) -> None:
        self.filters = filters
        self.max_filters = max_filters
        self.n_blocks = n_blocks
        self.n_transitions = n_transitions
        self.head_filters = head_filters

    def _build(self, image_shape, n_outputs, downsample_factor, load_weights):
        return _build_network(
            image_shape, n_outputs, downsample_factor, **self.get_params(deep=False)
        )

    def _size_divisor(self, image_shape, downsample_factor):
        return 2 ** count_transitions(image_shape, self.n_transitions, downsample_factor)


def _build_network(
    image_shape,
    n_outputs,
    downsample_factor,
    *,
    filters,
    max_filters,
    n_blocks,
    n_transitions,
    head_filters,
):
    """Build a U-Net of residual blocks that starts and ends at the size of the maps."""
    import keras

    from skpose.models._layers import emit_maps, normalise_images

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
    # More maps than features, as linear functions of these, would depend on each other.
    x = _convolve(x, head_filters, 1, "head")
    maps = [emit_maps(x, n_outputs, i) for i, x in enumerate((levels[0], x))]
    return keras.Model(images, maps, name="residual_unet")


def _width(level, filters, max_filters):
    """Twice the channels for every two levels, in whole vector registers."""
    if level == 0:
        return min(filters, max_filters)
    return min(max_filters, max(1, round(filters * 2 ** (level / 2) / 16)) * 16)


def _residual_blocks(x, filters, n_blocks, name):
    import keras

    for i in range(n_blocks):
        # Without normalisation, features would grow from block to block if both started large.
        y = _convolve(x, filters, 3, f"{name}_block_{i}_conv_0")
        y = _convolve(y, filters, 3, f"{name}_block_{i}_conv_1", activation=None, scale=0.2)
        x = keras.layers.Add(name=f"{name}_block_{i}_add")([x, y])
        x = keras.layers.Activation("relu", name=f"{name}_block_{i}_relu")(x)
    return x


def _convolve(x, filters, kernel_size, name, *, strides=1, activation="relu", scale=2.0):
    import keras

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
