"""Networks that a user built: wrapped, measured and checked."""

import keras

_MOST_TRANSITIONS = 8


def build_custom(network, n_channels, n_outputs):
    """Make a network of a user's function, or wrap a user's network.

    Parameters
    ----------
    network : callable or keras.Model
        ``network(inputs, n_outputs)`` gives the map tensors; or a functional network.
    n_channels : int
        Number of channels of the images.
    n_outputs : int
        Number of maps.

    Returns
    -------
    keras.Model
        Its outputs are a list. It shares its layers with a `network` that is a keras.Model.
    """
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


def find_downsample_factor(model):
    """Tell by which power of two the maps of a network are smaller than its images.

    Parameters
    ----------
    model : keras.Model
        A network that takes images of any size.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If its outputs differ in size or are not 1, 1/2, 1/4, ... of the image.
    """
    size = 2**_MOST_TRANSITIONS
    sides = {side for shape in _output_shapes(model, size) for side in shape[1:3]}
    factors = [k for k in range(_MOST_TRANSITIONS) if sides == {size >> k}]
    if not factors:
        raise ValueError(
            f"The network's outputs for images of {size} x {size} pixels have sides of "
            f"{sorted(sides)} cells. All stages must have one size, 1, 1/2, 1/4, ... of the image."
        )
    return factors[0]


def find_divisor(model, downsample_factor):
    """Tell by which power of two the sides of the images must be divisible.

    Parameters
    ----------
    model : keras.Model
        A network that takes images of any size.
    downsample_factor : int
        Its maps are smaller than images by ``2 ** downsample_factor``.

    Returns
    -------
    int
    """
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
