r"""Poses of two flies that interact, end to end: crops, training, prediction, and localisation.

    SKPOSE_DATA=... python benchmarks/individuals.py train --minutes 5 --model flies.skpose
    SKPOSE_DATA=... python benchmarks/individuals.py train --minutes 3 --learning-rate 5e-4 \
        --model flies.skpose
    SKPOSE_DATA=... python benchmarks/individuals.py evaluate --model flies.skpose --video out.mp4

The labels are SLEAP's predictions, so that errors are distances between the two, not errors of
either. Of the 1100 frames, blocks of 100 are kept back for the test and for the validation, and
the second of video beside each of these blocks is left out: neighbouring frames are almost the
same. ``train`` goes on where an earlier call stopped. The crops are upright, 160 x 160 px around
the mean of SLEAP's bodyparts; ``evaluate`` predicts from SLEAP's tracks and from those
that `track_individuals` finds without knowing of SLEAP.
"""

import argparse
import os
from pathlib import Path
import time

from _report import write_report
import keras
import numpy as np

import skpose
from skpose import PoseEstimator
from skpose.augment import Augmenter
from skpose.individuals import (
    crop_individuals,
    predict_individuals,
    read_sleap,
    track_individuals,
)
from skpose.models import StackedDenseNet
from skpose.poses import to_numpy, write_poses
from skpose.preprocessing import body_axes
from skpose.video import VideoFrames
from skpose.video_poses import draw_video

BOX = 160
BLOCK, MARGIN, STEP = 100, 15, 4  # frames; every STEP-th is trained on
TEST, VALIDATION = (2, 5, 8), (6,)  # blocks
FLIES = ("1", "2")  # the other tracks are fragments


class Until(keras.callbacks.Callback):
    """Stops the training after some minutes."""

    def __init__(self, minutes):
        super().__init__()
        self.end = time.monotonic() + 60 * minutes

    def on_epoch_end(self, epoch, logs=None):
        if time.monotonic() > self.end:
            self.model.stop_training = True


def read(folder):
    """Return the video, SLEAP's tracks and keypoints of the two flies, and the skeleton."""
    folder = folder / "flypair"
    X = VideoFrames(folder / "flypair.mp4", n_channels=1)
    sleap = read_sleap(folder / "flypair_predictions.slp", front="head", back="abdomen")
    kept = sleap.tracks["id"].isin(FLIES).to_numpy()
    return X, sleap.tracks[kept].reset_index(drop=True), sleap.keypoints[kept], sleap.skeleton


def split(n_frames):
    """Return masks of the frames to train on, to watch, and to test on."""
    frames = np.arange(n_frames)
    blocks = frames // BLOCK
    test, validation = np.isin(blocks, TEST), np.isin(blocks, VALIDATION)
    near = np.convolve(test | validation, np.ones(2 * MARGIN + 1), mode="same") > 0
    return ~near & (frames % STEP == 0), validation & (frames % STEP == 0), test


def train(folder, arguments):
    X, tracks, keypoints, skeleton = read(folder)
    training, validation, _ = (mask[tracks["frame"]] for mask in split(len(X)))
    crops = crop_individuals(X, tracks, BOX)
    pixels = {name: crops[mask] for name, mask in (("train", training), ("watch", validation))}
    pixels = {name: part.with_pixels(np.asarray(part)) for name, part in pixels.items()}
    if arguments.model.exists():
        estimator = skpose.load(arguments.model).set_params(warm_start=True)
    else:
        estimator = PoseEstimator(
            StackedDenseNet(1, growth_rate=arguments.growth_rate),
            skeleton=skeleton,
            augmenter=Augmenter(rotation=180),
            batch_size=16,
            random_state=0,
            verbose=1,
        )
    estimator.set_params(
        max_epochs=10_000,
        lr_schedule="plateau",
        learning_rate=arguments.learning_rate,
        callbacks=[Until(arguments.minutes)],
    )
    start = time.perf_counter()
    estimator.fit(
        pixels["train"],
        keypoints[training],
        validation_data=(pixels["watch"], keypoints[validation]),
    )
    print(
        f"{training.sum()} crops, {estimator.n_iter_} epochs, {time.perf_counter() - start:.0f} s"
    )
    estimator.set_params(callbacks=None).save(arguments.model, overwrite=True)


def as_arrays(tracks, n_frames):
    """Return x, y and angle as (n_frames, n_individuals, 3)."""
    arrays = np.full((n_frames, tracks["id"].nunique(), 3), np.nan)
    for column, (_, track) in enumerate(tracks.groupby("id")):
        arrays[track["frame"], column] = track[["x", "y", "angle"]]
    return arrays


def same_individuals(found, true):
    """Return for each frame the order of the found individuals that is nearest to the true ones."""
    distances = np.linalg.norm(found[:, :, None, :2] - true[:, None, :, :2], axis=3)
    straight = distances[:, 0, 0] + distances[:, 1, 1]
    swapped = distances[:, 0, 1] + distances[:, 1, 0]
    return np.where((swapped < straight)[:, None], [1, 0], [0, 1])


def describe(errors):
    known = errors[np.isfinite(errors)]
    low, high = np.percentile(known, [50, 95])
    return {
        "n": len(known),
        "mean_px": round(float(known.mean()), 2),
        "median_px": round(float(low), 2),
        "p95_px": round(float(high), 2),
    }


