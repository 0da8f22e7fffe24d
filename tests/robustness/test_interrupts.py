"""Commands that are stopped by Ctrl-C or by the system: they end, and say what is kept."""

import os
from pathlib import Path
import signal
import subprocess
import sys
from tempfile import TemporaryFile
import time

from helpers import control_c_heeded
import numpy as np
import pytest

import skpose
from skpose import Skeleton
from skpose.baseline import MeanPoseRegressor
from skpose.datasets import HDF5Images, make_poses, write_annotations
from skpose.poses import read_poses
from skpose.video_poses import predict_video

SECONDS = 30  # in which a process must have ended

pytestmark = [
    pytest.mark.clock,
    pytest.mark.skipif(os.name != "posix", reason="needs signals of POSIX"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, numbered):
    """A long video, a model that needs no TensorFlow, poses of the video, and a labelled set."""
    folder = tmp_path_factory.mktemp("interrupts")
    numbered.write(folder / "long.mp4", 1500)
    X, y = np.zeros((4, 32, 64, 3), dtype=np.uint8), np.full((4, 2, 2), 7.0)
    model = MeanPoseRegressor().fit(X, y)
    skpose.save(model, folder / "mean.skpose")
    predict_video(model, folder / "long.mp4", out=folder / "poses.csv")
    X, y = make_poses(16, image_size=32, random_state=0)
    skeleton = Skeleton([f"part{i}" for i in range(y.shape[1])])
    write_annotations(folder / "set.h5", X, y, skeleton=skeleton)
    Skeleton(["a", "b"]).to_csv(folder / "skeleton.csv")
    return folder


def stop(command, when, number, folder):
    """Start a command, send it a signal `when` that is time; return its exit code and output."""
    with TemporaryFile("w+") as output:
        with control_c_heeded():
            process = subprocess.Popen(
                [sys.executable, "-m", "skpose", *map(str, command)],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        try:
            deadline = time.monotonic() + 60
            while not when(output) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            process.send_signal(number)
            process.wait(timeout=SECONDS)
        finally:
            process.kill()
        said = _read(output)
    assert "Traceback" not in said, said
    return process.returncode, said


def _read(output):
    output.seek(0)
    return output.read()


def has_frames(part):
    return part.exists() and part.stat().st_size > 2**12  # more than its head


signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])


@signals
def test_a_prediction_that_is_stopped_says_what_is_kept_and_goes_on(number, folder, tmp_path):
    out = tmp_path / "poses.csv"
    part = tmp_path / "poses.csv.part"
    command = ["predict", "mean.skpose", "long.mp4", "--out", out, "--batch-size", 1]
    code, output = stop(command, lambda _: has_frames(part), number, folder)
    assert code == 1
    assert "Stopped." in output
    assert not out.exists()
    assert "frames are kept in" in output
    code, _ = stop(command, lambda _: False, signal.SIGCONT, folder)  # which stops nothing
    assert code == 0
    assert len(read_poses(out).time) == 1500


def test_predictions_of_several_videos_that_are_stopped(folder, tmp_path):
    command = ["predict", "mean.skpose", "long.mp4", "--out", tmp_path, "--batch-size", 1]
    code, output = stop(
        command, lambda _: any(map(has_frames, tmp_path.glob("*.part"))), signal.SIGTERM, folder
    )
    assert code == 1
    assert "Stopped." in output
    assert not list(tmp_path.glob("*.csv"))


@signals
def test_a_drawing_that_is_stopped_leaves_nothing(number, folder, tmp_path):
    command = ["draw", "long.mp4", "poses.csv", "--out", tmp_path / "drawn.mp4"]
    code, output = stop(command, lambda _: any(tmp_path.iterdir()), number, folder)
    assert code == 1
    assert "Stopped. What was at work is not written." in output
    assert not list(tmp_path.iterdir())


