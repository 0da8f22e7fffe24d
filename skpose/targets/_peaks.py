"""Confidence maps to keypoints, on NumPy arrays or on the tensors of a Keras backend.

`xp` is the namespace that computes: `numpy` on the host, `keras.ops` inside a network.
"""

import math

import numpy as np

__all__ = ["find_maxima", "find_subpixel_maxima"]

# From the centroid, three steps reach the precision of float32, at the border of the image four.
_N_STEPS = 4
# The bend of the surface that is climbed, per squared sigma, for a Gaussian.
_PERFECT = -0.5
# Rows of products by order in y and then in x: of order 0, in x and in y of order 1 and 2, of both.
_FIRST = np.array([0], dtype=np.int32)
_MOMENTS = tuple(np.array(rows, dtype=np.int32) for rows in ([0], [1, 3], [2, 6], [4]))
_SWAPPED = np.array([1, 0], dtype=np.int32)
# How far the nine cells in the middle are from it, in x and in y.
_LEVERS = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1])).astype(np.float32)[..., np.newaxis]
# Beyond this many sigma a cell tells less than 1 % of where the peak is.
_WINDOW_SIGMAS = 2.5


def find_maxima(maps, *, stride, xp=np):
    """Find the highest cell of each map.

    Parameters
    ----------
    maps : array of shape (n_samples, n_rows, n_columns, n_keypoints)
        Confidence maps.
    stride : int
        Pixels a cell.
    xp : module, default=numpy
        Where to compute: `numpy` or `keras.ops`.

    Returns
    -------
    peaks : array of shape (n_samples, n_keypoints, 3)
        x and y in pixels of the image, and the confidence in 0..1.
    """
    n_rows, n_columns = maps.shape[1:3] if xp is np else xp.shape(maps)[1:3]
    i, j = _coarse_peaks(maps, xp)
    x = xp.take(xp.arange(n_columns, dtype="float32"), j)
    y = xp.take(xp.arange(n_rows, dtype="float32"), i)
    return _in_pixels(x, y, xp.max(maps, axis=(1, 2)), stride, xp)


def find_subpixel_maxima(maps, *, sigma, stride, xp=np):
    """Fit a Gaussian of known width to the surroundings of each map's highest cell.

    The fit is the least-squares one, the best that there is in white noise: with a free height, it
    maximises the correlation of map and Gaussian, divided by the Gaussian's norm inside the window.
    Both are separable, so a Newton step takes two small matrix products. The norm knows what the
    border of the map cuts off, so that peaks there are not biased.

    Parameters
    ----------
    maps : array of shape (n_samples, n_rows, n_columns, n_keypoints)
        Confidence maps.
    sigma : float
        Standard deviation of the Gaussian, in pixels of the image.
    stride : int
        Pixels a cell.
    xp : module, default=numpy
        Where to compute: `numpy` or `keras.ops`.

    Returns
    -------
    peaks : array of shape (n_samples, n_keypoints, 3)
        x and y in pixels of the image, and the height of the fitted Gaussian, cut to 0..1.
    """
    n_samples, n_rows, n_columns, n_maps = maps.shape if xp is np else xp.shape(maps)
    i, j = _coarse_peaks(maps, xp)
    reach = max(1, math.ceil(_WINDOW_SIGMAS * sigma / stride))
    windows, inside = _cut_windows(maps, i, j, reach, xp)
    shift, height = _fit_gaussians(windows, inside, sigma / stride, xp)
    shift = xp.reshape(shift, (2, n_samples, n_maps))
    columns, rows = (xp.arange(size, dtype="float32") for size in (n_columns, n_rows))
    x = xp.clip(xp.take(columns, j) + shift[0], -0.5, xp.max(columns) + 0.5)
    y = xp.clip(xp.take(rows, i) + shift[1], -0.5, xp.max(rows) + 0.5)
    return _in_pixels(x, y, xp.reshape(height, (n_samples, n_maps)), stride, xp)


def _coarse_peaks(maps, xp):
    """Row and column of the highest cell of each map, each of shape (n_samples, n_maps).

    The highest column first: a maximum over whole rows is vectorised, a search is not.
    """
    n_samples, n_rows, n_columns, n_maps = maps.shape if xp is np else xp.shape(maps)
    j = _argmax(xp.max(maps, axis=1), 1, xp)
    first = xp.arange(n_samples, dtype="int32")[:, None] * (n_rows * n_columns) + j
    first = first * n_maps + xp.arange(n_maps, dtype="int32")
    index = first[:, :, None] + xp.arange(n_rows, dtype="int32") * (n_columns * n_maps)
    column = xp.take(xp.reshape(maps, (-1,)), index)  # (n_samples, n_maps, n_rows)
    return _argmax(column, 2, xp), j


def _argmax(values, axis, xp):
    """Find the first of the highest values; of floats, Keras looks for the sign of zeros too."""
    is_highest = values >= xp.max(values, axis=axis, keepdims=True)
    return xp.argmax(xp.where(is_highest, np.int32(1), np.int32(0)), axis=axis)


# From here on the last axis is that of all maps of all samples, n long. Sums over the few cells of
# a window are then sums of whole vectors; products of tiny matrices take far longer.


