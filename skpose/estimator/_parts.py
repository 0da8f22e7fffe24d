"""The parts that an estimator is composed of, and how a search reaches their parameters."""

from difflib import get_close_matches

from skpose.models import get_architecture
from skpose.targets import ConfidenceMaps

__all__ = ["PartsMixin"]


class PartsMixin:
    """Parameters of an estimator whose parts may stand for a default."""

    def set_params(self, **params):
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
        for name in list(params):
            part, _, nested = name.partition("__")
            self._check_name(part, self._get_param_names(), type(self).__name__)
            if nested:
                setattr(self, part, self._make_part(part, params.pop(part, getattr(self, part))))
                if hasattr(getattr(self, part), "get_params"):
                    valid = getattr(self, part).get_params(deep=False)
                    self._check_name(nested.partition("__")[0], valid, part)
        return super().set_params(**params)

    @staticmethod
    def _check_name(name, valid, owner):
        if name not in valid:
            nearest = get_close_matches(name, valid, n=1)
            hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
            raise ValueError(
                f"{name!r} is not a parameter of {owner}.{hint} Parameters are "
                f"{', '.join(sorted(valid))}."
            )

    def _make_part(self, part, value):
        if part == "model" and isinstance(value, str):
            return get_architecture(value)
        if part == "targets" and value is None:
            return self._default_targets()
        if part == "augmenter" and isinstance(value, str):
            return self._default_augmenter()
        return value

    def _default_targets(self):
        factor = get_architecture(self.model).default_downsample_factor
        return ConfidenceMaps(downsample_factor=factor)

    def _default_augmenter(self):
        from skpose.augment import Augmenter

        # Without partners a mirror image would call a left leg right.
        if self.skeleton is not None and self.skeleton.has_swaps:
            return Augmenter()
        return Augmenter(fliplr=0, flipud=0)
