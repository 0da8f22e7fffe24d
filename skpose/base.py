"""What every estimator shares: tags, checks, and how scikit-learn's parameters are declared.

scikit-learn's private names are imported here only.
"""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from inspect import signature
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)

from skpose._batching import batch_slices, check_batch_size
from skpose._checks import (
    check_image_axes,
    check_image_size,
    check_images,
    check_keypoints,
    check_n_channels,
    check_region,
    check_sample_weight,
    warn_far_outside,
)

__all__ = [
    "HasMethods",
    "ImageInputMixin",
    "Interval",
    "InvalidParameterError",
    "NearestNameMixin",
    "StrOptions",
    "batch_slices",
    "check_batch_size",
    "check_image_axes",
    "check_image_size",
    "check_images",
    "check_keypoints",
    "check_n_channels",
    "check_region",
    "check_sample_weight",
    "fit_context",
    "say_nearest",
    "say_unknown",
    "validate_parameter_constraints",
    "warn_far_outside",
]

if TYPE_CHECKING:  # scikit-learn's own has no types, and would take those of what it decorates
    _Method = TypeVar("_Method", bound=Callable[..., Any])

    def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[_Method], _Method]: ...

else:
    from sklearn.base import _fit_context as fit_context


class NearestNameMixin:
    """Names the nearest parameter where an argument of the constructor is mistyped."""

    def __new__(cls, *args: Any, **params: Any) -> Self:
        valid = signature(cls.__init__).parameters
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in valid.values()):
            for name in params:
                if name not in valid:
                    raise TypeError(f"{cls.__name__}: {say_unknown(name, list(valid)[1:])}")
        return super().__new__(cls)


def say_unknown(name: str, valid: Iterable[str]) -> str:
    """Say that there is no such parameter, and which may be meant."""
    hint = say_nearest(name, valid)
    return f"there is no parameter {name!r}.{hint} Parameters are {', '.join(sorted(valid))}."


def say_nearest(name: str, valid: Iterable[str]) -> str:
    """Ask whether the nearest of some names is meant, if one is near."""
    nearest = get_close_matches(name, valid, n=1)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""


class ImageInputMixin(NearestNameMixin):
    """Tags of an estimator whose X is images, not a table."""

    if TYPE_CHECKING:  # the class may be given options of scikit-learn's

        def __init_subclass__(cls, **options: Any) -> None: ...

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = False
        tags.no_validation = False
        return tags
