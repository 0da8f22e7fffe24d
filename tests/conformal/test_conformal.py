from helpers import interrupt_at, tiny_estimator
import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, LeaveOneGroupOut, ShuffleSplit
from sklearn.pipeline import make_pipeline

import skpose
from skpose import PoseEstimator
from skpose.baseline import MeanPoseRegressor
from skpose.conformal import ConformalPoseEstimator
from skpose.datasets import make_poses
from skpose.ensemble import PoseEnsemble
from skpose.metrics import keypoint_errors
from skpose.models import LEAP
from skpose.preprocessing import ImageResizer

LEVELS = (0.5, 0.8, 0.9, 0.95)


class Blurred(BaseEstimator):
    """Finds keypoints that stand in the pixels, with errors whose size stands there too.

    It says how sure it is: the confidence falls as the error to be expected rises.
    """

    skeleton = None
    n_fits = 0

    def __init__(self, tells=True, seed=0):
        self.tells = tells
        self.seed = seed

    def fit(self, X, y):
        type(self).n_fits += 1
        self.n_keypoints_ = y.shape[1]
        return self

    def predict(self, X, return_confidence=False):
        images = np.asarray(X, dtype=float)
        places, deviation = images[:, 0, :6, 0].reshape(-1, 3, 2), images[:, 1, :3, 0] / 10
        rng = np.random.default_rng(int(images.sum()) + self.seed)
        found = places + rng.normal(size=places.shape) * deviation[..., None]
        if not return_confidence:
            return found
        if not self.tells:
            return found, None
        return found, np.clip(1 / (1 + deviation), 0, 1)


def make_images(n_samples, seed):
    """Images with keypoints in their first line, and ten deviations in the second."""
    rng = np.random.default_rng(seed)
    X = np.zeros((n_samples, 8, 8, 1), np.uint8)
    X[:, 0, :6, 0] = rng.integers(0, 200, (n_samples, 6))
    deviation = np.exp(rng.normal(2.5, 0.8, (n_samples, 3))) * [0.5, 1, 2]
    X[:, 1, :3, 0] = np.clip(deviation, 1, 250)
    X[:, 7] = rng.integers(0, 255, (n_samples, 8, 1))
    return X, X[:, 0, :6, 0].reshape(n_samples, 3, 2).astype(float)


@pytest.fixture(scope="module")
def images():
    return make_images(600, 0)


@pytest.fixture(scope="module")
def fitted(images):
    return ConformalPoseEstimator(Blurred(), random_state=0).fit(*images)


def test_the_stated_share_of_positions_lies_within_the_radius(fitted):
    X, y = make_images(2000, 1)
    for coverage in LEVELS:
        found, radius = fitted.predict(X, return_radius=True, coverage=coverage)
        share = (keypoint_errors(y, found) <= radius).mean(axis=0)
        np.testing.assert_allclose(share, coverage, atol=0.04)  # of each bodypart


def test_radii_grow_with_the_error_to_be_expected(fitted):
    X, y = make_images(2000, 2)
    found, radius = fitted.predict(X, return_radius=True)
    wide = radius > np.median(radius, axis=0)
    errors = keypoint_errors(y, found)
    assert errors[wide].mean() > 2 * errors[~wide].mean()
    for group in (wide, ~wide):
        assert (errors <= radius)[group].mean() == pytest.approx(0.9, abs=0.04)


def test_what_an_estimator_tells_makes_radii_smaller(images, fitted):
    X, _ = make_images(500, 3)
    silent = ConformalPoseEstimator(Blurred(tells=False), random_state=0).fit(*images)
    assert fitted.predict(X, return_radius=True)[1].mean() < (
        0.95 * silent.predict(X, return_radius=True)[1].mean()
    )


def test_coverage_is_measured_without_the_fold(fitted):
    is_within, radius = fitted.measure_coverage(LEVELS)
    np.testing.assert_allclose(is_within.mean(axis=(1, 2)), LEVELS, atol=0.03)
    assert (np.diff(radius, axis=0) >= 0).all()


