"""What every estimator shares: tags, checks, and how scikit-learn's parameters are declared.

scikit-learn's private names are imported here only.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

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
    check_sample_weight,
    warn_far_outside,
)

__all__ = [
    "HasMethods",
    "ImageInputMixin",
    "Interval",
    "InvalidParameterError",
    "StrOptions",
    "batch_slices",
    "check_batch_size",
    "check_image_axes",
    "check_image_size",
    "check_images",
    "check_keypoints",
    "check_sample_weight",
    "fit_context",
    "validate_parameter_constraints",
    "warn_far_outside",
]

if TYPE_CHECKING:  # scikit-learn's own has no types, and would take those of what it decorates
    _Method = TypeVar("_Method", bound=Callable[..., Any])

    def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[_Method], _Method]: ...

else:
    from sklearn.base import _fit_context as fit_context


class ImageInputMixin:
    """Tags of an estimator whose X is images, not a table."""

    if TYPE_CHECKING:  # the class may be given options of scikit-learn's

        def __init_subclass__(cls, **options: Any) -> None: ...

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = False
        tags.no_validation = False
        return tags
