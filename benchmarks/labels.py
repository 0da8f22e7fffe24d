"""How long it takes to label an image of a large annotation set, beside another checkout.

Two processes label sets of their own in turn. Ratios above 1 say that this checkout is faster::

    git worktree add /tmp/before HEAD~1
    python benchmarks/labels.py /tmp/before
"""

import argparse
from itertools import count
from pathlib import Path
import sys
from tempfile import TemporaryDirectory

from _report import write_report
from _workers import Worker
from compare_checkouts import HERE, commit_of, compare

SETS = ((100, (192, 192, 1)), (10_000, (192, 192, 1)), (300, (1080, 1920, 3)))


def measure(ours, theirs, n_rounds, n_images, image_shape, folder):
    """Let both label one image after the other of a set that is on the disk."""
    paths = [str(Path(folder, name)) for name in ("ours.h5", "theirs.h5")]
    for worker, path in zip((ours, theirs), paths, strict=True):
        worker.ask("write_set", path=path, n_images=n_images, image_shape=image_shape)
    numbers = [count(), count()]

    def label(worker, which):
        return worker.ask("label", path=paths[which], image=next(numbers[which]) % n_images)

    return compare(lambda: label(ours, 0), lambda: label(theirs, 1), n_rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=12)
    arguments = parser.parse_args()
    other = arguments.other.resolve()
    figures = {"this": commit_of(HERE), "other": commit_of(other)}
    with (
        Worker(sys.executable, "checkout_worker.py", {"PYTHONPATH": str(HERE)}) as ours,
        Worker(sys.executable, "checkout_worker.py", {"PYTHONPATH": str(other)}) as theirs,
    ):
        for n_images, image_shape in SETS:
            size = " x ".join(map(str, image_shape))
            with TemporaryDirectory(dir=Path.cwd()) as folder:
                figures[f"a label among {n_images} images of {size}, seconds"] = measure(
                    ours, theirs, arguments.rounds, n_images, image_shape, folder
                )
    write_report("labels", figures)


if __name__ == "__main__":
    main()
