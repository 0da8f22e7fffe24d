"""The Stacked DenseNet of Graving et al. (2019), as a scikit-learn object."""

from numbers import Integral, Real

from skpose.base import Interval
from skpose.models._architecture import Architecture
from skpose.models._sizes import count_transitions


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

    See Also
    --------
    skpose.models.build_stacked_densenet : The network as a function of plain numbers.
    StackedHourglass : The network whose hourglasses these are.

    Notes
    -----
    A 7 x 7 convolution of stride 2 and dense blocks bring the image to the size of the maps. Each
    hourglass then halves the features and doubles them again, with compressed bridges between
    features of one size; a dense block of ``u`` units is a 1 x 1 and a 3 x 3 convolution that add
    ``min(u, 3) * growth_rate`` channels to those that came in. There are no normalisation layers in
    between: kernels start LeCun-normal and activations are SELU, which keeps activations at mean 0
    and variance 1 [4]_. The maps of each stage go back into the features of the next. The network
    gives ``n_stacks + 1`` lists of maps, the first from the front end.

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
        n_stacks=2,
        *,
        n_transitions=-1,
        growth_rate=48,
        bottleneck_factor=1,
        compression_factor=0.5,
        separable=False,
        pretrained=False,
        freeze_encoder=0,
    ):
        self.n_stacks = n_stacks
        self.n_transitions = n_transitions
        self.growth_rate = growth_rate
        self.bottleneck_factor = bottleneck_factor
        self.compression_factor = compression_factor
        self.separable = separable
        self.pretrained = pretrained
        self.freeze_encoder = freeze_encoder

    @property
    def downsample_factors(self):
        return (2, 3) if self.pretrained else (1, 2, 3)

    def encoder_layers(self, model):
        return ("encoder",) if self.pretrained else ()

    def _build(self, image_shape, n_outputs, downsample_factor, load_weights):
        from skpose.models._networks.stacked_densenet import build_stacked_densenet

        return build_stacked_densenet(
            image_shape,
            n_outputs,
            downsample_factor=downsample_factor,
            n_stacks=self.n_stacks,
            n_transitions=self.n_transitions,
            growth_rate=self.growth_rate,
            bottleneck_factor=self.bottleneck_factor,
            compression_factor=self.compression_factor,
            separable=self.separable,
            encoder="densenet121" if self.pretrained else None,
            encoder_weights="imagenet" if load_weights else None,
        )

    def _size_divisor(self, image_shape, downsample_factor):
        return 2 ** count_transitions(image_shape, self.n_transitions, downsample_factor)
