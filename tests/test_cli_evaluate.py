import json

from helpers import run
import numpy as np
import pandas as pd
import pytest

import skpose
from skpose.datasets import make_poses, write_annotations
from skpose.metrics import keypoint_errors, pck
from skpose.plot import _pose_panels

SMALL = ["--set", "model__filters=4", "--set", "augmenter=None", "--seed", 0]


@pytest.fixture(scope="module")
def poses():
    poses = make_poses(24, image_size=32, random_state=0, return_bunch=True)
    poses.keypoints[::3, 4] = np.nan
    return poses


@pytest.fixture(scope="module")
def folder(tmp_path_factory, poses):
    folder = tmp_path_factory.mktemp("evaluate")

    def write(name, rows):
        images, keypoints = poses.images[rows], poses.keypoints[rows]
        write_annotations(folder / name, images, keypoints, skeleton=poses.skeleton)

    write("train.h5", np.arange(20))
    write("shuffled.h5", np.random.default_rng(0).permutation(24))
    write("new.h5", np.arange(20, 24))
    run("train", folder / "train.h5", folder / "m.skpose", "--epochs", 1, *SMALL)
    return folder


def mean_of_all(output):
    (line,) = [line for line in output.splitlines() if line.startswith("all bodyparts")]
    return float(line.split()[3])


def test_frames_are_told_apart_by_what_training_did_with_them(folder, poses):
    output = run("evaluate", folder / "m.skpose", folder / "shuffled.h5")
    assert "4 frames never seen in training:\n" in output
    assert "\n2 frames kept back in training: mean " in output
    assert "\n18 frames trained on: mean " in output
    found = skpose.load(folder / "m.skpose").predict(poses.images[20:])
    errors = keypoint_errors(poses.keypoints[20:], found)
    assert mean_of_all(output) == pytest.approx(np.nanmean(errors), abs=0.006)
    share = pck(poses.keypoints[20:], found, threshold=0.1, relative_to="bounding_box")
    (line,) = [line for line in output.splitlines() if line.startswith("all bodyparts")]
    assert line.split()[-1] == f"{share:.0%}"
    assert output.count("all bodyparts") == 1


def test_frames_of_the_training_alone(folder):
    output = run("evaluate", folder / "m.skpose", folder / "train.h5")
    assert output.startswith("2 frames kept back in training:\n")
    assert "never seen" not in output


def test_a_table_has_a_row_for_each_keypoint(folder, poses):
    out = folder / "errors.csv"
    run("evaluate", folder / "m.skpose", folder / "new.h5", "--out", out)
    table = pd.read_csv(out)
    assert len(table) == 4 * 13
    assert set(table["role"]) == {"new"}
    row = table[(table["frame"] == 2) & (table["bodypart"] == "centre")].iloc[0]
    found = skpose.load(folder / "m.skpose").predict(poses.images[22:23])[0, 7]
    assert [row["labelled_x"], row["labelled_y"]] == pytest.approx(poses.keypoints[22, 7])
    assert [row["found_x"], row["found_y"]] == pytest.approx(found, abs=1e-4)
    assert row["error_px"] == pytest.approx(np.linalg.norm(found - poses.keypoints[22, 7]), 1e-4)
    assert 0 <= row["confidence"] <= 1
    assert table[table["bodypart"] == "neck"]["error_px"].isna().sum() == 1
    assert "exists" in run(
        "evaluate", folder / "m.skpose", folder / "new.h5", "--out", out, ok=False
    )
    ending = run("evaluate", folder / "m.skpose", folder / "new.h5", "--out", "e.txt", ok=False)
    assert ".csv or .json" in ending


