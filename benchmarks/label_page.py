"""How quick the page for labelling is: from a key to new pixels, dragging, saving, starting.

Needs ``pip install ".[test-browser]"`` and Chromium. Takes seven minutes::

    python benchmarks/label_page.py
"""

from contextlib import contextmanager
from pathlib import Path
import re
import shutil
import subprocess
import sys
from tempfile import TemporaryDirectory
import time

from _report import write_report
import numpy as np
from playwright.sync_api import sync_playwright

import skpose
from skpose import Skeleton
from skpose.datasets import AnnotationEditor, make_poses, write_annotations

SIZES = {"192 x 192": (192, 192, 1), "640 x 480": (480, 640, 3), "1920 x 1080": (1080, 1920, 3)}
N_CHANGES = 5000

# Milliseconds from a call to when what it drew is on the screen, at the end of the next frame.
TIMED = """async ([n, code]) => {
    const page = window.skpose;
    const act = (0, Function)('page', 'i', code);
    const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const times = [];
    for (let i = 0; i < n; i += 1) {
        await new Promise((done) => setTimeout(done, 120));
        const start = performance.now();
        act(page, i);
        await drawn();
        times.push(performance.now() - start);
    }
    return times;
}"""


def make_set(path, n_images, shape, n_keypoints=20):
    block = np.random.default_rng(0).integers(90, 150, (min(n_images, 50), *shape), dtype=np.uint8)
    X = block[np.arange(n_images) % len(block)]
    names = [f"bodypart {k}" for k in range(n_keypoints)]
    parents = [None, *names[:-1]]
    write_annotations(path, X, skeleton=Skeleton(names, parents=parents))
    return path


@contextmanager
def serve(path):
    """`skpose label` as a process; gives its link, its number, and the seconds that it took."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "skpose", "label", path, "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = next(found[0] for line in process.stdout if (found := re.search(r"http\S+", line)))
        yield url, process.pid, start
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def open_page(browser, url):
    # The page's own policy forbids to make functions of texts, which the measuring does.
    context = browser.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("body[data-ready]")
    yield page
    context.close()


def memory_of(pid):
    """Return the memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def summarise(times):
    return {"median": float(np.median(times)), "95th percentile": float(np.percentile(times, 95))}


def measure_start(browser, folder):
    path = make_set(folder / "start.h5", 10_000, (192, 192, 1))
    seconds, memory = [], []
    for _ in range(5):
        with serve(path) as (url, pid, start), open_page(browser, url) as page:
            page.wait_for_selector("#frames-shown button")
            seconds.append(time.perf_counter() - start)
            memory.append(memory_of(pid))
    return {
        "from the command to a frame that can be clicked, 10,000 frames, s": float(
            np.median(seconds)
        ),
        "memory of the server then, MiB": float(np.median(memory)),
    }


def measure_keys(browser, folder):
    figures = {}
    for name, shape in SIZES.items():
        path = make_set(folder / f"{name}.h5", 60, shape)
        with serve(path) as (url, *_), open_page(browser, url) as page:
            page.wait_for_timeout(1000)
            times = page.evaluate(TIMED, [50, "page.do({ command: 'nextFrame' })"])
            figures[f"key to new pixels, {name} px, ms"] = summarise(times)
    return figures


DRAG = """async () => {
    const page = window.skpose;
    const times = [], work = [];
    let last = performance.now();
    for (let i = 0; i < 180; i += 1) {
        const start = performance.now();
        page.overlay.drawMoved(50, [60 + 30 * Math.cos(i / 9), 60 + 30 * Math.sin(i / 9)]);
        work.push(performance.now() - start);
        await new Promise(requestAnimationFrame);
        times.push(performance.now() - last);
        last = performance.now();
    }
    return [times.slice(20), work.slice(20)];
}"""


