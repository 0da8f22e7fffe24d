"""What is done on a page, and what is then in its set."""

import time

from skpose.datasets import AnnotationEditor

WAIT = 8  # seconds in which what was done must be on the disk


def until(condition):
    """Wait until something is true."""
    end = time.monotonic() + WAIT
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)
    return found


def saved(page):
    until(lambda: page.inner_text("#saved") == "All saved")


def keypoints(path, frame=0):
    return AnnotationEditor(path).keypoints_of(frame)


def states(path, frame=0):
    return [state for state, *_ in keypoints(path, frame)]


def screen(page, x, y):
    """Where a place of the image is in the window, by what the page shows of a known size."""
    return page.evaluate(
        """async ([x, y]) => {
            const box = document.getElementById('stage').getBoundingClientRect();
            const { toScreen } = await import('./static/geometry.js');
            const [left, top] = toScreen(window.skpose.view.transform, [x, y]);
            return [left + box.left, top + box.top];
        }""",
        [x, y],
    )


def place(page, left, top):
    """Which place of the image is there in the window."""
    return page.evaluate(
        """([clientX, clientY]) => window.skpose.view.locate({ clientX, clientY })""", [left, top]
    )


def click(page, x, y, **options):
    page.mouse.click(*screen(page, x, y), **options)


def drag(page, start, end):
    page.mouse.move(*screen(page, *start))
    page.mouse.down()
    page.mouse.move(*screen(page, *end), steps=3)
    page.mouse.up()


def zoom_to(page, scale):
    page.evaluate(
        """(scale) => {
            const { view } = window.skpose;
            view.move({ scale, x: 20.3, y: 11.7 });
        }""",
        scale,
    )
