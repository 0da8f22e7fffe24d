"""The network of LEAP (Pereira et al., 2019), as a scikit-learn object."""

from numbers import Integral

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

    See Also
    --------
    skpose.models.build_leap : The network as a function of plain numbers.

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
        filters=64,
        *,
        activation="relu",
        batch_normalization=False,
        pooling="max",
        upsampling="transposed",
    ):
        self.filters = filters
        self.activation = activation
        self.batch_normalization = batch_normalization
        self.pooling = pooling
        self.upsampling = upsampling

    def _build(self, image_shape, n_outputs, downsample_factor, load_weights):
        from skpose.models._networks.leap import build_leap

        return build_leap(
            image_shape,
            n_outputs,
            filters=self.filters,
            activation=self.activation,
            batch_normalization=self.batch_normalization,
            pooling=self.pooling,
            upsampling=self.upsampling,
        )

    def _size_divisor(self, image_shape, downsample_factor):
        return 4
