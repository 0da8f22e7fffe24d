"""Whether confidences are the probabilities that they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from skpose._predictor import Predictor
from skpose._types import Images
from skpose.base import check_keypoints
from skpose.metrics import correct_keypoints
from skpose.plot._axes import BLUE, GREY, despine, merge_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ReliabilityDisplay"]

_NORMAL = 1.96  # standard deviations that hold 95 %


class ReliabilityDisplay:
    """How many keypoints are found, for each confidence.

    Keypoints are sorted by their confidence and divided into bins of equal number. A dot is the
    share of a bin that is within a distance of the label, above the bin's mean confidence; its line
    holds that share with a probability of 95 %. On the diagonal, confidence is a probability.

    Use `from_estimator` or `from_predictions` to make one. All parameters become attributes.

    Parameters
    ----------
    confidence : ndarray of shape (n_bins,)
        Mean confidence of each bin.
    share : ndarray of shape (n_bins,)
        The share of each bin's keypoints that are found.
    count : ndarray of int of shape (n_bins,)
        How many keypoints each bin has.
    within : float
        How near is found, in pixels.

    Attributes
    ----------
    calibration_error_ : float
        Mean distance of the share from the confidence, over all keypoints.
    line_ : Line2D
        The line through the dots.
    ax_ : matplotlib Axes
        The Axes.
    figure_ : matplotlib Figure
        The figure.

    Raises
    ------
    ValueError
        By `from_estimator` and by `from_predictions`, if shapes do not fit together, or fewer
        keypoints are labelled than there are bins; by `from_estimator`, if the estimator tells no
        confidence, or `within` is not given and the estimator does not say it.

    See Also
    --------
    skpose.conformal.ConformalPoseEstimator : Its confidences are such probabilities.

    References
    ----------
    Guo, C. et al. On calibration of modern neural networks. ICML (2017).

    Examples
    --------
    >>> from skpose.plot import ReliabilityDisplay
    >>> y_true, y_pred = [[[0, 0]]] * 4, [[[0, 0]], [[1, 0]], [[2, 0]], [[9, 0]]]
    >>> display = ReliabilityDisplay.from_predictions(
    ...     y_true, y_pred, [[0.9], [0.9], [0.5], [0.5]], within=3, n_bins=2
    ... )
    >>> display.share.tolist(), round(display.calibration_error_, 2)
    ([0.5, 1.0], 0.05)
    """

    def __init__(
        self,
        *,
        confidence: NDArray[Any],
        share: NDArray[Any],
        count: NDArray[Any],
        within: float,
    ) -> None:
        self.confidence = confidence
        self.share = share
        self.count = count
        self.within = within

    @property
    def calibration_error_(self) -> float:
        distance = np.abs(self.share - self.confidence)
        return float(np.average(distance, weights=self.count))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Images,
        y: ArrayLike,
        *,
        within: float | None = None,
        n_bins: int = 10,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Predict the keypoints of images, and draw how many are found.

        Parameters
        ----------
        estimator : estimator
            Fitted, and tells its confidence.
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images that it was not trained on.
        y : array-like of shape (n_samples, n_keypoints, 2)
            Labelled keypoints (x, y) in pixels of X; NaN: not labelled, does not count.
        within : float, default=None
            How near is found, in pixels. None: ``estimator.within_``.
        n_bins : int, default=10
            How many bins, each of as many keypoints.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **plot_options
            What else `plot` takes.

        Returns
        -------
        ReliabilityDisplay
        """
        check_is_fitted(estimator)
        y = check_keypoints(y, n_samples=len(X))
        predictor = Predictor(estimator)
        within = getattr(predictor.last, "within_", None) if within is None else within
        if within is None:
            raise ValueError(
                f"A {type(predictor.last).__name__} does not say how near is found: give within, "
                "in pixels."
            )
        keypoints, confidence = predictor.predict(X)
        if confidence is None:
            raise ValueError(f"A {type(predictor.last).__name__} tells no confidence.")
        options = {"within": within, "n_bins": n_bins, "ax": ax, **plot_options}
        return cls.from_predictions(y, keypoints, confidence, **options)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        confidence: ArrayLike,
        *,
        within: float,
        n_bins: int = 10,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Draw how many predicted keypoints are near the labelled ones.

        Parameters
        ----------
        y_true : array-like of shape (n_samples, n_keypoints, 2)
            Labelled keypoints (x, y) in pixels; NaN: not labelled, does not count.
        y_pred : array-like of shape (n_samples, n_keypoints, 2)
            Predicted keypoints (x, y) in pixels; NaN: not found.
        confidence : array-like of shape (n_samples, n_keypoints)
            What the estimator says of each, 0..1.
        within : float
            How near is found, in pixels.
        n_bins : int, default=10
            How many bins, each of as many keypoints.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **plot_options
            What else `plot` takes.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ValueError
            If shapes do not fit together, or fewer keypoints are labelled than there are bins.
        """
        correct = correct_keypoints(y_true, y_pred, threshold=within)
        confidence = np.asarray(confidence, dtype=np.float64)
        if confidence.shape != correct.shape:
            raise ValueError(
                f"confidence must have shape {correct.shape}, one for each keypoint, but has "
                f"{confidence.shape}."
            )
        counts = np.isfinite(correct) & np.isfinite(confidence)
        if counts.sum() < n_bins:
            raise ValueError(
                f"There are {counts.sum()} labelled keypoints, too few for n_bins={n_bins}."
            )
        confidence, correct = confidence[counts], correct[counts]
        order = np.argsort(confidence, kind="stable")
        bins = np.array_split(order, n_bins)
        return cls(
            confidence=np.array([confidence[rows].mean() for rows in bins]),
            share=np.array([correct[rows].mean() for rows in bins]),
            count=np.array([len(rows) for rows in bins]),
            within=float(within),
        ).plot(ax, **plot_options)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the diagram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        name : str, default=None
            What the legend calls it; None: no legend.
        line_kwargs : dict, default=None
            Style of the line and its dots, for ``Axes.plot``.

        Returns
        -------
        self : ReliabilityDisplay
        """
        from matplotlib.lines import Line2D

        ax = new_axes(ax, (4.4, 4.4))
        ax.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        style = merge_style({"color": BLUE, "marker": "o", "zorder": 3}, line_kwargs, Line2D)
        low, high = _wilson_interval(self.share, self.count)
        ax.vlines(self.confidence, low, high, color=style["color"], linewidth=1.5, zorder=2)
        label = None if name is None else f"{name}: {self.calibration_error_:.2f} off"
        (self.line_,) = ax.plot(self.confidence, self.share, label=label, **style)
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        ax.set_xlabel("Confidence")
        ax.set_ylabel(f"Share within {self.within:.3g} px")
        despine(ax)
        if name is not None:
            ax.legend(frameon=False, loc="upper left")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _wilson_interval(share, count):
    """Return what holds each true share with a probability of 95 %, of independent keypoints."""
    squared = _NORMAL**2
    middle = (share + squared / (2 * count)) / (1 + squared / count)
    half = np.sqrt(share * (1 - share) / count + squared / (4 * count**2)) * _NORMAL
    half = half / (1 + squared / count)
    return middle - half, middle + half
