"""How long a training may go on."""

import time

__all__ = ["Budget"]

_ENDLESS = 10**9  # epochs


class Budget:
    """Epochs and minutes that a training may take; what is used up first ends it.

    The clock runs from here.

    Parameters
    ----------
    n_epochs : int or None
        None: as many as there is time for.
    minutes : float, default=None
        None: as many as the epochs take.
    epochs_before, minutes_before : int and float, default=0
        What this training took before it was interrupted.

    Attributes
    ----------
    n_epochs_left : int
        The most epochs that are still to come.
    """

    def __init__(self, n_epochs, minutes=None, *, epochs_before=0, minutes_before=0.0):
        self.n_epochs = n_epochs
        self.minutes = minutes
        self.epochs_before = epochs_before
        self.n_epochs_left = _ENDLESS if n_epochs is None else n_epochs - epochs_before
        self._start = time.monotonic() - 60 * minutes_before

    @property
    def minutes_used(self):
        """float: minutes, with those before."""
        return (time.monotonic() - self._start) / 60

    @property
    def is_out_of_time(self):
        """bool: whether the minutes are over."""
        return self.minutes is not None and self.minutes_used >= self.minutes

    def share_used(self, n_epochs):
        """Return how much of the training is done, 0 to 1, after so many epochs from here on."""
        shares = [0.0]
        if self.n_epochs is not None:
            shares.append((self.epochs_before + n_epochs) / self.n_epochs)
        if self.minutes is not None:
            shares.append(self.minutes_used / self.minutes)
        return min(max(shares), 1.0)
