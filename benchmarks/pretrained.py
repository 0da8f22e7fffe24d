r"""What ``skpose train --from MODEL`` gains in the first minute.

    SKPOSE_DATA=... python benchmarks/pretrained.py --draws 3

Of the 116 frames of openfield, 56 are of a first training of two minutes, 20 of a second one of one
minute, and the errors are those in the other 40, in pixels of the original images. The second
training begins with random weights, with a model of the same four bodyparts, or with one of two of
them: far apart, or so near to each other that the first network has to see larger images, and
learns less in its time. All from the command line, the clock running from its start. What is in
``results/pretrained.json`` is not repeated.
"""

import argparse
import os
from pathlib import Path
import subprocess
import sys
import tempfile

from _rows import merge_rows, read_rows
import numpy as np

import skpose
from skpose import Skeleton
from skpose.datasets import read_deeplabcut, write_annotations
from skpose.metrics import keypoint_errors

BODYPARTS = [0, 1, 2, 3]  # snout, left ear, right ear, tail base
BEGINNINGS = {
    "random": None,
    "the same bodyparts": BODYPARTS,
    "snout and tail base": [0, 3],
    "snout and left ear": [0, 1],
}


def write_set(path, data, rows, bodyparts=BODYPARTS):
    skeleton = Skeleton([data.skeleton.names[k] for k in bodyparts])
    keypoints = data.keypoints[rows][:, bodyparts]
    write_annotations(path, np.asarray(data.images[rows]), keypoints, skeleton=skeleton)


def train(labels, model_file, minutes, seed, *options):
    command = [sys.executable, "-m", "skpose", "train", str(labels), str(model_file)]
    command += ["--minutes", str(minutes), "--seed", str(seed), *options]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def measure(data, draw, bodyparts, folder):
    """Return the errors after a minute that begins with a model of some bodyparts, or with none."""
    rows = np.random.default_rng(draw).permutation(len(data.images))
    first, second, test = np.split(rows, [56, 76])
    write_set(folder / "second.h5", data, np.sort(second))
    options = []
    if bodyparts is not None:
        write_set(folder / "first.h5", data, np.sort(first), bodyparts)
        train(folder / "first.h5", folder / "first.skpose", 2, draw)
        options = ["--from", str(folder / "first.skpose")]
    train(folder / "second.h5", folder / "model.skpose", 1, draw, *options)
    model = skpose.load(folder / "model.skpose")
    errors = keypoint_errors(data.keypoints[test], model.predict(np.asarray(data.images[test])))
    return {
        "mean_px": round(float(np.nanmean(errors)), 2),
        "median_px": round(float(np.nanmedian(errors)), 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3)
    data = read_deeplabcut(Path(os.environ["SKPOSE_DATA"]) / "openfield", n_channels=1)
    for draw in range(parser.parse_args().draws):
        for name, bodyparts in BEGINNINGS.items():
            if name in read_rows("pretrained", f"draw {draw}"):
                continue
            with tempfile.TemporaryDirectory() as folder:
                row = measure(data, draw, bodyparts, Path(folder))
            merge_rows("pretrained", f"draw {draw}", {name: row})


if __name__ == "__main__":
    main()
