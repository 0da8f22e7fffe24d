"""Networks that begin with the features of another."""

import random

from helpers import small_estimator
import numpy as np
from numpy.testing import assert_array_equal
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import skpose
from skpose import Skeleton
from skpose.datasets import make_poses
from skpose.models import ResidualUNet, StackedDenseNet
from skpose.preprocessing import ImageResizer
from skpose.targets import ConfidenceMaps

NAMES = tuple("abcdefghijklm")


def estimator(n_keypoints=13, **params):
    skeleton = Skeleton(NAMES[:n_keypoints])
    defaults = {"model": ResidualUNet(4), "skeleton": skeleton, "max_epochs": 1}
    return small_estimator(**{**defaults, "learning_rate": 1e-12, **params})


@pytest.fixture(scope="module")
def first(poses):
    return estimator(learning_rate=1e-3).fit(poses.images, poses.keypoints)


@pytest.fixture(scope="module")
def path(first, tmp_path_factory):
    path = tmp_path_factory.mktemp("pretrained") / "first.skpose"
    skpose.save(make_pipeline(ImageResizer(scale=1), first), path)
    return path


def weights_of(fitted):
    return fitted.model_.network.get_weights()


def test_the_same_bodyparts_keep_the_whole_network(first, path, poses):
    X, y = poses.images, poses.keypoints
    other = estimator(pretrained=path).fit(X[:8], y[:8])
    np.testing.assert_allclose(other.predict(X), first.predict(X), atol=1e-3)
    assert (other.n_iter_, len(other.history_["loss"])) == (1, 1)
    anew = estimator().fit(X[:8], y[:8])
    assert np.abs(anew.predict(X) - first.predict(X)).max() > 1


def test_other_bodyparts_keep_the_features(first, path, poses):
    X, y = poses.images, poses.keypoints
    other = estimator(5, pretrained=path).fit(X, y[:, :5])
    renamed = Skeleton([f"{name}2" for name in NAMES])
    same_number = estimator(skeleton=renamed, pretrained=path).fit(X, y)
    for fitted, n_maps in ((other, 5), (same_number, 13)):
        pairs = list(zip(weights_of(first), weights_of(fitted), strict=True))
        kept = [np.allclose(a, b, atol=1e-6) for a, b in pairs if a.shape == b.shape]
        assert np.mean(kept) > 0.7
        heads = [(a, b) for a, b in pairs if b.ndim == 4 and b.shape[-1] == n_maps]
        assert heads
        for a, b in heads:
            assert a.shape != b.shape or not np.allclose(a, b, atol=1e-3)


def test_other_image_sizes_can_be_trained(path, poses):
    X = np.pad(poses.images, [(0, 0), (0, 16), (0, 8), (0, 0)])
    fitted = estimator(pretrained=path).fit(X, poses.keypoints)
    assert fitted.image_shape_ == X.shape[1:]


def test_images_of_the_first_training_are_known(path, poses):
    fitted = estimator(pretrained=path).fit(poses.images[:8], poses.keypoints[:8])
    assert "new" not in fitted.image_roles(poses.images)


def test_clones_and_files_keep_the_parameter(path, poses, tmp_path):
    fitted = clone(estimator(pretrained=str(path))).fit(poses.images, poses.keypoints)
    fitted.save(tmp_path / "other.skpose")
    loaded = skpose.load(tmp_path / "other.skpose")
    assert loaded.pretrained == str(path)
    assert_array_equal(loaded.predict(poses.images), fitted.predict(poses.images))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"model": ResidualUNet(8)}, "model__filters"),
        ({"model": StackedDenseNet(1, growth_rate=4)}, "model"),
        ({"targets__downsample_factor": 2}, "downsample_factor"),
        ({"pretrained": "nowhere.skpose"}, "no model file"),
    ],
)
def test_another_network_is_refused(path, poses, params, message):
    other = estimator(pretrained=path).set_params(**params)
    error = FileNotFoundError if "pretrained" in params else ValueError
    with pytest.raises(error, match=message):
        other.fit(poses.images, poses.keypoints)


def test_colour_does_not_go_on_from_grey(path, poses):
    with pytest.raises(ValueError, match="number of channels"):
        estimator(pretrained=path).fit(np.repeat(poses.images, 3, axis=3), poses.keypoints)


def test_a_network_for_other_sizes_is_as_deep(tmp_path):
    """Of which the depth follows the size of the images, and map numbers are like others."""
    large, small = (
        make_poses(4, image_size=side, n_channels=3, random_state=0, return_bunch=True)
        for side in (96, 32)
    )
    settings = {"model": ResidualUNet(4), "targets": ConfidenceMaps(), "max_epochs": 1}
    first = small_estimator(**settings).fit(large.images, large.keypoints)
    first.save(tmp_path / "first.skpose")
    assert first.architecture_.n_transitions == -1
    second = small_estimator(
        **settings, pretrained=tmp_path / "first.skpose", learning_rate=1e-12, warm_start=True
    ).fit(small.images, small.keypoints[:, :3])  # as many maps as channels
    assert second.architecture_.n_transitions == 5
    pairs = zip(weights_of(first), weights_of(second), strict=True)
    differ = [a.shape for a, b in pairs if a.shape != b.shape or not np.allclose(a, b, atol=1e-6)]
    assert all(13 in shape for shape in differ)  # what draws maps
    assert second.fit(small.images, small.keypoints[:, :3]).n_iter_ == 2


def test_the_random_state_of_python_is_left_alone(poses, path):
    before = random.getstate()
    X, y = poses.images[:8], poses.keypoints[:8, :5]
    estimator(5, pretrained=path).fit(X, y)
    assert random.getstate() == before
