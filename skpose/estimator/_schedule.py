"""How the learning rate falls in a training, and how that ends in time."""

from math import cos, pi
from numbers import Real

import keras

from skpose.estimator._backend import heeds_rate_in_epoch

__all__ = ["FallAlongCosine", "StopInTime", "initial_learning_rate"]

_ROUNDING = 1e-4  # of a learning rate
_LEAST = 0.01  # of the learning rate, so that the last steps are not for nothing


class StopInTime(keras.callbacks.Callback):
    """Ends a training at the first step after which its time is over.

    Parameters
    ----------
    budget : Budget
        What it may take.
    """

    def __init__(self, budget):
        super().__init__()
        self.budget = budget

    def on_train_batch_end(self, batch, logs=None):
        if self.budget.is_out_of_time:
            self.model.stop_training = True


class FallAlongCosine(keras.callbacks.Callback):
    """Lowers the learning rate along half a cosine, which ends with the budget.

    It leaves it alone as soon as somebody else has changed it.

    Parameters
    ----------
    budget : Budget
        What the training may take.
    highest : float
        The learning rate at the start.
    n_steps : int
        Steps an epoch.
    first_epoch : int
        Number of epochs that went before.
    """

    def __init__(self, budget, highest, n_steps, first_epoch):
        super().__init__()
        self.budget = budget
        self.highest = highest
        self.n_steps = n_steps
        self.first_epoch = first_epoch

    def on_train_begin(self, logs=None):
        self._last = None
        self._is_overruled = False

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch - self.first_epoch
        self._set(0)

    def on_train_batch_begin(self, batch, logs=None):
        if heeds_rate_in_epoch():
            self._set(batch)

    def _set(self, step):
        optimizer = self.model.optimizer
        now = float(optimizer.learning_rate)
        if self._last is not None and abs(now - self._last) > _ROUNDING * self._last:
            self._is_overruled = True  # another callback has its own schedule
        if self._is_overruled:
            return
        share = self.budget.share_used(self._epoch + step / self.n_steps)
        self._last = self.highest * max((1 + cos(pi * share)) / 2, _LEAST)
        optimizer.learning_rate = self._last

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)

    def on_train_end(self, logs=None):
        if not self._is_overruled:
            self.model.optimizer.learning_rate = self.highest  # what comes next starts anew


def initial_learning_rate(optimizer, learning_rate):
    """Return the learning rate at the start, None where the optimizer has a schedule of its own.

    Parameters
    ----------
    optimizer : str or keras.optimizers.Optimizer
        A name, or an object whose settings count.
    learning_rate : float
        Counts where `optimizer` is a name.

    Returns
    -------
    float or None
    """
    if isinstance(optimizer, str):
        return learning_rate
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales the loss
    rate = optimizer.get_config().get("learning_rate")
    return float(rate) if isinstance(rate, Real) else None
