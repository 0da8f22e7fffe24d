"""Tells a person how long work goes on: a bar on a screen, lines now and then in a log."""

from collections import deque
from html import escape
from multiprocessing import parent_process
import sys
import time

import numpy as np

from skpose._lazy_array import LazyArray

__all__ = ["CountedImages", "Progress", "format_duration"]

_WINDOW = 30.0  # seconds over which the speed is taken, or two steps where these take longer


class Progress:
    """What is done, and the time that is left.

    Parameters
    ----------
    n_total : float
        How much there is to do, in frames or whatever else.
    label : str
        What stands before the count.
    n_done : float, default=0
        How much was done before.
    unit : str, default=None
        What is counted, to tell how many of it are done in a second. None: that is not told, and
        the first that is done does not count for the time left, as it prepares for the others.
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
        self._n_begun = 0
        self._display = None

    def __enter__(self):
        self._start = time.monotonic()
        self._points = deque()  # (time, n_done) over the window
        if self.unit is not None:
            self._points.append((self._start, self.n_done))
        if self.verbose:
            self._display = _choose_display(self._start, self.interval, wait=self.unit is not None)
        return self

    def advance(self, n=1):
        """Count what is done."""
        n_done = self.n_done + n
        speed = (n_done - self._n_before) / max(time.monotonic() - self._start, 1e-9)
        text = "" if self.unit is None else f"{speed:.0f} {self.unit}/s"
        self.show(n_done, f"{self.label} {n_done}/{self.n_total}", text)

    def begin(self, n):
        """Say that work on some begins, and so that on those before is done."""
        if self._n_begun:
            self.advance(min(self._n_begun, self.n_total - self.n_done))
        self._n_begun = n

    def show(self, n_done, label, text=""):
        """Say how much is done, and something about it."""
        self.n_done = n_done
        if self._display is None:
            return
        left = self._seconds_left(time.monotonic())
        share = min(n_done / self.n_total, 1.0) if self.n_total else 1.0
        told = "" if left is None or share == 1 else f"{format_duration(left)} left"
        self._display.show(share, label, text, told)

    def _seconds_left(self, now):
        points = self._points
        points.append((now, self.n_done))
        while len(points) > 2 and points[1][0] < now - _WINDOW:
            points.popleft()
        seconds, n = now - points[0][0], self.n_done - points[0][1]
        return (self.n_total - self.n_done) * seconds / n if n > 0 else None

    def __exit__(self, *exception):
        if not any(exception):
            self.begin(0)
        if self._display is not None:
            self._display.close()
            self._display = None


def _choose_display(start, interval, *, wait):
    if _is_in_notebook():
        return _NotebookBar()
    # Bars of several processes would fight for the terminal's last line.
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    if is_terminal and parent_process() is None:
        return _Bar()
    return _Lines(start if wait else -float("inf"), interval)


def _is_in_notebook():
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class _Lines:
    """A line on standard error from time to time, and at the end."""

    def __init__(self, last, interval):
        self._last = last
        self._interval = interval
        self._waiting = None

    def show(self, share, label, text, left):
        self._waiting = "  ".join(filter(None, (label, text, left)))
        if time.monotonic() - self._last >= self._interval:
            self.close()

    def close(self):
        if self._waiting is not None:
            print(self._waiting, file=sys.stderr, flush=True)
        self._last, self._waiting = time.monotonic(), None


class _Bar:
    """A bar over the whole width of the terminal."""

    def __init__(self):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.fields[label]}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[left]}", markup=False),
            console=Console(stderr=True),
            expand=True,
        )
        self._task = self._progress.add_task("", total=1.0, label="", left="")
        self._progress.start()

    def show(self, share, label, text, left):
        self._progress.update(self._task, completed=share, label=label, description=text, left=left)

    def close(self):
        self._progress.stop()


class _NotebookBar:
    """A bar below the cell of a notebook, which needs no widgets and stays in the file."""

    _interval = 0.2  # seconds

    def __init__(self):
        from IPython.display import HTML, display

        self._html = HTML
        self._handle = display(HTML(""), display_id=True)
        self._last = -float("inf")
        self._shown = None

    def show(self, share, label, text, left):
        self._shown = f'<progress value="{share:.4f}" max="1"></progress> ' + escape(
            " · ".join(filter(None, (label, text, left)))
        )
        if time.monotonic() - self._last >= self._interval:
            self._update()

    def _update(self):
        self._last = time.monotonic()
        self._handle.update(self._html(self._shown))

    def close(self):
        if self._shown is not None:
            self._update()


class CountedImages(LazyArray):
    """Images that tell how many of them have been read, and are done when others are.

    Parameters
    ----------
    images : array-like of shape (n_samples, height, width, n_channels)
        The images.
    progress : Progress
        Of as many images.
    """

    def __init__(self, images, progress):
        super().__init__(len(images), images.shape[1:], images.dtype)
        self._images = images
        self._progress = progress

    def _read(self, positions):
        self._progress.begin(len(positions))
        return np.asarray(self._images[positions])


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
