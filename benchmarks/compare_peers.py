"""sleap-nn, DeepLabCut 3 and skpose on the CPU: speed, size, and error after equal training.

    SKPOSE_DATA=... python benchmarks/compare_peers.py
    SKPOSE_DATA=... python benchmarks/compare_peers.py --what error --minutes 4
    SKPOSE_DATA=... python benchmarks/compare_peers.py --networks rtmpose_s,resnet_50 --rounds 5

Images are the 116 frames of a mouse in an open field of DeepLabCut's example project, reduced to
320 x 240 pixels and grey, with 4 bodyparts; a twentieth is kept back. Each package runs in an
environment of its own, which the script makes (``--sleap-nn-environment``,
``--deeplabcut-environment`` name existing ones), with its own networks, targets, losses,
optimizers, batch sizes, augmentation and way from maps to keypoints; `workers/` says where a
default was changed, which is done in the peer's favour. Networks start from random weights, or with
``--pretrained`` from ImageNet's, where they can be downloaded.

``speed`` takes rounds in which our default network and a peer's work one after the other on the
same images. ``error`` trains each for the same time, its first step and the watching of the frames
kept back included, and gives the best error of all epochs on these, in pixels of 320 x 240. What is
measured is merged into ``results/compare_peers.json``.
"""

import argparse
import os
from pathlib import Path
import sys
from tempfile import TemporaryDirectory
import time

from _environments import EnvironmentFailure, find_python
from _rows import merge_rows, read_rows
from _workers import Worker, describe, take_turns, write_data
from accuracy import read_openfield
import numpy as np

REPORT = "compare_peers"
OURS = ("default",)
PEERS = {
    "unet_medium_rf": "sleap-nn",
    "unet_large_rf": "sleap-nn",
    "resnet_50": "deeplabcut",
    "cspnext_s": "deeplabcut",
    "rtmpose_s": "deeplabcut",
}
SCRIPTS = {"sleap-nn": "sleapnn_worker.py", "deeplabcut": "deeplabcut_worker.py"}
BATCHES = {1: 16, 64: 64}  # images in a call, and images in a round
# PyTorch on the CPU gives every large array back to the system and asks for it anew: without this
# its batches take up to 2.7 times as long.
MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
}


class Peers:
    """Starts the workers, on the same data."""

    def __init__(self, arguments, folder):
        self.arguments, self.data = arguments, folder / "openfield.npz"
        batch, y, skeleton, test_size = read_openfield(Path(os.environ["SKPOSE_DATA"]))
        write_data(self.data, np.asarray(batch), batch.to_batch(y), skeleton, test_size)
        self._pythons = {}

    def start(self, network):
        """Start a worker and build its network; gives the worker, and what it says of it."""
        if network not in PEERS:
            worker = Worker(sys.executable, "skpose_worker.py")
            built = worker.ask("setup", data=self.data, networks=[network])
            return worker, {"package": "skpose", "parameters": built["parameters"][network]}
        package = PEERS[network]
        worker = Worker(self._python(package), SCRIPTS[package], MALLOC)
        built = worker.ask(
            "setup", data=self.data, network=network, pretrained=self.arguments.pretrained
        )
        return worker, {"package": package, "pretrained": self.arguments.pretrained, **built}

    def _python(self, package):
        if package not in self._pythons:
            environment = getattr(self.arguments, f"{package.replace('-', '_')}_environment")
            self._pythons[package] = find_python(package, environment)
        return self._pythons[package]


def compare_speed(peers, ours, worker):
    """Frames a second from uint8 to keypoints, by batch size."""
    row = {}
    for batch_size, n_images in BATCHES.items():
        request = {"action": "predict", "batch_size": batch_size, "n_images": n_images}
        times = take_turns(
            peers.arguments.rounds,
            lambda request=request: ours.ask(network="default", **request),
            lambda request=request: worker.ask(**request),
        )
        row[f"batch {batch_size}"] = {
            "images_s": describe(1 / times[:, 1]),
            "ms_an_image": describe(1000 * times[:, 1]),
            "our_images_s": describe(1 / times[:, 0]),
            "our_ms_an_image": describe(1000 * times[:, 0]),
            "ratio": describe(times[:, 1] / times[:, 0]),
        }
    return row


