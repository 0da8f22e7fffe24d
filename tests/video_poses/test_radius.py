"""Radii on their way from an estimator into files and videos."""

from helpers import write_video
import numpy as np
import pandas as pd
import pytest

from skpose.baseline import MeanPoseRegressor
from skpose.poses import from_numpy, read_poses, write_poses
from skpose.video import VideoFrames
from skpose.video_poses import draw_video, predict_video, predict_videos
from skpose.video_poses._overlay import PoseOverlay
from skpose.video_poses._part_file import PartFile


class Calibrated:
    """Tells a radius of each keypoint: the mean of the image's pixels, and twice that."""

    n_keypoints_ = 2
    skeleton = None

    def predict(self, X, *, return_confidence=False, return_radius=False):
        means = np.asarray(X, dtype=float).mean(axis=(1, 2, 3))
        keypoints = np.stack([np.stack([means, means], 1), np.stack([means, means], 1)], axis=1)
        radius = np.stack([means, 2 * means], axis=1)
        found = [keypoints]
        if return_confidence:
            found.append(np.full(radius.shape, 0.5))
        if return_radius:
            found.append(radius)
        return tuple(found) if len(found) > 1 else keypoints


@pytest.fixture(scope="module")
def frames():
    levels = np.arange(10, 70, 10, dtype=np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (6, 24, 32, 3)).copy()


