"""DeepPoseKit and skpose in turn: the same images, the same network, the same sizes.

    SKPOSE_DATA=... python benchmarks/compare_deepposekit.py
    SKPOSE_DATA=... python benchmarks/compare_deepposekit.py --only peaks,maps --environment ~/dpk
    SKPOSE_DATA=... python benchmarks/compare_deepposekit.py --only train_deepposekit --minutes 45
    SKPOSE_DATA=... python benchmarks/compare_deepposekit.py --only time_to_error --minutes 30
    SKPOSE_DATA=... python benchmarks/compare_deepposekit.py --only stream --frames 100000

Images are the 100 fly frames of Graving et al. (2019), 192 x 192 pixels with 32 bodyparts; the
network is their Stacked DenseNet of 2 stacks and a growth rate of 48, with maps of 1/4 of the image
and the posture graph. DeepPoseKit 0.3.9 runs in an environment of its own, which the script makes.

Each measurement takes rounds in which the two work one after the other on the same input, after a
first call each that does not count. The ratio is that of each round's two times; medians and
quartiles over the rounds are given. What is measured is merged into
``results/compare_deepposekit.json``, so it can be done in pieces.
"""

import argparse
import json
import os
from pathlib import Path
import subprocess
import sys
from tempfile import TemporaryDirectory
import time

from _environments import find_python
from _report import RESULTS, describe_machine
from _rows import merge_rows, read_rows
from _workers import Worker, describe, take_turns, write_data
from accuracy import read_fly
import numpy as np

REPORT = "compare_deepposekit"
TRAINING = RESULTS / "deepposekit_training.json"
N_EPOCHS = 100  # of DeepPoseKit's training
PEAKS = ((48, 1.25), (96, 2.5), (24, 0.625))  # side of the maps and sigma, in cells


class Comparison:
    """The two workers, the data that both read, and where rows go."""

    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.python = {
            "ours": sys.executable,
            "theirs": find_python("deepposekit", arguments.environment),
        }
        self.data = folder / "fly.npz"
        X, y, skeleton, test_size = read_fly(Path(os.environ["SKPOSE_DATA"]))
        write_data(self.data, X, y, skeleton, test_size)
        self._workers = {}

    def start(self, side):
        """Start a worker."""
        script = {"ours": "skpose_worker.py", "theirs": "deepposekit_worker.py"}[side]
        return Worker(self.python[side], script)

    def worker(self, side):
        """Return the worker of a side, which has the networks."""
        if side not in self._workers:
            worker = self._workers[side] = self.start(side)
            networks = {"networks": self.networks} if side == "ours" else {}
            worker.ask("setup", data=self.data, **networks)
        return self._workers[side]

    @property
    def networks(self):
        """Names of the estimators that our worker needs."""
        names = ["paper"]
        if {"predict", "training"} & set(self.arguments.only):
            names += ["paper:mixed_bfloat16", "default"]
        return names

    def ask(self, side, action, **arguments):
        """Have a side do something."""
        return self.worker(side).ask(action, **arguments)

    def close(self):
        """End the workers."""
        while self._workers:
            self._workers.popitem()[1].close()


def write_turns(name, pairs, *, unit, factor=1, at_least=None, more_is_better=False, **extra):
    """Write a row: what both took, and how many times faster we are."""
    ours, theirs = pairs[:, 0], pairs[:, 1]
    ratio = ours / theirs if more_is_better else theirs / ours
    row = {
        "unit": unit,
        "ours": describe(ours * factor),
        "deepposekit": describe(theirs * factor),
        "ratio": describe(ratio),
        "rounds": len(pairs),
        "measured": time.strftime("%Y-%m-%d %H:%M"),
        **extra,
    }
    if at_least is not None:
        row["ratio_at_least"] = at_least
    merge_rows(REPORT, "rows", {name: row})


def compare_maps(comparison):
    """Confidence maps with the posture graph, a batch of 16."""
    for row, layer in (("maps", False), ("maps, by the public layer", True)):
        pairs = take_turns(
            comparison.arguments.rounds,
            lambda layer=layer: comparison.ask("ours", "maps", repeats=20, layer=layer),
            lambda: comparison.ask("theirs", "maps"),
        )
        write_turns(row, pairs, unit="ms an image", factor=1000, at_least=300)