def measure_speed(peers, networks):
    """Compare our default network with each of the others in turn."""
    ours, built = peers.start("default")
    with ours:
        merge_rows(REPORT, "speed", {"default": {**built, "measured": now()}})
        for network in networks:
            if network not in PEERS:
                continue
            try:
                worker, built = peers.start(network)
            except EnvironmentFailure as failure:
                print(f"{PEERS[network]} cannot be had here: {failure}")
                merge_rows(REPORT, "speed", {network: {"failed": str(failure)}})
                continue
            with worker:
                row = {**built, **compare_speed(peers, ours, worker), "measured": now()}
                merge_rows(REPORT, "speed", {network: row})


def measure_error(peers, networks):
    """Train each for the same time, one after the other."""
    for network in networks:
        try:
            worker, built = peers.start(network)
        except EnvironmentFailure as failure:
            print(f"{PEERS[network]} cannot be had here: {failure}")
            continue
        with worker:
            request = {} if network in PEERS else {"network": network}
            result = worker.ask("train", minutes=peers.arguments.minutes, **request)
        errors = [error for _, error in result["epochs"]]
        best = int(np.argmin(errors))
        row = {
            **built,
            "minutes": peers.arguments.minutes,
            "best_px": errors[best],
            "best_after_s": result["epochs"][best][0],
            "last_px": errors[-1],
            "median_of_last_fifth_px": float(np.median(errors[-max(1, len(errors) // 5) :])),
            "n_epochs": len(errors),
            "n_steps": result["n_steps"],
            "by_epoch": result["epochs"],
            "measured": now(),
        }
        merge_rows(REPORT, f"error after {peers.arguments.minutes:g} minutes", {network: row})


def now():
    """Return the date and time of a measurement."""
    return time.strftime("%Y-%m-%d %H:%M")


def print_tables(minutes):
    """Print what has been measured."""
    print(f"\n{'':16}{'package':12}{'M parameters':>13}{'batch 1':>10}{'ratio':>7}", end="")
    print(f"{'batch 64':>10}{'ratio':>7}   (images/s; how many times faster ours is)")
    for network, row in read_rows(REPORT, "speed").items():
        if "batch 1" not in row:
            continue
        print(f"{network:16}{row['package']:12}{row['parameters'] / 1e6:>13.2f}", end="")
        for name in ("batch 1", "batch 64"):
            figures = row[name]
            print(f"{figures['images_s']['median']:>10.4g}", end="")
            print(f"{figures['ratio']['median']:>7.3g}", end="")
        print()
    for network, row in read_rows(REPORT, f"error after {minutes:g} minutes").items():
        print(f"{network:16}{row['best_px']:8.2f} px best, {row['last_px']:.2f} px at the end")


def main():
    names = (*OURS, *PEERS)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--what", default="speed,error", help="speed, error or both")
    parser.add_argument("--networks", default=",".join(names), help=f"of {', '.join(names)}")
    parser.add_argument("--minutes", type=float, default=4.0, help="of training")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pretrained", action="store_true", help="start from ImageNet's weights")
    for package in SCRIPTS:
        parser.add_argument(f"--{package}-environment", help=f"one that has {package}")
    arguments = parser.parse_args()
    networks = arguments.networks.split(",")
    with TemporaryDirectory() as folder:
        peers = Peers(arguments, Path(folder))
        if "speed" in arguments.what:
            measure_speed(peers, networks)
        if "error" in arguments.what:
            measure_error(peers, networks)
    print_tables(arguments.minutes)


if __name__ == "__main__":
    main()
