import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skpose import Skeleton
from skpose.baseline import MeanPoseRegressor
from skpose.plot import KeypointErrorDisplay
from skpose.preprocessing import ImageResizer

NAN = np.nan
FISH = Skeleton(["head", "tail", "fin"])


def shifted(errors):
    """Keypoints, and predictions that are off by these errors in random directions."""
    errors = np.asarray(errors, dtype=float)
    rng = np.random.default_rng(0)
    y_true = rng.uniform(0, 100, (*errors.shape, 2))
    angle = rng.uniform(0, 2 * np.pi, errors.shape)
    y_pred = y_true + errors[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=2)
    y_true[np.isnan(errors)] = NAN
    return y_true, np.nan_to_num(y_pred)


def random_errors(n_samples=40):
    rng = np.random.default_rng(1)
    errors = rng.gamma(4, [0.5, 2, 1], (n_samples, 3))
    errors[rng.random(errors.shape) < 0.2] = NAN
    return errors


def written_medians(display):
    return [text.get_text() for text in display.ax_.texts][:-1]


def drawn_names(display):
    return [label.get_text() for label in display.ax_.get_yticklabels()]


def test_medians_are_of_labelled_keypoints():
    errors = random_errors()
    display = KeypointErrorDisplay.from_predictions(*shifted(errors))
    np.testing.assert_allclose(display.medians_, np.nanmedian(errors, axis=0))
    np.testing.assert_allclose(display.errors, errors)


def test_a_dot_for_each_error():
    errors = random_errors()
    display = KeypointErrorDisplay.from_predictions(*shifted(errors), sort=False)
    for points, column in zip(display.points_, errors.T, strict=True):
        np.testing.assert_allclose(
            points.get_offsets()[:, 0], np.sort(column[~np.isnan(column)]), rtol=1e-9
        )


def test_dots_stay_in_their_row():
    display = KeypointErrorDisplay.from_predictions(*shifted(random_errors()))
    for row, points in enumerate(display.points_):
        assert np.abs(points.get_offsets()[:, 1] - row).max() < 0.5


def test_boxes_span_the_quartiles():
    errors = random_errors()
    display = KeypointErrorDisplay.from_predictions(*shifted(errors), sort=False)
    for box, column in zip(display.boxes_, errors.T, strict=True):
        low, high = np.nanpercentile(column, [25, 75])
        np.testing.assert_allclose([box.get_x(), box.get_width()], [low, high - low])


def test_worst_bodypart_is_at_the_top():
    y_true, y_pred = shifted([[1, 3, NAN, 2], [1, 3, NAN, 2]])
    skeleton = Skeleton(["a", "b", "c", "d"])
    display = KeypointErrorDisplay.from_predictions(y_true, y_pred, skeleton=skeleton)
    assert display.order_.tolist() == [1, 3, 0, 2]
    assert drawn_names(display) == ["b", "d", "a", "c"]
    assert written_medians(display) == ["3.00", "2.00", "1.00", "–"]
    bottom, top = display.ax_.get_ylim()
    assert bottom > top
    display.figure_.canvas.draw()


def test_own_order_and_numbers_in_place_of_names():
    display = KeypointErrorDisplay.from_predictions(*shifted([[1, 3, 2]]), sort=False)
    assert drawn_names(display) == ["0", "1", "2"]


@pytest.mark.parametrize(("largest", "scale"), [(3, "linear"), (100, "log")])
def test_scale_follows_the_spread(largest, scale):
    errors = np.geomspace(1, largest, 30).reshape(10, 3)
    display = KeypointErrorDisplay.from_predictions(*shifted(errors))
    assert display.ax_.get_xscale() == scale


def test_linear_axis_starts_at_zero():
    display = KeypointErrorDisplay.from_predictions(*shifted(random_errors()), scale="linear")
    assert display.ax_.get_xlim()[0] == 0


