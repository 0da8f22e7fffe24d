from concurrent.futures import ThreadPoolExecutor
import functools
import os
import pickle

import keras
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
import pytest
from sklearn.base import clone

import skpose
from skpose.estimator import Checkpoint
from skpose.models import StackedDenseNet
from skpose.targets import ConfidenceMaps

from .conftest import small_estimator


@pytest.fixture
def twin(fitted):
    """A copy of a fitted estimator whose network is not built yet."""
    return pickle.loads(pickle.dumps(fitted))


@pytest.mark.slow
def test_threads_can_share_a_copy_from_its_first_use(twin, fitted, poses):
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(twin.predict, poses.images[i : i + 4]) for i in range(8)]
    for i, future in enumerate(futures):
        assert_allclose(future.result(), fitted.predict(poses.images[i : i + 4]), atol=1e-3)


def test_a_copy_that_could_not_be_built_keeps_its_weights(twin, fitted, poses, monkeypatch):
    def fail(*args, **kwargs):
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("skpose.estimator._training.build_network", fail)
        with pytest.raises(MemoryError, match="no room"):
            twin.predict(poses.images)
    assert_array_equal(twin.predict(poses.images), fitted.predict(poses.images))


@pytest.mark.slow
def test_a_copy_whose_weights_could_not_be_set_keeps_them(twin, fitted, poses, monkeypatch):
    def fail(*args, **kwargs):
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("skpose.estimator._training.restore_optimizer", fail)
        with pytest.raises(MemoryError, match="no room"):
            twin.predict(poses.images)
    assert_array_equal(twin.predict(poses.images), fitted.predict(poses.images))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch can be used after a fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning")
@pytest.mark.parametrize("what", ["predict", "predict_maps", "fit", "warm fit", "partial_fit"])
def test_a_forked_process_is_told_that_it_would_hang(fitted, poses, what):
    fitted.predict(poses.images)
    estimator = pickle.loads(pickle.dumps(fitted)).set_params(warm_start=what == "warm fit")
    estimator.predict(poses.images)
    y = () if what.startswith("predict") else (poses.keypoints,)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover
        try:
            getattr(estimator, what.split()[-1])(poses.images, *y)
        except RuntimeError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        message = file.read()
    os.waitpid(child, 0)
    assert "was forked from one in which" in message
    assert "loky" in message


CHANGES = [
    ("model__growth_rate", 4),
    ("model", "leap"),
    ("precision", "mixed_bfloat16"),
    ("targets__sigma", 4.0),
    ("subpixel", False),
    ("optimizer", "sgd"),
]


@pytest.mark.parametrize(("name", "value"), CHANGES)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_goes_on_only_with_the_network_that_it_began_with(
    twin, poses, name, value, method
):
    twin.set_params(warm_start=True, model=clone(twin.model), targets=clone(twin.targets))
    before = twin.predict(poses.images)
    twin.set_params(**{name: value})
    with pytest.raises(ValueError, match=f"but {name}.* changed since"):
        getattr(twin, method)(poses.images, poses.keypoints)
    assert_array_equal(twin.predict(poses.images), before)


@pytest.mark.slow
def test_equal_parts_are_no_change(twin, poses):
    twin.set_params(
        warm_start=True,
        model=StackedDenseNet(n_stacks=1, growth_rate=8),
        targets=ConfidenceMaps(sigma=3.0, downsample_factor=1),
        subpixel=True,  # as "auto" was
        max_epochs=1,
    )
    twin.fit(poses.images, poses.keypoints)
    assert twin.n_iter_ == 3


@pytest.mark.slow
def test_the_settings_of_an_optimizer_are_compared(poses):
    X, y = poses.images, poses.keypoints
    estimator = small_estimator(
        optimizer=keras.optimizers.SGD(1e-6), warm_start=True, max_epochs=1
    ).fit(X, y)
    estimator.set_params(optimizer=keras.optimizers.SGD(1e-6)).fit(X, y)
    assert estimator.n_iter_ == 2
    estimator.set_params(optimizer=keras.optimizers.SGD(2e-6))
    with pytest.raises(ValueError, match="but optimizer changed since"):
        estimator.fit(X, y)


def test_what_the_network_is_stands_in_attributes(fitted):
    assert fitted.precision_ == "float32"
    assert fitted.subpixel_ is True
    assert fitted.image_shape_ == (32, 32, 1)
    assert fitted.n_keypoints_ == 13
    for name in ("precision_", "subpixel_", "architecture_", "targets_", "model_"):
        with pytest.raises(AttributeError, match="not fitted yet. Call fit first"):
            getattr(clone(fitted), name)


