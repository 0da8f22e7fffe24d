"""Resampling of one image by an affine matrix: no blur where none is needed, no aliases."""

import numpy as np

from skpose._opencv import import_opencv

BORDERS = ("constant", "reflect", "replicate")
_TOLERANCE = 1e-6  # pixels
_ROUNDING = 1e-3  # pixels; float32 is fast, and a coordinate of thousands has an error of 1e-4
_SHRINKS = 0.75  # a turned image that shrinks more than this is averaged before it is interpolated
_DTYPES = tuple(map(np.dtype, ("uint8", "uint16", "float32", "float64")))


def compose(second, first):
    """Return the matrices, of shape (..., 2, 3), that do `first` and then `second`."""
    second, first = np.asarray(second, dtype=np.float64), np.asarray(first, dtype=np.float64)
    linear = second[..., :2] @ first[..., :2]
    shift = second[..., :2] @ first[..., 2:] + second[..., 2:]
    return np.concatenate([linear, shift], axis=-1)


def invert(matrices):
    """Return the matrices, of shape (..., 2, 3), that undo `matrices`."""
    linear = np.linalg.inv(matrices[..., :2])
    return np.concatenate([linear, -linear @ matrices[..., 2:]], axis=-1)


def apply_affine(matrices, points):
    """Move points, of shape (n, k, 2), by the matrices, of shape (n, 2, 3)."""
    return points @ np.swapaxes(matrices[..., :2], -1, -2) + matrices[:, None, :, 2]


def resize_matrix(old_size, new_size):
    """Return the matrix that stretches an image of (height, width) to another size.

    The outer edges of the image stay its edges: ``x' = x * s + (s - 1) / 2``.
    """
    scale = np.array([new_size[1] / old_size[1], new_size[0] / old_size[0]])  # (x, y)
    return np.column_stack([np.diag(scale), (scale - 1) / 2])


def warp_image(image, matrix, image_size, *, border="constant", border_value=0):
    """Return one image as seen through an affine matrix.

    Shifts by whole pixels copy pixels, shrinking averages them, and all else is bilinear.

    Parameters
    ----------
    image : ndarray of shape (height, width, n_channels)
        The image: uint8, uint16, float32 or float64.
    matrix : ndarray of shape (2, 3)
        Takes (x, y) in `image` to (x, y) in the result, pixel centres at whole numbers.
    image_size : tuple of int
        (height, width) of the result.
    border : {"constant", "reflect", "replicate"}, default="constant"
        What is seen beyond the edges of `image`, which lie half a pixel outside its outermost pixel
        centres.
    border_value : int, default=0
        The value beyond the edges with "constant".

    Returns
    -------
    ndarray of shape (image_size[0], image_size[1], n_channels)
    """
    if image.dtype not in _DTYPES:
        dtypes = ", ".join(map(str, _DTYPES))
        raise TypeError(
            f"Images of dtype {image.dtype} cannot be warped; they must be {dtypes}. "
            "Convert them with X.astype('uint8')."
        )
    scale = np.linalg.norm(matrix[:, :2], axis=0)  # pixels of the result per pixel, along (x, y)
    upright = _is_upright(matrix)
    edge = {"border": border, "border_value": border_value}
    box = _whole_box(matrix, image_size) if upright else None
    if box is not None and _is_resize(box, image_size):
        return resize_image(cut_box(image, box, **edge), image_size)
    if box == (0, 0, *image.shape[:2]):
        return resize_image(image, image_size)
    if scale.min() < (1 - _TOLERANCE / max(image.shape[:2]) if upright else _SHRINKS):
        scale = np.minimum(scale, 1)
        if border != "reflect":
            period = _periods(image.shape[:2], scale) if upright else np.ones(2, dtype=int)
            image, matrix = _footprint(image, matrix, image_size, period)
        image, matrix = _shrink(image, matrix, scale)
        box = _whole_box(matrix, image_size) if upright else None
        if box is not None and box[2:] == tuple(image_size):
            return cut_box(image, box, **edge)
    return _interpolate(image, matrix, image_size, **edge)


def resize_image(image, image_size):
    """Stretch one image to (height, width): averages where it shrinks, bilinear where it grows."""
    old_size, new_size = image.shape[:2], tuple(image_size)
    if old_size == new_size:
        return image
    cv2 = import_opencv()
    smaller = (min(old_size[0], new_size[0]), min(old_size[1], new_size[1]))
    result = image
    for size, method in ((smaller, cv2.INTER_AREA), (new_size, cv2.INTER_LINEAR)):
        if result.shape[:2] != size:
            result = cv2.resize(result, size[::-1], interpolation=method)
    return result.reshape(*new_size, image.shape[2])


