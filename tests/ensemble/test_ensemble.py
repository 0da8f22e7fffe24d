from helpers import interrupt_at, tiny_estimator
import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skpose
from skpose import PoseEstimator
from skpose.baseline import MeanPoseRegressor
from skpose.datasets import make_poses
from skpose.ensemble import PoseEnsemble, robust_mean
from skpose.models import LEAP
from skpose.preprocessing import ImageResizer
from skpose.sampling import ConfidenceSampler, EnsembleSampler
from skpose.skeleton import Skeleton
from skpose.two_stage import TwoStageEstimator
from skpose.video_poses import predict_members, predict_video


class Fixed(BaseEstimator):
    """Finds one keypoint at the same place of every image, or nothing."""

    skeleton = None

    def __init__(self, place=(0.0, 0.0), confidence=1.0):
        self.place = place
        self.confidence = confidence

    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    def predict(self, X, return_confidence=False):
        keypoints = np.tile(np.array(self.place, dtype=float), (len(X), 1, 1))
        return keypoints, np.full(keypoints.shape[:2], self.confidence)


class Brightest(BaseEstimator):
    """Finds the middle of what is bright, and that of what is brighter."""

    skeleton = Skeleton(["left", "right"], swaps=["right", "left"])

    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    def predict(self, X):
        from skpose.preprocessing import ImageBatch

        batch = ImageBatch.wrap(X)
        pixels = np.asarray(batch)[..., 0]
        found = [
            np.stack([np.argwhere(image > level).mean(axis=0)[::-1] for level in (100, 200)])
            for image in pixels
        ]
        return batch.to_user(np.array(found))


@pytest.fixture(scope="module")
def data():
    return make_poses(16, image_size=32, random_state=0, return_bunch=True)


@pytest.fixture(scope="module")
def fitted(data):
    network = PoseEstimator(LEAP(filters=4), skeleton=data.skeleton, max_epochs=2)
    return PoseEnsemble(network, n_estimators=3, random_state=0).fit(data.images, data.keypoints)


def ensemble_of(*members):
    """An ensemble of such that find one keypoint, of an animal of 20 pixels."""
    X, y = np.zeros((2, 20, 20, 1), np.uint8), np.tile([[0.0, 0.0], [20.0, 0.0]], (2, 1, 1))
    ensemble = PoseEnsemble(list(members)).fit(X, y)
    ensemble.n_keypoints_ = 1
    return ensemble, X


def test_estimators_differ_by_their_seeds(fitted, data):
    poses, _ = fitted.predict_members(data.images)
    assert poses.shape == (3, *data.keypoints.shape)
    assert np.abs(poses[0] - poses[1]).max() > 0.1
    assert len({member.random_state for member in fitted.estimators_}) == 3


def test_poses_are_the_robust_mean_of_the_estimators(fitted, data):
    poses, confidences = fitted.predict_members(data.images)
    np.testing.assert_allclose(fitted.predict(data.images), robust_mean(poses, confidences))


def test_seeds_come_from_random_state_alone(data):
    network = tiny_estimator(random_state=None)
    runs = [
        PoseEnsemble(network, n_estimators=2, random_state=3)
        .fit(data.images, data.keypoints)
        .predict(data.images)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*runs)


def test_a_seed_of_the_estimator_does_not_make_all_the_same(data):
    ensemble = PoseEnsemble(tiny_estimator(random_state=0), n_estimators=2, random_state=0)
    ensemble.fit(data.images, data.keypoints)
    assert (ensemble.predict(data.images, return_std=True)[1] > 0).any()


def test_several_processes_find_the_same(data):
    network = tiny_estimator()
    one, two = (
        PoseEnsemble(network, n_estimators=2, n_jobs=n_jobs, random_state=0)
        .fit(data.images, data.keypoints)
        .predict(data.images)
        for n_jobs in (1, 2)
    )
    np.testing.assert_allclose(one, two, atol=1e-3)


def test_confidence_is_low_where_estimators_disagree():
    near, X = ensemble_of(Fixed((5, 5), 0.8), Fixed((5, 5), 0.6))
    far, _ = ensemble_of(Fixed((5, 5), 0.8), Fixed((15, 5), 0.6))
    assert near.predict(X, return_confidence=True)[1] == pytest.approx(0.7)
    assert (far.predict(X, return_confidence=True)[1] < 0.01).all()


def test_confidence_of_estimators_that_tell_none_is_nan(data):
    ensemble = PoseEnsemble([MeanPoseRegressor(), MeanPoseRegressor()])
    ensemble.fit(data.images, data.keypoints)
    keypoints, confidence, std = ensemble.predict(
        data.images, return_confidence=True, return_std=True
    )
    assert np.isnan(confidence).all()
    assert (std == 0).all()
    np.testing.assert_allclose(
        keypoints, MeanPoseRegressor().fit(data.images, data.keypoints).predict(data.images)
    )


def test_different_networks_are_trained(data):
    networks = [tiny_estimator(), PoseEstimator(LEAP(filters=4), max_epochs=1)]
    ensemble = PoseEnsemble(networks, random_state=0).fit(data.images, data.keypoints)
    assert [type(e.architecture_).__name__ for e in ensemble.estimators_] == [
        "CustomArchitecture",
        "LEAP",
    ]


