"""Crop images around an individual."""

from numbers import Integral, Real
from typing import Literal, Self
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skpose._boxes import bounding_boxes, box_sides
from skpose._types import Border, Images, ImageSize
from skpose.base import (
    Interval,
    StrOptions,
    check_image_size,
    check_keypoints,
    fit_context,
)
from skpose.preprocessing._base import ImageTransformer
from skpose.preprocessing._image_batch import ImageBatch
from skpose.preprocessing._warp import BORDERS, apply_affine, invert

_STEP = 32  # pixels

CROP_CONSTRAINTS = {
    "box_size": [Interval(Integral, 1, None, closed="left"), tuple, list],
    "border": [StrOptions(set(BORDERS))],
    "border_value": [Interval(Real, 0, 255, closed="both")],
    "outside": [StrOptions({"pad", "raise"})],
}


class ImageCropper(ImageTransformer, auto_wrap_output_keys=None):
    """Crop a box around an individual from each image, pixel by pixel.

    The box is moved to whole pixels, so that nothing is interpolated. Predictions still come back
    in pixels of the uncropped images.

    Parameters
    ----------
    box_size : int or tuple of int
        (height, width) of the box in pixels, or its side.
    border : {"constant", "reflect", "replicate"}, default="constant"
        What is seen where the box reaches over the edges of the image.
    border_value : int, default=0
        The value seen there with "constant", 0 to 255.
    outside : {"raise", "pad"}, default="raise"
        What to do about boxes that lie outside their image altogether: raise, or give an image of
        nothing but border.

    Raises
    ------
    ValueError
        By `fit`, if a parameter is out of its range; by `transform`, if there are no centers, some
        are NaN, or a box lies outside its image (unless `outside` is "pad").

    See Also
    --------
    EgocentricAligner : Turn the individual as well.
    bounding_box_centers : The centres that training takes from the keypoints.

    Notes
    -----
    Where the individual is must be said, by `centers`. In training they may be taken from the
    keypoints instead: they are then the centres of the boxes that bound the labelled keypoints. If
    the centres that you predict with scatter around those, give such centres in training too.

    There are two ways to say it. Crop first, and give the batch in place of the images to whatever
    comes next, an estimator, ``cross_val_score`` or ``GridSearchCV``: it is sliced like an array,
    and each image keeps its own frame. Or let `centers` pass through a pipeline:
    ``sklearn.set_config(enable_metadata_routing=True)``, then ``pipe.predict(X, centers=centers)``.
    scikit-learn's ``cross_val_predict`` and scorers do not pass them on, so these need the first.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.preprocessing import ImageCropper
    >>> X = np.arange(25, dtype=np.uint8).reshape(1, 5, 5, 1)
    >>> batch = ImageCropper(box_size=3).fit_transform(X, centers=[[3, 1]])
    >>> np.asarray(batch)[0, :, :, 0].tolist()
    [[2, 3, 4], [7, 8, 9], [12, 13, 14]]
    >>> batch.to_user([[[1.0, 1.0]]]).tolist()
    [[[3.0, 1.0]]]
    """

    __metadata_request__fit = {"centers": True}
    __metadata_request__transform = {"centers": True}

    _parameter_constraints: dict = {**CROP_CONSTRAINTS}

    def __init__(
        self,
        *,
        box_size: ImageSize,
        border: Border = "constant",
        border_value: int = 0,
        outside: Literal["raise", "pad"] = "raise",
    ) -> None:
        self.box_size = box_size
        self.border = border
        self.border_value = border_value
        self.outside = outside

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Images, y: ArrayLike | None = None, centers: ArrayLike | None = None) -> Self:
        """Check the parameters; nothing is learnt.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            Images.
        y : array-like of shape (n_samples, n_keypoints, 2), default=None
            Ignored.
        centers : array-like of shape (n_samples, 2), default=None
            Ignored.

        Returns
        -------
        self
        """
        ImageBatch.wrap(X)
        check_image_size(self.box_size, "box_size")
        return self

    def fit_transform(
        self, X: Images, y: ArrayLike | None = None, centers: ArrayLike | None = None
    ) -> ImageBatch:
        """Crop images around `centers`, or else around the keypoints.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            Images.
        y : array-like of shape (n_samples, n_keypoints, 2), default=None
            Keypoints (x, y) in pixels of the user's images; NaN: not labelled.
        centers : array-like of shape (n_samples, 2), default=None
            (x, y) of each individual in pixels of the user's images. None: those of the boxes that
            bound its labelled keypoints.

        Returns
        -------
        ImageBatch
            The cropped images; no pixel is read yet.

        Warns
        -----
        UserWarning
            If labelled keypoints lie outside their box.
        """
        self.fit(X, y, centers)
        if y is None:
            return self.transform(X, centers)
        batch = self.transform(X, bounding_box_centers(y) if centers is None else centers)
        warn_keypoints_outside(batch, y, stacklevel=2)
        return batch

    def transform(self, X: Images, centers: ArrayLike | None = None) -> ImageBatch:
        """Crop images around `centers`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            Images.
        centers : array-like of shape (n_samples, 2)
            (x, y) of each individual in pixels of the user's images.

        Returns
        -------
        ImageBatch
            The cropped images; no pixel is read yet.

        Raises
        ------
        ValueError
            If there are no centers, if some are NaN, or if a box lies outside its image (unless
            `outside` is "pad").
        """
        batch = ImageBatch.wrap(X)
        height, width = check_image_size(self.box_size, "box_size")
        centers = check_locations(centers, (len(batch), 2), "centers", type(self).__name__)
        centers = batch.to_batch(centers[:, None])[:, 0]
        starts = np.floor(centers - (np.array([width, height]) - 1) / 2 + 0.5)
        matrices = np.tile(np.eye(2, 3), (len(batch), 1, 1))
        matrices[:, :, 2] = -starts
        return crop_batch(batch, matrices, (height, width), self)


