"""Confidence maps to keypoints, on the device."""

from collections.abc import Sequence
from typing import Any

import keras

from skpose.targets._peaks import find_maxima, find_subpixel_maxima

__all__ = ["Maxima", "SubpixelMaxima"]


@keras.saving.register_keras_serializable("skpose")
class Maxima(keras.layers.Layer):
    """The highest cell of each confidence map.

    Input shape: ``(n_samples, n_rows, n_columns, n_maps)``, any number of rows and columns. Output
    shape: ``(n_samples, n_keypoints, 3)``: x and y in pixels of the image, and the map's value,
    cut to 0..1.

    Parameters
    ----------
    downsample_factor : int, default=2
        A cell is ``2 ** downsample_factor`` pixels wide and high.
    n_keypoints : int, default=None
        How many of the maps to search, from the first; None: all.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.layers import Maxima
    >>> maps = np.zeros((1, 8, 8, 1), dtype="float32")
    >>> maps[0, 2, 5] = 0.75
    >>> np.asarray(Maxima(downsample_factor=1)(maps)).tolist()
    [[[10.5, 4.5, 0.75]]]
    """

    def __init__(
        self, *, downsample_factor: int = 2, n_keypoints: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.downsample_factor = downsample_factor
        self.n_keypoints = n_keypoints

    def call(self, maps: Any) -> Any:
        maps = keras.ops.cast(maps[..., : self.n_keypoints], "float32")
        return find_maxima(maps, stride=2**self.downsample_factor, xp=keras.ops)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, ...]:
        n_keypoints = input_shape[3] if self.n_keypoints is None else self.n_keypoints
        return (input_shape[0], n_keypoints, 3)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "downsample_factor": self.downsample_factor,
            "n_keypoints": self.n_keypoints,
        }


@keras.saving.register_keras_serializable("skpose")
class SubpixelMaxima(Maxima):
    """The peak of each confidence map, to a small fraction of a pixel.

    A Gaussian of the maps' width is fitted by least squares to the cells around the highest one.
    In white noise of standard deviation n, the mean error is n cells, which is the least that any
    unbiased method can have.

    Input shape: ``(n_samples, n_rows, n_columns, n_maps)``, any number of rows and columns. Output
    shape: ``(n_samples, n_keypoints, 3)``: x and y in pixels of the image, and the height of the
    fitted Gaussian, cut to 0..1.

    Parameters
    ----------
    sigma : float, default=5.0
        Standard deviation of the maps' Gaussians, in pixels of the image.
    downsample_factor : int, default=2
        A cell is ``2 ** downsample_factor`` pixels wide and high.
    n_keypoints : int, default=None
        How many of the maps to search, from the first; None: all.

    Notes
    -----
    A Gaussian of free height and known width fits best where the correlation with it is greatest,
    divided by its norm inside the window. That is registration with a Gaussian (Guizar-Sicairos et
    al., 2008), as in DeepPoseKit, but the correlation with a Gaussian is separable, so that its
    value and derivatives at any position take two small matrix products, and four Newton steps
    find the optimum.

    References
    ----------
    Guizar-Sicairos, M., Thurman, S. T. & Fienup, J. R. Efficient subpixel image registration
    algorithms. Optics Letters 33, 156-158 (2008).

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.layers import ConfidenceMapDrawing, SubpixelMaxima
    >>> maps = ConfidenceMapDrawing((64, 64))(np.array([[[10.3, 20.7]]], dtype="float32"))
    >>> np.asarray(SubpixelMaxima()(maps)).round(2).tolist()
    [[[10.3..., 20.7..., 1.0]]]
    """

    def __init__(
        self,
        *,
        sigma: float = 5.0,
        downsample_factor: int = 2,
        n_keypoints: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(downsample_factor=downsample_factor, n_keypoints=n_keypoints, **kwargs)
        self.sigma = sigma

    def call(self, maps: Any) -> Any:
        maps = keras.ops.cast(maps[..., : self.n_keypoints], "float32")
        stride = 2**self.downsample_factor
        return find_subpixel_maxima(maps, sigma=self.sigma, stride=stride, xp=keras.ops)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sigma": self.sigma}
