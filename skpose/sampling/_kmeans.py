"""Frames that look different: clusters of frames by their pixels."""

from itertools import pairwise, zip_longest
from numbers import Integral
import tempfile
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import IncrementalPCA
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from skpose._types import Images, ImageSize, RandomState
from skpose.base import Interval, check_image_size, check_images, fit_context
from skpose.preprocessing._warp import resize_image
from skpose.sampling._base import FrameSampler

_BYTES_AT_ONCE = 2**25  # of frames that are read at a time
_MOST_CLUSTERS = 100  # of those that nobody asked for
_ROWS_AT_ONCE = 256  # small frames that the PCA sees at a time


class KMeansSampler(FrameSampler):
    """Choose frames that look different: as many from each cluster of similar frames.

    Frames are made small and grey, reduced to their principal components and clustered. Clusters of
    rare frames count as much as those of common ones. Frames that are excluded count as chosen from
    their clusters.

    Parameters
    ----------
    n_frames : int, default=20
        How many to choose.
    n_clusters : int, default=None
        Number of clusters. None: one for each frame that is to be chosen or excluded, at most 100.
        Few clusters keep the choice near to what is common, many seek out what is rare.
    n_components : int, default=50
        Number of principal components.
    image_size : int or tuple of (height, width), default=32
        Size of the small frames in pixels. An int: their longer side; the aspect stays, and no
        frame is made larger. Larger sides see smaller things.
    min_separation : int, default=1
        Least distance of two chosen frames, in frames.
    random_state : int, RandomState or None, default=None
        Determines clusters and choice.

    Attributes
    ----------
    pca_ : IncrementalPCA
        The principal components of the small frames.
    kmeans_ : KMeans
        The clusters in the space of `pca_`.
    labels_ : ndarray of shape (n_samples,)
        The cluster of each frame seen in `fit`.

    Raises
    ------
    ValueError
        By `fit` and by `select`, if a parameter is out of its range or there are no images; by
        `predict`, if small frames have another size than those of the frames in `fit`.

    See Also
    --------
    RandomSampler : Frames by chance.
    ConfidenceSampler : Once there is an estimator: frames that it is in doubt about.

    Notes
    -----
    The frames are read once, in order, and a few megabytes at a time; the small ones are kept in a
    temporary file (``image_size ** 2`` bytes each), and memory holds ``4 * n_components`` bytes for
    each. What differs most between frames is often where the animal is: crop or align it first if
    that is of no interest (`skpose.preprocessing`).

    Pereira et al. drew from 10 clusters. In a video in which the animal mostly rests, so few
    clusters are those of its resting places.

    `select` fits the clusters to the frames that it is given, whatever was fitted before.

    References
    ----------
    Pereira, T. D. et al. Fast animal pose estimation using deep neural networks. Nature Methods 16,
    117-125 (2019).

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.sampling import KMeansSampler
    >>> video = np.zeros((100, 8, 8, 1), dtype=np.uint8)
    >>> video[95:] = 200  # a rare event
    >>> sampler = KMeansSampler(4, n_clusters=2, random_state=0)
    >>> index = sampler.select(video)
    >>> (index >= 95).tolist()
    [False, False, True, True]
    """

    _parameter_constraints: dict = {
        **FrameSampler._parameter_constraints,
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "image_size": [Interval(Integral, 1, None, closed="left"), tuple],
    }

    def __init__(
        self,
        n_frames: int = 20,
        *,
        n_clusters: int | None = None,
        n_components: int = 50,
        image_size: ImageSize = 32,
        min_separation: int = 1,
        random_state: RandomState = None,
    ) -> None:
        self.n_frames = n_frames
        self.n_clusters = n_clusters
        self.n_components = n_components
        self.image_size = image_size
        self.min_separation = min_separation
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Images, y: Any = None) -> Self:
        """Find clusters of similar frames.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            The frames; they may stay on disk.
        y : None
            Ignored.

        Returns
        -------
        self : KMeansSampler
        """
        self._fit(check_images(X), check_random_state(self.random_state), self.n_frames)
        return self

    def predict(self, X: Images) -> NDArray[np.integer]:
        """Return the cluster of each frame.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            Frames of the size of those in `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Numbers from 0.
        """
        check_is_fitted(self)
        X = check_images(X)
        small_size = self._small_size(X)
        if np.prod(small_size) != self.pca_.n_features_in_:
            raise ValueError(
                f"X has frames of {X.shape[1]} x {X.shape[2]} pixels, whose shape differs from "
                "that of the frames in fit."
            )
        labels = [
            self.kmeans_.predict(self.pca_.transform(_as_floats(small)).astype(np.float32))
            for small in _read_small(X, small_size, 0, len(X))
        ]
        return np.concatenate(labels) if labels else np.array([], dtype=np.int32)

    def _rank(self, data, random):
        if data.X is None:
            raise ValueError("KMeansSampler needs images X.")
        self._fit(data.X, random, self.n_frames + len(data.excluded))
        shuffled = random.permutation(data.n_samples)
        n_excluded = np.bincount(self.labels_[data.excluded], minlength=self.kmeans_.n_clusters)
        turns = [
            [None] * n_excluded[c] + shuffled[self.labels_[shuffled] == c].tolist()
            for c in random.permutation(self.kmeans_.n_clusters)
        ]
        return [i for turn in zip_longest(*turns) for i in turn if i is not None]

    def _fit(self, X, random, n_needed):
        if len(X) == 0:
            raise ValueError("X has no frames.")
        n_clusters = min(n_needed, _MOST_CLUSTERS) if self.n_clusters is None else self.n_clusters
        # Threads gain nothing in matrices of this size, and wait for each other on busy cores.
        with threadpool_limits(1, "blas"):
            components = self._fit_pca(X)
        # Mini-batches would save little time, and often miss clusters of a few frames.
        n_clusters = min(n_clusters, len(np.unique(components, axis=0)))
        self.kmeans_ = KMeans(n_clusters, n_init=3, random_state=random).fit(components)
        self.labels_ = self.kmeans_.labels_

    def _fit_pca(self, X):
        """Fit the PCA, and give the principal components of each frame."""
        n_samples, small_size = len(X), self._small_size(X)
        n_pixels = int(np.prod(small_size))
        bounds = np.linspace(0, n_samples, max(1, n_samples // _ROWS_AT_ONCE) + 1).astype(int)
        self.pca_ = IncrementalPCA(min(self.n_components, n_samples, n_pixels))
        components = np.empty((n_samples, self.pca_.n_components), dtype=np.float32)
        with tempfile.TemporaryFile() as file:
            for start, stop in pairwise(bounds):
                small = np.concatenate(list(_read_small(X, small_size, start, stop)))
                with np.errstate(invalid="ignore"):  # frames that are all the same
                    self.pca_.partial_fit(_as_floats(small))
                file.write(small.tobytes())
            file.seek(0)
            for start, stop in pairwise(bounds):
                small = np.frombuffer(file.read((stop - start) * n_pixels), dtype=np.uint8)
                floats = _as_floats(small.reshape(-1, n_pixels))
                components[start:stop] = self.pca_.transform(floats)
        return components

    def _small_size(self, X):
        if isinstance(self.image_size, tuple):
            return check_image_size(self.image_size)
        sides = np.array(X.shape[1:3])
        factor = min(1, self.image_size / sides.max())
        return tuple(int(n) for n in np.maximum(1, np.rint(sides * factor)))


def _read_small(X, small_size, start, stop):
    """Read frames part by part, and give them small and grey, (n_frames, n_pixels) of uint8."""
    n_at_once = max(1, _BYTES_AT_ONCE // int(np.prod(X.shape[1:])))
    for first in range(start, stop, n_at_once):
        frames = np.asarray(X[first : min(first + n_at_once, stop)])
        small = np.empty((len(frames), *small_size, X.shape[3]), dtype=np.uint8)
        for i, frame in enumerate(frames):
            small[i] = resize_image(frame, small_size)
        grey = small[..., 0] if X.shape[3] == 1 else np.rint(small.mean(axis=3)).astype(np.uint8)
        yield grey.reshape(len(frames), -1)


def _as_floats(small):
    return small.astype(np.float32) / 255
