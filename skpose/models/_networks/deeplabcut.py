"""The network of DeepLabCut (Mathis et al., 2018), in DeepPoseKit's version."""

import keras

from skpose.models._networks.encoders import encode
from skpose.models._networks.layers import DepthToSpace


def build_deeplabcut(
    image_shape, n_outputs, *, downsample_factor=2, encoder="resnet50", weights=None, alpha=1.0
):
    """Build an encoder of image classification with a small decoder behind it.

    Parameters
    ----------
    image_shape : tuple of int (height, width, n_channels)
        Shape of the images; only the number of channels counts. The network takes images of any
        size whose sides are divisible by 16.
    n_outputs : int
        Number of maps.
    downsample_factor : {2, 3, 4}, default=2
        Maps are smaller than images by ``2 ** downsample_factor``. At 4 they are a 1 x 1
        convolution of the features, at 3 a transposed convolution; at 2 the features are first
        spread over a grid of twice the size.
    encoder : str, default="resnet50"
        One of `skpose.models.DeepLabCut`'s encoders.
    weights : {"imagenet", None}, default=None
        Weights of the encoder; None: random.
    alpha : float, default=1.0
        Width of "mobilenetv2".

    Returns
    -------
    keras.Model
        Input ``images`` of shape (n, None, None, n_channels) in 0..255; a list of one output
        ``maps_0`` of shape (n, h / stride, w / stride, n_outputs). The encoder is one nested
        network, the layer ``encoder``.
    """
    images = keras.Input((None, None, image_shape[2]), name="images")
    x = encode(images, encoder, weights=weights, alpha=alpha)
    if downsample_factor == 4:
        maps = keras.layers.Conv2D(n_outputs, 1, name="maps_0")(x)
    else:
        if downsample_factor == 2:
            x = DepthToSpace(2, name="depth_to_space")(x)
        maps = keras.layers.Conv2DTranspose(n_outputs, 3, strides=2, padding="same", name="maps_0")(
            x
        )
    return keras.Model(images, [maps], name="deeplabcut")
