"""A trained network run by several engines: how fast, and how far its keypoints move.

    SKPOSE_DATA=... python benchmarks/engines.py --data fly --minutes 3
    python benchmarks/engines.py --data synthetic --networks residual_unet,stacked_densenet

Data, networks and training are those of `networks.py`. The engines are TensorFlow as
`PoseEstimator.predict` runs it, the same function compiled by XLA, and what `PoseEstimator.export`
wrote, run by ONNX Runtime and by OpenVINO in float32 and bfloat16. They take turns, from uint8
images to keypoints. Their keypoints in the frames kept back are compared with TensorFlow's.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from _processes import run_alone, time_calls
from _rows import merge_rows
from networks import load_data, measure_training
import numpy as np

import skpose
from skpose import PoseEstimator
from skpose.metrics import keypoint_errors
from skpose.runtime import ExportedPoseEstimator

MANY = 100


def export(path, out):
    """Export a saved estimator."""
    skpose.load(path).export(out)


def measure_engines(data, path, exported):
    """Time the engines in turn, and compare their keypoints."""
    X, X_test, _, y_test, _ = load_data(data)
    engines = make_engines(skpose.load(path), exported)
    expected = engines["TensorFlow"](X_test)
    rows = {}
    for name, predict in engines.items():
        found = predict(X_test)
        moved = np.linalg.norm(found - expected, axis=-1)
        rows[name] = {
            "moved_px": {
                "median": float(f"{np.median(moved):.2g}"),
                "p99": float(f"{np.percentile(moved, 99):.2g}"),
                "max": float(f"{moved.max():.2g}"),
            },
            "mean_px": round(float(np.nanmean(keypoint_errors(y_test, found))), 3),
        }
    many = np.resize(X, (MANY, *X.shape[1:]))
    for key, images, n_rounds in (("batch_1_ms", X[:1], 100), ("batch_100_ms_an_image", many, 9)):
        calls = {name: lambda f=f, x=images: f(x) for name, f in engines.items()}
        for name, times in time_calls(calls, seconds=60, n_rounds=n_rounds).items():
            milliseconds = 1000 * times / len(images)
            rows[name][key] = round(float(np.median(milliseconds)), 2)
            quartiles = np.percentile(milliseconds, [25, 75]).round(2)
            rows[name][f"{key}_quartiles"] = quartiles.tolist()
    return rows


def make_engines(estimator, exported):
    """Give the functions from images to keypoints."""
    engines = {"TensorFlow": estimator.predict, "TensorFlow, XLA": compile_xla(estimator)}
    for label, engine, precision in (
        ("ONNX Runtime", "onnxruntime", "float32"),
        ("OpenVINO", "openvino", "float32"),
        ("OpenVINO, bfloat16", "openvino", "bfloat16"),
    ):
        runtime = ExportedPoseEstimator(exported, engine=engine, precision=precision)
        try:
            engines[label] = runtime.fit().predict
        except ValueError as error:  # not every processor has bfloat16
            print(f"{label} is left out: {error}")
    return engines


def compile_xla(estimator):
    """Give what `predict` does for one batch, compiled by XLA."""
    import tensorflow as tf

    find = tf.function(estimator.model_.find_keypoints, jit_compile=True, autograph=False)

    def predict(images):
        parts = [find(tf.constant(images[i : i + 32])) for i in range(0, len(images), 32)]
        return np.concatenate([part.numpy()[..., :2] for part in parts])

    return predict


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
    for network in arguments.networks.split(","):
        with TemporaryDirectory() as folder:
            path, exported = Path(folder) / "model.skpose", Path(folder) / "model.onnx"
            run_alone(measure_training, network, arguments.data, arguments.minutes, path)
            run_alone(export, path, exported)
            rows = run_alone(measure_engines, arguments.data, path, exported)
        merge_rows("engines", f"{arguments.data}, {network}", rows)
        print_table(rows)


if __name__ == "__main__":
    main()
