"""What happens in a training: the best epoch is kept, a person is told."""

import keras

from skpose._progress import Progress

__all__ = ["BestEpoch", "FreezeEncoder", "HeedInterrupts", "ShowProgress"]

_AVERAGED = 10  # the mean is over this part of the epochs


class BestEpoch(keras.callbacks.Callback):
    """Keeps the weights of the best epoch.

    A few images that are watched have an error that goes up and down from epoch to epoch, and the
    least of hundreds of them is luck. So the mean over a tenth of the epochs up to each is
    compared: with a learning rate that falls to nothing, the last ones are as good as they look.

    Parameters
    ----------
    monitor : str
        The entry of the logs to minimise.
    before : list of float, default=()
        Its values in all epochs before, whatever training they were of.
    start : int, default=0
        The epoch in which this training began.
    epoch : int, default=None
        The best epoch of this training so far, whose weights the network has now, if it goes on.

    Attributes
    ----------
    epoch : int or None
        The best epoch, from 0.
    value : float
        The entry in that epoch.
    weights : list of ndarray or None
        The weights of that epoch.
    """

    def __init__(self, monitor, before=(), *, start=0, epoch=None):
        super().__init__()
        self.monitor = monitor
        self.start = start
        self.epoch = epoch
        self.weights = None
        self._values = list(before)
        self._least = float("inf") if epoch is None else self._mean_until(epoch)

    @property
    def value(self):
        """float: the entry in the best epoch."""
        return float("inf") if self.epoch is None else self._values[self.epoch]

    def _mean_until(self, epoch):
        n = max(1, (epoch + 1 - self.start) // _AVERAGED)
        return sum(self._values[epoch + 1 - n : epoch + 1]) / n

    def on_train_begin(self, logs=None):
        if self.epoch is not None:
            self.weights = self.model.network.get_weights()

    def on_epoch_end(self, epoch, logs=None):
        self._values.append(logs[self.monitor])
        mean = self._mean_until(epoch)
        if mean < self._least:
            self.epoch, self._least = epoch, mean
            self.weights = self.model.network.get_weights()

    def take_last(self):
        """Keep the epoch that was trained last."""
        self.epoch = len(self._values) - 1
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
    budget : Budget
        How long it may take.
    n_steps : int
        Steps an epoch.
    first_epoch : int
        Number of epochs that went before.
    """

    def __init__(self, budget, n_steps, first_epoch):
        super().__init__()
        self._budget = budget
        self._n_steps = n_steps
        self._first_epoch = first_epoch
        self._progress = Progress(1.0, "")
        self._epoch, self._best = 0, float("inf")
        self._text = ""

    def on_train_begin(self, logs=None):
        self._progress.__enter__()
        self._show(0)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch - self._first_epoch

    def on_train_batch_end(self, batch, logs=None):
        self._show(batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        self._text = f"error {logs['keypoint_error']:.2f}"
        error = logs.get("val_keypoint_error")
        if error is not None:
            self._best = min(self._best, error)
            self._text += f", kept back {error:.2f}, best {self._best:.2f}"
        self._text += " px"
        self._show(self._n_steps)

    def _show(self, n_steps):
        before, n_epochs = self._budget.epochs_before, self._budget.n_epochs
        number = before + self._epoch + 1
        label = f"epoch {number}" if n_epochs is None else f"epoch {number}/{n_epochs}"
        share = self._budget.share_used(self._epoch + n_steps / self._n_steps)
        self._progress.show(share, label, self._text)

    def close(self):
        """Stop the bar, if there is one, however the training ended."""
        self._progress.__exit__()
