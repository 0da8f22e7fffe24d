"""A trained network run by several engines: how fast, and how far its keypoints move.

    SKPOSE_DATA=... python benchmarks/engines.py --data fly --minutes 3
    python benchmarks/engines.py --data synthetic --networks residual_unet,stacked_densenet

Data, networks and training are those of `networks.py`. The engines are TensorFlow as
`PoseEstimator.predict` runs it, the same function compiled by XLA, and what `PoseEstimator.export`
wrote, run by ONNX Runtime and by OpenVINO in float32, in bfloat16, and in 8 bits, calibrated on
images of the training. Each runs in a process of its
own, one after the other, since the threads of one that wait for work take time from the next; times
are medians, from uint8 images to keypoints. The keypoints in the frames kept back are compared with
TensorFlow's.
"""

import argparse
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from _processes import run_alone, time_calls
from _rows import merge_rows
from networks import load_data, measure_training, quartiles
import numpy as np

import skpose
from skpose import PoseEstimator
from skpose.metrics import keypoint_errors
from skpose.runtime import ExportedPoseEstimator

MANY = 100
N_CALIBRATION = 40


def export(path, data, out):
    """Export a saved estimator, in float32 and in 8 bits."""
    estimator, X = skpose.load(path), load_data(data)[0]
    estimator.export(out, overwrite=True)
    estimator.export(in_8_bits(out), overwrite=True, calibration=X[:N_CALIBRATION])


def in_8_bits(out):
    return out.with_stem(f"{out.stem}_8")


def run_tensorflow(path, exported):
    """Return what predicts as the estimator does."""
    return skpose.load(path).predict


def run_xla(path, exported):
    """Return what the estimator does for one batch, compiled by XLA."""
    import tensorflow as tf

    model = skpose.load(path).model_
    find = tf.function(model.find_keypoints, jit_compile=True, autograph=False)

    def predict(images):
        parts = [find(tf.constant(images[i : i + 32])) for i in range(0, len(images), 32)]
        return np.concatenate([part.numpy()[..., :2] for part in parts])

    return predict


def run_exported(path, exported, engine, precision="float32"):
    """Return what predicts with the exported estimator."""
    if precision == "8 bits":
        exported, precision = in_8_bits(exported), "float32"  # of what is not in 8 bits
    return ExportedPoseEstimator(exported, engine=engine, precision=precision).fit().predict


ENGINES = {
    "TensorFlow": run_tensorflow,
    "TensorFlow, XLA": run_xla,
    "ONNX Runtime": partial(run_exported, engine="onnxruntime"),
    "ONNX Runtime, 8 bits": partial(run_exported, engine="onnxruntime", precision="8 bits"),
    "OpenVINO": partial(run_exported, engine="openvino"),
    "OpenVINO, bfloat16": partial(run_exported, engine="openvino", precision="bfloat16"),
    "OpenVINO, 8 bits": partial(run_exported, engine="openvino", precision="8 bits"),
}


def measure_engine(name, data, path, exported):
    """Time an engine; gives the figures, and its keypoints in the frames kept back."""
    X, X_test, *_ = load_data(data)
    predict = ENGINES[name](path, exported)
    many = np.resize(X, (MANY, *X.shape[1:]))
    row = {}
    for key, images, n_rounds in (("batch_1_ms", X[:1], 1000), ("batch_100_ms_an_image", many, 9)):
        calls = {name: lambda images=images: predict(images)}
        times = time_calls(calls, seconds=15, n_rounds=n_rounds)[name]
        milliseconds = 1000 * times / len(images)
        row[key] = round(float(np.median(milliseconds)), 2)
        row[f"{key}_quartiles"] = quartiles(milliseconds)
    return row, predict(X_test)


def compare(found, expected, y_test):
    """Return how far keypoints are from others, and from the labels."""
    moved = np.linalg.norm(found - expected, axis=-1)
    figures = {
        "median": np.median(moved),
        "p99": np.percentile(moved, 99),
        "max": moved.max(),
    }
    return {
        "moved_px": {name: float(f"{value:.2g}") for name, value in figures.items()},
        "mean_px": round(float(np.nanmean(keypoint_errors(y_test, found))), 3),
    }


def print_table(rows):
    """Print the engines as a table in Markdown."""
    print("| engine | one image, ms | 100 images, ms each | median, most moved, px | error, px |")
    print("|---|---|---|---|---|")
    for name, row in rows.items():
        moved = f"{row['moved_px']['median']:g}, {row['moved_px']['max']:g}"
        times = f"{row['batch_1_ms']:g} | {row['batch_100_ms_an_image']:g}"
        print(f"| {name} | {times} | {moved} | {row['mean_px']:g} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default=PoseEstimator().model, help="names, with commas")
    parser.add_argument("--data", choices=["fly", "synthetic"], default="fly")
    parser.add_argument("--minutes", type=float, default=3.0, help="training time of each network")
    arguments = parser.parse_args()
    y_test = load_data(arguments.data)[3]
    for network in arguments.networks.split(","):
        with TemporaryDirectory() as folder:
            path, exported = Path(folder) / "model.skpose", Path(folder) / "model.onnx"
            run_alone(measure_training, network, arguments.data, arguments.minutes, path)
            run_alone(export, path, arguments.data, exported)
            rows, expected = {}, None
            for name in ENGINES:
                try:
                    row, found = run_alone(measure_engine, name, arguments.data, path, exported)
                except ValueError as error:  # not every processor has bfloat16
                    print(f"{name} is left out: {error}")
                    continue
                expected = found if expected is None else expected
                rows[name] = row | compare(found, expected, y_test)
        merge_rows("engines", f"{arguments.data}, {network}", rows)
        print_table(rows)


if __name__ == "__main__":
    main()
