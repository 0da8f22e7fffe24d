"""Axes, their scales and styles, as all Displays share them."""

import numpy as np

__all__ = [
    "BLUE",
    "GREY",
    "RED",
    "check_scale",
    "despine",
    "format_pixels",
    "merge_style",
    "new_axes",
    "set_error_scale",
]

BLUE, RED, GREY = "#0072B2", "#D55E00", "0.45"  # told apart by everyone (Okabe and Ito)
_SCALES = ("auto", "linear", "log")
_MIN_RATIO_OF_LOG = 8.0


def new_axes(ax, figsize):
    """Return the Axes to draw on: `ax`, or those of a new figure of this size in inches."""
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax


def despine(ax):
    """Leave the left and the lower border of the Axes only."""
    ax.spines[["top", "right"]].set_visible(False)


def check_scale(scale):
    """Check the name of a scale."""
    if scale not in _SCALES:
        raise ValueError(f"scale must be one of {', '.join(_SCALES)}, but was {scale!r}.")


def set_error_scale(ax, which, scale, low, high):
    """Make an axis linear or logarithmic, with ticks that are plain numbers.

    Parameters
    ----------
    ax : matplotlib Axes
        Whose axis.
    which : {"x", "y"}
        Which axis.
    scale : {"auto", "linear", "log"}
        "auto": logarithmic if `high` is more than 8 times `low`, and `low` is more than 0.
    low, high : float
        The range of what is drawn, but for extremes.

    Returns
    -------
    str
        "linear" or "log".
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    if scale == "auto":
        scale = "log" if 0 < low * _MIN_RATIO_OF_LOG < high else "linear"
    if scale == "log":
        ax.set(**{f"{which}scale": "log"})
        axis = getattr(ax, f"{which}axis")
        if high < _MIN_RATIO_OF_LOG * low:
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        else:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    return scale


def format_pixels(value):
    """Write a length in pixels with two significant digits at least, as in 0.034, 2.0 and 118."""
    n_digits = 1 if value < 1e-6 else int(np.clip(1 - np.floor(np.log10(value)), 0, 6))
    return f"{value:.{n_digits}f} px"


def merge_style(defaults, style, artist):
    """Return the defaults, overridden by the user's style whichever alias it uses.

    Parameters
    ----------
    defaults : dict
        Keyword arguments of a plotting method.
    style : dict or None
        The user's.
    artist : type
        The Artist that the method makes, which knows its aliases.

    Returns
    -------
    dict
        Keyword arguments.
    """
    from matplotlib.cbook import normalize_kwargs

    defaults = normalize_kwargs(defaults, artist)
    style = normalize_kwargs(style or {}, artist)
    if "colors" in style:
        style["color"] = style.pop("colors")
    if "color" in style or "c" in style:
        defaults.pop("facecolor", None)
        defaults.pop("color", None)
    return defaults | style
