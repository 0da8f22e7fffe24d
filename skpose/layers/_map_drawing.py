"""Keypoints to confidence maps, on the device."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from skpose.targets._drawing import draw_maps
from skpose.targets._posture_graph import PostureGraph

__all__ = ["ConfidenceMapDrawing"]


@keras.saving.register_keras_serializable("skpose")
class ConfidenceMapDrawing(keras.layers.Layer):
    """Draws the confidence maps of keypoints.

    Input shape: ``(n_samples, n_keypoints, 2)``, (x, y) in pixels, NaN where not labelled. Output
    shape: ``(n_samples, n_rows, n_columns, n_maps)``. With ``missing="ignore"``, a map that shows
    an unlabelled bodypart is NaN.

    Parameters
    ----------
    image_size : tuple of (height, width)
        Size of the images in pixels.
    sigma : float, default=5.0
        Standard deviation of the Gaussians, in pixels of the image.
    downsample_factor : int, default=2
        A cell is ``2 ** downsample_factor`` pixels wide and high.
    parents : sequence of int, default=None
        Position of each bodypart's parent, -1 for a root; None: no posture graph.
    graph_scale : float, default=0.1
        Height of the posture graph's maps.
    missing : {"ignore", "zero"}, default="ignore"
        Whether maps that show an unlabelled bodypart are NaN, or drawn without it.

    See Also
    --------
    skpose.targets.ConfidenceMaps : The same on the host; what the maps are is written there.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.layers import ConfidenceMapDrawing
    >>> draw = ConfidenceMapDrawing((4, 4), sigma=1.0, downsample_factor=0)
    >>> maps = np.asarray(draw(np.array([[[1.0, 2.0]]], dtype="float32")))
    >>> float(maps[0, 2, 1, 0])
    1.0
    """

    def __init__(
        self,
        image_size: Sequence[int],
        *,
        sigma: float = 5.0,
        downsample_factor: int = 2,
        parents: Sequence[int] | NDArray[np.integer] | None = None,
        graph_scale: float = 0.1,
        missing: Literal["ignore", "zero"] = "ignore",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_size = tuple(int(side) for side in image_size)
        self.sigma = sigma
        self.downsample_factor = downsample_factor
        self.parents = None if parents is None else [int(parent) for parent in parents]
        self.graph_scale = graph_scale
        self.missing = missing
        self._graph = None if parents is None else PostureGraph(self.parents)
        self._stride = 2**downsample_factor
        self._map_size = tuple(-(-side // self._stride) for side in self.image_size)

    def call(self, keypoints: Any) -> Any:
        maps, known = self.draw(keypoints)
        if self.missing == "zero":
            return maps
        return keras.ops.where(known[:, None, None, :] > 0, maps, float("nan"))

    def draw(self, keypoints: Any) -> tuple[Any, Any]:
        """Draw the maps without NaN.

        Parameters
        ----------
        keypoints : tensor of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels, NaN where not labelled.

        Returns
        -------
        maps : tensor of shape (n_samples, n_rows, n_columns, n_maps)
            What is not labelled is not drawn.
        known : tensor of shape (n_samples, n_maps)
            1 where the map counts, else 0.
        """
        maps, known = draw_maps(
            keypoints,
            self._map_size,
            sigma=self.sigma,
            stride=self._stride,
            graph=self._graph,
            graph_scale=self.graph_scale,
            xp=keras.ops,
        )
        return maps, keras.ops.ones_like(known) if self.missing == "zero" else known

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, ...]:
        n_graph = 0 if self._graph is None else self._graph.n_maps
        return (input_shape[0], *self._map_size, input_shape[1] + n_graph)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "sigma": self.sigma,
            "downsample_factor": self.downsample_factor,
            "parents": self.parents,
            "graph_scale": self.graph_scale,
            "missing": self.missing,
        }
