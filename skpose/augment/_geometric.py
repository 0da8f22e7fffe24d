"""Mirror, turn, scale, shear and shift images, with one interpolation each."""

import numpy as np

from skpose._opencv import import_opencv

BORDERS = ("constant", "reflect", "replicate")


def draw_matrices(rng, n_samples, image_size, policy):
    """Draw an affine matrix for each image.

    Mirrors come first, then shear, scale and rotation, all about the middle of the image, then the
    translation.

    Parameters
    ----------
    rng : numpy.random.Generator
        Always advanced by seven numbers an image, whatever the policy.
    n_samples : int
        Number of images.
    image_size : tuple of int
        (height, width) in pixels.
    policy : dict
        "fliplr" and "flipud" are probabilities; "rotation" and "shear" (degrees), "scale" (factor)
        and "translation" (fraction of the width and of the height) are (low, high).

    Returns
    -------
    matrices : ndarray of shape (n_samples, 2, 3)
        Take (x, y) in the image given to (x, y) in the new one, pixel centres at whole numbers.
    is_mirrored : ndarray of bool of shape (n_samples,)
        Whether left has become right: one mirror, not two.
    """
    lr, ud, rotation, shear, scale, across, down = rng.random((7, n_samples))
    size = np.array(image_size[::-1], dtype=np.float64)  # (width, height)
    centre = (size - 1) / 2
    mirrors = np.stack([lr < policy["fliplr"], ud < policy["flipud"]], axis=-1)
    linear = _rotations(_between(rotation, policy["rotation"]))
    linear = linear * _between(scale, policy["scale"])[:, None, None]
    linear = linear @ _shears(_between(shear, policy["shear"]))
    linear = linear * np.where(mirrors, -1.0, 1.0)[:, None, :]
    shift = _between(np.stack([across, down], axis=-1), policy["translation"]) * size
    shift += centre - linear @ centre
    return np.concatenate([linear, shift[:, :, None]], axis=2), mirrors[:, 0] != mirrors[:, 1]


def warp_images(images, matrices, *, border, border_value):
    """Return the images as seen through their matrices.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, n_channels), uint8
        The images; not changed.
    matrices : ndarray of shape (n_samples, 2, 3)
        As `draw_matrices` gives them.
    border : {"constant", "reflect", "replicate"}
        What is seen beyond the edges.
    border_value : int
        The value seen there with "constant".

    Returns
    -------
    ndarray of the same shape and type
        A new array.
    """
    cv2 = import_opencv()
    modes = {
        "constant": cv2.BORDER_CONSTANT,
        "reflect": cv2.BORDER_REFLECT_101,
        "replicate": cv2.BORDER_REPLICATE,
    }
    options = {
        "flags": cv2.INTER_LINEAR,
        "borderMode": modes[border],
        "borderValue": (border_value,) * 4,
    }
    images = np.ascontiguousarray(images)
    warped = np.empty_like(images)
    size = images.shape[2:0:-1]  # (width, height)
    for image, matrix, result in zip(as_planes(images), matrices, as_planes(warped), strict=True):
        cv2.warpAffine(image, matrix, size, dst=result, **options)
    return warped


def as_planes(images):
    """Drop the axis of a single channel, so that OpenCV writes into the array itself."""
    return images[..., 0] if images.shape[-1] == 1 else images


def _between(uniform, bounds):
    low, high = bounds
    return low + (high - low) * uniform


def _rotations(degrees):
    """Matrices that turn clockwise, as seen on an image whose y points down."""
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos, -sin, sin, cos], axis=-1).reshape(-1, 2, 2)


def _shears(degrees):
    """Matrices that shift each row by the tangent of the angle times its distance to the middle."""
    shears = np.tile(np.eye(2), (len(degrees), 1, 1))
    shears[:, 0, 1] = np.tan(np.deg2rad(degrees))
    return shears
