"""From a set without bodyparts to guesses of a model, on the page in a real browser."""

import sys

from browsing import click, drag, keypoints, saved, screen, states, until
import cv2
from helpers import NumberedVideo
import numpy as np
from numpy.testing import assert_allclose
import pytest

from skpose import Skeleton
from skpose._files import name_with_size
from skpose.annotate import _jobs
from skpose.datasets import change_skeleton, read_annotations, write_annotations
from skpose.skeleton import UNNAMED
from skpose.video import VideoFrames

pytestmark = pytest.mark.browser

FAKE_COMMANDS = """
import json, pathlib, sys, time
def say(**line):
    print(json.dumps(line), flush=True)
folder = pathlib.Path(__file__).parent
if sys.argv[1] == "train":
    say(epoch=1, share=0.5, minutes=0.1, minutes_left=0.1, n_kept_back=2, val_keypoint_error=3.5)
    while not (folder / "go").exists():
        time.sleep(0.02)
    pathlib.Path(sys.argv[3]).write_text("a model")
else:
    say(images=[0, 4], keypoints=[[[10, 10, 0.75]] * 4, [[20, 20, 0.25]] * 4])
"""


def test_bodyparts_are_clicked_named_and_connected_on_the_page(tmp_path, serve, open_page):
    path = tmp_path / "new.h5"
    X = np.full((3, 60, 80, 1), 90, dtype=np.uint8)
    write_annotations(path, X, skeleton=Skeleton([UNNAMED]))
    with serve(path) as (server, _):
        page = open_page(server.url)
        for name, at in {"nose": (20, 20), "left_ear": (30, 14), "right_ear": (30, 26)}.items():
            click(page, *at)
            page.keyboard.type(name)
        drag(page, (20, 20), (30, 14))
        page.get_by_label("Bodypart 3: connected to").select_option("nose")
        partner = page.get_by_label("Bodypart 2: partner")
        until(lambda: partner.input_value() == "2")  # the third one, from its name
        assert page.get_by_label("Bodypart 3: partner").input_value() == "1"
        drag(page, (30, 26), (33, 28))  # to a better place
        with page.expect_navigation():
            page.click("#skeleton-done")
        page.wait_for_selector("body[data-ready]")
        assert page.is_hidden("#skeleton")
        found = read_annotations(path).skeleton
        assert found == Skeleton(
            ["nose", "left_ear", "right_ear"],
            ["", "nose", "nose"],
            ["", "right_ear", "left_ear"],
        )
        assert_allclose(
            [place for _, *place in keypoints(path)], [(20, 20), (30, 14), (33, 28)], atol=0.2
        )
        page.click("#edit-skeleton")
        page.get_by_label("Name of bodypart 1").fill("snout")
        page.click("#add-part")
        page.click("#skeleton-done")
        assert "needs a name" in page.inner_text("#skeleton-trouble")
        page.keyboard.type("snout")
        page.click("#skeleton-done")
        until(lambda: "twice" in page.inner_text("#skeleton-trouble"))
        page.get_by_label("Name of bodypart 4").fill("tail")
        with page.expect_navigation():
            page.click("#skeleton-done")
        page.wait_for_selector("body[data-ready]")
        names = read_annotations(path).skeleton.names
        assert names == ("snout", "left_ear", "right_ear", "tail")
        assert states(path) == ["placed"] * 3 + ["empty"]