def compare_augmentation(comparison):
    """Both mirrors, rotation, scale and translation, then the maps; a batch of 16."""
    pairs = take_turns(
        comparison.arguments.rounds,
        lambda: comparison.ask("ours", "augment_and_draw", repeats=10),
        lambda: comparison.ask("theirs", "augment_and_draw"),
    )
    write_turns("augmentation_and_maps", pairs, unit="ms an image", factor=1000, at_least=30)


def compare_peaks(comparison):
    """Subpixel peaks, 32 images of 32 maps, and their errors in cells."""
    for side, sigma in PEAKS:
        paths, peaks = write_peaks(comparison.folder, side, sigma)
        errors = {}
        for who in ("ours", "theirs"):
            for noise, path in paths.items():
                out = comparison.folder / "found.npy"
                comparison.ask(who, "peaks", path=path, sigma=sigma, out=out)
                distance = np.linalg.norm(np.load(out) - peaks, axis=-1)
                errors.setdefault(who, {})[f"noise {noise:g}"] = float(f"{distance.mean():.3g}")
        request = {"action": "peaks", "path": paths[0.05], "sigma": sigma}
        pairs = take_turns(
            comparison.arguments.rounds,
            lambda request=request: comparison.ask("ours", repeats=10, **request),
            lambda request=request: comparison.ask("theirs", **request),
        )
        write_turns(
            f"peaks {side} x {side}, sigma {sigma:g}",
            pairs,
            unit="ms an image",
            factor=1000,
            at_least=50,
            mean_error_cells={"ours": errors["ours"], "deepposekit": errors["theirs"]},
        )


def write_peaks(folder, side, sigma, n_images=32, n_maps=32):
    """Write maps of Gaussians at random places, plain and with noise; gives their places."""
    rng = np.random.default_rng(0)
    margin = 4 * sigma
    peaks = rng.uniform(margin, side - 1 - margin, (n_images, n_maps, 2))
    cells = np.arange(side)
    across = np.exp(-0.5 * ((cells[:, None] - peaks[:, None, :, 0]) / sigma) ** 2)
    down = np.exp(-0.5 * ((cells[:, None] - peaks[:, None, :, 1]) / sigma) ** 2)
    maps = down[:, :, None] * across[:, None]
    paths = {}
    for noise in (0, 0.05):
        paths[noise] = folder / f"peaks_{side}_{noise}.npy"
        np.save(paths[noise], (maps + noise * rng.normal(size=maps.shape)).astype(np.float32))
    return paths, peaks


