"""The network of LEAP (Pereira et al., 2019)."""

import keras

from skpose.models._networks.layers import normalise_images


def build_leap(
    image_shape,
    n_outputs,
    *,
    filters=64,
    activation="relu",
    batch_normalization=False,
    pooling="max",
    upsampling="transposed",
):
    """Build a plain encoder and decoder whose maps are as large as the images.

    Parameters
    ----------
    image_shape : tuple of int (height, width, n_channels)
        Shape of the images; only the number of channels counts. The network takes images of any
        size whose sides are divisible by 4.
    n_outputs : int
        Number of maps.
    filters : int, default=64
        Channels of the first convolutions; twice and four times as many at 1/2 and 1/4.
    activation : str, default="relu"
        Activation of the convolutions. With "selu" kernels start LeCun-normal.
    batch_normalization : bool, default=False
        Normalise after each convolution.
    pooling : {"max", "average"}, default="max"
        How the encoder halves its features.
    upsampling : {"transposed", "bilinear", "nearest"}, default="transposed"
        How the decoder doubles its features: transposed convolution, or interpolation.

    Returns
    -------
    keras.Model
        Input ``images`` of shape (n, None, None, n_channels) in 0..255; a list of one output
        ``maps_0`` of shape (n, h, w, n_outputs).
    """
    blocks = _Blocks(activation, batch_normalization, pooling, upsampling)
    images = keras.Input((None, None, image_shape[2]), name="images")
    x = normalise_images(images)
    for level in range(2):
        x = blocks.convolve(x, filters * 2**level, 3, f"encoder_{level}")
        x = blocks.halve(x, f"encoder_{level}_pool")
    x = blocks.convolve(x, filters * 4, 3, "bottom")
    x = blocks.double(x, filters * 2, "decoder_1_up")
    x = blocks.convolve(x, filters * 2, 2, "decoder_1")
    return keras.Model(images, [blocks.emit(x, n_outputs)], name="leap")


class _Blocks:
    """The pieces of the network."""

    def __init__(self, activation, batch_normalization, pooling, upsampling):
        self.activation = activation
        self.batch_normalization = batch_normalization
        self.pooling = pooling
        self.upsampling = upsampling

    def convolve(self, x, filters, n_convolutions, name):
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
        average = self.pooling == "average"
        layer = keras.layers.AveragePooling2D if average else keras.layers.MaxPooling2D
        return layer(2, name=name)(x)

    def double(self, x, filters, name):
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
        return keras.layers.BatchNormalization(name=name)(x)