@pytest.fixture(scope="module")
def video(frames, tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "film.mkv"
    write_video(path, frames)
    return path


def radii(poses):
    return poses["radius"].values[..., 0]


def test_radii_are_a_variable_beside_the_confidence(frames):
    poses = predict_video(Calibrated(), frames, with_radius=True)
    assert poses["radius"].dims == poses["confidence"].dims
    expected = np.arange(10, 70, 10)[:, None] * [1, 2]
    np.testing.assert_allclose(radii(poses), expected)
    assert (poses["confidence"] == 0.5).all()


def test_radii_are_left_out_unless_asked_for(frames):
    assert "radius" not in predict_video(Calibrated(), frames)


@pytest.mark.parametrize("ending", [".npz", ".nc"])
def test_files_hold_radii(video, tmp_path, ending):
    out = predict_video(Calibrated(), video, out=tmp_path / f"poses{ending}", with_radius=True)
    expected = predict_video(Calibrated(), video, with_radius=True)
    read = read_poses(out)
    np.testing.assert_allclose(radii(read), radii(expected))
    np.testing.assert_allclose(read["position"].values, expected["position"].values)
    again = write_poses(tmp_path / f"again{ending}", read)
    np.testing.assert_allclose(radii(read_poses(again)), radii(expected))


def test_tables_of_poses_with_radii_are_those_without(frames, tmp_path):
    poses = predict_video(Calibrated(), frames, with_radius=True)
    write_poses(tmp_path / "with.csv", poses)
    write_poses(tmp_path / "without.csv", poses.drop_vars("radius"))
    assert (tmp_path / "with.csv").read_text() == (tmp_path / "without.csv").read_text()
    write_poses(tmp_path / "with.h5", poses)
    table = pd.read_hdf(tmp_path / "with.h5")
    assert table.columns.get_level_values("coords").unique().tolist() == ["x", "y", "likelihood"]


@pytest.mark.parametrize("ending", [".csv", ".h5"])
def test_tables_are_refused_where_radii_are_asked_for(video, tmp_path, ending):
    with pytest.raises(ValueError, match="cannot hold radii"):
        predict_video(Calibrated(), video, out=tmp_path / f"poses{ending}", with_radius=True)
    assert not list(tmp_path.iterdir())


def test_estimators_without_radii_are_told(frames):
    baseline = MeanPoseRegressor().fit(frames, np.zeros((6, 1, 2)))
    with pytest.raises(TypeError, match="MeanPoseRegressor tells no radii"):
        predict_video(baseline, frames, with_radius=True)


def test_several_videos_have_radii(video, tmp_path):
    (out,) = predict_videos(
        Calibrated(), [video], out=tmp_path / "poses", ending=".npz", with_radius=True
    )
    assert "radius" in read_poses(out)


def test_what_cannot_hold_radii_is_told_before_any_video(video, tmp_path):
    with pytest.raises(ValueError, match=r"cannot hold radii.*npz"):
        predict_videos(Calibrated(), [video], out=tmp_path / "poses", with_radius=True)
    assert not (tmp_path / "poses").exists()


def test_a_part_without_radii_is_not_gone_on_with(video, tmp_path, monkeypatch):
    from skpose import _predictor

    monkeypatch.setattr(_predictor.Predictor, "fingerprint", lambda self: "same")
    append, n_calls = PartFile.append, []

    def stop_at_the_second(self, poses):
        n_calls.append(len(poses))
        if len(n_calls) == 2:
            raise KeyboardInterrupt
        append(self, poses)

    monkeypatch.setattr(PartFile, "append", stop_at_the_second)
    out = tmp_path / "poses.npz"
    with pytest.raises(KeyboardInterrupt):
        predict_video(Calibrated(), video, out=out, batch_size=2)
    with pytest.raises(ValueError, match="unfinished prediction with another radius"):
        predict_video(Calibrated(), video, out=out, batch_size=2, with_radius=True)
    predict_video(Calibrated(), video, out=out, batch_size=2)
    assert "radius" not in read_poses(out)


def test_radii_must_fit_the_keypoints():
    with pytest.raises(ValueError, match="radius has the shape"):
        from_numpy(np.zeros((3, 2, 2)), radius=np.zeros((3, 1)))


def test_radii_are_drawn_as_rings():
    image = np.zeros((81, 81, 3), np.uint8)
    overlay = PoseOverlay((81, 81), [[255, 255, 255]], [], radius=2.0)
    overlay.draw(image, np.full((1, 1, 2), 40.0), np.ones((1, 1)), rings=np.array([[25.0]]))
    rows, columns = np.nonzero(image[..., 0] > 100)
    distance = np.hypot(rows - 40, columns - 40)
    is_ring = distance > 5
    np.testing.assert_allclose(distance[is_ring], 25, atol=1.2)
    angles = np.arctan2(rows[is_ring] - 40, columns[is_ring] - 40)
    assert len(np.unique(np.round(angles, 1))) > 50  # all the way round


def test_infinite_radii_are_not_drawn():
    image = np.zeros((41, 41, 3), np.uint8)
    overlay = PoseOverlay((41, 41), [[255, 255, 255]], [], radius=2.0)
    overlay.draw(image, np.full((1, 1, 2), 20.0), np.ones((1, 1)), rings=np.array([[np.inf]]))
    assert image[20, 20].all()
    assert not image[:12].any()


def test_keypoints_of_a_large_radius_are_not_drawn(video, tmp_path):
    keypoints = np.tile([[8.0, 12.0], [24.0, 12.0]], (6, 1, 1))
    radius = np.tile([2.0, 9.0], (6, 1))
    poses = from_numpy(keypoints, np.ones((6, 2)), radius=radius)
    out = draw_video(video, poses, out=tmp_path / "all.mp4")
    few = draw_video(video, poses, out=tmp_path / "few.mp4", max_radius=5)
    changed = [
        np.abs(VideoFrames(path)[0].astype(int) - VideoFrames(video)[0]).max(axis=2) > 60
        for path in (out, few)
    ]
    assert changed[0][:, 20:].any()
    assert not changed[1][:, 20:].any()
    assert changed[1][:, :16].any()


def test_a_largest_radius_needs_radii(video, tmp_path):
    poses = from_numpy(np.zeros((6, 1, 2)))
    with pytest.raises(ValueError, match="tell no radius"):
        draw_video(video, poses, out=tmp_path / "film.mp4", max_radius=5)
