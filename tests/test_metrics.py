import numpy as np
import pytest
from sklearn import config_context
from sklearn.model_selection import GridSearchCV, cross_val_score

from skpose import metrics
from skpose.baseline import MeanPoseRegressor
from skpose.metrics import (
    correct_keypoints,
    get_scorer,
    keypoint_errors,
    mean_keypoint_error,
    neg_mean_keypoint_error_scorer,
    oks,
    oks_scorer,
    pck,
    pck_scorer,
)

NAN = np.nan
# Errors 5, 13, not labelled; 0, 10, 1; nothing labelled.
Y_TRUE = np.array(
    [
        [[0, 0], [10, 0], [NAN, NAN]],
        [[0, 0], [30, 40], [0, 20]],
        [[NAN, NAN], [NAN, NAN], [NAN, NAN]],
    ]
)
Y_PRED = np.array(
    [
        [[3, 4], [15, 12], [7, 7]],
        [[0, 0], [30, 30], [1, 20]],
        [[1, 1], [2, 2], [3, 3]],
    ]
)
METRICS = [
    mean_keypoint_error,
    lambda *args, **kwargs: pck(*args, threshold=5, **kwargs),
    lambda *args, **kwargs: pck(*args, threshold=0.2, relative_to="bounding_box", **kwargs),
    lambda *args, **kwargs: oks(*args, area=100, **kwargs),
]


def test_errors_are_distances():
    expected = [[5, 13, NAN], [0, 10, 1], [NAN, NAN, NAN]]
    np.testing.assert_array_equal(keypoint_errors(Y_TRUE, Y_PRED), expected)


def test_half_labelled_is_not_labelled():
    assert np.isnan(keypoint_errors([[[NAN, 1]]], [[[1, 1]]])).all()


def test_mean_error_is_over_labelled_keypoints():
    assert mean_keypoint_error(Y_TRUE, Y_PRED) == pytest.approx((5 + 13 + 0 + 10 + 1) / 5)


def test_mean_error_weighs_samples():
    error = mean_keypoint_error(Y_TRUE, Y_PRED, sample_weight=[2, 1, 9])
    assert error == pytest.approx((2 * 18 + 11) / (2 * 2 + 3))


@pytest.mark.parametrize(("threshold", "share"), [(0.5, 0.2), (1, 0.4), (5, 0.6), (12, 0.8)])
def test_pck_in_pixels(threshold, share):
    assert pck(Y_TRUE, Y_PRED, threshold=threshold) == pytest.approx(share)


@pytest.mark.parametrize(
    ("relative_to", "share"),
    [
        ((0, 1), 3 / 5),  # lengths 10 and 50: limits 2 and 10
        ("bounding_box", 2 / 5),  # longer sides 10 and 40: limits 2 and 8
        ([25, 50, 1], 4 / 5),  # limits 5 and 10
        (np.array([25.0, 0.0, 1.0]), 1 / 2),  # limit 5, and one not known
    ],
)
def test_pck_relative_to_a_length(relative_to, share):
    found = pck(Y_TRUE, Y_PRED, threshold=0.2, relative_to=relative_to)
    assert found == pytest.approx(share)


def test_pck_leaves_out_samples_without_a_length():
    # Keypoint 2 is labelled in the second sample only: length 20, errors 0, 10, 1.
    assert pck(Y_TRUE, Y_PRED, threshold=0.1, relative_to=(0, 2)) == pytest.approx(2 / 3)


def test_correct_keypoints_say_what_is_not_known():
    y_pred = Y_PRED.astype(float)
    y_pred[1, 0] = NAN  # not found: wrong
    found = correct_keypoints(Y_TRUE, y_pred, threshold=0.1, relative_to=(0, 2))
    np.testing.assert_array_equal(found, [[NAN] * 3, [0, 0, 1], [NAN] * 3])
    found = correct_keypoints(Y_TRUE, y_pred, threshold=5)
    np.testing.assert_array_equal(found, [[1, 0, NAN], [0, 0, 1], [NAN] * 3])


def test_pck_weighs_samples():
    share = pck(Y_TRUE, Y_PRED, threshold=5, sample_weight=[3, 1, 9])
    assert share == pytest.approx((3 * 1 + 2) / (3 * 2 + 3))


def test_oks_of_one_kappa_and_unit_distance():
    # A distance of kappa * sqrt(area) has similarity exp(-1 / 2).
    y_true = np.array([[[0.0, 0.0], [50.0, 50.0]]])
    y_pred = y_true + [5.0, 0.0]
    assert oks(y_true, y_pred, area=2500, kappas=0.1) == pytest.approx(np.exp(-0.5))
    assert oks(y_true, y_pred) == pytest.approx(np.exp(-0.5))  # the bounding box has that area
    assert oks(y_true, y_pred, area=2500, kappas=[0.1, 0.05]) == pytest.approx(
        (np.exp(-0.5) + np.exp(-2)) / 2
    )


def test_oks_is_a_mean_over_samples():
    first = (np.exp(-25 / 200) + np.exp(-169 / 200)) / 2
    second = (1 + np.exp(-100 / 200) + np.exp(-1 / 200)) / 3
    arguments = {"area": 100, "kappas": 1}
    assert oks(Y_TRUE, Y_PRED, **arguments) == pytest.approx((first + second) / 2)
    weighted = oks(Y_TRUE, Y_PRED, **arguments, sample_weight=[3, 1, 9])
    assert weighted == pytest.approx((3 * first + second) / 4)


def test_oks_leaves_out_samples_without_an_area():
    # The first sample's labelled keypoints lie on a line; the second's box is 30 x 40.
    second = (1 + np.exp(-100 / 2400) + np.exp(-1 / 2400)) / 3
    assert oks(Y_TRUE, Y_PRED, kappas=1) == pytest.approx(second)