def test_confidence_is_the_share_that_is_found(images):
    estimator = ConformalPoseEstimator(Blurred(), within=2.0, random_state=0).fit(*images)
    X, y = make_images(3000, 4)
    found, confidence = estimator.predict(X, return_confidence=True)
    is_found = keypoint_errors(y, found) <= 2.0
    for low, high in ((0, 0.3), (0.3, 0.6), (0.6, 0.8), (0.8, 1)):
        rows = (confidence >= low) & (confidence < high)
        assert rows.sum() > 100
        assert is_found[rows].mean() == pytest.approx(confidence[rows].mean(), abs=0.06)


def test_found_is_within_a_twentieth_of_the_animal(images, fitted):
    _, y = images
    size = np.median((y.max(axis=1) - y.min(axis=1)).max(axis=1))
    assert fitted.within_ == pytest.approx(0.05 * size)


def test_each_fold_is_predicted_by_one_that_has_not_seen_it():
    class Memory(MeanPoseRegressor):
        def fit(self, X, y):
            self.seen_ = {image.tobytes() for image in X}
            return super().fit(X, y)

        def predict(self, X):
            assert len(X) != 10 or not self.seen_ & {image.tobytes() for image in np.asarray(X)}
            return super().predict(X)

    X, y = make_images(30, 0)
    estimator = ConformalPoseEstimator(Memory(), cv=3, random_state=0).fit(X, y)
    assert len(estimator.estimator_.seen_) == 30
    assert sorted(np.bincount(estimator.folds_)) == [10, 10, 10]


def test_groups_are_in_one_fold(images):
    X, y = images
    groups = np.arange(len(X)) // 60
    estimator = ConformalPoseEstimator(Blurred(), random_state=0).fit(X, y, groups=groups)
    assert all(len(set(estimator.folds_[groups == group])) == 1 for group in range(10))
    assert len(set(estimator.folds_)) == 5


def test_a_splitter_divides_the_images(images):
    X, y = images
    estimator = ConformalPoseEstimator(Blurred(), cv=KFold(2)).fit(X, y)
    assert estimator.folds_.tolist() == [0] * 300 + [1] * 300


def test_a_frozen_estimator_is_not_trained(images):
    frozen = FrozenEstimator(Blurred().fit(*images))
    before = Blurred.n_fits
    estimator = ConformalPoseEstimator(frozen, random_state=0).fit(*images)
    assert Blurred.n_fits == before
    X, y = make_images(2000, 5)
    found, radius = estimator.predict(X, return_radius=True)
    assert (keypoint_errors(y, found) <= radius).mean() == pytest.approx(0.9, abs=0.03)


def test_images_without_labels_are_left_out(images):
    X, y = images[0][:60], images[1][:60].copy()
    y[::3] = np.nan
    estimator = ConformalPoseEstimator(Blurred(), random_state=0).fit(X, y)
    assert (estimator.folds_[::3] == -1).all()
    assert np.isnan(estimator.errors_[::3]).all()
    assert np.isfinite(estimator.errors_[1::3]).all()


def test_a_bodypart_with_few_labels_takes_the_radius_of_all(images):
    X, y = images[0], images[1].copy()
    y[5:, 1] = np.nan
    estimator = ConformalPoseEstimator(Blurred(), random_state=0).fit(X, y)
    radius = estimator.predict(X, return_radius=True)[1]
    assert np.isfinite(radius).all()


def test_a_bodypart_that_is_never_labelled_has_a_radius(images):
    X, y = images[0], images[1].copy()
    y[:, 2] = np.nan
    estimator = ConformalPoseEstimator(Blurred(), random_state=0).fit(X, y)
    found, confidence, radius = estimator.predict(X, return_confidence=True, return_radius=True)
    assert np.isfinite(radius).all()
    assert (confidence > 0).all()
    assert np.isnan(estimator.errors_[:, 2]).all()


def test_too_few_labels_for_a_coverage_make_radii_infinite():
    X, y = make_images(4, 0)
    estimator = ConformalPoseEstimator(Blurred(), cv=2, random_state=0).fit(X, y)
    assert np.isinf(estimator.predict(X, return_radius=True, coverage=0.99)[1]).all()
    assert np.isfinite(estimator.predict(X, return_radius=True, coverage=0.5)[1]).all()


