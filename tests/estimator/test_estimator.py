import copy
from inspect import signature
import pickle

import h5py
from helpers import small_estimator, tiny_estimator
import keras
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
import pytest
from sklearn.base import clone

from skpose import PoseEstimator, Skeleton
from skpose.augment import Augmenter
from skpose.models import ResidualUNet, StackedDenseNet
from skpose.preprocessing import EgocentricAligner, ImageResizer
from skpose.sampling import KMeansSampler
from skpose.targets import ConfidenceMaps


@pytest.mark.backend
@pytest.mark.slow
def test_a_blob_is_found_to_a_fraction_of_a_pixel(blobs):
    X, y = blobs
    rate = {"learning_rate": 3e-3, "lr_schedule": "plateau", "lr_patience": 60}  # constant
    estimator = small_estimator(max_epochs=60, early_stopping=False, **rate).fit(X, y)
    assert -estimator.score(X, y) < 0.5


@pytest.mark.backend
def test_predictions_are_in_the_image_with_confidence_in_0_to_1(fitted, poses):
    y, confidence = fitted.predict(poses.images, return_confidence=True)
    assert y.shape == poses.keypoints.shape
    assert confidence.shape == y.shape[:2]
    assert ((y >= -0.5) & (y <= 31.5)).all()
    assert ((confidence >= 0) & (confidence <= 1)).all()


@pytest.mark.backend
def test_batch_size_does_not_change_the_prediction(fitted, poses):
    whole = fitted.predict(poses.images)
    assert_allclose(fitted.predict(poses.images, batch_size=5), whole, atol=1e-2)
    assert_allclose(fitted.predict(poses.images[3:4]), whole[3:4], atol=1e-2)


@pytest.mark.slow
def test_same_random_state_gives_the_same_predictions(poses):
    a, b = (
        small_estimator(max_epochs=1, augmenter="auto", skeleton=poses.skeleton)
        .fit(poses.images, poses.keypoints)
        .predict(poses.images)
        for _ in range(2)
    )
    assert_allclose(a, b, atol=1e-3)


@pytest.mark.slow
def test_fit_leaves_the_global_generators_alone(poses):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    small_estimator(max_epochs=1).fit(poses.images, poses.keypoints)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_score_is_the_negative_mean_error_of_what_is_labelled(fitted, poses):
    y = poses.keypoints.copy()
    y[:, 2:] = np.nan
    distance = np.linalg.norm(fitted.predict(poses.images) - poses.keypoints, axis=-1)[:, :2]
    assert fitted.score(poses.images, y) == pytest.approx(-distance.mean())
    weight = np.arange(1, 13)
    expected = -np.average(distance, axis=0, weights=weight).mean()
    assert fitted.score(poses.images, y, sample_weight=weight) == pytest.approx(expected)


def shared_features(inputs, n_outputs):
    """A network whose first weights do not depend on the number of maps, which share features."""
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = keras.layers.Conv2D(8, 5, strides=2, padding="same", activation="tanh")(x)
    return keras.layers.Conv2D(n_outputs, 1, kernel_initializer="ones")(x)


@pytest.mark.slow
def test_unlabelled_keypoints_do_not_change_what_is_learnt_of_the_others(blobs):
    X, y = blobs
    unlabelled, wrong = np.full_like(y, np.nan), np.full_like(y, 5.0)
    estimator = small_estimator(
        model=shared_features, early_stopping=False, max_epochs=3, learning_rate=0.1
    )
    alone = clone(estimator).fit(X, y).predict_maps(X)[..., 0]
    with pytest.warns(UserWarning, match="never labelled"):
        estimator.fit(X, np.concatenate([y, unlabelled], axis=1))
    assert_allclose(estimator.predict_maps(X)[..., 0], alone, atol=1e-4)
    estimator.fit(X, np.concatenate([y, wrong], axis=1))  # what is labelled does
    assert not np.allclose(estimator.predict_maps(X)[..., 0], alone, atol=1e-2)


