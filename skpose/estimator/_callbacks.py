"""What happens between two epochs: the best one is kept, a person is told."""

from collections.abc import Callable, Sequence
from functools import partial
import time
from typing import Any
import warnings

import keras

from skpose._progress import Progress
from skpose._types import PathLike
from skpose.saving import check_model_path

__all__ = ["BestEpoch", "Checkpoint", "FreezeEncoder", "HeedInterrupts", "ShowProgress"]


class BestEpoch(keras.callbacks.Callback):
    """Keeps the weights of the best epoch.

    Parameters
    ----------
    monitor : str
        The entry of the logs to minimise.
    best_so_far : tuple of (int, float), default=None
        The epoch whose weights the network has now, and its value, if training goes on.

    Attributes
    ----------
    epoch : int or None
        The best epoch, from 0.
    value : float
        Its value.
    weights : list of ndarray or None
        Its weights.
    """

    def __init__(self, monitor, best_so_far=None):
        super().__init__()
        self.monitor = monitor
        self.epoch, self.value = best_so_far or (None, float("inf"))
        self.weights = None

    def on_train_begin(self, logs=None):
        if self.epoch is not None:
            self.weights = self.model.network.get_weights()

    def on_epoch_end(self, epoch, logs=None):
        if logs[self.monitor] < self.value:
            self.epoch, self.value = epoch, logs[self.monitor]
            self.weights = self.model.network.get_weights()

    def restore(self, model):
        """Give `model` the weights of the best epoch, if one was finished."""
        if self.weights is not None:
            model.network.set_weights(self.weights)


class FreezeEncoder(keras.callbacks.Callback):
    """Leaves layers as they are for the first epochs.

    Parameters
    ----------
    names : sequence of str
        Names of the layers of the network.
    n_epochs : int
        Number of epochs, counted from the first one of the training.
    """

    def __init__(self, names, n_epochs):
        super().__init__()
        self.names = names
        self.n_epochs = n_epochs

    def on_epoch_begin(self, epoch, logs=None):
        trainable = epoch >= self.n_epochs
        layers = [self.model.network.get_layer(name) for name in self.names]
        if any(layer.trainable != trainable for layer in layers):
            for layer in layers:
                layer.trainable = trainable
            self.model.make_train_function(force=True)

    def thaw(self, model):
        """Make all layers of `model` trainable again, however the training ended."""
        for name in self.names:
            model.network.get_layer(name).trainable = True


class Checkpoint(keras.callbacks.Callback):
    """Saves the estimator while it is fitted, so that a killed process loses little.

    The file is replaced as a whole each time. Resume from it with
    ``skpose.load(path).set_params(warm_start=True).fit(X, y)``.

    Parameters
    ----------
    path : str or path-like
        The model file.
    interval : float, default=60.0
        Least time between two savings in seconds.
    overwrite : bool, default=False
        Whether the file may exist before the training, as when that goes on from it.
    steps : sequence of transformers, default=()
        Fitted steps of a Pipeline before the estimator; the file then holds that Pipeline.

    Raises
    ------
    FileExistsError
        If it exists, and `overwrite` is False.
    FileNotFoundError
        If its folder does not exist.

    Warns
    -----
    UserWarning
        If it cannot be written while the training goes on.

    Examples
    --------
    >>> from skpose import PoseEstimator
    >>> from skpose.estimator import Checkpoint
    >>> estimator = PoseEstimator(callbacks=[Checkpoint("fly.skpose")])
    """

    def __init__(
        self,
        path: PathLike,
        *,
        interval: float = 60.0,
        overwrite: bool = False,
        steps: Sequence[Any] = (),
    ) -> None:
        super().__init__()
        check_model_path(path, overwrite=overwrite)  # before the training, not after a minute of it
        self.path = path
        self.interval = interval
        self.steps = steps
        self._save: Any = None
        self._last: Any = None

    def set_save(self, save: Callable[..., None]) -> None:
        """Take the function that writes the estimator as it is now, behind `steps`, to a path."""
        self._save = partial(save, steps=self.steps) if self.steps else save
        self._last = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if time.monotonic() - self._last < self.interval:
            return
        try:
            self._save(self.path)
        except OSError as error:  # a full disk, say, costs no training
            warnings.warn(
                f"The training goes on, but could not be saved: {error}", UserWarning, stacklevel=2
            )
        self._last = time.monotonic()


class HeedInterrupts(keras.callbacks.Callback):
    """Ends a training that was interrupted between two mini-batches.

    Parameters
    ----------
    check_interrupted : callable
        Raises KeyboardInterrupt if it was.
    """

    def __init__(self, check_interrupted):
        super().__init__()
        self._check_interrupted = check_interrupted

    def on_train_batch_end(self, batch, logs=None):
        self._check_interrupted()

    def on_test_batch_end(self, batch, logs=None):
        self._check_interrupted()

    def on_epoch_end(self, epoch, logs=None):
        self._check_interrupted()


class ShowProgress(keras.callbacks.Callback):
    """Tells a person how the training goes.

    Parameters
    ----------
    n_epochs : int
        The most epochs that there can be in this training.
    """

    def __init__(self, n_epochs):
        super().__init__()
        self._progress = Progress(n_epochs, "epoch")
        self._best = float("inf")

    def on_train_begin(self, logs=None):
        self._progress.__enter__()

    def on_epoch_end(self, epoch, logs=None):
        text = f"training error {logs['keypoint_error']:.2f} px"
        error = logs.get("val_keypoint_error")
        if error is not None:
            self._best = min(self._best, error)
            text += f"  validation error {error:.2f} px (best {self._best:.2f})"
        self._progress.advance(text=text)

    def close(self):
        """Stop the bar, if there is one, however the training ended."""
        self._progress.__exit__()