@pytest.mark.parametrize("metric", METRICS)
def test_perfect_predictions(metric):
    expected = 0 if metric is mean_keypoint_error else 1
    assert metric(Y_TRUE, np.nan_to_num(Y_TRUE)) == expected


@pytest.mark.parametrize("metric", METRICS)
def test_weights_are_repetitions(metric):
    repeated = metric(Y_TRUE[[0, 1, 1, 1]], Y_PRED[[0, 1, 1, 1]])
    assert metric(Y_TRUE, Y_PRED, sample_weight=[1, 3, 5]) == pytest.approx(repeated)


@pytest.mark.parametrize("metric", METRICS)
def test_samples_without_labels_do_not_count(metric):
    assert metric(Y_TRUE, Y_PRED) == metric(Y_TRUE[:2], Y_PRED[:2])


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_to_score_is_refused(metric):
    with pytest.raises(ValueError, match="has a labelled keypoint"):
        metric(Y_TRUE[2:], Y_PRED[2:])
    with pytest.raises(ValueError, match="sample_weight is 0"):
        metric(Y_TRUE, Y_PRED, sample_weight=[0, 0, 1])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("weights", "message"), [([1, 1], r"shape \(3,\)"), ([1, -1, 1], "at least"), (1.0, "shape")]
)
def test_bad_weights_are_refused(metric, weights, message):
    with pytest.raises(ValueError, match=message):
        metric(Y_TRUE, Y_PRED, sample_weight=weights)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("y_pred", [Y_PRED[:2], Y_PRED[:, :2]])
def test_shapes_must_agree(metric, y_pred):
    with pytest.raises(ValueError, match="y_pred has"):
        metric(Y_TRUE, y_pred)


def test_missing_predictions():
    y_pred = Y_PRED.astype(float)
    y_pred[1, 0] = NAN
    with pytest.raises(ValueError, match="NaN at 1 of 5 labelled"):
        mean_keypoint_error(Y_TRUE, y_pred)
    assert pck(Y_TRUE, y_pred, threshold=5) == pytest.approx(2 / 5)
    missed = oks(Y_TRUE[1:2], Y_PRED[1:2], area=100) - oks(Y_TRUE[1:2], y_pred[1:2], area=100)
    assert missed == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pck(Y_TRUE, Y_PRED, threshold=0), "threshold"),
        (lambda: pck(Y_TRUE, Y_PRED, threshold=1, relative_to="torso"), "relative_to"),
        (lambda: pck(Y_TRUE, Y_PRED, threshold=1, relative_to=(0, 3)), "two of the 3"),
        (lambda: pck(Y_TRUE, Y_PRED, threshold=1, relative_to=(0, 1, 2)), "two of the 3"),
        (lambda: pck(Y_TRUE, Y_PRED, threshold=1, relative_to=[1.0]), r"shape \(3,\)"),
        (lambda: oks(Y_TRUE, Y_PRED, kappas=0), "kappas"),
        (lambda: oks(Y_TRUE, Y_PRED, kappas=[1, 1]), "one value for each keypoint"),
        (lambda: oks(Y_TRUE, Y_PRED, area=[1, 1]), "one value for each sample"),
        (lambda: get_scorer("r2"), "scorers are"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("scorer", "metric"),
    [
        (neg_mean_keypoint_error_scorer, lambda *args: -mean_keypoint_error(*args)),
        (pck_scorer, lambda *args: pck(*args, threshold=0.1, relative_to="bounding_box")),
        (oks_scorer, oks),
    ],
)
def test_scorers_score_predictions(scorer, metric):
    X = np.zeros((3, 4, 4, 1), np.uint8)
    baseline = MeanPoseRegressor().fit(X, Y_TRUE)
    assert scorer(baseline, X, Y_TRUE) == metric(Y_TRUE, baseline.predict(X))


@pytest.mark.parametrize("name", ["neg_mean_keypoint_error", "oks", "pck"])
def test_scorers_by_name(name):
    scorer = get_scorer(name)
    assert scorer is getattr(metrics, f"{name}_scorer")
    assert get_scorer(scorer) is scorer


def test_scorers_work_in_model_selection():
    rng = np.random.default_rng(0)
    X, y = np.zeros((6, 4, 4, 1), np.uint8), rng.uniform(0, 4, (6, 3, 2))
    y[0, 0] = NAN
    scoring = {name: get_scorer(name) for name in ("neg_mean_keypoint_error", "oks", "pck")}
    search = GridSearchCV(MeanPoseRegressor(), {}, scoring=scoring, refit=False, cv=2).fit(X, y)
    assert np.isfinite([search.cv_results_[f"mean_test_{name}"] for name in scoring]).all()


def test_folds_without_labels_raise():
    X, y = np.zeros((4, 4, 4, 1), np.uint8), np.ones((4, 1, 2))
    y[2:] = NAN
    for scoring in (None, pck_scorer):
        with pytest.raises(ValueError, match="labelled"):
            cross_val_score(MeanPoseRegressor(), X, y, cv=2, scoring=scoring, error_score="raise")


def test_weights_reach_the_scorer():
    X = np.zeros((3, 4, 4, 1), np.uint8)
    baseline = MeanPoseRegressor().fit(X, Y_TRUE)
    weights = [2.0, 1.0, 1.0]
    expected = -mean_keypoint_error(Y_TRUE, baseline.predict(X), sample_weight=weights)
    assert neg_mean_keypoint_error_scorer(baseline, X, Y_TRUE, sample_weight=weights) == expected
    with config_context(enable_metadata_routing=True):
        scorer = get_scorer("neg_mean_keypoint_error").set_score_request(sample_weight=True)
        assert scorer(baseline, X, Y_TRUE, sample_weight=weights) == expected
