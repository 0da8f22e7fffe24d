r"""The experiments of Graving et al. (2019), on this machine, a table for each.

    SKPOSE_DATA=... python -m benchmarks paper --dry-run
    SKPOSE_DATA=... python benchmarks/paper.py maxima graph
    SKPOSE_DATA=... python benchmarks/paper.py networks --sets fly

``maxima``: peaks between the cells of the maps against whole cells, for maps of half to an eighth
of the image (appendix 1, figure 1). ``graph``: with and without the posture graph (figure 2).
``networks``: each trained until the paper's rule ends it, at half size (figure 3). ``time``: errors
after more and more minutes; ``frames``: errors with more and more labelled frames, with
augmentation and without (appendix 1, figures 3 and 4).

Every training is repeated with three splits, and its errors are those in frames that it has not
seen, in pixels of the original images. Trainings take ``--minutes``, of a quiet machine for all but
``networks``, which take as long as they need. Before anything starts, the script says how many
trainings are left and what they will cost. What is in ``results/paper.json`` is not repeated.
"""

import argparse
import os
from pathlib import Path

from _processes import time_calls
from _rows import merge_rows, read_rows
from accuracy import read_fly
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skpose import PoseEstimator
from skpose.datasets import make_poses, read_labels
from skpose.layers import Maxima, SubpixelMaxima
from skpose.metrics import keypoint_errors
from skpose.preprocessing import ImageResizer

SPLITS = range(3)
LONG = 90  # minutes that a training to convergence may take, for the estimate


def fly(folder):
    images, keypoints, skeleton, _ = read_fly(folder)
    return images, keypoints, skeleton


def labels(folder):
    data = read_labels(folder, n_channels=1)
    return np.asarray(data.images), data.keypoints, data.skeleton


def synthetic(_):
    poses = make_poses(190, 128, random_state=0, return_bunch=True)
    return poses.images, poses.keypoints, poses.skeleton


SETS = {
    "fly": fly,
    "openfield": lambda folder: labels(folder / "openfield"),
    "reaching": lambda folder: labels(folder / "reaching"),
    "synthetic": synthetic,
}


def maxima(minutes):
    return {
        f"1/{2**factor}": {
            "model": "stacked_densenet",
            "targets__downsample_factor": factor,
            "max_minutes": minutes,
        }
        for factor in (1, 2, 3)
    }


def graph(minutes):
    return {
        name: {"targets__use_graph": use, "max_minutes": minutes}
        for name, use in (("with the graph", True), ("without", False))
    }


def networks(_):
    rule = {
        "batch_size": 16,
        "lr_schedule": "plateau",
        "lr_patience": 10,
        "max_epochs": 1000,
        "n_iter_no_change": 50,
    }
    names = ("stacked_densenet", "stacked_hourglass", "leap", "deeplabcut", "residual_unet")
    return {name: {"model": name, **rule} for name in names}


def time(_):
    return {
        f"{name}, {limit:g} min": {"model": name, "max_minutes": limit}
        for name in ("residual_unet", "stacked_densenet")
        for limit in (0.5, 1, 2, 5, 10)
    }


def frames(minutes):
    ways = {"augmented": {}, "as they are": {"augmenter": None}}
    return {
        f"{n} frames, {name}": {"n_frames": n, "max_minutes": minutes, **way}
        for n in (5, 10, 20, 45, 90)
        for name, way in ways.items()
    }


# What gives parameters of `PoseEstimator` for each variant, by its name.
EXPERIMENTS = {
    "maxima": maxima,
    "graph": graph,
    "networks": networks,
    "time": time,
    "frames": frames,
}


def measure(experiment, data, split, n_frames=None, **parameters):
    """Train once, and describe the errors in the frames that were not trained on."""
    X, y, skeleton = data
    train, test = train_test_split(np.arange(len(X)), train_size=0.9, random_state=split)
    train = train[:n_frames]
    estimator = PoseEstimator(skeleton=skeleton, random_state=split).set_params(**parameters)
    scale = 0.5 if experiment == "networks" else "auto"
    model = make_pipeline(ImageResizer(scale=scale), estimator)
    model.fit(X[train], y[train])
    told = {
        "n_frames": len(train),
        "minutes": round(estimator.minutes_, 2),
        "epochs": estimator.n_iter_,
    }
    if experiment == "maxima":
        return told | describe_peaks(model, X[test], y[test])
    calls = {"one": lambda: model.predict(X[test[:1]]), "all": lambda: model.predict(X[test])}
    seconds = {name: np.median(times) for name, times in time_calls(calls).items()}
    return told | {
        **describe(y[test], model.predict(X[test])),
        "frames/s, one": round(1 / seconds["one"], 1),
        "frames/s, all": round(len(test) / seconds["all"], 1),
    }


def describe_peaks(model, X, y):
    """Describe the errors, and the time, of both kinds of peaks in the same maps."""
    batch, fitted = model[:-1].transform(X), model[-1]
    maps = fitted.predict_maps(batch)
    of_maps = {
        "downsample_factor": fitted.targets_.downsample_factor,
        "n_keypoints": fitted.n_keypoints_,  # the others are the graph's
    }
    layers = {
        "between": SubpixelMaxima(sigma=fitted.targets_.sigma, **of_maps),
        "whole cells": Maxima(**of_maps),
    }
    calls = {name: lambda layer=layer: np.asarray(layer(maps)) for name, layer in layers.items()}
    seconds = time_calls(calls)
    return {
        name: {
            **describe(y, batch.to_user(call()[..., :2])),
            "ms of peaks an image": round(1000 * float(np.median(seconds[name])) / len(X), 3),
        }
        for name, call in calls.items()
    }


def describe(y, found):
    """Return errors in pixels."""
    errors = keypoint_errors(y, found)
    known = errors[np.isfinite(errors)]
    return {
        "mean_px": round(float(known.mean()), 3),
        "median_px": round(float(np.median(known)), 3),
        "variance_px2": round(float(known.var()), 2),
        "errors_px": errors.round(2).tolist(),
    }


def list_left(experiments, sets, minutes):
    """Return (experiment, set, row, split, parameters) of what has not been measured."""
    left = []
    for experiment in experiments:
        for name in sets:
            done = read_rows("paper", f"{experiment}, {name}")
            for variant, parameters in EXPERIMENTS[experiment](minutes).items():
                for split in SPLITS:
                    row = f"{variant}, split {split}"
                    if row not in done:
                        left.append((experiment, name, row, split, parameters))
    return left


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", default=list(EXPERIMENTS))
    parser.add_argument("--sets", nargs="*", default=["fly", "synthetic"], help=", ".join(SETS))
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--dry-run", action="store_true", help="say what it would cost, and stop")
    arguments = parser.parse_args()
    left = list_left(arguments.experiments, arguments.sets, arguments.minutes)
    cost = sum(parameters.get("max_minutes", LONG) for *_, parameters in left)
    print(f"{len(left)} trainings are left, some {cost / 60:.1f} hours.", flush=True)
    if arguments.dry_run:
        return
    folder = Path(os.environ.get("SKPOSE_DATA", "."))
    data = {}
    for experiment, name, row, split, parameters in left:
        if name not in data:
            data = {name: SETS[name](folder)}
        measured = measure(experiment, data[name], split, **parameters)
        merge_rows("paper", f"{experiment}, {name}", {row: measured})


if __name__ == "__main__":
    main()