def compare_training(comparison):
    """Images a second of `fit`, augmentation and maps included, each in its own batches."""
    networks = {
        "training, float32": ("paper", 2.5),
        "training, mixed_bfloat16": ("paper:mixed_bfloat16", 3.5),
        "training, our default network": ("default", None),
    }
    # No round to warm up: each call leaves out its first epoch.
    rounds = []
    for _ in range(max(3, comparison.arguments.rounds // 3)):
        ours = [comparison.ask("ours", "train_rate", network=name) for name, _ in networks.values()]
        rounds.append([*map(np.median, ours), np.median(comparison.ask("theirs", "train_rate"))])
    rates = np.array(rounds)
    for i, (row, (_, at_least)) in enumerate(networks.items()):
        pairs = rates[:, [i, -1]]
        write_turns(row, pairs, unit="images/s", more_is_better=True, at_least=at_least)


def compare_prediction(comparison):
    """Images to keypoints, 100 images in a call and one image in a call."""
    ours = {
        (network, engine): f"{which}{'' if engine is None else ', exported to ' + engine}"
        for network, which in (("paper", ""), ("default", ", our default network"))
        for engine in (None, "onnxruntime", "openvino", "openvino:bfloat16")
    }
    ours["paper:mixed_bfloat16", None] = ", mixed_bfloat16"
    for batch_size, n_images in ((100, 100), (1, 20)):
        request = {"action": "predict", "batch_size": batch_size, "n_images": n_images}
        rounds = []
        for _ in range(1 + comparison.arguments.rounds):
            times = [
                comparison.ask("ours", network=network, engine=engine, **request)
                for network, engine in ours
            ]
            rounds.append([*times, comparison.ask("theirs", **request)])
        rounds = np.array(rounds[1:])  # the first warms up
        for i, ((network, engine), which) in enumerate(ours.items()):
            write_turns(
                f"prediction, batch {batch_size}{which}",
                rounds[:, [i, -1]],
                unit="ms an image",
                factor=1000,
                at_least=2.5 if (network, engine) == ("paper", None) else None,
            )


def compare_start(comparison):
    """Seconds to import the package, and from nothing to the keypoints of one image."""
    frame = comparison.folder / "frame.npy"
    np.save(frame, np.load(comparison.data)["images"][:1])
    models = {
        "ours": comparison.folder / "ours.h5",
        "ours, exported": comparison.folder / "ours.onnx",
        "theirs": comparison.folder / "theirs.h5",
    }
    names = {"ours": "skpose", "theirs": "deepposekit"}
    for name, path in models.items():
        comparison.ask(name.partition(",")[0], "save", path=path)

    def do_import(side):
        start = time.perf_counter()
        command = [comparison.python[side], "-c", f"import {names[side]}"]
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - start

    def do_predict(name):
        start = time.perf_counter()
        with comparison.start(name.partition(",")[0]) as worker:
            worker.ask("load_and_predict", path=models[name], image=frame)
            return time.perf_counter() - start

    rounds = max(3, comparison.arguments.rounds // 2)
    for row, function, ours in (
        ("import", do_import, "ours"),
        ("start to first prediction", do_predict, "ours"),
        ("start to first prediction, exported", do_predict, "ours, exported"),
    ):
        pairs = take_turns(
            rounds, lambda f=function, name=ours: f(name), lambda f=function: f("theirs")
        )
        write_turns(row, pairs, unit="s")


def measure_stream(comparison):
    """Our resident memory while a long stream of frames is predicted, in a fresh process."""
    network = comparison.arguments.network
    with comparison.start("ours") as worker:
        worker.ask("setup", data=comparison.data, networks=[network])
        result = worker.ask("stream", n_frames=comparison.arguments.frames, network=network)
    memory = [mib for _, mib in result["memory_mib"]]
    n_late = len(memory) // 2
    row = {
        "unit": "MiB resident",
        "network": network,
        "frames": comparison.arguments.frames,
        "images_s": round(result["images_s"], 1),
        "peak": max(memory),
        "growth_in_second_half": round(memory[-1] - memory[n_late], 1),
        "peak_at_most": 1536,
        "measured": time.strftime("%Y-%m-%d %H:%M"),
        "memory_mib": result["memory_mib"],
    }
    merge_rows(REPORT, "rows", {f"stream, {network} network": row})


def train_deepposekit(comparison):
    """DeepPoseKit's own training of 100 epochs, which goes on where the last call stopped."""
    state = RESULTS / "checkpoints" / "deepposekit"
    epochs = comparison.ask(
        "theirs",
        "train",
        folder=comparison.arguments.checkpoint or state,
        max_epochs=N_EPOCHS,
        lr_schedule="plateau",
        max_seconds=60 * comparison.arguments.minutes,
        quick=comparison.arguments.quick,
    )
    write_training(epochs)


def write_training(epochs):
    """Write DeepPoseKit's errors by epoch and how long these take, keeping a known error."""
    known = json.loads(TRAINING.read_text()) if TRAINING.exists() else {}
    timed = [epoch["seconds"] for epoch in epochs[1:] if epoch["seconds"] is not None]
    best = min(range(len(epochs)), key=lambda i: epochs[i]["mean_px"])
    error = known.get("error_to_reach")
    if len(epochs) >= N_EPOCHS or error is None:
        source = f"the best of {len(epochs)} epochs of this training"
        error = {"epochs": len(epochs), "best_epoch": best + 1, "source": source}
        error |= {name: epochs[best][name] for name in ("mean_px", "median_px", "p95_px")}
    report = {
        "machine": describe_machine(),
        "network": "Stacked DenseNet, 2 stacks, growth rate 48, 66 maps of 48 x 48",
        "data": "fly, 90 frames to train on, 10 watched",
        "error_to_reach": error,
        "seconds_an_epoch": describe(timed),
        "epochs_timed": len(timed),
        "minutes_of_100_epochs": round(N_EPOCHS * float(np.median(timed)) / 60, 1),
        "by_epoch": epochs,
    }
    TRAINING.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps({key: value for key, value in report.items() if key != "by_epoch"}, indent=2))


def measure_time_to_error(comparison):
    """Our time to the error that DeepPoseKit has after 100 epochs, and its own for these.

    The error is that of its whole training, on whatever machine that ran; the time is that of 100
    epochs at the speed of the fastest of some epochs of this run.
    """
    goal = json.loads(TRAINING.read_text())["error_to_reach"]
    rates = comparison.ask("theirs", "train_rate", n_epochs=5)
    with np.load(comparison.data) as data:
        their_seconds = N_EPOCHS * len(data["train"]) / max(rates)
    comparison.close()  # it would take memory and threads from ours
    network = comparison.arguments.network
    with comparison.start("ours") as worker:
        worker.ask("setup", data=comparison.data, networks=[])
        result = worker.ask(
            "train",
            minutes=comparison.arguments.minutes,
            network=network,
            stop_below=goal["mean_px"],
        )
    seconds, error = result["epochs"][-1]
    row = {
        "network": network,
        "error_to_reach_px": goal["mean_px"],
        "source_of_that_error": goal["source"],
        "deepposekit_seconds_of_100_epochs": round(their_seconds, 1),
        "reached": error <= goal["mean_px"],
        "our_seconds": seconds,
        "our_epochs": len(result["epochs"]),
        "our_best_px": min(e for _, e in result["epochs"]),
        "ratio": None,
        "ratio_at_least": 4,
        "by_epoch": result["epochs"],
        "measured": time.strftime("%Y-%m-%d %H:%M"),
    }
    if row["reached"]:
        row["ratio"] = round(their_seconds / seconds, 2)
    merge_rows(REPORT, "rows", {f"time to DeepPoseKit's error, {network} network": row})


QUICK = {
    "maps": compare_maps,
    "peaks": compare_peaks,
    "augmentation": compare_augmentation,
    "predict": compare_prediction,
    "training": compare_training,
    "start": compare_start,
}
LONG = {
    "stream": measure_stream,
    "train_deepposekit": train_deepposekit,
    "time_to_error": measure_time_to_error,
}


def print_table():
    """Print the rows that both have."""
    print(f"\n{'':86}{'ours':>10}{'DeepPoseKit':>13}{'ratio':>9}  quartiles")
    for name, row in read_rows(REPORT, "rows").items():
        if "deepposekit" not in row:
            continue
        low, high = row["ratio"]["quartiles"]
        print(
            f"{name + ', ' + row['unit']:86}{row['ours']['median']:>10.4g}"
            f"{row['deepposekit']['median']:>13.4g}{row['ratio']['median']:>9.3g}"
            f"  {low:.3g} to {high:.3g}"
        )


def main():
    rows = {**QUICK, **LONG}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(QUICK), help=f"of {', '.join(rows)}")
    parser.add_argument("--environment", help="a virtual environment that has DeepPoseKit")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--frames", type=int, default=100_000, help="of the stream")
    parser.add_argument("--network", default="default", help="of the stream and time_to_error")
    parser.add_argument("--minutes", type=float, default=45, help="to train at most")
    parser.add_argument("--checkpoint", help="folder that DeepPoseKit's training goes on from")
    parser.add_argument(
        "--quick", action="store_true", help="draw DeepPoseKit's maps faster; its epochs not timed"
    )
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    unknown = set(arguments.only) - set(rows)
    if unknown:
        parser.error(f"no row is called {', '.join(sorted(unknown))}; rows are {', '.join(rows)}")
    with TemporaryDirectory() as folder:
        comparison = Comparison(arguments, Path(folder))
        try:
            for name in arguments.only:
                rows[name](comparison)
        finally:
            comparison.close()
    print_table()


if __name__ == "__main__":
    main()
