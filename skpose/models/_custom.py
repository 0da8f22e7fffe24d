"""Networks that a user built: wrapped, measured and checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

from skpose.base import Interval
from skpose.models._architecture import Architecture

if TYPE_CHECKING:
    import keras

_MOST_TRANSITIONS = 8


class CustomArchitecture(Architecture):
    """A network of the user's own, made by a function or ready.

    Parameters
    ----------
    network : callable or keras.Model
        A function ``network(inputs, n_outputs)`` that takes a symbolic tensor of images, float in
        0..255 of shape (n, None, None, n_channels), and gives a tensor of maps (n, h / stride,
        w / stride, n_outputs) or a list of such, one for each supervised stage, the last one being
        the prediction. Or a functional `keras.Model` of such inputs and outputs, which must take
        images of any size. Its layers must give their config, so that it can be cloned.
    downsample_factor : int, default=None
        Maps are smaller than images by ``2 ** downsample_factor``; None finds it out.
    divisor : int, default=None
        Number by which the sides of the images must be divisible; None finds it out.
    pretrained : bool or list of str, default=None
        Weights to start from: those that the network came with (True), random ones (False), or its
        own in the layers named and random ones elsewhere. None: True for a `keras.Model`, False
        for a function.
    freeze_encoder : int, default=0
        Number of first epochs in which the layers that start from the network's own weights are not
        trained.

    Raises
    ------
    ValueError
        By `build`, if a parameter is out of its range, a `keras.Model` takes other images, or the
        maps are not as many as asked for, not 1, 1/2, 1/4, ... of the image, or of another size
        than `downsample_factor` says. By `size_divisor`, if the divisor cannot be found out.

    See Also
    --------
    get_architecture : Wraps functions and networks in this class.

    Notes
    -----
    Unset values are inferred by building the network and reading its output shapes for several
    image sizes. That builds the function's network once or twice more; set `downsample_factor` and
    `divisor` to spare it.

    Examples
    --------
    >>> import keras
    >>> from skpose.models import CustomArchitecture
    >>> def tiny(inputs, n_outputs):
    ...     x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(inputs)
    ...     return keras.layers.Conv2D(n_outputs, 1)(x)
    >>> architecture = CustomArchitecture(tiny)
    >>> architecture.default_downsample_factor
    1
    >>> architecture.size_divisor((32, 32, 1))
    2
    """

    _parameter_constraints: dict = {
        "network": [callable],
        "downsample_factor": [Interval(Integral, 0, None, closed="left"), None],
        "divisor": [Interval(Integral, 1, None, closed="left"), None],
        "pretrained": ["boolean", list, tuple, None],
        "freeze_encoder": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        network: Callable[..., Any] | keras.Model,
        *,
        downsample_factor: int | None = None,
        divisor: int | None = None,
        pretrained: bool | Sequence[str] | None = None,
        freeze_encoder: int = 0,
    ) -> None:
        self.network = network
        self.downsample_factor = downsample_factor
        self.divisor = divisor
        self.pretrained = pretrained
        self.freeze_encoder = freeze_encoder

    @property
    def default_downsample_factor(self) -> int:  # type: ignore[override]
        if self.downsample_factor is not None:
            return self.downsample_factor
        return _find_downsample_factor(self._probe())

    @property
    def downsample_factors(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.default_downsample_factor,)

    def _check_downsample_factor(self, downsample_factor):
        # Whether the network agrees shows once it is built.
        return self.default_downsample_factor if downsample_factor is None else downsample_factor

    def encoder_layers(self, model: keras.Model) -> tuple[str, ...]:
        pretrained = self._is_model() if self.pretrained is None else self.pretrained
        if pretrained is True:
            return tuple(layer.name for layer in model.layers if layer.weights)
        return tuple(pretrained or ())

    def _is_model(self):
        import keras

        return isinstance(self.network, keras.Model)

    def _probe(self, n_channels=3):
        """Return the network for as many channels and outputs as it takes, to measure it."""
        if self._is_model():
            return self.network
        return _build_network(self.network, n_channels, 1)

    def _build(self, image_shape, n_outputs, downsample_factor, load_weights):
        model = _build_network(self.network, image_shape[2], n_outputs)
        found = _find_downsample_factor(model)
        if found != downsample_factor:
            raise ValueError(
                f"The network's maps are 1/{2**found} of the image, so downsample_factor must be "
                f"{found}, but it is {downsample_factor}. Change one of the two."
            )
        return model

    def _size_divisor(self, image_shape, downsample_factor):
        if self.divisor is not None:
            return self.divisor
        return _find_divisor(self._probe(image_shape[2]), downsample_factor)


def _build_network(network, n_channels, n_outputs):
    """Make a network of a user's function, or wrap a `keras.Model` and share its layers."""
    import keras

    if isinstance(network, keras.Model):
        _check_model(network, n_channels)
        images, maps = network.inputs[0], network.outputs
    else:
        images = keras.Input((None, None, n_channels), name="images")
        maps = network(images, n_outputs)
        maps = list(maps) if isinstance(maps, (list, tuple)) else [maps]
    for tensor in maps:
        if tensor.shape[-1] != n_outputs:
            raise ValueError(
                f"The network gives {tensor.shape[-1]} maps, but {n_outputs} are needed. Build it "
                "for as many, or give a function (inputs, n_outputs) that does."
            )
    return keras.Model(images, list(maps), name=getattr(network, "name", "custom"))


def _check_model(network, n_channels):
    shape = network.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[1:] != (None, None, n_channels):
        raise ValueError(
            f"The network takes {shape}, but must have one input of shape (None, None, None, "
            f"{n_channels}): images of any size with the data's number of channels."
        )


def _find_downsample_factor(model):
    """Tell by which power of two the maps of a network are smaller than its images."""
    size = 2**_MOST_TRANSITIONS
    sides = {side for shape in _output_shapes(model, size) for side in shape[1:3]}
    factors = [k for k in range(_MOST_TRANSITIONS) if sides == {size >> k}]
    if not factors:
        raise ValueError(
            f"The network's outputs for images of {size} x {size} pixels have sides of "
            f"{sorted(sides)} cells. All stages must have one size, 1, 1/2, 1/4, ... of the image."
        )
    return factors[0]


def _find_divisor(model, downsample_factor):
    """Tell by which power of two the sides of the images must be divisible."""
    for n_transitions in range(downsample_factor, _MOST_TRANSITIONS + 1):
        size = 3 * 2**n_transitions  # an odd multiple, so that one halving more would show
        try:
            shapes = _output_shapes(model, size)
        except ValueError:
            continue
        if all(shape[1:3] == (size >> downsample_factor,) * 2 for shape in shapes):
            return 2**n_transitions
    raise ValueError(
        f"The network takes no images with sides divisible by {2**_MOST_TRANSITIONS}, nor by less. "
        "Give `divisor`, the number by which the sides must be divisible."
    )


def _output_shapes(model, size):
    shapes = model.compute_output_shape((1, size, size, model.input_shape[-1]))
    return shapes if isinstance(shapes, list) else [shapes]
