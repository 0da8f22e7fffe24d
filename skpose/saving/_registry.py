"""The classes that a model file may name."""

from collections.abc import Callable
from importlib import import_module
from typing import TypeVar

from sklearn.base import BaseEstimator

import skpose

__all__ = ["class_of", "name_of", "never_saved", "register"]

# Classes of scikit-learn that hold nothing but other estimators.
_OF_SKLEARN = {"sklearn.frozen": {"FrozenEstimator"}, "sklearn.pipeline": {"Pipeline"}}

_registered: dict[str, type] = {}  # name in a file -> class
_Class = TypeVar("_Class", bound=type)


def register(package: str) -> Callable[[_Class], _Class]:
    """Let `skpose.save` and `skpose.load` take part of a class of yours.

    The class is an estimator or transformer of scikit-learn's kind. A file holds its parameters and
    its learnt attributes: numbers, texts, arrays, lists, tuples, dicts and other estimators. What
    the class leaves out of ``__getstate__`` is left out of the file too. The module of the class
    must be imported before a file with it is loaded.

    Parameters
    ----------
    package : str
        Your own name, so that a class of someone else's cannot be taken for yours.

    Returns
    -------
    callable
        Takes the class, and returns it.

    Raises
    ------
    TypeError
        If the class is no scikit-learn estimator.
    ValueError
        If `package` is ``"skpose"`` or ``"sklearn"``, or in one of them, or has a ``">"``.

    Examples
    --------
    >>> from skpose.preprocessing import ImageResizer
    >>> from skpose.saving import register
    >>> @register("my_lab")
    ... class HalfSize(ImageResizer):
    ...     pass
    """
    if ">" in package or package.partition(".")[0] in ("skpose", "sklearn"):
        raise ValueError(
            "package must be a name of your own, without '>' and not of skpose or scikit-learn, "
            f"but was {package!r}."
        )

    def decorate(cls):
        if not (isinstance(cls, type) and issubclass(cls, BaseEstimator)):
            raise TypeError(f"Only classes of scikit-learn estimators can be saved, not {cls!r}.")
        _registered[f"{package}>{cls.__name__}"] = cls
        return cls

    return decorate


def never_saved(cls):
    """Return the parameters of a class that no file holds.

    The memory of a Pipeline is a folder of pickles, which a file must not choose.
    """
    own = getattr(cls, "_never_saved", ())
    return ("memory", *own) if cls.__module__.startswith("sklearn.") else own


def name_of(cls):
    """Return what a file calls a class; None if it may not name it."""
    for name, registered in _registered.items():
        if registered is cls:
            return name
    package = ".".join(cls.__module__.split(".")[:2])
    name = f"{package}>{cls.__name__}"
    return name if _find_known(package, cls.__name__) is cls else None


def class_of(name):
    """Return the class that a file calls `name`.

    Raises
    ------
    ValueError
        If a file may not name it.
    """
    if name in _registered:
        return _registered[name]
    package, _, cls_name = name.partition(">")
    cls = _find_known(package, cls_name)
    if cls is None:
        raise ValueError(
            f"It names the class {name!r}, which is not known. If it is yours, import the module "
            "that defines it, with skpose.saving.register, before you load the file."
        )
    return cls


def _find_known(package, name):
    """Return a public estimator of skpose's, or one of scikit-learn's that is allowed."""
    root, _, part = package.partition(".")
    if not (name in _OF_SKLEARN.get(package, ()) or (root == "skpose" and part in skpose.__all__)):
        return None
    try:
        module = import_module(package)
    except ModuleNotFoundError as error:
        if error.name == package:  # a public name that is no module
            return None
        raise
    if name not in module.__all__:
        return None
    cls = getattr(module, name)
    return cls if isinstance(cls, type) and issubclass(cls, BaseEstimator) else None
