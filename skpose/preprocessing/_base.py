"""What transformers of images share."""

from typing import Any, Self

from sklearn.base import BaseEstimator, TransformerMixin

from skpose.base import ImageInputMixin


class ImageTransformer(
    ImageInputMixin, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """A step that takes images and gives an `ImageBatch`; `fit` need not be called, as a rule."""

    def set_output(self, *, transform: Any = None) -> Self:
        """Do nothing: images have no names for their columns.

        Parameters
        ----------
        transform : str, default=None
            Ignored.

        Returns
        -------
        self
        """
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
