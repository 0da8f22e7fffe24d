"""The few things that Keras leaves to its backends. The only module that imports one of them."""

from contextlib import contextmanager, suppress
from inspect import isfunction
import logging
import multiprocessing
import os
from threading import Lock

import keras
import numpy as np

from skpose._threads import threads_wanted
from skpose.estimator._allocator import keep_freed_memory

__all__ = [
    "check_process",
    "compile_prediction",
    "convert_to_onnx",
    "current_graph",
    "expect_compilation",
    "free_memory",
    "heeds_rate_in_epoch",
    "jit_compile",
    "prepare_process",
    "share_machine",
]

# The processes, by their id, that have used the backend, this one or its parent.
_users: set[int] = set()


def jit_compile():
    """Whether training steps pay for a compiler: JAX has nothing else; on a CPU, XLA does not."""
    return keras.backend.backend() == "jax"


def heeds_rate_in_epoch():
    """Whether a learning rate that is set between two steps counts for the next one."""
    return keras.backend.backend() != "jax"  # which knows the rate of the epoch's beginning alone


def prepare_process():
    """Get a process ready for its first network; raises what `check_process` raises."""
    check_process()
    _users.add(os.getpid())
    share_machine()
    keep_freed_memory()


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


def current_graph():
    """Return the graph of TensorFlow that is being traced, None if there is none."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()


def free_memory(graphs):
    """Free what TensorFlow would keep of a training, or of a compilation, for ever.

    Operations with a gradient of their own, as SiLU and the sum of gradients over replicas,
    register it for the life of the process, and with it the whole graph: megabytes for each `fit`.
    And each variable leaves a kernel behind. Nothing that goes on working needs them.

    Parameters
    ----------
    graphs : iterable of tf.Graph
        Graphs that are traced to their end, whose gradients are found.
    """
    if keras.backend.backend() != "tensorflow":
        return
    graphs = set(graphs)
    with suppress(ImportError, AttributeError, KeyError):  # they are not of TensorFlow's public API
        from tensorflow.python.eager import context
        from tensorflow.python.framework import ops

        registered = ops.gradient_registry._registry
        for name in list(registered):
            if name.startswith("CustomGradient-") and graphs & _graphs_in(registered[name]["type"]):
                del registered[name]
        context.context().clear_kernel_cache()


def _graphs_in(function):
    """Return the graphs of the tensors that a function has from where it was defined."""
    graphs, seen, todo = set(), set(), [function]
    while todo:
        thing = todo.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, list | tuple):
            todo += thing
        elif isfunction(thing):
            for cell in thing.__closure__ or ():
                with suppress(ValueError):  # it is empty
                    todo.append(cell.cell_contents)
        else:
            graphs.add(getattr(thing, "graph", None))
    return graphs - {None}


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
                free_memory([compiled[size].graph])

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
    """Return a function of images as an ONNX model.

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

    from skpose.estimator._onnx_graph import simplify

    def find_keypoints(images):
        return {"keypoints": function(images)}

    signature = [tf.TensorSpec((None, *image_shape), tf.uint8, name="images")]
    traced = tf.function(find_keypoints, input_signature=signature, autograph=False)
    with expect_compilation():
        model, _ = tf2onnx.convert.from_function(traced, input_signature=signature)
    simplify(model)
    return model
