"""Frames of videos around those of a set."""

import cv2
from helpers import NumberedVideo, write_video
import numpy as np
import pytest

from skpose import Skeleton
from skpose._files import name_with_size
from skpose.annotate import _context
from skpose.datasets import read_annotations, write_annotations
from skpose.video import VideoFrames

pytest.importorskip("starlette")
pytest.importorskip("av")

NUMBERED = NumberedVideo()
TAKEN = [3, 20, 41]


@pytest.fixture
def video(tmp_path):
    return NUMBERED.write(tmp_path / "numbers.mp4", 50)


@pytest.fixture
def path(tmp_path, video):
    X = VideoFrames(video)
    skeleton = Skeleton(["a", "b"])
    source = {"videos": [name_with_size(video)] * 3, "frame_numbers": TAKEN}
    write_annotations(tmp_path / "set.h5", X[TAKEN], skeleton=skeleton, **source)
    return tmp_path / "set.h5"


def number_in(answer):
    assert answer.headers["content-type"] == "image/jpeg"
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    return NUMBERED.number(image)


def test_frames_before_and_after_are_those_of_the_video(path, serve):
    with serve(path) as (_, client):
        assert client.get("/api/session").json()["has_videos"]
        assert client.get("/api/frames/1/context").json() == {
            "video": "numbers.mp4",
            "number": 20,
            "n_frames": 50,
            "in_set": TAKEN,
        }
        for offset in (-1, 1, -20, 29, 0):
            answer = client.get(f"/api/frames/1/context/{offset}")
            assert number_in(answer) == 20 + offset
        for offset in ("-21", "30", "x", "--1", "1.5", "1e3"):
            answer = client.get(f"/api/frames/1/context/{offset}")
            assert answer.status_code == 404
            assert answer.json()["error"]
        assert client.get("/api/frames/3/context").status_code == 404


def test_a_frame_of_the_video_is_added_once(path, video, serve):
    with serve(path) as (server, client):
        for _ in range(2):
            answer = client.post("/api/frames", json={"frame": 1, "offset": 2})
            assert (answer.status_code, answer.json()) == (201, {"frame": 3})
        assert client.post("/api/frames", json={"frame": 1, "offset": -17}).json() == {"frame": 0}
        assert len(client.get("/api/frames").json()["states"]) == 4
        assert client.get("/api/frames/3/context").json()["number"] == 22
        assert server.n_edits == 1
        for wrong in ({"frame": 1, "offset": 99}, {"frame": 9, "offset": 1}, {"frame": 1}, []):
            assert client.post("/api/frames", json=wrong).status_code == 400
    data = read_annotations(path, frames="all")
    assert data.frame_numbers.tolist() == [*TAKEN, 22]
    np.testing.assert_array_equal(data.images[3], VideoFrames(video)[22])


def test_a_video_elsewhere_is_given(path, video, serve, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    moved = video.rename(tmp_path / "elsewhere" / video.name)
    with serve(path) as (_, client):
        answer = client.get("/api/frames/1/context")
        assert answer.status_code == 404
        assert "numbers.mp4 is not in" in answer.json()["error"]
    with serve(path, videos=[moved]) as (_, client):
        assert number_in(client.get("/api/frames/1/context/1")) == 21


def test_another_video_of_the_same_name_is_not_shown(path, video, serve):
    NUMBERED.write(video, 30)
    with serve(path) as (_, client):
        answer = client.get("/api/frames/1/context/1")
        assert answer.status_code == 404
        assert "another video" in answer.json()["error"]
    video.write_bytes(b"no video")
    with serve(path) as (_, client):
        assert client.get("/api/frames/1/context/1").status_code == 404


def test_a_video_of_another_size_or_none_at_all(tmp_path, serve):
    images = np.zeros((5, 32, 48, 3), dtype=np.uint8)
    video = write_video(tmp_path / "small.mp4", images)
    X = np.zeros((2, 16, 16, 3), dtype=np.uint8)
    path = tmp_path / "set.h5"
    source = {"videos": [name_with_size(video), ""], "frame_numbers": [1, -1]}
    write_annotations(path, X, skeleton=Skeleton(["a"]), **source)
    with serve(path) as (_, client):
        assert "32 x 48" in client.get("/api/frames/0/context").json()["error"]
        assert "does not tell" in client.get("/api/frames/1/context").json()["error"]


def test_no_way_leads_out_of_the_folder(tmp_path, serve):
    video = write_video(tmp_path / "small.mp4", np.zeros((5, 16, 16, 3), dtype=np.uint8))
    (tmp_path / "sets").mkdir()
    path = tmp_path / "sets" / "set.h5"
    X = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    source = {"videos": [f"../{name_with_size(video)}"], "frame_numbers": [1]}
    write_annotations(path, X, skeleton=Skeleton(["a"]), **source)
    with serve(path) as (_, client):
        assert "is not in" in client.get("/api/frames/0/context").json()["error"]


def test_frames_that_fill_the_cache_are_given(path, serve, monkeypatch):
    monkeypatch.setattr(_context, "_CACHE", 100)
    with serve(path) as (_, client):
        for offset in (
            -4,
            -1,
            3,
        ):  # the first, one in the middle and the last of those read at once
            assert number_in(client.get(f"/api/frames/1/context/{offset}")) == 20 + offset


def test_nothing_is_added_to_a_set_that_is_looked_at(path, serve):
    with serve(path, read_only=True) as (_, client):
        assert client.post("/api/frames", json={"frame": 1, "offset": 2}).status_code == 423
