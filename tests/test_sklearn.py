"""scikit-learn's own tools, given images and keypoints."""

import logging
import multiprocessing
import os
import signal

from helpers import tiny_estimator
import joblib
import keras
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
import pytest
from scipy.stats import loguniform
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skpose.augment import Augmenter
from skpose.baseline import MeanPoseRegressor
from skpose.datasets import make_poses
from skpose.estimator._backend import share_machine
from skpose.metrics import (
    mean_keypoint_error,
    neg_mean_keypoint_error_scorer,
    oks,
    oks_scorer,
    pck,
    pck_scorer,
)
from skpose.models import StackedDenseNet
from skpose.preprocessing import ImageBatch, ImageResizer
from skpose.targets import ConfidenceMaps

ONE_SPLIT = ShuffleSplit(n_splits=1, test_size=0.25, random_state=0)
VIDEOS = np.repeat(["a", "b", "c", "d"], 4)


@pytest.fixture(scope="module")
def poses():
    """Sixteen images, four of each video, and keypoints of which some are not labelled."""
    X, y = make_poses(16, image_size=32, random_state=0)
    y[np.random.default_rng(0).uniform(size=y.shape[:2]) < 0.2] = np.nan
    return X, y


def fold_scores(estimator, X, y, cv):
    """Return the errors that cross-validation should find, by hand."""
    errors = []
    for train, test in cv.split(X):
        fitted = clone(estimator).fit(X[train], y[train])
        errors.append(-mean_keypoint_error(y[test], fitted.predict(X[test])))
    return errors


def tell_parts(estimator, X, y):
    """Tell what an estimator was fitted with; a scorer."""
    return {
        "score": estimator.score(X, y),
        "growth_rate": getattr(estimator.architecture_, "growth_rate", 0),
        "sigma": estimator.targets_.sigma,
        "rotation": estimator.augmenters_[0].rotation_,
        "is_leap": type(estimator.architecture_).__name__ == "LEAP",
    }


# Pipelines


@pytest.mark.parametrize("resizer_first", [True, False])
def test_pipeline_predicts_in_the_pixels_of_the_user(poses, resizer_first):
    X, y = poses
    steps = [ImageResizer(scale=0.5), Augmenter(rotation=20, fliplr=0, flipud=0)]
    augmenter = steps[1]
    if not resizer_first:
        steps = steps[::-1]
    pipeline = make_pipeline(*steps, tiny_estimator()).fit(X, y)
    assert pipeline[-1].image_shape_ == (16, 16, 1)
    assert [a.rotation for a in pipeline[-1].augmenters_] == [20]
    # The same without a pipeline, moved to and fro by hand: x' = x / 2 - 1 / 4.
    small = np.asarray(ImageResizer(scale=0.5).fit_transform(X))
    by_hand = tiny_estimator(augmenter=augmenter).fit(small, y / 2 - 0.25)
    assert_allclose(pipeline.predict(X), 2 * by_hand.predict(small) + 0.5, atol=1e-3)
    assert_array_equal(pipeline.predict(X), pipeline.predict(X))  # nothing is augmented
    assert pipeline.score(X, y) == pytest.approx(2 * by_hand.score(small, y / 2 - 0.25), rel=1e-3)


@pytest.mark.slow
def test_memory_of_a_pipeline_tells_augmentations_apart(poses, tmp_path):
    X, y = poses
    steps = ImageResizer(scale=0.5), Augmenter(rotation=10, fliplr=0, flipud=0), tiny_estimator()
    pipeline = make_pipeline(*steps, memory=str(tmp_path))

    def fit(rotation):
        pipeline.set_params(augmenter__rotation=rotation).fit(X, y)
        assert [a.rotation for a in pipeline[-1].augmenters_] == [rotation]
        return len(list(tmp_path.rglob("output.pkl")))

    assert fit(10) == 2  # the resizer's and the augmenter's results
    assert fit(10) == 2
    assert fit(20) == 3
    assert fit(10) == 3


def test_batch_is_divided_and_keeps_its_frame(poses):
    X, y = poses
    batch = ImageResizer(scale=0.5).fit_transform(X)
    train, test, y_train, y_test = train_test_split(batch, y, random_state=0)
    assert isinstance(train, ImageBatch)
    X_train, X_test = train_test_split(X, random_state=0)
    pipeline = make_pipeline(ImageResizer(scale=0.5), tiny_estimator()).fit(X_train, y_train)
    estimator = tiny_estimator().fit(train, y_train)
    assert_allclose(estimator.predict(test), pipeline.predict(X_test), atol=1e-3)
    assert estimator.score(test, y_test) == pytest.approx(pipeline.score(X_test, y_test), rel=1e-3)


