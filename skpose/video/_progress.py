"""Tells a person how the prediction of a video goes."""

from multiprocessing import parent_process
import os
import sys
import time

from skpose._duration import format_duration

__all__ = ["VideoProgress"]

_WINDOW = 30.0  # seconds over which the speed is taken


class VideoProgress:
    """Frames done, frames a second and the time that is left.

    A terminal shows a bar that moves; a log file gets a line now and then.

    Parameters
    ----------
    n_frames : int
        Number of frames of the video.
    n_done : int, default=0
        How many were done before.
    name : str, default=""
        The video.
    verbose : int, default=1
        0: show nothing.
    interval : float, default=10.0
        Least time in seconds between two lines of a log.
    """

    def __init__(self, n_frames, n_done=0, *, name="", verbose=1, interval=10.0):
        self.n_frames = n_frames
        self.n_done = self._n_before = n_done
        self.name = os.path.basename(name)
        self.verbose = verbose
        self.interval = interval
        self._bar = None

    def __enter__(self):
        self._start = self._last_line = time.monotonic()
        # Bars of several processes would fight for the terminal's last line.
        if self.verbose and sys.stderr.isatty() and parent_process() is None:
            self._start_bar()
        return self

    def _start_bar(self):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.fields[name]}  {task.completed}/{task.total}"),
            BarColumn(),
            TextColumn("{task.fields[speed]:.0f} frames/s"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            speed_estimate_period=_WINDOW,
        )
        options = {"total": self.n_frames, "completed": self.n_done, "name": self.name}
        self._task = self._bar.add_task("", speed=0.0, **options)
        self._bar.start()

    def advance(self, n_frames):
        """Count frames that are done."""
        self.n_done += n_frames
        if not self.verbose:
            return
        now = time.monotonic()
        speed = (self.n_done - self._n_before) / max(now - self._start, 1e-9)
        if self._bar is not None:
            self._bar.update(self._task, completed=self.n_done, speed=speed)
        elif now - self._last_line >= self.interval or self.n_done >= self.n_frames:
            self._last_line = now
            left = format_duration((self.n_frames - self.n_done) / speed)
            line = f"{self.name}  {self.n_done}/{self.n_frames}  {speed:.0f} frames/s  {left} left"
            print(line, file=sys.stderr, flush=True)

    def __exit__(self, kind, error, traceback):
        if self._bar is not None:
            self._bar.stop()