class Shifted(Blurred):
    """Errs by just as much everywhere."""

    def predict(self, X, return_confidence=False):
        images = np.asarray(X, dtype=float)
        found = images[:, 0, :6, 0].reshape(-1, 3, 2) + self.seed
        return (found, np.ones(found.shape[:2])) if return_confidence else found


@pytest.mark.parametrize("shift", [0, 3])
def test_constant_errors_are_the_radius(images, shift):
    estimator = ConformalPoseEstimator(Shifted(seed=shift), random_state=0).fit(*images)
    X, y = make_images(10, 6)
    radius = estimator.predict(X, return_radius=True)[1]
    np.testing.assert_allclose(radius, shift * np.sqrt(2), atol=1e-6)


class Lost(Blurred):
    """Finds nothing in every other image."""

    def predict(self, X, return_confidence=False):
        found = super().predict(X, return_confidence)
        keypoints = found[0] if return_confidence else found
        keypoints[np.asarray(X)[:, 0, 0, 0] % 2 == 0] = np.nan
        return found


def test_where_nothing_is_found_there_is_no_radius(images):
    estimator = ConformalPoseEstimator(Lost(), random_state=0).fit(*images)
    X, _ = make_images(100, 7)
    found, confidence, radius = estimator.predict(X, return_confidence=True, return_radius=True)
    is_lost = np.isnan(found).all(axis=2)
    assert is_lost.any()
    assert np.isnan(radius[is_lost]).all()
    assert (confidence[is_lost] == 0).all()
    assert np.isfinite(radius[~is_lost]).all()


@pytest.mark.parametrize("use_maps", [False, True])
def test_networks_are_calibrated_saved_and_read(use_maps, tmp_path):
    data = make_poses(24, image_size=32, random_state=0, return_bunch=True)
    X, y = data.images, data.keypoints
    network = PoseEstimator(
        LEAP(filters=4), skeleton=data.skeleton, max_epochs=1, early_stopping=False
    )
    estimator = ConformalPoseEstimator(network, cv=2, use_maps=use_maps, random_state=0).fit(X, y)
    skpose.save(estimator, tmp_path / "model.skpose")
    read = skpose.load(tmp_path / "model.skpose")
    for first, second in zip(
        estimator.predict(X, return_confidence=True, return_radius=True),
        read.predict(X, return_confidence=True, return_radius=True),
        strict=True,
    ):
        np.testing.assert_array_equal(first, second)
    assert read.fingerprint() == estimator.fingerprint()
    assert read.skeleton == data.skeleton
    assert (read.image_roles(X) == "training").all()
    assert read.predict_maps(X).shape[3] == y.shape[1]
    assert len(estimator.difficulty_["factors"]) == (5 if use_maps else 3)
    np.testing.assert_array_equal(read.predict(X), read.estimator_.predict(X))


def test_radii_are_in_pixels_of_the_images():
    data = make_poses(24, image_size=32, random_state=0, return_bunch=True)
    X, y = data.images.repeat(2, axis=1).repeat(2, axis=2), 2 * data.keypoints + 0.5
    pipeline = make_pipeline(ImageResizer(scale=0.5), tiny_estimator())
    radii = [
        ConformalPoseEstimator(estimator, cv=2, random_state=0)
        .fit(images, keypoints)
        .predict(images, return_radius=True)[1]
        for estimator, images, keypoints in (
            (tiny_estimator(), data.images, data.keypoints),
            (pipeline, X, y),
        )
    ]
    np.testing.assert_allclose(radii[1], 2 * radii[0], rtol=0.02)


def test_an_ensemble_tells_its_spread():
    data = make_poses(24, image_size=32, random_state=0, return_bunch=True)
    ensemble = PoseEnsemble(tiny_estimator(), n_estimators=2)
    estimator = ConformalPoseEstimator(ensemble, cv=2, random_state=0)
    estimator.fit(data.images, data.keypoints)
    assert len(estimator.difficulty_["factors"]) == 4  # three of the confidence, and the spread


