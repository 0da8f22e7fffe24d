from matplotlib.figure import Figure
import numpy as np
import pytest

from skpose.baseline import MeanPoseRegressor
from skpose.plot import ReliabilityDisplay


@pytest.fixture
def found():
    """Keypoints of which a known share is within 3 px of the label, for each confidence."""
    rng = np.random.default_rng(0)
    confidence = rng.random((2000, 2))
    is_near = rng.random(confidence.shape) < confidence
    y_true = np.zeros((2000, 2, 2))
    y_pred = np.stack([np.where(is_near, 1.0, 30.0), np.zeros(confidence.shape)], axis=2)
    return y_true, y_pred, confidence


def test_confidences_that_are_probabilities_lie_on_the_diagonal(found):
    display = ReliabilityDisplay.from_predictions(*found, within=3)
    np.testing.assert_allclose(display.share, display.confidence, atol=0.06)
    assert display.calibration_error_ < 0.03
    assert display.count.tolist() == [400] * 10
    assert isinstance(display.figure_, Figure)


def test_confidences_that_are_too_high_lie_below(found):
    y_true, y_pred, confidence = found
    display = ReliabilityDisplay.from_predictions(y_true, y_pred, confidence**0.25, within=3)
    assert (display.share < display.confidence).all()
    assert display.calibration_error_ > 0.1


def test_keypoints_without_label_do_not_count(found):
    y_true, y_pred, confidence = found
    y_true[:500] = np.nan
    display = ReliabilityDisplay.from_predictions(y_true, y_pred, confidence, within=3, n_bins=5)
    assert display.count.sum() == 3000


def test_what_is_not_found_is_wrong(found):
    y_true, y_pred, confidence = found
    y_pred[:] = np.nan
    display = ReliabilityDisplay.from_predictions(y_true, y_pred, confidence, within=3)
    assert (display.share == 0).all()


def test_name_and_style_are_drawn(found):
    display = ReliabilityDisplay.from_predictions(
        *found, within=3, name="default", line_kwargs={"c": "red"}
    )
    assert display.line_.get_color() == "red"
    legend = display.ax_.get_legend().get_texts()[0].get_text()
    assert legend.startswith("default: 0.0")


def test_a_distance_and_confidences_are_asked_for():
    X, y = np.zeros((20, 8, 8, 1), np.uint8), np.zeros((20, 1, 2))
    baseline = MeanPoseRegressor().fit(X, y)
    with pytest.raises(ValueError, match="give within"):
        ReliabilityDisplay.from_estimator(baseline, X, y)
    with pytest.raises(ValueError, match="tells no confidence"):
        ReliabilityDisplay.from_estimator(baseline, X, y, within=3)


def test_estimators_that_say_how_near_is_found_are_taken_by_it():
    class Known(MeanPoseRegressor):
        within_ = 5.0

        def predict(self, X, return_confidence=False):
            return super().predict(X), np.ones((len(X), 1))

    X, y = np.zeros((20, 8, 8, 1), np.uint8), np.zeros((20, 1, 2))
    display = ReliabilityDisplay.from_estimator(Known().fit(X, y), X, y, n_bins=2)
    assert display.within == 5
    assert display.share.tolist() == [1, 1]


def test_shapes_and_numbers_are_checked(found):
    y_true, y_pred, confidence = found
    with pytest.raises(ValueError, match="confidence must have shape"):
        ReliabilityDisplay.from_predictions(y_true, y_pred, confidence[:, :1], within=3)
    with pytest.raises(ValueError, match="too few for n_bins=10"):
        ReliabilityDisplay.from_predictions(y_true[:2], y_pred[:2], confidence[:2], within=3)
