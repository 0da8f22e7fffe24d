"""Do chosen frames teach faster than random ones, and what does choosing cost?

    SKPOSE_DATA=... python benchmarks/sampling.py flies --seconds 300
    python benchmarks/sampling.py resting --seconds 300
    python benchmarks/sampling.py memory

The first two add to ``results/sampling_<data>.json`` what there is time for, beginning with the
first seed that is not complete.

``flies``: 1100 frames of two flies, turned and cropped to 48 x 48 pixels by SLEAP's predictions,
which also stand for the truth. Frames are chosen from the first 700, errors are measured in the
last 360. ``resting``: a synthetic animal, 32 x 32 pixels, that moves in 150 frames and rests in 12
bouts of 75 frames between; errors are measured in 200 frames in which it moves.

Every chooser starts from the same 20 random frames (``kmeans`` from 20 of its own) and the network
trained on them, and adds 20. A small network is trained from nothing each time, for the same number
of steps. ``memory``: what `KMeansSampler` needs for 10,000 and for 100,000 frames that are made
when they are read.
"""

import argparse
import json
import os
from pathlib import Path
import resource
import time
import warnings

from _report import RESULTS, write_report
import numpy as np
from sklearn.base import clone

from skpose import PoseEstimator, Skeleton
from skpose.augment import Augmenter
from skpose.baseline import MeanPoseRegressor
from skpose.datasets import make_poses
from skpose.metrics import keypoint_errors
from skpose.models import CustomArchitecture
from skpose.preprocessing import EgocentricAligner, ImageResizer
from skpose.sampling import (
    AutoregressiveSampler,
    ConfidenceSampler,
    EnsembleSampler,
    KMeansSampler,
    RandomSampler,
)
from skpose.targets import ConfidenceMaps

N_START, N_MORE = 20, 20
SEPARATION = 5
EPOCH = 320  # images
LEARNING_RATE = 3e-3
BOX_SIZE, SIDE = 144, 48  # pixels of the video and of the crops
STRATEGIES = (
    "random",
    "kmeans",
    "confidence",
    "ensemble",
    "autoregressive",
)


