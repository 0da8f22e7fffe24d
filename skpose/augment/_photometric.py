"""Change the pixels of images, and leave them where they are.

All functions work in place, on contiguous uint8. Those for one image take (height, width) or
(height, width, 3). Results are rounded, and cut off at 0 and 255.
"""

from functools import cache
from statistics import NormalDist

import numpy as np

from skpose._opencv import import_opencv
from skpose.augment._geometric import as_planes

_STRENGTHS = (
    "contrast",
    "brightness",
    "blur",
    "sharpen",
    "noise",
    "dropout",
    "block_dropout",
    "block_size",
)
_SHARPENING = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], dtype=np.float32)


def change_pixels(images, rng, policy):
    """Change the pixels of each image by some of the steps, drawn at random.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, n_channels), uint8
        The images; changed in place.
    rng : numpy.random.Generator
        Always advanced by as many numbers before the first step is done, whatever the policy.
    policy : dict
        "p" is the probability of each step; "contrast", "brightness", "blur", "sharpen", "noise",
        "dropout", "block_dropout" and "block_size" are the (low, high) of their strengths.
    """
    n_samples, height, width = images.shape[:3]
    is_done = rng.random((5, n_samples)) < policy["p"]
    is_sharpened = _choose_sharpening(rng.random(n_samples), policy)
    low, high = np.array([policy[name] for name in _STRENGTHS]).T[:, :, None]
    strengths = low + (high - low) * rng.random((len(_STRENGTHS), n_samples))
    sizes = np.maximum(1, np.rint(strengths[-1] * min(height, width))).astype(int)
    for i, image in enumerate(as_planes(images)):
        contrast, brightness, blurring, sharpening, noise, dropout, block_dropout, _ = strengths[
            :, i
        ].tolist()
        contrasts, refocuses, disturbs, drops, covers = is_done[:, i].tolist()
        if contrasts and (contrast != 1 or brightness != 0):
            change_contrast(image, contrast, brightness)
        if refocuses and is_sharpened[i] and sharpening > 0:
            sharpen(image, sharpening)
        elif refocuses and not is_sharpened[i] and blurring > 0:
            blur(image, blurring)
        if disturbs and noise > 0:
            add_noise(image, noise, rng)
        if drops and dropout > 0:
            drop_pixels(image, dropout, rng)
        if covers and block_dropout > 0:
            drop_blocks(image, block_dropout, int(sizes[i]), rng)


def _choose_sharpening(uniform, policy):
    """Whether to sharpen rather than blur: evenly, where both are on."""
    can_blur, can_sharpen = policy["blur"][1] > 0, policy["sharpen"][1] > 0
    return uniform < (0.5 if can_blur and can_sharpen else float(can_sharpen))


def change_contrast(image, factor, shift):
    """Make grey level v ``127.5 + factor * (v - 127.5) + shift``."""
    levels = 127.5 + factor * (np.arange(256) - 127.5) + shift
    table = np.rint(levels).clip(0, 255).astype(np.uint8)
    import_opencv().LUT(image, table, dst=image)


def blur(image, sigma):
    """Blur with a Gaussian of standard deviation `sigma` > 0, in pixels."""
    import_opencv().GaussianBlur(image, (0, 0), sigma, dst=image)


def sharpen(image, amount):
    """Add `amount` times the difference of each pixel to its 8 neighbours, summed over these."""
    kernel = amount * _SHARPENING
    kernel[1, 1] += 1
    import_opencv().filter2D(image, -1, kernel, dst=image)


def add_noise(image, sigma, rng):
    """Add Gaussian noise of standard deviation `sigma`, independent in each pixel and channel."""
    cv2 = import_opencv()
    noise = _standard_normal(rng, image.size).reshape(image.shape)
    cv2.addWeighted(image, 1.0, noise, sigma, 0.0, dst=image, dtype=cv2.CV_8U)


def drop_pixels(image, probability, rng):
    """Give pixels the mean of the image, each with `probability`, independently of the others."""
    height, width = image.shape[:2]
    # Where a Poisson number of darts fall on the pixels, each pixel is hit by a Poisson number of
    # its own, and missed with probability exp(-mean). That is far less to draw than a mask.
    n_darts = rng.poisson(-np.log1p(-probability) * height * width)
    image.reshape(height * width, -1)[rng.integers(0, height * width, n_darts)] = _mean(image)


def drop_blocks(image, probability, size, rng):
    """Give square blocks the mean of the image, so that each pixel is hit with `probability`.

    Blocks, whose sides are `size` pixels, may overlap one another and the edges, so that no place
    is spared.
    """
    height, width = image.shape[:2]
    mean = _mean(image)
    n_rows, n_cols = height + size - 1, width + size - 1  # positions where a block shows
    n_blocks = rng.poisson(-np.log1p(-probability) * n_rows * n_cols / size**2)
    tops = rng.integers(1 - size, height, n_blocks)
    lefts = rng.integers(1 - size, width, n_blocks)
    for top, left in zip(tops.tolist(), lefts.tolist(), strict=True):
        image[max(top, 0) : top + size, max(left, 0) : left + size] = mean


def _mean(image):
    """Return the mean of each channel, which stands out less than black, as a part may be."""
    n_channels = image[0, 0].size
    return np.rint(import_opencv().mean(image)[:n_channels]).astype(np.uint8)


def _standard_normal(rng, n):
    """Draw normal numbers, float32, from 65536 values: five times as fast as the exact ones."""
    words = rng.integers(0, 2**64 - 1, -(-n // 4), dtype=np.uint64, endpoint=True)
    return np.take(_normal_values(), words.view(np.uint16)[:n])


@cache
def _normal_values():
    """Quantiles of the normal distribution, symmetric and of variance 1; the last is 4.3."""
    normal = NormalDist()
    upper = np.array([normal.inv_cdf(0.5 + (i + 0.5) / 65536) for i in range(32768)])
    values = np.concatenate([-upper[::-1], upper])
    return (values / values.std()).astype(np.float32)
