import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skpose.plot import TrainingHistoryDisplay
from skpose.preprocessing import ImageResizer

NAN = np.nan
HISTORY = {
    "loss": [3, 2, 1, 1],
    "keypoint_error": [20.0, 8.0, 4.0, 3.0],
    "val_keypoint_error": [18.0, 9.0, 5.0, 6.0],
}


class Trained(BaseEstimator):
    def fit(self, X=None, y=None):
        self.history_, self.best_epoch_ = HISTORY, 2
        return self


def texts(display):
    return [text.get_text() for text in display.ax_.texts]


def test_curves_are_the_errors_by_epoch():
    display = TrainingHistoryDisplay.from_history(HISTORY)
    assert list(display.lines_) == ["keypoint_error", "val_keypoint_error"]
    for name, line in display.lines_.items():
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])
        np.testing.assert_array_equal(line.get_ydata(), HISTORY[name])
    assert display.ax_.get_yscale() == "log"
    assert texts(display) == ["training", "validation"]
    display.figure_.canvas.draw()


def test_best_epoch_is_marked_on_the_validation_curve():
    display = TrainingHistoryDisplay.from_history(HISTORY, best_epoch=2)
    np.testing.assert_array_equal(display.best_.get_offsets(), [[3, 5]])
    assert "5 px, epoch 3" in texts(display)


def test_label_of_the_best_epoch_covers_no_curve():
    display = TrainingHistoryDisplay.from_history(HISTORY, best_epoch=3)
    display.figure_.canvas.draw()
    (label,) = [text for text in display.ax_.texts if "px" in text.get_text()]
    box = label.get_window_extent()
    for line in display.lines_.values():
        path = line.get_path().transformed(line.get_transform())
        assert not path.intersects_bbox(box, filled=False)


def test_without_validation_there_is_one_curve():
    history = {"keypoint_error": [3.0, 2.0], "val_keypoint_error": [NAN, NAN]}
    display = TrainingHistoryDisplay.from_history(history)
    assert list(display.lines_) == ["keypoint_error"]
    assert texts(display) == ["training"]
    assert display.best_ is None


@pytest.mark.parametrize("n_epochs", [1, 2])
def test_first_epochs(n_epochs):
    history = {name: errors[:n_epochs] for name, errors in HISTORY.items()}
    display = TrainingHistoryDisplay.from_history(history, best_epoch=n_epochs - 1)
    display.figure_.canvas.draw()
    assert len(display.lines_["keypoint_error"].get_xdata()) == n_epochs


def test_epochs_without_neighbours_are_dots():
    history = {"keypoint_error": [NAN, 3.0, NAN, 2.0, 1.0, NAN, 1.0]}
    display = TrainingHistoryDisplay.from_history(history)
    assert display.lines_["keypoint_error"].get_markevery() == [1, 6]


def test_drops_of_the_learning_rate():
    history = {"keypoint_error": [5, 4, 3, 2, 1], "learning_rate": [NAN, 1e-3, 2e-4, 2e-4, 4e-5]}
    display = TrainingHistoryDisplay.from_history(history)
    assert display.learning_rate_drops_.tolist() == [3, 5]
    assert texts(display)[:2] == ["learning rate 0.0002", "4e-05"]


def test_a_learning_rate_that_falls_all_the_time_has_no_drops():
    history = {"keypoint_error": [4, 3, 2, 1], "learning_rate": [1e-3, 8e-4, 3e-4, 1e-5]}
    display = TrainingHistoryDisplay.from_history(history)
    assert len(display.learning_rate_drops_) == 0
    assert texts(display) == ["training"]


def test_a_validation_error_below_that_of_training_is_explained():
    below = {"keypoint_error": [9, 5.0, 4.0], "val_keypoint_error": [8, 4.0, 3.0]}
    display = TrainingHistoryDisplay.from_history(below)
    assert "Training errors are of augmented images, averaged over the epoch." in texts(display)
    above = {"keypoint_error": [9, 4.0, 3.0], "val_keypoint_error": [8, 5.0, 4.0]}
    display = TrainingHistoryDisplay.from_history(above)
    assert not any("augmented" in text for text in texts(display))


def test_close_labels_are_apart():
    history = {"keypoint_error": [9, 1.001], "val_keypoint_error": [9, 1.0]}
    display = TrainingHistoryDisplay.from_history(history)
    display.figure_.canvas.draw()
    training, validation = (text.get_window_extent() for text in display.ax_.texts)
    assert training.y0 >= validation.y1


def test_ticks_are_plain_numbers_within_a_decade():
    display = TrainingHistoryDisplay.from_history({"keypoint_error": [1.9, 1.3, 1.2]})
    display.figure_.canvas.draw()
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert {"1.2", "1.4", "1.6", "1.8"} <= set(labels)


def test_scale_and_style_of_the_user():
    _, ax = plt.subplots()
    display = TrainingHistoryDisplay.from_history(
        HISTORY, ax=ax, scale="linear", line_kwargs={"lw": 4, "ls": "--"}
    )
    assert display.ax_ is ax
    assert ax.get_yscale() == "linear"
    assert display.lines_["keypoint_error"].get_linewidth() == 4


def test_from_estimator():
    display = TrainingHistoryDisplay.from_estimator(Trained().fit())
    np.testing.assert_array_equal(display.best_.get_offsets(), [[3, 5]])
    X = np.zeros((2, 8, 8, 1), dtype=np.uint8)
    pipeline = make_pipeline(ImageResizer(scale=2), Trained()).fit(X, np.zeros((2, 1, 2)))
    display = TrainingHistoryDisplay.from_estimator(pipeline)
    assert display.best_epoch == 2


def test_estimators_without_history_are_refused():
    with pytest.raises(NotFittedError):
        TrainingHistoryDisplay.from_estimator(Trained())
    with pytest.raises(TypeError, match="ImageResizer has no history_"):
        TrainingHistoryDisplay.from_estimator(ImageResizer(scale=2).fit(np.zeros((1, 8, 8, 1))))


@pytest.mark.parametrize(
    ("history", "options", "message"),
    [
        ({}, {}, "at least one epoch"),
        ({"loss": [1.0]}, {}, "its entries are loss"),
        ({"keypoint_error": []}, {}, "at least one epoch"),
        ({"keypoint_error": [1.0], "val_keypoint_error": [1.0, 2.0]}, {}, "different lengths"),
        ({"keypoint_error": [1.0]}, {"best_epoch": 1}, "best_epoch must be from 0 to 0"),
        ({"keypoint_error": [1.0]}, {"scale": "loglog"}, "scale must be one of"),
    ],
)
def test_what_cannot_be_drawn_is_refused(history, options, message):
    with pytest.raises(ValueError, match=message):
        TrainingHistoryDisplay.from_history(history, **options)
