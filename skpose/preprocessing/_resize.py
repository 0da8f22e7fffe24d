"""Resize images."""

from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import NotFittedError

from skpose._types import Images, ImageSize, Region
from skpose.base import (
    Interval,
    StrOptions,
    check_image_size,
    check_keypoints,
    check_region,
    fit_context,
)
from skpose.preprocessing._base import ImageTransformer
from skpose.preprocessing._image_batch import ImageBatch
from skpose.preprocessing._warp import resize_matrix
from skpose.preprocessing._working_region import working_region
from skpose.preprocessing._working_scale import working_scale


class ImageResizer(ImageTransformer, auto_wrap_output_keys=None):
    """Resize images, averaging pixels where they shrink.

    Predictions still come back in pixels of the images before they were resized.

    Parameters
    ----------
    scale : float or "auto", default=None
        Pixels of the result per pixel of the image. The result's sides are rounded to whole pixels,
        and the image fills them. "auto": as small as the labels given to `fit` allow, see
        `working_scale`; never larger than the image.
    image_size : tuple of int, default=None
        (height, width) of the result in pixels. Give either this or `scale`.
    keep_aspect : bool, default=False
        With `image_size`: False stretches the image to it; True makes the image as large as fits in
        it, and pads it at the bottom or on the right.
    border_value : int, default=0
        The value of the padding, 0 to 255.
    region : tuple of int or "auto", default=None
        The part of the images that is resized, (x, y, width, height) in their pixels; the rest is
        cut off. Labels outside it say nothing to `scale`. "auto": where the labels given to `fit`
        are, see `working_region`. None: the whole image.

    Attributes
    ----------
    scale_ : float
        What `scale` stands for, after `fit`; only where `scale` is given.
    region_ : tuple of int or None
        What `region` stands for, after `fit`.
    input_size_ : tuple of int
        (height, width) of the images that `fit` was given.

    Raises
    ------
    ValueError
        If not exactly one of `scale` and `image_size` is given, if something is "auto" and `fit` is
        given no labels, or if `region` reaches beyond the images or comes with `keep_aspect`.

    See Also
    --------
    ImageCropper : Crop images around an individual, with the pixels as they are.

    Notes
    -----
    The image's outer edges stay its edges. With pixel centres at whole numbers, a side resized by s
    has ``x' = x * s + (s - 1) / 2``, where s is the ratio of the whole numbers of pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.preprocessing import ImageResizer
    >>> X = np.array([0, 100, 20, 60], dtype=np.uint8).reshape(1, 2, 2, 1)
    >>> batch = ImageResizer(scale=0.5).fit_transform(X)
    >>> np.asarray(batch).tolist()
    [[[[45]]]]
    >>> batch.to_user([[[0.0, 0.0]]]).tolist()
    [[[0.5, 0.5]]]
    """

    _parameter_constraints: dict = {
        "scale": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"}), None],
        "image_size": [tuple, list, None],
        "keep_aspect": ["boolean"],
        "border_value": [Interval(Real, 0, 255, closed="both")],
        "region": [tuple, list, StrOptions({"auto"}), None],
    }

    def __init__(
        self,
        *,
        scale: float | Literal["auto"] | None = None,
        image_size: ImageSize | None = None,
        keep_aspect: bool = False,
        border_value: int = 0,
        region: Region | Literal["auto"] | None = None,
    ) -> None:
        self.scale = scale
        self.image_size = image_size
        self.keep_aspect = keep_aspect
        self.border_value = border_value
        self.region = region

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Images, y: ArrayLike | None = None) -> Self:
        """Check the parameters, and read what is "auto" off the labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            Images.
        y : array-like of shape (n_samples, n_keypoints, 2), default=None
            (x, y) in pixels of the user's images; NaN: not labelled. Only "auto" needs it.

        Returns
        -------
        self
        """
        batch = ImageBatch.wrap(X)
        for learnt in ("scale_", "region_"):
            self.__dict__.pop(learnt, None)
        self.input_size_ = batch.image_size
        region = self.region
        if region == "auto":
            region = working_region(_keypoints_in(batch, y, "region"), batch.image_size)
        self.region_ = region
        if self.scale == "auto" and self.image_size is None:
            keypoints = without_those_outside(_keypoints_in(batch, y, "scale"), region)
            self.scale_ = working_scale(keypoints, self._size(batch))
        elif isinstance(self.scale, Real):
            self.scale_ = float(self.scale)
        self._sizes(self._size(batch))
        return self

    def transform(self, X: Images) -> ImageBatch:
        """Resize images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            Images.

        Returns
        -------
        ImageBatch
            The resized images; no pixel is computed yet.
        """
        batch = ImageBatch.wrap(X)
        size = self._size(batch)
        inner, outer = self._sizes(size)
        matrix = resize_matrix(size, inner)
        region = self._chosen_region()
        if region is not None:
            matrix[:, 2] -= matrix[:, :2] @ region[:2]
        return batch.warped(matrix, outer, **self._border(inner != outer))

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "input_size_" in state:  # older files say no more
            state = {"region_": state.get("region", getattr(self, "region", None)), **state}
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = "auto" in (self.scale, self.region)
        return tags

    def _size(self, batch):
        """Return the (height, width) of what is resized."""
        _, _, width, height = check_region(self._chosen_region(), batch.image_size)
        return height, width

    def _chosen_region(self):
        if self.region != "auto":
            return self.region
        if not hasattr(self, "region_"):
            raise NotFittedError('ImageResizer(region="auto") learns its region: call fit(X, y).')
        return self.region_

    def _border(self, is_padded):
        return {"border": "constant", "border_value": self.border_value} if is_padded else {}

    def _sizes(self, image_size):
        """Return the size that the image gets, and that with its padding."""
        if (self.scale is None) == (self.image_size is None):
            raise ValueError(
                "ImageResizer needs either `scale` or `image_size`, but got "
                f"scale={self.scale!r} and image_size={self.image_size!r}."
            )
        if self.keep_aspect and self.region is not None:
            raise ValueError("ImageResizer pads no region: give keep_aspect=False with `region`.")
        if self.image_size is not None:
            outer = check_image_size(self.image_size, "image_size")
            if not self.keep_aspect:
                return outer, outer
            inner = _rounded(image_size, np.min(np.divide(outer, image_size)))
            return inner, outer
        if self.scale == "auto" and not hasattr(self, "scale_"):
            raise NotFittedError('ImageResizer(scale="auto") learns its scale: call fit(X, y).')
        inner = _rounded(image_size, self.scale_ if self.scale == "auto" else self.scale)
        return inner, inner