def midline_offset(X, tracks, keypoints):
    """Return by how much bodies lie beside keypoints, (x, y) in the image, from pixels alone.

    Across the axis from thorax to head, the bright body should be in the middle whatever way the
    fly faces. If all keypoints are off by one vector in the image, the body is beside the axis by
    that vector's part across it, which a regression on the direction finds.
    """
    centers, angles = body_axes(keypoints, 0, 2)
    seen = np.isfinite(angles)
    tracks = tracks[seen].assign(x=centers[seen, 0], y=centers[seen, 1], angle=angles[seen])
    strips = np.asarray(crop_individuals(X, tracks, (41, 9), align=True))[..., 0]
    weight = np.clip(strips.mean(axis=2) - 90, 0, None)  # grey levels; the body, not the ground
    beside = (weight * np.arange(-20, 21)).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)
    across = np.stack([-np.sin(angles[seen]), np.cos(angles[seen]), np.ones(seen.sum())], axis=1)
    return np.linalg.lstsq(across, beside)[0][:2].round(2).tolist()


def compare_tracks(own, tracks, n_frames):
    """Return for each frame the order of our individuals that is SLEAP's, and how far they are."""
    found, true = as_arrays(own, n_frames), as_arrays(tracks, n_frames)
    order = same_individuals(found, true)
    found = np.take_along_axis(found, order[..., None], axis=1)
    turns = np.abs(np.angle(np.exp(1j * (found[..., 2] - true[..., 2]))))
    distances = np.linalg.norm(found[..., :2] - true[..., :2], axis=2)
    backwards = float((turns > np.pi / 2).mean())
    return order, {
        "missing": int(np.isnan(distances).sum()),
        "identity_switches": int((np.diff(order[:, 0]) != 0).sum()),
        "distance_to_sleap": describe(distances),
        "share_of_angles_off_by_more_than_90_degrees": round(backwards, 3),
    }


def describe_model(estimator):
    """Return what was trained, and on what."""
    return {
        "settings": {
            "box_px": BOX,
            "growth_rate": estimator.model.growth_rate,
            "n_stacks": estimator.model.n_stacks,
            "every_nth_frame": STEP,
            "test_blocks": TEST,
            "validation_blocks": VALIDATION,
            "frames_a_block": BLOCK,
        },
        "epochs": estimator.n_iter_,
        "best_epoch": estimator.best_epoch_ + 1,
        "parameters": estimator.model_.network.count_params(),
    }


def write(arguments, X, poses, skeleton):
    """Write the video with poses, and the poses, where the user wants them."""
    if arguments.video:
        draw_video(X.path, poses, out=arguments.video, skeleton=skeleton, overwrite=True)
    if arguments.poses:
        write_poses(arguments.poses, poses, overwrite=True)


def timed(function, *args, **options):
    """Return what a function gives, and how many seconds it took."""
    start = time.perf_counter()
    return function(*args, **options), time.perf_counter() - start


def evaluate(folder, arguments):
    X, tracks, keypoints, skeleton = read(folder)
    training, _, test = split(len(X))
    labels = np.full((len(X), 2, len(skeleton), 2), np.nan)
    labels[tracks["frame"], tracks["id"].map(FLIES.index)] = keypoints
    estimator = skpose.load(arguments.model)
    own, tracking_seconds = timed(track_individuals, X, 2)
    order, localisation = compare_tracks(own, tracks, len(X))
    poses, seconds = timed(predict_individuals, estimator, X, tracks, box_size=BOX)
    found, _ = to_numpy(poses)
    differences = found - labels
    errors = np.linalg.norm(differences, axis=3)
    offset = np.nanmedian(differences[training], axis=(0, 1, 2))
    errors_beside_offset = np.linalg.norm(differences - offset, axis=3)
    ours = found[tracks["frame"], tracks["id"].map(FLIES.index)]
    from_own = predict_individuals(estimator, X, own, box_size=BOX)
    matched = np.take_along_axis(to_numpy(from_own)[0], order[..., None, None], axis=1)
    own_errors = np.linalg.norm(matched - labels, axis=3)
    write(arguments, X, poses, skeleton)
    by_bodypart = np.nanmedian(errors[test], axis=(0, 1)).round(2).tolist()
    write_report(
        "individuals",
        {
            **describe_model(estimator),
            "test_frames": int(test.sum()),
            "distance_to_sleap": describe(errors[test]),
            "offset_to_sleap_px": offset.round(2).tolist(),
            "distance_to_sleap_beside_offset": describe(errors_beside_offset[test]),
            "bodies_beside_sleap_px": midline_offset(X, tracks, keypoints),
            "bodies_beside_ours_px": midline_offset(X, tracks, ours),
            "distance_to_sleap_in_trained_blocks": describe(errors[training]),
            "distance_to_sleap_from_own_tracks": describe(own_errors[test]),
            "median_px_of_bodypart": dict(zip(skeleton.names, by_bodypart, strict=True)),
            "frames_per_second": round(len(X) / seconds, 1),
            "localisation": {
                "frames_per_second": round(len(X) / tracking_seconds, 1),
                **localisation,
            },
        },
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["train", "evaluate"])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--growth-rate", type=int, default=16)
    parser.add_argument("--video", type=Path, help="where to draw the poses")
    parser.add_argument("--poses", type=Path, help="where to write the poses")
    arguments = parser.parse_args()
    {"train": train, "evaluate": evaluate}[arguments.task](
        Path(os.environ["SKPOSE_DATA"]), arguments
    )


if __name__ == "__main__":
    main()