@pytest.mark.backend
@pytest.mark.parametrize("size", [(32, 32), (33, 41), (20, 64)])
def test_images_of_other_sizes_are_padded_and_nothing_shows_it(fitted, size):
    X = np.random.default_rng(0).integers(0, 256, (2, *size, 1), dtype=np.uint8)
    maps = fitted.predict_maps(X)
    n_rows, n_columns = -(-size[0] // 2), -(-size[1] // 2)
    assert maps.shape == (2, n_rows, n_columns, fitted.targets_.n_maps_)
    below, beside = (-side % fitted.model_.divisor for side in size)
    padded = np.pad(
        X.astype(np.float32), [(0, 0), (0, below), (0, beside), (0, 0)], constant_values=127.5
    )
    last = keras.ops.convert_to_numpy(keras.tree.flatten(fitted.model_.network(padded))[-1])
    assert_allclose(maps, last[:, :n_rows, :n_columns] / 255, atol=1e-4)
    found = keras.ops.convert_to_numpy(fitted.model_.find(maps))
    assert_allclose(fitted.predict(X), found[..., :2], atol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize(("n_channels", "size"), [(1, (27, 35)), (3, (32, 48))])
def test_fits_odd_and_non_square_sizes_and_colour(n_channels, size):
    X = np.random.default_rng(0).integers(0, 256, (6, *size, n_channels), dtype=np.uint8)
    y = np.random.default_rng(1).uniform(0, 26, (6, 2, 2))
    estimator = small_estimator(max_epochs=1).fit(X, y)
    assert estimator.predict(X).shape == y.shape
    assert estimator.image_shape_ == (*size, n_channels)


@pytest.mark.backend
def test_maps_are_what_the_peaks_are_found_in(fitted, poses):
    maps = fitted.predict_maps(poses.images)
    assert_allclose(
        fitted.targets_.inverse_transform(maps), fitted.predict(poses.images), atol=1e-2
    )


@pytest.mark.slow
def test_subpixel_can_be_switched_off(poses):
    estimator = small_estimator(subpixel=False, max_epochs=1).fit(poses.images, poses.keypoints)
    y = estimator.predict(poses.images)
    assert_allclose(y, 2 * np.round((y - 0.5) / 2) + 0.5)


@pytest.mark.slow
def test_predictions_come_back_in_the_pixels_of_the_user(blobs):
    X, y = blobs
    large = np.repeat(np.repeat(X, 2, axis=1), 2, axis=2)
    batch = ImageResizer(scale=0.5).fit_transform(large)
    estimator = small_estimator(max_epochs=1).fit(batch, 2 * y + 0.5)
    plain = small_estimator(max_epochs=1).fit(X, y)
    assert estimator.image_shape_ == (32, 32, 1)
    assert_allclose(estimator.predict(batch), 2 * plain.predict(X) + 0.5, atol=0.05)
    assert estimator.history_["val_keypoint_error"][0] == pytest.approx(
        2 * plain.history_["val_keypoint_error"][0], rel=1e-2
    )


@pytest.mark.slow
def test_the_last_partial_batch_is_trained_on(blobs):
    X, y = blobs
    estimator = small_estimator(batch_size=100, early_stopping=False, max_epochs=1, tol=0)
    before = clone(estimator).set_params(learning_rate=1e-12).fit(X[:3], y[:3]).predict_maps(X)
    assert not np.allclose(estimator.fit(X[:3], y[:3]).predict_maps(X), before, atol=1e-4)


@pytest.mark.backend
@pytest.mark.parametrize("copy_of", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_a_copy_predicts_the_same_and_can_be_copied_again(fitted, poses, copy_of):
    twin = copy_of(copy_of(fitted))
    assert_array_equal(twin.predict(poses.images), fitted.predict(poses.images))


def test_a_pickle_is_small(fitted):
    assert len(pickle.dumps(fitted)) < 4 * 3 * fitted.model_.count_params() + 50_000


def test_clone_is_unfitted_with_equal_parameters(fitted):
    twin = clone(fitted)
    assert not hasattr(twin, "n_iter_")
    assert repr(twin.get_params()) == repr(fitted.get_params())


@pytest.mark.slow
def test_x_may_be_a_file(poses, fitted, tmp_path):
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["images"] = poses.images
        estimator = small_estimator(skeleton=poses.skeleton).fit(file["images"], poses.keypoints)
        assert_allclose(estimator.predict(file["images"]), fitted.predict(poses.images), atol=1e-3)
    memmap = np.memmap(tmp_path / "images.dat", np.uint8, "w+", shape=poses.images.shape)
    memmap[:] = poses.images
    assert_array_equal(fitted.predict(memmap), fitted.predict(poses.images))


def test_whole_floats_are_the_same_as_uint8(fitted, poses):
    as_float = fitted.predict(poses.images.astype(np.float64))
    assert_array_equal(as_float, fitted.predict(poses.images))


def test_parts_that_were_used_stand_in_attributes(fitted, poses):
    assert fitted.targets_.n_maps_ == len(fitted.targets_.map_names_)
    assert fitted.targets_.skeleton == poses.skeleton
    assert fitted.architecture_.growth_rate == 8
    assert fitted.augmenters_ == []
    assert fitted.targets.skeleton is None  # the parameter itself is not changed


@pytest.mark.slow
def test_default_augmenter_mirrors_only_where_partners_are_known(poses):
    X, y = poses.images, poses.keypoints
    with_partners = small_estimator(augmenter="auto", max_epochs=1, skeleton=poses.skeleton)
    assert with_partners.fit(X, y).augmenters_[0].fliplr_ > 0
    without = small_estimator(augmenter="auto", max_epochs=1)
    assert without.fit(X, y).augmenters_[0].fliplr_ == 0


@pytest.mark.slow
def test_default_augmenter_reads_the_labels_as_the_network_sees_them(capsys):
    X, y = np.zeros((12, 32, 32, 1), np.uint8), np.random.default_rng(0).uniform(9, 22, (3, 2))
    y = y + np.random.default_rng(1).uniform(-1, 1, (12, 3, 2))
    angles = np.linspace(0, 6, 12)
    aligner = EgocentricAligner(front=0, back=1, box_size=32)
    turned = aligner.fit(X).transform(X, np.full((12, 2), 15.5), -angles)
    estimator = tiny_estimator(augmenter="auto", verbose=1)
    all_round = turned.to_user(y)  # in the user's images, not in those that the network sees
    for images, keypoints in ((X, y), (turned, all_round)):
        assert estimator.fit(images, keypoints).augmenters_[0].rotation_ < 25
        assert "labelled poses lie within" in capsys.readouterr().err
    learnt = estimator.fit(X, y).augmenters_[0].rotation_
    assert estimator.partial_fit(X[:3], all_round[:3]).augmenters_[0].rotation_ == learnt
    assert estimator.fit(X, all_round).augmenters_[0].rotation_ > learnt
    assert "labelled poses lie in many directions" in capsys.readouterr().err
    estimator.set_params(augmenter__rotation=20, verbose=0).fit(X, all_round)
    assert estimator.augmenters_[0].rotation_ == 20
    assert estimator.augmenters_[0].translation_ >= 0.05
    assert "labelled poses" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model__filters", "targets__sigma", "augmenter__rotation"])
def test_search_reaches_the_parameters_of_default_parts(name):
    estimator = PoseEstimator(skeleton=Skeleton(["a"])).set_params(**{name: 7})
    assert estimator.get_params()[name] == 7


def test_set_params_takes_a_part_and_its_parameter_together():
    estimator = PoseEstimator().set_params(model="stacked_densenet", model__n_stacks=3)
    assert estimator.model == StackedDenseNet(n_stacks=3) or estimator.model.n_stacks == 3


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("bach_size", "Did you mean 'batch_size'"),
        ("targets__sgima", "Did you mean 'sigma'"),
        ("model__filter", "Did you mean 'filters'"),
        ("sigma", "its targets has: set targets__sigma"),
        ("filters", "its model has: set model__filters"),
        ("rotation", "its augmenter has: set augmenter__rotation"),
    ],
)
def test_unknown_parameter_is_refused_with_the_nearest_name(name, match):
    with pytest.raises(ValueError, match=match):
        PoseEstimator().set_params(**{name: 1})


@pytest.mark.parametrize(
    ("cls", "name", "nearest"),
    [
        (PoseEstimator, "max_epoch", "max_epochs"),
        (Augmenter, "rotate", "rotation"),
        (ConfidenceMaps, "sgima", "sigma"),
        (ResidualUNet, "filter", "filters"),
        (ImageResizer, "img_size", "image_size"),
        (KMeansSampler, "frames", "n_frames"),
    ],
)
def test_a_mistyped_argument_is_refused_with_the_nearest_name(cls, name, nearest):
    with pytest.raises(TypeError, match=f"{cls.__name__}: .*{name}.* Did you mean '{nearest}'"):
        cls(**{name: 1})
    assert nearest in signature(cls).parameters  # help and editors still see them


def test_repr_and_diagram_work(fitted):
    assert "PoseEstimator" in repr(fitted)
    assert "growth_rate" in fitted._repr_html_()


def test_targets_smaller_than_the_network_allows_are_refused(poses):
    estimator = small_estimator(targets=ConfidenceMaps(downsample_factor=0))
    with pytest.raises(ValueError, match="downsample_factor"):
        estimator.fit(poses.images, poses.keypoints)
