from pathlib import Path
import runpy

import matplotlib
import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
SCRIPTS = sorted(EXAMPLES.glob("plot_*.py"))


@pytest.fixture
def pyplot(monkeypatch):
    """pyplot without a screen, without figures before and after."""
    backend = matplotlib.get_backend()
    matplotlib.use("Agg")
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "show", lambda: None)
    pyplot.close("all")
    yield pyplot
    pyplot.close("all")
    matplotlib.use(backend)


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_example_draws_one_figure_and_writes_nothing(script, pyplot, tmp_path, monkeypatch):
    monkeypatch.setenv("SKPOSE_EXAMPLES_FAST", "1")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))
    (number,) = pyplot.get_fignums()
    ax = pyplot.figure(number).axes[0]
    drawn = [image.get_array() for image in ax.images] + [line.get_xydata() for line in ax.lines]
    drawn += [dots.get_offsets() for dots in ax.collections]
    assert drawn
    assert all(np.isfinite(values).all() for values in drawn if np.size(values))
    assert ax.get_xlabel()
    assert ax.get_ylabel() or ax.get_yticklabels()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_example_asks_a_question_and_is_listed(script):
    title = script.read_text().splitlines()[2]
    assert title.endswith("?")
    assert f"`{script.name}`: " in (EXAMPLES / "README.md").read_text()


def test_there_are_examples():
    assert len(SCRIPTS) >= 4
