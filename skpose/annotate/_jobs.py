"""Work that takes minutes, in processes of its own: a training, more frames, and then guesses."""

from contextlib import suppress
import json
import os
import shutil
import subprocess
import sys
import tempfile
from threading import Lock, Thread

__all__ = ["Busy", "Jobs"]

COMMAND = (sys.executable, "-P", "-m", "skpose")  # -P: no modules of the current folder
_NICE = 10  # so that labelling stays quick
_BUSY = 0.75  # of its cores, from which load on a machine has other work
_MOST_LOOKED_AT = 3000  # frames of a video, out of which more are chosen
_STOP = 20.0  # seconds in which a training keeps what it has


class Busy(RuntimeError):
    """Something is at work already."""


class Jobs:
    """A training for a set, or more frames of its videos, and then guesses of what is not labelled.

    Parameters
    ----------
    session : LabelSession
        The set.
    context : Context
        Knows its videos.

    Attributes
    ----------
    least_labelled : int
        How many images must be labelled.
    model : pathlib.Path
        The model file, beside the set. What it was before the last training is in
        ``<set>.previous.skpose``.
    about : dict
        What pages are told: ``state`` ("idle", "training", "choosing", "guessing", "done",
        "stopped" or "failed"); ``said``, why it failed; of a training what the last line of its
        report says, with ``error``, in pixels in the images kept back, and ``before``, that of the
        last one.
    """

    least_labelled = 10  # images, with which a training is worth its time

    def __init__(self, session, context):
        self.model = session.path.with_suffix(".skpose")
        self.about = {"state": "idle"}
        self._session, self._context = session, context
        self._lock = Lock()
        self._thread = None
        self._process = None
        self._is_stopped = self._is_closed = False
        self._error = None  # of the training before

    def train(self, minutes):
        """Start a training; guesses follow.

        Parameters
        ----------
        minutes : float
            How long it may take.

        Raises
        ------
        Busy
            If something is at work.
        ReadOnly
            If the set cannot be changed.
        ValueError
            If too little is labelled.
        """
        self._session.check_writable()
        n_labelled = self._session.count_labelled()
        if n_labelled < self.least_labelled:
            raise ValueError(
                f"{n_labelled} images are labelled; a training needs {self.least_labelled} or more."
            )
        self._start("training", lambda: self._train(minutes))

    def suggest(self, n_frames):
        """Start to choose frames of the set's videos, which are added to it; guesses follow.

        Parameters
        ----------
        n_frames : int
            How many.

        Raises
        ------
        Busy
            If something is at work.
        ReadOnly
            If the set cannot be changed.
        ValueError
            If no video of the set is found.
        """
        self._session.check_writable()
        videos = self._context.find_videos()
        if not videos:
            raise ValueError(
                "No video that images of the set were taken from is found beside it; give it to "
                "`skpose label` with the set."
            )
        self._start("choosing", lambda: self._choose(videos, n_frames))

    def _start(self, state, work):
        with self._lock:
            if self._is_closed or self.is_at_work:
                raise Busy("The model is at work already.")
            self._is_stopped = False
            self._tell(state, share=0.0)
            self._thread = Thread(target=self._work, args=(work,), name="skpose-job", daemon=True)
            self._thread.start()

    @property
    def is_at_work(self):
        """bool: whether something has been started that has not ended."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self):
        """End what is at work; a training keeps its best."""
        with self._lock:
            was_stopped, self._is_stopped = self._is_stopped, True
            if self._process is not None and not was_stopped:  # a second one would not be heeded
                self._process.terminate()  # which the command line takes for Ctrl-C

    def close(self):
        """End what is at work and wait for that."""
        with self._lock:
            self._is_closed = True
        self.stop()
        if self._thread is not None:
            self._thread.join(_STOP)
            if self._thread.is_alive() and self._process is not None:
                self._process.kill()
                self._thread.join()

    def _tell(self, state, **more):
        self.about = {"state": state, **more}

    def _work(self, work):
        """Do something, and let the model guess what is not labelled then."""
        try:
            failure = work()
            if failure is None and not self._is_closed:
                failure = self._guess()
        except Exception as error:  # pages are told; the server goes on
            failure = f"{type(error).__name__}: {error}"
        if failure is not None:
            self._tell("failed", said=failure)

    def _guess(self):
        kept = {k: v for k, v in self.about.items() if k not in ("state", "said")}
        self._error = kept.get("error", self._error)
        was_stopped, self._is_stopped = self._is_stopped, False
        failure = None
        if self.model.exists():
            self._tell("guessing", **kept)
            files = [self.model, self._session.path]
            failure = self._run(["initialize", *files, "--stream"], self._take)
        self._tell("stopped" if was_stopped or self._is_stopped else "done", **kept)
        return failure

    def _choose(self, videos, n_frames):
        """Add frames that the model is in doubt about, or that look different without a model."""
        paths = [frames.path for frames in videos]
        step = max(1, max(map(len, videos)) // _MOST_LOOKED_AT)
        command = ["sample", *paths, "-o", self._session.path, "--append", "--n", n_frames]
        command += ["--step", step]
        if self.model.exists():
            command += ["--model", self.model]
        return self._run(command, lambda line: None)

    def _train(self, minutes):
        """Go on with the model that is there, or train another one; return why it failed.

        The model is replaced when all went well; what it was before is kept beside it.
        """
        model = self.model.with_suffix(".training.skpose")
        command = ["train", self._session.path, model, "--minutes", minutes, "--progress", "json"]
        model.unlink(missing_ok=True)
        try:
            failure = None
            goes_on = self.model.exists()
            if goes_on:
                shutil.copyfile(self.model, model)
                failure = self._run([*command, "--resume"], self._hear)
                # What cannot be gone on with, as of other bodyparts, is refused before it begins.
                goes_on = failure is None or self._has_begun
            if not goes_on and not self._is_stopped:
                model.unlink(missing_ok=True)
                failure = self._run(command, self._hear)
            is_of_use = self._has_begun or not self._is_stopped
            if failure is None and is_of_use and model.exists():
                if self.model.exists():
                    self.model.replace(self.model.with_suffix(".previous.skpose"))
                model.replace(self.model)
            return failure
        finally:
            model.unlink(missing_ok=True)

    @property
    def _has_begun(self):
        """Whether an epoch of the training is done."""
        return "epoch" in self.about

    def _run(self, command, hear):
        """Run a command of skpose, hear its lines, and return its last words if it fails."""
        words = [*COMMAND, *map(str, command)]
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
            with self._lock:
                if self._is_stopped or self._is_closed:
                    return None
                process = self._process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    encoding="utf-8",
                    start_new_session=True,  # Ctrl-C is the server's
                )
            with process:
                _give_way(process.pid)
                for line in process.stdout:
                    hear(line)
            with self._lock:
                self._process = None
            if process.returncode == 0 or self._is_stopped:
                return None
            errors.seek(0)
            return (
                _last_words(errors.read()) or f"skpose {command[0]} ended ({process.returncode})."
            )

    def _hear(self, line):
        """Take in a line of a training's report."""
        if line.startswith("{"):
            report = json.loads(line)
            error = report.get("val_keypoint_error")
            names = ("epoch", "share", "minutes", "minutes_left", "n_kept_back")
            told = {name: report[name] for name in names if name in report}
            self._tell("training", **told, error=error, before=self._error)

    def _take(self, line):
        """Write a line of guesses."""
        if line.startswith("{") and not self._is_closed:
            guesses = json.loads(line)
            self._session.guess(guesses["images"], guesses["keypoints"], self.model.name)


def _give_way(pid):
    """Let a process that has just started, and its threads to come, give way to the page.

    On two cores of a Linux machine, niceness alone is felt. Where little else is at work, it works
    only when others rest; beside another program that takes all, it would never get anything done.
    """
    with suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, pid, _NICE)
        if os.getloadavg()[0] < (os.cpu_count() or 1) * _BUSY:
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def _last_words(text):
    """Return the last line that a command has said, without what marks it as an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("Error: ") if lines else ""
