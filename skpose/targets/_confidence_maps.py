"""The targets of a network as a transformer."""

from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skpose._types import ImageSize
from skpose.base import (
    ImageInputMixin,
    Interval,
    StrOptions,
    batch_slices,
    check_image_size,
    check_keypoints,
    fit_context,
)
from skpose.skeleton import Skeleton
from skpose.targets._drawing import draw_maps
from skpose.targets._peaks import find_subpixel_maxima
from skpose.targets._posture_graph import PostureGraph

__all__ = ["ConfidenceMaps"]

_BATCH = 32


class ConfidenceMaps(ImageInputMixin, TransformerMixin, BaseEstimator):
    """Confidence maps of keypoints, and the keypoints of confidence maps.

    A map is 1 at its keypoint and falls off as a Gaussian. With a skeleton that has edges, the maps
    of the posture graph follow those of the keypoints: each segment, each limb, the whole graph,
    and the whole graph with all keypoints. They make a network learn how bodyparts hang together,
    and are not used for prediction.

    Parameters
    ----------
    sigma : float, default=5.0
        Standard deviation of the Gaussians, in pixels of the image. At least half a stride.
    downsample_factor : int, default=2
        A cell is ``stride = 2 ** downsample_factor`` pixels wide and high.
    use_graph : bool, default=True
        Draw the posture graph. Without a skeleton, or without edges in it, there is none.
    graph_scale : float, default=0.1
        Height of the graph's maps; keypoints' maps have the height 1. DeepPoseKit's are as high as
        a line blurred by the Gaussian, 0.08 at a sigma of 5.
    missing : {"ignore", "zero"}, default="ignore"
        What becomes of a map that shows a bodypart that is not labelled: "ignore" makes it NaN,
        which does not count in the loss; "zero" leaves that bodypart out of the drawing, as
        DeepPoseKit does, which teaches a network that there is nothing.
    skeleton : Skeleton, default=None
        The skeleton, in the order of the keypoints.
    image_size : int or tuple of (height, width), default=None
        Size of the images in pixels. None: just large enough for all keypoints given to `fit`.

    Attributes
    ----------
    n_keypoints_ : int
        Number of keypoints.
    n_maps_ : int
        Number of maps.
    map_names_ : list of str
        What each map shows.
    image_size_ : tuple of (height, width)
        Size of the images in pixels.
    map_size_ : tuple of (rows, columns)
        Size of the maps in cells. The last ones may reach beyond the image.

    Raises
    ------
    ValueError
        If sigma is too small for the stride, or the skeleton is of another size than `y`.

    See Also
    --------
    skpose.layers.ConfidenceMapDrawing : The same inside a network.

    Notes
    -----
    Cell (i, j) is centred on ``x = stride * j + (stride - 1) / 2``, and likewise ``y`` from i. A
    keypoint's map is ``exp(-d**2 / (2 * sigma**2))`` with the distance d of the cell's centre to
    the keypoint; a segment's map has the exact distance to the segment; limbs and graphs are the
    maximum of what they contain.

    References
    ----------
    Graving, J. M. et al. DeepPoseKit, a software toolkit for fast and robust animal pose estimation
    using deep learning. eLife 8:e47994 (2019).

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.targets import ConfidenceMaps
    >>> y = np.array([[[10.25, 20.5]]])
    >>> targets = ConfidenceMaps(image_size=(32, 32)).fit(y)
    >>> maps = targets.transform(y)
    >>> maps.shape
    (1, 8, 8, 1)
    >>> targets.inverse_transform(maps).round(2)
    array([[[10.25, 20.5 ]]])
    """

    _parameter_constraints = {
        "sigma": [Interval(Real, 0, None, closed="neither")],
        "downsample_factor": [Interval(Integral, 0, 5, closed="both")],
        "use_graph": ["boolean"],
        "graph_scale": [Interval(Real, 0, None, closed="neither")],
        "missing": [StrOptions({"ignore", "zero"})],
        "skeleton": [Skeleton, None],
        "image_size": [Interval(Integral, 1, None, closed="left"), tuple, list, None],
    }

    def __init__(
        self,
        *,
        sigma: float = 5.0,
        downsample_factor: int = 2,
        use_graph: bool = True,
        graph_scale: float = 0.1,
        missing: Literal["ignore", "zero"] = "ignore",
        skeleton: Skeleton | None = None,
        image_size: ImageSize | None = None,
    ) -> None:
        self.sigma = sigma
        self.downsample_factor = downsample_factor
        self.use_graph = use_graph
        self.graph_scale = graph_scale
        self.missing = missing
        self.skeleton = skeleton
        self.image_size = image_size

    @property
    def stride(self) -> int:
        """Pixels a cell."""
        return 2**self.downsample_factor

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, y: ArrayLike, _: Any = None) -> Self:
        """Take the number of keypoints, and the size of the images where it is not given.

        Parameters
        ----------
        y : array-like of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels; NaN: not labelled.
        _ : ignored
            For use in a Pipeline.

        Returns
        -------
        self : ConfidenceMaps
        """
        y = check_keypoints(y)
        if 2 * self.sigma < self.stride:
            raise ValueError(
                f"sigma={self.sigma:g} pixels is too small for maps with a cell every "
                f"{self.stride} pixels (downsample_factor={self.downsample_factor}): a peak could "
                f"fall between the cells. Use sigma >= {self.stride / 2:g}, better {self.stride}, "
                "or a smaller downsample_factor."
            )
        self.n_keypoints_ = y.shape[1]
        graph = self._make_graph()
        self.image_size_ = self._find_image_size(y)
        self.map_size_ = tuple(-(-side // self.stride) for side in self.image_size_)
        self.map_names_ = self._name_maps(graph)
        self.n_maps_ = len(self.map_names_)
        return self

    def _make_graph(self):
        if self.skeleton is None:
            return PostureGraph([-1] * self.n_keypoints_)
        if len(self.skeleton) != self.n_keypoints_:
            raise ValueError(
                f"The skeleton has {len(self.skeleton)} bodyparts, but y has {self.n_keypoints_} "
                "keypoints an image; they must agree in number and order."
            )
        parents = self.skeleton.parents
        return PostureGraph(parents if self.use_graph else [-1] * len(parents))

    def _find_image_size(self, y):
        if self.image_size is not None:
            return check_image_size(self.image_size)
        if np.isnan(y).all():
            raise ValueError("y has no labelled keypoint, so `image_size` must be given.")
        width, height = np.ceil(np.nanmax(y, axis=(0, 1))).astype(int) + 1
        return max(1, int(height)), max(1, int(width))

    def _name_maps(self, graph):
        if self.skeleton is None:
            names = [f"keypoint {i}" for i in range(self.n_keypoints_)]
        else:
            names = list(self.skeleton.names)
        if not graph.n_maps:
            return names
        segments = [
            f"segment {names[parent]} - {names[child]}"
            for parent, child in zip(graph.parents, graph.children, strict=True)
        ]
        limbs = [f"limb {i}" for i in range(graph.n_limbs)]
        return names + segments + limbs + ["graph", "graph and keypoints"]

    def transform(self, y: ArrayLike) -> NDArray[np.float32]:
        """Draw the maps.

        Parameters
        ----------
        y : array-like of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels; NaN: not labelled.

        Returns
        -------
        maps : ndarray of shape (n_samples, n_rows, n_columns, n_maps)
            float32. With ``missing="ignore"``, maps that show an unlabelled bodypart are NaN.
        """
        check_is_fitted(self)
        y = check_keypoints(y, n_keypoints=self.n_keypoints_).astype(np.float32)
        maps = np.empty((len(y), *self.map_size_, self.n_maps_), dtype=np.float32)
        for rows in batch_slices(len(y), _BATCH):
            part, known = draw_maps(
                y[rows],
                self.map_size_,
                sigma=self.sigma,
                stride=self.stride,
                graph=self._make_graph(),
                graph_scale=self.graph_scale,
            )
            if self.missing == "ignore":
                part = np.where(known[:, None, None, :] > 0, part, np.nan)
            maps[rows] = part
        return maps

    def inverse_transform(self, maps: ArrayLike) -> NDArray[np.float64]:
        """Find the keypoints of maps, by a least-squares fit of the Gaussian to each peak.

        Parameters
        ----------
        maps : ndarray of shape (n_samples, n_rows, n_columns, n_maps)
            Confidence maps; those of the graph are not read and may be absent.

        Returns
        -------
        y : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels; NaN where the map is NaN, or the same everywhere, as it is for what is
            not in the image. Any other map has a highest cell, if it is below zero everywhere too.
        """
        check_is_fitted(self)
        maps = np.asarray(maps, dtype=np.float32)
        if maps.ndim != 4 or maps.shape[3] < self.n_keypoints_:
            raise ValueError(
                "maps must have the shape (n_samples, n_rows, n_columns, n_maps) with at least "
                f"{self.n_keypoints_} maps, but the shape is {maps.shape}."
            )
        maps = maps[..., : self.n_keypoints_]
        y = np.empty((len(maps), self.n_keypoints_, 2))
        for rows in batch_slices(len(maps), _BATCH):
            part = np.nan_to_num(maps[rows])
            peaks = find_subpixel_maxima(part, sigma=self.sigma, stride=self.stride)[..., :2]
            is_flat = part.max(axis=(1, 2)) == part.min(axis=(1, 2))
            y[rows] = np.where(is_flat[..., np.newaxis], np.nan, peaks)
        return y
