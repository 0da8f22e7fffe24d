r"""Whether what ``augmenter="auto"`` reads off the labels is as good as the better rotation.

    SKPOSE_DATA=... python benchmarks/augmentation.py

On each set, with two seeds, `PoseEstimator` is trained with its defaults, with
``augmenter__rotation=180`` and with ``augmenter__rotation=10``. The first training of a set takes
three minutes, of a quiet machine; the others take as many epochs, so that other work may run beside
them. Images that are larger than their labels need are made smaller, as ``skpose train`` does. The
errors are those in frames that were not trained on, in pixels of the original images; ``ratio`` is
the mean error of "auto" over that of the better of the two rotations, with its 95 % limits by a
bootstrap over these frames, the same frames for both. Where "auto" has chosen 180 itself, both are
one training.

Trainings that are already in ``results/augmentation.json`` are not repeated, so this can be stopped
and started again.
"""

import argparse
import os
from pathlib import Path

from _rows import merge_rows, read_rows
from accuracy import read_fly
from individuals import BOX, read as read_flypair
import numpy as np
from sklearn.model_selection import train_test_split

from skpose import PoseEstimator
from skpose.datasets import make_poses, read_deeplabcut
from skpose.individuals import crop_individuals
from skpose.metrics import keypoint_errors
from skpose.preprocessing import EgocentricAligner, ImageResizer

MINUTES = 3
ROTATIONS = ("auto", 180, 10)
SEEDS = (0, 1)


def fly(folder):
    images, keypoints, skeleton, _ = read_fly(folder)
    return images, keypoints, skeleton, 90


def project(folder, image_size=None):
    data = read_deeplabcut(folder, n_channels=1, image_size=image_size)
    images = ImageResizer(scale="auto").fit_transform(np.asarray(data.images), data.keypoints)
    return images, data.keypoints, data.skeleton, round(0.8 * len(images))


def flypair(folder):
    X, tracks, keypoints, skeleton = read_flypair(folder)
    rows = np.arange(0, len(tracks), 12)  # a quarter of a second
    crops = crop_individuals(X, tracks.iloc[rows], BOX)
    return crops.with_pixels(np.asarray(crops)), keypoints[rows], skeleton, 90


def synthetic(align):
    poses = make_poses(190, image_size=128, random_state=0, return_bunch=True)
    images, keypoints = poses.images, poses.keypoints
    if align:
        front, back = poses.skeleton.names[0], poses.skeleton.names[-1]
        aligner = EgocentricAligner(front=front, back=back, box_size=128, skeleton=poses.skeleton)
        images = aligner.fit_transform(images, keypoints)
    return images, keypoints, poses.skeleton, 90


SETS = {
    "fly": fly,
    "openfield": lambda folder: project(folder / "openfield"),
    "reaching": lambda folder: project(folder / "reaching", image_size="largest"),
    "flypair": flypair,
    "synthetic, any direction": lambda folder: synthetic(align=False),
    "synthetic, aligned": lambda folder: synthetic(align=True),
}


def train(data, rotation, seed, budget):
    """Train once; give the mean error of each frame that was not trained on."""
    images, keypoints, skeleton, n_train = data
    train, test = train_test_split(np.arange(len(images)), train_size=n_train, random_state=seed)
    estimator = PoseEstimator(skeleton=skeleton, random_state=seed, **budget)
    if rotation != "auto":
        estimator.set_params(augmenter__rotation=rotation)
    estimator.fit(images[train], keypoints[train])
    errors = keypoint_errors(keypoints[test], estimator.predict(images[test]))
    return {
        "rotation": estimator.augmenters_[0].rotation_,
        "epochs": estimator.n_iter_,
        "mean_px": round(float(np.nanmean(errors)), 2),
        "median_px": round(float(np.nanmedian(errors)), 2),
        "mean_px_by_frame": np.nanmean(errors, axis=1).round(3).tolist(),
        "n_keypoints_by_frame": np.isfinite(errors).sum(axis=1).tolist(),
    }


def choose_budget(name):
    """Return what a training may take: minutes, or the epochs of the first one."""
    runs = read_rows("augmentation", name).get(f"seed {SEEDS[0]}", {})
    for rotation in map(str, ROTATIONS):
        if rotation in runs:
            return {"max_epochs": runs[rotation]["epochs"]}
    return {"max_minutes": MINUTES}


def compare(auto, other):
    """Return the ratio of two mean errors, with its limits by a bootstrap over frames."""
    count = np.array(auto["n_keypoints_by_frame"])
    is_known = count > 0
    count = count[is_known]
    sums = [np.array(run["mean_px_by_frame"])[is_known] * count for run in (auto, other)]
    rows = np.random.default_rng(0).integers(0, len(count), (10_000, len(count)))
    ratios = sums[0][rows].sum(axis=1) / sums[1][rows].sum(axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    ratio = sums[0].sum() / sums[1].sum()
    return {"ratio": round(ratio, 3), "limits": [round(low, 3), round(high, 3)]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=list(SETS), help=f"of {', '.join(SETS)}")
    folder = Path(os.environ["SKPOSE_DATA"])
    for name in parser.parse_args().sets:
        data = None
        for seed in SEEDS:
            runs = read_rows("augmentation", name).get(f"seed {seed}", {})
            for rotation in ROTATIONS:
                if str(rotation) in runs:
                    continue
                if rotation == 180 and runs["auto"]["rotation"] in (180, [-180, 180]):
                    runs["180"] = runs["auto"]
                else:
                    data = data or SETS[name](folder)
                    runs[str(rotation)] = train(data, rotation, seed, choose_budget(name))
                merge_rows("augmentation", name, {f"seed {seed}": runs})
            better = min(("180", "10"), key=lambda rotation: runs[rotation]["mean_px"])
            verdict = {"better": better, **compare(runs["auto"], runs[better])}
            merge_rows("augmentation", name, {f"seed {seed}": verdict})


if __name__ == "__main__":
    main()
