"""`skpose convert`: labels and poses from one format to another."""

from helpers import run, write_video
import numpy as np
import pytest

from skpose.datasets import make_poses, read_labels, write_labels
from skpose.poses import from_numpy, read_poses, write_poses


@pytest.fixture(scope="module")
def labels():
    labels = make_poses(6, image_size=32, random_state=0, return_bunch=True)
    labels.keypoints[0, 0] = np.nan
    return labels


@pytest.fixture
def project(labels, tmp_path):
    return write_labels(tmp_path / "project", labels)


def refused(*arguments):
    return " ".join(run(*arguments, ok=False).split())


def test_labels_are_converted(project, labels, tmp_path):
    n_keypoints = labels.keypoints.shape[0] * labels.keypoints.shape[1]
    told = run("convert", project, tmp_path / "set.h5")
    assert "6 frames of 1 video(s)" in told
    assert f"(deepposekit): {n_keypoints - 1} keypoints, 1 not labelled" in told
    np.testing.assert_array_equal(read_labels(tmp_path / "set.h5").keypoints, labels.keypoints)
    assert "(coco)" in run("convert", tmp_path / "set.h5", tmp_path / "set.json")
    lightning = tmp_path / "lightning"
    run("convert", tmp_path / "set.json", lightning, "--format", "lightning_pose")
    np.testing.assert_array_equal(read_labels(lightning).keypoints, labels.keypoints)


def test_what_is_wrong_is_told_before_the_work(project, tmp_path):
    (tmp_path / "set.h5").write_text("mine")
    assert "exists already" in refused("convert", project, tmp_path / "set.h5")
    assert "something else" in refused("convert", project, tmp_path / "set.h5", "--overwrite")
    assert "never replaced" in refused("convert", project, project, "--overwrite")
    assert "is not known" in refused("convert", project, tmp_path / "labels.txt")
    assert "labelled does not apply" in refused(
        "convert", project, tmp_path / "new.h5", "--labelled", "all"
    )
    assert (tmp_path / "set.h5").read_text() == "mine"


def test_poses_are_converted(tmp_path):
    keypoints = np.array([[[1.0, 2.0], [np.nan, np.nan]]])
    source = write_poses(tmp_path / "poses.csv", from_numpy(keypoints, names=["head", "tail"]))
    told = run("convert", source, tmp_path / "poses.npz")
    assert "1 frames of 1 animal(s) with 2 bodyparts" in told
    assert "1 keypoints, 1 missing" in told
    assert read_poses(tmp_path / "poses.npz").equals(read_poses(source))
    assert "files that end in" in refused("convert", source, tmp_path / "poses.txt")


def test_predictions_of_sleap_become_tables(tmp_path):
    pytest.importorskip("sleap_io")
    keypoints = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    poses = from_numpy(keypoints, np.full((1, 2), 0.5), names=["head", "tail"], frame_rate=25)
    source = write_poses(tmp_path / "fly.slp", poses)
    run("convert", source, tmp_path / "fly.analysis.h5")
    run("convert", tmp_path / "fly.analysis.h5", tmp_path / "fly.csv")
    run("convert", source, tmp_path / "fly.nc", "--frame-rate", 25)
    for name in ("fly.csv", "fly.nc"):
        assert read_poses(tmp_path / name, frame_rate=25).equals(poses)
    assert "no person has labelled anything" in refused("convert", source, tmp_path / "set.h5")
    assert "2: head, tail" in run("info", tmp_path / "fly.nc")


def test_each_animal_of_a_sleap_file_is_trained_on(tmp_path):
    sio = pytest.importorskip("sleap_io")
    labels = make_poses(8, image_size=32, random_state=0, return_bunch=True)
    package = write_labels(tmp_path / "one.pkg.slp", labels)
    found = sio.load_slp(str(package))
    for frame in found.labeled_frames:
        (one,) = frame.instances
        frame.instances.append(sio.Instance.from_numpy(one.numpy(), skeleton=one.skeleton))
    found.save(str(tmp_path / "two.pkg.slp"), embed="user", verbose=False)
    model = tmp_path / "model.skpose"
    assert "several animals" in refused("train", tmp_path / "two.pkg.slp", model)
    small = ["--epochs", 1, "--set", "model__filters=4", "--set", "augmenter=None"]
    run("train", tmp_path / "two.pkg.slp", model, "--individuals", "each", *small)
    assert model.exists()


def test_poses_with_their_video_are_labels(tmp_path):
    video = write_video(tmp_path / "fly.mp4", np.zeros((4, 16, 16, 3), dtype=np.uint8))
    keypoints = np.array([[[1.0, 2.0], [np.nan, np.nan]]])
    poses = from_numpy(keypoints, names=["head", "tail"], frames=[3], frame_rate=25)
    source = write_poses(tmp_path / "poses.nc", poses)
    told = run("convert", source, tmp_path / "set.h5", "--video", video, "--missing", "absent")
    assert "1 frames of 1 video(s) with 2 bodyparts" in told
    found = read_labels(tmp_path / "set.h5")
    assert found.frame_numbers.tolist() == [3]
    assert found.visibility.tolist() == [[2, -1]]