def test_images_that_were_trained_on_are_warned_of(tmp_path):
    data = make_poses(20, image_size=32, random_state=0, return_bunch=True)
    X, y = data.images, data.keypoints
    network = PoseEstimator(LEAP(filters=4), max_epochs=1, early_stopping=False).fit(X, y)
    with pytest.warns(UserWarning, match="of the 20 images were trained on"):
        ConformalPoseEstimator(FrozenEstimator(network), cv=2, random_state=0).fit(X, y)
    network.save(tmp_path / "first.skpose")
    begun = clone(network).set_params(pretrained=tmp_path / "first.skpose")
    with pytest.warns(UserWarning, match="pretrained=None"):
        ConformalPoseEstimator(begun, cv=2, random_state=0).fit(X, y)


def test_ctrl_c_stops_all_folds():
    data = make_poses(20, image_size=32, random_state=0, return_bunch=True)
    network = tiny_estimator(max_epochs=3, callbacks=[interrupt_at(1)])
    interrupted = pytest.warns(UserWarning, match="interrupted")
    with interrupted, pytest.raises(KeyboardInterrupt):
        ConformalPoseEstimator(network, cv=2).fit(data.images, data.keypoints)


class Stops(Blurred):
    """Is stopped in the training of the third fold, once."""

    n_fits, has_stopped = 0, False

    def fit(self, X, y):
        if type(self).n_fits == 2 and not type(self).has_stopped:
            type(self).has_stopped = True
            raise KeyboardInterrupt
        return super().fit(X, y)


def test_what_folds_gave_is_kept(images, tmp_path):
    X, y = images
    kept = ConformalPoseEstimator(Stops(), memory=tmp_path / "folds", random_state=0)
    with pytest.raises(KeyboardInterrupt):
        kept.fit(X, y)
    assert Stops.n_fits == 2
    kept.fit(X, y)
    assert Stops.n_fits == 6  # the three folds that were missing, and all images
    whole = ConformalPoseEstimator(Blurred(), random_state=0).fit(X, y)
    np.testing.assert_array_equal(kept.errors_, whole.errors_)
    np.testing.assert_array_equal(
        *(estimator.predict(X, return_radius=True)[1] for estimator in (kept, whole))
    )


def test_what_folds_gave_is_of_the_same_pixels_labels_and_parameters(images, tmp_path):
    X, y = (part[:60] for part in images)
    np.save(tmp_path / "X.npy", X)
    on_disk = np.load(tmp_path / "X.npy", mmap_mode="r+")
    kept = ConformalPoseEstimator(Blurred(), cv=2, memory=str(tmp_path / "folds"), random_state=0)

    def count(X, y):
        before = Blurred.n_fits
        kept.fit(X, y)
        return Blurred.n_fits - before

    assert count(on_disk, y) == 3
    assert count(on_disk, y) == 1
    assert count(on_disk, y + 1) == 3
    on_disk[0, 5, 5] = 255
    assert count(on_disk, y) == 3
    kept.estimator.set_params(seed=1)
    assert count(on_disk, y) == 3
    kept.set_params(random_state=1)
    assert count(on_disk, y) == 3


def test_a_fitted_estimator_may_predict_as_it_is(images):
    fitted = Blurred().fit(*images)
    before = Blurred.n_fits
    estimator = ConformalPoseEstimator(fitted, refit=False, random_state=0).fit(*images)
    assert Blurred.n_fits == before + 5
    assert estimator.estimator_ is fitted


def test_a_splitter_is_not_needed_in_a_file(tmp_path):
    data = make_poses(12, image_size=32, random_state=0, return_bunch=True)
    network = PoseEstimator(LEAP(filters=4), max_epochs=1, early_stopping=False)
    estimator = ConformalPoseEstimator(network, cv=KFold(2), random_state=0)
    estimator.fit(data.images, data.keypoints)
    with pytest.warns(UserWarning, match="cv"):
        skpose.save(estimator, tmp_path / "model.skpose")
    read = skpose.load(tmp_path / "model.skpose")
    np.testing.assert_array_equal(read.predict(data.images), estimator.predict(data.images))


def test_any_splitter_of_scikit_learn_will_do(images):
    X, y = images[0][:60], images[1][:60]
    groups = np.arange(60) // 20
    estimator = ConformalPoseEstimator(Blurred(), cv=LeaveOneGroupOut())
    estimator.fit(X, y, groups=groups)
    assert estimator.folds_.tolist() == groups.tolist()
    estimator = ConformalPoseEstimator(Blurred(), cv=ShuffleSplit(30, test_size=0.5)).fit(X, y)
    assert estimator.folds_.max() == 29


