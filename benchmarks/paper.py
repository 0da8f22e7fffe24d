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
from time import perf_counter

from _rows import merge_rows, read_rows
from accuracy import read_fly
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skpose import PoseEstimator
from skpose.datasets import make_poses, read_labels
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


def list_variants(experiment, minutes):
    """Return parameters of `PoseEstimator` for each variant of an experiment, by its name."""
    budget = {"max_minutes": minutes}
    if experiment == "maxima":
        return {
            f"1/{2**factor}": {
                **budget,
                "model": "stacked_densenet",
                "targets__downsample_factor": factor,
            }
            for factor in (1, 2, 3)
        }
    if experiment == "graph":
        return {
            name: {**budget, "targets__use_graph": use}
            for name, use in (("with the graph", True), ("without", False))
        }
    if experiment == "networks":
        rule = {"batch_size": 16, "lr_schedule": "plateau", "lr_patience": 10}
        rule |= {"max_epochs": 1000, "n_iter_no_change": 50}
        names = ("stacked_densenet", "stacked_hourglass", "leap", "deeplabcut", "residual_unet")
        return {name: {"model": name, **rule} for name in names}
    if experiment == "time":
        return {
            f"{name}, {limit:g} min": {"model": name, "max_minutes": limit}
            for name in ("residual_unet", "stacked_densenet")
            for limit in (0.5, 1, 2, 5, 10)
        }
    return {
        f"{n} frames, {'augmented' if augmented else 'as they are'}": {
            **budget,
            "n_frames": n,
            **({} if augmented else {"augmenter": None}),
        }
        for n in (5, 10, 20, 45, 90)
        for augmented in (True, False)
    }


EXPERIMENTS = {
    "maxima": "peaks between cells against whole cells",
    "graph": "with and without the posture graph",
    "networks": "five networks until the paper's rule ends them",
    "time": "errors after more and more minutes",
    "frames": "errors with more and more frames",
}


def measure(experiment, data, split, n_frames=None, **parameters):
    """Train once, and describe the errors in the frames that were not trained on."""
    X, y, skeleton = data
    train, test = train_test_split(np.arange(len(X)), train_size=0.8, random_state=split)
    train = train[:n_frames]
    estimator = PoseEstimator(skeleton=skeleton, random_state=split).set_params(**parameters)
    scale = 0.5 if experiment == "networks" else "auto"
    model = make_pipeline(ImageResizer(scale=scale), estimator)
    start = perf_counter()
    model.fit(X[train], y[train])
    told = {"minutes": round((perf_counter() - start) / 60, 2), "epochs": model[-1].n_iter_}
    if experiment != "maxima":
        return told | describe(model, X[test], y[test])
    fitted = model[-1]
    for name, subpixel in (("between", True), ("whole cells", False)):
        fitted.set_params(subpixel=subpixel)
        fitted.subpixel_ = subpixel
        told[name] = describe(model, X[test], y[test])
    return told


def describe(model, X, y):
    """Return errors in pixels, and frames a second of one at a time and of all at once."""
    errors = keypoint_errors(y, model.predict(X))
    known = errors[np.isfinite(errors)]
    return {
        "mean_px": round(float(known.mean()), 3),
        "median_px": round(float(np.median(known)), 3),
        "variance_px2": round(float(known.var()), 2),
        "frames/s, one": round(1 / time_call(lambda: model.predict(X[:1])), 1),
        "frames/s, all": round(len(X) / time_call(lambda: model.predict(X)), 1),
        "errors_px": [[round(float(v), 2) for v in row] for row in errors],
    }


def time_call(call):
    """Return the median of seconds that a call takes, once it is warm."""
    call()
    seconds = []
    for _ in range(5):
        start = perf_counter()
        call()
        seconds.append(perf_counter() - start)
    return float(np.median(seconds))


def list_left(experiments, sets, minutes):
    """Return (experiment, set, row, split, parameters) of what has not been measured."""
    left = []
    for experiment in experiments:
        for name in sets:
            done = read_rows("paper", f"{experiment}, {name}")
            for variant, parameters in list_variants(experiment, minutes).items():
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
