"""Individuals found by their difference from the background, for users without a tracker."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skpose._background import read_ahead
from skpose._opencv import import_opencv, with_channels
from skpose._types import Images
from skpose.base import ImageInputMixin, Interval, StrOptions, check_images, fit_context
from skpose.individuals._blobs import Blob, find_blobs, match_number
from skpose.preprocessing import ImageBatch
from skpose.video import iterate_batches

if TYPE_CHECKING:
    import pandas as pd

_BAND = 1 << 22  # pixels of the sampled frames that the background is computed from at a time
_N_AT_ONCE = 16  # frames


class BlobDetector(ImageInputMixin, BaseEstimator):
    """Find individuals where a video differs from its background.

    For a camera that stands still, or a ground that is even. The background is the median of some
    frames; the pixels that differ from it hang together in blobs, one for each individual.

    Parameters
    ----------
    n_individuals : int, default=None
        How many individuals each frame has, if that is known. The largest blobs are then taken, and
        the blob of individuals that touch is split. None: every blob is an individual.
    polarity : {"any", "bright", "dark"}, default="any"
        Whether the animals are brighter or darker than the background.
    threshold : float, default=None
        Grey levels by which animals differ at least. None: by Otsu's method from the differences in
        the sampled frames.
    quantile : float, default=0.5
        Quantile of the sampled frames that is the background. The median needs each place to be
        free half of the time; where animals rest for longer, give 0.1 for bright animals, and 0.9
        for dark ones.
    smoothing : float, default=1.0
        Standard deviation of a Gaussian in pixels that smooths the differences first.
    min_area, max_area : float, default=None
        Least and greatest area of a blob in square pixels. None: a quarter of the typical area, and
        no limit. Blobs to be split may be larger.
    n_samples : int, default=50
        Number of frames, evenly spaced, from which background, threshold and typical area are
        computed, and which are held in memory for this.

    Attributes
    ----------
    background_ : ndarray of shape (height, width), uint8
        The background, grey.
    threshold_ : float
        The threshold that was used, in grey levels.
    area_ : float
        Typical area of an individual in square pixels: with `n_individuals`, the median of the area
        that differs, divided by them; else half of the area that differs lies in larger blobs.

    Raises
    ------
    TypeError
        By `fit` and by `detect`, if the frames are an `ImageBatch`, or images of another type.
    ValueError
        By `fit`, if a parameter is out of its range or the video has no frames; by `detect`, if its
        frames have another size than those that `fit` was given.

    See Also
    --------
    track_individuals : Find individuals and follow them.

    Notes
    -----
    A blob's angle is that of its long axis. An axis has two ends, and a single image does not tell
    which is the front: angles are known but for half a turn, and lie from -pi / 2 to pi / 2.
    `resolve_angles` chooses the end that animals move towards.

    A blob is split by fitting a Gaussian to each individual's pixels, from where the individuals
    were in the frame before.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.individuals import BlobDetector
    >>> X = np.zeros((9, 16, 24, 1), dtype=np.uint8)
    >>> for i in range(9):
    ...     X[i, 4:7, 2 * i : 2 * i + 5] = 200
    >>> detections = BlobDetector(smoothing=0).fit(X).detect(X)
    >>> detections[["frame", "x", "y", "area"]].iloc[1].tolist()
    [1.0, 4.0, 5.0, 15.0]
    """

    _parameter_constraints: dict = {
        "n_individuals": [Interval(Integral, 1, None, closed="left"), None],
        "polarity": [StrOptions({"any", "bright", "dark"})],
        "threshold": [Interval(Real, 0, 255, closed="left"), None],
        "quantile": [Interval(Real, 0, 1, closed="both")],
        "smoothing": [Interval(Real, 0, None, closed="left")],
        "min_area": [Interval(Real, 0, None, closed="left"), None],
        "max_area": [Interval(Real, 0, None, closed="neither"), None],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_individuals: int | None = None,
        *,
        polarity: Literal["any", "bright", "dark"] = "any",
        threshold: float | None = None,
        quantile: float = 0.5,
        smoothing: float = 1.0,
        min_area: float | None = None,
        max_area: float | None = None,
        n_samples: int = 50,
    ) -> None:
        self.n_individuals = n_individuals
        self.polarity = polarity
        self.threshold = threshold
        self.quantile = quantile
        self.smoothing = smoothing
        self.min_area = min_area
        self.max_area = max_area
        self.n_samples = n_samples

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Images, y: Any = None) -> Self:
        """Learn the background, and how animals differ from it.

        Parameters
        ----------
        X : array-like of shape (n_frames, height, width, n_channels)
            The video, such as `skpose.video.VideoFrames`.
        y : object, default=None
            Ignored.

        Returns
        -------
        self
        """
        X = _check_video(X)
        if len(X) == 0:
            raise ValueError("X has no frames to find a background in.")
        chosen = np.unique(np.linspace(0, len(X) - 1, min(self.n_samples, len(X))).round())
        sampled = np.stack([_grey(np.asarray(X[int(i)])) for i in chosen])
        self.background_ = _quantile(sampled, self.quantile)
        differences = [self._difference(frame) for frame in sampled]
        self.threshold_ = self.threshold
        if self.threshold is None:
            self.threshold_ = otsu(sum(np.bincount(d.ravel(), minlength=256) for d in differences))
        self.area_ = self._typical_area([d > self.threshold_ for d in differences])
        return self

    def detect(self, X: Images) -> pd.DataFrame:
        """Find the individuals in each frame.

        Parameters
        ----------
        X : array-like of shape (n_frames, height, width, n_channels)
            Frames of the video, or of one with the same background, in order. They are read once,
            a few at a time.

        Returns
        -------
        pandas.DataFrame
            A row for each individual found, with the columns frame, x, y (its centre in pixels),
            angle (of its long axis, radians), area (square pixels) and length (of the long axis,
            pixels).
        """
        import pandas as pd

        rows = []
        blobs: list[Blob] = []
        for i, frame in iterate_frames(self, X):
            blobs = self.find(frame, blobs)
            rows += [(i, *blob.describe()) for blob in blobs]
        columns = ["frame", "x", "y", "angle", "area", "length"]
        return pd.DataFrame(rows, columns=columns).astype({"frame": np.int64})

    def find(self, frame: NDArray[np.uint8], expected: Sequence[Any] = ()) -> list[Blob]:
        """Find the individuals in one frame.

        Parameters
        ----------
        frame : ndarray of shape (height, width, n_channels)
            The image.
        expected : sequence of objects with center and covariance, default=()
            Where individuals should be, such as what was found in the frame before: it is from
            there that the blob of several that touch is split.

        Returns
        -------
        list of Blob
            With ``center``, ``covariance``, ``area`` and ``is_part`` (split off a larger blob).
        """
        mask = self._difference(_grey(frame)) > self.threshold_
        min_area = self.area_ / 4 if self.min_area is None else self.min_area
        max_area = np.inf if self.max_area is None else self.max_area
        blobs = find_blobs(mask, min_area)
        if self.n_individuals is not None:
            blobs = match_number(blobs, self.n_individuals, min_area, expected)
        return [blob for blob in blobs if blob.area <= max_area]

    def _difference(self, frame):
        """Return by how many grey levels a frame differs from the background, uint8."""
        cv2 = import_opencv()
        if self.polarity == "bright":
            difference = cv2.subtract(frame, self.background_)
        elif self.polarity == "dark":
            difference = cv2.subtract(self.background_, frame)
        else:
            difference = cv2.absdiff(frame, self.background_)
        if self.smoothing > 0:
            difference = cv2.GaussianBlur(difference, (0, 0), self.smoothing)
        return difference

    def _typical_area(self, masks):
        if self.n_individuals is not None:
            return float(np.median([mask.sum() for mask in masks]) / self.n_individuals)
        areas = np.sort([blob.area for mask in masks for blob in find_blobs(mask, 1)])
        if len(areas) == 0:
            return 0.0
        return float(areas[np.searchsorted(np.cumsum(areas), areas.sum() / 2)])


def iterate_frames(detector, X):
    """Yield number and image of each frame, once X is a video that the detector can take."""
    check_is_fitted(detector)
    X = _check_video(X)
    size = detector.background_.shape
    if tuple(X.shape[1:3]) != size:
        raise ValueError(
            f"X has frames of {X.shape[1]} x {X.shape[2]} pixels, but the background has "
            f"{size[0]} x {size[1]}. Fit to this video."
        )
    for first, frames in read_ahead(iterate_batches(X, _N_AT_ONCE), n_ahead=1):
        yield from enumerate(frames, start=first)


def _check_video(X):
    if isinstance(X, ImageBatch):
        raise TypeError(
            "X must be the frames of a video as they are, not an ImageBatch: what is found in "
            "crops or resized images would not be in pixels of the video."
        )
    return check_images(X)


def otsu(histogram):
    """Return the grey level that divides a histogram into two parts that vary least in themselves.

    Parameters
    ----------
    histogram : ndarray of shape (256,)
        Number of pixels of each level.

    Returns
    -------
    float
        Levels up to this one are one part, those above it the other.
    """
    levels = np.arange(len(histogram))
    low, total = np.cumsum(histogram), histogram.sum()
    high = total - low
    moment = np.cumsum(histogram * levels)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = moment / low - (moment[-1] - moment) / high
        between = np.where((low > 0) & (high > 0), low * high * gap**2, 0.0)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return float(best.mean())


def _grey(image):
    return np.ascontiguousarray(with_channels(image, 1)[..., 0])


def _quantile(frames, quantile):
    """Return the quantile over frames, a band of rows at a time, so that copies stay small."""
    n_frames, height, width = frames.shape
    n_rows = max(1, _BAND // (n_frames * width))
    result = np.empty((height, width), dtype=np.uint8)
    for start in range(0, height, n_rows):
        band = frames[:, start : start + n_rows]
        result[start : start + n_rows] = np.rint(np.quantile(band, quantile, axis=0))
    return result