def bounding_box_centers(keypoints: ArrayLike) -> NDArray[np.float64]:
    """Return the centres of the boxes that bound the labelled keypoints.

    Parameters
    ----------
    keypoints : array-like of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels; NaN: not labelled.

    Returns
    -------
    ndarray of shape (n_samples, 2)
        (x, y) in pixels; NaN where no keypoint is labelled.

    Raises
    ------
    ValueError
        If `keypoints` are of another shape, or a value is infinite.

    Examples
    --------
    >>> from skpose.preprocessing import bounding_box_centers
    >>> bounding_box_centers([[[0.0, 0.0], [1.0, 0.0], [4.0, 6.0]]]).tolist()
    [[2.0, 3.0]]
    """
    low, high = bounding_boxes(check_keypoints(keypoints, name="keypoints"))
    some = low <= high
    centers = np.full(low.shape, np.nan)
    centers[some] = (low[some] + high[some]) / 2
    return centers


def crop_size(y: ArrayLike, *, margin: float = 0.25) -> int:
    """Return the side of crops that hold the animal, wherever it points.

    Parameters
    ----------
    y : array-like of shape (n_samples, n_keypoints, 2)
        (x, y) of labelled keypoints in pixels; NaN: not labelled.
    margin : float, default=0.25
        By which part of the animal's size crops are larger.

    Returns
    -------
    int
        Pixels, a multiple of 32, which suits networks.

    Raises
    ------
    ValueError
        If `margin` is below 0.

    See Also
    --------
    ImageCropper : Crops images around an individual.

    Notes
    -----
    The animal's size is the longer side of the box that bounds its labelled keypoints, the greatest
    of all poses. Crops of that size hold it whole only if they lie around the middle of that box.

    Examples
    --------
    >>> from skpose.preprocessing import crop_size
    >>> crop_size([[[10.0, 20.0], [110.0, 20.0]]])
    128
    """
    if not margin >= 0:
        raise ValueError(f"margin must be 0 or more, but is {margin!r}.")
    longest = float(box_sides(check_keypoints(y, name="y")).max(initial=0))
    return _STEP * max(1, int(np.ceil(longest * (1 + margin) / _STEP)))


