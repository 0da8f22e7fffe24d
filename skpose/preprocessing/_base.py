"""What transformers of images share."""

from sklearn.base import BaseEstimator, TransformerMixin

from skpose.base import ImageInputMixin, check_images
from skpose.preprocessing._image_batch import ImageBatch


class ImageTransformer(
    ImageInputMixin, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """A step that takes images and gives an `ImageBatch`; `fit` learns nothing."""

    def set_output(self, *, transform=None):
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


def wrap_images(X):
    """Give images as a batch, once they are uint8 of 1 or 3 channels; a batch is given as it is."""
    return X if isinstance(X, ImageBatch) else ImageBatch(check_images(X))


def check_image_size(image_size, name):
    """Give (height, width) for one integer or two.

    Parameters
    ----------
    image_size : int or sequence of two ints
    name : str
        What to call it in a message.

    Returns
    -------
    tuple of int
    """
    sides = (image_size, image_size) if not hasattr(image_size, "__len__") else tuple(image_size)
    if len(sides) != 2 or any(n != int(n) or n < 1 for n in sides):
        raise ValueError(
            f"{name} must be (height, width) in whole pixels, at least 1, but was {image_size!r}."
        )
    return int(sides[0]), int(sides[1])
