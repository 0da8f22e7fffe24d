"""Poses in large frames: a network for the place and one for crops, beside one for all of it.

    SKPOSE_DATA=... python benchmarks/two_stage.py
    SKPOSE_DATA=... python benchmarks/two_stage.py openfield --minutes 2

"arena" is a drawn animal, 150 px long, in frames of 1920 x 1080 pixels; "openfield" is a mouse of
some 110 px in frames of 640 x 480. Both stages are trained on 80 frames, the first for a third of
the time. Of the others, ``error_px`` is what `TwoStageEstimator` finds, ``ideal_px`` what its
second stage finds in crops around the true middle, and ``missed`` the share of the frames whose
middle lies further off than half a crop.

How well the confidence tells right from wrong, as the area under the ROC: ``auc_far`` keypoints
that are further off than 10 px; ``auc_elsewhere`` those that the second stage finds in crops that
lie elsewhere in the frame, as after a miss, against crops around the animal; ``auc_empty`` those
that both find in the ground alone, the median of a dozen frames, against frames with an animal.

Speeds are frames a second, of one frame at a time and of batches of 8, beside the network of the
second stage on whole frames; the median of calls that take turns. With ``--scale`` crops and whole
frames are made smaller for that network.
"""

import argparse
import os
from pathlib import Path

from _processes import time_calls
from _rows import merge_rows
import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from skpose import PoseEstimator
from skpose._lazy_array import LazyArray
from skpose.datasets import make_poses, read_deeplabcut
from skpose.metrics import keypoint_errors
from skpose.preprocessing import ImageCropper, ImageResizer, bounding_box_centers
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


def measure(name, minutes, scale):
    """Train both stages on a part of a set, and give errors and speeds in the rest."""
    X, y, skeleton = SETS[name]()
    order = np.random.default_rng(0).permutation(len(X))
    train, test = np.sort(order[:N_TRAIN]), np.sort(order[N_TRAIN:])
    fine = PoseEstimator(skeleton=skeleton, max_minutes=2 * minutes / 3)
    if scale is not None:
        fine = make_pipeline(ImageResizer(scale=scale), fine)
    estimator = TwoStageEstimator(
        PoseEstimator(max_minutes=minutes / 3),
        fine,
        random_state=0,
        verbose=1,
    ).fit(X[train], y[train])
    frames = np.asarray(X[test])
    found, confidence = estimator.predict(frames, return_confidence=True)
    middles = bounding_box_centers(y[test])
    crops = _crop(estimator, frames, middles)
    errors = keypoint_errors(y[test], found)
    is_missed = np.linalg.norm(
        estimator.coarse_.predict(estimator.resizer_.transform(frames))[:, 0] - middles, axis=1
    ) > (min(estimator.box_size_) / 2)
    is_known = np.isfinite(errors)
    is_far = errors[is_known] > FAR
    ideal, at_animal = estimator.fine_.predict(crops, return_confidence=True)
    away = _crop(estimator, frames, _places_elsewhere(middles, estimator.box_size_, frames.shape))
    _, elsewhere = estimator.fine_.predict(away, return_confidence=True)
    _, empty = estimator.predict(_without_animal(X, frames), return_confidence=True)
    return {
        "minutes": minutes,
        "box_size": list(estimator.box_size_),
        "scale": round(estimator.resizer_.scale_, 3),
        "error_px": round(float(np.nanmean(errors)), 2),
        "median_px": round(float(np.nanmedian(errors)), 2),
        "ideal_px": round(float(np.nanmean(keypoint_errors(y[test], ideal))), 2),
        "missed": round(float(is_missed.mean()), 3),
        "far": round(float(is_far.mean()), 3),
        "auc_far": _auc(confidence[is_known][~is_far], confidence[is_known][is_far]),
        "auc_elsewhere": _auc(at_animal, elsewhere),
        "auc_empty": _auc(confidence, empty),
        **_speeds(estimator, frames[:8]),
    }


def _crop(estimator, frames, middles):
    cropper = ImageCropper(box_size=estimator.box_size_, outside="pad").fit(frames)
    return cropper.transform(frames, middles)


def _places_elsewhere(middles, box_size, shape):
    """Draw places in the frames around which a crop does not reach the animal's middle."""
    generator = np.random.default_rng(0)
    places = np.empty_like(middles)
    for place, middle in zip(places, middles, strict=True):
        while True:
            place[:] = generator.uniform(0, (shape[2], shape[1]))
            if (np.abs(place - middle) > np.array(box_size[::-1])).any():
                break
    return places


def _without_animal(X, frames):
    """Return frames of the ground alone, as bright as each frame is."""
    ground = np.median(np.asarray(X[:: len(X) // 12]), axis=0)
    light = np.median(frames, axis=(1, 2), keepdims=True) - np.median(ground)
    return np.clip(ground + light, 0, 255).astype(np.uint8)


def _auc(right, wrong):
    """Return the area under the ROC, None where there is nothing to tell apart."""
    if not (right.size and wrong.size):
        return None
    truth = np.repeat([1, 0], [right.size, wrong.size])
    return round(float(roc_auc_score(truth, np.concatenate([right.ravel(), wrong.ravel()]))), 3)


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
    parser.add_argument("--scale", help="that of the crops: a number, or auto")
    arguments = parser.parse_args()
    minutes, scale = arguments.minutes, arguments.scale
    key = f"{minutes:g} min" if scale is None else f"{minutes:g} min, crops at {scale}"
    if scale not in (None, "auto"):
        scale = float(scale)
    for name in arguments.sets:
        merge_rows("two_stage", name, {key: measure(name, minutes, scale)})


if __name__ == "__main__":
    main()