def _cut_windows(maps, i, j, reach, xp):
    """Cut out the surroundings of each highest cell, 0 beyond the border of the map.

    Gives the windows, (size, size, n), and whether the window's columns and rows are inside of the
    map, (2, size, n): 1 or 0.
    """
    n_samples, n_rows, n_columns, n_maps = maps.shape if xp is np else xp.shape(maps)
    steps = xp.arange(2 * reach + 1, dtype="int32")[:, None] - reach
    columns, rows = (xp.reshape(index, (1, -1)) + steps for index in (j, i))
    near_columns, near_rows = xp.clip(columns, 0, n_columns - 1), xp.clip(rows, 0, n_rows - 1)
    inside = xp.stack([columns == near_columns, rows == near_rows])
    inside = xp.where(inside, np.float32(1), np.float32(0))
    offset = xp.arange(n_samples, dtype="int32")[:, None] * (n_rows * n_columns * n_maps)
    offset = xp.reshape(offset + xp.arange(n_maps, dtype="int32"), (-1,))
    index = (near_rows[:, None] * n_columns + near_columns) * n_maps + offset
    windows = xp.take(xp.reshape(maps, (-1,)), index)
    return windows * inside[1][:, None] * inside[0], inside


def _fit_gaussians(windows, inside, sigma, xp):
    """Newton's method on the log of the normalised correlation.

    Gives the shifts from the centre of the window, (2, n), in x and in y, and the heights, (n,).
    """
    reach = windows.shape[0] // 2
    cells = xp.arange(-reach, reach + 1, dtype="float32")[:, None] * (1 / sigma)  # in sigmas
    inside = inside[:, None, None]  # as profiles are: (2, 3, 1, size, n)
    shift = _centroid(windows, xp)[:, None, None, None] * (1 / sigma)
    limit = max(1 / sigma, 1.5)  # further from the highest cell it is another peak
    for _ in range(_N_STEPS):
        correlation, norms = _correlate(windows, inside, cells - shift, xp)
        step = xp.clip(_newton_step(correlation, norms, xp), -1 / sigma, 1 / sigma)
        shift = xp.clip(shift + step, -limit, limit)
    # Before the last step, which is too short to change the height.
    height = xp.take(correlation, _FIRST, axis=0) / xp.prod(norms[0], axis=0)
    return xp.reshape(shift, (2, -1)) * sigma, xp.reshape(height, (-1,))


def _centroid(windows, xp):
    """Centre of mass of the highest cell and its neighbours: inside Newton's reach of the peak.

    The highest cell's own centre is not, where sigma is less than a cell.
    """
    reach = windows.shape[0] // 2
    mass = xp.maximum(windows[reach - 1 : reach + 2, reach - 1 : reach + 2], 0.0)
    return xp.sum(xp.multiply(mass, _LEVERS), axis=(1, 2)) / (xp.sum(mass, axis=(0, 1)) + 1e-6)


def _correlate(windows, inside, u, xp):
    """Products with a Gaussian and its first two moments, at distances `u` in sigmas.

    Gives those with the window, (9, 1, 1, 1, n) by order in y and then in x, and the three with the
    Gaussian itself along x and along y, a list of three of shape (2, 1, 1, 1, n).
    """
    gaussian = xp.exp(u * u * -0.5) * inside
    first = u * gaussian
    profile = xp.concatenate([gaussian, first, u * first], axis=1)  # (2, 3, 1, size, n)
    along_x, along_y = xp.split(profile, 2, axis=0)
    across = xp.sum(windows * along_x, axis=3)  # (1, 3, size, n)
    correlation = xp.sum(along_y[0] * across, axis=2)
    norms = xp.split(xp.sum(profile * gaussian, axis=3, keepdims=True), 3, axis=1)
    return xp.reshape(correlation, (9, 1, 1, 1, -1)), norms


def _newton_step(correlation, norms, xp):
    """Step towards the maximum of log(correlation) - log(norm) / 2 in x and in y, in sigmas.

    The logs' derivatives are means and variances of the distance under two weights: window times
    Gaussian, and Gaussian squared.
    """
    relative = correlation / xp.maximum(xp.take(correlation, _FIRST, axis=0), 1e-6)
    whole, mean, square, product = (xp.take(relative, rows, axis=0) for rows in _MOMENTS)
    norm, norm_first, norm_second = norms
    norm_mean = norm_first / norm
    slope = mean - norm_mean
    # `whole` is 1 but where a window is darker than nothing, in which no peak can be found.
    bend = (square - mean * mean) - 2 * (norm_second / norm - norm_mean * norm_mean) + (1 - whole)
    twist = product - xp.prod(mean, axis=0)
    determinant = xp.prod(bend, axis=0) - twist * twist
    # Far from a Gaussian the surface may not bend down; there the bend of a perfect one serves.
    downwards = xp.logical_and(
        xp.take(bend, _FIRST, axis=0) < 0.2 * _PERFECT, determinant > 0.04 * _PERFECT**2
    )
    determinant = xp.where(downwards, determinant, _PERFECT**2)
    other_slope, other_bend = (xp.take(value, _SWAPPED, axis=0) for value in (slope, bend))
    step = (twist * other_slope - other_bend * slope) / determinant
    return xp.where(downwards, step, slope * (-1 / _PERFECT))


def _in_pixels(x, y, height, stride, xp):
    shift = (stride - 1) / 2
    return xp.stack([x * stride + shift, y * stride + shift, xp.clip(height, 0.0, 1.0)], axis=-1)
