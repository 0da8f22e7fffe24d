"""Confidence maps to keypoints, on NumPy arrays or on the tensors of a Keras backend.

`xp` is the namespace that computes: `numpy` on the host, `keras.ops` inside a network.
"""

import math

import numpy as np

__all__ = ["find_maxima", "find_subpixel_maxima"]

# From the centroid, three steps reach the precision of float32, at the border of the image four.
_N_STEPS = 4
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
    shift = _centroid(windows, xp)
    limit = max(1.0, 1.5 * sigma)  # further from the highest cell it is another peak
    for _ in range(_N_STEPS):
        correlation, norms = _correlate(windows, inside, shift, sigma, xp)
        step = _newton_step(correlation, norms, sigma, xp)
        shift = xp.clip(shift + xp.clip(step, -1.0, 1.0), -limit, limit)
    # Before the last step, which is too short to change the height.
    return shift, correlation[0, 0] / (norms[0, 0, 0] * norms[1, 0, 0])


def _centroid(windows, xp):
    """Centre of mass of the highest cell and its neighbours: inside Newton's reach of the peak.

    The highest cell's own centre is not, where sigma is less than a cell.
    """
    reach = windows.shape[0] // 2
    mass = xp.maximum(windows[reach - 1 : reach + 2, reach - 1 : reach + 2], 0.0)
    columns, rows = xp.sum(mass, axis=0), xp.sum(mass, axis=1)  # (3, n)
    moments = xp.stack([columns[2] - columns[0], rows[2] - rows[0]])
    return moments / (xp.sum(rows, axis=0) + 1e-6)


def _correlate(windows, inside, shift, sigma, xp):
    """Products with a Gaussian and its first two derivatives by its centre.

    Gives those with the window, (3, 3, n) by order in y and in x, and those with each other along
    x and along y, (2, 3, 3, n).
    """
    reach = windows.shape[0] // 2
    u = xp.arange(-reach, reach + 1, dtype="float32")[:, None] - shift[:, None]  # (2, size, n)
    gaussian = xp.exp(u * u * (-0.5 / sigma**2)) * inside
    slope = u * (1 / sigma**2)
    first = slope * gaussian
    profile = xp.stack([gaussian, first, slope * first - (1 / sigma**2) * gaussian], axis=1)
    along_x, along_y = profile[0], profile[1]  # (3, size, n)
    across = xp.sum(windows * along_x[:, None], axis=2)
    correlation = xp.sum(along_y[:, None] * across, axis=2)
    return correlation, xp.sum(profile[:, :, None] * profile[:, None], axis=3)


def _newton_step(correlation, norms, sigma, xp):
    """Step towards the maximum of log(correlation) - log(norm) / 2 in x and in y, (2, n)."""
    relative = correlation / xp.maximum(correlation[0, 0], 1e-6)
    first = xp.stack([relative[0, 1], relative[1, 0]])
    second = xp.stack([relative[0, 2], relative[2, 0]])
    norms = norms / norms[:, :1, :1]
    norm_first = norms[:, 0, 1]
    norm_second = norms[:, 1, 1] + norms[:, 0, 2]
    slope = first - norm_first
    bend = second - first * first - norm_second + 2 * norm_first * norm_first
    twist = relative[1, 1] - first[0] * first[1]
    determinant = bend[0] * bend[1] - twist * twist
    # Far from a Gaussian the surface may not bend down; there the bend of a perfect one serves.
    perfect = -0.5 / sigma**2
    downwards = xp.logical_and(bend[0] < 0.2 * perfect, determinant > 0.04 * perfect**2)
    determinant = xp.where(downwards, determinant, perfect**2)
    step = (twist * xp.flip(slope, axis=0) - xp.flip(bend, axis=0) * slope) / determinant
    return xp.where(downwards, step, slope * (-1 / perfect))


def _in_pixels(x, y, height, stride, xp):
    shift = (stride - 1) / 2
    return xp.stack([x * stride + shift, y * stride + shift, xp.clip(height, 0.0, 1.0)], axis=-1)