def test_frames_are_called_as_in_the_set(folder, poses, tmp_path):
    keypoints = poses.keypoints.copy()
    keypoints[:20] = np.nan
    path = tmp_path / "late.h5"
    write_annotations(path, poses.images, keypoints, skeleton=poses.skeleton)
    arguments = ["evaluate", folder / "m.skpose", path, "--out", tmp_path / "e.csv"]
    run(*arguments, "--plots", tmp_path / "plots")
    assert set(pd.read_csv(tmp_path / "e.csv")["frame"]) == {20, 21, 22, 23}
    again = run(*arguments, "--overwrite", "--plots", tmp_path / "plots")
    assert "Pictures are in" in again
    assert "worst.png exists" in run(
        "evaluate", folder / "m.skpose", path, "--plots", tmp_path / "plots", ok=False
    )


def test_json_has_the_figures_of_the_table(folder):
    out = folder / "errors.json"
    output = run("evaluate", folder / "m.skpose", folder / "shuffled.h5", "--out", out)
    told = json.loads(out.read_text())
    assert {role: part["n_frames"] for role, part in told["roles"].items()} == {
        "new": 4,
        "training": 18,
        "validation": 2,
    }
    assert told["roles"]["new"]["all"]["mean_px"] == pytest.approx(mean_of_all(output), abs=0.006)
    assert len(told["frames"]) == 24
    assert told["roles"]["new"]["bodyparts"]["neck"]["n"] == 3


@pytest.fixture
def drawn(monkeypatch):
    """What has been drawn, panel by panel."""
    drawn = []
    draw = _pose_panels.Panels.draw

    def note(panels, *arguments):
        drawn.append(panels)
        return draw(panels, *arguments)

    monkeypatch.setattr(_pose_panels.Panels, "draw", note)
    return drawn


def test_pictures_show_the_worst_frames_and_typical_ones(folder, drawn):
    run("evaluate", folder / "m.skpose", folder / "shuffled.h5", "--plots", folder / "plots")
    for name in ("worst", "typical", "bodyparts"):
        assert (folder / "plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    worst, typical = (
        np.nanmean(keypoint_errors(panels.y_true, panels.keypoints), axis=1) for panels in drawn
    )
    assert len(worst) == len(typical) == 12
    assert worst.mean() > typical.mean()


def test_an_older_file_does_not_know(folder, tmp_path):
    model = skpose.load(folder / "m.skpose")
    model.training_digests_ = model.validation_digests_ = None
    model.save(tmp_path / "old.skpose")
    output = run("evaluate", tmp_path / "old.skpose", folder / "new.h5")
    assert "4 frames:\n" in output


def test_a_set_in_which_a_frame_has_no_label_is_drawn(folder, poses, tmp_path):
    keypoints = poses.keypoints[20:].copy()
    keypoints[0] = np.nan
    write_annotations(tmp_path / "s.h5", poses.images[20:], keypoints, skeleton=poses.skeleton)
    run("evaluate", folder / "m.skpose", tmp_path / "s.h5", "--plots", tmp_path / "plots")
    assert len(list((tmp_path / "plots").iterdir())) == 3


def test_poses_of_a_set_are_drawn_over_its_images(folder, poses, drawn):
    labels, table, out = folder / "train.h5", folder / "poses.csv", folder / "drawn.png"
    run("predict", folder / "m.skpose", labels, "--out", table)
    arguments = ["draw", labels, table, "--min-confidence", 0, "--start", 4, "--stop", 7]
    assert "must end in .png" in run(*arguments, "--out", folder / "drawn.mp4", ok=False)
    assert "--scale does not" in run(*arguments, "--out", out, "--scale", 2, ok=False)
    assert "3 of 3 images" in run(*arguments, "--out", out)
    assert out.read_bytes().startswith(b"\x89PNG")
    np.testing.assert_allclose(drawn[0].y_true, poses.keypoints[4:7])
    found = skpose.load(folder / "m.skpose").predict(poses.images[4:7])
    np.testing.assert_allclose(drawn[0].keypoints, found, atol=0.01)
    np.testing.assert_array_equal(drawn[0].images, poses.images[4:7])
    output = run("draw", folder / "new.h5", table, "--out", folder / "no.png", ok=False)
    assert "go up to frame 19, but" in output
