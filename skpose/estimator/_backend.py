"""The few things that Keras leaves to its backends. The only module that imports one of them."""

import keras
import numpy as np

__all__ = ["compile_prediction", "jit_compile"]


def jit_compile():
    """Whether training steps pay for a compiler: JAX has nothing else; on a CPU, XLA does not."""
    return keras.backend.backend() == "jax"


def compile_prediction(model, function):
    """Compile a function of images for repeated calls, which `Model.predict` is too slow for.

    Parameters
    ----------
    model : keras.Model
        The model that `function` calls. Later changes of its weights are followed.
    function : callable
        Takes a tensor of images, gives a tensor.

    Returns
    -------
    predict : callable
        Takes uint8 images (n_samples, height, width, n_channels), gives an ndarray. Compiled anew
        for each new size of images, and not for a new n_samples.
    """
    makers = {"tensorflow": _compile_tensorflow, "jax": _compile_jax, "torch": _compile_torch}
    return makers[keras.backend.backend()](model, function)


def _compile_tensorflow(model, function):
    import tensorflow as tf

    compiled = {}

    def predict(images):
        size = images.shape[1:]
        if size not in compiled:
            signature = [tf.TensorSpec((None, *size), tf.uint8)]
            compiled[size] = tf.function(function, input_signature=signature)
        return compiled[size](tf.convert_to_tensor(images)).numpy()

    return predict


def _compile_jax(model, function):
    import jax

    @jax.jit
    def run(trainable, non_trainable, images):
        pairs = [
            *zip(model.trainable_variables, trainable, strict=True),
            *zip(model.non_trainable_variables, non_trainable, strict=True),
        ]
        with keras.StatelessScope(state_mapping=pairs):
            return function(images)

    def predict(images):
        # JAX compiles for each n_samples: powers of two keep these few.
        n_samples = len(images)
        padded = 1 << (n_samples - 1).bit_length()
        if padded > n_samples:
            images = np.concatenate([images, np.repeat(images[-1:], padded - n_samples, axis=0)])
        trainable = [variable.value for variable in model.trainable_variables]
        non_trainable = [variable.value for variable in model.non_trainable_variables]
        return np.asarray(run(trainable, non_trainable, images))[:n_samples]

    return predict


def _compile_torch(model, function):
    import torch

    def predict(images):
        with torch.no_grad():
            return keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(images)))

    return predict