def test_snapshots_go_on_from_each_other_in_the_epochs_of_one(data):
    network = tiny_estimator(max_epochs=6, lr_schedule="cosine")
    ensemble = PoseEnsemble(network, n_estimators=3, snapshots=True, random_state=0)
    ensemble.fit(data.images, data.keypoints)
    assert [member.n_iter_ for member in ensemble.estimators_] == [2, 4, 6]
    poses, _ = ensemble.predict_members(data.images)
    assert np.abs(poses[0] - poses[2]).max() > 0
    alone = clone(network).set_params(
        max_epochs=2, random_state=ensemble.estimators_[0].random_state
    )
    np.testing.assert_allclose(
        alone.fit(data.images, data.keypoints).predict(data.images), poses[0], atol=1e-3
    )


def test_views_are_moved_back():
    image = np.zeros((1, 41, 31, 1), np.uint8)
    image[0, 18:23, 6:11] = 150
    image[0, 25:28, 18:21] = 250
    expected = Brightest().predict(image)
    plain = PoseEnsemble([Brightest()], rotations=(0, 90, -30), mirror=True)
    plain.fit(image, expected)
    poses, _ = plain.predict_members(image)
    assert poses.shape == (6, 1, 2, 2)
    swapped = poses[3:, :, ::-1]  # mirrored views find the other side's
    np.testing.assert_allclose(poses[:3], np.broadcast_to(expected, (3, 1, 2, 2)), atol=0.6)
    np.testing.assert_allclose(swapped, np.broadcast_to(expected, (3, 1, 2, 2)), atol=0.6)


def test_views_turn_about_the_middle_of_what_is_seen():
    image = np.zeros((1, 40, 60, 1), np.uint8)
    image[0, 16:21, 6:11] = 150
    image[0, 13:15, 3:5] = 250
    pipeline = make_pipeline(ImageResizer(scale=1.0, region=(0, 10, 20, 20)), Brightest())
    expected = Brightest().predict(image)
    pipeline.fit(image, expected)
    ensemble = PoseEnsemble([pipeline], rotations=(0, 15), mirror=True).fit(image, expected)
    assert ensemble.region_ == (0, 10, 20, 20)
    poses, _ = ensemble.predict_members(image)
    poses[2:] = poses[2:, :, ::-1]
    np.testing.assert_allclose(poses, np.broadcast_to(expected, poses.shape), atol=0.6)


def test_trained_ones_are_put_together_without_training(data):
    members = [
        tiny_estimator(random_state=seed).fit(data.images, data.keypoints) for seed in (0, 1)
    ]
    ensemble = PoseEnsemble([FrozenEstimator(member) for member in members])
    ensemble.fit(data.images, data.keypoints)
    poses, _ = ensemble.predict_members(data.images)
    np.testing.assert_array_equal(poses[1], members[1].predict(data.images))


def test_saved_ensemble_predicts_the_same(fitted, data, tmp_path):
    skpose.save(fitted, tmp_path / "ensemble.skpose")
    read = skpose.load(tmp_path / "ensemble.skpose")
    np.testing.assert_array_equal(read.predict(data.images), fitted.predict(data.images))
    assert read.fingerprint() == fitted.fingerprint()
    assert read.size_ == fitted.size_


def test_exported_ensemble_predicts_the_same(fitted, data, tmp_path):
    fitted.export(tmp_path / "onnx.skpose")
    read = skpose.load(tmp_path / "onnx.skpose")
    np.testing.assert_allclose(read.predict(data.images), fitted.predict(data.images), atol=2e-3)


def test_ensemble_in_a_pipeline_gives_pixels_of_the_images(data):
    pipeline = make_pipeline(
        ImageResizer(scale=0.5), PoseEnsemble(tiny_estimator(), n_estimators=2, random_state=0)
    )
    pipeline.fit(data.images, data.keypoints)
    assert pipeline[-1].image_shape_ == (16, 16, 1)
    assert pipeline.predict(data.images).max() > 16


def test_parameters_of_the_estimator_are_searched(data):
    search = GridSearchCV(
        PoseEnsemble(tiny_estimator(), n_estimators=2, random_state=0),
        {"estimator__targets__sigma": [2.0, 3.0]},
        cv=2,
    )
    search.fit(data.images, data.keypoints)
    assert search.best_params_["estimator__targets__sigma"] in (2.0, 3.0)


def test_roles_are_those_of_any_estimator(fitted, data):
    roles = fitted.image_roles(data.images)
    assert set(roles) <= {"training", "validation"}
    assert (fitted.image_roles(255 - data.images) == "new").all()
    assert (roles == "training").sum() >= (
        fitted.estimators_[0].image_roles(data.images) == "training"
    ).sum()


def test_samplers_take_an_ensemble(fitted, data):
    rows = EnsembleSampler(fitted, n_frames=3, min_separation=1).select(data.images)
    std = fitted.predict(data.images, return_std=True)[1].mean(axis=1)
    assert set(rows) == set(np.argsort(std)[-3:])
    assert len(ConfidenceSampler(fitted, n_frames=2, min_separation=1).select(data.images)) == 2