def _keypoints_in(batch, y, name):
    """Return labels in pixels of a batch, which a parameter of "auto" needs."""
    if y is None:
        raise ValueError(f'ImageResizer({name}="auto") needs labels: fit(X, y).')
    return batch.to_batch(check_keypoints(y, n_samples=len(batch)))


def without_those_outside(y: ArrayLike, region: Region | None) -> NDArray[np.float64]:
    """Return keypoints with NaN for those outside a region of their images.

    Parameters
    ----------
    y : array-like of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels; NaN: not labelled.
    region : tuple of int or None
        (x, y, width, height) in pixels; None: none is outside.

    Returns
    -------
    y : ndarray of shape (n_samples, n_keypoints, 2)

    Raises
    ------
    ValueError
        If `y` is of another shape, or a value is infinite.

    Examples
    --------
    >>> from skpose.preprocessing import without_those_outside
    >>> without_those_outside([[[3.0, 4.0], [30.0, 4.0]]], (0, 0, 20, 10)).tolist()
    [[[3.0, 4.0], [nan, nan]]]
    """
    keypoints = check_keypoints(y, name="y")
    if region is None:
        return keypoints
    start, size = np.array(region[:2]) - 0.5, region[2:]
    inside = ((keypoints >= start) & (keypoints <= start + size)).all(axis=2, keepdims=True)
    return np.where(inside, keypoints, np.nan)


def _rounded(image_size, scale):
    return tuple(max(1, int(n)) for n in np.rint(np.multiply(image_size, scale)))
