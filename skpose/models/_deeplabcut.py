"""The network of DeepLabCut (Mathis et al., 2018), in DeepPoseKit's version."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Literal

from skpose.base import Interval, StrOptions
from skpose.models._architecture import Architecture
from skpose.models._encoders import ENCODERS, MOBILENET_ALPHAS, encode

if TYPE_CHECKING:
    import keras


class DeepLabCut(Architecture):
    """An encoder trained on ImageNet with a small decoder: needs few images, is large and slow.

    Parameters
    ----------
    encoder : str, default="resnet50"
        "resnet50", "resnet101", "resnet152", "mobilenetv2", "densenet121", "densenet169",
        "densenet201", "xception", "efficientnetv2b0" or "convnext_tiny".
    weights : {"imagenet", None}, default="imagenet"
        Weights of the encoder to start from. They are downloaded once into Keras's cache. None:
        random, which this network is too large for unless there are very many images.
    alpha : float, default=1.0
        Width of "mobilenetv2", for which 0.35, 0.5, 0.75, 1.0, 1.3 and 1.4 have ImageNet weights;
        other encoders have no such choice.
    freeze_encoder : int, default=0
        Number of first epochs in which the encoder is not trained, so that the decoder's random
        weights do not spoil it. Counts only with `weights`.

    Raises
    ------
    OSError
        By `build`, if the ImageNet weights are neither in Keras's cache nor can be downloaded.
    ValueError
        By `build`, if a parameter is out of its range, the encoder has no such `alpha`, or
        `downsample_factor` is not 2, 3 or 4.

    See Also
    --------
    StackedDenseNet : Takes ``pretrained=True`` too, and is a fifth of the size.

    Notes
    -----
    The encoder is held at 1/16 of the image: its fifth halving is left out, and the convolutions
    behind it are dilated by 2, so that each meets the neighbours that it was trained with. Maps of
    1/16 (``downsample_factor=4``) are a 1 x 1 convolution of the features, maps of 1/8 a transposed
    3 x 3 convolution; for maps of 1/4 the features' channels are first spread over a grid of twice
    the size. Pixels are scaled as each encoder expects, and grey images repeated over the colours.
    The encoder is one nested network, the layer ``encoder``.

    Parameters for 32 maps of 1/4 of the image: "resnet50" 23,735,200, "resnet101" 42,805,664,
    "resnet152" 58,518,432, "mobilenetv2" 2,350,176 (502,400 with ``alpha=0.35``), "densenet121"
    7,111,264, "densenet169" 12,762,720, "densenet201" 18,460,256, "xception" 21,008,968,
    "efficientnetv2b0" 6,011,504, "convnext_tiny" 27,875,456. DeepPoseKit 0.3.9 has the first eight,
    with as many parameters. It left the first block behind the missing halving undilated and
    dropped DenseNet's last pooling, which here becomes a pooling of stride 1.

    References
    ----------
    .. [1] A. Mathis et al. "DeepLabCut: markerless pose estimation of user-defined body parts with
       deep learning." Nature Neuroscience 21:1281-1289, 2018.
    .. [2] E. Insafutdinov et al. "DeeperCut: a deeper, stronger, and faster multi-person pose
       estimation model." ECCV, 2016.
    .. [3] A. Mathis et al. "Pretraining boosts out-of-domain robustness for pose estimation." WACV,
       2021.

    Examples
    --------
    >>> from skpose.models import DeepLabCut
    >>> DeepLabCut(encoder="mobilenetv2", alpha=0.35).size_divisor((192, 192, 1))
    16
    """

    downsample_factors = (2, 3, 4)

    _parameter_constraints: dict = {
        "encoder": [StrOptions(set(ENCODERS))],
        "weights": [StrOptions({"imagenet"}), None],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "freeze_encoder": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        encoder: str = "resnet50",
        *,
        weights: Literal["imagenet"] | None = "imagenet",
        alpha: float = 1.0,
        freeze_encoder: int = 0,
    ) -> None:
        self.encoder = encoder
        self.weights = weights
        self.alpha = alpha
        self.freeze_encoder = freeze_encoder

    def encoder_layers(self, model: keras.Model) -> tuple[str, ...]:
        return () if self.weights is None else ("encoder",)

    def _build(self, image_shape, n_outputs, downsample_factor, load_weights):
        self._check_alpha()
        return _build_network(
            image_shape,
            n_outputs,
            downsample_factor,
            encoder=self.encoder,
            weights=self.weights if load_weights else None,
            alpha=self.alpha,
        )

    def _check_alpha(self):
        if self.encoder != "mobilenetv2" and self.alpha != 1:
            raise ValueError(
                f"alpha is the width of encoder 'mobilenetv2', but is {self.alpha} with encoder "
                f"{self.encoder!r}. Leave it at 1."
            )
        if self.weights is not None and self.alpha not in MOBILENET_ALPHAS:
            raise ValueError(
                f"There are ImageNet weights of 'mobilenetv2' for alpha "
                f"{', '.join(map(str, MOBILENET_ALPHAS))}, but it is {self.alpha}. Choose one of "
                "these, or weights=None."
            )

    def _size_divisor(self, image_shape, downsample_factor):
        return 16


def _build_network(image_shape, n_outputs, downsample_factor, *, encoder, weights, alpha):
    """Build an encoder of image classification with a small decoder behind it."""
    import keras

    from skpose.models._layers import DepthToSpace

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
