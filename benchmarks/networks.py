"""All networks side by side: size, operations, speed, memory, and error after equal training.

    SKPOSE_DATA=... python benchmarks/networks.py --data fly --minutes 3
    SKPOSE_DATA=... python benchmarks/networks.py --data fly --what speed    # hardly trained
    python benchmarks/networks.py --data synthetic --networks leap,stacked_densenet
    python benchmarks/networks.py --what nothing    # the tables and figures of what was measured

``fly`` are the 100 fly frames of Graving et al. (2019), 192 x 192 pixels and 32 bodyparts, 90 to
train on; ``synthetic`` are mice of `make_poses`, 96 x 96 pixels and 13 bodyparts, 400 to train on.
All networks start from random weights and are trained as the paper's: posture graph, all
augmentation, Adam, batches of 16. Each trains for the same time, counted from the end of its first
step, which compiles the network, and the epoch that is best on the frames kept back is kept.

Each network is measured in processes of its own, and what is measured is merged into
``results/networks.json``, so a long run can be done in pieces.
"""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from _figures import draw_speed_and_error
from _processes import peak_memory, run_alone, time_calls
from _rows import merge_rows, read_rows
from accuracy import read_fly
import numpy as np
from sklearn.model_selection import train_test_split

import skpose
from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.metrics import keypoint_errors
from skpose.models import (
    ARCHITECTURES,
    LEAP,
    DeepLabCut,
    ResidualUNet,
    StackedDenseNet,
    StackedHourglass,
)

NETWORKS = {
    "residual_unet": ("Residual U-Net", ResidualUNet()),
    "stacked_densenet": ("Stacked DenseNet 2 x 48", StackedDenseNet(2, growth_rate=48)),
    "stacked_densenet_1x48": ("Stacked DenseNet 1 x 48", StackedDenseNet(1, growth_rate=48)),
    "stacked_densenet_1x32": ("Stacked DenseNet 1 x 32", StackedDenseNet(1, growth_rate=32)),
    "separable": (
        "Stacked DenseNet 2 x 48, separable",
        StackedDenseNet(2, growth_rate=48, separable=True),
    ),
    "stacked_hourglass": ("Stacked Hourglass", StackedHourglass()),
    "leap": ("LEAP", LEAP()),
    "resnet50": ("DeepLabCut, ResNet-50", DeepLabCut("resnet50", weights=None)),
    "mobilenetv2": ("DeepLabCut, MobileNetV2", DeepLabCut("mobilenetv2", weights=None)),
    "efficientnetv2b0": (
        "DeepLabCut, EfficientNetV2-B0",
        DeepLabCut("efficientnetv2b0", weights=None),
    ),
}
# Networks that are new in the package are measured with their defaults.
_LISTED = {type(network) for _, network in NETWORKS.values()}
NETWORKS |= {name: (name, make()) for name, make in ARCHITECTURES.items() if make not in _LISTED}
_COLUMNS = {
    "label": ("network", "{}"),
    "parameters": ("parameters", "{:,}"),
    "gflop": ("GFLOP/image", "{:.2f}"),
    "batch_1_ms": ("batch 1, ms", "{:.1f}"),
    "batch_100_images_s": ("100 images, images/s", "{:.1f}"),
    "training_step_s": ("training step, s", "{:.2f}"),
    "predict_peak_mib": ("memory predicting, MiB", "{:.0f}"),
    "training_peak_mib": ("memory training, MiB", "{:.0f}"),
    "minutes": ("minutes trained", "{:.1f}"),
    "epochs": ("epochs", "{}"),
    "mean_px": ("mean error, px", "{:.2f}"),
    "median_px": ("median error, px", "{:.2f}"),
}


def load_data(name):
    """Return training and test images and keypoints, and the skeleton."""
    if name == "fly":
        X, y, skeleton, test_size = read_fly(Path(os.environ["SKPOSE_DATA"]))
    else:
        bunch = make_poses(500, 96, random_state=0, return_bunch=True)
        X, y, skeleton, test_size = bunch.images, bunch.keypoints, bunch.skeleton, 100
    parts = train_test_split(X, y, test_size=test_size, random_state=0)
    return *parts, skeleton