def test_other_pages_load_new_bodyparts_and_keep_what_waits(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        other = open_page(server.make_link(), context=page.context)
        other.click("#edit-skeleton")
        other.get_by_label("Name of bodypart 1").fill("snout")
        click(page, 10, 7)
        with page.expect_navigation():
            other.click("#skeleton-done")
        page.wait_for_selector("body[data-ready]")
        assert page.inner_text("#keypoints li:first-child .name") == "snout"
        assert states(path)[0] == "placed"


def test_an_open_editor_is_told_of_others_and_pages_go_on(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        page.click("#edit-skeleton")
        change_skeleton(path, Skeleton(["head", "wingL", "wingR", "tail", "neck"]))
        until(lambda: "changed meanwhile" in page.inner_text("#skeleton-trouble"))
        with page.expect_navigation():
            page.click("#skeleton-cancel")
        page.wait_for_selector("body[data-ready]")
        assert page.inner_text("#keypoints li:last-child .name") == "neck"


def test_partners_that_were_taken_apart_stay_so(tmp_path, serve, open_page):
    path = tmp_path / "apart.h5"
    X = np.zeros((1, 40, 60, 1), dtype=np.uint8)
    write_annotations(path, X, skeleton=Skeleton(["left_ear", "right_ear"]))
    with serve(path) as (server, _):
        page = open_page(server.url)
        page.click("#edit-skeleton")
        for name in ("left_paw", "right_paw"):
            page.click("#add-part")
            page.keyboard.type(name)
        with page.expect_navigation():
            page.click("#skeleton-done")
        page.wait_for_selector("body[data-ready]")
        assert read_annotations(path, frames="all").skeleton.swap_index.tolist() == [0, 1, 3, 2]


def test_a_training_is_started_and_its_guesses_are_gone_through(
    tmp_path, path, serve, open_page, monkeypatch
):
    script = tmp_path / "fake.py"
    script.write_text(FAKE_COMMANDS)
    monkeypatch.setattr(_jobs, "COMMAND", (sys.executable, str(script)))
    monkeypatch.setattr(_jobs.Jobs, "least_labelled", 1)
    with serve(path) as (server, _):
        page = open_page(server.url)
        assert page.is_disabled("#train")
        click(page, 10, 7)
        saved(page)
        page.click("#train")
        until(lambda: "2 frames kept back: 3.5 px off" in page.inner_text("#job-text"))
        assert page.inner_text("#train") == "Stop"
        (tmp_path / "go").touch()
        until(lambda: "then train again" in page.inner_text("#job-text"))
        assert keypoints(path)[0][0] == "placed"
        assert keypoints(path, 4)[0] == ["guess", 20, 20, 0.25]
        page.select_option("#filter", "doubt")
        rows = page.locator("#frames-shown .number")
        until(lambda: rows.all_inner_texts() == ["4", "0"])  # the least sure one first
        until(lambda: page.input_value("#frame-number") == "4")
        until(lambda: page.locator("#overlay g[data-state=guess]").count() == 4)
        page.keyboard.press("f")
        until(lambda: states(path, 4) == ["placed"] * 4)
        page.keyboard.press("d")
        until(lambda: page.input_value("#frame-number") == "0")


def test_the_video_around_a_frame_is_seen_and_a_frame_of_it_added(tmp_path, serve, open_page):
    pytest.importorskip("av")
    numbered = NumberedVideo()
    video = numbered.write(tmp_path / "numbers.mp4", 40)
    source = {"videos": [name_with_size(video)], "frame_numbers": [20]}
    path = tmp_path / "set.h5"
    write_annotations(path, VideoFrames(video)[[20]], skeleton=Skeleton(["a"]), **source)
    with serve(path) as (server, _):
        page = open_page(server.url)

        def number():
            image = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
            corners = screen(page, -0.5, -0.5), screen(page, 63.5, 31.5)
            (left, top), (right, bottom) = np.round(corners).astype(int)
            part = image[top:bottom, left:right]
            return numbered.number(cv2.resize(part, (64, 32), interpolation=cv2.INTER_AREA))

        assert number() == 20
        page.keyboard.press("]")
        page.keyboard.press("]")
        until(lambda: page.inner_text("#context-at") == "numbers.mp4: 22 (+2)")
        until(lambda: number() == 22)
        page.keyboard.press("Escape")
        assert number() == 20
        page.keyboard.press("[")
        until(lambda: number() == 19)
        page.keyboard.press("Enter")
        until(lambda: page.input_value("#frame-number") == "1")
        until(lambda: number() == 19)
        assert read_annotations(path, frames="all").frame_numbers.tolist() == [20, 19]
        page.keyboard.press("p")
        until(
            lambda: (
                "(-15)" in page.inner_text("#context-at") or "(-1" in page.inner_text("#context-at")
            )
        )
        until(lambda: page.inner_text("#context-play") == "Play")  # it has ended
        assert number() == 19
