"""How fast this checkout is beside another one, such as that of the commit before.

Two processes, one for each checkout, do the same work in turn, so that both see the same
disturbances of the machine. Ratios above 1 say that this checkout is faster::

    git worktree add /tmp/before HEAD~1
    python benchmarks/compare_checkouts.py /tmp/before
    python benchmarks/compare_checkouts.py /tmp/before --videos
"""

import argparse
from contextlib import contextmanager
from functools import partial
import os
from pathlib import Path
import subprocess
import sys
from tempfile import TemporaryDirectory
import time

from _report import write_report
from _workers import Worker, describe, take_turns
import numpy as np

from skpose.datasets import make_poses, write_annotations
from skpose.video._encoder import write_mp4

HERE = Path(__file__).resolve().parents[1]
N_FRAMES = 300  # of a video


def commit_of(checkout):
    """Return the subject of the commit that is checked out."""
    command = ["git", "-C", str(checkout), "log", "-1", "--format=%s"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


IMPORT = "import skpose"
FIRST_PREDICTION = """
import sys, numpy as np, skpose
estimator = skpose.load(sys.argv[1])
estimator.predict(np.zeros((1, *estimator.image_shape_), dtype=np.uint8))
"""
FIRST_STEP = """
import os, sys
from skpose.cli import main
import keras
keras.callbacks.CallbackList.on_train_batch_end = lambda *args, **kwargs: os._exit(0)
main(["train", *sys.argv[1:]])
os._exit(1)
"""


def run_seconds(checkout, code, *arguments):
    """Return the seconds from the start of Python to the end of a program."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    start = time.perf_counter()
    subprocess.run(command, env=environment, capture_output=True, check=True)
    return time.perf_counter() - start


def compare_starts(checkouts, folder, image_size, n_rounds):
    """Measure how long programs of a process of their own take, from the start of Python on."""
    poses = make_poses(48, image_size=image_size, random_state=0, return_bunch=True)
    labels = folder / "labels.h5"
    write_annotations(labels, poses.images, poses.keypoints, skeleton=poses.skeleton)
    figures = {}
    for name, code in {
        "import, seconds": IMPORT,
        "start to first prediction, seconds": FIRST_PREDICTION,
        "start to first step of training, seconds": FIRST_STEP,
    }.items():
        runs = []
        for i, checkout in enumerate(checkouts):
            own = folder / str(i)
            arguments = {
                IMPORT: [],
                FIRST_PREDICTION: [own / "model.skpose"],
                FIRST_STEP: [labels, own / "new.skpose", "--overwrite"],
            }[code]
            runs.append(partial(run_seconds, checkout, code, *arguments))
        figures[name] = compare(*runs, n_rounds)
    return figures


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


@contextmanager
def start_workers(checkouts):
    """Start a process of each checkout."""
    ours, theirs = ({"PYTHONPATH": str(checkout)} for checkout in checkouts)
    with (
        Worker(sys.executable, "checkout_worker.py", ours) as here,
        Worker(sys.executable, "checkout_worker.py", theirs) as there,
    ):
        yield here, there


def compare_work(checkouts, folder, image_size, n_rounds):
    """Measure trainings and predictions of two processes that are there."""
    with start_workers(checkouts) as (ours, theirs):
        for i, worker in enumerate((ours, theirs)):
            path = worker.ask("prepare", image_size=image_size, n_images=48)
            assert Path(path).is_relative_to(checkouts[i]), f"{path} is not of {checkouts[i]}"
            (folder / str(i)).mkdir()
            worker.ask("export", folder=str(folder / str(i)))
        ours.ask("prepare_precision", precision="mixed_bfloat16")

        def both(action, n_rounds=n_rounds, higher_is_better=False, **options):
            calls = [partial(worker.ask, action, **options) for worker in (ours, theirs)]
            return compare(*calls, n_rounds, higher_is_better=higher_is_better)

        return {
            "training, images a second": both("train", higher_is_better=True),
            "training in bfloat16, against float32, images a second": compare(
                partial(ours.ask, "train", name="mixed_bfloat16"),
                partial(theirs.ask, "train"),
                n_rounds,
                higher_is_better=True,
            ),
            "prediction of 1, seconds": both("predict", n_images=1, repeats=30),
            "prediction of 32, seconds": both("predict", n_images=32, repeats=2),
            "exported, 1, seconds": both("predict_exported", engine="onnxruntime", repeats=30),
            "exported, OpenVINO, 1, seconds": both(
                "predict_exported", engine="openvino", repeats=30
            ),
        }


def compare_videos(checkouts, folder, n_rounds):
    """Measure what is done with the frames of a video of 640 x 480 pixels."""
    images, _ = make_poses(N_FRAMES, (480, 640), 3, camera="fixed", random_state=0)
    video = folder / "walk.mp4"
    with write_mp4(video, (480, 640), 30) as write:
        for image in images:
            write(image)
    with start_workers(checkouts) as workers:

        def both(action, **options):
            calls = [partial(worker.ask, action, path=str(video), **options) for worker in workers]
            return compare(*calls, n_rounds)

        out = str(folder / "drawn.mp4")
        return {
            f"decoding {N_FRAMES} frames, seconds": both("decode"),
            f"KMeansSampler, {N_FRAMES} frames, seconds": both("sample"),
            f"draw_video, {N_FRAMES} frames, seconds": both("draw", n_frames=N_FRAMES, out=out),
        }


def compare_all(checkouts, folder, image_size, n_rounds):
    """Measure what an estimator does, and then how long programs take to start."""
    figures = compare_work(checkouts, folder, image_size, n_rounds)
    return figures | compare_starts(checkouts, folder, image_size, n_rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=192)
    parser.add_argument("--videos", action="store_true", help="of videos, in place of networks")
    arguments = parser.parse_args()
    checkouts = (HERE, arguments.other.resolve())
    start = time.monotonic()
    with TemporaryDirectory() as folder:
        if arguments.videos:
            figures = compare_videos(checkouts, Path(folder), arguments.rounds)
        else:
            figures = compare_all(checkouts, Path(folder), arguments.image_size, arguments.rounds)
    report = {
        "this": commit_of(HERE),
        "other": commit_of(checkouts[1]),
        "minutes": round((time.monotonic() - start) / 60, 1),
        "image_size": [480, 640] if arguments.videos else arguments.image_size,
    }
    write_report("checkouts_videos" if arguments.videos else "checkouts", report | figures)
    slowest = min(row["times as fast"]["median"] for row in figures.values())
    print(f"least ratio {slowest:.3f}")


if __name__ == "__main__":
    main()
