"""How far off each bodypart is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from skpose._predictor import Predictor
from skpose._types import Images
from skpose.base import check_keypoints
from skpose.metrics import keypoint_errors
from skpose.plot._axes import (
    BLUE,
    GREY,
    check_scale,
    despine,
    merge_style,
    new_axes,
    set_error_scale,
)
from skpose.skeleton import check_skeleton

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from skpose.skeleton import Skeleton

__all__ = ["KeypointErrorDisplay"]

_PERCENTILES = (5, 25, 50, 75, 95)
_MAX_POINTS = 500  # of a bodypart
_BOX_HEIGHT = 0.6
_SMALLEST_SHOWN = 1e-3  # of the median, on a logarithmic axis


class KeypointErrorDisplay:
    """Distances between predicted and labelled keypoints, for each bodypart.

    A dot is the error of a keypoint in an image. A box is from the first to the third quartile,
    its line is the median, which is also written at the right, and whiskers reach from the 5th to
    the 95th percentile.

    Use `from_estimator` or `from_predictions` to make one. All parameters become attributes.

    Parameters
    ----------
    errors : ndarray of shape (n_samples, n_keypoints)
        Distances in pixels; NaN: not labelled, or not predicted.
    skeleton : Skeleton, default=None
        Names of the bodyparts. None: their numbers.

    Attributes
    ----------
    medians_ : ndarray of shape (n_keypoints,)
        Median error of each bodypart in pixels; NaN where none is labelled.
    order_ : ndarray of int of shape (n_keypoints,)
        The bodyparts from top to bottom.
    points_ : list of PathCollection
        The dots of each bodypart, from top to bottom.
    boxes_ : BarContainer
        The boxes, from top to bottom.
    ax_ : matplotlib Axes
        The Axes.
    figure_ : matplotlib Figure
        The figure.

    Raises
    ------
    TypeError
        By `from_estimator` and by `from_predictions`, if `skeleton` is something else.
    ValueError
        By `from_estimator` and by `from_predictions`, if shapes do not fit together, or nothing is
        both labelled and predicted; by `plot`, if `scale` is something else, or all errors are 0
        and the axis is logarithmic.

    See Also
    --------
    PoseDisplay : Keypoints over their images.
    skpose.metrics.keypoint_errors : The distances.

    Examples
    --------
    >>> from skpose import Skeleton
    >>> from skpose.plot import KeypointErrorDisplay
    >>> y_true = [[[0, 0], [5, 5]], [[0, 0], [5, 5]]]
    >>> y_pred = [[[3, 4], [5, 6]], [[0, 1], [5, 7]]]
    >>> display = KeypointErrorDisplay.from_predictions(
    ...     y_true, y_pred, skeleton=Skeleton(["snout", "tail"])
    ... )
    >>> display.medians_.tolist()
    [3.0, 1.5]
    """

    def __init__(self, *, errors: NDArray[Any], skeleton: Skeleton | None = None) -> None:
        self.errors = errors
        self.skeleton = skeleton

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Images,
        y: ArrayLike,
        *,
        skeleton: Skeleton | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Predict the keypoints of images, and draw how far off they are.

        Parameters
        ----------
        estimator : estimator
            Fitted; may be a Pipeline or a search that ends in one.
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images.
        y : array-like of shape (n_samples, n_keypoints, 2)
            Labelled keypoints (x, y) in pixels of X; NaN: not labelled, does not count.
        skeleton : Skeleton, default=None
            Names of the bodyparts. None: ``estimator.skeleton``.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **plot_options
            What else `plot` takes.

        Returns
        -------
        KeypointErrorDisplay
        """
        check_is_fitted(estimator)
        y = check_keypoints(y, n_samples=len(X))
        if skeleton is None:
            skeleton = Predictor(estimator).skeleton
        return cls.from_predictions(
            y, estimator.predict(X), skeleton=skeleton, ax=ax, **plot_options
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        skeleton: Skeleton | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Draw how far predicted keypoints are from labelled ones.

        Parameters
        ----------
        y_true : array-like of shape (n_samples, n_keypoints, 2)
            Labelled keypoints (x, y) in pixels; NaN: not labelled, does not count.
        y_pred : array-like of shape (n_samples, n_keypoints, 2)
            Predicted keypoints (x, y) in pixels. NaN at a labelled one is not drawn, with a
            warning.
        skeleton : Skeleton, default=None
            Names of the bodyparts; ``Skeleton.from_names`` makes one from a list. None: their
            numbers.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **plot_options
            What else `plot` takes.

        Returns
        -------
        KeypointErrorDisplay

        Raises
        ------
        ValueError
            If shapes do not fit together, or nothing is both labelled and predicted.
        """
        errors = keypoint_errors(y_true, y_pred)
        check_skeleton(skeleton, errors.shape[1])
        if np.isnan(errors).all():
            raise ValueError(
                "No keypoint is both labelled in y_true and predicted in y_pred (NaN: it is not), "
                "so there is no error to draw."
            )
        n_labelled = int((~np.isnan(check_keypoints(y_true)[..., 0])).sum())
        n_missed = n_labelled - int((~np.isnan(errors)).sum())
        if n_missed:
            warnings.warn(
                f"y_pred is NaN at {n_missed} of {n_labelled} labelled keypoints: their errors are "
                "not known and not drawn, so the others may look better than they are.",
                UserWarning,
                stacklevel=2,
            )
        return cls(errors=errors, skeleton=skeleton).plot(ax, **plot_options)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        sort: bool = True,
        scale: Literal["auto", "linear", "log"] = "auto",
        scatter_kwargs: dict[str, Any] | None = None,
        box_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the errors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        sort : bool, default=True
            Whether bodyparts are sorted by their median, the largest at the top, or stand in their
            own order.
        scale : {"auto", "linear", "log"}, default="auto"
            The axis of the errors. "auto": logarithmic if the 95th percentile of all errors is more
            than 8 times the 5th. Errors that are too small for a logarithmic axis, as 0 is, are
            drawn at its left end.
        scatter_kwargs : dict, default=None
            Style of the dots, for ``Axes.scatter``. Of a bodypart with more than 500 errors, 500
            dots are drawn, evenly spaced by rank.
        box_kwargs : dict, default=None
            Style of the boxes, for ``Axes.barh``.

        Returns
        -------
        self : KeypointErrorDisplay
        """
        check_scale(scale)
        n_keypoints = self.errors.shape[1]
        summaries = np.full((n_keypoints, len(_PERCENTILES)), np.nan)
        has_errors = ~np.isnan(self.errors).all(axis=0)
        summaries[has_errors] = np.nanpercentile(self.errors[:, has_errors], _PERCENTILES, axis=0).T
        self.medians_ = summaries[:, 2]
        self.order_ = np.arange(n_keypoints)
        if sort:
            self.order_ = np.argsort(np.nan_to_num(-self.medians_, nan=np.inf), kind="stable")
        ax = new_axes(ax, (6.4, 1.0 + 0.26 * n_keypoints))
        low, high = np.nanpercentile(self.errors, (5, 95))
        floor = 0.0
        if set_error_scale(ax, "x", scale, low, high) == "log":
            floor = self._smallest_shown()
        self._draw_points(ax, floor, scatter_kwargs)
        self._draw_boxes(ax, np.maximum(summaries[self.order_], floor), box_kwargs)
        self._label(ax, floor)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _smallest_shown(self):
        positive = self.errors[self.errors > 0]
        if len(positive) == 0:
            raise ValueError(
                "All errors are 0, which a logarithmic axis cannot show. Use scale='linear'."
            )
        return max(positive.min(), _SMALLEST_SHOWN * np.median(positive))

    def _draw_points(self, ax, floor, scatter_kwargs):
        from matplotlib.collections import PathCollection

        n_most = np.clip((~np.isnan(self.errors)).sum(axis=0).max(), 80, _MAX_POINTS)
        alpha = 4 / np.sqrt(n_most)  # crowds are to show their density
        style = {"s": 9, "color": BLUE, "alpha": alpha, "linewidth": 0, "zorder": 2}
        style = merge_style(style, scatter_kwargs, PathCollection)
        rng = np.random.default_rng(0)
        self.points_ = []
        for row, k in enumerate(self.order_):
            errors = np.sort(self.errors[~np.isnan(self.errors[:, k]), k])
            if len(errors) > _MAX_POINTS:
                errors = errors[np.linspace(0, len(errors) - 1, _MAX_POINTS).astype(int)]
            heights = row + _BOX_HEIGHT * (rng.random(len(errors)) - 0.5)
            self.points_.append(ax.scatter(np.maximum(errors, floor), heights, **style))

    def _draw_boxes(self, ax, summaries, box_kwargs):
        from matplotlib.patches import Rectangle

        rows = np.arange(len(summaries))
        p5, first, median, third, p95 = summaries.T
        style = {"facecolor": "none", "edgecolor": "0.15", "linewidth": 1, "zorder": 3}
        style = merge_style(style, box_kwargs, Rectangle)
        self.boxes_ = ax.barh(rows, third - first, _BOX_HEIGHT, left=first, **style)
        whisker = {key: style[key] for key in ("linewidth", "zorder")} | {
            "color": style["edgecolor"]
        }
        ax.hlines(rows, p5, first, **whisker)
        ax.hlines(rows, third, p95, **whisker)
        ends = rows - _BOX_HEIGHT / 2, rows + _BOX_HEIGHT / 2
        ax.vlines(median, *ends, color="0.15", linewidth=2.2, zorder=4)

    def _label(self, ax, floor):
        names = self.skeleton.names if self.skeleton else range(len(self.medians_))
        rows = np.arange(len(self.medians_))
        ax.set_yticks(rows, [str(names[k]) for k in self.order_])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_xlabel("Keypoint error (px)")
        if floor == 0:
            ax.set_xlim(left=0)
        despine(ax)
        ax.spines["left"].set_visible(False)
        ax.grid(axis="x", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
        self._write_medians(ax)

    def _write_medians(self, ax):
        text = {"ha": "right", "fontsize": "small", "annotation_clip": False}
        largest = max(np.nanmax(self.medians_), 1e-6)
        n_digits = int(np.clip(2 - np.floor(np.log10(largest)), 0, 6))
        for row, median in enumerate(self.medians_[self.order_]):
            label = "–" if np.isnan(median) else f"{median:.{n_digits}f}"
            ax.annotate(label, (1.08, row), xycoords=("axes fraction", "data"), va="center", **text)
        header = {"xycoords": "axes fraction", "va": "bottom", "color": GREY}
        ax.annotate("median (px)", (1.08, 1), **header, **text)