def test_a_drawing_that_is_killed_leaves_the_old_one_and_can_be_made(folder, tmp_path):
    out = tmp_path / "drawn.mp4"
    command = ["draw", "long.mp4", "poses.csv", "--out", out, "--overwrite"]
    code, _ = stop(command, lambda _: False, signal.SIGCONT, folder)
    assert code == 0
    before = out.read_bytes()
    code, _ = stop(command, lambda _: len(list(tmp_path.iterdir())) > 1, signal.SIGKILL, folder)
    assert code == -signal.SIGKILL
    assert out.read_bytes() == before
    code, _ = stop(command, lambda _: False, signal.SIGCONT, folder)
    assert code == 0
    assert list(tmp_path.iterdir()) == [out]  # and nothing of the killed one


@signals
def test_a_choice_of_frames_that_is_stopped_leaves_nothing(number, folder, tmp_path):
    made = tmp_path / "new.h5"
    command = ["sample", "long.mp4", "--skeleton", "skeleton.csv", "--out", made]
    code, output = stop(
        command, lambda output: "The video is grey" in _read(output), number, folder
    )
    if made.exists():  # a signal that comes when all is done may end the process by itself
        assert code in (0, -number), output
        assert HDF5Images(made).shape[0] == 100
    else:
        assert code == 1, output
        assert "Stopped. What was at work is not written." in output
    assert list(tmp_path.iterdir()) == ([made] if made.exists() else [])


def test_a_training_that_is_stopped_is_saved(folder, tmp_path):
    path = tmp_path / "model.skpose"
    options = ["--set", "max_epochs=100000", "--set", "early_stopping=False"]
    command = ["train", "set.h5", path, *options]
    code, output = stop(command, lambda output: " px" in _read(output), signal.SIGTERM, folder)
    assert code == 0, output
    assert "Training was interrupted." in output
    assert skpose.load(path).n_iter_ > 0


FIT = """
import sys
from helpers import tiny_estimator
import skpose
from skpose.datasets import make_poses
from skpose.estimator import Checkpoint
from skpose.models import LEAP
from skpose.targets import ConfidenceMaps

X, y = make_poses(16, image_size=32, random_state=0)
callback = Checkpoint(sys.argv[1], interval=0)
network = {"model": LEAP(filters=4), "targets": ConfidenceMaps(sigma=3.0, downsample_factor=0)}
tiny_estimator(**network, max_epochs=100_000, callbacks=[callback]).fit(X, y)
"""


EXPORT = """
import sys
from helpers import tiny_estimator
from skpose.datasets import make_poses
from skpose.models import LEAP
from skpose.targets import ConfidenceMaps

X, y = make_poses(16, image_size=32, random_state=0)
network = {"model": LEAP(filters=4), "targets": ConfidenceMaps(sigma=3.0, downsample_factor=0)}
estimator = tiny_estimator(**network).fit(X, y)
while True:
    estimator.export(sys.argv[1], overwrite=True)
"""


def kill_when_there(program, path):
    """Run a program until it has written a file, and a moment more; kill it."""
    places = [str(Path(__file__).parents[1]), *filter(None, sys.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    process = subprocess.Popen([sys.executable, "-c", program, path], env=environment)
    deadline = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.7)  # it is replaced again and again
    process.kill()
    assert process.wait() == -signal.SIGKILL


def test_an_export_that_is_killed_leaves_a_whole_one(tmp_path):
    pytest.importorskip("onnxruntime")
    path = tmp_path / "model.onnx"
    kill_when_there(EXPORT, path)
    X, y = make_poses(2, image_size=32, random_state=0)
    assert skpose.load(path).predict(X).shape == y.shape


def test_a_training_that_is_killed_goes_on_from_its_checkpoint(tmp_path):
    path = tmp_path / "model.skpose"
    kill_when_there(FIT, path)
    estimator = skpose.load(path)
    n_before = estimator.n_iter_
    assert n_before > 0
    X, y = make_poses(16, image_size=32, random_state=0)
    estimator.set_params(warm_start=True, max_epochs=1, callbacks=None).fit(X, y)
    assert estimator.n_iter_ == n_before + 1
