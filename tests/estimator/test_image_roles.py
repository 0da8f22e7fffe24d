"""Which images an estimator knows again."""

from helpers import interrupt_at, small_estimator, tiny_estimator
import numpy as np
from numpy.testing import assert_array_equal
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import skpose
from skpose._predictor import Predictor
from skpose.augment import Augmenter
from skpose.datasets import make_poses
from skpose.preprocessing import ImageResizer


def count(roles):
    return {
        str(role): int(n) for role, n in zip(*np.unique(roles, return_counts=True), strict=True)
    }


def test_images_are_known_again_in_any_order(blobs):
    X, y = blobs
    estimator = tiny_estimator(early_stopping=True, validation_fraction=0.25).fit(X, y)
    roles = estimator.image_roles(X)
    assert_array_equal(np.flatnonzero(roles == "validation"), estimator.validation_indices_)
    assert count(roles) == {"training": 12, "validation": 4}
    order = np.random.default_rng(0).permutation(len(X))
    assert_array_equal(estimator.image_roles(X[order]), roles[order])
    others, _ = make_poses(40, image_size=X.shape[1:3], random_state=1)
    assert count(estimator.image_roles(others)) == {"new": 40}
    assert estimator.image_roles(X[:0]).shape == (0,)


def test_images_are_known_as_they_were_before_preprocessing(blobs):
    X, y = blobs
    estimator = tiny_estimator(early_stopping=False)
    pipeline = make_pipeline(ImageResizer(scale=0.5), Augmenter(), estimator).fit(X, y)
    assert count(Predictor(pipeline).image_roles(X)) == {"training": 16}
    changed = X.copy()
    changed[:3, 0, 0] ^= 1  # is not seen at half size
    assert count(Predictor(pipeline).image_roles(changed)) == {"training": 13, "new": 3}


def test_what_was_trained_on_before_is_known(blobs, tmp_path):
    X, y = blobs
    estimator = small_estimator(early_stopping=False, max_epochs=1, warm_start=True)
    estimator.fit(X[:6], y[:6]).fit(X[6:10], y[6:10]).partial_fit(X[10:11], y[10:11])
    estimator.save(tmp_path / "model.skpose")
    loaded = skpose.load(tmp_path / "model.skpose")
    assert_array_equal(loaded.image_roles(X), ["training"] * 11 + ["new"] * 5)
    clone(estimator).set_params(warm_start=False)
    estimator.set_params(warm_start=False).fit(X[:2], y[:2])
    assert count(estimator.image_roles(X)) == {"training": 2, "new": 14}


def test_an_interrupted_training_knows_what_it_has_seen(blobs):
    X, y = blobs
    estimator = small_estimator(early_stopping=False, max_epochs=3, callbacks=[interrupt_at(1)])
    with pytest.warns(UserWarning, match="interrupted"):
        estimator.fit(X, y)
    assert count(estimator.image_roles(X)) == {"training": 16}


def test_files_that_do_not_know_say_so(fitted, poses):
    old = skpose.PoseEstimator.__new__(skpose.PoseEstimator)
    names = ("training_digests_", "validation_digests_")
    old.__setstate__({k: v for k, v in fitted.__getstate__().items() if k not in names})
    assert Predictor(old).image_roles(poses.images) is None
    with pytest.raises(ValueError, match="does not tell"):
        old.image_roles(poses.images)
    old.set_params(warm_start=True).partial_fit(poses.images, poses.keypoints)
    assert old.training_digests_ is None  # it would not be all
