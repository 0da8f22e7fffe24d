"""Colours of bodyparts, the same in pictures, in videos and on the page for labelling."""

import numpy as np

__all__ = ["bodypart_colors"]

# Okabe and Ito's colours, but for black: everyone can tell them apart.
_FEW = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
# Bluish on the left, reddish on the right, greenish in the middle, from dark to bright.
_LEFT = ("#0A3D91", "#0072B2", "#56B4E9", "#BFE6FF")
_RIGHT = ("#8C2A00", "#D55E00", "#FF9A4D", "#FFD9A8")
_MIDDLE = ("#004D40", "#00957A", "#7FD8C0", "#F2FFFA")
_SHADES = (1.0, 0.6, 1.5)  # of the few, for more bodyparts than these


def bodypart_colors(n_keypoints, skeleton=None, cmap=None):
    """Return a colour for each bodypart.

    With left/right partners, those of the left are blue, those of the right orange and those of
    neither green, and neighbours in the skeleton or in its order are of different brightness. All
    of this is seen by colour-blind people too. Without partners, neighbours in the order are of
    different hue.

    Parameters
    ----------
    n_keypoints : int
        Number of bodyparts.
    skeleton : Skeleton, default=None
        Says which are partners.
    cmap : str or matplotlib Colormap, default=None
        Colours of matplotlib to take instead, in the order of the bodyparts.

    Returns
    -------
    ndarray of shape (n_keypoints, 3)
        RGB, 0 to 1.
    """
    if cmap is not None:
        return _from_matplotlib(n_keypoints, cmap)
    if skeleton is None or not skeleton.has_swaps:
        return _in_order(n_keypoints)
    colors = np.empty((n_keypoints, 3))
    sides = skeleton.sides
    for side, anchors in ((-1, _LEFT), (1, _RIGHT), (0, _MIDDLE)):
        members = np.flatnonzero(sides == side)
        colors[members] = _ramp(anchors, len(members))[_apart(len(members))]
    return colors


def _in_order(n):
    """Return the few colours again and again, each time in another shade."""
    few = _rgb(_FEW)
    colors = np.empty((n, 3))
    for i in range(n):
        shade = _SHADES[i // len(few) % len(_SHADES)]
        color = few[i % len(few)]
        colors[i] = color * shade if shade <= 1 else 1 - (1 - color) / shade
    return colors


def _from_matplotlib(n, cmap):
    import matplotlib as mpl

    cmap = mpl.colormaps.get_cmap(cmap)
    is_list = cmap.N < 32  # of colours, not a gradient
    return cmap(np.arange(n) % cmap.N if is_list else np.linspace(0, 1, n))[:, :3]


def _ramp(anchors, n):
    """Return n colours from the first anchor to the last; few of them from the middle."""
    anchors = _rgb(anchors)
    low, high = (0.15, 0.85) if n < 4 else (0.0, 1.0)
    at = np.linspace(low, high, n) if n > 1 else np.array([0.4])
    return np.stack(
        [np.interp(at * (len(anchors) - 1), range(len(anchors)), channel) for channel in anchors.T],
        axis=1,
    )


def _apart(n):
    """Return the order of n shades in which one is far from the next: 0, n/2, 1, n/2 + 1, ..."""
    half = (n + 1) // 2
    return [i // 2 + half * (i % 2) for i in range(n)]


def _rgb(names):
    return np.array([[int(name[i : i + 2], 16) for i in (1, 3, 5)] for name in names]) / 255
