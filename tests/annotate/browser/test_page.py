"""The page in a real browser, used by mouse and keys."""

from contextlib import contextmanager
import os
import re
import signal

from browsing import click, drag, keypoints, place, saved, screen, states, until, zoom_to
import cv2
from helpers import link_in, start_labelling
import numpy as np
from numpy.testing import assert_allclose
import pytest

from skpose import Skeleton
from skpose._palette import bodypart_colors
from skpose.datasets import (
    AnnotationEditor,
    read_annotations,
    read_labels,
    write_annotations,
)

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize("scale", [1, 3.7, 16])
def test_a_click_on_a_pixel_is_stored_at_its_centre(path, serve, open_page, scale, ratio):
    with serve(path) as (server, _):
        page = open_page(server.url, device_scale_factor=ratio)
        zoom_to(page, scale)
        click(page, 10, 7)
        saved(page)
        assert_allclose(keypoints(path)[0][1:], (10, 7), atol=0.51 / scale)


def test_pixels_are_drawn_where_they_are_clicked(tmp_path, serve, open_page):
    """A single white pixel is seen where the page says that it is."""
    X = np.zeros((1, 40, 60, 1), dtype=np.uint8)
    X[0, 7, 10] = 255
    write_annotations(tmp_path / "set.h5", X, skeleton=Skeleton(["a"]))
    with serve(tmp_path / "set.h5") as (server, _):
        page = open_page(server.url)
        zoom_to(page, 12)
        image = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
        left, top = screen(page, 0, 0)
        part = image[int(top) - 6 : int(top) + 300, int(left) - 6 : int(left) + 400]
        rows, columns = np.nonzero(part > 250)
        x, y = screen(page, 10, 7)
        assert_allclose(
            [columns.mean() + int(left) - 5.5, rows.mean() + int(top) - 5.5], (x, y), atol=0.6
        )


