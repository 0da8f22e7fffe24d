"""What every architecture shares."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING

from sklearn.base import BaseEstimator

from skpose.base import NearestNameMixin

if TYPE_CHECKING:
    import keras


class Architecture(NearestNameMixin, BaseEstimator):
    """Base class of the objects that hold a network's hyperparameters and build it.

    A subclass stores its hyperparameters in ``__init__``, states their ranges in
    ``_parameter_constraints``, and gives `_build` and `_size_divisor`. It is a scikit-learn object:
    `get_params`, `set_params` and `sklearn.base.clone` work, and a search reaches its parameters.

    Attributes
    ----------
    downsample_factors : tuple of int
        Values of `downsample_factor` that the architecture allows: maps are smaller than images by
        ``2 ** downsample_factor``.
    default_downsample_factor : int
        The one to use unless a user chooses another.
    default_subpixel : bool
        Whether keypoints are read from the maps with subpixel precision unless a user chooses.
    freeze_encoder : int
        Number of first epochs in which the layers that `encoder_layers` names are not trained.

    Raises
    ------
    NotImplementedError
        By `build` and by `size_divisor`, if a subclass does not give `_build` and `_size_divisor`.
    ValueError
        By `build` and by `size_divisor`, if a hyperparameter is out of its range or the
        architecture does not allow `downsample_factor`.

    Examples
    --------
    >>> import keras
    >>> from skpose.models import Architecture
    >>> class Plain(Architecture):
    ...     def __init__(self, filters=8):
    ...         self.filters = filters
    ...     def _build(self, image_shape, n_outputs, downsample_factor, load_weights):
    ...         images = keras.Input((None, None, image_shape[2]), name="images")
    ...         stride = 2**downsample_factor
    ...         x = keras.layers.Conv2D(self.filters, 5, strides=stride, padding="same")(images)
    ...         return keras.Model(images, [keras.layers.Conv2D(n_outputs, 1, name="maps_0")(x)])
    ...     def _size_divisor(self, image_shape, downsample_factor):
    ...         return 2**downsample_factor
    >>> Plain().size_divisor((64, 64, 1))
    4
    >>> Plain(filters=4).build((64, 64, 1), n_outputs=3).count_params()
    119
    """

    downsample_factors: tuple[int, ...] = (1, 2, 3)
    default_downsample_factor = 2
    default_subpixel = True
    freeze_encoder = 0

    _parameter_constraints: dict = {}

    def __init__(self) -> None:
        pass

    def build(
        self,
        image_shape: Sequence[int],
        n_outputs: int,
        downsample_factor: int | None = None,
        *,
        load_weights: bool = True,
    ) -> keras.Model:
        """Build the network.

        Parameters
        ----------
        image_shape : tuple of int (height, width, n_channels)
            Shape of the images, in pixels, as they are before padding.
        n_outputs : int
            Number of maps.
        downsample_factor : int, default=None
            Maps are smaller than images by ``2 ** downsample_factor``; None takes
            `default_downsample_factor`.
        load_weights : bool, default=True
            Load the weights of a pretrained encoder. False where all weights are set afterwards,
            as when a fitted network is read from its file.

        Returns
        -------
        keras.Model
            Input: float images in 0..255 of shape (n, h, w, n_channels), any h and w divisible by
            `size_divisor`. Output: a list of tensors, one for each supervised stage, the last one
            being the prediction, each of shape (n, h / stride, w / stride, n_outputs). Keras takes
            a single one out of its list when it calls the network; ``model.outputs`` is a list
            always. The input is named ``images`` and the outputs ``maps_0``, ``maps_1``, ...,
            except in a user's own network.

        Raises
        ------
        ValueError
            If a hyperparameter is out of its range or the architecture does not allow
            `downsample_factor`.
        OSError
            If pretrained weights are neither in Keras's cache nor can be downloaded.
        """
        image_shape, downsample_factor = self.check(image_shape, downsample_factor)
        if not isinstance(n_outputs, Integral) or n_outputs < 1:
            raise ValueError(f"n_outputs must be a positive integer, but is {n_outputs!r}.")
        return self._build(image_shape, int(n_outputs), downsample_factor, load_weights)

    def check(
        self, image_shape: Sequence[int | None], downsample_factor: int | None = None
    ) -> tuple[tuple[int | None, ...], int]:
        """Check the hyperparameters, before anything is built or Keras is loaded.

        Parameters
        ----------
        image_shape, downsample_factor
            As in `build`.

        Returns
        -------
        image_shape : tuple of int
            As given.
        downsample_factor : int
            As given, or the default.

        Raises
        ------
        ValueError
            If one of them is out of its range.
        """
        self._validate_params()
        downsample_factor = self._check_downsample_factor(downsample_factor)
        if len(image_shape) != 3 or image_shape[2] not in (1, 3):
            raise ValueError(
                "image_shape must be (height, width, n_channels) with 1 or 3 channels, but is "
                f"{tuple(image_shape)}."
            )
        return tuple(None if n is None else int(n) for n in image_shape), int(downsample_factor)

    def size_divisor(self, image_shape: Sequence[int], downsample_factor: int | None = None) -> int:
        """Return the number by which the sides of the network's images must be divisible.

        Parameters
        ----------
        image_shape : tuple of int (height, width, n_channels)
            Shape of the images, in pixels, as they are before padding.
        downsample_factor : int, default=None
            As in `build`.

        Returns
        -------
        int
        """
        return self._size_divisor(*self.check(image_shape, downsample_factor))

    def encoder_layers(self, model: keras.Model) -> tuple[str, ...]:
        """Name the layers that come with trained weights.

        `rebuild` copies their weights; the first `freeze_encoder` epochs leave them as they are.

        Parameters
        ----------
        model : keras.Model
            What `build` gave, or a clone of it.

        Returns
        -------
        tuple of str
            For ``model.get_layer``; empty for a network that starts from random weights. A layer
            may be a nested network.
        """
        return ()

    def _build(self, image_shape, n_outputs, downsample_factor, load_weights):
        raise NotImplementedError(f"{type(self).__name__} must define _build.")

    def _size_divisor(self, image_shape, downsample_factor):
        raise NotImplementedError(f"{type(self).__name__} must define _size_divisor.")

    def _check_downsample_factor(self, downsample_factor):
        if downsample_factor is None:
            return self.default_downsample_factor
        if downsample_factor not in self.downsample_factors:
            *most, last = map(str, self.downsample_factors)
            allowed = f"{', '.join(most)} or {last}" if most else last
            raise ValueError(
                f"{type(self).__name__} allows downsample_factor {allowed}, but it is "
                f"{downsample_factor!r}. Choose one of these, or another model."
            )
        return downsample_factor
