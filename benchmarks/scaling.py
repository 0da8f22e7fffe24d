"""How cost grows: with the size of images, keypoints, batches, frames, and data out of memory.

    python benchmarks/scaling.py --parts size,keypoints
    python benchmarks/scaling.py --parts batch,lazy
    python benchmarks/scaling.py --parts stream
    python benchmarks/scaling.py --parts single

``size`` and ``keypoints`` time prediction and training for images of 96 to 512 pixels with 16
keypoints, and for 4 to 64 keypoints in images of 192 pixels. ``batch`` times prediction by the
number of images in a call and in a batch. ``lazy`` trains on images in memory and in files, in
turn; files are dropped from the system's cache before each epoch, so they are read from the disk.
``stream`` predicts 100,000 frames of 96 pixels in one call, from an array that makes them when they
are read, and ``single`` 10,000 of them frame by frame, and both watch the resident memory.

The network is the default one unless ``--network`` names another. Images are synthetic; what the
network has learnt does not matter for its speed. Results are merged into ``results/scaling.json``.
"""

import argparse
from contextlib import suppress
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from _figures import draw_scaling
from _processes import peak_memory, resident_memory, run_alone, time_calls
from _rows import merge_rows, read_rows
from networks import NETWORKS, make_timer
import numpy as np

from skpose import PoseEstimator
from skpose.datasets import HDF5Images, ImageFiles, make_poses
from skpose.models import get_architecture

SIDES = (96, 128, 192, 256, 384, 512)
NUMBERS_OF_KEYPOINTS = (4, 8, 16, 32, 64)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
NUMBERS_OF_FRAMES = (1, 3, 10, 32, 100, 320, 1000)
N_STREAM, N_SINGLE, STREAM_SIDE = 100_000, 10_000, 96
N_LAZY, LAZY_SIDE, N_ROUNDS = 240, 192, 3