def test_a_frame_is_labelled_by_clicks_alone(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        page.keyboard.press("Tab")
        page.keyboard.press("Shift+Tab")
        places = [(5, 5), (15, 10), (30, 20), (40, 25)]
        for k, place in enumerate(places):
            name = ["head", "wingL", "wingR", "tail"][k]
            assert name in page.inner_text("#status")
            click(page, *place)
        saved(page)
        assert states(path) == ["placed"] * 4
        assert_allclose([point[1:] for point in keypoints(path)], places, atol=0.1)
        assert page.locator("#frames-shown [aria-current=true] .word").inner_text() == "done"
        assert page.inner_text("#progress-text") == "1 of 6 done"
        before = keypoints(path)
        page.reload()
        page.wait_for_selector("body[data-ready]")
        page.keyboard.press("a")
        assert page.locator("#overlay g[data-state=placed]").count() == 4
        assert keypoints(path) == before


def test_walking_past_bodyparts_labels_none(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        for key in ["Tab"] * 5 + ["s", "w", "Shift+Tab", "1", "4", "d", "a"]:
            page.keyboard.press(key)
        assert server.n_edits == 0
        assert states(path) == ["empty"] * 4


def test_every_state_by_keys_and_back_by_undo(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        seen = [keypoints(path)]

        def do(act):
            act()
            saved(page)
            seen.append(keypoints(path))

        do(lambda: click(page, 5, 5))
        do(lambda: click(page, 20, 9))
        page.keyboard.press("1")
        do(lambda: page.keyboard.press("v"))
        page.keyboard.press("3")
        do(lambda: page.keyboard.press("x"))
        do(lambda: page.keyboard.press("t"))
        do(lambda: page.keyboard.press("Shift+X"))
        page.keyboard.press("1")
        do(lambda: page.keyboard.press("Delete"))
        do(lambda: page.keyboard.press("r"))
        assert [state for state, *_ in seen[6]] == ["hidden", "absent", "placed", "absent"]
        assert seen[-1] == seen[0]
        for expected in seen[-2::-1]:
            page.keyboard.press("Control+z")
            saved(page)
            assert keypoints(path) == expected
        for expected in seen[1:]:
            page.keyboard.press("Control+Shift+Z")
            saved(page)
            assert keypoints(path) == expected


def test_undo_goes_to_the_frame_concerned(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        click(page, 5, 5)
        page.keyboard.press("d")
        page.keyboard.press("d")
        until(lambda: page.input_value("#frame-number") == "2")
        page.keyboard.press("Control+z")
        until(lambda: page.input_value("#frame-number") == "0")
        until(lambda: states(path) == ["empty"] * 4)
        page.keyboard.press("d")
        page.keyboard.press("Control+y")
        until(lambda: states(path) == ["placed", *["empty"] * 3])


def test_points_are_dragged_and_stay_in_the_image(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        click(page, 5, 5)
        drag(page, (5, 5), (21, 13))
        saved(page)
        assert_allclose(keypoints(path)[0][1:], (21, 13), atol=0.1)
        drag(page, (21, 13), (90, 13))
        saved(page)
        assert_allclose(keypoints(path)[0][1:], (47.5, 13), atol=0.1)
        page.mouse.move(*screen(page, 47.4, 13))
        page.mouse.down()
        page.mouse.move(*screen(page, 20, 20), steps=3)
        page.keyboard.press("Escape")
        page.mouse.up()
        assert_allclose(keypoints(path)[0][1:], (47.5, 13), atol=0.1)
        assert server.n_edits == 3


def test_arrows_move_by_parts_of_a_pixel(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        click(page, 5, 5)
        page.keyboard.press("1")
        saved(page)
        x, y = keypoints(path)[0][1:]
        for key in ("ArrowRight", "Shift+ArrowDown", "Alt+ArrowLeft"):
            page.keyboard.press(key)
        saved(page)
        assert_allclose(keypoints(path)[0][1:], (x + 0.9, y + 10), atol=1e-6)
        page.keyboard.press("Control+z")  # quick ones are undone together
        saved(page)
        assert_allclose(keypoints(path)[0][1:], (x, y), atol=1e-6)


def test_the_wheel_keeps_what_is_under_the_cursor(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        at = [round(number) for number in screen(page, 12, 20)]  # browsers round the mouse's place
        x, y = place(page, *at)
        page.mouse.move(*at)
        for delta in (-300, -300, 200):
            page.mouse.wheel(0, delta)
        until(lambda: page.inner_text("#zoom"))
        assert_allclose(screen(page, x, y), at, atol=0.01)
        scale = page.evaluate("window.skpose.view.transform.scale")
        page.keyboard.press("d")
        page.mouse.click(*at)
        saved(page)
        assert page.evaluate("window.skpose.view.transform.scale") == scale  # kept
        assert_allclose(keypoints(path, 1)[0][1:], (x, y), atol=1e-6)


def test_guesses_are_no_labels_until_they_are_accepted(path, serve, open_page):
    guesses = [[0, k, "guess", 5.0 + 10 * k, 9.0, 0.9 - k / 10] for k in range(4)]
    AnnotationEditor(path).edit(guesses)
    with serve(path) as (server, _):
        page = open_page(server.url)
        assert page.locator("#overlay g[data-state=guess]").count() == 4
        assert "tail" in page.inner_text("#status")  # the most doubtful one
        drag(page, (35, 9), (38, 12))
        saved(page)
        assert states(path) == ["guess"] * 3 + ["placed"]
        page.keyboard.press("Space")
        saved(page)
        assert states(path) == ["placed"] * 4
        assert page.input_value("#frame-number") == "1"


def test_a_pose_is_copied_as_guesses(path, serve, open_page):
    AnnotationEditor(path).edit([[0, k, "placed", 5.0 + 10 * k, 9.0] for k in range(4)])
    with serve(path) as (server, _):
        page = open_page(server.url)
        assert page.input_value("#frame-number") == "1"  # the first that is not done
        page.keyboard.press("d")
        click(page, 3, 3)
        page.keyboard.press("c")
        until(lambda: states(path, 2) == ["placed", "guess", "guess", "guess"])
        assert_allclose(keypoints(path, 2)[0][1:], (3, 3), atol=0.1)


def test_one_bodypart_through_all_frames(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        page.select_option("#mode", "bodypart")
        page.keyboard.press("2")
        for frame in range(3):
            until(lambda frame=frame: page.input_value("#frame-number") == str(frame))
            click(page, 9, 9)
        saved(page)
        assert [states(path, frame)[1] for frame in range(3)] == ["placed"] * 3


def test_names_are_texts_whatever_they_hold(tmp_path, serve, open_page):
    names = ["<img src=x onerror=alert(1)>", "جناح", "x" * 60, "&amp;"]
    X = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    write_annotations(tmp_path / "<b>.h5", X, skeleton=Skeleton(names))
    with serve(tmp_path / "<b>.h5") as (server, _):
        page = open_page(server.url)
        assert page.locator("#keypoints .name").all_inner_texts() == names
        assert page.inner_text("#set-name") == "<b>.h5"
        assert page.locator("aside img, header b").count() == 0


def test_two_pages_do_not_overwrite_one_another(path, serve, open_page):
    with serve(path) as (server, _):
        one, other = open_page(server.url), open_page(server.url)
        click(one, 5, 5)
        other.wait_for_selector("#overlay g[data-keypoint='0'][data-state=placed]")
        other.context.set_offline(True)
        one.keyboard.press("2")
        click(one, 15, 5)
        saved(one)
        other.keyboard.press("2")
        click(other, 30, 20)
        until(lambda: "wait" in other.inner_text("#saved"))
        other.context.set_offline(False)
        other.wait_for_selector("#banner >> text=Somebody else has moved wingL")
        assert_allclose(keypoints(path)[1][1:], (15, 5), atol=0.1)
        other.click("text=Use mine")
        until(lambda: abs(keypoints(path)[1][1] - 30) < 0.1)
        until(lambda: one.evaluate("window.skpose.store.keypoints[1][1] > 29"))


@pytest.mark.slow
def test_people_see_where_others_are_and_who_labelled_what(path, serve, open_page):
    with serve(path, user="anna") as (server, _):
        page, other = open_page(server.url), open_page(server.url)
        assert page.input_value("#user") == "anna"
        other.fill("#user", "ben: ")
        other.keyboard.press("Enter")
        assert other.input_value("#user") == "ben"
        other.keyboard.press("d")
        until(lambda: page.inner_text("#others") == "ben is at 1")
        until(lambda: other.inner_text("#others") == "anna is at 0")
        assert "ben" in page.inner_text("#frames-shown li:nth-child(2)")
        click(other, 20, 10)
        saved(other)
        page.keyboard.press("d")
        until(lambda: page.inner_text("#others") == "ben is here too")
        row = page.locator("#keypoints button").first
        until(lambda: row.get_attribute("title") == "head, placed by ben")
        other.reload()
        other.wait_for_selector("body[data-ready]")
        assert other.input_value("#user") == "ben"
        other.close()
        until(lambda: page.inner_text("#others") == "")


def test_labels_are_exported_from_the_page(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        page.select_option("#export", "coco")
        until(lambda: "No image" in page.inner_text("#banner"))
        page.get_by_role("button", name="Close").click()
        click(page, 20, 10)
        page.select_option("#export", "coco")
        until(lambda: "1 labelled frame is in" in page.inner_text("#banner"))
        assert "set_coco.json" in page.inner_text("#banner")
        assert page.input_value("#export") == ""
    found = read_labels(path.with_name("set_coco.json"))
    assert_allclose(found.keypoints[0, 0], [20.0, 10.0], atol=0.1)


def test_edits_wait_for_a_connection_and_are_done_once(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        page.context.set_offline(True)
        for k in range(20):
            page.keyboard.press("1")
            page.keyboard.down("Shift")  # places it, though another point is near
            click(page, 2 + k, 20)
            page.keyboard.up("Shift")
        until(lambda: page.inner_text("#saved") == "20 edits wait")
        assert "kept in this browser" in page.inner_text("#banner")
        assert server.n_edits == 0
        page.context.set_offline(False)
        saved(page)
        assert page.is_hidden("#banner")
        journal = path.with_name("set.h5.journal").read_text().splitlines()
        assert len(journal) == 21  # a head, and each edit once
        assert_allclose(keypoints(path)[0][1:], (21, 20), atol=0.1)


@contextmanager
def command(path, port=0):
    """`skpose label` as a process of its own; gives it, and its link."""
    process, said = start_labelling(path, "--port", port)
    with process:
        try:
            yield process, link_in(said)
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills by a signal")
def test_a_page_goes_on_after_its_server_was_killed(path, open_page):
    with command(path) as (server, url):
        page = open_page(url)
        click(page, 5, 5)
        saved(page)
        server.send_signal(signal.SIGKILL)
        server.wait()
        click(page, 15, 15)
        page.keyboard.press("d")
        page.wait_for_selector("#banner >> text=1 edit waits")
        port = int(re.search(r":(\d+)/", url)[1])
    with command(path, port) as (server, again):
        assert again == url
        saved(page)
        assert states(path)[:2] == ["placed", "placed"]


@pytest.mark.slow
def test_edits_of_a_closed_page_are_sent_by_the_next(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        page.route("**/api/edits", lambda route: route.abort())
        click(page, 5, 5)
        page.wait_for_selector("#banner >> text=1 edit waits")
        context = page.context
        page.close(run_before_unload=False)
        assert server.n_edits == 0
        saved(open_page(server.url, context=context))
        assert states(path) == ["placed", *["empty"] * 3]


def test_long_lists_cost_little(make_set, serve, open_page):
    path = make_set("long.h5", n_images=10_000, shape=(8, 8, 1))
    with serve(path) as (server, _):
        page = open_page(server.url)
        page.evaluate("document.getElementById('frames').scrollTop = 130000")
        page.wait_for_selector("#frames-shown >> text='5001'")
        page.click("#frames-shown >> text='5001'")
        until(lambda: page.input_value("#frame-number") == "5001")
        assert page.evaluate("document.querySelectorAll('*').length") < 500
        page.keyboard.press("g")
        page.keyboard.type("9999")
        page.keyboard.press("Enter")
        page.wait_for_selector("#frames-shown [aria-current=true] >> text='9999'")


def test_guesses_that_come_do_not_move_what_is_dragged(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        click(page, 5, 5)
        saved(page)
        page.mouse.move(*screen(page, 5, 5))
        page.mouse.down()
        page.mouse.move(*screen(page, 10, 10), steps=2)
        AnnotationEditor(path).edit([[0, k, "guess", 30.0, 4.0 * k] for k in (1, 2, 3)])
        until(lambda: page.evaluate("window.skpose.store.isStale"))
        page.mouse.move(*screen(page, 20, 20), steps=2)
        page.mouse.up()
        saved(page)
        page.wait_for_selector("#overlay g[data-keypoint='3'][data-state=guess]")
        assert_allclose(keypoints(path)[0][1:], (20, 20), atol=0.1)
        assert states(path) == ["placed", "guess", "guess", "guess"]


def test_keys_of_other_scripts_and_keys_of_ones_own(path, serve, open_page):
    press = """([key, code]) => document.getElementById('stage').dispatchEvent(
        new KeyboardEvent('keydown', { key, code, bubbles: true, cancelable: true }))"""
    with serve(path) as (server, _):
        page = open_page(server.url)
        page.evaluate(press, ["в", "KeyD"])  # Russian
        until(lambda: page.input_value("#frame-number") == "1")
        page.evaluate(press, ["q", "KeyA"])  # French: what is printed on it counts
        assert page.locator("#overlay.hide").count() == 1
        page.evaluate(press, ["é", "Digit2"])
        assert "wingL" in page.inner_text("#status")
        page.keyboard.press("?")
        page.click("#keys tr:has-text('Next frame') >> button >> nth=0")
        page.keyboard.press("y")
        page.keyboard.press("Escape")
        page.keyboard.press("y")
        until(lambda: page.input_value("#frame-number") == "2")
        page.reload()
        page.wait_for_selector("body[data-ready]")
        page.keyboard.press("y")
        until(lambda: page.input_value("#frame-number") == "3")


def test_sliders_and_boxes_heed_keys_and_accept_no_guesses(path, serve, open_page):
    AnnotationEditor(path).edit([[0, 0, "guess", 5.0, 9.0]])
    with serve(path) as (server, _):
        page = open_page(server.url)
        page.keyboard.press("b")
        page.focus("#size")
        page.keyboard.press("ArrowRight")
        page.focus("#names")
        page.keyboard.press("Space")
        assert (page.input_value("#size"), page.is_checked("#names")) == ("8", True)
        assert page.locator("#overlay .ring").first.get_attribute("r") == "8"
        assert server.n_edits == 0


def test_held_keys_hide_the_marks_and_show_the_magnifier(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        click(page, 5, 5)
        page.keyboard.down("q")
        assert page.locator("#overlay.hide").count() == 1
        page.keyboard.up("q")
        assert page.locator("#overlay.hide").count() == 0
        page.keyboard.down("z")
        page.mouse.move(*screen(page, 20, 10))
        assert page.is_visible("#loupe")
        page.keyboard.up("z")
        assert page.is_hidden("#loupe")


def test_how_images_look_is_kept_and_changes_no_label(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        page.keyboard.press("b")
        page.fill("#brightness", "2")
        page.fill("#gamma", "0.5")
        page.keyboard.press("Escape")
        assert "brightness(2)" in page.evaluate("document.getElementById('image').style.filter")
        page.reload()
        page.wait_for_selector("body[data-ready]")
        assert "brightness(2)" in page.evaluate("document.getElementById('image').style.filter")
        page.keyboard.press("b")
        page.fill("#size", "12")
        assert page.locator("#gamma-filter [exponent='2']").count() == 3
        assert server.n_edits == 0


def test_points_out_of_sight_have_one_arrow_each(path, serve, open_page):
    AnnotationEditor(path).edit([[0, 0, "placed", 3.0, 16.0], [0, 1, "placed", 40.0, 16.0]])
    arrows = "[...document.querySelectorAll('#overlay path')].filter((e) => e.checkVisibility())"
    with serve(path) as (server, _):
        page = open_page(server.url)
        assert page.evaluate(f"{arrows}.length") == 0
        page.evaluate("window.skpose.view.move({ scale: 30, x: -600, y: -200 })")
        assert page.evaluate(f"{arrows}.length") == 1
        for x in (-5, -7, -9):
            page.evaluate(f"window.skpose.overlay.drawMoved(0, [{x}, 16])")
        assert page.evaluate(f"{arrows}.length") == 1
        page.keyboard.press("0")
        assert page.evaluate(f"{arrows}.length") == 0


def test_large_images_have_exact_pixels_when_they_are_zoomed(tmp_path, serve, open_page):
    X = np.random.default_rng(0).integers(0, 256, (1, 900, 1200, 1), dtype=np.uint8)
    write_annotations(tmp_path / "set.h5", X, skeleton=Skeleton(["a"]))
    with serve(tmp_path / "set.h5") as (server, _):
        page = open_page(server.url)
        page.evaluate("window.skpose.view.move({ scale: 16, x: -16 * 600, y: -16 * 400 })")
        until(lambda: page.evaluate("window.skpose.view.part !== null"))
        for x, y in ((610, 410), (617, 412), (625, 420)):
            left, top = screen(page, x, y)
            shot = page.screenshot(
                clip={"x": round(left), "y": round(top), "width": 1, "height": 1}
            )
            image = cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_GRAYSCALE)
            assert image[0, 0] == X[0, y, x, 0]


def test_a_set_to_be_looked_at_says_so(path, serve, open_page):
    with serve(path, read_only=True) as (server, _):
        page = open_page(server.url)
        assert "Nothing can be changed" in page.inner_text("#banner")
        click(page, 5, 5)
        page.keyboard.press("Shift+X")
        assert states(path) == ["empty"] * 4


CONTRAST = """() => {
    const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = (rgb) => rgb.slice(0, 3).map((v) => v / 255)
        .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
    const ground = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const colour = numbers(getComputedStyle(e).backgroundColor);
            if (colour.length === 3 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const low = [];
    for (const element of document.querySelectorAll('body *:not(svg *, option, script)')) {
        const own = [...element.childNodes].some((e) => e.nodeType === 3 && e.textContent.trim());
        if (!own || element.disabled || !element.checkVisibility()) continue;
        const [a, b] = [light(numbers(getComputedStyle(element).color)), light(ground(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) low.push(`${element.tagName} ${element.textContent}: ${ratio}`);
    }
    return low;
}"""
NAMELESS = """() => [...document.querySelectorAll('button, input, select, progress, [role]')]
    .filter((e) => !(e.textContent.trim() || e.title || e.getAttribute('aria-label')))
    .filter((e) => !(e.labels && e.labels.length) && e.checkVisibility())
    .map((e) => e.outerHTML)"""


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [(1024, 640), (3840, 2160)])
def test_all_can_be_read_and_has_a_name(path, serve, open_page, theme, size):
    AnnotationEditor(path).edit(
        [[0, 0, "placed", 5.0, 5.0], [0, 1, "hidden", 9.0, 9.0], [0, 2, "absent"],
         [0, 3, "guess", 30.0, 20.0, 0.4]]
    )  # fmt: skip
    viewport = {"width": size[0], "height": size[1]}
    with serve(path) as (server, _):
        page = open_page(server.url, color_scheme=theme, viewport=viewport)
        page.keyboard.press("b")
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(NAMELESS) == []
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        assert page.evaluate(CONTRAST) == []
        is_scrolling = "document.documentElement.scrollWidth > innerWidth"
        assert not page.evaluate(is_scrolling)


def test_the_menu_of_a_point(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        click(page, 5, 5)
        click(page, 5, 5, button="right")
        page.click("#menu >> text=Hidden")
        until(lambda: states(path)[0] == "hidden")


def test_the_whole_pose_is_moved_and_turned(path, serve, open_page):
    AnnotationEditor(path).edit([[0, 0, "placed", 10.0, 10.0], [0, 1, "placed", 20.0, 10.0]])
    with serve(path) as (server, _):
        page = open_page(server.url)
        page.keyboard.down("Alt")
        drag(page, (30, 20), (33, 24))
        page.mouse.wheel(0, 100)
        page.keyboard.up("Alt")
        saved(page)
        head, wing = (np.array(point[1:]) for point in keypoints(path)[:2])
        assert_allclose((head + wing) / 2, (18, 14), atol=0.1)
        assert_allclose(np.hypot(*(wing - head)), 10, atol=1e-6)
        assert wing[1] > head[1]


def test_colours_are_those_of_the_plots(path, serve, open_page):
    skeleton = read_annotations(path, frames="all").skeleton
    drawn = "document.querySelector('#keypoints').innerHTML"
    with serve(path) as (server, _):
        page = open_page(server.url)
        until(lambda: "fill" in page.evaluate(drawn))
        for color in bodypart_colors(len(skeleton), skeleton):
            name = "#" + "".join(f"{round(255 * value):02x}" for value in color)
            assert name in page.evaluate(drawn)


def test_labels_can_be_read_after_all(path, serve, open_page):
    with serve(path) as (server, _):
        page = open_page(server.url)
        for place in [(5, 5), (15, 10), (30, 20), (40, 25)]:
            click(page, *place)
        saved(page)
    assert_allclose(
        read_annotations(path).keypoints[0], [(5, 5), (15, 10), (30, 20), (40, 25)], atol=0.1
    )
