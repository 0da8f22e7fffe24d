"""What the command line does before it works: it is quiet, and quick to refuse."""

import json
import os
import subprocess
import sys

from helpers import run
import pytest

import skpose
from skpose.cli import _quiet
from skpose.datasets import make_poses, write_annotations

# Runs command lines one after the other, and tells of each what was said and whether Keras came.
DRIVER = """
import json, sys
from click.testing import CliRunner
from skpose.cli import main
for line in json.loads(sys.argv[1]):
    result = CliRunner().invoke(main, line)
    heavy = [name for name in ("keras", "tensorflow") if name in sys.modules]
    print(json.dumps([result.exit_code, result.output, heavy]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    poses = make_poses(8, image_size=32, random_state=0, return_bunch=True)
    write_annotations(folder / "set.h5", poses.images, poses.keypoints, skeleton=poses.skeleton)
    (folder / "text.h5").write_text("no set")
    (folder / "there.skpose").write_text("no model")
    return folder


@pytest.fixture(scope="module")
def model_file(folder):
    path = folder / "model.skpose"
    run("train", folder / "set.h5", path, "--epochs", 1, "--set", "model__filters=4")
    return path


def test_what_is_wrong_is_said_before_keras_is_loaded(folder, model_file):
    train = ["train", "set.h5", "new.skpose"]
    refused = {
        "Unknown model": [*train, "--model", "resnet"],
        "filters": [*train, "--set", "model__filters=-3"],
        "sigma": [*train, "--set", "targets__sigma=0"],
        "lr_schedule": [*train, "--set", "lr_schedule=linear"],
        "Did you mean 'max_epochs'": [*train, "--set", "max_epoch=3"],
        "begins with 'no set'": ["train", "text.h5", "new.skpose"],
        "there.skpose exists": ["train", "set.h5", "there.skpose"],
        "nowhere": ["train", "set.h5", "nowhere/new.skpose"],
        "--minutes": [*train, "--minutes", "-1"],
        "cannot be read as a model": ["evaluate", "there.skpose", "set.h5"],
        "text.h5": ["evaluate", "model.skpose", "text.h5"],
        "set.h5 ": ["predict", "model.skpose", "set.h5", "--out", "set.h5"],
        "poses.txt": ["predict", "model.skpose", "set.h5", "--out", "poses.txt"],
        "model.skpose exists": ["export", "model.skpose", "model.skpose"],
        "text.h5 ": ["initialize", "model.skpose", "text.h5"],
    }
    run = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(list(refused.values()))],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    told = [json.loads(line) for line in run.stdout.splitlines()]
    for what, (code, output, heavy) in zip(refused, told, strict=True):
        assert code != 0, output
        assert what in output
        assert not heavy, f"{heavy} before: {output}"


@pytest.mark.slow
def test_a_command_says_nothing_but_its_own(folder, model_file):
    command = [sys.executable, "-m", "skpose", "evaluate", str(model_file), str(folder / "set.h5")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert all(line.startswith("images ") for line in result.stderr.splitlines()), result.stderr
    assert result.stdout.startswith("1 frame kept back in training:\n")


def test_what_is_held_back_is_shown_with_an_error(capfd):
    with _quiet._held_back(2):
        os.write(2, b"greetings\n")
    assert capfd.readouterr().err == ""
    with pytest.raises(ImportError), _quiet._held_back(2):  # noqa: PT012
        os.write(2, b"libfoo.so is missing\n")
        raise ImportError
    assert capfd.readouterr().err == "libfoo.so is missing\n"
    os.write(2, b"heard again\n")
    assert capfd.readouterr().err == "heard again\n"


@pytest.mark.slow
def test_progress_for_programs_is_a_line_of_json_an_epoch(folder):
    arguments = ["train", folder / "set.h5", folder / "m.skpose", "--set", "model__filters=4"]
    result = subprocess.run(
        [sys.executable, "-m", "skpose", *arguments, "--epochs", "2", "--progress", "json"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    first, last = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["epoch"], first["n_epochs"], first["share"]) == (1, 2, 0.5)
    assert (last["share"], last["minutes_left"]) == (1, 0)
    history = skpose.load(folder / "m.skpose").history_
    assert last["val_keypoint_error"] == pytest.approx(history["val_keypoint_error"][1])
    assert "The model is in" in result.stderr
