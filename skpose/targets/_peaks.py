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
    Both are separable, so a Newton step takes two small matrix products. The window never leaves
    the map, and the norm knows what it cuts off, so that peaks at the border are not biased.

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
    i, j = (xp.reshape(index, (-1,)) for index in _coarse_peaks(maps, xp))  # (n_samples * n_maps,)
    reach = max(1, math.ceil(_WINDOW_SIGMAS * sigma / stride))
    row_index = _window(i, n_rows, reach, xp)  # (n_samples * n_maps, window)
    column_index = _window(j, n_columns, reach, xp)
    offset = xp.arange(n_samples, dtype="int32")[:, None] * (n_rows * n_columns * n_maps)
    offset = xp.reshape(offset + xp.arange(n_maps, dtype="int32"), (-1, 1, 1))
    index = (row_index[:, :, None] * n_columns + column_index[:, None, :]) * n_maps + offset
    windows = xp.take(xp.reshape(maps, (-1,)), index)
    row_centres = xp.arange(n_rows, dtype="float32")
    column_centres = xp.arange(n_columns, dtype="float32")
    x, y, height = _fit_gaussians(
        windows,
        (xp.take(column_centres, column_index), xp.take(row_centres, row_index)),
        (xp.take(column_centres, j), xp.take(row_centres, i)),
        sigma / stride,
        xp,
    )
    x, y, height = (xp.reshape(value, (n_samples, n_maps)) for value in (x, y, height))
    x = xp.clip(x, -0.5, xp.max(column_centres) + 0.5)
    y = xp.clip(y, -0.5, xp.max(row_centres) + 0.5)
    return _in_pixels(x, y, height, stride, xp)


def _coarse_peaks(maps, xp):
    """Row and column of the highest cell of each map, each of shape (n_samples, n_maps)."""
    n_samples, n_rows, n_columns, n_maps = maps.shape if xp is np else xp.shape(maps)
    index = xp.argmax(xp.reshape(maps, (n_samples, n_rows * n_columns, n_maps)), axis=1)
    i = index // n_columns
    return i, index - i * n_columns


def _window(centre, n_cells, reach, xp):
    """Indices of the cells around `centre`, moved inwards where they would leave the map."""
    # A static size stays a plain number, which JAX insists on.
    smaller = min if isinstance(n_cells, int) else xp.minimum
    size = smaller(2 * reach + 1, n_cells)
    start = xp.clip(centre - reach, 0, n_cells - size)
    return start[:, None] + xp.arange(size, dtype="int32")[None, :]


def _fit_gaussians(windows, cells, start, sigma, xp):
    """Newton's method on the log of the normalised correlation, from the coarse peaks."""
    x0, y0 = start
    x, y = _centroid(windows, cells, start, xp)
    limit = max(1.0, 1.5 * sigma)  # further from the highest cell it is another peak
    for _ in range(_N_STEPS):
        correlation, norms_x, norms_y = _correlate(windows, cells, x, y, sigma, xp)
        step_x, step_y = _newton_step(correlation, norms_x, norms_y, sigma, xp)
        x = xp.clip(x + xp.clip(step_x, -1.0, 1.0), x0 - limit, x0 + limit)
        y = xp.clip(y + xp.clip(step_y, -1.0, 1.0), y0 - limit, y0 + limit)
    correlation, norms_x, norms_y = _correlate(windows, cells, x, y, sigma, xp)
    return x, y, correlation[:, 0, 0] / (norms_x[0] * norms_y[0])


def _centroid(windows, cells, start, xp):
    """Centre of mass of the highest cell and its neighbours: inside Newton's reach of the peak.

    The highest cell's own centre is not, where sigma is less than a cell.
    """
    near_x, near_y = (
        xp.where(xp.abs(centres - centre[:, None]) < 1.5, xp.ones_like(centres), 0.0)
        for centres, centre in zip(cells, start, strict=True)
    )
    mass = xp.maximum(windows, 0.0) * near_y[:, :, None] * near_x[:, None, :]
    total = xp.sum(mass, axis=(1, 2)) + 1e-6
    x = start[0] + xp.sum(mass * (cells[0] - start[0][:, None])[:, None, :], axis=(1, 2)) / total
    y = start[1] + xp.sum(mass * (cells[1] - start[1][:, None])[:, :, None], axis=(1, 2)) / total
    return x, y


def _correlate(windows, cells, x, y, sigma, xp):
    """Correlations with the Gaussian and its derivatives, (n, 3, 3) by order in y and in x.

    The norms are the sum of the squared profile and its first two derivatives, along each axis.
    """
    profile_x = _profile(cells[0] - x[:, None], sigma, xp)
    profile_y = _profile(cells[1] - y[:, None], sigma, xp)
    correlation = xp.matmul(xp.matmul(profile_y, windows), xp.swapaxes(profile_x, 1, 2))
    return correlation, _norms(profile_x, xp), _norms(profile_y, xp)


def _profile(u, sigma, xp):
    """A Gaussian and its two derivatives by its centre: (n, 3, window)."""
    gaussian = xp.exp(u * u * (-0.5 / sigma**2))
    slope = u * (1 / sigma**2)
    return xp.stack([gaussian, slope * gaussian, (slope * slope - 1 / sigma**2) * gaussian], axis=1)


def _norms(profile, xp):
    gaussian, first, second = profile[:, 0], profile[:, 1], profile[:, 2]
    return (
        xp.sum(gaussian * gaussian, axis=1),
        2 * xp.sum(gaussian * first, axis=1),
        2 * xp.sum(first * first + gaussian * second, axis=1),
    )


def _newton_step(correlation, norms_x, norms_y, sigma, xp):
    value = xp.maximum(correlation[:, 0, 0], 1e-6)
    slope_x, bend_x = _log_derivatives(value, correlation[:, 0, 1], correlation[:, 0, 2], norms_x)
    slope_y, bend_y = _log_derivatives(value, correlation[:, 1, 0], correlation[:, 2, 0], norms_y)
    twist = correlation[:, 1, 1] - correlation[:, 1, 0] * correlation[:, 0, 1] / value
    twist = twist / value
    # Far from a Gaussian the surface may not bend down; there the bend of a perfect one serves.
    perfect = -0.5 / sigma**2
    determinant = bend_x * bend_y - twist * twist
    downwards = xp.logical_and(bend_x < 0.2 * perfect, determinant > 0.04 * perfect**2)
    bend_x = xp.where(downwards, bend_x, perfect)
    bend_y = xp.where(downwards, bend_y, perfect)
    twist = xp.where(downwards, twist, xp.zeros_like(twist))
    determinant = xp.where(downwards, determinant, perfect**2)
    return (
        (twist * slope_y - bend_y * slope_x) / determinant,
        (twist * slope_x - bend_x * slope_y) / determinant,
    )


def _log_derivatives(value, first, second, norms):
    """First and second derivative of log(correlation) - log(norm) / 2 along one axis."""
    slope, norm_slope = first / value, norms[1] / norms[0]
    bend = second / value - slope * slope
    norm_bend = norms[2] / norms[0] - norm_slope * norm_slope
    return slope - norm_slope / 2, bend - norm_bend / 2


def _in_pixels(x, y, height, stride, xp):
    shift = (stride - 1) / 2
    return xp.stack([x * stride + shift, y * stride + shift, xp.clip(height, 0.0, 1.0)], axis=-1)