def crop_batch(batch, matrices, box_size, transformer):
    """Warp a batch with the border of a transformer, once no box lies outside its image."""
    if transformer.outside == "raise":
        _check_overlap(matrices, batch.image_size, box_size)
    return batch.warped(
        matrices, box_size, border=transformer.border, border_value=transformer.border_value
    )


def check_locations(values, shape, name, owner):
    """Return `centers` or `angles` as an array, once there are as many as images, all finite."""
    if values is None:
        raise ValueError(
            f"{owner} needs to know where the individuals are: transform(X, {name}={name}). (Only "
            "fit_transform, given y, takes them from the keypoints.) In a pipeline, enable routing "
            "with sklearn.set_config(enable_metadata_routing=True), and call "
            f"pipe.predict(X, {name}={name}). Or leave it out of the pipeline, and give what it "
            "returns in place of X."
        )
    values = np.asarray(values, dtype=np.float64)
    if values.shape != shape:
        raise ValueError(
            f"{name} must have shape {shape}, one for each image, but have {values.shape}."
        )
    unknown = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    if len(unknown):
        raise ValueError(
            f"{name} of {len(unknown)} of {len(values)} images are not known "
            f"(NaN, at {_some(unknown)}). Give `{name}` for these images, or leave the images out. "
            "From keypoints, they are known only where the keypoints are labelled."
        )
    return values


def warn_keypoints_outside(batch, y, *, stacklevel):
    """Warn if labelled keypoints lie outside the images of a batch."""
    keypoints = batch.to_batch(y)
    labelled = np.isfinite(keypoints).all(axis=2)
    height, width = batch.image_size
    inside = (keypoints >= -0.5) & (keypoints <= np.array([width, height]) - 0.5)
    lost = labelled & ~inside.all(axis=2)
    if lost.any():
        samples = np.flatnonzero(lost.any(axis=1))
        warnings.warn(
            f"{lost.sum()} of {labelled.sum()} labelled keypoints lie outside their box of "
            f"{height} x {width} pixels (images {_some(samples)}). "
            "Increase box_size, or check the centers.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def _check_overlap(matrices, image_size, box_size):
    """Raise if a box lies outside its image: if an edge of either separates the two."""
    image, box = _corners(image_size), _corners(box_size)
    n_samples = len(matrices)
    image_in_box = apply_affine(matrices, np.broadcast_to(image, (n_samples, 4, 2)))
    box_in_image = apply_affine(invert(matrices), np.broadcast_to(box, (n_samples, 4, 2)))
    apart = np.zeros(n_samples, dtype=bool)
    for corners, frame in ((image_in_box, box), (box_in_image, image)):
        below = corners.max(axis=1) <= frame.min(axis=0)
        above = corners.min(axis=1) >= frame.max(axis=0)
        apart |= (below | above).any(axis=1)
    if apart.any():
        raise ValueError(
            f"{apart.sum()} of {n_samples} boxes of {box_size[0]} x {box_size[1]} pixels lie "
            f"outside their image of {image_size[0]} x {image_size[1]} pixels "
            f"(at {_some(np.flatnonzero(apart))}). Check that `centers` are (x, y) in pixels "
            "of the images as given to the pipeline, or set outside='pad'."
        )


def _corners(image_size):
    """Return the (x, y) of an image's corners, half a pixel outside its outermost pixel centres."""
    height, width = image_size
    return np.array([[x, y] for x in (-0.5, width - 0.5) for y in (-0.5, height - 0.5)])


def _some(indices):
    listed = ", ".join(map(str, indices[:10]))
    return listed + (", ..." if len(indices) > 10 else "")
