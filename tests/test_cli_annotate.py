"""``skpose label``."""

import json
import os
import re
import signal

from click.testing import CliRunner
from helpers import link_in, start_labelling
import numpy as np
import pytest

from skpose import Skeleton
from skpose.cli import main
from skpose.datasets import AnnotationEditor, read_annotations, write_annotations

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
        edit = {"key": "1", "base": 0, "set": [[0, 0, "placed", 1.0, 2.0]]}
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
