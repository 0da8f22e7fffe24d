"""Networks that turn images into confidence maps.

An `Architecture` is a scikit-learn object that holds a network's hyperparameters and builds it.
Keras is loaded when the first network is built.
"""

from typing import TYPE_CHECKING

from skpose.models._architecture import Architecture
from skpose.models._custom import CustomArchitecture
from skpose.models._deeplabcut import DeepLabCut
from skpose.models._leap import LEAP
from skpose.models._registry import ARCHITECTURES, get_architecture
from skpose.models._residual_unet import ResidualUNet
from skpose.models._stacked_densenet import StackedDenseNet
from skpose.models._stacked_hourglass import StackedHourglass

__all__ = [
    "ARCHITECTURES",
    "LEAP",
    "Architecture",
    "CustomArchitecture",
    "DeepLabCut",
    "ResidualUNet",
    "StackedDenseNet",
    "StackedHourglass",
    "get_architecture",
    "rebuild",
]


if TYPE_CHECKING:
    from skpose.models._rebuild import rebuild
else:

    def __getattr__(name):
        if name == "rebuild":  # needs Keras
            from skpose.models._rebuild import rebuild

            return rebuild
        raise AttributeError(f"module 'skpose.models' has no attribute {name!r}")


def __dir__():
    return __all__
