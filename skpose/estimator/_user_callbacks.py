"""Callbacks for users; without Keras, so that they can be made before it is loaded."""

from collections.abc import Callable
from functools import partial
import json
import math
import sys
import time
from typing import IO, Any, Self
import warnings

from skpose._types import PathLike
from skpose.saving import check_model_path

__all__ = ["Checkpoint", "EpochReport"]


class Checkpoint:
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
    within : callable, default=None
        Takes the estimator as it is now, and returns what the file is to hold, such as a Pipeline
        that ends in it. None: the estimator.

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
        within: Callable[[Any], Any] | None = None,
    ) -> None:
        check_model_path(path, overwrite=overwrite)  # before the training, not after a minute of it
        self.path = path
        self.interval = interval
        self.within = within
        self._save: Any = None
        self._last: Any = None

    def set_save(self, save: Callable[..., None]) -> None:
        """Take the function that writes the estimator as it is now to a path."""
        self._save = save if self.within is None else partial(save, within=self.within)
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


class EpochReport:
    """Writes a line of JSON for each epoch, for programs that start a training.

    A line has ``epoch`` (from 1), ``n_epochs`` (null: as many as there is time for), ``share`` of
    the training that is done (0 to 1), ``minutes``, ``minutes_left``, ``n_kept_back``, the number
    of images that are watched, and what `history_` has of the epoch, such as
    ``val_keypoint_error`` in pixels (null where it is no number).

    Parameters
    ----------
    file : file, default=None
        Where to write. None: standard output.

    Examples
    --------
    >>> from skpose import PoseEstimator
    >>> from skpose.estimator import EpochReport
    >>> estimator = PoseEstimator(callbacks=[EpochReport()])
    """

    def __init__(self, file: IO[str] | None = None) -> None:
        self.file = file
        self._budget: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self)(self.file)  # the same file, which cannot be copied

    def set_training(self, budget: Any, n_kept_back: int) -> None:
        """Take the budget of the training that begins, and how many images are watched."""
        self._budget, self._n_kept_back = budget, n_kept_back
        self._n_done = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        budget, self._n_done = self._budget, self._n_done + 1
        share, minutes = budget.share_used(self._n_done), budget.minutes_used
        line = {
            "epoch": budget.epochs_before + self._n_done,
            "n_epochs": budget.n_epochs,
            "share": round(share, 4),
            "minutes": round(minutes, 3),
            "minutes_left": round(minutes * (1 - share) / share, 3),
            "n_kept_back": self._n_kept_back,
        }
        for name, value in (logs or {}).items():
            line[name] = float(value) if math.isfinite(value) else None
        print(json.dumps(line), file=self.file or sys.stdout, flush=True)
