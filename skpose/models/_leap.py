"""The network of LEAP (Pereira et al., 2019)."""

from dataclasses import dataclass
from numbers import Integral
from typing import Literal

from skpose.base import Interval, StrOptions
from skpose.models._architecture import Architecture


class LEAP(Architecture):
    """A plain encoder and decoder whose maps are as large as the images: simple, and slow on CPUs.

    Keypoints are read at whole pixels unless the user asks otherwise: the maps are fine enough.

    Parameters
    ----------
    filters : int, default=64
        Channels of the convolutions at full size; twice as many at 1/2, four times at 1/4.
    activation : {"relu", "selu", "elu", "gelu", "silu"}, default="relu"
        Activation of the convolutions. With "selu" kernels start LeCun-normal.
    batch_normalization : bool, default=False
        Normalise after each convolution. Trains more steadily, and a little slower.
    pooling : {"max", "average"}, default="max"
        How the encoder halves its features.
    upsampling : {"transposed", "bilinear", "nearest"}, default="transposed"
        How the decoder doubles its features: transposed convolution, or interpolation.

    Raises
    ------
    ValueError
        By `build`, if a parameter is out of its range, or `downsample_factor` is not 0.

    Notes
    -----
    Three 3 x 3 convolutions at each of three sizes, then two on the way back. Each cell sees a
    window of some 60 pixels, so keypoints that look alike are told apart only in small images; and
    convolutions at full size take the most time of all the networks here.

    The computation is that of DeepPoseKit 0.3.9, and its parameters are as many: 2,545,952 for 32
    maps of grey images.

    References
    ----------
    .. [1] T. D. Pereira et al. "Fast animal pose estimation using deep neural networks."
       Nature Methods 16:117-125, 2019.

    Examples
    --------
    >>> from skpose.models import LEAP
    >>> LEAP().size_divisor((192, 192, 1))
    4
    """

    downsample_factors = (0,)
    default_downsample_factor = 0
    default_subpixel = False

    _parameter_constraints: dict = {
        "filters": [Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"relu", "selu", "elu", "gelu", "silu"})],
        "batch_normalization": ["boolean"],
        "pooling": [StrOptions({"max", "average"})],
        "upsampling": [StrOptions({"transposed", "bilinear", "nearest"})],
    }

    def __init__(
        self,
        filters: int = 64,
        *,
        activation: Literal["relu", "selu", "elu", "gelu", "silu"] = "relu",
        batch_normalization: bool = False,
        pooling: Literal["max", "average"] = "max",
        upsampling: Literal["transposed", "bilinear", "nearest"] = "transposed",
    ) -> None:
        self.filters = filters
        self.activation = activation
        self.batch_normalization = batch_normalization
        self.pooling = pooling
        self.upsampling = upsampling

    def _build(self, image_shape, n_outputs, downsample_factor, load_weights):
        return _build_network(image_shape, n_outputs, **self.get_params(deep=False))

    def _size_divisor(self, image_shape, downsample_factor):
        return 4


def _build_network(image_shape, n_outputs, *, filters, **options):
    """Build a plain encoder and decoder whose maps are as large as the images."""
    import keras

    from skpose.models._layers import normalise_images

    blocks = _Blocks(**options)
    images = keras.Input((None, None, image_shape[2]), name="images")
    x = normalise_images(images)
    for level in range(2):
        x = blocks.convolve(x, filters * 2**level, 3, f"encoder_{level}")
        x = blocks.halve(x, f"encoder_{level}_pool")
    x = blocks.convolve(x, filters * 4, 3, "bottom")
    x = blocks.double(x, filters * 2, "decoder_1_up")
    x = blocks.convolve(x, filters * 2, 2, "decoder_1")
    return keras.Model(images, [blocks.emit(x, n_outputs)], name="leap")


@dataclass(frozen=True)
class _Blocks:
    """The pieces of the network."""

    activation: str
    batch_normalization: bool
    pooling: str
    upsampling: str

    def convolve(self, x, filters, n_convolutions, name):
        import keras

        for i in range(n_convolutions):
            layer = keras.layers.Conv2D(
                filters,
                3,
                padding="same",
                activation=self.activation,
                use_bias=not self.batch_normalization,
                kernel_initializer="lecun_normal"
                if self.activation == "selu"
                else "glorot_uniform",
                name=f"{name}_conv_{i}",
            )
            x = self._normalise(layer(x), f"{name}_conv_{i}_bn")
        return x

    def halve(self, x, name):
        import keras

        average = self.pooling == "average"
        layer = keras.layers.AveragePooling2D if average else keras.layers.MaxPooling2D
        return layer(2, name=name)(x)

    def double(self, x, filters, name):
        import keras

        if self.upsampling == "transposed":
            layer = keras.layers.Conv2DTranspose(
                filters,
                3,
                strides=2,
                padding="same",
                activation=self.activation,
                use_bias=not self.batch_normalization,
                kernel_initializer="glorot_normal",
                name=name,
            )
        else:
            layer = keras.layers.UpSampling2D(2, interpolation=self.upsampling, name=name)
        return self._normalise(layer(x), f"{name}_bn")

    def emit(self, x, n_outputs):
        import keras

        if self.upsampling == "transposed":
            layer = keras.layers.Conv2DTranspose(
                n_outputs,
                3,
                strides=2,
                padding="same",
                kernel_initializer="glorot_normal",
                name="maps_0",
            )
            return layer(x)
        x = keras.layers.UpSampling2D(2, interpolation=self.upsampling, name="decoder_0_up")(x)
        return keras.layers.Conv2D(n_outputs, 3, padding="same", name="maps_0")(x)

    def _normalise(self, x, name):
        if not self.batch_normalization:
            return x
        import keras

        return keras.layers.BatchNormalization(name=name)(x)
