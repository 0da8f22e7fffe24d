import pickle
import subprocess
import sys

from helpers import write_video
import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skpose
from skpose import PoseEstimator, Skeleton
from skpose._predictor import Predictor
from skpose.datasets import make_poses
from skpose.estimator import Checkpoint
from skpose.models import LEAP
from skpose.preprocessing import ImageBatch, ImageResizer
from skpose.two_stage import TwoStageEstimator
from skpose.video_poses import PoseStream, predict_video

LEVELS = (250, 200, 150)  # of the bodyparts, each a pixel of its own grey
SIZE = (240, 320)


class Middle(BaseEstimator):
    """Finds the middle of what is not black; where all is black, the corner, and is not sure."""

    def fit(self, X, y, groups=None):
        self.seen_, self.y_ = X, y
        return self

    def predict(self, X, return_confidence=False):
        middles = np.zeros((len(X), 1, 2))
        is_found = np.zeros((len(X), 1))
        for i, image in enumerate(np.asarray(X)):
            rows, columns = np.nonzero(image[..., 0])
            if len(rows):
                middles[i] = (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2
                is_found[i] = 0.5
        middles = X.to_user(middles)
        return (middles, is_found) if return_confidence else middles


class Dots(BaseEstimator):
    """Finds the brightest pixel, the second brightest, and so on; how sure, is how bright."""

    def fit(self, X, y, groups=None, visibility=None):
        self.seen_, self.y_, self.groups_, self.visibility_ = X, y, groups, visibility
        return self

    def predict(self, X, return_confidence=False):
        pixels = np.asarray(X)[..., 0]
        order = np.argsort(-pixels.reshape(len(pixels), -1).astype(int), kind="stable")[:, :3]
        rows, columns = np.unravel_index(order, pixels.shape[1:])
        bright = np.take_along_axis(pixels.reshape(len(pixels), -1), order, axis=1) / 255
        keypoints = X.to_user(np.stack([columns, rows], axis=2).astype(float))
        return (keypoints, bright) if return_confidence else keypoints


def make_dots(n=6, n_channels=1):
    """Large black frames with three dots somewhere, at most 20 pixels apart."""
    rng = np.random.default_rng(0)
    X = np.zeros((n, *SIZE, n_channels), dtype=np.uint8)
    y = rng.integers(30, 200, (n, 1, 2)) + rng.integers(-10, 11, (n, 3, 2))
    y[:, 1] = y[:, 0] + [19, 0]
    y[:, 2] = y[:, 0] + [0, 12]
    for image, keypoints in zip(X, y, strict=True):
        for (column, row), level in zip(keypoints, LEVELS, strict=True):
            image[row, column] = level
    return X, y.astype(float)


@pytest.fixture
def dots():
    return make_dots()


def fitted(X, y, **options):
    estimator = TwoStageEstimator(Middle(), Dots(), random_state=0, scale=0.5)
    return estimator.set_params(**options).fit(X, y)


def test_crops_and_small_images_lead_back_to_the_frames(dots):
    X, y = dots
    estimator = fitted(X, y)
    keypoints, confidence = estimator.predict(X, return_confidence=True)
    np.testing.assert_array_equal(keypoints, y)
    np.testing.assert_array_equal(confidence, np.full(y.shape[:2], 0.5))  # the lower one
    assert estimator.score(X, y) == 0
    assert estimator.box_size_ == (32, 32)
    assert estimator.coarse_.seen_.image_size == (120, 160)
    middles = (y.min(axis=1) + y.max(axis=1)) / 2
    np.testing.assert_allclose(estimator.coarse_.y_[:, 0], middles)
    assert estimator.fine_.seen_.image_size == (32, 32)
    places = estimator.fine_.seen_.to_batch(y)
    assert (places >= 0).all()
    assert (places <= 31).all()
    moved = (places.min(axis=1) + places.max(axis=1)) / 2 - 15.5
    assert 0 < np.abs(moved).max() <= 0.25 * 9.5 + 0.5  # in training, as the first one errs


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_the_result_does_not_depend_on_the_size_of_batches(dots, batch_size):
    X, y = dots
    estimator = fitted(X, y)
    np.testing.assert_array_equal(estimator.predict(X, batch_size=batch_size), y)


def test_frames_of_another_size_and_resized_ones(dots):
    X, y = dots
    estimator = fitted(X, y)
    wide = np.pad(X, ((0, 0), (10, 0), (0, 50), (0, 0)))
    np.testing.assert_array_equal(estimator.predict(wide), y + [0, 10])
    X2 = X.repeat(2, axis=1).repeat(2, axis=2)
    pipeline = make_pipeline(ImageResizer(scale=0.5), clone(estimator)).fit(X2, 2 * y + 0.5)
    np.testing.assert_allclose(pipeline.predict(X2), 2 * y + 0.5)


def test_where_the_first_one_finds_nothing_the_confidence_says_so(dots):
    X, y = dots
    estimator = fitted(X, y)
    empty = np.zeros_like(X[:1])
    keypoints, confidence = estimator.predict(empty, return_confidence=True)
    assert (confidence == 0).all()
    assert np.isfinite(keypoints).all()
    estimator.coarse_.predict = lambda X, return_confidence: (
        np.full((len(X), 1, 2), np.nan),
        np.full((len(X), 1), np.nan),
    )
    keypoints, confidence = estimator.predict(X, return_confidence=True)
    assert np.isnan(keypoints).all()
    assert (confidence == 0).all()


def test_labels_that_are_missing(dots):
    X, y = dots
    y[0] = np.nan  # nothing is labelled: left out
    y[1, 1:] = np.nan  # a third is: does not tell the first one where the animal is
    estimator = fitted(X, y)
    assert len(estimator.fine_.y_) == len(estimator.coarse_.y_) == 5  # and keep the same back
    assert np.isnan(estimator.coarse_.y_).any(axis=(1, 2)).tolist() == [True] + [False] * 4
    visibility, groups = np.where(np.isnan(y[..., 0]), 0, 2), np.arange(6)
    options = {"visibility": visibility, "groups": groups}
    other = clone(estimator).fit(X, y, **options)
    assert other.fine_.groups_.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(other.fine_.visibility_, visibility[1:])


def test_sizes_are_chosen_by_the_animal(dots, capsys):
    X, y = dots
    estimator = fitted(X, y, scale="auto", verbose=1)
    assert estimator.resizer_.scale_ == 1  # of 19 pixels nothing can be spared
    assert "crops of 32 x 32" in capsys.readouterr().err
    y = y[:, :1] + 4 * (y - y[:, :1])
    assert fitted(X, y, scale="auto").resizer_.scale_ == pytest.approx(32 / 76)
    assert fitted(X, y).box_size_ == (96, 96)
    assert fitted(X, y, box_size=(40, 50)).box_size_ == (40, 50)
    assert fitted(X, y, margin=1.0).box_size_ == (160, 160)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"scale": 1.5}, "'scale' parameter"),
        ({"margin": -1}, "'margin' parameter"),
        ({"box_size": (3, 4, 5)}, "box_size"),
        ({"coarse": 3}, "'coarse' parameter"),
    ],
)
def test_wrong_parameters_are_refused(dots, options, wrong):
    with pytest.raises(ValueError, match=wrong):
        fitted(*dots, **options)


