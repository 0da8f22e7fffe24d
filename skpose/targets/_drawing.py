"""Keypoints to confidence maps, on NumPy arrays or on the tensors of a Keras backend.

`xp` is the namespace that computes: `numpy` on the host, `keras.ops` inside a network.
"""

import math

import numpy as np

__all__ = ["PostureGraph", "draw_maps"]


class PostureGraph:
    """The four levels of maps that a posture graph adds to the keypoints' own.

    Segments are the edges of the skeleton; a limb is a connected component that has an edge; the
    graph is all limbs; the last map is the graph with all keypoints. A skeleton without edges adds
    no maps.

    Parameters
    ----------
    parents : sequence of int
        Position of each bodypart's parent, -1 for a root.

    Attributes
    ----------
    children, parents : ndarray of shape (n_edges,)
        Positions of the two ends of each segment.
    layer_sizes : list of int
        How many limbs have a first segment, a second one, and so on, which is how segments lie.
    limbs : list of ndarray
        The segments of each limb, of longer limbs first.
    """

    def __init__(self, parents):
        parents = np.asarray(parents, dtype=np.int32)
        self.n_keypoints = len(parents)
        limbs = sorted(self._find_limbs(parents), key=len, reverse=True)
        # The first segments of all limbs, then the second ones of those that have two, and so on:
        # limbs are then joined by taking the maximum of whole blocks of maps.
        layers = [
            [limb[i] for limb in limbs if len(limb) > i]
            for i in range(max(map(len, limbs), default=0))
        ]
        self.layer_sizes = [len(layer) for layer in layers]
        self.children = np.array(sum(layers, []), dtype=np.int32)
        self.parents = parents[self.children]
        place = {child: i for i, child in enumerate(self.children.tolist())}
        self.limbs = [np.array([place[child] for child in limb]) for limb in limbs]

    @staticmethod
    def _find_limbs(parents):
        """Group the children of all edges by the root that they hang on."""
        limbs = {}
        for child in np.flatnonzero(parents >= 0).tolist():
            root = child
            while parents[root] >= 0:
                root = int(parents[root])
            limbs.setdefault(root, []).append(child)
        return limbs.values()

    @property
    def n_maps(self):
        """Number of maps that the graph adds to those of the keypoints."""
        return len(self.children) + len(self.limbs) + 2 if len(self.children) else 0


def draw_maps(keypoints, map_size, *, sigma, stride, graph=None, graph_scale=1.0, xp=np):
    """Draw the maps of a batch.

    Parameters
    ----------
    keypoints : array of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels of the image; NaN: not labelled.
    map_size : tuple of int
        Rows and columns of cells.
    sigma : float
        Standard deviation of the Gaussians, in pixels of the image.
    stride : int
        Pixels a cell.
    graph : PostureGraph, default=None
        The segments to draw besides the keypoints.
    graph_scale : float, default=1.0
        Height of the graph's maps.
    xp : module, default=numpy
        Where to compute: `numpy` or `keras.ops`.

    Returns
    -------
    maps : array of shape (n_samples, n_rows, n_columns, n_maps)
        Keypoints, segments, limbs, graph, graph with keypoints. What is not labelled is not drawn.
    known : array of shape (n_samples, n_maps)
        1 where everything that the map should show was labelled, else 0.
    """
    labelled = xp.logical_not(xp.any(xp.isnan(keypoints), axis=-1))  # (n_samples, n_keypoints)
    points = xp.where(xp.isnan(keypoints), xp.zeros_like(keypoints), keypoints)
    seen = xp.where(labelled, xp.ones_like(points[..., 0]), xp.zeros_like(points[..., 0]))
    rows, columns = (_cell_centres(size, stride, xp) for size in map_size)
    maps = _draw_points(points, seen, rows, columns, sigma, xp)
    if graph is None or not graph.n_maps:
        return maps, seen
    segments_seen = xp.take(seen, graph.children, axis=1) * xp.take(seen, graph.parents, axis=1)
    lines = _lay_lines(points, segments_seen, graph, sigma, xp)
    segments = _draw_segments(lines, rows, columns, graph_scale, xp)
    limbs, limbs_seen = _join_limbs(segments, segments_seen, graph, xp)
    whole = xp.max(limbs, axis=-1, keepdims=True)
    everything = xp.maximum(whole, graph_scale * xp.max(maps, axis=-1, keepdims=True))
    whole_seen = xp.min(limbs_seen, axis=-1, keepdims=True)
    everything_seen = xp.min(seen, axis=-1, keepdims=True)
    return (
        xp.concatenate([maps, segments, limbs, whole, everything], axis=-1),
        xp.concatenate([seen, segments_seen, limbs_seen, whole_seen, everything_seen], axis=-1),
    )