def test_step_that_works_on_pixels_keeps_the_frame(poses):
    X, y = poses
    invert = FunctionTransformer(lambda images: 255 - images)
    pipeline = make_pipeline(ImageResizer(scale=0.5), invert, MeanPoseRegressor()).fit(X, y)
    assert_allclose(pipeline.predict(X)[0], np.nanmean(y, axis=0))


def test_step_that_drops_the_frame_is_noticed(poses):
    X, y = poses
    drop = FunctionTransformer(np.asarray)
    pipeline = make_pipeline(ImageResizer(scale=0.25), drop, tiny_estimator())
    with pytest.warns(UserWarning, match="lie far outside their images of 8 x 8 pixels"):
        pipeline.fit(X, y)


def test_pipeline_is_set_cloned_and_shown(poses):
    X, y = poses
    pipeline = make_pipeline(ImageResizer(scale=0.5), Augmenter(), tiny_estimator())
    pipeline.set_params(
        imageresizer__scale=0.25,
        augmenter__rotation=5,
        poseestimator__targets__sigma=4.0,
        poseestimator__model=StackedDenseNet(),
        poseestimator__model__growth_rate=7,
    )
    twin = clone(pipeline)
    assert twin.get_params()["poseestimator__model__growth_rate"] == 7
    assert twin[-1].targets.sigma == 4.0
    assert (twin[0].scale, twin[1].rotation) == (0.25, 5)
    fitted = make_pipeline(ImageResizer(scale=0.5), tiny_estimator()).fit(X, y)
    for diagram in (pipeline._repr_html_(), fitted._repr_html_()):
        assert all(name in diagram for name in ("ImageResizer", "PoseEstimator", "ConfidenceMaps"))


# Cross-validation


@pytest.mark.slow
def test_cross_val_score_is_the_negative_error_though_keypoints_are_missing(poses):
    X, y = poses
    cv = KFold(2)
    expected = fold_scores(tiny_estimator(), X, y, cv)
    scores = cross_val_score(tiny_estimator(), X, y, cv=cv)
    assert_allclose(scores, expected, rtol=1e-3)
    assert (scores < 0).all()


def test_cross_validate_takes_several_scorers(poses):
    X, y = poses
    scoring = {"error": neg_mean_keypoint_error_scorer, "pck": pck_scorer, "oks": oks_scorer}
    cv = KFold(2)
    found = cross_validate(
        tiny_estimator(), X, y, cv=cv, scoring=scoring, return_estimator=True, return_indices=True
    )
    for i, test in enumerate(found["indices"]["test"]):
        y_pred = found["estimator"][i].predict(X[test])
        assert found["test_error"][i] == -mean_keypoint_error(y[test], y_pred)
        right = pck(y[test], y_pred, threshold=0.1, relative_to="bounding_box")
        assert found["test_pck"][i] == right
        assert found["test_oks"][i] == oks(y[test], y_pred)


def test_cross_val_predict_predicts_what_was_not_learnt(poses):
    X, y = poses
    found = cross_val_predict(tiny_estimator(), X, y, cv=KFold(2))
    expected = tiny_estimator().fit(X[:8], y[:8]).predict(X[8:])
    assert found.shape == y.shape
    assert_allclose(found[8:], expected, atol=1e-3)


def test_learning_curve(poses):
    X, y = poses
    sizes, train, test = learning_curve(tiny_estimator(), X, y, train_sizes=[4, 12], cv=ONE_SPLIT)
    assert_array_equal(sizes, [4, 12])
    rows = next(ONE_SPLIT.split(X))
    fitted = tiny_estimator().fit(X[rows[0]], y[rows[0]])
    assert test[1, 0] == pytest.approx(fitted.score(X[rows[1]], y[rows[1]]), rel=1e-3)
    assert train.shape == test.shape == (2, 1)


def test_fold_without_labels_is_an_error_and_not_a_score(poses):
    X, y = poses
    y = y.copy()
    y[8:] = np.nan
    with pytest.raises(ValueError, match="labelled keypoint"):
        cross_val_score(MeanPoseRegressor(), X, y, cv=KFold(2), error_score="raise")
    with pytest.raises(ValueError, match="labelled keypoint"):
        tiny_estimator().fit(X[:8], y[:8]).score(X[8:], y[8:])
    # Unless asked to raise, scikit-learn makes NaN of errors, and says so.
    with (
        pytest.warns(UserWarning, match="labelled keypoint"),
        pytest.warns(FitFailedWarning, match="no labelled keypoint"),
    ):
        scores = cross_val_score(MeanPoseRegressor(), X, y, cv=KFold(2))
    assert np.isnan(scores).all()


# Metadata


def is_whole(kept, videos):
    """Whether each video is kept back altogether or not at all."""
    return 0 < len(kept) < len(videos) and set(videos[kept]).isdisjoint(np.delete(videos, kept))


