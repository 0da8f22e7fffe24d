"""The architectures by their names.

A new network is a module of its own, an entry here, and a name in ``skpose.models``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from skpose.base import say_nearest
from skpose.models._architecture import Architecture
from skpose.models._custom import CustomArchitecture
from skpose.models._deeplabcut import DeepLabCut
from skpose.models._leap import LEAP
from skpose.models._residual_unet import ResidualUNet
from skpose.models._stacked_densenet import StackedDenseNet
from skpose.models._stacked_hourglass import StackedHourglass

if TYPE_CHECKING:
    import keras

ARCHITECTURES = {
    "deeplabcut": DeepLabCut,
    "leap": LEAP,
    "residual_unet": ResidualUNet,
    "stacked_densenet": StackedDenseNet,
    "stacked_hourglass": StackedHourglass,
}


def get_architecture(model: str | Architecture | Callable[..., Any] | keras.Model) -> Architecture:
    """Return the architecture object that `model` stands for.

    Parameters
    ----------
    model : str, Architecture, callable or keras.Model
        The name of an architecture, one of `ARCHITECTURES`, which comes with its default
        hyperparameters; an object, which is given back as it is; or a user's own network, as
        `CustomArchitecture` takes it.

    Returns
    -------
    Architecture

    Raises
    ------
    ValueError
        If there is no architecture of that name.
    TypeError
        If `model` is something else.

    Examples
    --------
    >>> from skpose.models import get_architecture
    >>> get_architecture("stacked_densenet")
    StackedDenseNet()
    """
    if isinstance(model, Architecture):
        return model
    if isinstance(model, str):
        return _by_name(model)
    if callable(model) and not isinstance(model, type):
        return CustomArchitecture(model)
    raise TypeError(
        "model must be a name, an architecture such as StackedDenseNet(), a function (inputs, "
        f"n_outputs) or a keras.Model, but is {model!r}."
    )


def _by_name(name):
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]()
    hint = say_nearest(name.lower(), ARCHITECTURES)
    raise ValueError(f"Unknown model {name!r}; models are {', '.join(ARCHITECTURES)}.{hint}")
