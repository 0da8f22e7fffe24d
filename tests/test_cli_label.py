"""``skpose label``."""

import json
import os
import re
import signal

from click.testing import CliRunner
from helpers import link_in, run, start_labelling, write_video
import numpy as np
import pytest

from skpose import Skeleton
from skpose.cli import main
from skpose.datasets import AnnotationEditor, make_poses, read_annotations, write_annotations
from skpose.skeleton import UNNAMED

pytest.importorskip("starlette")
httpx = pytest.importorskip("httpx")


@pytest.fixture
def path(tmp_path):
    X = np.zeros((3, 16, 24, 1), dtype=np.uint8)
    write_annotations(tmp_path / "set.h5", X, skeleton=Skeleton(["head", "tail"]))
    return tmp_path / "set.h5"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="stops by a signal")
def test_labels_are_in_the_set_when_the_command_is_ended(path):
    process, said = start_labelling(path, "--port", 0, "--user", "ada")
    url = link_in(said)
    port = re.search(r":(\d+)/", url)[1]
    assert f"ssh -L {port}:127.0.0.1:{port}" in said  # there is no screen
    with httpx.Client(follow_redirects=True) as client:
        client.get(url)
        edit = {"key": "1", "user": "", "base": 0, "set": [[0, 0, "placed", 1.0, 2.0]]}
        message = {"client": "page", "edits": [edit]}
        assert client.post(f"http://127.0.0.1:{port}/api/edits", json=message).status_code == 200
    assert '"by": "ada/page"' in path.with_name("set.h5.journal").read_text()
    second = CliRunner().invoke(main, ["label", str(path)])
    assert second.exit_code == 0
    assert url in second.output
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "1 changes are in" in out
    assert "Traceback" not in err
    assert not path.with_name("set.h5.journal").exists()
    assert read_annotations(path).keypoints[0, 0].tolist() == [1.0, 2.0]
    told = CliRunner().invoke(main, ["info", str(path)])
    assert "ada (1 keypoints)" in told.output


@pytest.mark.skipif(os.name != "posix", reason="stops by a signal")
def test_a_set_that_may_not_be_written_is_looked_at(path):
    process, said = start_labelling(path, "--port", 0, "--read-only")
    assert "can only be looked at" in said
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert "was not changed" in out


def test_labels_of_other_formats_become_a_set(tmp_path, monkeypatch):
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), dtype=np.uint8))
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 8}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 2, 2, 3, 4, 1, 0, 0, 0]}
        ],
        "categories": [{"id": 1, "name": "mouse", "keypoints": ["a", "b", "c"]}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    monkeypatch.setattr("skpose.annotate.LabelServer.wait", lambda self: None)
    run = ["label", str(tmp_path / "coco.json"), "--port", "0", "--no-browser"]
    refused = CliRunner().invoke(main, run)
    assert refused.exit_code == 2
    assert "--out SET.h5" in refused.output
    made = CliRunner().invoke(main, [*run, "--out", str(tmp_path / "set.h5")])
    assert made.exit_code == 0, made.output
    found = AnnotationEditor(tmp_path / "set.h5").keypoints_of(0)
    assert found == [["placed", 1.0, 2.0], ["hidden", 3.0, 4.0], ["empty"]]
    again = CliRunner().invoke(main, [*run, "--out", str(tmp_path / "set.h5")])
    assert again.exit_code == 1
    assert "exists" in again.output


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\ncut"])
def test_what_is_no_set_is_told_in_a_line(tmp_path, content):
    (tmp_path / "set.h5").write_bytes(content)
    run = CliRunner().invoke(main, ["label", str(tmp_path / "set.h5"), "--no-browser"])
    assert run.exit_code in (1, 2)
    assert "set.h5" in run.output
    assert CliRunner().invoke(main, ["label", str(tmp_path / "none.h5")]).exit_code == 2


def test_the_browser_gets_a_link_that_is_good_once(path, monkeypatch):
    opened = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("skpose.annotate.LabelServer.wait", lambda self: None)
    run = CliRunner().invoke(main, ["label", str(path), "--port", "0"])
    assert run.exit_code == 0, run.output
    (link,) = opened
    token = re.search(r"token=(\S+)", run.output)[1]
    assert "ticket=" in link
    assert token not in link


@pytest.fixture
def no_server(monkeypatch):
    """The command ends where the page would be opened."""
    from skpose import annotate

    def served(path, **options):
        raise annotate.AlreadyServed("", "http://elsewhere")

    monkeypatch.setattr(annotate, "LabelServer", served)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    pytest.importorskip("av")
    folder = tmp_path_factory.mktemp("videos")
    poses = make_poses(60, image_size=32, random_state=0)[0]
    grey = poses[..., :1]
    write_video(folder / "one.mkv", grey[:30], codec="ffv1", pix_fmt="gray")
    write_video(folder / "two.mkv", grey[30:], codec="ffv1", pix_fmt="gray")
    write_video(folder / "large.mkv", np.kron(grey[:5], np.ones((1, 2, 2, 1), np.uint8)))
    return folder


def test_a_video_becomes_a_set_beside_it(videos, no_server, tmp_path):
    out = tmp_path / "set.h5"
    said = run("label", videos / "one.mkv", "--n", 5, "-o", out)
    assert f"5 frames of 1 video(s) are in {out}" in said
    assert "http://elsewhere" in said
    data = read_annotations(out, frames="all")
    assert data.images.shape == (5, 32, 32, 1)
    assert data.skeleton.names == (UNNAMED,)
    before = np.asarray(data.images)
    said = run("label", videos / "one.mkv", videos / "two.mkv", "--n", 4, "-o", out)
    assert f"{out} is there already." in said
    data = read_annotations(out, frames="all")
    assert len(data.images) == 9  # only of the video that it did not know
    np.testing.assert_array_equal(np.asarray(data.images[:5]), before)
    assert {video.partition(",")[0] for video in data.videos.tolist()} == {"one.mkv", "two.mkv"}
    assert "does not apply" in run(
        "label", videos / "one.mkv", "-o", out, "--bodyparts", "a,b", ok=False
    )
    assert "another one" in run("label", videos / "large.mkv", "-o", out, ok=False)


def test_a_set_that_is_only_looked_at_is_not_made_or_added_to(videos, no_server, tmp_path):
    out = tmp_path / "set.h5"
    said = run("label", videos / "one.mkv", "-o", out, "--read-only", ok=False)
    assert "nothing to look at" in said
    run("label", videos / "one.mkv", "-o", out, "--n", 3)
    run("label", videos / "two.mkv", "-o", out, "--read-only")
    assert len(read_annotations(out, frames="all").images) == 3


def test_bodyparts_may_be_named_at_once(videos, no_server):
    run("label", videos / "two.mkv", "--n", 3, "--bodyparts", "nose,left_ear,right_ear")
    data = read_annotations(videos / "two.h5", frames="all")
    assert data.skeleton.names == ("nose", "left_ear", "right_ear")
    assert data.skeleton.swap_index.tolist() == [0, 2, 1]


def test_what_is_neither_a_set_nor_a_video(videos, path, no_server, tmp_path):
    (tmp_path / "text.txt").write_text("nothing")
    assert "text.txt" in run("label", tmp_path / "text.txt", ok=False)
    assert "one set of labels" in run("label", path, path, videos / "one.mkv", ok=False)
    assert "only to videos" in run("label", path, "--n", 3, ok=False)
