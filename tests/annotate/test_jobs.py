"""Trainings that a page starts, and the guesses that follow."""

import json
import os
import subprocess
import sys
import time

from helpers import write_video
import numpy as np
import pytest

from skpose._files import name_with_size
from skpose.annotate import _jobs
from skpose.datasets import (
    AnnotationEditor,
    append_images,
    change_skeleton,
    make_poses,
    write_annotations,
)
from skpose.skeleton import Skeleton

pytest.importorskip("starlette")

N_LABELLED = 12
# Stands for the command line: `{train}` and `{initialize}` are what its commands do.
FAKE = """
import json, os, pathlib, signal, sys, time
command, *words = sys.argv[1:]
log = pathlib.Path(__file__).with_suffix(".log")
with log.open("a") as file:
    print(*sys.argv[1:], file=file)
def say(**line):
    print(json.dumps(line), flush=True)
if command == "train":
    labels, model = map(pathlib.Path, words[:2])
    {train}
    model.write_text("a model")
elif command == "initialize":
    model, labels = map(pathlib.Path, words[:2])
    {initialize}
"""
REPORT = (
    "say(epoch=1, share=0.5, minutes=0.1, minutes_left=0.1, n_kept_back=2, val_keypoint_error=3.5)"
)
GUESSES = "say(images=[0, 20], keypoints=[[[9, 9, 0.5]] * 4, [[8, 8, 0.25]] * 4])"