def test_groups_are_kept_together_in_every_split(poses):
    X, y = poses
    weight = np.linspace(0.1, 3, len(X))
    with config_context(enable_metadata_routing=True):
        estimator = tiny_estimator(early_stopping=True, validation_fraction=0.4)
        estimator.set_fit_request(sample_weight=True, groups=True)
        estimator.set_score_request(sample_weight=True)
        found = cross_validate(
            estimator,
            X,
            y,
            params={"sample_weight": weight, "groups": VIDEOS},
            cv=GroupKFold(2),
            return_estimator=True,
            return_indices=True,
        )
    for i, (train, test) in enumerate(
        zip(found["indices"]["train"], found["indices"]["test"], strict=True)
    ):
        fitted = found["estimator"][i]
        assert is_whole(fitted.validation_indices_, VIDEOS[train])
        expected = fitted.score(X[test], y[test], sample_weight=weight[test])
        assert found["test_score"][i] == pytest.approx(expected, rel=1e-6)
        assert expected != fitted.score(X[test], y[test])


@pytest.mark.slow
def test_metadata_find_their_way_through_a_pipeline(poses):
    X, y = poses
    weight = np.r_[np.ones(8), np.zeros(8)]
    settings = {"early_stopping": True, "validation_fraction": 0.5}
    plain = make_pipeline(ImageResizer(scale=0.5), tiny_estimator(**settings))
    plain.fit(X, y, poseestimator__groups=VIDEOS, poseestimator__sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline(ImageResizer(scale=0.5), tiny_estimator(**settings))
        routed[-1].set_fit_request(sample_weight=True, groups=True)
        routed.fit(X, y, groups=VIDEOS, sample_weight=weight)
    assert is_whole(plain[-1].validation_indices_, VIDEOS)
    assert_array_equal(routed[-1].validation_indices_, plain[-1].validation_indices_)
    losses = [pipeline[-1].history_["loss"][0] for pipeline in (plain, routed)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    unweighted = clone(plain).fit(X, y, poseestimator__groups=VIDEOS)
    assert unweighted[-1].history_["loss"][0] != pytest.approx(losses[0], rel=1e-3)


# Searches


@pytest.mark.slow
def test_grid_search_reaches_the_parameters_of_all_parts(poses):
    X, y = poses
    estimator = tiny_estimator(model=StackedDenseNet(n_stacks=1, growth_rate=2), augmenter="auto")
    search = GridSearchCV(
        estimator,
        [
            {"model__growth_rate": [3, 4]},
            {"targets__sigma": [2.5]},
            {"augmenter__rotation": [7]},
            {"model": ["leap"], "model__filters": [4], "targets": [None]},
        ],
        scoring=tell_parts,
        refit=False,
        cv=ONE_SPLIT,
    ).fit(X, y)
    found = search.cv_results_
    assert_array_equal(found["mean_test_growth_rate"], [3, 4, 2, 2, 0])
    assert_array_equal(found["mean_test_sigma"], [3, 3, 2.5, 3, 5])
    of_labels, given = np.delete(found["mean_test_rotation"], 3), found["mean_test_rotation"][3]
    assert (of_labels == of_labels[0]).all()
    assert of_labels[0] > given == 7
    assert_array_equal(found["mean_test_is_leap"], [0, 0, 0, 0, 1])
    assert np.isfinite(found["mean_test_score"]).all()
    assert estimator.model.growth_rate == 2
    assert estimator.augmenter == "auto"


def test_grid_search_reaches_through_a_pipeline(poses):
    X, y = poses
    pipeline = make_pipeline(ImageResizer(scale=0.5), tiny_estimator())
    search = GridSearchCV(
        pipeline,
        [{"imageresizer__scale": [0.75]}, {"imageresizer": ["passthrough"]}],
        scoring=lambda e, X, y: {"height": e[-1].image_shape_[0], "score": e.score(X, y)},
        refit="score",
        cv=ONE_SPLIT,
    ).fit(X, y)
    assert_array_equal(search.cv_results_["mean_test_height"], [24, 32])
    assert search.best_score_ == max(search.cv_results_["mean_test_score"])
    assert search.predict(X).shape == y.shape


def test_randomized_search(poses):
    X, y = poses
    search = RandomizedSearchCV(
        tiny_estimator(),
        {"learning_rate": loguniform(1e-4, 1e-1), "targets__sigma": [2.0, 4.0]},
        n_iter=2,
        cv=ONE_SPLIT,
        random_state=0,
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    rate = search.best_estimator_.model_.optimizer.learning_rate
    assert float(rate) == pytest.approx(search.best_params_["learning_rate"])


@pytest.mark.slow
def test_halving_search_gives_epochs_to_the_best(poses):
    X, y = poses
    search = HalvingGridSearchCV(
        tiny_estimator(),
        {"learning_rate": [1e-9, 1e-2]},
        resource="max_epochs",
        min_resources=1,
        max_resources=2,
        factor=2,
        cv=ONE_SPLIT,
        random_state=0,
    ).fit(X, y)
    assert_array_equal(search.cv_results_["n_resources"], [1, 1, 2])
    assert search.best_estimator_.n_iter_ == 2


@pytest.mark.parametrize("scoring", ["neg_mean_squared_error", ["neg_median_absolute_error", "r2"]])
@pytest.mark.parametrize("behind", [(), (ImageResizer(scale=0.5),)])
def test_a_score_of_tables_is_refused_before_any_training(poses, scoring, behind):
    X, y = poses
    begun = []
    estimator = tiny_estimator(
        callbacks=[keras.callbacks.LambdaCallback(on_train_begin=begun.append)]
    )
    pipeline = make_pipeline(*behind, estimator)
    with pytest.raises(ValueError, match="squared_error|absolute_error.*skpose.metrics"):
        cross_validate(pipeline, X, y, cv=2, scoring=scoring, error_score="raise")
    assert not begun


class HasEstimatorInside(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.inner_ = tiny_estimator().fit(X, np.full((len(X), 1, 2), 5.0))
        return self

    def predict(self, X):
        return self.inner_.predict(X)[:, 0, 0]


def test_a_score_of_who_only_has_an_estimator_inside_is_allowed(poses):
    X, _ = poses
    settings = {"cv": 2, "scoring": "neg_mean_squared_error", "error_score": "raise"}
    assert np.isfinite(cross_val_score(HasEstimatorInside(), X, np.ones(len(X)), **settings)).all()


@pytest.mark.slow
def test_many_fits_are_quiet(poses):
    X, y = poses
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("tensorflow")
    logger.addHandler(handler)
    try:
        for _ in range(6):  # the fifth is too many for TensorFlow
            tiny_estimator().fit(X, y).predict(X[:1])
    finally:
        logger.removeHandler(handler)
    assert not records
    assert not logger.filters


# Several processes


@pytest.fixture
def time_limit():
    """Make an error of a deadlock."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(*_):
        raise TimeoutError("the workers hang")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(180)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.slow
def test_search_in_two_processes(poses, time_limit):
    X, y = poses
    tiny_estimator().fit(X, y)  # the backend is in use in the parent

    def tell(estimator, X, y):
        import os

        import tensorflow as tf

        return {
            "score": estimator.score(X, y),
            "n_threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "n_allowed": int(os.environ["OMP_NUM_THREADS"]),
            "process": os.getpid(),
        }

    search = GridSearchCV(
        tiny_estimator(),
        {"optimizer": [keras.optimizers.SGD(1e-4), "adam"], "targets__sigma": [2.0, 4.0]},
        scoring=tell,
        refit=False,
        cv=ONE_SPLIT,
        n_jobs=2,
    )
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        found = search.fit(X, y).cv_results_
    if keras.backend.backend() == "tensorflow":
        assert_array_equal(found["mean_test_n_threads"], found["mean_test_n_allowed"])
    assert (found["mean_test_n_allowed"] == 1).all()
    assert os.getpid() not in found["mean_test_process"]
    alone = cross_val_score(
        tiny_estimator(targets=ConfidenceMaps(sigma=4.0, downsample_factor=1)),
        X,
        y,
        cv=ONE_SPLIT,
    )
    assert found["mean_test_score"][3] == pytest.approx(alone[0], rel=1e-2)


def test_worker_takes_no_more_of_a_gpu_than_it_needs(monkeypatch):
    tf = pytest.importorskip("tensorflow")
    growth = {"gpu 0": None, "gpu 1": False}  # the second as the user wants it
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: list(growth))
    monkeypatch.setattr(tf.config.experimental, "get_memory_growth", growth.get)
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", growth.__setitem__)
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    share_machine()
    assert growth == {"gpu 0": None, "gpu 1": False}  # this process is no worker
    monkeypatch.setattr(multiprocessing, "parent_process", object)
    share_machine()
    assert growth == {"gpu 0": True, "gpu 1": False}


def _fit_in_a_fork(queue):
    try:
        X, y = make_poses(4, image_size=32, random_state=0)
        tiny_estimator().fit(X, y)
    except Exception as error:
        queue.put(f"{type(error).__name__}: {error}")
    else:
        queue.put("fitted")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_of_a_process_that_uses_the_backend_does_not_hang(poses):
    X, y = poses
    tiny_estimator().fit(X, y)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=_fit_in_a_fork, args=(queue,))
    process.start()
    process.join(60)
    is_hanging = process.is_alive()
    process.kill()
    assert not is_hanging
    assert "RuntimeError: This process was forked" in queue.get()
