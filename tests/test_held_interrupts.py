from queue import Queue
import signal
import threading

import pytest

from skpose._background import _get
from skpose._interrupts import interrupts_held

numbers = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])


@pytest.fixture(autouse=True)
def handlers():
    """Both signals raise KeyboardInterrupt, as in the command line."""
    before = [signal.signal(n, signal.default_int_handler) for n in (signal.SIGINT, signal.SIGTERM)]
    yield
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
        signal.signal(number, handler)


def work(done, *signals, end=None):
    """Work in two steps, each followed by a question; signals come in the first."""
    with interrupts_held() as check:
        for number in signals:
            signal.raise_signal(number)
            done.append("signal")
        if end is not None:
            raise end
        check()
        done.append("second step")


@numbers
def test_an_interrupt_waits_until_it_is_asked_for(number):
    done = []
    with pytest.raises(KeyboardInterrupt):
        work(done, number)
    assert done == ["signal"]
    assert signal.getsignal(number) is signal.default_int_handler


def test_without_an_interrupt_the_work_is_done():
    done = []
    work(done)
    assert done == ["second step"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_is_heeded_at_the_end_of_the_block():
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        signal.raise_signal(signal.SIGINT)


def test_a_second_interrupt_does_not_wait():
    done = []
    with pytest.raises(KeyboardInterrupt):
        work(done, signal.SIGINT, signal.SIGTERM)
    assert done == ["signal"]


def test_an_error_is_told_though_an_interrupt_is_held():
    with pytest.raises(ValueError, match="wrong"):
        work([], signal.SIGINT, end=ValueError("wrong"))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_outer_of_two_blocks_holds():
    done = []

    def nest():
        with interrupts_held() as check:
            work(done, signal.SIGINT)
            check()
            done.append("outer work")

    with pytest.raises(KeyboardInterrupt):
        nest()
    assert done == ["signal", "second step"]


def test_a_handler_of_the_users_own_is_left():
    seen = []
    signal.signal(signal.SIGTERM, lambda *_: seen.append("seen"))
    with interrupts_held():
        signal.raise_signal(signal.SIGTERM)
        assert seen == ["seen"]


def test_a_thread_changes_no_handler():
    found = []

    def look():
        with interrupts_held() as check:
            check()
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


class Interrupted(Queue):
    """A queue in the middle of whose work an interrupt comes."""

    def get(self, *args, **kwargs):
        with self.mutex:
            signal.raise_signal(signal.SIGINT)
        return super().get(*args, **kwargs)


@pytest.mark.parametrize("items", [[], ["item"]])
def test_an_interrupt_leaves_the_lock_of_a_queue_open(items):
    queue = Interrupted()
    for item in items:
        queue.put(item)
    with pytest.raises(KeyboardInterrupt):
        _get(queue, threading.Event())
    assert queue.mutex.acquire(timeout=1)
