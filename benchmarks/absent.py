"""Whether the confidence tells bodyparts that are not in the image, beside training without them.

    SKPOSE_DATA=... python benchmarks/absent.py
    SKPOSE_DATA=... python benchmarks/absent.py reaching --minutes 2
    SKPOSE_DATA=... python benchmarks/absent.py synthetic --epochs 420 --only silence

"reaching" is a mouse whose tongue and hand come and go: what has no place there is not to be seen.
"synthetic" is a drawn mouse, each of whose bodyparts is covered by an object with a probability of
0.15. Both are trained on two thirds of the images for the same time, with ``absent="silence"``, the
default, and with ``"ignore"``; or for as many epochs, beside which other work may run. ``auc``: the
area under the ROC of the confidence in the other images, of bodyparts that are there against those
that are not; ``error_px`` is of those that are.
"""

import argparse
import os
from pathlib import Path

from _rows import merge_rows, read_rows
import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from skpose import PoseEstimator
from skpose.datasets import make_poses, read_labels
from skpose.metrics import keypoint_errors
from skpose.preprocessing import ImageResizer


def reaching():
    data = read_labels(Path(os.environ["SKPOSE_DATA"], "reaching"), missing="absent", n_channels=1)
    return np.asarray(data.images), data.keypoints, data.skeleton


def synthetic():
    poses = make_poses(600, 128, occlusion=0.15, random_state=0, return_bunch=True)
    return poses.images, poses.keypoints, poses.skeleton


SETS = {"reaching": reaching, "synthetic": synthetic}


def measure(name, absent, **budget):
    """Train on two thirds of a set, and describe the confidence in the rest."""
    X, y, skeleton = SETS[name]()
    order = np.random.default_rng(0).permutation(len(X))
    train, test = np.split(order, [2 * len(X) // 3])
    visibility = np.where(np.isnan(y[..., 0]), -1, 2)
    estimator = make_pipeline(
        ImageResizer(scale="auto"),
        PoseEstimator(skeleton=skeleton, absent=absent, random_state=0, **budget),
    ).fit(X[train], y[train], poseestimator__visibility=visibility[train])
    keypoints, confidence = estimator.predict(X[test], return_confidence=True)
    is_there = visibility[test] > 0
    errors = keypoint_errors(y[test], keypoints)
    return {
        "auc": round(float(roc_auc_score(is_there.ravel(), confidence.ravel())), 3),
        "error_px": round(float(np.nanmean(errors)), 2),
        "median_px": round(float(np.nanmedian(errors)), 2),
        "absent": int((~is_there).sum()),
        "there": int(is_there.sum()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=list(SETS), help=f"of {', '.join(SETS)}")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--epochs", type=int, help="in place of minutes")
    parser.add_argument("--only", nargs="*", default=["silence", "ignore"])
    arguments = parser.parse_args()
    if arguments.epochs:
        budget, told = {"max_epochs": arguments.epochs}, f"{arguments.epochs} epochs"
    else:
        budget, told = {"max_minutes": arguments.minutes}, f"{arguments.minutes:g} min"
    for name in arguments.sets:
        for absent in arguments.only:
            row = f"{absent}, {told}"
            if row not in read_rows("absent", name):
                merge_rows("absent", name, {row: measure(name, absent, **budget)})


if __name__ == "__main__":
    main()
