"""Poses in large frames: a network for the place and one for crops, beside one for all of it.

    SKPOSE_DATA=... python benchmarks/two_stage.py
    SKPOSE_DATA=... python benchmarks/two_stage.py openfield --minutes 2

"arena" is a drawn animal, 150 px long, in frames of 1920 x 1080 pixels; "openfield" is a mouse of
some 110 px in frames of 640 x 480. Both stages are trained on 80 frames, the first for a third of
the time. Of the others, ``error_px`` is what `TwoStageEstimator` finds, ``ideal_px`` what its
second stage finds in crops around the true middle, ``missed`` the share of the frames whose middle
lies further off than half a crop, and ``auc`` how well the confidence tells keypoints that are
further off than 10 px, 0.5 to 1. Speeds are frames a second, of one frame at a time and of batches
of 8, beside the same network on whole frames; the median of calls that take turns.
"""

import argparse
import os
from pathlib import Path

from _processes import time_calls
from _rows import merge_rows
import numpy as np
from sklearn.metrics import roc_auc_score

from skpose import PoseEstimator
from skpose._lazy_array import LazyArray
from skpose.datasets import make_poses, read_deeplabcut
from skpose.metrics import keypoint_errors
from skpose.preprocessing import ImageCropper, bounding_box_centers
from skpose.two_stage import TwoStageEstimator

N_TRAIN, N_FRAMES = 80, 116
FAR = 10.0  # px


class Arena(LazyArray):
    """Frames of a video in which an animal walks in a part of a large arena."""

    def __init__(self, frames, offset, shape):
        floor = np.median(frames[::4], axis=0).astype(np.uint8)
        (height, width), (y, x) = floor.shape[:2], offset
        around = ((y, shape[0] - height - y), (x, shape[1] - width - x), (0, 0))
        self._floor = np.pad(floor, around, mode="reflect")
        self._frames, self._place = frames, np.s_[y : y + height, x : x + width]
        super().__init__(len(frames), (*shape, 1))

    def _read(self, positions):
        images = np.repeat(self._floor[np.newaxis], len(positions), axis=0)
        for image, i in zip(images, positions, strict=True):
            image[self._place] = self._frames[i]
        return images


def arena():
    poses = make_poses(
        20 * N_FRAMES, (600, 1067), camera="fixed", random_state=0, return_bunch=True
    )
    rows = np.arange(0, 20 * N_FRAMES, 20)
    offset = (310, 520)
    keypoints = poses.keypoints[rows] + offset[::-1]
    return Arena(poses.images[rows], offset, (1080, 1920)), keypoints, poses.skeleton


def openfield():
    data = read_deeplabcut(Path(os.environ["SKPOSE_DATA"], "openfield"), n_channels=1)
    return np.asarray(data.images), data.keypoints, data.skeleton


SETS = {"arena": arena, "openfield": openfield}


def measure(name, minutes):
    """Train both stages on a part of a set, and give errors and speeds in the rest."""
    X, y, skeleton = SETS[name]()
    order = np.random.default_rng(0).permutation(len(X))
    train, test = np.sort(order[:N_TRAIN]), np.sort(order[N_TRAIN:])
    estimator = TwoStageEstimator(
        PoseEstimator(max_minutes=minutes / 3),
        PoseEstimator(skeleton=skeleton, max_minutes=2 * minutes / 3),
        random_state=0,
        verbose=1,
    ).fit(X[train], y[train])
    frames = np.asarray(X[test])
    found, confidence = estimator.predict(frames, return_confidence=True)
    middles = bounding_box_centers(y[test])
    crops = ImageCropper(box_size=estimator.box_size_).fit(frames).transform(frames, middles)
    errors = keypoint_errors(y[test], found)
    is_missed = np.linalg.norm(
        estimator.coarse_.predict(estimator.resizer_.transform(frames))[:, 0] - middles, axis=1
    ) > (min(estimator.box_size_) / 2)
    is_known = np.isfinite(errors)
    is_far = errors[is_known] > FAR
    return {
        "minutes": minutes,
        "box_size": list(estimator.box_size_),
        "scale": round(estimator.resizer_.scale_, 3),
        "error_px": round(float(np.nanmean(errors)), 2),
        "median_px": round(float(np.nanmedian(errors)), 2),
        "ideal_px": round(
            float(np.nanmean(keypoint_errors(y[test], estimator.fine_.predict(crops)))), 2
        ),
        "missed": round(float(is_missed.mean()), 3),
        "far": round(float(is_far.mean()), 3),
        "auc": round(float(roc_auc_score(~is_far, confidence[is_known])), 3)
        if 0 < is_far.sum() < len(is_far)
        else None,
        **_speeds(estimator, frames[:8]),
    }


def _speeds(estimator, frames):
    """Time both ways in turn; the network of the second stage takes images of any size."""
    calls = {}
    for n in (1, 8):
        calls[f"two_stages_{n}"] = lambda n=n: estimator.predict(frames[:n])
        calls[f"whole_{n}"] = lambda n=n: estimator.fine_.predict(frames[:n], batch_size=1)
    times = time_calls(calls, seconds=60)
    speeds = {key: round(int(key[-1]) / float(np.median(t)), 2) for key, t in times.items()}
    return {
        **speeds,
        "times_as_fast": [
            round(speeds[f"two_stages_{n}"] / speeds[f"whole_{n}"], 1) for n in (1, 8)
        ],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=list(SETS), help=f"of {', '.join(SETS)}")
    parser.add_argument("--minutes", type=float, default=6.0)
    arguments = parser.parse_args()
    for name in arguments.sets:
        merge_rows(
            "two_stage", name, {f"{arguments.minutes:g} min": measure(name, arguments.minutes)}
        )


if __name__ == "__main__":
    main()