def test_videos_are_predicted_by_an_ensemble(fitted, data):
    poses = predict_video(fitted, data.images)
    found = poses.position.transpose("time", "keypoint", "space", "individual").values[..., 0]
    np.testing.assert_allclose(found, fitted.predict(data.images), atol=1e-3)


def test_tables_of_each_estimator_are_written(fitted, data, tmp_path):
    from helpers import write_video

    from skpose.poses import read_poses

    write_video(tmp_path / "film.mp4", np.repeat(data.images, 3, axis=3))
    paths = predict_members(fitted, [tmp_path / "film.mp4"], out=tmp_path / "tables")
    assert [path.name for path in paths] == ["film_0.csv", "film_1.csv", "film_2.csv"]
    first = predict_video(fitted.estimators_[0], tmp_path / "film.mp4")
    np.testing.assert_allclose(
        read_poses(paths[0]).position.values, first.position.values, atol=1e-3
    )


@pytest.mark.parametrize(
    ("ensemble", "message"),
    [
        (PoseEnsemble(MeanPoseRegressor(), n_estimators=2), "no random_state"),
        (PoseEnsemble([]), "empty"),
        (PoseEnsemble(tiny_estimator(), rotations=()), "rotations must be degrees"),
        (PoseEnsemble(tiny_estimator(), mirror=True), "no partners"),
        (PoseEnsemble([tiny_estimator(), tiny_estimator()], snapshots=True), "of one estimator"),
    ],
)
def test_bad_parameters_are_told_before_any_training(ensemble, message, data):
    with pytest.raises(ValueError, match=message):
        ensemble.fit(data.images, data.keypoints)


def test_ctrl_c_stops_the_whole_ensemble(data):
    network = tiny_estimator(max_epochs=3, callbacks=[interrupt_at(1)])
    interrupted = pytest.warns(UserWarning, match="interrupted")
    with interrupted, pytest.raises(KeyboardInterrupt):
        PoseEnsemble(network, n_estimators=2).fit(data.images, data.keypoints)


def test_seeds_reach_all_parts(data):
    stages = TwoStageEstimator(tiny_estimator(random_state=0), tiny_estimator(random_state=0))
    first, second = PoseEnsemble(stages, n_estimators=2, random_state=0)._make_members()
    for name in ("random_state", "coarse__random_state", "fine__random_state"):
        assert first.get_params()[name] != second.get_params()[name]


def test_confidence_is_that_of_those_who_tell_one():
    class Silent(Fixed):
        def predict(self, X):
            return super().predict(X)[0]

    ensemble, X = ensemble_of(Fixed((5, 5), 0.8), Silent((5, 5)))
    assert ensemble.predict(X, return_confidence=True)[1] == pytest.approx(0.8)


def test_estimators_must_find_the_same_bodyparts(data):
    one, X = ensemble_of(Fixed(), Fixed())
    one.n_keypoints_ = 3
    with pytest.raises(ValueError, match="finds 1 bodyparts, but the ensemble has 3"):
        one.predict(X)


def test_fingerprints_tell_ensembles_of_other_animals_apart():
    one, _ = ensemble_of(Fixed(), Fixed())
    before = one.fingerprint()
    one.size_ *= 2
    assert one.fingerprint() != before


def test_options_must_fit_the_images(data):
    ensemble = PoseEnsemble(tiny_estimator(), n_estimators=2)
    with pytest.raises(ValueError, match="groups must have a row for each of the 16 samples"):
        ensemble.fit(data.images, data.keypoints, groups=np.arange(20))


def test_what_a_file_cannot_hold_is_given_once_for_all(data, tmp_path):
    network = tiny_estimator()
    ensemble = PoseEnsemble(network, n_estimators=2, random_state=0)
    ensemble.fit(data.images, data.keypoints)
    with pytest.warns(UserWarning, match="estimator__model__network"):
        skpose.save(ensemble, tmp_path / "ensemble.skpose")
    with pytest.raises(ValueError, match="estimator__model__network"):
        skpose.load(tmp_path / "ensemble.skpose")
    given = {"estimator__model__network": network.model.network}
    read = skpose.load(tmp_path / "ensemble.skpose", custom_objects=given)
    np.testing.assert_array_equal(read.predict(data.images), ensemble.predict(data.images))


def test_snapshots_need_training_that_goes_on(data):
    with pytest.raises(TypeError, match="snapshots need a PoseEstimator"):
        PoseEnsemble(MeanPoseRegressor(), 1, snapshots=True).fit(data.images, data.keypoints)


def test_export_refuses_what_it_cannot_hold(fitted, data, tmp_path):
    with pytest.raises(ValueError, match="one network"):
        fitted.export(tmp_path / "ensemble.onnx")
    ensemble = PoseEnsemble([MeanPoseRegressor()]).fit(data.images, data.keypoints)
    with pytest.raises(TypeError, match="can be exported"):
        ensemble.export(tmp_path / "ensemble.skpose")
