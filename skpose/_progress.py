"""Tells a person how long work goes on: a bar in a terminal, lines now and then in a log."""

from multiprocessing import parent_process
import sys
import time

__all__ = ["Progress", "format_duration"]

_WINDOW = 30.0  # seconds over which the speed is taken


class Progress:
    """What is done, and the time that is left.

    Parameters
    ----------
    n_total : int
        Number of epochs, frames or whatever is counted.
    label : str
        What stands before the count.
    n_done : int, default=0
        How many were done before.
    unit : str, default=None
        What is counted, to tell how many of it are done in a second. None: that is not told.
    verbose : int, default=1
        0: show nothing.
    interval : float, default=10.0
        Least time in seconds between two lines of a log.
    """

    def __init__(self, n_total, label, *, n_done=0, unit=None, verbose=1, interval=10.0):
        self.n_total = n_total
        self.label = label
        self.n_done = self._n_before = n_done
        self.unit = unit
        self.verbose = verbose
        self.interval = interval
        self._bar = None

    def __enter__(self):
        self._start = time.monotonic()
        self._last_line = -float("inf") if self.unit is None else self._start
        # Bars of several processes would fight for the terminal's last line.
        if self.verbose and sys.stderr.isatty() and parent_process() is None:
            self._start_bar()
        return self

    def _start_bar(self):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.fields[label]} {task.completed}/{task.total}"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            speed_estimate_period=_WINDOW,
        )
        self._task = self._bar.add_task(
            "", total=self.n_total, completed=self.n_done, label=self.label
        )
        self._bar.start()

    def advance(self, n=1, text=""):
        """Count what is done, and say something about it."""
        self.n_done += n
        if not self.verbose:
            return
        now = time.monotonic()
        speed = (self.n_done - self._n_before) / max(now - self._start, 1e-9)
        bound = "at most "  # training may stop early
        if self.unit is not None:
            text, bound = f"{speed:.0f} {self.unit}/s", ""
        if self._bar is not None:
            self._bar.update(self._task, completed=self.n_done, description=text)
        elif now - self._last_line >= self.interval or self.n_done >= self.n_total:
            self._last_line = now
            left = format_duration((self.n_total - self.n_done) / speed)
            line = f"{self.label} {self.n_done}/{self.n_total}  {text}  {bound}{left} left"
            print(line, file=sys.stderr, flush=True)

    def __exit__(self, *exception):
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def format_duration(seconds):
    """Return hours, minutes and seconds as a text.

    Parameters
    ----------
    seconds : float
        The duration.

    Returns
    -------
    str

    Examples
    --------
    >>> from skpose._progress import format_duration
    >>> format_duration(3723)
    '1:02:03'
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
