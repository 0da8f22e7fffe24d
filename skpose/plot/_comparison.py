"""Models beside each other, with how sure their errors are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from skpose.comparison import ModelComparison, compare
from skpose.plot._axes import BLUE, GREY, despine, format_pixels, merge_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ComparisonDisplay"]

_PERCENTILES = 2.5, 25, 50, 75, 97.5
_LABELS = {"mean": "Mean error (px)", "deviation": "Standard deviation of the error (px)"}


class ComparisonDisplay:
    """Mean errors of several models, or how much errors vary, as a posterior tells them.

    A dot is the median of the posterior, the thick line holds it with a probability of 50 %, the
    thin one of 95 %. Beside the best model stands the probability that it is the best.

    Use `from_errors` to make one, or give it what `skpose.comparison.compare` returned. All
    parameters become attributes.

    Parameters
    ----------
    comparison : ModelComparison
        What is known of the models' errors.

    Attributes
    ----------
    order_ : ndarray of int of shape (n_models,)
        The models from top to bottom, the best first.
    dots_ : PathCollection
        The dots, from top to bottom.
    ax_ : matplotlib Axes
        The Axes.
    figure_ : matplotlib Figure
        The figure.

    Raises
    ------
    ImportError
        By `from_errors`, without NumPyro: ``pip install 'skpose[compare]'``.
    ValueError
        By `from_errors`, if the errors cannot be compared, see `skpose.comparison.compare`; by
        `plot`, if `quantity` is something else.

    See Also
    --------
    skpose.comparison.compare : Finds the posterior.
    KeypointErrorDisplay : The errors of one model.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.plot import ComparisonDisplay
    >>> rng = np.random.default_rng(0)
    >>> errors = {"small": rng.gamma(2, 1.5, (50, 4)), "large": rng.gamma(2, 1.0, (50, 4))}
    >>> display = ComparisonDisplay.from_errors(errors)
    >>> [display.comparison.names[i] for i in display.order_]
    ['large', 'small']
    """

    def __init__(self, *, comparison: ModelComparison) -> None:
        self.comparison = comparison

    @classmethod
    def from_errors(
        cls,
        errors: Mapping[str, ArrayLike],
        groups: ArrayLike | Mapping[str, ArrayLike] | None = None,
        *,
        ax: Axes | None = None,
        random_state: int = 0,
        **plot_options: Any,
    ) -> Self:
        """Compare models by their errors, and draw what is known of them.

        Parameters
        ----------
        errors : dict of str to array-like of shape (n_samples, n_keypoints)
            Distances in pixels; NaN: not labelled.
        groups : array-like of shape (n_samples,) or dict of str to such, default=None
            The split, animal or video of each image; see `skpose.comparison.compare`.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        random_state : int, default=0
            The seed.
        **plot_options
            What else `plot` takes.

        Returns
        -------
        ComparisonDisplay
        """
        comparison = compare(errors, groups, random_state=random_state)
        return cls(comparison=comparison).plot(ax, **plot_options)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        quantity: Literal["mean", "deviation"] = "mean",
        dot_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the models.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        quantity : {"mean", "deviation"}, default="mean"
            The mean error, or the standard deviation of the errors.
        dot_kwargs : dict, default=None
            Style of the dots, for ``Axes.scatter``; the lines take their colour.

        Returns
        -------
        self : ComparisonDisplay
        """
        from matplotlib.collections import PathCollection

        if quantity not in _LABELS:
            raise ValueError(f"quantity must be 'mean' or 'deviation', but was {quantity!r}.")
        of_all = self.comparison
        draws = of_all.means if quantity == "mean" else np.sqrt(of_all.variances)
        self.order_ = np.argsort(np.median(draws, axis=0), kind="stable")
        draws = draws[:, self.order_]
        low, first, median, third, high = np.percentile(draws, _PERCENTILES, axis=0)
        rows = np.arange(len(self.order_))
        ax = new_axes(ax, (6.4, 1.2 + 0.4 * len(rows)))
        style = {"s": 42, "color": BLUE, "zorder": 3, "edgecolor": "white"}
        style = merge_style(style, dot_kwargs, PathCollection)
        color = style.get("color", style.get("facecolor", BLUE))
        ax.hlines(rows, low, high, color=color, linewidth=1.2, zorder=2)
        ax.hlines(rows, first, third, color=color, linewidth=4, zorder=2)
        self.dots_ = ax.scatter(median, rows, **style)
        self._label(ax, _LABELS[quantity], median, (draws.argmin(axis=1) == 0).mean())
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _label(self, ax, label, median, probability):
        rows = np.arange(len(self.order_))
        ax.set_yticks(rows, [self.comparison.names[i] for i in self.order_])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_xlabel(label)
        despine(ax)
        ax.spines["left"].set_visible(False)
        ax.grid(axis="x", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
        text = {"ha": "left", "va": "center", "fontsize": "small", "annotation_clip": False}
        for row, value in enumerate(median):
            said = format_pixels(value)
            if row == 0:
                said += f"\nleast: {100 * probability:.0f} %"
            ax.annotate(said, (1.02, row), xycoords=("axes fraction", "data"), color=GREY, **text)
