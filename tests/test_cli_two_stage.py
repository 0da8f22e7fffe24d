"""Models of two stages from the command line."""

from helpers import mean_error, run, write_video
import numpy as np
import pytest

import skpose
from skpose.datasets import make_poses, read_annotations, write_annotations
from skpose.metrics import mean_keypoint_error
from skpose.poses import read_poses, to_numpy
from skpose.two_stage import TwoStageEstimator
from skpose.video import VideoFrames

SMALL = ["--set", "model__filters=4", "--set", "augmenter=None", "--batch-size", "4", "--seed", "0"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Labels of an animal in the middle of large images, a video of it, and a model."""
    folder = tmp_path_factory.mktemp("arena")
    poses = make_poses(8, 64, random_state=0, return_bunch=True)
    images = np.pad(poses.images, ((0, 0), (40, 56), (80, 112), (0, 0)), mode="edge")
    labels = folder / "labels.h5"
    write_annotations(labels, images, poses.keypoints + [80, 40], skeleton=poses.skeleton)
    write_video(folder / "arena.mkv", images)
    run("train", labels, folder / "m.skpose", "--two-stage", "--epochs", 1, *SMALL)
    return folder


def test_train_evaluate_predict_and_info(folder, tmp_path):
    labels, path = folder / "labels.h5", folder / "m.skpose"
    model, data = skpose.load(path), read_annotations(labels)
    assert isinstance(model, TwoStageEstimator)
    assert model.skeleton == data.skeleton
    assert model.fine_.architecture_.filters == model.coarse_.architecture_.filters == 4
    mean = mean_keypoint_error(data.keypoints, model.predict(data.images))
    output = run("evaluate", path, labels)
    assert mean_error(output) == pytest.approx(mean, abs=0.01)
    assert "7 frames trained on" in output
    run("predict", path, folder / "arena.mkv", "-o", tmp_path / "poses.csv")
    found, _ = to_numpy(read_poses(tmp_path / "poses.csv"))
    frames = VideoFrames(folder / "arena.mkv", n_channels=1)
    np.testing.assert_allclose(found, model.predict(frames), atol=0.01)
    said = " ".join(run("info", path).split())
    assert "coarse trained 1 epochs" in said
    assert "fine trained 1 epochs" in said
    assert "network sees 160 x 256 pixels" in said


def test_resume_goes_on_with_the_second_stage(folder, tmp_path):
    path = tmp_path / "m.skpose"
    path.write_bytes((folder / "m.skpose").read_bytes())
    first = skpose.load(path).coarse_.fingerprint()
    run("train", folder / "labels.h5", path, "--resume", "--epochs", 2)
    model = skpose.load(path)
    assert model.coarse_.fingerprint() == first
    assert (model.coarse_.n_iter_, model.fine_.n_iter_) == (1, 3)
    assert not model.warm_start


def test_settings_reach_both_or_the_one_that_is_named(folder, tmp_path):
    path = tmp_path / "m.skpose"
    settings = ["--set", "fine__learning_rate=0.002", "--set", "margin=0.5", "--minutes", 3]
    options = ["--two-stage", "--scale", 0.5, "--crop", "70,30,96,96", "--epochs", 1]
    refused = run("train", folder / "labels.h5", path, *options, *settings, *SMALL, ok=False)
    assert "learning_rate" in refused  # of the Pipeline with the resizer
    settings[1] = "fine__poseestimator__learning_rate=0.002"
    run("train", folder / "labels.h5", path, *options, *settings, *SMALL)
    model = skpose.load(path)
    assert model[0].region == (70, 30, 96, 96)
    assert model[1].skeleton == read_annotations(folder / "labels.h5").skeleton
    coarse, fine = model[1].coarse_, model[1].fine_[-1]
    assert (coarse.learning_rate, fine.learning_rate, model[1].margin) == (1e-3, 2e-3, 0.5)
    assert fine.image_shape_[:2] == tuple(side // 2 for side in model[1].box_size_)
    assert model[1].coarse.max_minutes == pytest.approx(1)
    assert model[1].fine[-1].max_minutes == pytest.approx(2)
    assert "cannot be exported" in run("export", path, tmp_path / "n.skpose", ok=False)


def test_an_exported_model_predicts_as_the_model_does(folder, tmp_path):
    pytest.importorskip("tf2onnx")
    path, exported = folder / "m.skpose", tmp_path / "onnx.skpose"
    output = run("export", path, exported)
    assert "takes images of 160 x 256 pixels (height, width) and 1 channel(s)" in output
    X = read_annotations(folder / "labels.h5").images
    expected = skpose.load(path).predict(X)
    np.testing.assert_allclose(skpose.load(exported).predict(X), expected, atol=0.01)
    assert "holds one network" in run("export", path, tmp_path / "m.onnx", ok=False)
    assert "ExportedPoseEstimator" in run("export", exported, tmp_path / "2.skpose", ok=False)


def test_what_does_not_go_together(folder, tmp_path):
    labels, path = folder / "labels.h5", folder / "m.skpose"
    refused = run("train", labels, tmp_path / "m", "--two-stage", "--from", path, ok=False)
    assert "--from does not apply to --two-stage" in refused
    refused = run("train", labels, path, "--two-stage", "--resume", ok=False)
    assert "--two-stage does not apply to --resume" in refused
    refused = run("train", labels, tmp_path / "m", "--from", path, ok=False)
    assert "what can be begun with is a PoseEstimator" in refused


def test_the_part_where_labels_are_is_cut_out(folder, tmp_path):
    labels, path = folder / "labels.h5", tmp_path / "m.skpose"
    output = run("train", labels, path, "--crop", "auto", "--epochs", 1, *SMALL)
    model, data = skpose.load(path), read_annotations(labels)
    x, y, width, height = model[0].region_
    assert f"(--crop {x},{y},{width},{height})" in output
    low, high = data.keypoints.min(axis=(0, 1)), data.keypoints.max(axis=(0, 1))
    assert (low >= (x, y)).all()
    assert (high < (x + width, y + height)).all()
    assert width * height < 0.5 * 160 * 256
    assert "labels lie outside" not in run("evaluate", path, labels)
    run("train", labels, path, "--resume", "--epochs", 2)
    assert skpose.load(path)[0].region_ == (x, y, width, height)


def test_labels_all_over_the_images_cut_nothing_off(tmp_path):
    poses = make_poses(8, 32, random_state=0, return_bunch=True)
    poses.keypoints[:, :2] = [[0, 0], [31, 31]]
    labels, path = tmp_path / "labels.h5", tmp_path / "m.skpose"
    write_annotations(labels, poses.images, poses.keypoints, skeleton=poses.skeleton)
    output = run("train", labels, path, "--crop", "auto", "--epochs", 1, *SMALL)
    assert "nothing is cut off" in output
    assert isinstance(skpose.load(path), skpose.PoseEstimator)
