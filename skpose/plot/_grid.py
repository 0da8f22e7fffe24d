"""A grid of Axes for images, and a legend beside it."""

import numpy as np

__all__ = ["draw_legend", "lay_out"]

_FIGURE_SIZE = 9.6, 7.2  # inches, without the legend
_MAX_PANEL = 4.8
_TITLE_HEIGHT = 0.25
_NAME_HEIGHT = 0.2  # of an entry of the legend
_SYMBOL_WIDTH, _LETTER_WIDTH = 0.45, 0.075


def lay_out(ax, n_images, image_size, n_columns, names):
    """Return Axes for each image, and what a legend can be put beside.

    Parameters
    ----------
    ax : Axes, array-like of Axes or None
        Where the user wants the images.
    n_images : int
        Number of images.
    image_size : tuple of (height, width)
        Their size in pixels.
    n_columns : int or None
        Number of images side by side.
    names : list of str
        The entries of the legend; a new figure gets room for them.

    Returns
    -------
    axes : ndarray of Axes of shape (n_images,)
        The Axes.
    owner : Axes or Figure
        What the legend is put beside.
    """
    n_rows, n_columns = _grid_shape(n_images, image_size, n_columns)
    if ax is None:
        return _new_figure(n_images, n_rows, n_columns, image_size, names)
    if hasattr(ax, "imshow"):
        if n_images == 1:
            return np.array([ax]), ax
        return _subdivide(ax, n_images, n_rows, n_columns)
    axes = np.asarray(ax, dtype=object).ravel()
    if len(axes) != n_images:
        raise ValueError(
            f"ax must be one Axes, or as many as there are images: {n_images}, but they are "
            f"{len(axes)}. Set n_images."
        )
    return axes, axes[-1]


def draw_legend(owner, handles):
    """Draw a legend to the right of Axes or a Figure, in as many columns as its height needs."""
    height = owner.get_window_extent().height / owner.figure.dpi
    style = {"handles": handles, "frameon": False, "fontsize": "small", "handletextpad": 0.2}
    style |= {"ncols": _n_legend_columns(len(handles), height), "columnspacing": 1.0}
    if hasattr(owner, "add_axes"):
        return owner.legend(loc="outside right center", **style)
    return owner.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), borderaxespad=0, **style)


def _grid_shape(n_images, image_size, n_columns):
    """Return the numbers of rows and columns; None: so that the images are as large as can be."""
    if n_columns is None:
        columns = np.arange(1, n_images + 1)
        rows = -(-n_images // columns)
        is_used = n_images / (rows * columns)
        n_columns = int(columns[np.argmax(_scale(rows, columns, image_size) * np.sqrt(is_used))])
    if n_columns < 1:
        raise ValueError(f"n_columns must be at least 1, but was {n_columns}.")
    n_columns = min(n_columns, n_images)
    return -(-n_images // n_columns), n_columns


def _scale(n_rows, n_columns, image_size):
    """Return the inches per pixel with which a grid fits the figure."""
    height, width = image_size
    room_high = np.maximum(_FIGURE_SIZE[1] / n_rows - _TITLE_HEIGHT, 0.5)
    scale = np.minimum(room_high / height, _FIGURE_SIZE[0] / n_columns / width)
    return np.minimum(scale, _MAX_PANEL / max(image_size))


def _new_figure(n_images, n_rows, n_columns, image_size, names):
    import matplotlib.pyplot as plt

    scale = float(_scale(n_rows, n_columns, image_size))
    height = n_rows * (scale * image_size[0] + _TITLE_HEIGHT)
    width = n_columns * scale * image_size[1]
    if names:
        entry = _SYMBOL_WIDTH + _LETTER_WIDTH * max(len(name) for name in names)
        width += entry * _n_legend_columns(len(names), height)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(width, height), layout="constrained", squeeze=False
    )
    for empty in axes.flat[n_images:]:
        empty.remove()
    return axes.ravel()[:n_images], figure


def _subdivide(ax, n_images, n_rows, n_columns):
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            "ax has no place in a grid that could be divided among the images. Make it with "
            "plt.subplots, or give Axes for each image."
        )
    ax.set_axis_off()
    grid = place.subgridspec(n_rows, n_columns + 1, width_ratios=[1] * n_columns + [0.01])
    axes = [ax.figure.add_subplot(grid[i // n_columns, i % n_columns]) for i in range(n_images)]
    owner = ax.figure.add_subplot(grid[:, -1])
    owner.set_axis_off()
    return np.array(axes), owner


def _n_legend_columns(n_names, height):
    return -(-n_names // max(int(height / _NAME_HEIGHT), 1))
