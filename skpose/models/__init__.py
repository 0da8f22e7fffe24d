"""Networks that turn images into confidence maps.

An `Architecture` is a scikit-learn object that holds a network's hyperparameters and builds it; the
``build_*`` functions are the networks themselves, of plain numbers. Keras is loaded when the first
network is built.
"""

from importlib import import_module as _import_module

from skpose.models._architecture import Architecture
from skpose.models._custom import CustomArchitecture
from skpose.models._deeplabcut import DeepLabCut
from skpose.models._leap import LEAP
from skpose.models._registry import ARCHITECTURES, get_architecture
from skpose.models._residual_unet import ResidualUNet
from skpose.models._stacked_densenet import StackedDenseNet
from skpose.models._stacked_hourglass import StackedHourglass

_LAZY = {
    "build_deeplabcut": "skpose.models._networks.deeplabcut",
    "build_leap": "skpose.models._networks.leap",
    "build_residual_unet": "skpose.models._networks.residual_unet",
    "build_stacked_densenet": "skpose.models._networks.stacked_densenet",
    "build_stacked_hourglass": "skpose.models._networks.stacked_hourglass",
    "rebuild": "skpose.models._rebuild",
}

__all__ = [
    "ARCHITECTURES",
    "LEAP",
    "Architecture",
    "CustomArchitecture",
    "DeepLabCut",
    "ResidualUNet",
    "StackedDenseNet",
    "StackedHourglass",
    "build_deeplabcut",
    "build_leap",
    "build_residual_unet",
    "build_stacked_densenet",
    "build_stacked_hourglass",
    "get_architecture",
    "rebuild",
]


def __getattr__(name):
    if name in _LAZY:
        return getattr(_import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'skpose.models' has no attribute {name!r}")


def __dir__():
    return __all__