def test_no_error_is_lost_on_a_logarithmic_axis():
    errors = np.geomspace(1, 100, 30).reshape(10, 3)
    errors[0] = 0, 1e-12, 1
    display = KeypointErrorDisplay.from_predictions(*shifted(errors), scale="log")
    low = display.ax_.get_xlim()[0]
    assert low > 1e-3
    for points in display.points_:
        assert len(points.get_offsets()) == 10
        assert (points.get_offsets()[:, 0] >= low).all()


def test_ticks_are_plain_numbers():
    display = KeypointErrorDisplay.from_predictions(*shifted(np.geomspace(0.1, 10, 30)[:, None]))
    display.figure_.canvas.draw()
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert {"0.1", "0.2", "0.5", "1", "2", "5", "10"} <= set(labels)


def test_of_many_dots_the_extremes_stay():
    errors = np.random.default_rng(0).gamma(2, size=(5000, 1))
    display = KeypointErrorDisplay.from_predictions(*shifted(errors), scale="linear")
    drawn = np.asarray(display.points_[0].get_offsets()[:, 0])
    assert len(drawn) == 500
    np.testing.assert_allclose([drawn.min(), drawn.max()], [errors.min(), errors.max()])
    np.testing.assert_allclose(np.median(drawn), np.median(errors), rtol=0.01)


def test_missed_keypoints_warn():
    y_true, y_pred = shifted(random_errors())
    y_pred[:4, 0] = NAN
    y_true[:4, 0] = 1
    with pytest.warns(UserWarning, match="NaN at 4 of ") as caught:
        KeypointErrorDisplay.from_predictions(y_true, y_pred)
    assert caught[0].filename == __file__


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no error to draw"):
        KeypointErrorDisplay.from_predictions(*shifted([[NAN, NAN]]))
    with pytest.raises(ValueError, match="scale='linear'"):
        KeypointErrorDisplay.from_predictions(*shifted([[0, 0]]), scale="log")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skeleton": Skeleton(["a"])}, "skeleton has 1 bodyparts, but there are 3"),
        ({"scale": "logarithmic"}, "scale must be one of auto, linear, log"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        KeypointErrorDisplay.from_predictions(*shifted(random_errors()), **options)


def test_shapes_must_agree():
    y_true, y_pred = shifted(random_errors())
    with pytest.raises(ValueError, match=r"y_pred has \(40, 2, 2\)"):
        KeypointErrorDisplay.from_predictions(y_true, y_pred[:, :2])


def test_all_errors_zero():
    display = KeypointErrorDisplay.from_predictions(*shifted(np.zeros((4, 2))))
    assert display.ax_.get_xscale() == "linear"
    display.figure_.canvas.draw()


def test_draws_on_given_axes_in_the_users_style():
    figure, ax = plt.subplots()
    display = KeypointErrorDisplay.from_predictions(
        *shifted(random_errors()),
        ax=ax,
        scatter_kwargs={"c": "green", "s": 4},
        box_kwargs={"ec": "red", "lw": 2},
    )
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert display.points_[0].get_sizes().tolist() == [4]
    assert display.boxes_[0].get_linewidth() == 2


def test_from_estimator():
    class Pipelined(MeanPoseRegressor):
        skeleton = FISH

    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (6, 8, 8, 1), dtype=np.uint8)
    y = rng.uniform(0, 8, (6, 3, 2))
    pipeline = make_pipeline(ImageResizer(scale=2), Pipelined()).fit(X, y)
    display = KeypointErrorDisplay.from_estimator(pipeline, X, y)
    expected = np.linalg.norm(y - pipeline.predict(X), axis=2)
    np.testing.assert_allclose(display.medians_, np.median(expected, axis=0))
    assert display.skeleton is FISH


def test_estimator_must_be_fitted():
    class Unfitted(BaseEstimator):
        def fit(self, X, y):
            return self

    with pytest.raises(NotFittedError):
        KeypointErrorDisplay.from_estimator(Unfitted(), np.zeros((1, 8, 8, 1)), [[[1, 1]]])
