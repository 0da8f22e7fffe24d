"""Skeletons drawn over their images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from skpose._predictor import Predictor
from skpose._types import Images
from skpose.base import check_images, check_keypoints
from skpose.metrics import keypoint_errors
from skpose.plot._axes import format_pixels
from skpose.plot._pose_panels import Panels
from skpose.preprocessing import ImageBatch
from skpose.skeleton import check_skeleton

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from skpose.skeleton import Skeleton

__all__ = ["PoseDisplay"]


class PoseDisplay:
    """Keypoints and skeletons over their images.

    A dot is a predicted keypoint, in the colour of its bodypart, and paler the less confident the
    prediction is. A ring is a labelled one, and a dotted line leads from it to the prediction. NaN
    is not drawn.

    Use `from_estimator` or `from_predictions` to make one. All parameters become attributes.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width, n_channels)
        uint8 images, grey or RGB.
    keypoints : ndarray of shape (n_images, n_keypoints, 2)
        Predicted keypoints (x, y) in pixels of the images; NaN: not predicted.
    y_true : ndarray of shape (n_images, n_keypoints, 2), default=None
        Labelled keypoints (x, y) in pixels of the images; NaN: not labelled.
    confidence : ndarray of shape (n_images, n_keypoints), default=None
        Confidence of each prediction, 0 to 1; NaN counts as 0.
    skeleton : Skeleton, default=None
        Names of the bodyparts, and the edges between them.
    indices : ndarray of int of shape (n_images,), default=None
        The number of each image among those that they were chosen from, for its title.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_images,)
        The Axes of each image.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure
        The figure.
    points_ : list of PathCollection
        The predicted keypoints of each image.
    labels_ : list of PathCollection
        The labelled keypoints of each image; empty without `y_true`.
    edges_ : list of LineCollection
        The edges of each image; empty without `skeleton`.

    Raises
    ------
    TypeError
        By `from_estimator` and by `from_predictions`, if `skeleton` is something else.
    ValueError
        By `from_estimator` and by `from_predictions`, if shapes do not fit together or there are no
        images; by `plot`, if there is a `min_confidence` but no confidence, or Axes are not as many
        as images.

    See Also
    --------
    KeypointErrorDisplay : How far off each bodypart is.

    Examples
    --------
    >>> from skpose.datasets import make_poses
    >>> from skpose.plot import PoseDisplay
    >>> mice = make_poses(20, return_bunch=True, random_state=0)
    >>> display = PoseDisplay.from_predictions(
    ...     mice.images, mice.keypoints, skeleton=mice.skeleton, n_images=4
    ... )
    >>> [len(points.get_offsets()) for points in display.points_]
    [13, 13, 13, 13]
    >>> display.indices.tolist()
    [0, 6, 13, 19]
    """

    def __init__(
        self,
        *,
        images: Images,
        keypoints: NDArray[Any],
        y_true: NDArray[Any] | None = None,
        confidence: NDArray[Any] | None = None,
        skeleton: Skeleton | None = None,
        indices: NDArray[Any] | None = None,
    ) -> None:
        self.images = images
        self.keypoints = keypoints
        self.y_true = y_true
        self.confidence = confidence
        self.skeleton = skeleton
        self.indices = indices

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Images,
        y: ArrayLike | None = None,
        *,
        skeleton: Skeleton | None = None,
        n_images: int | None = 12,
        ax: Axes | ArrayLike | None = None,
        **plot_options: Any,
    ) -> Self:
        """Predict the keypoints of images, and draw them.

        Parameters
        ----------
        estimator : estimator
            Fitted; may be a Pipeline or a search that ends in one.
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images. Only those that are drawn are read.
        y : array-like of shape (n_samples, n_keypoints, 2), default=None
            Labelled keypoints (x, y) in pixels of X; NaN: not labelled. None: none are drawn.
        skeleton : Skeleton, default=None
            Names of the bodyparts, and the edges between them. None: ``estimator.skeleton``.
        n_images : int or None, default=12
            The most images to draw, evenly spaced in X. None: all.
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw, as in `plot`.
        **plot_options
            What else `plot` takes.

        Returns
        -------
        PoseDisplay

        Raises
        ------
        ValueError
            If shapes do not fit together.
        """
        check_is_fitted(estimator)
        predictor = Predictor(estimator)
        X = check_images(X)
        indices = _spread(len(X), n_images)
        if y is not None:
            y = check_keypoints(y, n_samples=len(X))[indices]
        if skeleton is None:
            skeleton = predictor.skeleton
        images = X[indices]
        keypoints, confidence = predictor.predict(images)
        keypoints = check_keypoints(keypoints, n_samples=len(images), name="The prediction")
        check_skeleton(skeleton, keypoints.shape[1])
        if y is not None:
            check_keypoints(y, n_keypoints=keypoints.shape[1])
        return cls(
            images=images,
            keypoints=keypoints,
            y_true=y,
            confidence=confidence,
            skeleton=skeleton,
            indices=indices,
        ).plot(ax, **plot_options)

    @classmethod
    def from_predictions(
        cls,
        images: Images,
        y_pred: ArrayLike,
        *,
        y_true: ArrayLike | None = None,
        confidence: ArrayLike | None = None,
        skeleton: Skeleton | None = None,
        n_images: int | None = 12,
        ax: Axes | ArrayLike | None = None,
        **plot_options: Any,
    ) -> Self:
        """Draw keypoints over their images.

        Parameters
        ----------
        images : array-like of shape (n_samples, height, width, n_channels)
            uint8 images, grey or RGB. Only those that are drawn are read. A single image of shape
            (height, width, n_channels) or (height, width) goes with keypoints of shape
            (n_keypoints, 2).
        y_pred : array-like of shape (n_samples, n_keypoints, 2)
            Predicted keypoints (x, y) in pixels of the images; NaN: not predicted. They are the
            second argument here as in ``KeypointErrorDisplay.from_predictions(y_true, y_pred)``.
        y_true : array-like of shape (n_samples, n_keypoints, 2), default=None
            Labelled keypoints (x, y) in pixels of the images; NaN: not labelled.
        confidence : array-like of shape (n_samples, n_keypoints), default=None
            Confidence of each prediction, 0 to 1; NaN counts as 0.
        skeleton : Skeleton, default=None
            Names of the bodyparts, and the edges between them. None: points alone.
        n_images : int or None, default=12
            The most images to draw, evenly spaced among the samples. None: all.
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw, as in `plot`.
        **plot_options
            What else `plot` takes.

        Returns
        -------
        PoseDisplay

        Raises
        ------
        ValueError
            If shapes do not fit together.
        """
        if np.ndim(y_pred) == 2:
            images = _as_batch_of_one(images)
            y_pred, y_true, confidence = map(_in_list, (y_pred, y_true, confidence))
        images = check_images(images, name="images")
        keypoints = check_keypoints(y_pred, n_samples=len(images), name="y_pred")
        n_samples, n_keypoints = keypoints.shape[:2]
        check_skeleton(skeleton, n_keypoints)
        indices = _spread(n_samples, n_images)
        if y_true is not None:
            y_true = check_keypoints(
                y_true, n_samples=n_samples, n_keypoints=n_keypoints, name="y_true"
            )[indices]
        if confidence is not None:
            confidence = _check_confidence(confidence, (n_samples, n_keypoints))[indices]
        return cls(
            images=images[indices],
            keypoints=keypoints[indices],
            y_true=y_true,
            confidence=confidence,
            skeleton=skeleton,
            indices=indices,
        ).plot(ax, **plot_options)

    def plot(
        self,
        ax: Axes | ArrayLike | None = None,
        *,
        n_columns: int | None = None,
        min_confidence: float = 0.0,
        cmap: str | Colormap | None = None,
        titles: bool = True,
        legend: bool | Literal["auto"] = "auto",
        scatter_kwargs: dict[str, Any] | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the images and what is known of them.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw: Axes for each image, or one to draw the whole grid in place of. None: a
            new figure.
        n_columns : int, default=None
            Number of images side by side. None: so that the images are as large as can be.
        min_confidence : float, default=0.0
            Predictions of a lower confidence are not drawn.
        cmap : str or matplotlib Colormap, default=None
            The colours of the bodyparts, in their order. None: blue for the left, orange for the
            right and green for the others, or, without left/right partners, such that neighbours
            in the order differ; colour-blind people can tell these apart too.
        titles : bool, default=True
            Whether to write above each image its number and, with labels, the mean error of its
            predictions in pixels, drawn or not.
        legend : bool or "auto", default="auto"
            Whether to have a legend. "auto": one that names bodyparts if there are 16 at most.
        scatter_kwargs : dict, default=None
            Style of the predicted keypoints, for ``Axes.scatter``: ``{"s": 40}`` for dots of 40
            square points, say.
        line_kwargs : dict, default=None
            Style of the edges, for ``matplotlib.collections.LineCollection``.

        Returns
        -------
        self : PoseDisplay

        Raises
        ------
        ValueError
            If there is a min_confidence but no confidence, or Axes are not as many as images.
        """
        if min_confidence > 0 and self.confidence is None:
            raise ValueError(
                f"min_confidence={min_confidence} needs the confidence of the keypoints, but it is "
                "None. PoseEstimator.predict(X, return_confidence=True) gives it."
            )
        batch = ImageBatch.wrap(self.images)
        keypoints, confidence = self.keypoints, np.ones(self.keypoints.shape[:2])
        if self.confidence is not None:
            confidence = np.clip(np.nan_to_num(self.confidence), 0, 1)
            drawn = np.nan_to_num(self.confidence) >= min_confidence
            keypoints = np.where(drawn[..., np.newaxis], keypoints, np.nan)
        panels = Panels(
            images=np.asarray(batch),
            keypoints=batch.to_batch(keypoints),
            y_true=None if self.y_true is None else batch.to_batch(self.y_true),
            opacity=0.2 + 0.8 * confidence,
            skeleton=self.skeleton,
            cmap=cmap,
            scatter_kwargs=scatter_kwargs,
            line_kwargs=line_kwargs,
        )
        panels.draw(ax, n_columns, self._titles() if titles else [""] * len(self.keypoints), legend)
        self.axes_ = panels.axes
        self.ax_ = panels.axes[0]
        self.figure_ = self.ax_.figure
        self.points_, self.labels_, self.edges_ = panels.points, panels.labels, panels.edges
        return self

    def _titles(self):
        """Return the number of each image and its mean error."""
        n_images = len(self.keypoints)
        titles = [[] for _ in range(n_images)]
        if self.indices is not None and n_images > 1:
            for title, i in zip(titles, self.indices, strict=True):
                title.append(f"#{i}")
        if self.y_true is not None:
            errors = keypoint_errors(self.y_true, self.keypoints)
            for title, row in zip(titles, errors, strict=True):
                if not np.isnan(row).all():
                    title.append(f"mean error {format_pixels(np.nanmean(row))}")
        return [",  ".join(title) for title in titles]


def _spread(n_samples, n_images):
    """Return the positions of as many images as are to be drawn, evenly spaced."""
    if n_samples == 0:
        raise ValueError("There are no images to draw: n_samples is 0.")
    if n_images is None:
        return np.arange(n_samples)
    if n_images < 1:
        raise ValueError(f"n_images must be at least 1, or None for all, but was {n_images}.")
    return np.rint(np.linspace(0, n_samples - 1, min(n_images, n_samples))).astype(int)


def _check_confidence(confidence, shape):
    confidence = np.asarray(confidence, dtype=np.float64)
    if confidence.shape != shape:
        raise ValueError(
            f"confidence has shape {confidence.shape}, but the keypoints need {shape}, "
            "(n_samples, n_keypoints)."
        )
    return confidence


def _in_list(values):
    return None if values is None else [values]


def _as_batch_of_one(image):
    """Return a batch that holds one image of shape (height, width[, n_channels])."""
    image = np.asarray(image)
    if image.ndim not in (2, 3):
        raise ValueError(
            "keypoints of shape (n_keypoints, 2) belong to one image, (height, width, n_channels) "
            f"or (height, width), but the shape of images is {image.shape}."
        )
    return (image[..., np.newaxis] if image.ndim == 2 else image)[np.newaxis]
