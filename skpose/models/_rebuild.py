"""A network again, with its precision and its random numbers chosen."""

from collections.abc import Collection
from itertools import count

import keras
import numpy as np


def rebuild(
    model: keras.Model,
    *,
    dtype_policy: str = "float32",
    random_state: np.random.Generator,
    pretrained: bool | Collection[str] = False,
) -> keras.Model:
    """Clone a functional network with another precision and reproducible random weights.

    Parameters
    ----------
    model : keras.Model
        A functional network. It is not changed.
    dtype_policy : str, default="float32"
        Policy of the layers, such as "mixed_bfloat16". Layers that scale the images' pixels and
        the one that emits the last output, the prediction, stay float32; the outputs before it only
        guide training.
    random_state : numpy.random.Generator
        Source of the weights. Every initializer and every random layer gets an integer seed of its
        own, so no global generator is read, and equal generators give equal weights.
    pretrained : bool or collection of str, default=False
        Weights to copy from `model` instead: all of them, or those of the layers named.

    Returns
    -------
    keras.Model
        A network of the same inputs, outputs and layer names.

    Raises
    ------
    ValueError
        If `pretrained` names a layer that the network does not have.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from skpose.models import rebuild
    >>> images = keras.Input((None, None, 1))
    >>> model = keras.Model(images, keras.layers.Conv2D(2, 3)(images))
    >>> one, other = (rebuild(model, random_state=np.random.default_rng(0)) for _ in range(2))
    >>> [bool((a == b).all()) for a, b in zip(one.get_weights(), other.get_weights())]
    [True, True]
    >>> copy = rebuild(model, random_state=np.random.default_rng(0), pretrained=True)
    >>> [bool((a == b).all()) for a, b in zip(copy.get_weights(), model.get_weights())]
    [True, True]
    """
    start = int(random_state.integers(2**30))
    seeds = count(start)
    kept = _prediction_names(model) | _scaler_names(model)

    def clone(layer):
        policy = "float32" if layer.name in kept else dtype_policy
        return type(layer).from_config(_revise(layer.get_config(), policy, seeds))

    new = keras.models.clone_model(model, clone_function=clone, recursive=True)
    _copy_weights(model, new, pretrained)
    return new


def _revise(config, policy, seeds):
    if isinstance(config, dict):
        replaced = {"dtype": lambda _: policy, "seed": lambda _: next(seeds)}
        return {
            key: replaced.get(key, lambda value: _revise(value, policy, seeds))(value)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_revise(value, policy, seeds) for value in config)
    return config


def _prediction_names(model):
    """Names of the layers that emit the last output, down to the innermost of nested networks."""
    names = set(model.output_names[-1:])
    for layer in model.layers:  # it may be none of them, but an operation
        if layer.name in names and isinstance(layer, keras.Model):
            names |= _prediction_names(layer)
    return names


def _scaler_names(model):
    scalers = (keras.layers.Normalization, keras.layers.Rescaling)
    return {layer.name for layer in model.layers if isinstance(layer, scalers)}


def _copy_weights(model, new, names):
    if names is True:
        new.set_weights(model.get_weights())
    elif names:
        for name in names:
            new.get_layer(name).set_weights(model.get_layer(name).get_weights())
