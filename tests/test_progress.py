import io
import re
import sys
from types import SimpleNamespace

from helpers import Clock
import numpy as np
import pytest

from skpose import _progress
from skpose._progress import CountedImages, Progress, format_duration
from skpose.datasets import make_poses
from skpose.preprocessing import ImageBatch


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(_progress, "time", clock := Clock())
    return clock


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_duration():
    assert format_duration(3723) == "1:02:03"
    assert format_duration(59.6) == "1:00"


def test_lines_tell_speed_and_time_left(clock, capsys):
    with Progress(100, "video.mp4", n_done=20, unit="frames", interval=0) as progress:
        clock.now += 4
        progress.advance(40)
    assert capsys.readouterr().err == "video.mp4 60/100  10 frames/s  0:04 left\n"


def test_quiet_is_quiet(capsys):
    with Progress(100, "video.mp4", verbose=0, interval=0) as progress:
        progress.advance(40)
        progress.show(50, "half")
    assert capsys.readouterr().err == ""


def test_a_line_every_ten_seconds_and_the_last_one(clock, capsys):
    with Progress(50, "video.mp4", unit="frames") as progress:
        for _ in range(25):
            clock.now += 1
            progress.advance(2)
    lines = capsys.readouterr().err.splitlines()
    counts = [line.split()[1] for line in lines]
    assert counts == ["20/50", "40/50", "50/50"]
    assert "left" in lines[1]
    assert "left" not in lines[2]


def test_the_time_left_is_that_of_the_last_half_minute(clock, capsys):
    with Progress(1000, "n", unit="frames", interval=0) as progress:
        for seconds in [1] * 60 + [0.1] * 400:  # it gets faster
            clock.now += seconds
            progress.advance(1)
    assert capsys.readouterr().err.splitlines()[-1].endswith("0:54 left")


def test_steps_that_take_minutes_have_a_time_left_too(clock, capsys):
    with Progress(10, "n", interval=0) as progress:
        for _ in range(3):
            clock.now += 200
            progress.advance(1)
    first, *others = capsys.readouterr().err.splitlines()
    assert first == "n 1/10"  # what took so long may have been the preparation
    assert [line.split("  ")[-1] for line in others] == ["26:40 left", "23:20 left"]


@pytest.mark.parametrize("n_columns", [80, 120])
def test_a_bar_fits_into_a_line_of_the_terminal(monkeypatch, n_columns):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", str(n_columns))
    with Progress(1.0, "") as progress:
        progress.show(0, "epoch 1/200")
        progress.show(0.5, "epoch 100/200", "error 12.34, kept back 12.34, best 12.34 px")
    last = terminal.getvalue().split("\r")[-1].split("\n")[0]
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", last)
    assert len(plain) <= n_columns
    for part in ("epoch 100/200 ", "━━", " error 12.34, kept back 12.34, best 12.34 px"):
        assert part in plain


def test_a_notebook_has_a_bar_that_stays(monkeypatch, clock, capsys):
    shown = []
    handle = SimpleNamespace(update=shown.append)
    display = SimpleNamespace(HTML=str, display=lambda html, display_id: handle)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    with Progress(4, "<b>", unit="frames") as progress:
        for _ in range(4):
            clock.now += 0.15
            progress.advance(1)
    assert len(shown) == 3  # not more often than can be seen
    assert shown[-1].startswith('<progress value="1.0000" max="1"></progress> &lt;b&gt; 4/4 · ')
    assert capsys.readouterr().err == ""


def test_ipython_in_a_terminal_is_no_notebook(monkeypatch, capsys):
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace())
    )
    with Progress(2, "n", interval=0) as progress:
        progress.advance(2)
    assert capsys.readouterr().err == "n 2/2\n"


def test_images_are_counted_when_they_are_done_with(clock, capsys):
    X, _ = make_poses(10, image_size=16, random_state=0)
    with Progress(10, "n", unit="images", interval=0) as progress:
        images = ImageBatch.wrap(CountedImages(X, progress))
        for start in range(0, 10, 4):
            np.testing.assert_array_equal(np.asarray(images[start : start + 4]), X[start:][:4])
            clock.now += 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[:2] for line in lines] == [
        ["n 4/10", "2 images/s"],
        ["n 8/10", "2 images/s"],
        ["n 10/10", "2 images/s"],
    ]


def test_images_of_a_work_that_failed_are_not_done(capsys):
    X = np.zeros((4, 8, 8, 1), dtype=np.uint8)
    with pytest.raises(MemoryError), Progress(4, "n", interval=0) as progress:  # noqa: PT012
        assert len(CountedImages(X, progress)[:2]) == 2
        raise MemoryError
    assert capsys.readouterr().err == ""
