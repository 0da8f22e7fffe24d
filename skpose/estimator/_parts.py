"""The parts that an estimator is composed of, and how a search reaches their parameters."""

from typing import Any, Self

import joblib
from sklearn.base import clone

from skpose.base import say_unknown
from skpose.models import get_architecture
from skpose.targets import ConfidenceMaps

__all__ = ["PartsMixin", "default_targets", "have_same_parameters", "make_augmenters"]


class PartsMixin:
    """Parameters of an estimator whose parts may stand for a default."""

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of the parts too: ``targets__sigma``, ``model__growth_rate``.

        A part that stands for a default (``model="leap"``, ``targets=None``, ``augmenter="auto"``)
        is made first, so that a search reaches its parameters.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : PoseEstimator

        Raises
        ------
        ValueError
            If there is no parameter of that name; the message has the nearest one.
        """
        parts = self._make_parts(params)
        for path in params:
            self._check_path(path, parts)
        for part, value in parts.items():  # nothing is changed before all names are known
            params.pop(part, None)
            setattr(self, part, value)
        return super().set_params(**params)  # type: ignore[misc]  # a mixin

    def _make_parts(self, params):
        """Make the parts of which a parameter is set."""
        names = {path.partition("__")[0] for path in params if "__" in path}
        names = names.intersection(self._get_param_names())
        values = {name: params.get(name, getattr(self, name)) for name in self._get_param_names()}
        return {name: self._make_part(name, values) for name in sorted(names)}

    def _check_path(self, path, parts):
        """Check every name of a nested one."""
        name, _, rest = path.partition("__")
        if not rest and name not in self._get_param_names():
            self._check_not_of_a_part(name)
        self._check_name(name, self._get_param_names(), type(self).__name__)
        part = parts.get(name)
        while rest and hasattr(part, "get_params"):
            inner, _, rest = rest.partition("__")
            valid = part.get_params(deep=False)
            self._check_name(inner, valid, name)
            name, part = inner, valid[inner]
        if rest:
            raise ValueError(f"{path!r} cannot be set: {name} is {part!r}, without parameters.")

    def _check_not_of_a_part(self, name):
        """Name the parameter that a part has by this name, if one does."""
        values = {key: getattr(self, key) for key in self._get_param_names()}
        for key in ("model", "targets", "augmenter"):
            part = self._make_part(key, values)
            if hasattr(part, "get_params") and name in part.get_params(deep=False):
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}, but its {key} has: set "
                    f"{key}__{name}."
                )

    @staticmethod
    def _check_name(name, valid, owner):
        if name not in valid:
            raise ValueError(f"{owner}: {say_unknown(name, valid)}")

    @staticmethod
    def _make_part(part, values):
        """Make a part, for the other parameters as they are going to be."""
        value = values[part]
        if part == "model":
            return get_architecture(value)
        if part == "targets" and value is None:
            return default_targets(values["model"])
        if part == "augmenter" and isinstance(value, str):
            return _default_augmenter()
        return value


def default_targets(model):
    """Make the targets that suit a network."""
    return ConfidenceMaps(downsample_factor=get_architecture(model).default_downsample_factor)


def _default_augmenter():
    """Make the augmenter that reads off the labels what to do."""
    from skpose.augment import Augmenter

    return Augmenter()


def make_augmenters(augmenter, images, skeleton):
    """Make the augmenters of a training, not fitted.

    Parameters
    ----------
    augmenter : Augmenter, "auto" or None
        The estimator's.
    images : ImageBatch
        What is trained on, which may bring augmenters from a Pipeline.
    skeleton : Skeleton or None
        Given to those that have none.

    Returns
    -------
    list of augmenters
        Copies.
    """
    augmenters = list(images.augmenters)
    if isinstance(augmenter, str):
        augmenters = augmenters or [_default_augmenter()]
    elif augmenter is not None:
        augmenters.append(augmenter)
    augmenters = [clone(augmenter) for augmenter in augmenters]
    for augmenter in augmenters:
        if augmenter.get_params(deep=False).get("skeleton", skeleton) is None:
            augmenter.set_params(skeleton=skeleton)
    return augmenters


def have_same_parameters(estimators, others):
    """Whether the estimators of two lists are of the same classes and parameters, one by one."""
    if [type(a) for a in estimators] != [type(b) for b in others]:
        return False
    return joblib.hash([clone(a) for a in estimators]) == joblib.hash([clone(b) for b in others])