def _cell_centres(n_cells, stride, xp):
    return xp.arange(n_cells, dtype="float32") * stride + (stride - 1) / 2


def _draw_points(points, seen, rows, columns, sigma, xp):
    # A Gaussian is the product of its two profiles: no exponential for each cell.
    across = _gaussian(columns[:, None] - points[:, None, :, 0], sigma, xp)  # (n, n_columns, k)
    down = _gaussian(rows[:, None] - points[:, None, :, 1], sigma, xp) * seen[:, None]
    return down[:, :, None, :] * across[:, None, :, :]


def _gaussian(distance, sigma, xp):
    return xp.exp(distance * distance * (-0.5 / sigma**2))


def _lay_lines(points, segments_seen, graph, sigma, xp):
    """Give what takes a pixel (x, y, 1) to its place along and across each segment.

    Both are in units of ``sqrt(2) * sigma`` from the segment's middle, of shape (n, 3, n_edges);
    the third value is half of the length, (n, 1, n_edges). A segment that is not seen lies far off.
    """
    unit = 0.5**0.5 / sigma
    start, end = (xp.take(points, ends, axis=1) for ends in (graph.parents, graph.children))
    x, y = (end - start)[..., 0], (end - start)[..., 1]
    length = xp.sqrt(x * x + y * y)
    is_point = length < 1e-6  # any direction will do
    scale = unit / xp.where(is_point, xp.ones_like(length), length)
    x, y = xp.where(is_point, unit * xp.ones_like(x), x * scale), y * scale
    middle = (start + end) / 2
    away = (1 - segments_seen) * 1e6
    along = [x, y, -(middle[..., 0] * x + middle[..., 1] * y)]
    across = [-y, x, middle[..., 0] * y - middle[..., 1] * x + away]
    return xp.stack(along, axis=1), xp.stack(across, axis=1), length[:, None] * (unit / 2)


def _draw_segments(lines, rows, columns, height, xp):
    """A ridge around each segment, ``height`` high: (n, n_rows, n_columns, n_edges)."""
    along, across, half_length = lines
    x = xp.broadcast_to(columns, (rows.shape[0], columns.shape[0]))
    y = xp.broadcast_to(rows[:, None], (rows.shape[0], columns.shape[0]))
    cells = xp.reshape(xp.stack([x, y, xp.ones_like(x)], axis=-1), (-1, 3))
    beyond = xp.maximum(xp.abs(xp.matmul(cells, along)) - half_length, 0.0)
    beside = xp.matmul(cells, across)
    ridges = xp.exp(math.log(height) - (beyond * beyond + beside * beside))
    return xp.reshape(ridges, (-1, rows.shape[0], columns.shape[0], ridges.shape[2]))


def _join_limbs(segments, segments_seen, graph, xp):
    """Draw the union of each limb's segments."""
    if len(graph.limbs) == 1:
        return (
            xp.max(segments, axis=-1, keepdims=True),
            xp.min(segments_seen, axis=-1, keepdims=True),
        )
    # From the last layer, which has the fewest limbs, to the first, which has all.
    limbs = limbs_seen = None
    ends = np.cumsum(graph.layer_sizes)[:-1].tolist()
    layers = zip(
        xp.split(segments, ends, axis=-1), xp.split(segments_seen, ends, axis=-1), strict=True
    )
    for layer, layer_seen in reversed(list(layers)):
        limbs = _combine(xp.maximum, layer, limbs, xp)
        limbs_seen = _combine(xp.minimum, layer_seen, limbs_seen, xp)
    return limbs, limbs_seen


def _combine(function, values, others, xp):
    """Apply a function to the first values and the others, of which there may be fewer or none."""
    if others is None:
        return values
    size = others.shape[-1]
    joined = function(values[..., :size], others)
    if size == values.shape[-1]:
        return joined
    return xp.concatenate([joined, values[..., size:]], axis=-1)
