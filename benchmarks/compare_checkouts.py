"""How fast this checkout is beside another one, such as that of the commit before.

Two processes, one for each checkout, do the same work in turn, so that both see the same
disturbances of the machine. Ratios above 1 say that this checkout is faster::

    git worktree add /tmp/before HEAD~1
    python benchmarks/compare_checkouts.py /tmp/before
"""

import argparse
import os
from pathlib import Path
import subprocess
import sys
import time

from _report import write_report
from _workers import Worker, describe, take_turns
import numpy as np

HERE = Path(__file__).resolve().parents[1]


def commit_of(checkout):
    """Return the subject of the commit that is checked out."""
    command = ["git", "-C", str(checkout), "log", "-1", "--format=%s"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def import_seconds(checkout):
    """Return the seconds of ``import skpose`` in a process of its own."""
    code = "import time; t = time.perf_counter(); import skpose; print(time.perf_counter() - t)"
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return float(run.stdout)


def compare(ours, theirs, n_rounds, *, higher_is_better=False):
    """Measure in turn, and describe both and their ratio; above 1: ours is faster."""
    first = take_turns(n_rounds // 2, ours, theirs)
    last = take_turns(n_rounds - n_rounds // 2, theirs, ours)  # who begins has no advantage
    values = np.concatenate([first, last[:, ::-1]])
    ratios = values[:, 0] / values[:, 1] if higher_is_better else values[:, 1] / values[:, 0]
    return {
        "this": describe(values[:, 0]),
        "other": describe(values[:, 1]),
        "times as fast": describe(ratios),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=192)
    arguments = parser.parse_args()
    other = arguments.other.resolve()
    start = time.monotonic()
    with (
        Worker(sys.executable, "checkout_worker.py", {"PYTHONPATH": str(HERE)}) as ours,
        Worker(sys.executable, "checkout_worker.py", {"PYTHONPATH": str(other)}) as theirs,
    ):
        for worker, checkout in ((ours, HERE), (theirs, other)):
            path = worker.ask("prepare", image_size=arguments.image_size, n_images=48)
            assert Path(path).is_relative_to(checkout), f"{path} is not of {checkout}"
        figures = {
            "training, images a second": compare(
                lambda: ours.ask("train"),
                lambda: theirs.ask("train"),
                arguments.rounds,
                higher_is_better=True,
            ),
        }
        for n_images, repeats in ((1, 30), (32, 2)):
            figures[f"prediction of {n_images}, seconds"] = compare(
                lambda n=n_images, r=repeats: ours.ask("predict", n_images=n, repeats=r),
                lambda n=n_images, r=repeats: theirs.ask("predict", n_images=n, repeats=r),
                arguments.rounds,
            )
    figures["import, seconds"] = compare(
        lambda: import_seconds(HERE), lambda: import_seconds(other), arguments.rounds
    )
    write_report(
        "checkouts",
        {
            "this": commit_of(HERE),
            "other": commit_of(other),
            "minutes": round((time.monotonic() - start) / 60, 1),
            "image_size": arguments.image_size,
            **figures,
        },
    )
    slowest = min(row["times as fast"]["median"] for row in figures.values())
    print(f"least ratio {slowest:.3f}")


if __name__ == "__main__":
    main()