@pytest.fixture
def path(make_set):
    path = make_set(n_images=30)
    editor = AnnotationEditor(path)
    editor.edit([[i, k, "placed", 1.0 + k, 2.0] for i in range(N_LABELLED) for k in range(3)])
    return path


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Sets what the commands do; gives what they were asked."""

    def set_up(train=REPORT, initialize=GUESSES):
        script = tmp_path / "fake.py"
        script.write_text(FAKE.format(train=train, initialize=initialize))
        monkeypatch.setattr(_jobs, "COMMAND", (sys.executable, str(script)))
        return script.with_suffix(".log")

    return set_up


def wait_for(server, *states):
    end = time.monotonic() + 20
    while (about := server._jobs.about)["state"] not in states:
        assert time.monotonic() < end, about
        time.sleep(0.01)
    return about


def train(client, minutes=1):
    return client.post("/api/job", json={"train": minutes})


def test_guesses_follow_a_training_and_cover_no_label(path, serve, fake):
    log = fake()
    with serve(path) as (server, client):
        assert train(client).status_code == 202
        about = wait_for(server, "done", "failed")
        assert about["state"] == "done", about
        assert (about["error"], about["n_kept_back"], about["before"]) == (3.5, 2, None)
        keypoints = client.get("/api/frames/0").json()["keypoints"]
        assert keypoints == [*(["placed", 1.0 + k, 2.0] for k in range(3)), ["guess", 9, 9, 0.5]]
        assert client.get("/api/frames/20").json()["keypoints"] == [["guess", 8, 8, 0.25]] * 4
        frames = client.get("/api/frames").json()
        assert (frames["sure"][0], frames["sure"][20], frames["sure"][5]) == (50, 25, -1)
        assert train(client, 3).status_code == 202
        assert wait_for(server, "done")["before"] == 3.5
    model, new = path.with_suffix(".skpose"), path.with_suffix(".training.skpose")
    assert log.read_text().splitlines() == [
        f"train {path} {new} --minutes 1 --progress json",
        f"initialize {model} {path} --stream",
        f"train {path} {new} --minutes 3 --progress json --resume",
        f"initialize {model} {path} --stream",
    ]
    assert not new.exists()


def test_a_model_that_training_cannot_go_on_with_is_kept(path, serve, fake):
    fake(
        train=f"""
    if "--resume" in words:
        assert model.read_text() == "another"
        sys.exit("Error: it has other bodyparts")
    assert not model.exists()
    {REPORT}"""
    )
    model = path.with_suffix(".skpose")
    model.write_text("another")
    with serve(path) as (server, client):
        train(client)
        wait_for(server, "done")
    assert model.read_text() == "a model"
    assert model.with_name("set.previous.skpose").read_text() == "another"


def test_a_training_that_fails_on_the_way_leaves_the_model(path, serve, fake):
    log = fake(train=f"{REPORT}; model.write_text('half'); sys.exit('Error: The disk is full.')")
    model = path.with_suffix(".skpose")
    model.write_text("good")
    with serve(path) as (server, client):
        train(client)
        assert wait_for(server, "failed")["said"] == "The disk is full."
    assert model.read_text() == "good"
    assert len(log.read_text().splitlines()) == 1  # it was not begun anew
    assert sorted(p.name for p in path.parent.glob("*.skpose")) == ["set.skpose"]


def test_a_training_that_fails_is_told(path, serve, fake):
    fake(train="print('some warning', file=sys.stderr); sys.exit('Error: Training diverged.')")
    with serve(path) as (server, client):
        train(client)
        assert wait_for(server, "failed")["said"] == "Training diverged."
        fake(train="os.kill(os.getpid(), 9)")
        train(client)
        wait_for(server, "training")
        assert "ended (-9)" in wait_for(server, "failed")["said"]
        fake(initialize="print('{no json')")
        train(client)
        wait_for(server, "training")
        assert "JSON" in wait_for(server, "failed")["said"]
        fake()
        train(client)
        wait_for(server, "done")


WAITS = """
    say(epoch=1, share=0.5, minutes=0.1, minutes_left=0.1, n_kept_back=2, val_keypoint_error=3.5)
    end = []
    signal.signal(signal.SIGTERM, lambda *_: end.append(True))
    while not end:
        time.sleep(0.01)"""


@pytest.mark.skipif(os.name != "posix", reason="stops by a signal")
def test_stop_keeps_what_was_trained(path, serve, fake):
    fake(train=WAITS)
    with serve(path) as (server, client):
        train(client)
        while "epoch" not in wait_for(server, "training"):
            pass
        answer = train(client)
        assert answer.status_code == 409
        assert "already" in answer.json()["error"]
        assert client.request("DELETE", "/api/job", json={}).status_code == 202
        assert wait_for(server, "stopped", "failed")["state"] == "stopped"
        assert client.get("/api/frames/20").json()["keypoints"][0][0] == "guess"


@pytest.mark.skipif(os.name != "posix", reason="stops by a signal")
def test_a_training_that_is_stopped_before_an_epoch_is_done_leaves_the_model(path, serve, fake):
    fake(train=WAITS.replace("    say(", "    dict("))
    model = path.with_suffix(".skpose")
    model.write_text("good")
    with serve(path) as (server, client):
        train(client)
        for _ in range(3):
            client.request("DELETE", "/api/job", json={})
        assert wait_for(server, "stopped", "failed")["state"] == "stopped"
    assert model.read_text() == "good"


@pytest.mark.skipif(os.name != "posix", reason="stops by a signal")
def test_nothing_is_at_work_when_the_server_has_ended(path, serve, fake, monkeypatch):
    monkeypatch.setattr(_jobs, "_STOP", 0.5)
    fake(
        train="""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (labels.parent / "pid").write_text(str(os.getpid()))
    time.sleep(60)"""
    )
    with serve(path) as (server, client):
        train(client)
        number = path.parent / "pid"
        while not (number.exists() and number.read_text()):
            time.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)
    with pytest.raises(_jobs.Busy):
        server._jobs.train(1)


def test_too_few_labels_and_wrong_messages(make_set, serve, fake):
    fake()
    path = make_set("few.h5")
    with serve(path) as (_, client):
        answer = train(client)
        assert answer.status_code == 400
        assert answer.json()["error"] == "0 images are labelled; a training needs 10 or more."
        for minutes in (0, -1, "1", None, True, 1e9, float("inf")):
            content = json.dumps({"train": minutes})
            headers = {"content-type": "application/json"}
            answer = client.post("/api/job", content=content, headers=headers)
            assert answer.status_code == 400, minutes
        for message in ([], {}, {"train": 1, "suggest": 2}, "1", {"suggest": 1.5}, {"other": 1}):
            assert client.post("/api/job", json=message).status_code == 400
    with serve(path, read_only=True) as (_, client):
        assert train(client).status_code == 423


def test_bodyparts_that_are_added_meanwhile(path, serve, fake):
    fake(train="while not (labels.parent / 'go').exists(): time.sleep(0.01)")
    with serve(path) as (server, client):
        train(client)
        new = Skeleton(["head", "wingL", "wingR", "tail", "neck"])
        change_skeleton(path, new)
        (path.parent / "go").touch()
        assert wait_for(server, "failed", "done")["state"] == "done"
        found = client.get("/api/frames/20").json()["keypoints"]
        assert found == [*[["guess", 8, 8, 0.25]] * 4, ["empty"]]


def test_more_frames_are_chosen_where_videos_are(path, tmp_path, serve, fake):
    log = fake()
    with serve(path) as (_, client):
        answer = client.post("/api/job", json={"suggest": 20})
        assert answer.status_code == 400
        assert "No video" in answer.json()["error"]
    pytest.importorskip("av")
    video = write_video(tmp_path / "fly.mp4", np.zeros((9, 32, 48, 1), dtype=np.uint8))
    source = {"videos": [name_with_size(video)], "frame_numbers": [3]}
    append_images(path, np.zeros((1, 32, 48, 1), dtype=np.uint8), **source)
    fake(train="time.sleep(0)", initialize=GUESSES)
    with serve(path) as (server, client):
        assert client.post("/api/job", json={"suggest": 20}).status_code == 202
        wait_for(server, "done")
        path.with_suffix(".skpose").write_text("a model")
        client.post("/api/job", json={"suggest": 5})
        wait_for(server, "guessing", "failed")
        assert wait_for(server, "done")["state"] == "done"
    model = path.with_suffix(".skpose")
    assert log.read_text().splitlines() == [
        f"sample {video} -o {path} --append --n 20 --step 1",
        f"sample {video} -o {path} --append --n 5 --step 1 --model {model}",
        f"initialize {model} {path} --stream",
    ]


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="needs the schedulers of Linux")
@pytest.mark.parametrize(("load", "is_idle"), [(0.1, True), (64.0 * 4, False)])
def test_a_training_gives_way_unless_all_is_busy(monkeypatch, load, is_idle):
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        _jobs._give_way(process.pid)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) >= 10
        assert (os.sched_getscheduler(process.pid) == os.SCHED_IDLE) == is_idle
        process.kill()


def test_labels_to_look_at_again(make_set, serve):
    poses = make_poses(30, image_size=32, random_state=0, return_bunch=True)
    path = make_set("other.h5")
    poses.keypoints[7, [2, 3]] = poses.keypoints[7, [3, 2]]
    poses.keypoints[3] = np.nan
    write_annotations(path, poses.images, poses.keypoints, skeleton=poses.skeleton, overwrite=True)
    with serve(path) as (_, client):
        found = client.get("/api/suspects").json()
    assert {"frame": 7, "bodyparts": [2, 3], "why": "left_ear and right_ear look swapped"} in found
    with serve(make_set("empty.h5")) as (_, client):
        assert client.get("/api/suspects").json() == []


@pytest.mark.slow
def test_a_real_training_labels_the_rest(tmp_path, serve):
    poses = make_poses(24, image_size=32, random_state=0, return_bunch=True)
    path = tmp_path / "mice.h5"
    keypoints = poses.keypoints.copy()
    keypoints[14:] = np.nan
    write_annotations(path, poses.images, keypoints, skeleton=poses.skeleton)
    with serve(path) as (server, client):
        assert train(client, 0.15).status_code == 202
        end = time.monotonic() + 120
        while server._jobs.about["state"] in ("training", "guessing") and time.monotonic() < end:
            time.sleep(0.1)
        assert server._jobs.about["state"] == "done", server._jobs.about
        assert server._jobs.about["n_kept_back"] >= 1
        states = client.get("/api/frames").json()["states"]
        assert states == "d" * 14 + "g" * 10
        found = client.get("/api/frames/3").json()["keypoints"]
        np.testing.assert_allclose([place for _, *place in found], poses.keypoints[3])
    assert path.with_suffix(".skpose").exists()
