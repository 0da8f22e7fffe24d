"""Turn images so that the individuals face the same way."""

from numbers import Integral
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skpose._types import Border, Images, ImageSize
from skpose.base import check_image_size, check_keypoints, fit_context
from skpose.preprocessing._base import ImageTransformer
from skpose.preprocessing._crop import (
    CROP_CONSTRAINTS,
    check_locations,
    crop_batch,
    warn_keypoints_outside,
)
from skpose.preprocessing._image_batch import ImageBatch
from skpose.skeleton import Skeleton


class EgocentricAligner(ImageTransformer, auto_wrap_output_keys=None):
    """Turn and crop each image so that the individual is in the middle and faces to the right.

    Predictions still come back in pixels of the images before they were turned.

    Parameters
    ----------
    front, back : str or int
        The bodyparts at the front and back ends of the body axis: names of `skeleton`, or positions
        among the keypoints. Used where the axis is taken from keypoints.
    box_size : int or tuple of int
        (height, width) of the box in pixels, or its side.
    skeleton : Skeleton, default=None
        Says which keypoints `front` and `back` are; needed if these are names.
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
        By `fit`, if a parameter is out of its range, or `front` or `back` is a name that `skeleton`
        does not have; by `transform`, if there are no centers or angles, some are NaN, or a box
        lies outside its image (unless `outside` is "pad").

    See Also
    --------
    ImageCropper : Crop images without turning them, pixel by pixel.
    body_axes : The centres and angles that training takes from the keypoints.

    Notes
    -----
    The angle of a body axis is ``arctan2(dy, dx)`` of the way from back to front, in radians. As y
    points down, 0 is an individual that faces to the right, and pi / 2 one that faces down. The
    middle of the axis comes to the middle of the box.

    In training, centres and angles are taken from the keypoints unless they are given. To predict
    they must be given, say those of the keypoints in the frame before (`body_axes`). The notes of
    `ImageCropper` tell how in a pipeline, and how without.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.preprocessing import EgocentricAligner
    >>> X = np.zeros((1, 5, 5, 1), dtype=np.uint8)
    >>> X[0, 4, 2] = 255
    >>> y = [[[2.0, 4.0], [2.0, 0.0]]]
    >>> batch = EgocentricAligner(front=0, back=1, box_size=5).fit_transform(X, y)
    >>> batch.to_batch(y).round(6).tolist()
    [[[4.0, 2.0], [0.0, 2.0]]]
    >>> int(np.asarray(batch)[0, 2, 4, 0])
    255
    """

    __metadata_request__fit = {"centers": True, "angles": True}
    __metadata_request__transform = {"centers": True, "angles": True}

    _parameter_constraints: dict = {
        "front": [str, Integral],
        "back": [str, Integral],
        "skeleton": [Skeleton, None],
        **CROP_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        front: str | int,
        back: str | int,
        box_size: ImageSize,
        skeleton: Skeleton | None = None,
        border: Border = "constant",
        border_value: int = 0,
        outside: Literal["raise", "pad"] = "raise",
    ) -> None:
        self.front = front
        self.back = back
        self.box_size = box_size
        self.skeleton = skeleton
        self.border = border
        self.border_value = border_value
        self.outside = outside

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Images,
        y: ArrayLike | None = None,
        centers: ArrayLike | None = None,
        angles: ArrayLike | None = None,
    ) -> Self:
        """Check the parameters; nothing is learnt.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            Images.
        y : array-like of shape (n_samples, n_keypoints, 2), default=None
            Ignored.
        centers : array-like of shape (n_samples, 2), default=None
            Ignored.
        angles : array-like of shape (n_samples,), default=None
            Ignored.

        Returns
        -------
        self
        """
        ImageBatch.wrap(X)
        check_image_size(self.box_size, "box_size")
        self._position("front")
        self._position("back")
        return self

    def fit_transform(
        self,
        X: Images,
        y: ArrayLike | None = None,
        centers: ArrayLike | None = None,
        angles: ArrayLike | None = None,
    ) -> ImageBatch:
        """Turn images by `centers` and `angles`, or else by the keypoints.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            Images.
        y : array-like of shape (n_samples, n_keypoints, 2), default=None
            Keypoints (x, y) in pixels of the user's images; NaN: not labelled.
        centers : array-like of shape (n_samples, 2), default=None
            (x, y) of each individual in pixels of the user's images. None: the middle of its axis.
        angles : array-like of shape (n_samples,), default=None
            The angle of each axis in the user's images, in radians. None: from `front` and `back`.

        Returns
        -------
        ImageBatch
            The turned images; no pixel is computed yet.

        Warns
        -----
        UserWarning
            If labelled keypoints lie outside their box.
        """
        self.fit(X, y, centers, angles)
        if y is None:
            return self.transform(X, centers, angles)
        if centers is None or angles is None:
            middles, directions = body_axes(y, self._position("front"), self._position("back"))
            centers = middles if centers is None else centers
            angles = directions if angles is None else angles
        batch = self.transform(X, centers, angles)
        warn_keypoints_outside(batch, y, stacklevel=2)
        return batch

    def transform(
        self, X: Images, centers: ArrayLike | None = None, angles: ArrayLike | None = None
    ) -> ImageBatch:
        """Turn images by `centers` and `angles`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            Images.
        centers : array-like of shape (n_samples, 2)
            (x, y) of each individual in pixels of the user's images.
        angles : array-like of shape (n_samples,)
            The angle of each axis in the user's images, in radians.

        Returns
        -------
        ImageBatch
            The turned images; no pixel is computed yet.

        Raises
        ------
        ValueError
            If there are no centers or angles, if some are NaN, or if a box lies outside its image
            (unless `outside` is "pad").
        """
        batch = ImageBatch.wrap(X)
        owner, n_samples = type(self).__name__, len(batch)
        centers = check_locations(centers, (n_samples, 2), "centers", owner)
        angles = check_locations(angles, (n_samples,), "angles", owner)
        box_size = check_image_size(self.box_size, "box_size")
        towards = centers + np.column_stack([np.cos(angles), np.sin(angles)])
        moved = batch.to_batch(np.stack([centers, towards], axis=1))
        _, angles = body_axes(moved, 1, 0)  # an earlier step may have turned or stretched them
        return crop_batch(batch, _turn(moved[:, 0], angles, box_size), box_size, self)

    def _position(self, name):
        """Return the position of `front` or `back` among the keypoints."""
        bodypart = getattr(self, name)
        if not isinstance(bodypart, str):
            return bodypart
        if self.skeleton is None:
            raise ValueError(
                f"{name}={bodypart!r} is a name, which needs a skeleton. Give `skeleton`, or the "
                "position of the bodypart."
            )
        if bodypart not in self.skeleton.names:
            raise ValueError(
                f"{name}={bodypart!r} is not a bodypart; bodyparts are "
                f"{', '.join(self.skeleton.names)}."
            )
        return self.skeleton.names.index(bodypart)


