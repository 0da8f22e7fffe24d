import numpy as np
import pytest

from skpose.comparison import ModelComparison
from skpose.plot import ComparisonDisplay


@pytest.fixture
def comparison():
    rng = np.random.default_rng(0)
    draws = {
        "mean": rng.normal([3.0, 1.0, 2.0], [0.2, 0.1, 0.1], (4, 250, 3)),
        "variance": rng.normal([1.0, 9.0, 4.0], 0.1, (4, 250, 3)),
    }
    return ModelComparison(("a", "b", "c"), draws, {}, {})


def test_models_are_sorted_the_best_first(comparison):
    display = ComparisonDisplay(comparison=comparison).plot()
    assert display.order_.tolist() == [1, 2, 0]
    places = display.dots_.get_offsets()
    np.testing.assert_allclose(places[:, 0], [1, 2, 3], atol=0.05)
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["b", "c", "a"]
    assert "least: 100 %" in display.ax_.texts[0].get_text()


def test_the_spread_of_errors_is_drawn_too(comparison):
    display = ComparisonDisplay(comparison=comparison).plot(quantity="deviation")
    np.testing.assert_allclose(display.dots_.get_offsets()[:, 0], [1, 2, 3], atol=0.05)
    assert "deviation" in display.ax_.get_xlabel()


def test_lines_hold_95_percent(comparison):
    display = ComparisonDisplay(comparison=comparison).plot()
    thin = display.ax_.collections[0].get_segments()
    assert thin[0][:, 0] == pytest.approx([1 - 0.196, 1 + 0.196], abs=0.03)


def test_style_is_the_user_s(comparison):
    display = ComparisonDisplay(comparison=comparison).plot(dot_kwargs={"color": "red"})
    assert display.dots_.get_facecolor()[0, :3].tolist() == [1, 0, 0]


def test_other_quantities_are_refused(comparison):
    with pytest.raises(ValueError, match="'mean' or 'deviation'"):
        ComparisonDisplay(comparison=comparison).plot(quantity="median")


@pytest.mark.slow
def test_errors_are_compared_and_drawn():
    rng = np.random.default_rng(0)
    errors = {"small": rng.gamma(2, 2.0, (50, 4)), "large": rng.gamma(2, 1.0, (50, 4))}
    display = ComparisonDisplay.from_errors(errors)
    assert display.comparison.names == ("small", "large")
    assert display.order_.tolist() == [1, 0]
