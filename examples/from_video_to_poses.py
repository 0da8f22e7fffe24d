"""Makes the pictures of ``from_video_to_poses.md``: a drawn video is labelled in a real browser.

Needs ``pip install ".[test-browser]"`` and Chromium, and takes five minutes::

    python examples/from_video_to_poses.py
"""

from pathlib import Path
import re
import shutil
import subprocess
import sys
from tempfile import TemporaryDirectory

import av
from PIL import Image
from playwright.sync_api import sync_playwright

from skpose.datasets import make_poses, read_annotations

FOLDER = Path(__file__).parent
NAMES = ["snout", "left_ear", "right_ear", "tailbase"]
N_LABELLED = 20
MINUTES = "3"
COLOURS = 256  # of a picture, which has few


def write_video(path, images):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width, stream.pix_fmt = *images.shape[1:3], "yuv420p"
        for image in images:
            frame = av.VideoFrame.from_ndarray(image.repeat(3, axis=2), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def place_of(page, x, y):
    """Where a place of the image is in the window."""
    return page.evaluate(
        """async ([x, y]) => {
            const { toScreen } = await import('./static/geometry.js');
            const box = document.getElementById('stage').getBoundingClientRect();
            const [left, top] = toScreen(window.skpose.view.transform, [x, y]);
            return [left + box.left, top + box.top];
        }""",
        [float(x), float(y)],
    )


def picture(page, number):
    path = FOLDER / f"from_video_to_poses_{number}.png"
    page.wait_for_timeout(500)
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)


def label(page, truth):
    """Do what the page asks for; `truth` has the places of the bodyparts in each frame."""
    for name, place in zip(NAMES, truth[0], strict=True):
        page.mouse.click(*place_of(page, *place))
        page.keyboard.type(name)
    for place in truth[0][1:]:
        page.mouse.move(*place_of(page, *truth[0][0]))
        page.mouse.down()
        page.mouse.move(*place_of(page, *place), steps=3)
        page.mouse.up()
    picture(page, 1)
    with page.expect_navigation():
        page.click("#skeleton-done")
    page.wait_for_selector("body[data-ready]")
    for frame in range(1, N_LABELLED):
        page.keyboard.press("d")
        page.wait_for_timeout(200)
        for place in truth[frame]:
            page.mouse.click(*place_of(page, *place))
    picture(page, 2)
    page.select_option("#minutes", MINUTES)
    page.click("#train")
    page.wait_for_function("window.skpose.model.about.minutes_left < 2", timeout=180_000)
    picture(page, 3)
    page.wait_for_function("window.skpose.model.about.state === 'done'", timeout=300_000)
    page.select_option("#filter", "doubt")
    picture(page, 4)


def main():
    poses = make_poses(
        1200, image_size=(240, 320), camera="fixed", random_state=1, return_bunch=True
    )
    columns = [poses.skeleton.names.index(name) for name in NAMES]
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        video = Path(folder, "mouse.mp4")
        write_video(video, poses.images)
        command = ["-m", "skpose", "label", video, "--no-browser", "--port", "0", "--user", "anna"]
        process = subprocess.Popen(
            [sys.executable, "-u", *map(str, command)], stdout=subprocess.PIPE, text=True
        )
        url = next(found[0] for line in process.stdout if (found := re.search(r"http\S+", line)))
        chosen = read_annotations(video.with_suffix(".h5"), frames="all").frame_numbers
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        # The page's own policy forbids to make functions of texts, which waiting does.
        context = browser.new_context(
            viewport={"width": 1024, "height": 640}, bypass_csp=True, color_scheme="light"
        )
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector("body[data-ready]")
        label(page, poses.keypoints[chosen][:, columns])
        browser.close()
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