def body_axes(
    keypoints: ArrayLike, front: int, back: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middles and the angles of body axes.

    Parameters
    ----------
    keypoints : array-like of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels; NaN: not labelled.
    front, back : int
        Positions of the keypoints at the ends of the axis.

    Returns
    -------
    centers : ndarray of shape (n_samples, 2)
        (x, y) of the middles in pixels; NaN where an end is not labelled.
    angles : ndarray of shape (n_samples,)
        ``arctan2(dy, dx)`` of the way from back to front, in radians; NaN where an end is not
        labelled, or where the ends are in one place.

    Raises
    ------
    ValueError
        If `keypoints` are of another shape, or have no keypoint at `front` or `back`.

    Examples
    --------
    >>> from skpose.preprocessing import body_axes
    >>> centers, angles = body_axes([[[3.0, 1.0], [1.0, 1.0]]], front=0, back=1)
    >>> centers.tolist(), angles.tolist()
    ([[2.0, 1.0]], [0.0])
    """
    keypoints = check_keypoints(keypoints, name="keypoints")
    for name, position in (("front", front), ("back", back)):
        if not -keypoints.shape[1] <= position < keypoints.shape[1]:
            raise ValueError(
                f"{name}={position} is out of range: there are {keypoints.shape[1]} keypoints."
            )
    front, back = keypoints[:, front], keypoints[:, back]
    way = front - back
    angles = np.arctan2(way[:, 1], way[:, 0])
    angles[(way == 0).all(axis=1)] = np.nan
    return (front + back) / 2, angles


def _turn(centers, angles, box_size):
    """Return the matrices that turn the axes to the right, and their middles to that of the box."""
    height, width = box_size
    cos, sin = np.cos(angles), np.sin(angles)
    matrices = np.empty((len(angles), 2, 3))
    matrices[:, :, :2] = np.stack([cos, sin, -sin, cos], axis=1).reshape(-1, 2, 2)
    turned = np.einsum("nij,nj->ni", matrices[:, :, :2], centers)
    matrices[:, :, 2] = np.array([width - 1, height - 1]) / 2 - turned
    return matrices
