"""Keypoints to confidence maps, on NumPy arrays or on the tensors of a Keras backend.

`xp` is the namespace that computes: `numpy` on the host, `keras.ops` inside a network.
"""

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
    limbs : list of ndarray
        The segments of each limb.
    """

    def __init__(self, parents):
        parents = np.asarray(parents, dtype=np.int32)
        self.n_keypoints = len(parents)
        self.children = np.flatnonzero(parents >= 0).astype(np.int32)
        self.parents = parents[self.children]
        roots = self.children.copy()
        while (unfinished := parents[roots] >= 0).any():
            roots = np.where(unfinished, parents[roots], roots)
        self.limbs = [np.flatnonzero(roots == root).astype(np.int32) for root in np.unique(roots)]

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
    rows = _cell_centres(map_size[0], stride, xp)[None, :, None]
    columns = _cell_centres(map_size[1], stride, xp)[None, :, None]
    maps = _draw_points(points, rows, columns, sigma, xp) * seen[:, None, None, :]
    if graph is None or not graph.n_maps:
        return maps, seen
    segments_seen = xp.take(seen, graph.children, axis=1) * xp.take(seen, graph.parents, axis=1)
    segments = _draw_segments(points, graph, rows, columns, sigma, xp)
    segments = segments * segments_seen[:, None, None, :]
    graph_maps, graph_seen = _join(segments, segments_seen, maps, seen, graph, xp)
    return (
        xp.concatenate([maps, graph_maps * graph_scale], axis=-1),
        xp.concatenate([seen, graph_seen], axis=-1),
    )


def _cell_centres(n_cells, stride, xp):
    return xp.arange(n_cells, dtype="float32") * stride + (stride - 1) / 2


def _draw_points(points, rows, columns, sigma, xp):
    # A Gaussian is the product of its two profiles: no exponential for each cell.
    across = _gaussian(columns - points[:, None, :, 0], sigma, xp)  # (n_samples, n_columns, k)
    down = _gaussian(rows - points[:, None, :, 1], sigma, xp)  # (n_samples, n_rows, k)
    return down[:, :, None, :] * across[:, None, :, :]


def _draw_segments(points, graph, rows, columns, sigma, xp):
    start = xp.take(points, graph.parents, axis=1)[:, None]  # (n_samples, 1, n_edges, 2)
    along = xp.take(points, graph.children, axis=1)[:, None] - start
    squared_length = xp.maximum(along[..., 0] ** 2 + along[..., 1] ** 2, 1e-6)
    across = columns - start[..., 0]  # (n_samples, n_columns, n_edges)
    down = rows - start[..., 1]
    share = (across * along[..., 0] / squared_length)[:, None]
    share = share + (down * along[..., 1] / squared_length)[:, :, None]
    share = xp.clip(share, 0.0, 1.0)  # where on the segment the nearest point lies
    off_x = across[:, None] - share * along[..., 0][:, None]
    off_y = down[:, :, None] - share * along[..., 1][:, None]
    return xp.exp((off_x * off_x + off_y * off_y) * (-0.5 / sigma**2))


def _gaussian(distance, sigma, xp):
    return xp.exp(distance * distance * (-0.5 / sigma**2))


def _join(segments, segments_seen, maps, seen, graph, xp):
    """Draw the union of segments for each limb, of limbs, and of limbs and keypoints."""
    limbs = [xp.max(xp.take(segments, limb, axis=-1), axis=-1) for limb in graph.limbs]
    limbs_seen = [xp.min(xp.take(segments_seen, limb, axis=-1), axis=-1) for limb in graph.limbs]
    limbs = xp.stack(limbs, axis=-1)
    limbs_seen = xp.stack(limbs_seen, axis=-1)
    whole = xp.max(limbs, axis=-1, keepdims=True)
    whole_seen = xp.min(limbs_seen, axis=-1, keepdims=True)
    everything = xp.maximum(whole, xp.max(maps, axis=-1, keepdims=True))
    everything_seen = xp.min(seen, axis=-1, keepdims=True)
    return (
        xp.concatenate([segments, limbs, whole, everything], axis=-1),
        xp.concatenate([segments_seen, limbs_seen, whole_seen, everything_seen], axis=-1),
    )
