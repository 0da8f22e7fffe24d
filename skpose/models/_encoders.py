"""Encoders of keras.applications, fully convolutional and of output stride 16."""

import os
from pathlib import Path
import re

# name -> (name in keras.applications, scaling of pixels)
ENCODERS = {
    "resnet50": ("ResNet50", "caffe"),
    "resnet101": ("ResNet101", "caffe"),
    "resnet152": ("ResNet152", "caffe"),
    "mobilenetv2": ("MobileNetV2", "tf"),
    "densenet121": ("DenseNet121", "torch"),
    "densenet169": ("DenseNet169", "torch"),
    "densenet201": ("DenseNet201", "torch"),
    "xception": ("Xception", "tf"),
    "efficientnetv2b0": ("EfficientNetV2B0", "torch"),
    "convnext_tiny": ("ConvNeXtTiny", "torch"),
}
MOBILENET_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)

_PROBE_SIZE = 224


def encode(images, encoder, *, weights, alpha=1.0, up_to=None):
    """Apply an encoder to images in 0..255 of 1 or 3 channels, scaled as it was trained.

    Parameters
    ----------
    images : keras.KerasTensor of shape (n, None, None, n_channels)
        Pixels in 0..255; grey images are repeated over the three colours.
    encoder : str
        One of `ENCODERS`.
    weights : {"imagenet", None}
        Weights to start from; None: random.
    alpha : float, default=1.0
        Width of "mobilenetv2"; other encoders have none.
    up_to : str, default=None
        Name of the last layer to keep; None keeps all.

    Returns
    -------
    keras.KerasTensor of shape (n, h / stride, w / stride, n_features)
        Features; the stride is 16 unless `up_to` stands before. They come from one nested network,
        the layer ``encoder``.
    """
    import keras

    from skpose.models._layers import ImageNetScaling

    application = _load(encoder, weights, alpha)
    if up_to is not None:
        application = keras.Model(application.input, application.get_layer(up_to).output)
    network = _hold_stride_16(application)
    if weights is not None:
        network.set_weights(application.get_weights())
    _, scaling = ENCODERS[encoder]
    return network(ImageNetScaling(scaling, name="normalise")(images))


def _load(encoder, weights, alpha):
    import keras

    application, _ = ENCODERS[encoder]
    options = {"include_top": False, "weights": weights, "input_shape": (None, None, 3)}
    if encoder == "mobilenetv2":
        # The weights are the same for each size, but without one of these sizes Keras warns.
        options.update(alpha=alpha, input_shape=(_PROBE_SIZE, _PROBE_SIZE, 3))
    elif encoder in ("efficientnetv2b0", "convnext_tiny"):
        options.update(include_preprocessing=False)
    try:
        return getattr(keras.applications, application)(**options)
    except Exception as error:  # keras.utils.get_file raises no narrower one
        url = re.search(r"https?://\S+?\.h5", str(error))
        if url is None:
            raise
        raise OSError(_explain_download(encoder, url.group())) from error


def _explain_download(encoder, url):
    home = "~" if os.access(Path.home(), os.W_OK) else "/tmp"
    folder = Path(os.environ.get("KERAS_HOME", f"{home}/.keras")) / "models"
    return (
        f"The ImageNet weights of encoder {encoder!r} could not be downloaded from {url}. Place "
        f"the file {url.rsplit('/', 1)[1]} in the folder {folder} by hand, or start from random "
        "weights (weights=None, pretrained=False)."
    )


def _hold_stride_16(application):
    """Clone a network without its fifth halving, and spread the kernels behind it instead.

    A kernel spread by 2 meets the same neighbours on the finer grid as before on the coarser one,
    so weights keep their meaning.
    """
    import keras

    changes = {name: _hold_layer for name in _names_below_stride_16(application)}

    def clone(layer):
        config = layer.get_config()
        return type(layer).from_config(changes.get(layer.name, _keep)(layer, config))

    images = keras.Input((None, None, 3), name="encoder_images")
    network = keras.models.clone_model(
        application, input_tensors=images, clone_function=clone, recursive=True
    )
    return keras.Model(images, network.output, name="encoder")


def _names_below_stride_16(application):
    """Names of the layers whose outputs are smaller than 1/16 of the image."""
    import keras

    layers = [layer for layer in application.layers if _is_spatial(layer)]
    probe = keras.Model(application.input, [layer.output for layer in layers])
    shapes = probe.compute_output_shape((None, _PROBE_SIZE, _PROBE_SIZE, 3))
    names = set()
    for layer, shape in zip(layers, shapes, strict=True):
        # The padding that comes before a strided convolution is a little larger than 1/16.
        margin = 2 if isinstance(layer, keras.layers.ZeroPadding2D) else -1
        if shape[1] <= _PROBE_SIZE // 16 + margin:
            names |= {layer.name, *(inner.name for inner in getattr(layer, "layers", ()))}
    return names


def _is_spatial(layer):
    import keras

    return not isinstance(layer, keras.layers.InputLayer) and len(layer.output.shape) == 4


def _keep(layer, config):
    return config


def _hold_layer(layer, config):
    import keras

    if isinstance(layer, keras.layers.ZeroPadding2D):
        return {**config, "padding": 0}
    if max(config.get("strides", (1,))) > 1:
        return {**config, "strides": 1, "padding": "same"}
    if max(config.get("kernel_size", (1,))) > 1:
        return {**config, "dilation_rate": 2}
    return config