def test_confidence_of_a_bodypart_with_few_labels_is_that_of_all(images):
    X, y = images[0], images[1].copy()
    y[3:, 1] = np.nan
    estimator = ConformalPoseEstimator(Blurred(), within=50.0, random_state=0).fit(X, y)
    assert (estimator.predict(X, return_confidence=True)[1][:, 1] > 0.95).all()


def test_it_sees_what_the_estimator_sees():
    data = make_poses(12, image_size=32, random_state=0, return_bunch=True)
    pipeline = make_pipeline(ImageResizer(scale=1.0, region=(0, 0, 24, 24)), tiny_estimator())
    estimator = ConformalPoseEstimator(pipeline, cv=2).fit(data.images, data.keypoints)
    assert estimator.region_ == (0, 0, 24, 24)


def test_maps_need_an_estimator_that_draws_them(images):
    before = Blurred.n_fits
    with pytest.raises(ValueError, match="Blurred draws no confidence maps"):
        ConformalPoseEstimator(Blurred(), use_maps=True).fit(*images)
    assert Blurred.n_fits == before


def test_errors_in_one_fold_alone_are_too_few(images):
    class Rarely(Blurred):
        def predict(self, X, return_confidence=False):
            found = super().predict(X, return_confidence)
            keypoints = found[0] if return_confidence else found
            keypoints[np.asarray(X)[:, 0, 0, 0] != images[0][0, 0, 0, 0]] = np.nan
            return found

    X, y = images[0][:20], images[1][:20]
    with pytest.raises(ValueError, match="all folds but one"):
        ConformalPoseEstimator(Rarely(), cv=2, random_state=0).fit(X, y)


def test_weights_need_an_estimator_that_takes_them(images):
    X, y = images
    with pytest.raises(ValueError, match="Blurred takes no sample_weight"):
        ConformalPoseEstimator(Blurred()).fit(X, y, sample_weight=np.ones(len(X)))


def test_it_is_cloned_with_its_parameters():
    estimator = ConformalPoseEstimator(Blurred(), coverage=0.8, cv=3)
    assert clone(estimator).get_params()["estimator__tells"] is True
    assert clone(estimator).coverage == 0.8


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"coverage": 0}, "coverage"),
        ({"coverage": 1.0}, "coverage"),
        ({"cv": 1}, "cv"),
        ({"cv": 700}, "600 labelled images, too few for 700 folds"),
        ({"within": -1.0}, "within"),
    ],
)
def test_bad_parameters_are_told_before_any_training(images, parameters, message):
    before = Blurred.n_fits
    with pytest.raises(ValueError, match=message):
        ConformalPoseEstimator(Blurred(), **parameters).fit(*images)
    assert Blurred.n_fits == before


def test_too_few_groups_are_told(images):
    X, y = images
    with pytest.raises(ValueError, match="2 groups with labels, too few for 5 folds"):
        ConformalPoseEstimator(Blurred()).fit(X, y, groups=np.arange(len(X)) % 2)


@pytest.mark.parametrize("coverage", [0, 1, 1.5])
def test_coverage_is_checked_in_predict(fitted, images, coverage):
    with pytest.raises(ValueError, match="between 0 and 1"):
        fitted.predict(images[0], return_radius=True, coverage=coverage)


def test_no_labels_are_told(images):
    X, y = images
    with pytest.raises(ValueError, match="0 labelled images"):
        ConformalPoseEstimator(Blurred()).fit(X, np.full(y.shape, np.nan))


def test_one_bodypart_needs_a_distance(images):
    X, y = images
    with pytest.raises(ValueError, match="Give within"):
        ConformalPoseEstimator(One()).fit(X, y[:, :1])


class One(Blurred):
    """Finds the first bodypart alone."""

    def predict(self, X, return_confidence=False):
        found = super().predict(X, return_confidence)
        return tuple(each[:, :1] for each in found) if return_confidence else found[:, :1]
