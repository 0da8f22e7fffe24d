"""How the error fell in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from skpose._predictor import Predictor
from skpose.plot._axes import (
    BLUE,
    GREY,
    RED,
    check_scale,
    despine,
    merge_style,
    new_axes,
    set_error_scale,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TrainingHistoryDisplay"]

_CURVES = {"keypoint_error": ("training", GREY), "val_keypoint_error": ("validation", BLUE)}
_LEARNING_RATE = "learning_rate"
_LABEL_HEIGHT = 14  # points above the curves
_TIGHT = 0.06  # of the height of the Axes: labels nearer than that would overlap


class TrainingHistoryDisplay:
    """Mean keypoint error of the training and the validation samples after each epoch.

    A dot is the epoch whose weights were kept. Dotted lines are where the learning rate fell.

    Use `from_estimator` or `from_history` to make one. All parameters become attributes.

    Parameters
    ----------
    history : dict of str to array-like of shape (n_epochs,)
        ``keypoint_error``, ``val_keypoint_error`` or both, in pixels, and maybe ``learning_rate``;
        NaN: not measured. Other entries are ignored.
    best_epoch : int, default=None
        The epoch, from 0, whose weights were kept. None: none is marked.

    Attributes
    ----------
    lines_ : dict of str to Line2D
        The curves, by their names in `history`. Epochs are counted from 1.
    best_ : PathCollection or None
        The mark of the best epoch.
    learning_rate_drops_ : ndarray of int
        The epochs, from 1, that were the first with a lower learning rate; none where it falls
        all the time.
    ax_ : matplotlib Axes
        The Axes.
    figure_ : matplotlib Figure
        The figure.

    Raises
    ------
    TypeError
        By `from_estimator`, if the estimator has no ``history_``.
    ValueError
        By `from_history`, if there is no error in the history, its entries differ in length, or
        `best_epoch` is not an epoch of it; by `plot`, if `scale` is something else.

    Examples
    --------
    >>> from skpose.plot import TrainingHistoryDisplay
    >>> history = {"keypoint_error": [9.0, 4.0, 2.0], "val_keypoint_error": [8.0, 5.0, 6.0]}
    >>> display = TrainingHistoryDisplay.from_history(history, best_epoch=1)
    >>> display.best_.get_offsets().tolist()
    [[2.0, 5.0]]
    """

    def __init__(self, *, history: Mapping[str, ArrayLike], best_epoch: int | None = None) -> None:
        self.history = history
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None, **plot_options: Any) -> Self:
        """Draw how an estimator was trained.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``history_`` and ``best_epoch_``; may be a Pipeline or a search that ends
            in one.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **plot_options
            What else `plot` takes.

        Returns
        -------
        TrainingHistoryDisplay
        """
        check_is_fitted(estimator)
        final = Predictor(estimator).last
        if not hasattr(final, "history_"):
            raise TypeError(
                f"{type(final).__name__} has no history_ of its training. Use from_history."
            )
        best_epoch = getattr(final, "best_epoch_", None)
        return cls.from_history(final.history_, best_epoch=best_epoch, ax=ax, **plot_options)

    @classmethod
    def from_history(
        cls,
        history: Mapping[str, ArrayLike],
        *,
        best_epoch: int | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> Self:
        """Draw a history.

        Parameters
        ----------
        history : dict of str to array-like of shape (n_epochs,)
            ``keypoint_error``, ``val_keypoint_error`` or both, in pixels, and maybe
            ``learning_rate``; NaN: not measured. Other entries are ignored.
        best_epoch : int, default=None
            The epoch, from 0, whose weights were kept. None: none is marked.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        **plot_options
            What else `plot` takes.

        Returns
        -------
        TrainingHistoryDisplay

        Raises
        ------
        ValueError
            If there is no error in the history, or `best_epoch` is not an epoch of it.
        """
        names = [name for name in (*_CURVES, _LEARNING_RATE) if name in history]
        curves = {name: np.asarray(history[name], dtype=np.float64) for name in names}
        if not any(name in curves and not np.isnan(curves[name]).all() for name in _CURVES):
            raise ValueError(
                f"history must have the errors of at least one epoch under {' or '.join(_CURVES)}, "
                f"but has none; its entries are {', '.join(history) or 'missing'}."
            )
        lengths = {name: len(curve) for name, curve in curves.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"history has entries of different lengths: {lengths}.")
        n_epochs = max(lengths.values())
        if best_epoch is not None and not 0 <= best_epoch < n_epochs:
            raise ValueError(
                f"best_epoch must be from 0 to {n_epochs - 1}, as there are {n_epochs} epochs, but "
                f"was {best_epoch}."
            )
        return cls(history=curves, best_epoch=best_epoch).plot(ax, **plot_options)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        scale: Literal["auto", "linear", "log"] = "log",
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        scale : {"auto", "linear", "log"}, default="log"
            The axis of the errors. "auto": logarithmic if the largest is more than 8 times the
            smallest.
        line_kwargs : dict, default=None
            Style of both curves, for ``Axes.plot``.

        Returns
        -------
        self : TrainingHistoryDisplay
        """
        check_scale(scale)
        ax = new_axes(ax, (6.4, 4.0))
        curves = {
            name: self.history[name]
            for name in _CURVES
            if name in self.history and not np.isnan(self.history[name]).all()
        }
        values = np.concatenate(list(curves.values()))
        set_error_scale(ax, "y", scale, np.nanmin(values), np.nanmax(values))
        self._draw_curves(ax, curves, line_kwargs)
        self._draw_learning_rate_drops(ax)
        self._label(ax)
        self._draw_best(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_curves(self, ax, curves, line_kwargs):
        from matplotlib.lines import Line2D

        self.lines_ = {}
        for name, errors in curves.items():
            label, color = _CURVES[name]
            style = {"color": color, "linewidth": 1.5, "label": label, "marker": "o"}
            style |= {"markersize": 3, "markevery": _isolated(errors)}
            style = merge_style(style, line_kwargs, Line2D)
            epochs = np.arange(1, len(errors) + 1)
            (self.lines_[name],) = ax.plot(epochs, errors, **style)

    def _draw_learning_rate_drops(self, ax):
        rates = np.asarray(self.history.get(_LEARNING_RATE, []))
        drops = np.flatnonzero(rates[1:] < rates[:-1]) + 1
        if len(drops) > len(rates) / 2:
            drops = drops[:0]
        self.learning_rate_drops_ = drops + 1
        for n, i in enumerate(drops):
            ax.axvline(i + 0.5, color="0.7", linewidth=0.8, linestyle=":", zorder=0)
            ax.annotate(
                f"learning rate {rates[i]:.1g}" if n == 0 else f"{rates[i]:.1g}",
                (i + 0.5, 1),
                xycoords=("data", "axes fraction"),
                xytext=(-2, -2),
                textcoords="offset points",
                rotation=90,
                ha="right",
                va="top",
                fontsize="x-small",
                color="0.5",
            )

    def _draw_best(self, ax):
        """Mark the best epoch, on the validation curve if there is one."""
        from matplotlib.transforms import offset_copy

        self.best_ = None
        if self.best_epoch is None:
            return
        errors = self.history[
            "val_keypoint_error" if len(self.lines_) > 1 else next(iter(self.lines_))
        ]
        epoch, error = self.best_epoch + 1, errors[self.best_epoch]
        if np.isnan(error):
            return
        self.best_ = ax.scatter(epoch, error, s=36, color=RED, edgecolor="white", zorder=4)
        is_late = epoch > 0.8 * len(errors)
        text = ax.annotate(
            f"{error:.3g} px, epoch {epoch}",
            (epoch, error),
            xytext=(epoch, self._highest_near(epoch)),
            textcoords=offset_copy(ax.transData, ax.figure, y=_LABEL_HEIGHT, units="points"),
            ha="right" if is_late else "center",
            fontsize="small",
            color=RED,
            arrowprops={
                "arrowstyle": "-",
                "color": RED,
                "linewidth": 0.8,
                "relpos": (1 if is_late else 0.5, 0),
            },
            zorder=5,
        )
        _add_halo(text)

    def _highest_near(self, epoch):
        """Return the largest error where the label of an epoch would cover it."""
        curves = [line.get_ydata() for line in self.lines_.values()]
        reach = 1 + len(curves[0]) // 5
        return max(
            np.nanmax(curve[max(epoch - reach, 0) : epoch + reach], initial=0) for curve in curves
        )

    def _label(self, ax):
        from matplotlib.ticker import MaxNLocator

        ax.set(xlabel="Epoch", ylabel="Mean keypoint error (px)")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
        ax.grid(axis="y", color="0.92", linewidth=0.8)
        ax.set_axisbelow(True)
        despine(ax)
        ends = {name: _last_measured(line) for name, line in self.lines_.items()}
        heights = {
            name: ax.transAxes.inverted().transform(ax.transData.transform(end))[1]
            for name, end in ends.items()
        }
        is_tight = len(heights) > 1 and np.ptp([*heights.values()]) < _TIGHT
        for name, end in ends.items():
            is_upper = name == max(heights, key=heights.get)
            ax.annotate(
                _CURVES[name][0],
                end,
                xytext=(5, 0),
                textcoords="offset points",
                va=("bottom" if is_upper else "top") if is_tight else "center",
                color=self.lines_[name].get_color(),
            )
        if len(self.lines_) > 1 and _is_below(*(self.history[name] for name in _CURVES)):
            ax.annotate(
                "Training errors are of augmented images, averaged over the epoch.",
                (0, 0),
                xycoords="axes fraction",
                xytext=(4, 4),
                textcoords="offset points",
                fontsize="x-small",
                color="0.5",
            )


def _is_below(training, validation):
    """Whether the validation error is mostly the smaller one, which needs a reason."""
    training, validation = np.asarray(training, float), np.asarray(validation, float)
    is_known = ~np.isnan(training) & ~np.isnan(validation)
    return bool((validation < training)[is_known].sum() > is_known.sum() / 2)


def _isolated(errors):
    """Return the epochs, from 0, whose error no line leads to."""
    measured = np.concatenate([[False], ~np.isnan(errors), [False]])
    return np.flatnonzero(measured[1:-1] & ~measured[:-2] & ~measured[2:]).tolist()


def _last_measured(line):
    epochs, errors = line.get_data()
    last = np.flatnonzero(~np.isnan(errors))[-1]
    return epochs[last], errors[last]


def _add_halo(text):
    from matplotlib.patheffects import withStroke

    text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
