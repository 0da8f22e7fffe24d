from helpers import find_centroid, run, write_video
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

import skpose
from skpose.individuals import make_tracks, read_tracks, write_tracks
from skpose.poses import read_poses, to_numpy
from skpose.preprocessing import ImageBatch

IMAGE_SIZE = (48, 64)


class Brightest(BaseEstimator):
    """Finds the mean position of the bright pixels of each image."""

    image_shape_ = (17, 17, 1)
    skeleton = skpose.Skeleton(["middle"])

    def predict(self, X, *, return_confidence=False):
        batch = ImageBatch.wrap(X)
        middle = find_centroid(np.asarray(batch)[..., 0] > 120)
        keypoints = batch.to_user(middle[:, None])
        return keypoints, np.ones((len(keypoints), 1))


@pytest.fixture
def positions():
    """Two squares that pass each other, (n_frames, 2, 2)."""
    one = np.column_stack([np.arange(10, 50, 2), np.full(20, 12)])
    other = np.column_stack([np.arange(50, 10, -2), np.full(20, 34)])
    return np.stack([one, other], axis=1).astype(float)


@pytest.fixture
def video(positions, tmp_path):
    frames = np.full((len(positions), *IMAGE_SIZE, 3), 40, dtype=np.uint8)
    for frame, centers in zip(frames, positions.astype(int), strict=True):
        for x, y in centers:
            frame[y - 3 : y + 4, x - 3 : x + 4] = 220
    return write_video(tmp_path / "video.mp4", frames, options={"crf": "5"})


@pytest.fixture
def model_file(tmp_path, monkeypatch):
    path = tmp_path / "model.skpose"
    path.touch()
    monkeypatch.setattr(skpose, "load", lambda path: Brightest(), raising=False)
    return path


def test_track_and_predict_individuals(video, model_file, positions, tmp_path):
    tracks_file, out = tmp_path / "tracks.csv", tmp_path / "poses.csv"
    assert "2 individuals in 20 frames" in run("track", video, "--n", 2, "-o", tracks_file)
    tracks = read_tracks(tracks_file)
    np.testing.assert_array_equal(tracks["frame"], np.repeat(np.arange(20), 2))
    found = tracks.sort_values(["frame", "y"])[["x", "y"]].to_numpy().reshape(-1, 2, 2)
    np.testing.assert_allclose(found, positions, atol=0.3)

    arguments = "predict-individuals", model_file, video, "--tracks", tracks_file, "-o", out
    assert "2 individuals in 20 frames, mean confidence 1.00" in run(*arguments)
    poses = read_poses(out)
    assert poses["keypoint"].values.tolist() == ["middle"]
    keypoints, _ = to_numpy(poses)
    order = np.argsort(keypoints[0, :, 0, 1])
    np.testing.assert_allclose(keypoints[:, order, 0], positions, atol=0.3)
    table = pd.read_csv(out, header=[0, 1, 2, 3], index_col=0)
    assert table.columns.names == ["scorer", "individuals", "bodyparts", "coords"]


def test_gaps_are_filled_and_fragments_left_out(video, model_file, positions, tmp_path):
    tracks_file, out = tmp_path / "tracks.csv", tmp_path / "poses.npz"
    positions[5:7, 0] = positions[3:, 1] = np.nan
    write_tracks(tracks_file, make_tracks(positions, ids=["a", "b"]))
    arguments = "predict-individuals", model_file, video, "--tracks", tracks_file, "-o", out
    run(*arguments, "--min-length", 4, "--max-gap", 2, "--box-size", 13)
    poses = read_poses(out)
    assert poses["individual"].values.tolist() == ["a"]
    assert not np.isnan(poses["position"]).any()


def test_mistakes_are_told_before_any_work(video, model_file, tmp_path):
    tracks_file = tmp_path / "tracks.csv"
    assert ".csv" in run("track", video, "-o", tmp_path / "tracks.txt", ok=False)
    tracks_file.write_text("frame,x\n1,2\n")
    assert "exists" in run("track", video, "-o", tracks_file, ok=False)
    arguments = "predict-individuals", model_file, video, "--tracks", tracks_file
    assert "lacks id, y" in run(*arguments, "-o", tmp_path / "poses.csv", ok=False)
    assert ".csv, .h5, .npz" in run(*arguments, "-o", tmp_path / "poses.txt", ok=False)
    write_tracks(tracks_file, make_tracks(np.full((30, 1, 2), 20.0)), overwrite=True)
    output = run(*arguments, "-o", tmp_path / "poses.csv", ok=False)
    assert "the video has 20 frames" in output
    write_tracks(tracks_file, make_tracks(np.full((9, 1, 2), 20.0)), overwrite=True)
    assert "column angle" in run(*arguments, "--align", "-o", tmp_path / "poses.csv", ok=False)
    assert not (tmp_path / "poses.csv").exists()