@pytest.mark.parametrize(
    "params",
    [
        {"model__bogus": 1},
        {"model": "leap", "model__filters": 8, "bogus": 1},
        {"max_epochs": 3, "augmenter__bogus": 1},
        {"optimizer__rate": 1, "batch_size": 9},
    ],
)
def test_a_refused_set_params_changes_nothing(params):
    estimator = small_estimator(model="stacked_densenet", targets=None, augmenter="auto")
    before = estimator.get_params(deep=False)
    with pytest.raises(ValueError, match="there is no parameter|cannot be set"):
        estimator.set_params(**params)
    assert estimator.get_params(deep=False) == before


@pytest.mark.slow
def test_the_fingerprint_follows_the_weights(fitted, twin, poses):
    assert twin.fingerprint() == fitted.fingerprint()
    twin.predict(poses.images)
    assert twin.fingerprint() == fitted.fingerprint()
    twin.partial_fit(poses.images, poses.keypoints)
    assert twin.fingerprint() != fitted.fingerprint()


@pytest.mark.slow
def test_a_copy_made_in_a_training_has_the_weights_of_the_best_epoch(blobs):
    X, y = blobs

    class Copy(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                copies.append(pickle.dumps(estimator))

    copies = []
    settings = {"max_epochs": 3, "tol": 100, "learning_rate": 0.1, "lr_schedule": "plateau"}
    estimator = small_estimator(**settings, callbacks=[Copy()])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(estimator), "__getstate__", _without_callbacks(type(estimator)))
        estimator.fit(X, y)
    copy = pickle.loads(copies[0])
    assert_allclose(copy.predict(X), estimator.predict(X), atol=1e-3)
    assert not np.allclose(estimator.history_["loss"][-1], estimator.history_["loss"][0])


def _without_callbacks(cls):
    get_state = cls.__getstate__
    return lambda self: {**get_state(self), "callbacks": None}


def one_convolution(inputs, n_outputs, strides=2):
    return keras.layers.Conv2D(n_outputs, 3, strides=strides, padding="same")(inputs / 255)


class OneConvolution:
    def __call__(self, inputs, n_outputs):
        return one_convolution(inputs, n_outputs)


def make_model():
    images = keras.Input((None, None, 1))
    return keras.Model(images, one_convolution(images, 1))


NETWORKS = {
    "partial": lambda: functools.partial(one_convolution, strides=2),
    "object": OneConvolution,
    "method": lambda: OneConvolution().__call__,
    "lambda": lambda: lambda inputs, n_outputs: one_convolution(inputs, n_outputs),
    "keras.Model": make_model,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", NETWORKS)
def test_training_of_a_network_of_the_users_own_goes_on(kind, blobs, tmp_path):
    X, y = blobs
    network = NETWORKS[kind]()
    estimator = small_estimator(model=network, targets=None, max_epochs=1).fit(X, y)
    assert estimator.partial_fit(X, y).n_iter_ == 2
    with pytest.warns(UserWarning, match="cannot hold the model"):
        estimator.save(tmp_path / "m")
    loaded = skpose.load(tmp_path / "m", custom_objects={"model": network})
    assert loaded.architecture_.network is not None
    assert loaded.partial_fit(X, y).n_iter_ == 3


@pytest.mark.slow
def test_equal_numbers_of_other_types_are_no_change(twin, poses):
    twin.set_params(targets=clone(twin.targets), subpixel=np.True_, warm_start=True, max_epochs=1)
    twin.set_params(targets__sigma=3)  # was 3.0
    assert twin.fit(poses.images, poses.keypoints).n_iter_ == 3


def test_default_parts_suit_what_is_set_with_them(poses):
    estimator = small_estimator(model="residual_unet", targets=None, augmenter="auto")
    estimator.set_params(model="leap", model__filters=8, targets__sigma=3)
    assert estimator.targets.downsample_factor == 0  # LEAP's own
    estimator.set_params(skeleton=poses.skeleton, augmenter__rotation=10)
    assert estimator.augmenter.rotation == 10
    assert estimator.augmenter.fliplr == "auto"  # it is told the skeleton by `fit`


def test_what_cannot_be_saved_is_refused_before_the_training(blobs, tmp_path):
    class Unregistered(type(small_estimator())):
        pass

    X, y = blobs
    estimator = Unregistered(callbacks=[Checkpoint(tmp_path / "m")])
    with pytest.raises(TypeError, match="Unregistered cannot be saved.*register"):
        estimator.fit(X, y)
    assert estimator.n_iter_ == 0
