import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from skpose.individuals import write_individuals
from skpose.video import read_predictions


@pytest.fixture
def poses():
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0, 99, (4, 2, 3, 2)).astype(np.float32)
    confidence = rng.uniform(size=(4, 2, 3)).astype(np.float32)
    keypoints[1, 0] = confidence[1, 0] = np.nan
    return Bunch(
        keypoints=keypoints, confidence=confidence, ids=[3, 12], names=["head", "thorax", "tail"]
    )


@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_round_trip(poses, ending, tmp_path):
    path = tmp_path / f"poses.{ending}"
    write_individuals(path, poses)
    found = read_predictions(path)
    np.testing.assert_allclose(found.keypoints, poses.keypoints, rtol=1e-6)
    np.testing.assert_allclose(found.confidence, poses.confidence, rtol=1e-6)
    assert found.ids == ["3", "12"]
    assert found.names == poses.names
    with pytest.raises(FileExistsError, match="exists"):
        write_individuals(path, poses)
    write_individuals(path, poses, overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_columns_are_those_of_deeplabcut(poses, tmp_path):
    write_individuals(tmp_path / "poses.csv", poses)
    rows = (tmp_path / "poses.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[:4]] == [
        "scorer",
        "individuals",
        "bodyparts",
        "coords",
    ]
    assert [row.split(",")[7] for row in rows[1:4]] == ["3", "tail", "x"]
    table = pd.read_csv(tmp_path / "poses.csv", header=[0, 1, 2, 3], index_col=0)
    assert table.shape == (4, 2 * 3 * 3)
    y = table["skpose", "12", "head", "y"]
    np.testing.assert_allclose(y, poses.keypoints[:, 1, 0, 1], rtol=1e-6)


def test_without_a_skeleton_keypoints_have_numbers(poses, tmp_path):
    write_individuals(tmp_path / "poses.csv", Bunch(**{**poses, "names": None}))
    assert read_predictions(tmp_path / "poses.csv").names[2] == "keypoint_2"


def test_other_endings_are_refused(poses, tmp_path):
    with pytest.raises(ValueError, match=r"\.csv or \.npz"):
        write_individuals(tmp_path / "poses.h5", poses)
