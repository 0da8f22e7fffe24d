"""Anti-aliased poses over the frames of a video, drawn with OpenCV."""

import numpy as np

from skpose._opencv import import_opencv

__all__ = ["PoseOverlay"]

_SHIFT = 6  # OpenCV takes coordinates in units of 2 ** -_SHIFT pixels
_SPREAD = 0.7  # by which OpenCV draws discs, and lines to each side, larger than it is told
_FAR = 1 << 13  # pixels outside of the image beyond which nothing is drawn: integers would overflow
_ANGLES = np.linspace(0, 2 * np.pi, 20, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_N_OF_RING = 64  # corners of the rings that show a radius
_OUTLINE_OPACITY = 0.5  # bright colours are seen on bright ground, too
_TRAIL_OPACITY = 0.8  # where it is newest


class PoseOverlay:
    """Draws the poses of individuals over one frame after another.

    Everything is painted on a transparent layer first, where what comes later replaces what is
    under it, so that the pale dots of an uncertain keypoint show the image and not its edge.

    Parameters
    ----------
    image_size : tuple of (height, width)
        Size of the frames.
    colors : ndarray of shape (n_keypoints, 3)
        RGB of each bodypart's dots, 0 to 255.
    edges : ndarray of shape (n_edges, 2)
        Positions of the bodyparts that lines connect.
    individual_colors : ndarray of shape (n_individuals, 3), default=None
        RGB of each individual's lines. None: the colour of the bodypart at the end of the line.
    radius : float, default=3.0
        Of the dots, in pixels. Lines and outlines are drawn in proportion.
    """

    def __init__(self, image_size, colors, edges, *, individual_colors=None, radius=3.0):
        self._cv2 = import_opencv()
        self._layer = np.zeros((*image_size, 4), dtype=np.uint8)
        self._colors = np.asarray(colors, dtype=float)
        self._edges = np.asarray(edges, dtype=int).reshape(-1, 2)
        if individual_colors is not None:
            individual_colors = np.asarray(individual_colors, dtype=float)
        self._individual_colors = individual_colors
        self._radius = radius
        self._line_width = 0.7 * radius
        self._outline = max(0.3 * radius, 0.6)

    def draw(self, frame, poses, opacity, trails=(), rings=None):
        """Draw poses over a frame, in place.

        Parameters
        ----------
        frame : ndarray of shape (height, width, 3)
            uint8, RGB; contiguous.
        poses : ndarray of shape (n_individuals, n_keypoints, 2)
            (x, y) in pixels of the frame; NaN: not drawn.
        opacity : ndarray of shape (n_individuals, n_keypoints)
            0 to 1.
        trails : sequence of ndarray of shape (n_individuals, n_keypoints, 2)
            Where the keypoints were in the frames before, the oldest first; NaN: not known.
        rings : ndarray of shape (n_individuals, n_keypoints), default=None
            Radius of a ring around each, in pixels; NaN, and infinite: none.
        """
        poses = self._without_far(poses)
        self._draw_trails([*map(self._without_far, trails), poses])
        if rings is not None:
            self._draw_rings(poses, opacity, np.where(rings < _FAR, rings, np.nan))
        self._draw_edges(poses, opacity)
        self._draw_dots(poses, opacity)
        self._blend(frame)

    def _draw_trails(self, history):
        n_steps = len(history) - 1
        width = max(0.6 * self._line_width, 1)
        for step in range(n_steps):
            start, end = history[step], history[step + 1]
            known = ~np.isnan(start + end).any(axis=2)  # (n_individuals, n_keypoints)
            opacity = np.full(known.sum(), _TRAIL_OPACITY * (step + 1) / n_steps)
            colors = self._line_colors(*np.nonzero(known))
            self._lines(start[known], end[known], width, _paint(colors, opacity))

    def _draw_rings(self, poses, opacity, rings):
        known = ~np.isnan(poses).any(axis=2) & ~np.isnan(rings)
        angles = np.linspace(0, 2 * np.pi, _N_OF_RING, endpoint=False)
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        outlines = _fixed(poses[known][:, np.newaxis] + rings[known][:, None, None] * circle)
        colors = _paint(self._colors[np.nonzero(known)[1]], opacity[known])
        cv2 = self._cv2
        for outline, color in zip(outlines, colors, strict=True):
            cv2.polylines(self._layer, [outline], True, color, 1, cv2.LINE_AA, _SHIFT)

    def _draw_edges(self, poses, opacity):
        parent, child = self._edges.T
        start, end = poses[:, parent], poses[:, child]  # (n_individuals, n_edges, 2)
        known = ~np.isnan(start + end).any(axis=2)
        solid = np.minimum(opacity[:, parent], opacity[:, child])[known]
        individual, edge = np.nonzero(known)
        start, end = start[known], end[known]
        outline = _paint(np.zeros((len(solid), 3)), _OUTLINE_OPACITY * solid)
        self._lines(start, end, self._line_width + 2 * self._outline, outline)
        colors = self._line_colors(individual, child[edge])
        self._lines(start, end, self._line_width, _paint(colors, solid))

    def _draw_dots(self, poses, opacity):
        known = ~np.isnan(poses).any(axis=2)
        centres, solid = poses[known], opacity[known]
        colors = self._colors[np.nonzero(known)[1]]
        outlines = _paint(np.zeros_like(colors), _OUTLINE_OPACITY * solid)
        rims, discs = self._discs(centres, self._outline), self._discs(centres, 0)
        for rim, outline, disc, color in zip(
            rims, outlines, discs, _paint(colors, solid), strict=True
        ):
            self._fill(rim, outline)
            self._fill(disc, color)

    def _line_colors(self, individual, k):
        if self._individual_colors is None:
            return self._colors[k]
        return self._individual_colors[individual]

    def _lines(self, start, end, width, paint):
        """Draw lines of any width: `cv2.line` has whole numbers only."""
        along = end - start
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        length = np.maximum(np.hypot(*along.T), 2.0**-_SHIFT)
        across *= (max(width / 2 - _SPREAD, 0) / length)[:, np.newaxis]
        corners = [start + across, end + across, end - across, start - across]
        for outline, color in zip(_fixed(np.stack(corners, axis=1)), paint, strict=True):
            self._fill(outline, color)

    def _discs(self, centres, margin):
        """Return the outlines of dots: `cv2.circle` draws small ones as diamonds."""
        radius = max(self._radius + margin - _SPREAD, 0)
        return _fixed(centres[:, np.newaxis] + radius * _CIRCLE)

    def _fill(self, outline, color):
        cv2 = self._cv2
        cv2.fillConvexPoly(self._layer, outline, color, cv2.LINE_AA, _SHIFT)

    def _without_far(self, poses):
        height, width = self._layer.shape[:2]
        is_far = (poses < -_FAR) | (poses > np.array([width, height]) + _FAR)
        return np.where(is_far.any(axis=2, keepdims=True), np.nan, poses)

    def _blend(self, frame):
        """Lay the layer over the frame, and clear it."""
        painted = np.flatnonzero(self._layer.view(np.uint32))  # quicker than to look at opacities
        layer, pixels = self._layer.reshape(-1, 4), frame.reshape(-1, 3)
        paint = layer[painted].astype(np.uint16)
        seen = pixels[painted] * (255 - paint[:, 3:])  # 255 times what shines through
        pixels[painted] = np.minimum((seen + 127) // 255 + paint[:, :3], 255)
        layer[painted] = 0


def _paint(colors, opacity):
    """Return RGBA for the layer as lists: colours are multiplied by their opacity."""
    solid = np.pad(colors, ((0, 0), (0, 1)), constant_values=255)
    return np.rint(solid * opacity[:, np.newaxis]).tolist()


def _fixed(values):
    return np.rint(np.multiply(values, 1 << _SHIFT)).astype(np.int32)
