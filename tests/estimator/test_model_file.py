import json

import h5py
import keras
import numpy as np
from numpy.testing import assert_array_equal
import pytest

import skpose
from skpose.augment import Augmenter

from .conftest import small_estimator


@pytest.fixture
def path(fitted, tmp_path):
    fitted.save(tmp_path / "model.skpose")
    return tmp_path / "model.skpose"


@pytest.mark.backend
def test_a_loaded_estimator_predicts_the_same(path, fitted, poses):
    loaded = skpose.load(path)
    assert_array_equal(loaded.predict(poses.images), fitted.predict(poses.images))
    assert repr(loaded.get_params()) == repr(fitted.get_params())
    assert loaded.skeleton == poses.skeleton
    assert loaded.history_ == fitted.history_
    assert_array_equal(loaded.validation_indices_, fitted.validation_indices_)
    assert loaded.targets_.map_names_ == fitted.targets_.map_names_


def test_the_network_of_a_loaded_estimator_can_be_counted(path, fitted):
    loaded = skpose.load(path)
    assert loaded.model_.count_params() == fitted.model_.count_params()


def test_a_loaded_estimator_can_be_saved_without_being_used(path, fitted, poses, tmp_path):
    skpose.load(path).save(tmp_path / "again.skpose")
    again = skpose.load(tmp_path / "again.skpose")
    assert_array_equal(again.predict(poses.images), fitted.predict(poses.images))


@pytest.mark.backend
def test_optimizer_state_is_kept(path, fitted):
    loaded = skpose.load(path)
    assert loaded.model_.optimizer.iterations == fitted.model_.optimizer.iterations
    for a, b in zip(
        loaded.model_.optimizer.variables, fitted.model_.optimizer.variables, strict=True
    ):
        assert_array_equal(*map(keras.ops.convert_to_numpy, (a, b)))


@pytest.mark.backend
@pytest.mark.slow
def test_training_goes_on_after_loading(path, poses):
    loaded = skpose.load(path).set_params(warm_start=True)
    loaded.fit(poses.images, poses.keypoints)
    assert loaded.n_iter_ == 4


@pytest.mark.slow
def test_parts_and_optimizer_objects_are_kept(poses, tmp_path):
    estimator = small_estimator(
        augmenter=Augmenter(rotation=(-10, 20), noise=None, skeleton=poses.skeleton),
        optimizer=keras.optimizers.SGD(1e-6),
        random_state=np.int64(3),
        max_epochs=1,
    ).fit(poses.images, poses.keypoints)
    estimator.save(tmp_path / "m")
    loaded = skpose.load(tmp_path / "m")
    assert loaded.augmenter.get_params() == estimator.augmenter.get_params()
    assert loaded.optimizer.get_config() == estimator.optimizer.get_config()


def test_no_pickle_is_in_the_file(path):
    with h5py.File(path) as file:
        items = []
        file.visititems(lambda name, item: items.append(item))
        kinds = {item.dtype.kind for item in items if isinstance(item, h5py.Dataset)}
        assert kinds <= {"f", "i", "u", "O"}  # O is the JSON text
        json.loads(file["header"][()])


def test_a_missing_file():
    with pytest.raises(FileNotFoundError, match="no model file nowhere"):
        skpose.load("nowhere.skpose")


@pytest.mark.parametrize("share", [0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="cannot be read as a model|do not match|no skpose model"):
        skpose.load(path)


def test_a_foreign_hdf5_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = np.zeros(3)
    with pytest.raises(ValueError, match="no skpose model"):
        skpose.load(tmp_path / "other.h5")


@pytest.mark.parametrize("part", ["header", "arrays/0", "arrays/3"])
def test_a_changed_file_is_refused(path, part):
    with h5py.File(path, "r+") as file:
        if part == "header":
            text = file["header"][()].replace(b'"n_stacks": 1', b'"n_stacks": 2')
            del file["header"]
            file["header"] = text
        else:
            file[part][...] = file[part][()] + 1
    with pytest.raises(ValueError, match="do not match their checksum"):
        skpose.load(path)


def test_a_class_that_is_not_ours_is_not_made(path):
    from skpose.saving._file import digest

    with h5py.File(path, "r+") as file:
        text = file["header"][()].replace(b"skpose.models>StackedDenseNet", b"subprocess>Popen")
        del file["header"]
        file["header"] = text
        file.attrs["digest"] = digest(file)
    with pytest.raises(ValueError, match="the class 'subprocess>Popen', which is not known"):
        skpose.load(path)


def test_saving_before_fit(tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        small_estimator().save(tmp_path / "m")
