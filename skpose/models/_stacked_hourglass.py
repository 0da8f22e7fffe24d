"""The Stacked Hourglass of Newell et al. (2016), as a scikit-learn object."""

from numbers import Integral

from skpose.base import Interval
from skpose.models._architecture import Architecture
from skpose.models._sizes import count_transitions


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

    See Also
    --------
    skpose.models.build_stacked_hourglass : The network as a function of plain numbers.
    StackedDenseNet : Hourglasses with dense connections, and without normalisation.

    Notes
    -----
    The computation is that of DeepPoseKit 0.3.9, and its parameters are as many: 530,688 for 32
    maps of 192 x 192 grey pixels with the defaults, 7,860,672 with ``filters=256``. Batch
    normalisation stands before each convolution and at each sum, so batches should not be small.
    Its moving averages have a momentum of 0.9 rather than Keras' 0.99: with about a hundred frames,
    an epoch is only a few steps long.

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

    def __init__(self, n_stacks=2, *, n_transitions=-1, filters=64, bottleneck_factor=2):
        self.n_stacks = n_stacks
        self.n_transitions = n_transitions
        self.filters = filters
        self.bottleneck_factor = bottleneck_factor

    def _build(self, image_shape, n_outputs, downsample_factor, load_weights):
        from skpose.models._networks.stacked_hourglass import build_stacked_hourglass

        return build_stacked_hourglass(
            image_shape,
            n_outputs,
            downsample_factor=downsample_factor,
            n_stacks=self.n_stacks,
            n_transitions=self.n_transitions,
            filters=self.filters,
            bottleneck_factor=self.bottleneck_factor,
        )

    def _size_divisor(self, image_shape, downsample_factor):
        return 2 ** count_transitions(image_shape, self.n_transitions, downsample_factor)