def test_labels_that_tell_no_size(dots):
    X, y = dots
    with pytest.raises(ValueError, match="size of the animal is not known"):
        fitted(X, y[:, :1], scale="auto")
    with pytest.raises(NotFittedError):
        TwoStageEstimator().predict(X)


@pytest.fixture(scope="module")
def poses():
    X, y = make_poses(12, image_size=64, random_state=0)
    network = PoseEstimator(LEAP(filters=4), max_epochs=1)
    return X, y, TwoStageEstimator(network, network, random_state=0).fit(X, y)


def test_it_is_saved_and_pickled(poses, tmp_path):
    X, _, estimator = poses
    skpose.save(estimator, tmp_path / "two.skpose")
    for other in (skpose.load(tmp_path / "two.skpose"), pickle.loads(pickle.dumps(estimator))):
        np.testing.assert_array_equal(other.predict(X), estimator.predict(X))
        assert other.fingerprint() == estimator.fingerprint()
        assert other.skeleton is None
    named = TwoStageEstimator(fine=PoseEstimator(skeleton=Skeleton(["head"])))
    assert named.skeleton.names == ("head",)
    named.set_params(fine=make_pipeline(ImageResizer(scale=0.5), named.fine))
    assert named.skeleton.names == ("head",)
    assert TwoStageEstimator().skeleton is None


def test_both_keep_the_same_frames_back(poses):
    X, _, estimator = poses
    kept = estimator.fine_.validation_indices_
    assert len(kept)
    assert kept.tolist() == estimator.coarse_.validation_indices_.tolist()
    assert (estimator.image_roles(X) == "validation").nonzero()[0].tolist() == kept.tolist()
    assert (estimator.image_roles(255 - X) == "new").all()


def test_what_is_kept_back_is_told_in_rows_of_all_frames(poses):
    X, y, estimator = poses
    more = np.concatenate([np.full_like(y[:3], np.nan), y])
    other = clone(estimator).fit(np.concatenate([X[:3], X]), more)
    np.testing.assert_array_equal(other.validation_indices_, other.fine_.validation_indices_ + 3)