def make_timer(seconds=float("inf"), n_steps=None, batch_size=16):
    """Return a callback that stops after some time or number of steps, the first not counted.

    It is made here because Keras is loaded in the processes that measure only.
    """
    import keras

    class Timer(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.n_steps, self.times, self.seconds = 0, [], 0.0

        def on_train_batch_begin(self, batch, logs=None):
            self._before = perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            float(next(iter(logs.values())))  # waits for the step
            now = perf_counter()
            self.n_steps += 1
            if self.n_steps == 1:
                self._start = now
            elif batch < self.params["steps"] - 1:  # the last of an epoch may be smaller
                self.times.append(now - self._before)
            is_over = now - self._start >= seconds or self.n_steps - 1 == n_steps
            self.model.stop_training |= is_over

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = perf_counter() - self._start
            self.model.stop_training |= self.seconds >= seconds

    return Timer()


def measure_training(name, data, minutes, path):
    """Train for some time and save the estimator; give size, time, memory and error.

    Without minutes, some steps are timed and there is no error.
    """
    from _flops import count_gflop

    X, X_test, y, y_test, skeleton = load_data(data)
    timer = make_timer(60 * minutes) if minutes else make_timer(10, n_steps=10)
    estimator = PoseEstimator(
        NETWORKS[name][1],
        skeleton=skeleton,
        batch_size=16,
        early_stopping=minutes > 0,
        max_epochs=10_000,
        n_iter_no_change=10_000,
        lr_schedule="plateau",
        callbacks=[timer],
        random_state=0,
    )
    estimator.fit(X, y, validation_data=(X_test, y_test) if minutes else None)
    figures = {
        "label": NETWORKS[name][0],
        "parameters": estimator.model_.count_params(),
        "training_step_s": round(float(np.median(timer.times)), 3),
        "training_peak_mib": round(peak_memory()),
    }
    estimator.set_params(callbacks=None).save(path, overwrite=True)
    divisor = estimator.model_.divisor
    height, width, n_channels = X.shape[1:]
    padded = (height + -height % divisor, width + -width % divisor, n_channels)
    figures["gflop"] = round(count_gflop(estimator.model_.network, padded), 3)
    if not minutes:
        return figures
    errors = keypoint_errors(y_test, estimator.predict(X_test))
    return figures | {
        "minutes": round(timer.seconds / 60, 2),
        "epochs": estimator.n_iter_,
        "steps": timer.n_steps,
        "best_epoch": estimator.best_epoch_ + 1,
        "mean_px": round(float(np.nanmean(errors)), 2),
        "median_px": round(float(np.nanmedian(errors)), 2),
        "p95_px": round(float(np.nanpercentile(errors, 95)), 2),
        "validation_error_px": [round(e, 2) for e in estimator.history_["val_keypoint_error"]],
    }


def measure_prediction(data, path):
    """Time predictions from images to keypoints, of one image and of 100 in one call."""
    X, X_test, *_ = load_data(data)
    X = np.concatenate([X, X_test])[:100]
    estimator = skpose.load(path)
    single = time_calls({"one": lambda: estimator.predict(X[:1])}, seconds=3, n_rounds=60)["one"]
    whole = time_calls({"all": lambda: estimator.predict(X)}, seconds=8, n_rounds=7)["all"]
    return {
        "batch_1_ms": round(1000 * float(np.median(single)), 2),
        "batch_1_ms_quartiles": quartiles(1000 * single),
        "batch_100_images_s": round(100 / float(np.median(whole)), 1),
        "batch_100_images_s_quartiles": quartiles(100 / whole),
        "predict_peak_mib": round(peak_memory()),
    }


def quartiles(values):
    """Return the quarter and three quarters of values, for a report."""
    return [round(float(value), 2) for value in np.percentile(values, [25, 75])]


def measure(name, data, what, minutes):
    """Measure a network: training, then prediction, each in a process of its own."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.skpose"
        minutes = 0 if what == "speed" else minutes
        figures = run_alone(measure_training, name, data, minutes, path)
        if what == "error":
            return figures
        return figures | run_alone(measure_prediction, data, path)


def print_table(rows):
    """Print what was measured as a table in Markdown."""
    print("|", " | ".join(title for title, _ in _COLUMNS.values()), "|")
    print("|---" * len(_COLUMNS) + "|")
    for row in rows.values():
        cells = [form.format(row[key]) if key in row else "" for key, (_, form) in _COLUMNS.items()]
        print("|", " | ".join(cells), "|")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default=",".join(NETWORKS), help="names, with commas")
    parser.add_argument("--data", default="fly,synthetic")
    parser.add_argument("--what", choices=["all", "error", "speed", "nothing"], default="all")
    parser.add_argument("--minutes", type=float, default=3.0, help="training time of each network")
    arguments = parser.parse_args()
    for data in arguments.data.split(","):
        for name in arguments.networks.split(",") if arguments.what != "nothing" else ():
            row = measure(name, data, arguments.what, arguments.minutes)
            merge_rows("networks", data, {name: row})
        rows = read_rows("networks", data)
        rows = {name: rows[name] for name in NETWORKS if name in rows}
        print(f"\n{data}\n")
        print_table(rows)
        draw_speed_and_error(rows, data)


if __name__ == "__main__":
    main()
