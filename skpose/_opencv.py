"""OpenCV, imported when it is first used, and what several modules do with it."""

import numpy as np


def import_opencv():
    """Return the module `cv2`.

    Raises
    ------
    ImportError
        If it cannot be imported. The message says what to install.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            f"OpenCV cannot be imported: {error}. On a machine without a display, where libGL is "
            "missing, use the build that does not need it: `pip uninstall opencv-python`, then "
            "`pip install opencv-python-headless`.",
            name="cv2",
        ) from error
    return cv2


def with_channels(images, n_channels):
    """Return images in grey or colour.

    Parameters
    ----------
    images : ndarray of shape (..., height, width, 1 or 3)
        uint8, grey or RGB.
    n_channels : {1, 3}
        1 for grey, 3 for RGB.

    Returns
    -------
    ndarray of shape (..., height, width, n_channels)
        The images themselves where they are so.
    """
    if images.shape[-1] == n_channels:
        return images
    if n_channels == 3:
        return np.repeat(images, 3, axis=-1)
    shape = (*images.shape[:-1], 1)
    if not images.size:
        return np.empty(shape, dtype=images.dtype)
    rows = np.ascontiguousarray(images).reshape(-1, *images.shape[-2:])  # one high image
    cv2 = import_opencv()
    return cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY).reshape(shape)