def test_crops_may_be_resized(poses):
    X, y, estimator = poses
    resized = make_pipeline(ImageResizer(scale=0.5), estimator.fine)
    other = clone(estimator).set_params(fine=resized)
    options = {"visibility": np.full(y.shape[:2], 2), "groups": np.arange(len(X)) // 3}
    other.fit(X, y, **options)
    assert other.fine_[-1].image_shape_[:2] == tuple(side // 2 for side in other.box_size_)
    assert other.predict(X).shape == y.shape
    kept = other.validation_indices_
    assert set(kept // 3) & set(np.setdiff1d(np.arange(len(X)), kept) // 3) == set()
    assert (other.image_roles(X) == "validation").nonzero()[0].tolist() == kept.tolist()


@pytest.mark.parametrize("is_resized", [False, True])
def test_a_checkpoint_holds_both_and_the_second_goes_on(poses, tmp_path, is_resized):
    X, y, estimator = poses
    path = tmp_path / "two.skpose"
    callbacks = [Checkpoint(path, interval=0)]
    fine = clone(estimator.fine).set_params(callbacks=callbacks)
    if is_resized:
        fine = make_pipeline(ImageResizer(scale=0.5), fine)
    trained = clone(estimator).set_params(fine=fine).fit(X, y)
    saved = skpose.load(path)
    np.testing.assert_array_equal(saved.predict(X), trained.predict(X))
    before = saved.coarse_.fingerprint()
    name = "fine__poseestimator__max_epochs" if is_resized else "fine__max_epochs"
    saved.set_params(warm_start=True, **{name: 2}).fit(X, y)
    assert saved.coarse_.fingerprint() == before
    assert Predictor(saved.fine_).last.n_iter_ == 2
    assert saved.validation_indices_.tolist() == trained.validation_indices_.tolist()


def test_another_first_one_forgets_the_second(poses):
    X, y, _ = poses
    estimator = TwoStageEstimator(Middle(), Dots(), random_state=0).fit(X, y)

    class Broken(Middle):
        def fit(self, X, y, groups=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        estimator.set_params(coarse=Broken()).fit(X, y)
    with pytest.raises(NotFittedError):
        estimator.predict(X)


def test_a_search_reaches_both(poses):
    X, y, estimator = poses
    split = [(np.arange(8), np.arange(8, 12))]
    search = GridSearchCV(clone(estimator), {"fine__learning_rate": [1e-3, 1e-2]}, cv=split)
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == y.shape


def test_videos_and_streams(poses, tmp_path):
    X, _, estimator = poses
    video = write_video(tmp_path / "mouse.mp4", X)
    found = predict_video(estimator, video)
    assert found["position"].sizes["time"] == len(X)
    stream = PoseStream(estimator, iter(X), drop=False)
    streamed = np.stack([pose.keypoints for pose in stream])
    np.testing.assert_allclose(streamed, estimator.predict(X), atol=1e-3)


def test_crops_of_a_batch_keep_their_frame(dots):
    X, y = dots
    shifted = ImageBatch(X).warped([[1, 0, -10], [0, 1, -5]], (230, 310))
    estimator = fitted(shifted, y)
    np.testing.assert_array_equal(estimator.predict(shifted), y)


@pytest.fixture(scope="module")
def exported(poses, tmp_path_factory):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    X, y, estimator = poses
    resized = make_pipeline(ImageResizer(scale=0.5), clone(estimator.fine))
    estimator = clone(estimator).set_params(fine=resized, scale=0.75).fit(X, y)
    path = tmp_path_factory.mktemp("exported") / "two_onnx.skpose"
    estimator.export(path)
    return X, estimator, path


def test_exported_stages_find_the_same(exported):
    X, estimator, path = exported
    keypoints, confidence = skpose.load(path).predict(X, return_confidence=True)
    expected = estimator.predict(X, return_confidence=True)
    np.testing.assert_allclose(keypoints, expected[0], atol=0.01)
    np.testing.assert_allclose(confidence, expected[1], atol=1e-4)
    for other in (estimator, skpose.load(path)):
        assert other.skeleton is None
        assert other.coarse is None or isinstance(other.coarse, PoseEstimator)
    with pytest.raises(FileExistsError):
        estimator.export(path)
    estimator.export(path, overwrite=True)


def test_both_stages_take_8_bits(exported, tmp_path):
    X, estimator, _ = exported
    estimator.export(tmp_path / "two_8.skpose", calibration=X)
    in_8_bits = skpose.load(tmp_path / "two_8.skpose")
    assert in_8_bits.coarse_.n_bits_ == in_8_bits.fine_.n_bits_ == 8
    moved = np.linalg.norm(in_8_bits.predict(X) - estimator.predict(X), axis=2)
    assert np.median(moved) < 1


def test_exported_stages_need_no_tensorflow(exported):
    _, _, path = exported
    code = (
        "import sys, numpy, skpose\n"
        "X = numpy.zeros((2, 64, 64, 1), dtype=numpy.uint8)\n"
        f"print(len(skpose.load({str(path)!r}).predict(X)))\n"
        "print('keras' in sys.modules, 'tensorflow' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    assert said.split() == ["2", "False", "False"]


def test_frames_of_another_size_are_refused_by_what_was_exported(exported):
    X, _, path = exported
    with pytest.raises(ValueError, match="takes frames of 64 x 64 .* these are 64 x 32"):
        skpose.load(path).predict(X[:, :, :32])


def test_what_cannot_be_exported(poses, dots, tmp_path):
    with pytest.raises(ValueError, match=r"holds one network. End it in \.skpose"):
        poses[2].export(tmp_path / "two.onnx")
    with pytest.raises(TypeError, match="`coarse` is a Middle"):
        fitted(*dots).export(tmp_path / "two.skpose")
    with pytest.raises(NotFittedError):
        TwoStageEstimator().export(tmp_path / "two.skpose")
    assert not list(tmp_path.iterdir())