def cut_box(image, box, *, border="constant", border_value=0):
    """Cut a box of whole pixels from one image; a view if it lies inside.

    Parameters
    ----------
    image : ndarray of shape (height, width, n_channels)
    box : tuple of int
        (top, left, height, width).
    border, border_value
        See `warp_image`.

    Returns
    -------
    ndarray of shape (box[2], box[3], n_channels)
    """
    rows, cols = (np.arange(start, start + n) for start, n in zip(box[:2], box[2:], strict=True))
    height, width = image.shape[:2]
    row_is_in, col_is_in = (rows >= 0) & (rows < height), (cols >= 0) & (cols < width)
    if row_is_in.all() and col_is_in.all():
        return image[box[0] : box[0] + box[2], box[1] : box[1] + box[3]]
    if border != "constant":
        return image[_nearest(rows, height, border)[:, None], _nearest(cols, width, border)]
    result = np.full((*box[2:], image.shape[2]), border_value, dtype=image.dtype)
    inside = image[rows[row_is_in][:, None], cols[col_is_in]]
    result[row_is_in.nonzero()[0][:, None], col_is_in.nonzero()[0]] = inside
    return result


def _nearest(positions, n, border):
    """Return the positions in ``range(n)`` that stand for those beyond the border."""
    if border == "replicate" or n == 1:
        return positions.clip(0, n - 1)
    positions = np.abs(positions) % (2 * n - 2)  # reflect: the outermost pixel is not repeated
    return np.minimum(positions, 2 * n - 2 - positions)


def _is_upright(matrix):
    return matrix[0, 0] > 0 and matrix[1, 1] > 0 and np.abs(matrix[[0, 1], [1, 0]]).max() < 1e-9


def _is_resize(box, image_size):
    """Whether the box has the size of the result or shrinks to it."""
    return box[2] >= image_size[0] and box[3] >= image_size[1]


def _whole_box(matrix, image_size):
    """Return the (top, left, height, width) that an upright matrix shows, or None if not whole."""
    scale = np.diag(matrix[:, :2])
    start = (-0.5 - matrix[:, 2]) / scale + 0.5
    size = np.asarray(image_size[::-1]) / scale
    box = np.array([start[1], start[0], size[1], size[0]])
    whole = np.rint(box)
    if np.abs(box - whole).max() > _TOLERANCE:
        return None
    return tuple(whole.astype(int).tolist())


def _periods(image_size, scale):
    """Return after how many pixels in x and y the grids of an image and its small one meet again.

    A part of so many pixels, or a multiple, shrinks to just what it is in the small image.
    """
    old_size = np.array(image_size[::-1])
    return old_size // np.gcd(old_size, np.maximum(np.rint(old_size * scale).astype(int), 1))


def _footprint(image, matrix, image_size, period):
    """Cut away what the result does not show, by multiples of the period along (x, y).

    Returns the rest and the matrix for it.
    """
    height, width = image_size
    corners = np.array([[-1, -1], [width, -1], [-1, height], [width, height]], dtype=np.float64)
    seen = apply_affine(invert(matrix)[None], corners[None])[0]
    margin = 2 / np.linalg.norm(matrix[:, :2], axis=0).min()
    limit = np.array([image.shape[1], image.shape[0]])
    start = np.floor(seen.min(axis=0) - margin).clip(0, limit - 1).astype(int)
    stop = np.ceil(seen.max(axis=0) + margin).clip(start + 1, limit).astype(int)
    start, stop = start // period * period, np.minimum(-(-stop // period) * period, limit)
    shift = np.column_stack([np.eye(2), start])
    return image[start[1] : stop[1], start[0] : stop[0]], compose(matrix, shift)


def _shrink(image, matrix, scale):
    """Average the image down along (x, y), and give the matrix for the small image."""
    old_size = image.shape[:2]
    new_size = tuple(int(max(1, n)) for n in np.rint(np.array(old_size) * scale[::-1]))
    undo = invert(resize_matrix(old_size, new_size))
    return resize_image(image, new_size), compose(matrix, undo)


def _interpolate(image, matrix, image_size, *, border, border_value):
    cv2 = import_opencv()
    height, width = image_size
    mode = cv2.BORDER_REFLECT_101 if border == "reflect" else cv2.BORDER_REPLICATE
    result = cv2.warpAffine(
        np.ascontiguousarray(image),
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=mode,
    ).reshape(height, width, image.shape[2])
    if border == "constant":
        # An interpolation with the border's value would darken the outermost pixels.
        beyond = _beyond(image.shape[:2], matrix, image_size)
        if beyond is not None:
            np.copyto(result, border_value, where=beyond[..., np.newaxis], casting="unsafe")
    return result


def _beyond(source_size, matrix, image_size):
    """Return the mask of the pixels that show what lies beyond the source's edges, None if none."""
    height, width = image_size
    inverse = invert(matrix)
    cols, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    mask = None
    for (a, b, c), n in zip(inverse, source_size[::-1], strict=True):
        ends = c + np.add.outer([0, a * (width - 1)], [0, b * (height - 1)])
        if ends.min() < -0.5 - _TOLERANCE or ends.max() > n - 0.5 + _TOLERANCE:
            off = np.add.outer(
                rows * np.float32(b) + np.float32(c - (n - 1) / 2), cols * np.float32(a)
            )
            outside = np.abs(off, out=off) > n / 2 + _ROUNDING
            mask = outside if mask is None else mask | outside
    return mask
