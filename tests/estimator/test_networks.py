import pickle

from helpers import small_estimator
import keras
import numpy as np
from numpy.testing import assert_array_equal
import pytest
from sklearn.base import clone

import skpose
from skpose.models import LEAP, DeepLabCut, ResidualUNet, StackedDenseNet, StackedHourglass
from skpose.targets import ConfidenceMaps

CONSTANT = {"learning_rate": 3e-3, "lr_schedule": "plateau", "lr_patience": 160}


def plain_network(inputs, n_outputs):
    """A user's own network: three convolutions and maps at half the resolution."""
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = keras.layers.Conv2D(16, 5, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.Conv2D(16, 5, padding="same", activation="relu")(x)
    return keras.layers.Conv2D(n_outputs, 1)(x)


NETWORKS = {
    "stacked_densenet": (StackedDenseNet(n_stacks=1, growth_rate=8), 1),
    "stacked_hourglass": (StackedHourglass(n_stacks=1, filters=16), 1),
    "residual_unet": (ResidualUNet(filters=16), 1),
    "leap": (LEAP(filters=8), 0),
    "deeplabcut": (DeepLabCut("mobilenetv2", alpha=0.35, weights=None), 2),
    "custom": (plain_network, 1),
}
COMPILED = {"stacked_densenet", "leap"}  # by XLA too, which takes minutes for the others


def _estimator(name, **params):
    model, downsample_factor = NETWORKS[name]
    targets = ConfidenceMaps(sigma=3.0, downsample_factor=downsample_factor)
    return small_estimator(model=model, targets=targets, **params)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "deeplabcut"])
def test_each_network_finds_a_blob_within_two_pixels(name, blobs):
    X, y = blobs
    # Hourglasses have batch statistics, which take some hundred steps to settle.
    max_epochs = 160 if name == "stacked_hourglass" else 60
    estimator = _estimator(name, max_epochs=max_epochs, early_stopping=False, **CONSTANT).fit(X, y)
    assert -estimator.score(X, y) < 2


