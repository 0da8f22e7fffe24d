"""A small residual U-Net, as a scikit-learn object."""

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

    See Also
    --------
    skpose.models.build_residual_unet : The network as a function of plain numbers.
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
    are a linear function of `head_filters` features of a cell: of the 48 features that the U ends
    with, 66 maps could not be independent of each other.

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
        self, filters=48, *, max_filters=128, n_blocks=1, n_transitions=-1, head_filters=256
    ):
        self.filters = filters
        self.max_filters = max_filters
        self.n_blocks = n_blocks
        self.n_transitions = n_transitions
        self.head_filters = head_filters

    def _build(self, image_shape, n_outputs, downsample_factor, load_weights):
        from skpose.models._networks.residual_unet import build_residual_unet

        return build_residual_unet(
            image_shape,
            n_outputs,
            downsample_factor=downsample_factor,
            filters=self.filters,
            max_filters=self.max_filters,
            n_blocks=self.n_blocks,
            n_transitions=self.n_transitions,
            head_filters=self.head_filters,
        )

    def _size_divisor(self, image_shape, downsample_factor):
        return 2 ** count_transitions(image_shape, self.n_transitions, downsample_factor)
