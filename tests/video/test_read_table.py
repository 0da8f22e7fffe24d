import numpy as np
import pandas as pd
import pytest

from skpose.video._read_table import read_predictions

NAMES = ["nose", "left ear", "tail"]
KEYPOINTS = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
KEYPOINTS[1, 2] = np.nan
CONFIDENCE = np.linspace(0, 1, 12, dtype=np.float32).reshape(4, 3)


def check(poses, frames):
    np.testing.assert_array_equal(poses.keypoints, KEYPOINTS)
    np.testing.assert_allclose(poses.confidence, CONFIDENCE, rtol=1e-6)
    assert poses.names == NAMES
    assert poses.frames.tolist() == list(frames)
    assert poses.ids is None


@pytest.mark.parametrize("ending", [".csv", ".h5", ".npz"])
@pytest.mark.parametrize("frames", [range(4), [3, 5, 8, 90], ["a.png", "b.png", "ö.png", "d"]])
def test_what_was_written_is_read(tmp_path, ending, frames):
    table = pytest.importorskip("skpose.video._table")
    path = tmp_path / f"poses{ending}"
    poses = np.concatenate([KEYPOINTS, CONFIDENCE[..., None]], axis=2)
    table.write_table(path, poses, names=NAMES, frames=list(frames))
    check(read_predictions(path), frames)


def test_columns_may_have_any_order_and_be_missing(tmp_path):
    columns = pd.MultiIndex.from_tuples(
        [
            ("net", "nose", "likelihood"),
            ("net", "tail", "x"),
            ("net", "nose", "y"),
            ("net", "nose", "x"),
        ],
        names=["scorer", "bodyparts", "coords"],
    )
    pd.DataFrame([[0.5, 7, 2, 1]], columns=columns).to_csv(tmp_path / "poses.csv")
    poses = read_predictions(tmp_path / "poses.csv")
    assert poses.names == ["nose", "tail"]
    np.testing.assert_array_equal(poses.keypoints, [[[1, 2], [7, np.nan]]])
    np.testing.assert_array_equal(poses.confidence, [[0.5, np.nan]])


def test_individuals_are_an_axis_of_their_own(tmp_path):
    levels = [["net"], ["fly 1", "fly 2"], ["nose", "tail"], ["x", "y", "likelihood"]]
    columns = pd.MultiIndex.from_product(
        levels, names=["scorer", "individuals", "bodyparts", "coords"]
    )
    values = np.arange(36.0).reshape(3, 12)
    pd.DataFrame(values, columns=columns).to_csv(tmp_path / "poses.csv")
    poses = read_predictions(tmp_path / "poses.csv")
    assert poses.ids == ["fly 1", "fly 2"]
    assert poses.keypoints.shape == (3, 2, 2, 2)
    assert poses.keypoints[2, 1, 0].tolist() == [30, 31]
    assert poses.confidence[0].tolist() == [[2, 5], [8, 11]]


def test_arrays_without_names_get_numbers(tmp_path):
    np.savez(tmp_path / "poses.npz", keypoints=KEYPOINTS, confidence=CONFIDENCE)
    poses = read_predictions(tmp_path / "poses.npz")
    assert poses.names == ["keypoint_0", "keypoint_1", "keypoint_2"]
    assert poses.frames.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("poses.txt", b"", ValueError, "read from .csv, .h5 or .npz"),
        ("poses.csv", b"frame,id,x,y\n1,2,3,4\n", ValueError, "no table of poses"),
        ("poses.csv", b"", ValueError, "no table of poses"),
        ("nowhere.csv", None, FileNotFoundError, "nowhere.csv"),
    ],
)
def test_mistakes(tmp_path, name, content, error, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=message):
        read_predictions(tmp_path / name)


def test_arrays_without_confidence_are_refused(tmp_path):
    np.savez(tmp_path / "poses.npz", keypoints=KEYPOINTS)
    with pytest.raises(ValueError, match="lacks confidence"):
        read_predictions(tmp_path / "poses.npz")