def make_images(n_samples, side, n_keypoints, seed=0):
    """Return smooth random images and keypoints anywhere in them."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n_samples, side // 4, side // 4, 1), dtype=np.uint8)
    X = coarse.repeat(4, axis=1).repeat(4, axis=2)
    X += rng.integers(0, 16, X.shape, dtype=np.uint8)
    return X, rng.uniform(0, side - 1, (n_samples, n_keypoints, 2))


def fit_briefly(network, X, y, **params):
    """Return an estimator that is ready to predict, and the seconds of its training steps."""
    timer = make_timer(n_steps=4, seconds=8)
    estimator = PoseEstimator(
        NETWORKS[network][1] if network in NETWORKS else get_architecture(network),
        batch_size=16,
        early_stopping=False,
        callbacks=[timer],
        random_state=0,
        **params,
    )
    return estimator.fit(X, y).set_params(callbacks=None), np.array(timer.times)


def measure_configuration(network, side, n_keypoints):
    """Time prediction and training for images of one size with so many keypoints."""
    X, y = make_images(80, side, n_keypoints)
    estimator, steps = fit_briefly(network, X, y)
    n = 16 if side > 256 else 32
    single = time_calls({"one": lambda: estimator.predict(X[:1])}, seconds=1.5)["one"]
    whole = time_calls({"all": lambda: estimator.predict(X[:n])}, seconds=2.5, n_rounds=5)["all"]
    return {
        "batch_1_ms": round(1000 * float(np.median(single)), 2),
        "predict_images_s": round(n / float(np.median(whole)), 1),
        "training_images_s": round(16 / float(np.median(steps)), 1),
        "peak_mib": round(peak_memory()),
    }


def measure_batches(network):
    """Time prediction by the images in a batch, and by those in a call."""
    X, y = make_images(max(NUMBERS_OF_FRAMES), 192, 16)
    estimator, _ = fit_briefly(network, X[:80], y[:80])
    n = max(BATCHES)
    batches = {
        b: (lambda b=b: estimator.predict(X[: min(n, 16 * b)], batch_size=b)) for b in BATCHES
    }
    frames = {n: (lambda n=n: estimator.predict(X[:n])) for n in NUMBERS_OF_FRAMES}
    per_batch = time_calls(batches, seconds=15, n_rounds=5)
    per_call = time_calls(frames, seconds=15, n_rounds=5)
    return {
        "images_s_by_batch_size": {
            str(b): round(min(n, 16 * b) / float(np.median(times)), 1)
            for b, times in per_batch.items()
        },
        "images_s_by_frames_in_a_call": {
            str(n): round(n / float(np.median(times)), 1) for n, times in per_call.items()
        },
    }


def write_lazily(X, folder):
    """Write images in several ways; give what opens each, and the files of each."""
    import cv2
    import h5py

    np.save(folder / "images.npy", X)
    with h5py.File(folder / "plain.h5", "w") as file:
        file["images"] = X
    with h5py.File(folder / "packed.h5", "w") as file:
        file.create_dataset("images", data=X, chunks=(1, *X.shape[1:]), compression="gzip")
    paths = [folder / f"{i:06d}.png" for i in range(len(X))]
    for path, image in zip(paths, X, strict=True):
        cv2.imwrite(str(path), image)
    ways = {
        "memmap": (lambda: np.load(folder / "images.npy", mmap_mode="r"), ["images.npy"]),
        "h5py.Dataset": (lambda: h5py.File(folder / "plain.h5", "r")["images"], ["plain.h5"]),
        "HDF5Images": (lambda: HDF5Images(folder / "plain.h5"), ["plain.h5"]),
        "HDF5Images, gzip": (lambda: HDF5Images(folder / "packed.h5"), ["packed.h5"]),
        "ImageFiles, PNG": (lambda: ImageFiles(paths), [path.name for path in paths]),
    }
    return {name: (open_, [folder / f for f in files]) for name, (open_, files) in ways.items()}


def drop_from_cache(paths):
    """Have the system forget files, so that they are read from the disk again."""
    for path in paths:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure_lazy(network):
    """Train an epoch on images in memory and from files, in turn, and compare."""
    n_base = 64
    base, base_y = make_poses(n_base, LAZY_SIDE, random_state=0)
    index = np.arange(N_LAZY)
    X, y = base[index % n_base] + (index // n_base).astype(np.uint8)[:, None, None, None], base_y
    y = y[index % n_base]
    estimator, _ = fit_briefly(network, X[:80], y[:80])
    with TemporaryDirectory() as folder:
        ways = {"in memory": (lambda: X, [])} | write_lazily(X, Path(folder))
        times = {name: [] for name in ways}
        reading = {}
        estimator.partial_fit(X[:80], y[:80])
        for _ in range(N_ROUNDS):
            for name, (open_images, paths) in ways.items():
                drop_from_cache(paths)
                images = open_images()
                start = perf_counter()
                estimator.partial_fit(images, y)
                times[name].append(perf_counter() - start)
        for name, (open_images, paths) in ways.items():
            drop_from_cache(paths)
            images = open_images()
            start = perf_counter()
            for batch in index.reshape(-1, 16):
                np.asarray(images[batch])
            reading[name] = (perf_counter() - start) / N_LAZY
    return _compare_lazy({name: np.array(t) for name, t in times.items()}, reading)


def _compare_lazy(times, reading):
    rows = {}
    for name, values in times.items():
        losses = 100 * (1 - times["in memory"] / values)
        rows[name] = {
            "training_images_s": round(N_LAZY / float(np.median(values)), 1),
            "loss_percent": round(float(np.median(losses)), 1),
            "loss_percent_of_rounds": [round(float(loss), 1) for loss in losses],
            "reading_ms_an_image": round(1000 * reading[name], 3),
        }
    return rows


class OutOfTimeError(Exception):
    """The time for a measurement is over."""


class Stream:
    """Frames that are made when they are read; notes the memory then."""

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, n_samples, side, every, seconds=float("inf")):
        self._base, _ = make_poses(64, side, random_state=0)
        self.shape = (n_samples, *self._base.shape[1:])
        self._every, self._seconds = every, seconds
        self.n_read, self._start = 0, perf_counter()
        self.samples = []  # (frames read, MiB, seconds)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        index = np.arange(len(self))[key]
        if perf_counter() - self._start > self._seconds:
            raise OutOfTimeError
        before, self.n_read = self.n_read, self.n_read + index.size
        if before // self._every < self.n_read // self._every:
            sample = self.n_read, resident_memory(), perf_counter() - self._start
            self.samples.append([round(value, 2) for value in sample])
        brighter = (index // 64 % 32).astype(np.uint8)
        return self._base[index % 64] + brighter[..., None, None, None]


def measure_stream(network, n_frames, is_single, limit):
    """Predict frames of a stream in one call, or one at a time, and watch the memory.

    After `limit` seconds it stops where it is.
    """
    X, y = make_poses(32, STREAM_SIDE, random_state=0)
    estimator, _ = fit_briefly(network, X, y)
    estimator.predict(X[:1] if is_single else X)
    stream = Stream(n_frames, STREAM_SIDE, n_frames // 100, limit)
    before = resident_memory()
    start = perf_counter()
    with suppress(OutOfTimeError):
        if is_single:
            for i in range(n_frames):
                estimator.predict(stream[[i]])
        else:
            estimator.predict(stream)
    seconds = perf_counter() - start
    memory = np.array([mib for _, mib, _ in stream.samples])
    tenth = len(memory) // 10
    return {
        "frames": stream.n_read,
        "side": STREAM_SIDE,
        "frames_s": round(stream.n_read / seconds, 1),
        "before_mib": round(before),
        "median_of_second_tenth_mib": round(float(np.median(memory[tenth : 2 * tenth]))),
        "median_of_last_tenth_mib": round(float(np.median(memory[-tenth:]))),
        "peak_mib": round(peak_memory()),
        "result_mib": round(0 if is_single else n_frames * y.shape[1] * 3 * 8 / 2**20),
        "samples": stream.samples,
    }


def measure(part, network, limit):
    """Measure a part, and write it down as it goes."""
    if part == "size":
        for side in SIDES:
            row = run_alone(measure_configuration, network, side, 16)
            merge_rows("scaling", "size", {str(side): row})
    elif part == "keypoints":
        for n in NUMBERS_OF_KEYPOINTS:
            row = run_alone(measure_configuration, network, 192, n)
            merge_rows("scaling", "keypoints", {str(n): row})
    elif part == "batch":
        merge_rows("scaling", "batch", run_alone(measure_batches, network))
    elif part == "lazy":
        merge_rows("scaling", "lazy", run_alone(measure_lazy, network))
    else:
        n_frames = N_SINGLE if part == "single" else N_STREAM
        row = run_alone(measure_stream, network, n_frames, part == "single", limit)
        merge_rows("scaling", "stream", {part: row})
    merge_rows("scaling", "network", {part: {"name": network}})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="size,keypoints,batch,lazy,stream,single")
    parser.add_argument("--network", default=PoseEstimator().model)
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="the most for each stream"
    )
    arguments = parser.parse_args()
    for part in filter(None, arguments.parts.split(",")):
        measure(part, arguments.network, arguments.seconds)
    groups = ("size", "keypoints", "batch", "stream")
    draw_scaling({group: read_rows("scaling", group) for group in groups})


if __name__ == "__main__":
    main()
