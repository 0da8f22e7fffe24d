"""The few things that Keras leaves to its backends. The only module that imports one of them."""

from contextlib import contextmanager, suppress
import logging
import multiprocessing
import os
from threading import Lock

import keras
import numpy as np

from skpose._threads import threads_wanted

__all__ = [
    "avoid_all_reduce",
    "check_process",
    "compile_prediction",
    "convert_to_onnx",
    "expect_compilation",
    "jit_compile",
    "prepare_process",
    "share_machine",
]

_users = set()  # the processes, by their id, that have used the backend, this one or its parent


def jit_compile():
    """Whether training steps pay for a compiler: JAX has nothing else; on a CPU, XLA does not."""
    return keras.backend.backend() == "jax"


def prepare_process():
    """Get a process ready for its first network; raises what `check_process` raises."""
    check_process()
    _users.add(os.getpid())
    share_machine()


def check_process():
    """Check that a network can be used in this process.

    Raises
    ------
    RuntimeError
        If the process was forked from one that had used the backend: it would hang.
    """
    name = keras.backend.backend()
    if _users - {os.getpid()} and name in ("tensorflow", "jax"):
        raise RuntimeError(
            f"This process was forked from one in which {name} is in use, and would hang. Use "
            "joblib's default backend, joblib.parallel_config('loky'), or start processes with "
            "multiprocessing's method 'spawn'."
        )


def share_machine():
    """Make a worker of joblib, Dask or multiprocessing leave room for the others.

    It takes as many threads as ``OMP_NUM_THREADS`` says, which TensorFlow ignores otherwise, and no
    more memory of a GPU than it needs. What the user has set is left as it is, and so is a backend
    that is in use, and a process that is no worker.
    """
    if multiprocessing.parent_process() is None:
        return
    if keras.backend.backend() == "tensorflow":
        _share_with_tensorflow()
    elif keras.backend.backend() == "jax":
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def _share_with_tensorflow():
    import tensorflow as tf

    threading, memory = tf.config.threading, tf.config.experimental
    n_threads = threads_wanted()
    with suppress(RuntimeError):  # TensorFlow is in use
        if n_threads is not None and not threading.get_intra_op_parallelism_threads():
            threading.set_intra_op_parallelism_threads(n_threads)
        if n_threads is not None and not threading.get_inter_op_parallelism_threads():
            threading.set_inter_op_parallelism_threads(n_threads)
    for gpu in tf.config.list_physical_devices("GPU"):
        if memory.get_memory_growth(gpu) is None:
            with suppress(RuntimeError, ValueError):  # in use, or divided by the user
                memory.set_memory_growth(gpu, True)


def avoid_all_reduce(optimizer):
    """Keep the training steps of an optimizer from staying in memory for ever.

    Under TensorFlow, Keras sums gradients over replicas by an operation that has a gradient of its
    own. TensorFlow registers that for the life of the process, and with it the whole graph of the
    step: megabytes for each `fit`. With one replica there is nothing to sum.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        Changed; not used yet.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    strategy = getattr(optimizer, "_distribution_strategy", None)  # TensorFlow's alone
    is_single = strategy is not None and strategy.num_replicas_in_sync == 1
    if is_single and hasattr(optimizer, "_all_reduce_sum_gradients"):
        optimizer._all_reduce_sum_gradients = _sum_over_one_replica


def _sum_over_one_replica(grads_and_vars):
    return grads_and_vars


@contextmanager
def expect_compilation():
    """Keep TensorFlow from warning that functions are compiled often.

    Each estimator of a search has to be compiled. TensorFlow takes their functions for one.
    """
    logger = logging.getLogger("tensorflow")
    logger.addFilter(_is_not_about_retracing)
    try:
        yield
    finally:
        logger.removeFilter(_is_not_about_retracing)


def _is_not_about_retracing(record):
    return "triggered tf.function retracing" not in record.getMessage()


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

    compiled, lock = {}, Lock()

    def compile_for(size):
        with lock, expect_compilation():
            if size not in compiled:
                signature = [tf.TensorSpec((None, *size), tf.uint8)]
                traced = tf.function(function, input_signature=signature, autograph=False)
                compiled[size] = traced.get_concrete_function()

    def predict(images):
        size = images.shape[1:]
        if size not in compiled:
            compile_for(size)
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


def convert_to_onnx(function, image_shape):
    """Give a function of images as an ONNX model.

    Parameters
    ----------
    function : callable
        Takes a tensor of images, gives a tensor.
    image_shape : tuple of (height, width, n_channels)
        Shape of the images; there may be any number of them.

    Returns
    -------
    onnx.ModelProto
        Its input is named ``images``, its output ``keypoints``.

    Raises
    ------
    ImportError
        If tf2onnx is not installed.
    RuntimeError
        If Keras runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"Keras runs on {keras.backend.backend()}, and a model can be exported from TensorFlow "
            "only. Save the estimator, and load and export it in a process with KERAS_BACKEND="
            "tensorflow."
        )
    try:
        import tf2onnx
    except ImportError as error:
        raise ImportError("To export a model needs tf2onnx: pip install 'skpose[onnx]'.") from error
    import tensorflow as tf

    def find_keypoints(images):
        return {"keypoints": function(images)}

    signature = [tf.TensorSpec((None, *image_shape), tf.uint8, name="images")]
    traced = tf.function(find_keypoints, input_signature=signature, autograph=False)
    with expect_compilation():
        model, _ = tf2onnx.convert.from_function(traced, input_signature=signature)
    return model
