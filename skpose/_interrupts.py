"""Ctrl-C, and what asks a process to end, at places where nothing is half done."""

from contextlib import contextmanager
import signal
import threading

__all__ = ["interrupts_held"]


@contextmanager
def interrupts_held():
    """Hold interrupts back until the function that is given is called, or the block ends.

    Python raises KeyboardInterrupt wherever it happens to be. Inside TensorFlow that may leave the
    scope of a device open, which gives another error, or damage memory. An interrupt that is sent
    again does not wait. Signals with a handler of the user's own, and other threads than the main
    one, are left as they are.
    """
    held, before = [], {}

    def note(number, frame):
        if held:
            signal.default_int_handler(number, frame)
        held.append(number)

    def check():
        if held:
            raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is signal.default_int_handler:
                before[number] = signal.signal(number, note)
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    check()
