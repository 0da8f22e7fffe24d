"""Whether the radii of a calibrated estimator hold the share of positions that they should.

    SKPOSE_DATA=... python benchmarks/coverage.py
    SKPOSE_DATA=... python benchmarks/coverage.py fly --folder /tmp/coverage

Each set is divided into five folds at random, and the default network is trained
for 60 epochs on four of them and asked for the fifth. ``share``: of the labelled positions, within
radii that come from the other folds, at nominal 50, 80, 90 and 95 %, with the limits of 95 % of a
bootstrap over frames. ``radius_px``: the mean radius at 90 %, where errors are foreseen from what
is told with a keypoint: from nothing, so that it is the same in all frames; from the confidence;
from the maps too. "sure" and "not sure": the share at 90 % in the half of each bodypart's keypoints
with the higher confidence, and in the other half.

"synthetic" has 2,000 further images, of the same kind, and others of another one: darker, larger,
or with noise and other animals about: there nothing is promised, and ``share`` says how wrong it
is. Epochs are counted, not minutes, so other work may run beside it; folds that are in ``--folder``
are not trained again.
"""

import argparse
import os
from pathlib import Path
import tempfile

from _rows import merge_rows
from accuracy import read_fly
import numpy as np
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

from skpose import PoseEstimator
from skpose.conformal._clues import predict_with_clues
from skpose.conformal._difficulty import expected_errors, expected_in_folds, fit_difficulty
from skpose.conformal._scores import Scores, radii_in_folds
from skpose.datasets import make_poses, read_labels
from skpose.metrics import keypoint_errors
from skpose.preprocessing import ImageResizer

LEVELS = (0.5, 0.8, 0.9, 0.95)
N_FOLDS, N_EPOCHS = 5, 60
N_OF_CONFIDENCE = 3  # clues, before those of the maps
KINDS = {"nothing": slice(0, 0), "confidence": slice(0, N_OF_CONFIDENCE), "maps": slice(0, None)}


def fly():
    images, keypoints, skeleton, _ = read_fly(Path(os.environ["SKPOSE_DATA"]))
    return images, keypoints, skeleton


def project(name):
    data = read_labels(Path(os.environ["SKPOSE_DATA"], name), n_channels=1)
    return np.asarray(data.images), data.keypoints, data.skeleton


def synthetic(n_images=200, seed=0, **options):
    poses = make_poses(n_images, 128, random_state=seed, return_bunch=True, **options)
    return poses.images, poses.keypoints, poses.skeleton


SETS = {
    "fly": fly,
    "openfield": lambda: project("openfield"),
    "reaching": lambda: project("reaching"),
    "synthetic": synthetic,
}


def larger(images, keypoints):
    batch = ImageResizer(image_size=(192, 192)).fit_transform(images, keypoints)
    return np.asarray(batch), batch.to_batch(keypoints)