def measure_drag(browser, folder):
    path = make_set(folder / "drag.h5", 2, (192, 192, 1), n_keypoints=100)
    places = np.random.default_rng(1).uniform(10, 180, (100, 2)).tolist()
    AnnotationEditor(path).edit([[0, k, "placed", *place] for k, place in enumerate(places)])
    with serve(path) as (url, *_), open_page(browser, url) as page:
        page.evaluate("window.skpose.overlay.set({ names: true, edges: true, size: 7 })")
        page.evaluate("window.skpose.store.go(0)")
        page.wait_for_timeout(500)
        times, work = page.evaluate(DRAG)
    return {
        "frame while one of 100 keypoints is dragged, ms": summarise(times),
        "work of the page in it, ms": summarise(work),
    }


SAVE = """async (n) => {
    const { store } = window.skpose;
    const times = [];
    for (let i = 0; i < n; i += 1) {
        const start = performance.now();
        store.change([[i % store.names.length, 'placed', 10 + (i % 50), 20 + i / 1000]]);
        while (store.queue.edits.length) await new Promise((done) => setTimeout(done, 0));
        times.push(performance.now() - start);
    }
    return times;
}"""


def measure_saving(browser, folder):
    with serve(folder / "start.h5") as (url, *_), open_page(browser, url) as page:
        return {"edit until it is acknowledged, ms": summarise(page.evaluate(SAVE, 200)[20:])}


GO = """async ([start, end]) => {
    for (let i = start; i < end; i += 1) await window.skpose.store.go(i);
}"""


TRAIN = """async (minutes) => {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ train: minutes });
    return (await fetch("api/job", { method: "POST", headers, body })).status;
}"""


def measure_while_training(browser, folder):
    """The same keys and edits on 640 x 480 pixels, before a training and while it runs."""
    poses = make_poses(40, image_size=(480, 640), random_state=0, return_bunch=True)
    path = folder / "training.h5"
    write_annotations(path, poses.images, poses.keypoints, skeleton=poses.skeleton)
    figures = {}
    with serve(path) as (url, *_), open_page(browser, url) as page:
        page.wait_for_timeout(1000)
        for when in ("before", "meanwhile"):
            if when == "meanwhile":
                assert page.evaluate(TRAIN, 5) == 202
                page.wait_for_function(
                    "window.skpose.model.about.minutes_left < 5", timeout=120_000
                )
            page.evaluate("window.skpose.store.go(0)")
            page.wait_for_timeout(1000)
            keys = page.evaluate(TIMED, [35, "page.do({ command: 'nextFrame' })"])
            figures[when] = {
                "key to new pixels, ms": summarise(keys),
                "edit until it is acknowledged, ms": summarise(page.evaluate(SAVE, 120)[20:]),
            }
        assert page.evaluate("window.skpose.model.about.state") == "training"
        page.evaluate("fetch('api/job', { method: 'DELETE' })")
    return {"a training that runs beside it": figures}


def measure_growth(browser, folder):
    def heap(page):
        session.send("HeapProfiler.collectGarbage")
        return page.evaluate("performance.memory.usedJSHeapSize") / 2**20

    with serve(folder / "start.h5") as (url, pid, _), open_page(browser, url) as page:
        session = page.context.new_cdp_session(page)
        page.evaluate(GO, [0, 300])
        before = heap(page), memory_of(pid)
        page.evaluate(GO, [300, 300 + N_CHANGES])
        after = heap(page), memory_of(pid)
    return {
        f"growth over {N_CHANGES} frames, MiB": {
            "page": after[0] - before[0],
            "server": after[1] - before[1],
        }
    }


def main():
    static = list(Path(skpose.__file__).parent.joinpath("annotate", "static").iterdir())
    figures = {
        "page": {"files": len(static), "kB": sum(f.stat().st_size for f in static) / 1000},
    }
    with TemporaryDirectory(dir=Path.cwd()) as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--enable-precise-memory-info"],
        )
        folder = Path(name)
        for measure in (
            measure_start,
            measure_keys,
            measure_drag,
            measure_saving,
            measure_while_training,
            measure_growth,
        ):
            figures |= measure(browser, folder)
        browser.close()
    write_report("label_page", figures)


if __name__ == "__main__":
    main()
