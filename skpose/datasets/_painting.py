"""Anti-aliased drawing of round, shaded shapes on a textured floor.

A shape is a union of tapered segments. A pixel's coverage comes from its distance to the outline,
so that a shape may lie anywhere between the pixels. Pixel centres are whole numbers. Images are
float32 of shape (height, width, n_channels), nominally from 0 to 1.
"""

from functools import lru_cache

import numpy as np

__all__ = ["add_shadow", "depth", "floor_texture", "illumination", "paint", "smooth_noise"]

_HALF = np.float32(0.5)


def _nearest(ends, radii, x, y):
    """Measure points against the segment whose outline is the nearest.

    Parameters
    ----------
    ends : ndarray of shape (2, n_segments, 2)
        (x, y) of the start and the end of each segment's axis.
    radii : ndarray of shape (2, n_segments)
        Half the width at the start and at the end.
    x, y : ndarray
        Coordinates, which broadcast to the shape of each result.

    Returns
    -------
    dx, dy : ndarray
        Offset of the points from the nearest place on the axis.
    r : ndarray
        Half the width there.
    distance : ndarray
        Distance from the outline, negative inside.
    """
    ends, radii = ends.astype(np.float32), radii.astype(np.float32)
    column = (-1,) + (1,) * np.ndim(x)
    x0, y0 = (ends[0, :, k].reshape(column) for k in (0, 1))
    along_x, along_y = ((ends[1] - ends[0])[:, k].reshape(column) for k in (0, 1))
    r0, widening = radii[0].reshape(column), (radii[1] - radii[0]).reshape(column)
    length2 = np.maximum(along_x * along_x + along_y * along_y, np.float32(1e-12))
    dx, dy = x - x0, y - y0
    t = dx * (along_x / length2) + dy * (along_y / length2)
    t = np.minimum(np.maximum(t, 0, out=t), 1, out=t)
    dx = dx - t * along_x
    dy = dy - t * along_y
    r = np.multiply(t, widening, out=t)
    r += r0
    distance = np.sqrt(dx * dx + dy * dy) - r
    if len(distance) == 1:
        return dx[0], dy[0], r[0], distance[0]
    shape = distance.shape[1:]
    n_points = distance[0].size
    flat = distance.argmin(axis=0).reshape(-1) * n_points + np.arange(n_points)
    return [values.reshape(-1).take(flat).reshape(shape) for values in (dx, dy, r, distance)]


def depth(ends, radii, points):
    """Depth of points inside a shape, in pixels; negative outside.

    Parameters
    ----------
    ends : ndarray of shape (2, n_segments, 2)
        (x, y) of the start and the end of each segment's axis.
    radii : ndarray of shape (2, n_segments)
        Half the width at the start and at the end.
    points : ndarray of shape (n_points, 2)
        (x, y).

    Returns
    -------
    ndarray of shape (n_points,)
    """
    points = np.asarray(points, dtype=np.float32)
    return -_nearest(ends, radii, points[:, 0], points[:, 1])[3]


def _window(ends, radii, shape, pad):
    """Slices of rows and columns that hold a shape, and the pixels' coordinates in them."""
    low = np.floor((ends - radii[..., None]).min(axis=(0, 1)) - pad)
    high = np.ceil((ends + radii[..., None]).max(axis=(0, 1)) + pad)
    left, top = max(int(low[0]), 0), max(int(low[1]), 0)
    right, bottom = min(int(high[0]) + 1, shape[1]), min(int(high[1]) + 1, shape[0])
    if left >= right or top >= bottom:
        return None
    x = np.arange(left, right, dtype=np.float32)[None, :]
    y = np.arange(top, bottom, dtype=np.float32)[:, None]
    return (slice(top, bottom), slice(left, right)), x, y


def _coverage(distance):
    """Part of a pixel that is inside of an outline at this distance."""
    return np.minimum(np.maximum(_HALF - distance, 0), 1)


def paint(canvas, ends, radii, colour, light, texture):
    """Paint a shape over a canvas, in place, shaded as a round body.

    Parameters
    ----------
    canvas : ndarray of shape (height, width, n_channels)
        Float32 image.
    ends : ndarray of shape (2, n_segments, 2)
        (x, y) of the start and the end of each segment's axis. Both the same: a disc.
    radii : ndarray of shape (2, n_segments)
        Half the width at the start and at the end, in pixels.
    colour : ndarray of shape (n_channels,)
        Colour of the shape where it faces the viewer.
    light : ndarray of shape (3,)
        Unit vector towards the light: to the right, down, and out of the image.
    texture : ndarray of shape (height, width)
        Factor of the colour at each pixel of the canvas.
    """
    window = _window(ends, radii, canvas.shape, 1)
    if window is None:
        return
    box, x, y = window
    dx, dy, r, distance = _nearest(ends, radii, x, y)
    rim = r + _HALF  # as far as pixels are touched
    shade = _shade(dx / rim, dy / rim, light) * texture[box]
    target = canvas[box]
    target += _coverage(distance)[..., None] * (shade[..., None] * colour - target)