def other_footage():
    """Return further synthetic images and their keypoints, by their kind."""
    images, keypoints, _ = synthetic(2000, seed=1)
    few, of_few = images[:300], keypoints[:300]
    crowded, of_crowded, _ = synthetic(300, seed=2, noise=10.0, n_distractors=2)
    return {
        "2,000 others": (images, keypoints),
        "half as light": (few // 2, of_few),
        "half as large again": larger(few, of_few),
        "noise and other animals": (crowded, of_crowded),
    }


def train(images, keypoints, skeleton, rows):
    estimator = make_pipeline(
        ImageResizer(scale="auto"),
        PoseEstimator(skeleton=skeleton, max_epochs=N_EPOCHS, random_state=0),
    )
    return estimator.fit(images[rows], keypoints[rows])


def find(estimator, images, keypoints):
    """Return errors and clues, with those of the maps."""
    found, clues = predict_with_clues(estimator, images, use_maps=True)
    return keypoint_errors(keypoints, found), clues


def train_folds(name, folder):
    """Return errors (n_samples, n_keypoints), clues, and the fold of each sample."""
    images, keypoints, skeleton = SETS[name]()
    folds = np.full(len(images), -1)
    parts = {}
    splits = KFold(N_FOLDS, shuffle=True, random_state=0).split(images)
    for i, (rows, test) in enumerate(splits):
        folds[test] = i
        path = folder / f"{name}_{i}.npz"
        if not path.exists():
            estimator = train(images, keypoints, skeleton, rows)
            errors, clues = find(estimator, images[test], keypoints[test])
            np.savez(path, errors=errors, clues=clues)
        parts[i] = np.load(path)
    order = np.argsort(np.argsort(folds, kind="stable"))
    errors, clues = (
        np.concatenate([parts[i][key] for i in parts])[order] for key in ("errors", "clues")
    )
    return errors, clues, folds


def judge_folds(errors, clues, folds):
    """Describe radii that come from the other folds."""
    expected = expected_in_folds(errors, clues, folds)
    radius = radii_in_folds(errors, expected, folds, LEVELS)
    return describe(errors, radius), radius


def describe(errors, radius):
    is_within = np.where(np.isnan(errors), np.nan, errors <= radius)
    counts = np.isfinite(errors).sum(axis=1)
    rows = np.random.default_rng(0).integers(0, len(errors), (2000, len(errors)))
    shares = {}
    for level, held in zip(LEVELS, is_within, strict=True):
        sums = np.nansum(held, axis=1)
        drawn = sums[rows].sum(axis=1) / counts[rows].sum(axis=1)
        low, high = np.percentile(drawn, [2.5, 97.5])
        share = {"share": np.nanmean(held), "low": low, "high": high}
        shares[f"{level:.0%}"] = {key: round(float(value), 3) for key, value in share.items()}
    known = np.where(np.isnan(errors), np.nan, radius[LEVELS.index(0.9)])
    return {"shares": shares, "radius_px": round(float(np.nanmean(known)), 2)}


def judge_halves(errors, radius, is_sure):
    """Tell the share within, at 90 %, of the half of the keypoints that are sure, and of others."""
    known, is_within = np.isfinite(errors), errors <= radius[LEVELS.index(0.9)]
    return {
        name: round(float(is_within[half & known].mean()), 3)
        for name, half in (("sure", is_sure), ("not sure", ~is_sure))
    }


def judge_others(errors, clues, folds, folder):
    """Describe radii in footage that the folds' estimators have nothing to do with."""
    images, keypoints, skeleton = synthetic()
    path = folder / "synthetic_all.npz"
    if not path.exists():
        estimator = train(images, keypoints, skeleton, np.arange(len(images)))
        arrays = {}
        for kind, (others, of_others) in other_footage().items():
            arrays[f"errors {kind}"], arrays[f"clues {kind}"] = find(estimator, others, of_others)
        np.savez(path, **arrays)
    arrays = np.load(path)
    clues = clues[..., KINDS["confidence"]]
    scores = Scores(errors / expected_in_folds(errors, clues, folds))
    learnt = fit_difficulty(errors, clues)
    rows = {}
    for kind in [name.removeprefix("errors ") for name in arrays if name.startswith("errors ")]:
        own = arrays[f"clues {kind}"][..., KINDS["confidence"]]
        foreseen = expected_errors(learnt, own)
        radius = np.stack([foreseen * scores.quantiles(level) for level in LEVELS])
        found = arrays[f"errors {kind}"]
        rows[kind] = describe(found, radius) | {"mean_px": round(float(np.nanmean(found)), 2)}
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=list(SETS), help=f"of {', '.join(SETS)}")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "coverage"))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.sets:
        errors, clues, folds = train_folds(name, arguments.folder)
        rows, doubt = {}, clues[..., 0]
        is_sure = doubt <= np.median(doubt, axis=0)
        for kind, which in KINDS.items():
            rows[kind], radius = judge_folds(errors, clues[..., which], folds)
            rows[kind] |= judge_halves(errors, radius, is_sure)
        if name == "synthetic":
            rows |= judge_others(errors, clues, folds, arguments.folder)
        merge_rows("coverage", name, rows)


if __name__ == "__main__":
    main()
