"""The grid of images that `PoseDisplay` draws."""

import numpy as np

from skpose._palette import bodypart_colors
from skpose.plot._axes import GREY, merge_style
from skpose.plot._grid import draw_legend, lay_out

__all__ = ["Panels"]

_MAX_NAMES = 16
_OUTLINE = (0, 0, 0, 0.5)  # bright colours are seen on bright ground, too


class Panels:
    """Images with what is drawn over each.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width, n_channels)
        uint8 images.
    keypoints : ndarray of shape (n_images, n_keypoints, 2)
        (x, y) in pixels of these images; NaN: not drawn.
    y_true : ndarray of shape (n_images, n_keypoints, 2) or None
        Labelled keypoints; NaN: not drawn.
    opacity : ndarray of shape (n_images, n_keypoints)
        Opacity of each keypoint, 0 to 1.
    skeleton : Skeleton or None
        Names and edges.
    cmap : str, Colormap or None
        Colours of the bodyparts.
    scatter_kwargs, line_kwargs : dict or None
        Style of the keypoints and of the edges.

    Attributes
    ----------
    axes : ndarray of Axes of shape (n_images,)
        The Axes of each image.
    points, labels, edges : list
        What was drawn on each.
    """

    def __init__(
        self, *, images, keypoints, y_true, opacity, skeleton, cmap, scatter_kwargs, line_kwargs
    ):
        self.images = images
        self.keypoints = keypoints
        self.y_true = y_true
        self.opacity = opacity
        self.skeleton = skeleton
        self.scatter_kwargs = scatter_kwargs
        self.line_kwargs = line_kwargs
        colors = bodypart_colors(keypoints.shape[1], skeleton, cmap)
        self.colors = np.column_stack([colors, np.ones(len(colors))])
        self.points, self.labels, self.edges = [], [], []

    def draw(self, ax, n_columns, titles, legend):
        """Draw all panels.

        Parameters
        ----------
        ax : Axes, array-like of Axes or None
            Where.
        n_columns : int or None
            Number of images side by side.
        titles : list of str
            What stands above each image.
        legend : bool or "auto"
            Whether to name the bodyparts.
        """
        handles = self._legend_handles(legend)
        n_images, height, width = self.images.shape[:3]
        names = [handle.get_label() for handle in handles]
        self.axes, owner = lay_out(ax, n_images, (height, width), n_columns, names)
        diameter = self._dot_diameter()
        for i, panel in enumerate(self.axes):
            self._draw_image(panel, i)
            self._draw_edges(panel, i, diameter)
            self._draw_keypoints(panel, i, diameter)
            if self.y_true is not None:
                self._draw_labels(panel, i, diameter)
            panel.set_title(titles[i], fontsize="small", color="0.3", pad=3)
        if handles:
            draw_legend(owner, handles)

    def _dot_diameter(self):
        """Return the diameter of a dot in points, in proportion to the panel."""
        size = (self.scatter_kwargs or {}).get("s")
        if size is not None:
            return float(np.sqrt(np.mean(size)))
        panel = self.axes[0]
        extent = panel.get_window_extent()
        side = 72 * min(extent.width, extent.height) / panel.figure.dpi
        return float(np.clip(side / 34, 2.5, 7))

    def _draw_image(self, panel, i):
        image = self.images[i]
        height, width, n_channels = image.shape
        panel.imshow(
            image[..., 0] if n_channels == 1 else image,
            cmap="gray",
            vmin=0,
            vmax=255,
            interpolation="nearest",
        )
        panel.set(
            xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[], aspect=1
        )
        panel.spines[:].set_visible(False)
        panel.set_autoscale_on(False)

    def _draw_edges(self, panel, i, diameter):
        from matplotlib.collections import LineCollection

        if self.skeleton is None:
            return
        edges = self.skeleton.edges
        edges = edges[~np.isnan(self.keypoints[i][edges]).any(axis=(1, 2))]
        ends, opacity = self.keypoints[i][edges], self.opacity[i][edges].min(axis=1)
        style = merge_style(
            {
                "linewidths": 0.3 * diameter,
                "color": _faded(self.colors[edges[:, 1]], opacity),
                "zorder": 2,
                "capstyle": "round",
            },
            self.line_kwargs,
            LineCollection,
        )
        outline = LineCollection(
            ends,
            colors=_faded(_OUTLINE, opacity),
            linewidths=np.asarray(style["linewidth"]) + 0.2 * diameter,
            capstyle="round",
            zorder=1.9,
        )
        panel.add_collection(outline, autolim=False)
        self.edges.append(panel.add_collection(LineCollection(ends, **style), autolim=False))

    def _draw_keypoints(self, panel, i, diameter):
        from matplotlib.collections import PathCollection

        drawn = ~np.isnan(self.keypoints[i]).any(axis=1)
        opacity = self.opacity[i][drawn]
        style = merge_style(
            {
                "s": diameter**2,
                "linewidths": 0.1 * diameter,
                "facecolors": _faded(self.colors[drawn], opacity),
                "edgecolors": _faded(_OUTLINE, opacity),
                "zorder": 3,
            },
            self.scatter_kwargs,
            PathCollection,
        )
        self.points.append(panel.scatter(*self.keypoints[i][drawn].T, **style))

    def _draw_labels(self, panel, i, diameter):
        """Draw a ring at each labelled keypoint, and a dotted line from it to the predicted one."""
        from matplotlib.collections import LineCollection

        labelled = ~np.isnan(self.y_true[i]).any(axis=1)
        both = labelled & ~np.isnan(self.keypoints[i]).any(axis=1)
        errors = LineCollection(
            np.stack([self.y_true[i], self.keypoints[i]], axis=1)[both],
            colors=self.colors[both],
            linewidths=0.18 * diameter,
            linestyles=[(0, (1, 1.5))],  # or large errors would look like edges
            zorder=2.5,
        )
        panel.add_collection(errors, autolim=False)
        rings = panel.scatter(
            *self.y_true[i][labelled].T,
            s=(1.8 * diameter) ** 2,
            facecolors="none",
            edgecolors=self.colors[labelled],
            linewidths=0.15 * diameter,
            zorder=2.8,
        )
        self.labels.append(rings)

    def _legend_handles(self, legend):
        from matplotlib.lines import Line2D

        if legend not in (True, False, "auto"):
            raise ValueError(f'legend must be True, False or "auto", but was {legend!r}.')
        if legend is False:
            return []
        handles = []
        dot = {"linestyle": "none", "marker": "o", "markersize": 5, "markeredgecolor": "none"}
        if self.y_true is not None:
            ring = {**dot, "markersize": 7, "markerfacecolor": "none", "markeredgecolor": GREY}
            handles.append(Line2D([], [], **dot, color=GREY, label="predicted"))
            handles.append(Line2D([], [], **ring, label="labelled"))
        if self.skeleton is not None and (legend is True or len(self.skeleton) <= _MAX_NAMES):
            dot |= {"markeredgecolor": GREY, "markeredgewidth": 0.5}  # some are nearly white
            handles += [
                Line2D([], [], **dot, color=color, label=name)
                for name, color in zip(self.skeleton.names, self.colors, strict=True)
            ]
        return handles


def _faded(colors, opacity):
    """Return RGBA colours of shape (n, 4), each made paler by its opacity."""
    colors = np.array(np.broadcast_to(colors, (len(opacity), 4)), dtype=float)
    colors[:, 3] *= opacity
    return colors
