r"""What the defaults reach in so many minutes, beside those of another checkout.

    git worktree add /tmp/other 50a2266
    SKPOSE_DATA=... python benchmarks/defaults.py /tmp/other

Every training is a process of its own, ours and the other's in turn, and its errors are those in
frames that it has not seen; what it watches it keeps back from its own. Runs that are already in
``results/defaults.json`` are not repeated, so this can be stopped and started again; ``--only``
names those to do.

``fly``: `PoseEstimator(skeleton=...)` on 90 frames, 12 minutes. ``openfield``: the same on 104
frames at half size. Of these the first training of each checkout is timed, and needs a quiet
machine; the others may take as many epochs as that one would in its 12 minutes, so that other work
may run beside them. ``first minute``: ``skpose train --minutes 1`` on 20 frames of openfield, the
clock running from its start, which the other checkout does at half size from Python. Errors are in
pixels of the original images.
"""

import argparse
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import time

from _rows import merge_rows, read_rows
from _workers import Worker
from accuracy import read_fly
import numpy as np
from sklearn.model_selection import train_test_split

import skpose
from skpose.datasets import read_deeplabcut, write_annotations
from skpose.metrics import keypoint_errors

HERE = Path(__file__).resolve().parents[1]
MINUTES = 12
FIRST = "split 0, seed 0"  # is timed
CASES = [
    *[("first minute", f"draw {draw}") for draw in range(5)],
    *[("fly", f"split {split}, seed {seed}") for seed in (0, 1) for split in (0, 1)],
    *[("openfield", f"split {split}, seed 0") for split in (0, 1)],
]


def read(group, folder):
    """Return images, keypoints, skeleton, and how many to train on."""
    if group == "fly":
        images, keypoints, skeleton, _ = read_fly(folder)
        return images, keypoints, skeleton, 90
    data = read_deeplabcut(folder / "openfield", n_channels=1)
    n_train = 20 if group == "first minute" else 104
    return np.asarray(data.images), data.keypoints, data.skeleton, n_train


def train_from_python(checkout, data, folder, seed, **options):
    """Train in a process of a checkout; give what is said of it, and its poses of the others."""
    images, keypoints, skeleton, train, test = data
    path = folder / "data.npz"
    own = np.arange(len(skeleton.names))
    np.savez(
        path,
        images=images[train],
        keypoints=keypoints[train],
        test_images=images[test],
        names=skeleton.names,
        parents=skeleton.parents,
        swaps=np.where(skeleton.swap_index == own, -1, skeleton.swap_index),
    )
    environment = {"PYTHONPATH": str(checkout)}
    with Worker(sys.executable, "defaults_worker.py", environment) as worker:
        said = worker.ask("train", path=str(path), seed=seed, **options)
        place = worker.ask("where")
    assert Path(place).is_relative_to(checkout), f"{place} is not of {checkout}"
    return said, np.load(folder / "data.npy")


def train_from_shell(checkout, data, folder, seed):
    """Do the same with ``skpose train --minutes 1``."""
    images, keypoints, skeleton, train, test = data
    labels, model_file = folder / "labels.h5", folder / "model.skpose"
    write_annotations(labels, images[train], keypoints[train], skeleton=skeleton)
    command = [sys.executable, "-m", "skpose", "train", str(labels), str(model_file)]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    start = time.perf_counter()
    subprocess.run(
        [*command, "--minutes", "1", "--seed", str(seed)],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    took = time.perf_counter() - start
    model = skpose.load(model_file)
    estimator = model[-1] if hasattr(model, "steps") else model
    said = {
        "minutes": round(took / 60, 2),
        "epochs": estimator.n_iter_,
        "kept_epoch": estimator.best_epoch_ + 1,
        "image_size": list(estimator.image_shape_[:2]),
    }
    return said, model.predict(images[test])


def choose_budget(group, name, who):
    """Return what a training may take: minutes, or the epochs of the one that was timed."""
    timed = read_rows("defaults", group).get(FIRST, {}).get(who)
    if name == FIRST or timed is None:
        return {"minutes": MINUTES}
    return {"epochs": round(MINUTES * timed["epochs"] / timed["minutes"])}


def run(group, name, checkout, who):
    """Do one training and describe it."""
    images, keypoints, skeleton, n_train = read(group, Path(os.environ["SKPOSE_DATA"]))
    numbers = [int(word.split()[-1]) for word in name.split(", ")]
    split, seed = (numbers * 2)[:2]
    train, test = train_test_split(np.arange(len(images)), train_size=n_train, random_state=split)
    data = images, keypoints, skeleton, train, test
    with tempfile.TemporaryDirectory() as folder:
        if group != "first minute":
            options = choose_budget(group, name, who)
            options["scale"] = 0.5 if group == "openfield" else 1.0
            said, found = train_from_python(checkout, data, Path(folder), seed, **options)
        elif who == "this":
            said, found = train_from_shell(checkout, data, Path(folder), seed)
        else:
            options = {"minutes": 1, "scale": 0.5, "from_start": True}
            said, found = train_from_python(checkout, data, Path(folder), seed, **options)
    errors = keypoint_errors(keypoints[test], found)
    return said | {
        "mean_px": round(float(np.nanmean(errors)), 2),
        "median_px": round(float(np.nanmedian(errors)), 2),
        "mean_px_by_frame": np.nanmean(errors, axis=1).round(2).tolist(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--only", nargs="*", help="such as 'fly: split 0, seed 0'")
    parser.add_argument("--who", nargs="*", default=["this", "other"])
    arguments = parser.parse_args()
    checkouts = {"this": HERE, "other": arguments.other.resolve()}
    for group, name in CASES:
        if arguments.only and f"{group}: {name}" not in arguments.only:
            continue
        for who in arguments.who:
            if who in read_rows("defaults", group).get(name, {}):
                continue
            row = {who: run(group, name, checkouts[who], who)}
            merge_rows("defaults", group, {name: row})


if __name__ == "__main__":
    main()
