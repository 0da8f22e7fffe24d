"""Keypoints to confidence maps, on NumPy arrays or on the tensors of a Keras backend.

`xp` is the namespace that computes: `numpy` on the host, `keras.ops` inside a network.
"""

from functools import reduce
import math

import numpy as np

__all__ = ["ABSENT", "draw_maps"]

# Where bodyparts are put that are known to be not in the image, in pixels: their maps are empty,
# as those of bodyparts are that augmentation has moved out of the image.
ABSENT = 1e7
_FAR = 1e6  # which no image reaches, and nothing augmented comes back from


def draw_maps(keypoints, map_size, *, sigma, stride, graph=None, graph_scale=1.0, xp=np):
    """Draw the maps of a batch.

    Parameters
    ----------
    keypoints : array of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels of the image; NaN: not labelled. `ABSENT`: not in the image.
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
        Keypoints, segments, limbs, graph, graph with keypoints. What is not labelled, or absent,
        is not drawn.
    known : array of shape (n_samples, n_maps)
        1 where everything that the map should show was labelled or is absent, else 0.
    """
    labelled = xp.logical_not(xp.any(xp.isnan(keypoints), axis=-1))  # (n_samples, n_keypoints)
    points = xp.where(xp.isnan(keypoints), xp.zeros_like(keypoints), keypoints)
    seen = xp.where(labelled, xp.ones_like(points[..., 0]), xp.zeros_like(points[..., 0]))
    rows, columns = (_cell_centres(size, stride, xp) for size in map_size)
    maps = _draw_points(points, seen, rows, columns, sigma, xp)
    if graph is None or not graph.n_maps:
        return maps, seen
    known = 1 - xp.minimum(xp.matmul(1 - seen, graph.contents), 1)
    first = keypoints.shape[1]
    segments_seen = known[:, first : first + len(graph.children)]
    is_near = xp.max(xp.abs(points), axis=-1) < _FAR
    near = xp.where(is_near, seen, xp.zeros_like(seen))
    ends = (xp.take(near, ends, axis=1) for ends in (graph.parents, graph.children))
    lines = _lay_lines(points, reduce(xp.multiply, ends) * segments_seen, graph, sigma, xp)
    segments, limbs = _draw_graph(lines, rows, columns, graph, graph_scale, xp)
    whole = reduce(xp.maximum, [_find_highest(limb, xp) for limb in limbs])
    everything = xp.maximum(whole, graph_scale * _find_highest(maps, xp))
    return xp.concatenate([maps, *segments, *limbs, whole, everything], axis=-1), known


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
    """Return what takes a pixel (x, y, 1) to its place by each segment.

    How far it is before the segment's start, behind its end, and beside it, in units of
    ``sqrt(2) * sigma``, each of shape (n, 3, n_edges). A segment that is not seen lies far off.
    """
    unit = 0.5**0.5 / sigma
    start, end = (xp.take(points, ends, axis=1) for ends in (graph.parents, graph.children))
    x, y = (end - start)[..., 0], (end - start)[..., 1]
    length = xp.sqrt(x * x + y * y)
    is_point = length < 1e-6  # any direction will do
    scale = unit / xp.where(is_point, xp.ones_like(length), length)
    x, y = xp.where(is_point, unit * xp.ones_like(x), x * scale), y * scale
    before = [-x, -y, start[..., 0] * x + start[..., 1] * y]
    behind = [x, y, -(end[..., 0] * x + end[..., 1] * y)]
    away = (1 - segments_seen) * 1e6
    beside = [-y, x, start[..., 0] * y - start[..., 1] * x + away]
    return [xp.stack(line, axis=1) for line in (before, behind, beside)]


def _draw_graph(lines, rows, columns, graph, height, xp):
    """Return the maps of all segments, and those of all limbs, as tensors of several maps each."""
    x = xp.broadcast_to(columns, (rows.shape[0], columns.shape[0]))
    y = xp.broadcast_to(rows[:, None], (rows.shape[0], columns.shape[0]))
    cells = xp.reshape(xp.stack([x, y, xp.ones_like(x)], axis=-1), (-1, 3))
    segments, limbs = [], []
    for group in graph.groups:
        parts = [
            xp.reshape(
                _draw_ridges(cells, [line[:, :, part] for line in lines], height, xp),
                (-1, rows.shape[0], columns.shape[0], part.stop - part.start),
            )
            for part in group.parts
        ]
        segments += parts
        if group.by_limb:
            limbs += [_find_highest(part, xp) for part in parts]
        else:
            limbs.append(reduce(xp.maximum, parts))
    return segments, limbs


def _draw_ridges(cells, lines, height, xp):
    """Draw a ridge around each segment, ``height`` high: (n, n_cells, n_segments)."""
    before, behind, beside = (xp.matmul(cells, line) for line in lines)
    beyond = xp.maximum(xp.maximum(before, behind), 0.0)
    return xp.exp(math.log(height) - (beyond * beyond + beside * beside))


def _find_highest(maps, xp):
    """Join the maps of a tensor to one."""
    return maps if maps.shape[-1] == 1 else xp.max(maps, axis=-1, keepdims=True)
