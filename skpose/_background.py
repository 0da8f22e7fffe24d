"""Work that goes on in threads beside the caller's."""

from contextlib import closing, suppress
from queue import Empty, Full, Queue
import threading

from skpose._interrupts import interrupts_held

__all__ = ["Writer", "read_ahead"]

_AHEAD = 4  # items that wait


def read_ahead(items, n_ahead=_AHEAD):
    """Yield the items of a generator, which runs in a thread up to `n_ahead` items ahead."""
    queue, stop, done = Queue(n_ahead), threading.Event(), threading.Event()

    def read():
        try:
            with closing(items):
                for item in items:
                    _put(queue, (item, None), stop)
                    if stop.is_set():
                        return
            _put(queue, (None, None), stop)
        except BaseException as error:
            _put(queue, (None, error), stop)
        finally:
            done.set()

    thread = threading.Thread(target=read, name="skpose-decoder", daemon=True)
    thread.start()
    try:
        while True:
            item, error = _get(queue, done) or (None, None)
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        with interrupts_held():
            stop.set()
            thread.join()


# An interrupt in the middle of a queue's work can leave its lock closed for ever, and whoever waits
# at the other end with it.


def _put(queue, item, stop):
    while not stop.is_set():
        with interrupts_held(), suppress(Full):
            return queue.put(item, timeout=0.1)


def _get(queue, closed):
    """Return the next item; None once the queue is closed and empty."""
    while True:
        with interrupts_held(), suppress(Empty):
            return queue.get(timeout=0.1)
        if closed.is_set():
            return None


class Writer:
    """Calls a function with each item in a thread. Leaving it waits until all are written."""

    def __init__(self, write):
        self._write = write
        self._queue = Queue(_AHEAD)
        self._failed, self._closed = threading.Event(), threading.Event()
        self._error = None
        self._thread = threading.Thread(target=self._run, name="skpose-writer", daemon=True)

    def _run(self):
        try:
            while (item := _get(self._queue, self._closed)) is not None:
                self._write(item)
        except BaseException as error:
            self._error = error
            self._failed.set()

    def put(self, item):
        """Hand an item over; raises what the function raised."""
        _put(self._queue, item, self._failed)
        self._check()

    def _check(self):
        if self._error is not None:
            raise self._error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, error, traceback):
        with interrupts_held():
            self._closed.set()
            self._thread.join()
        if kind is None:
            self._check()
