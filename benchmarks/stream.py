"""Delay of poses in real time: from the moment that a frame is due until its keypoints are known.

    python benchmarks/stream.py
    python benchmarks/stream.py --exported onnxruntime --name stream_exported
    python benchmarks/stream.py --model leap --rates 30 60 100 200 --seconds 30

Frames of a drawn animal are played to `PoseStream` at several rates; only the latest one waits
while another is predicted. The network is trained for one epoch, which is enough: its delay does
not depend on its weights. ``alone`` is how long predictions take one after the other, without a
stream. ``--exported`` runs what `PoseEstimator.export` wrote by one of its engines.
"""

import argparse
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
import time

from _report import write_report
import numpy as np

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.runtime import ExportedPoseEstimator
from skpose.video_poses import PoseStream


def fit(arguments):
    """Return an estimator, and other frames than those that it was fitted to."""
    mice = make_poses(48, arguments.image_size, random_state=0, return_bunch=True)
    options = {} if arguments.model is None else {"model": arguments.model}
    estimator = PoseEstimator(
        skeleton=mice.skeleton,
        augmenter=None,
        early_stopping=False,
        max_epochs=1,
        random_state=0,
        **options,
    )
    return estimator.fit(mice.images[:16], mice.keypoints[:16]), mice.images[16:]


def export(estimator, engine):
    """Return an estimator as its file is run by an engine."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        estimator.export(path, overwrite=True)
        return ExportedPoseEstimator(path, engine=engine).fit()


def time_alone(estimator, frames, seconds):
    """Return the milliseconds of predictions that follow each other without a pause."""
    estimator.predict(frames[:1], return_confidence=True)
    times = [time.perf_counter()]
    for frame in cycle(frames):
        estimator.predict(frame[np.newaxis], return_confidence=True)
        times.append(time.perf_counter())
        if times[-1] - times[0] > seconds:
            return 1000 * np.diff(times)


def time_stream(estimator, frames, rate, seconds):
    """Return what happens to frames that come at a rate."""
    played = islice(cycle(frames), max(round(rate * seconds), 2))
    stream = PoseStream(estimator, played, frame_rate=rate)
    poses = [(pose.captured_at, pose.latency) for pose in stream]
    captured, latency = np.array(poses).T
    duration = captured[-1] + latency[-1] - captured[0]
    return {
        "frames_per_s": rate,
        "predicted_per_s": round(len(poses) / duration, 1),
        "dropped_share": round(stream.n_dropped / stream.n_grabbed, 4),
        "latency_ms": describe(1000 * latency),
    }


def describe(milliseconds):
    """Return the middle and the far end of a distribution."""
    median, p95, p99 = np.percentile(milliseconds, [50, 95, 99])
    figures = {"median": median, "p95": p95, "p99": p99, "max": np.max(milliseconds)}
    return {name: round(float(value), 2) for name, value in figures.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="name of a network; without it, PoseEstimator's default")
    parser.add_argument("--exported", help="onnxruntime or openvino; without it, TensorFlow")
    parser.add_argument("--image-size", type=int, default=192)
    parser.add_argument("--rates", type=float, nargs="+", default=[30, 60, 100])
    parser.add_argument("--seconds", type=float, default=20, help="of each rate")
    parser.add_argument("--name", default="stream", help="of the result's file")
    arguments = parser.parse_args()
    estimator, frames = fit(arguments)
    network = {
        "network": str(estimator.model),
        "parameters": estimator.model_.count_params(),
        "n_keypoints": estimator.n_keypoints_,
    }
    if arguments.exported:
        estimator = export(estimator, arguments.exported)
    write_report(
        arguments.name,
        {
            "settings": vars(arguments),
            **network,
            "alone_ms": describe(time_alone(estimator, frames, min(arguments.seconds, 10))),
            "streams": [
                time_stream(estimator, frames, rate, arguments.seconds) for rate in arguments.rates
            ],
        },
    )


if __name__ == "__main__":
    main()