def _shade(across, down, light):
    """Brightness of a round body, 1 on top and darker where it turns away from the light.

    `across` and `down` are the offset from the axis in units of the radius.
    """
    up = np.sqrt(np.maximum(1 - across * across - down * down, 0))
    lit = np.maximum(light[0] * across + light[1] * down + light[2] * up, 0)
    return 1 + np.float32(0.6) * (lit - light[2])


def add_shadow(shadow, ends, radii, softness):
    """Add the shadow of a shape to a map of shadows, in place.

    Parameters
    ----------
    shadow : ndarray of shape (height, width)
        Float32, 1 in full shadow.
    ends : ndarray of shape (2, n_segments, 2)
        (x, y) of the start and the end of the axis of each segment's shadow.
    radii : ndarray of shape (2, n_segments)
        Half the width at the start and at the end, in pixels.
    softness : float
        The shadow fades over this many pixels to each side of the outline.
    """
    window = _window(ends, radii, shadow.shape, softness)
    if window is not None:
        box, x, y = window
        distance = _nearest(ends, radii, x, y)[3]
        fading = _coverage(distance / np.float32(2 * softness))
        shadow[box] = np.maximum(shadow[box], fading)


@lru_cache(maxsize=64)
def _spline(n_pixels, n_cells):
    """Cubic B-splines at the pixels (n_pixels, n_cells + 3), scaled to keep noise's variance."""
    at = np.linspace(0, n_cells, n_pixels)
    left = np.minimum(at.astype(int), n_cells - 1)
    t = at - left
    taps = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 0 * t, t**3])
    taps[2] = 6 - taps.sum(axis=0)
    matrix = np.zeros((n_pixels, n_cells + 3), dtype=np.float32)
    for k, tap in enumerate(taps / np.sqrt((taps**2).sum(axis=0))):
        matrix[np.arange(n_pixels), left + k] = tap
    matrix.flags.writeable = False
    return matrix


def smooth_noise(shape, cell, rng):
    """Draw smooth noise of zero mean and unit variance.

    Parameters
    ----------
    shape : tuple (height, width)
    cell : float
        Size of the noise's features, in pixels.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (height, width)
    """
    down, across = (_spline(side, max(round(side / cell), 1)) for side in shape)
    knots = rng.standard_normal((down.shape[1], across.shape[1]), dtype=np.float32)
    return down @ knots @ across.T


def floor_texture(shape, rng):
    """Draw the brightness of an arena's floor, about 1: stains, grain and specks of bedding.

    Parameters
    ----------
    shape : tuple (height, width)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (height, width)
    """
    side = min(shape)
    stains, blotches, grain = rng.uniform(0, (0.1, 0.05, 0.06)).astype(np.float32)
    texture = 1 + stains * smooth_noise(shape, side / 3, rng)
    texture += blotches * smooth_noise(shape, side / 10, rng)
    texture += grain * smooth_noise(shape, max(side / 40, 1.5), rng)
    n_specks = int(90 * rng.random() ** 2 * max(shape) / side)
    if n_specks:
        _add_specks(texture, n_specks, rng)
    return np.minimum(np.maximum(texture, 0.3, out=texture), 1.8, out=texture)


def _add_specks(texture, n_specks, rng):
    """Strew short chips, lighter and darker than the floor, all at once."""
    height, width = texture.shape
    centre = rng.uniform(-0.5, (width - 0.5, height - 0.5), (n_specks, 2)).astype(np.float32)
    size, taper, turn, tone = rng.random((4, n_specks, 1, 1), dtype=np.float32)
    half = (0.1 + size) * np.float32(0.025 * min(height, width))
    radius = np.maximum(half * (0.25 + 0.3 * taper), 0.4)
    cos, sin = np.cos(np.pi * turn), np.sin(np.pi * turn)
    reach = int((half + radius).max()) + 2
    steps = np.arange(-reach, reach + 1)
    x = np.rint(centre[:, 0]).astype(int)[:, None, None] + steps[None, :]
    y = np.rint(centre[:, 1]).astype(int)[:, None, None] + steps[:, None]
    dx = (x - centre[:, 0, None, None]).astype(np.float32)
    dy = (y - centre[:, 1, None, None]).astype(np.float32)
    t = np.minimum(np.maximum(dx * cos + dy * sin, -half), half)
    distance = np.hypot(dx - t * cos, dy - t * sin) - radius
    touched = (distance < _HALF) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    factor = 1 + _coverage(distance) * (tone - _HALF) * _HALF
    np.multiply.at(texture.reshape(-1), (y * width + x)[touched], factor[touched])


def illumination(shape, rng):
    """Draw the brightness of the light on each pixel, about 1: a gradient and a vignette.

    Parameters
    ----------
    shape : tuple (height, width)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (height, width)
    """
    y, x = (np.linspace(-1, 1, side) for side in shape)
    angle, slope, vignette = rng.uniform(0, (2 * np.pi, 0.25, 0.2))
    across = slope * np.cos(angle) * x - vignette * x**2
    down = slope * np.sin(angle) * y - vignette * y**2
    return (1 + across[None, :] + down[:, None]).astype(np.float32)
