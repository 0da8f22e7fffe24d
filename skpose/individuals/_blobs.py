"""Blobs of pixels: found, and split where individuals touch."""

from dataclasses import dataclass
from typing import NamedTuple
import warnings

import numpy as np

from skpose._opencv import import_opencv

_PIXEL_VARIANCE = 1 / 12  # of a uniform square of 1 px


class Ellipse(NamedTuple):
    """Where an individual is expected.

    Parameters
    ----------
    center : ndarray of shape (2,)
        (x, y) in pixels.
    covariance : ndarray of shape (2, 2)
        Of the individual's pixels.
    """

    center: np.ndarray
    covariance: np.ndarray


@dataclass
class Blob:
    """Pixels of one individual, or of several that touch.

    Parameters
    ----------
    pixels : ndarray of shape (n_pixels, 2)
        (x, y) of the pixels.
    is_part : bool, default=False
        Whether it was split off a larger blob.
    """

    pixels: np.ndarray
    is_part: bool = False

    @property
    def area(self):
        return len(self.pixels)

    @property
    def center(self):
        return self.pixels.mean(axis=0)

    @property
    def covariance(self):
        around = self.pixels - self.center
        return around.T @ around / len(around) + _PIXEL_VARIANCE * np.eye(2)

    def describe(self):
        """Return (x, y, angle of the long axis, area, length of the long axis)."""
        variances, axes = np.linalg.eigh(self.covariance)
        x, y = axes[:, 1]
        # atan2 of an axis, not of a direction: in [-pi / 2, pi / 2)
        angle = (np.arctan2(y, x) + np.pi / 2) % np.pi - np.pi / 2
        length = 4 * np.sqrt(variances[1])  # of the ellipse with the same moments
        return *self.center.tolist(), float(angle), self.area, float(length)


def find_blobs(mask, min_area):
    """Return the blobs of a mask, the largest first.

    Parameters
    ----------
    mask : ndarray of bool of shape (height, width)
        The pixels that differ from the background. Those that touch at a corner hang together.
    min_area : float
        Smaller ones are left out.

    Returns
    -------
    list of Blob
    """
    cv2 = import_opencv()
    n_labels, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    chosen = [i for i in np.argsort(-areas[1:], kind="stable") + 1 if areas[i] >= min_area]
    blobs = []
    for i in chosen:
        left, top, width, height = stats[i, :4]  # the order of OpenCV's columns
        rows, cols = np.nonzero(labels[top : top + height, left : left + width] == i)
        blobs.append(Blob(np.column_stack([cols + left, rows + top]).astype(np.float64)))
    return blobs


def match_number(blobs, n_individuals, min_area, expected):
    """Return the largest blobs, and split them if there are fewer than individuals.

    Parameters
    ----------
    blobs : list of Blob
        The largest first.
    n_individuals : int
        How many there should be.
    min_area : float
        No part of a blob shall be smaller on average: rather, too few individuals are given.
    expected : list of Ellipse or Blob
        Where the individuals should be.

    Returns
    -------
    list of Blob
        At most `n_individuals`.
    """
    blobs = blobs[:n_individuals]
    if not blobs:
        return blobs
    areas = np.array([blob.area for blob in blobs])
    n_parts = np.ones(len(blobs), dtype=int)
    while n_parts.sum() < n_individuals:
        largest = np.argmax(areas / n_parts)
        if areas[largest] / (n_parts[largest] + 1) < max(min_area, 2):
            break
        n_parts[largest] += 1
    return [
        part
        for blob, n in zip(blobs, n_parts, strict=True)
        for part in ([blob] if n == 1 else split_blob(blob, n, expected))
    ]


def split_blob(blob, n_parts, expected):
    """Split a blob into ellipses.

    Parameters
    ----------
    blob : Blob
        The pixels of several individuals.
    n_parts : int
        How many.
    expected : list of Ellipse or Blob
        Where the individuals should be: the parts are looked for first where those nearest to the
        blob are.

    Returns
    -------
    list of Blob
        As many as asked for, or fewer if parts came out empty.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    start = {}
    if len(expected) >= n_parts:
        gaps = [((blob.pixels - other.center) ** 2).sum(axis=1).min() for other in expected]
        nearest = [expected[i] for i in np.argsort(gaps, kind="stable")[:n_parts]]
        start = {
            "means_init": np.stack([other.center for other in nearest]),
            "precisions_init": np.stack([np.linalg.inv(other.covariance) for other in nearest]),
            "weights_init": np.full(n_parts, 1 / n_parts),
        }
    mixture = GaussianMixture(n_parts, reg_covar=_PIXEL_VARIANCE, tol=1e-2, random_state=0, **start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        parts = mixture.fit_predict(blob.pixels)
    return [
        Blob(blob.pixels[parts == i], is_part=True) for i in range(n_parts) if (parts == i).any()
    ]