@pytest.mark.slow
def test_deeplabcut_finds_a_blob_within_two_pixels_in_training(blobs):
    # Without pretrained weights, its encoder's batch statistics take thousands of steps to settle,
    # so that it is judged by those of the batch, as in training.
    X, y = blobs
    estimator = _estimator("deeplabcut", max_epochs=80, early_stopping=False, **CONSTANT).fit(X, y)
    assert estimator.history_["keypoint_error"][-1] < 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.backend if name in COMPILED else [])
        for name in NETWORKS
    ],
)
def test_each_network_can_be_copied_and_saved(name, tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (4, 35, 44, 3), dtype=np.uint8)
    y = np.random.default_rng(1).uniform(0, 30, (4, 2, 2))
    estimator = _estimator(name, max_epochs=1, early_stopping=False).fit(X, y)
    expected = estimator.predict(X)
    stride = 2 ** NETWORKS[name][1]
    assert estimator.predict_maps(X).shape == (4, -(-35 // stride), -(-44 // stride), 2)
    assert_array_equal(pickle.loads(pickle.dumps(estimator)).predict(X), expected)
    assert clone(estimator).get_params().keys() == estimator.get_params().keys()
    if name == "custom":
        with pytest.warns(UserWarning, match="cannot hold the model"):
            estimator.save(tmp_path / "m")
        with pytest.raises(ValueError, match="custom_objects"):
            skpose.load(tmp_path / "m")
        loaded = skpose.load(tmp_path / "m", custom_objects={"model": plain_network})
    else:
        estimator.save(tmp_path / "m")
        loaded = skpose.load(tmp_path / "m")
    assert_array_equal(loaded.predict(X), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_trains_in_mixed_precision(name, blobs):
    X, y = blobs
    estimator = _estimator(name, max_epochs=1, early_stopping=False, precision="mixed_bfloat16")
    maps = estimator.fit(X, y).predict_maps(X[:2])
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()


@pytest.mark.slow
@pytest.mark.parametrize("downsample_factor", [1, 2, 3])
def test_output_resolution_is_an_option(downsample_factor, blobs):
    X, y = blobs
    targets = ConfidenceMaps(sigma=4.0, downsample_factor=downsample_factor)
    estimator = small_estimator(targets=targets, max_epochs=1, early_stopping=False).fit(X, y)
    assert estimator.predict_maps(X[:1]).shape[1] == 32 // 2**downsample_factor


def test_a_network_has_its_own_defaults_for_resolution_and_peaks(blobs):
    X, y = blobs
    estimator = small_estimator(model=LEAP(filters=4), targets=None, max_epochs=1)
    estimator.fit(X, y)
    assert estimator.targets_.downsample_factor == 0
    assert estimator.subpixel_ is False


@pytest.mark.slow
def test_a_frozen_encoder_does_not_change_in_the_first_epochs(blobs):
    X, y = blobs

    class Pretrained(StackedDenseNet):
        """Stands in for a network with a pretrained encoder: its front end is never random."""

        def encoder_layers(self, model):
            return ("front_conv",)

    frozen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            layer = self.model.network.get_layer("front_conv")
            frozen.append(layer.get_weights()[0])

    estimator = small_estimator(
        model=Pretrained(n_stacks=1, growth_rate=4, freeze_encoder=1),
        max_epochs=3,
        early_stopping=False,
        callbacks=[Watch()],
    ).fit(X, y)
    before = frozen[0]
    assert not np.array_equal(before, frozen[1])
    assert not np.array_equal(frozen[1], frozen[2])
    assert estimator.model_.network.get_layer("front_conv").trainable
    other = clone(estimator).set_params(learning_rate=1e-9, max_epochs=1, callbacks=None)
    assert_array_equal(
        other.fit(X, y).model_.network.get_layer("front_conv").get_weights()[0], before
    )


def test_a_keras_model_is_a_network_and_is_not_changed(blobs):
    X, y = blobs
    inputs = keras.Input((None, None, 1))
    network = keras.Model(inputs, plain_network(inputs, 1))
    before = [w.copy() for w in network.get_weights()]
    small_estimator(model=network, max_epochs=1).fit(X, y)
    for a, b in zip(network.get_weights(), before, strict=True):
        assert_array_equal(a, b)


def _ending(name):
    """A network with another last layer than a plain convolution of stride 1."""

    def network(inputs, n_outputs):
        x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
        if name == "stride":
            return keras.layers.Conv2D(n_outputs, 3, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.Conv2D(8, 3, strides=2, padding="same")(x)
        if name == "softmax":
            return keras.layers.Conv2D(n_outputs, 1, activation="softmax")(x)
        if name == "operation":
            return keras.ops.sigmoid(keras.layers.Conv2D(n_outputs, 1)(x))
        if name == "groups":
            x = keras.layers.Conv2D(n_outputs, 1)(x)
            return keras.layers.Conv2D(n_outputs, 1, groups=n_outputs)(x)
        if name == "shared":
            layer = keras.layers.Conv2D(n_outputs, 1, name="maps")
            return layer(layer(keras.layers.Conv2D(n_outputs, 1)(x)))
        return keras.layers.Conv2DTranspose(n_outputs, 3, padding="same")(x)

    return network


ENDINGS = ["stride", "softmax", "operation", "groups", "shared", "transposed"]


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_prediction_leaves_out_the_maps_of_the_graph_and_nothing_else(ending, poses):
    estimator = small_estimator(model=_ending(ending), skeleton=poses.skeleton, max_epochs=1).fit(
        poses.images, poses.keypoints
    )
    assert estimator.targets_.n_maps_ > estimator.n_keypoints_
    maps = estimator.model_(poses.images)[-1]
    expected = estimator.model_.find(maps[..., : estimator.n_keypoints_])
    y, confidence = estimator.predict(poses.images, return_confidence=True)
    np.testing.assert_allclose(y, expected[..., :2], atol=1e-3)
    np.testing.assert_allclose(confidence, expected[..., 2], atol=1e-4)


@pytest.mark.slow
def test_prediction_in_mixed_precision_leaves_out_the_maps_of_the_graph_too(poses):
    estimator = small_estimator(
        skeleton=poses.skeleton, precision="mixed_bfloat16", max_epochs=1
    ).fit(poses.images, poses.keypoints)
    maps = estimator.model_(poses.images)[-1]
    expected = np.asarray(estimator.model_.find(maps[..., : estimator.n_keypoints_]))[..., 2]
    _, confidence = estimator.predict(poses.images, return_confidence=True)
    # A map with two peaks of nearly the same height may have either.
    assert np.median(np.abs(confidence - expected)) < 0.02 * np.median(expected)