def read_flies():
    """Return a pool and test frames, the skeleton, and pixels of the video per pixel of a crop."""
    import sleap_io

    from skpose.video import VideoFrames

    folder = Path(os.environ["SKPOSE_DATA"]) / "flypair"
    labels = sleap_io.load_slp(folder / "flypair_predictions.slp", open_videos=False)
    tracks = labels.numpy()[:, :2]  # (n_frames, 2 flies, n_keypoints, 2)
    names = labels.skeletons[0].node_names
    parents = {child: names[parent] for parent, child in labels.skeletons[0].edge_inds}
    skeleton = Skeleton(names, [parents.get(i) for i in range(len(names))])
    frames = np.asarray(VideoFrames(folder / "flypair.mp4", n_channels=1))
    ends = [names.index("thorax"), names.index("abdomen")]
    aligner = EgocentricAligner(
        front="thorax", back="abdomen", box_size=BOX_SIZE, skeleton=skeleton
    )
    resizer = ImageResizer(image_size=(SIDE, SIDE))
    pool, test = [], []
    for fly in range(2):
        y = tracks[:, fly]
        seen = np.flatnonzero(~np.isnan(y[:, ends]).any(axis=(1, 2)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some legs reach out of the box
            batch = resizer.fit_transform(aligner.fit_transform(frames[seen], y[seen]))
        X, y = np.asarray(batch), batch.to_batch(y[seen])
        y[((y < -0.5) | (y > SIDE - 0.5)).any(axis=2)] = np.nan  # cut off by the box
        for part, where in ((pool, seen < 700), (test, (seen >= 740) & (seen % 4 == 0))):
            part.append((X[where], y[where]))
    pool, test = (
        [np.concatenate(arrays) for arrays in zip(*part, strict=True)] for part in (pool, test)
    )
    return pool, test, skeleton, BOX_SIZE / SIDE


def make_resting(seed=0):
    """As `read_flies`, for a synthetic animal that rests most of the time."""
    n_bouts, n_rest, n_moving, n_test = 12, 75, 150, 200
    animal = make_poses(
        n_bouts + n_moving + n_test,
        image_size=32,
        noise=0,
        return_bunch=True,
        random_state=1000 + seed,
    )
    bouts = np.array_split(np.arange(n_bouts, n_bouts + n_moving), n_bouts)
    order = [part for i, moving in enumerate(bouts) for part in (np.full(n_rest, i), moving)]
    rng = np.random.default_rng(seed)
    pool, test = (
        (add_noise(animal.images[index], rng), animal.keypoints[index])
        for index in (np.concatenate(order), np.arange(n_bouts + n_moving, len(animal.images)))
    )
    return pool, test, animal.skeleton, 1.0


def add_noise(images, rng):
    noisy = images + rng.normal(0, 3, images.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def small_network(inputs, n_outputs):
    """Maps at a quarter of the size, which see far; quick to compile and to train."""
    from keras import layers

    def convolve(x, n_filters, size=3, strides=1):
        settings = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
        return layers.Conv2D(n_filters, size, strides=strides, **settings)(x)

    x = convolve(layers.Rescaling(1 / 127.5, offset=-1)(inputs), 16, 5, 2)
    fine = convolve(x, 32, 3, 2)
    x = convolve(fine, 64, 3, 2)
    x = convolve(convolve(x, 96), 64)
    x = layers.Concatenate()([layers.UpSampling2D()(x), fine])
    return layers.Conv2D(n_outputs, 1)(convolve(convolve(x, 48, 1), 48))


def make_network(skeleton, data):
    rotation = 10 if data == "flies" else 180
    return PoseEstimator(
        CustomArchitecture(small_network, downsample_factor=2, divisor=8),
        skeleton=skeleton,
        targets=ConfidenceMaps(sigma=3.0),
        augmenter=Augmenter(fliplr=0, flipud=0, rotation=rotation, translation=0.03, p=0.2),
        learning_rate=LEARNING_RATE,
        batch_size=16,
        early_stopping=False,
    )


def falling_learning_rate(n_epochs):
    """Half a cosine: the last epochs change little, so that errors vary little by chance."""
    import keras

    return keras.callbacks.LearningRateScheduler(
        lambda epoch: LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * epoch / n_epochs))
    )


class Trial:
    """One seed: networks are trained once for each set of labelled frames."""

    def __init__(self, data, seed, n_steps):
        self.pool, self.test, skeleton, self.pixel_size = (
            read_flies() if data == "flies" else make_resting(seed)
        )
        self.network = make_network(skeleton, data)
        self.seed, self.n_steps, self.trained, self.longest_fit = seed, n_steps, {}, 0

    def train(self, index, member=0):
        key = (index.tobytes(), member)
        if key not in self.trained:
            index = np.tile(index, -(-EPOCH // len(index)))  # an epoch has a cost of its own
            n_epochs = round(self.n_steps / -(-len(index) // self.network.batch_size))
            estimator = clone(self.network).set_params(
                max_epochs=n_epochs,
                lr_patience=n_epochs,  # the schedule alone
                callbacks=[falling_learning_rate(n_epochs)],
                random_state=100 * self.seed + member,
            )
            start = time.perf_counter()
            self.trained[key] = estimator.fit(self.pool[0][index], self.pool[1][index])
            self.longest_fit = max(self.longest_fit, time.perf_counter() - start)
        return self.trained[key]

    def error(self, index):
        errors = keypoint_errors(self.test[1], self.train(index).predict(self.test[0]))
        return round(float(np.nanmean(errors)) * self.pixel_size, 3)

    def more(self, strategy, index):
        """Return the labelled frames and those that a chooser adds."""
        X, settings = self.pool[0], {"n_frames": N_MORE, "random_state": self.seed}
        settings["min_separation"] = SEPARATION
        if strategy in ("random", "kmeans"):
            sampler = RandomSampler if strategy == "random" else KMeansSampler
            new = sampler(**settings).select(X, exclude=index)
        elif strategy == "ensemble":
            members = [self.train(index, member) for member in range(3)]
            new = EnsembleSampler(members, **settings).select(X, exclude=index)
        else:
            sampler = ConfidenceSampler if strategy == "confidence" else AutoregressiveSampler
            new = sampler(self.train(index), **settings).select(X, exclude=index)
        return np.sort(np.concatenate([index, new]))

    def run(self, strategy):
        sampler = KMeansSampler if strategy == "kmeans" else RandomSampler
        sampler = sampler(N_START, min_separation=SEPARATION, random_state=self.seed)
        index = sampler.select(self.pool[0])
        errors = {str(len(index)): self.error(index)}
        index = self.more(strategy, index)
        errors[str(len(index))] = self.error(index)
        return errors


def summarize(runs):
    """Return means over seeds, and by how much errors are lower than with as many random frames."""
    summary = {}
    for strategy in STRATEGIES:
        mine = [run["errors"][strategy] for run in runs.values()]
        summary[strategy] = {"mean_px": {n: mean([errors[n] for errors in mine]) for n in mine[0]}}
        if strategy != "random":
            summary[strategy]["lower_than_random_percent"] = {
                n: gain_over_random(runs, strategy, n) for n in mine[0]
            }
    return summary


def gain_over_random(runs, strategy, n):
    """Return the mean over seeds and its standard error."""
    errors = [run["errors"] for run in runs.values()]
    gains = [100 * (1 - error[strategy][n] / error["random"][n]) for error in errors]
    spread = np.std(gains, ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.nan
    return {"mean": mean(gains, 1), "standard_error": round(float(np.nan_to_num(spread)), 1)}


def mean(values, n_digits=2):
    return round(float(np.mean(values)), n_digits)


class MadeFrames:
    """Frames of a spot that moves about, made when they are read."""

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, n_frames, side=256):
        self.shape = (n_frames, side, side, 1)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        numbers = np.arange(len(self))[key]
        frames = np.zeros((len(numbers), *self.shape[1:]), dtype=np.uint8)
        for frame, number in zip(frames, numbers, strict=True):
            x, y = (110 * (1 + np.sin(number / period)) for period in (37, 101))
            frame[int(y) : int(y) + 30, int(x) : int(x) + 30] = 200 + number % 50
        return frames


def measure_memory():
    """Return seconds and the growth of the resident memory, in MiB."""
    KMeansSampler(random_state=0).fit(MadeFrames(300))  # loads what is loaded once
    start_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {"image_size": [256, 256, 1]}
    for n_frames in (10_000, 100_000):
        start = time.perf_counter()
        KMeansSampler(100, random_state=0).select(MadeFrames(n_frames))
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        result[f"{n_frames}_frames"] = {
            "seconds": round(time.perf_counter() - start, 1),
            "peak_mib": round(peak_mib),
            "growth_mib": round(peak_mib - start_mib),
        }
    return result


def run_seeds(data, n_steps, n_seconds):
    """Add choosers and seeds, and write them down one by one."""
    start = time.perf_counter()
    path = RESULTS / f"sampling_{data}.json"
    part = json.loads(path.read_text())[data] if path.exists() else {"runs": {}}
    part["n_steps"] = n_steps
    while True:
        seed = sum(is_complete(run) for run in part["runs"].values())
        trial = Trial(data, seed, n_steps)
        part["n_frames"] = {"pool": len(trial.pool[0]), "test": len(trial.test[0])}
        part["mean_pose_px"] = mean_pose_error(trial)
        run = part["runs"].setdefault(str(seed), {"errors": {}})
        for strategy in [name for name in STRATEGIES if name not in run["errors"]]:
            if n_seconds - (time.perf_counter() - start) < 3 * trial.longest_fit:
                return
            run["errors"][strategy] = trial.run(strategy)
            seconds = time.perf_counter() - start
            print(
                f"seed {seed}, {seconds:.0f} s, {strategy}: {run['errors'][strategy]}", flush=True
            )
            complete = {i: one for i, one in part["runs"].items() if is_complete(one)}
            if complete:
                part["summary"] = summarize(complete)
            write_report(f"sampling_{data}", {data: part})


def is_complete(run):
    return set(run["errors"]) == set(STRATEGIES)


def mean_pose_error(trial):
    """What can be had without looking at the images."""
    errors = keypoint_errors(
        trial.test[1], MeanPoseRegressor().fit(*trial.pool).predict(trial.test[0])
    )
    return mean(errors[~np.isnan(errors)] * trial.pixel_size)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["flies", "resting", "memory"])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--steps", type=int, default=600)
    arguments = parser.parse_args()
    if arguments.what == "memory":
        write_report("sampling_memory", measure_memory())
    else:
        run_seeds(arguments.what, arguments.steps, arguments.seconds)


if __name__ == "__main__":
    main()
