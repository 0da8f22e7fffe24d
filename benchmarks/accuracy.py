r"""Errors on real frames that were not trained on.

    SKPOSE_DATA=... python benchmarks/accuracy.py fly --model stacked_densenet --epochs 100 \
        --lr-patience 10 --batch-size 16
    SKPOSE_DATA=... python benchmarks/accuracy.py fly --epochs 300 --cosine
    SKPOSE_DATA=... python benchmarks/accuracy.py openfield --epochs 50

The first of these has the hyperparameters of Graving et al. (2019): 2 stacks with a growth rate of
48, maps at 1/4 resolution with a sigma of 5 px and the posture graph, all augmentation, Adam with a
learning rate of 1e-3, batches of 16. A tenth of the frames is watched and reported, and the epoch
that is best on it is kept, as the paper's code does. ``openfield`` is a DeepLabCut project, reduced
to 320 x 240, a twentieth kept back; its errors are in pixels of the original images. ``--cosine``
lowers the learning rate along half a cosine until the last epoch, as the default does, in place of
the falls where nothing improves. ``--split`` keeps other frames back, ``--seed`` starts from
other weights.
"""

import argparse
import os
from pathlib import Path
import time
import warnings

from _report import write_report
import keras
import numpy as np
from sklearn.model_selection import train_test_split

from skpose import PoseEstimator, Skeleton
from skpose.datasets import read_annotations, read_deeplabcut
from skpose.metrics import keypoint_errors
from skpose.models import ResidualUNet
from skpose.preprocessing import ImageResizer


def read_fly(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the set's left/right partners contradict each other
        skeleton = Skeleton.from_csv(folder / "fly" / "skeleton.csv")
        path = folder / "fly" / "annotation_set.h5"
        data = read_annotations(path, skeleton=skeleton, labelled="all")
    return np.asarray(data.images), data.keypoints, skeleton, 0.1


def read_openfield(folder):
    data = read_deeplabcut(folder / "openfield", n_channels=1)
    images = ImageResizer(scale=0.5).fit_transform(np.asarray(data.images))
    return images, data.keypoints, data.skeleton, 0.05


class Clock(keras.callbacks.Callback):
    """Notes when each epoch ended, in seconds."""

    def on_train_begin(self, logs=None):
        self.start, self.seconds = time.perf_counter(), []

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(round(time.perf_counter() - self.start, 1))


def name_report(arguments):
    """Name the report by what differs from the defaults."""
    name = f"accuracy_{arguments.data}_{arguments.model}"
    if arguments.n_blocks > 1:
        name += f"_{arguments.n_blocks}_blocks"
    if arguments.batch_size != PoseEstimator().batch_size:
        name += f"_batch_{arguments.batch_size}"
    if arguments.cosine:
        name += "_cosine"
    for option in ("split", "seed"):
        if number := getattr(arguments, option):
            name += f"_{option}_{number}"
    return name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=["fly", "openfield"])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--model", default=PoseEstimator().model)
    parser.add_argument("--lr-patience", type=int, default=PoseEstimator().lr_patience)
    parser.add_argument("--batch-size", type=int, default=PoseEstimator().batch_size)
    parser.add_argument("--cosine", action="store_true", help="lower the rate along a cosine")
    parser.add_argument("--n-blocks", type=int, default=1, help="of the residual U-Net")
    parser.add_argument("--split", type=int, default=0, help="another number, other frames")
    parser.add_argument("--seed", type=int, default=0, help="another number, other weights")
    arguments = parser.parse_args()
    if arguments.n_blocks > 1 and arguments.model != "residual_unet":
        parser.error("--n-blocks is for residual_unet")
    read = {"fly": read_fly, "openfield": read_openfield}[arguments.data]
    X, y, skeleton, test_size = read(Path(os.environ["SKPOSE_DATA"]))
    train, test = train_test_split(
        np.arange(len(X)), test_size=test_size, random_state=arguments.split
    )
    clock = Clock()
    estimator = PoseEstimator(
        arguments.model if arguments.n_blocks == 1 else ResidualUNet(n_blocks=arguments.n_blocks),
        skeleton=skeleton,
        batch_size=arguments.batch_size,
        max_epochs=arguments.epochs,
        n_iter_no_change=arguments.epochs,
        lr_schedule="cosine" if arguments.cosine else "plateau",
        lr_patience=arguments.lr_patience,
        callbacks=[clock],
        random_state=arguments.seed,
        verbose=1,
    )
    start = time.perf_counter()
    estimator.fit(X[train], y[train], validation_data=(X[test], y[test]))
    minutes = (time.perf_counter() - start) / 60
    errors = keypoint_errors(y[test], estimator.predict(X[test]))
    write_report(
        name_report(arguments),
        {
            "settings": vars(arguments),
            "n_train": len(train),
            "n_test": len(test),
            "parameters": estimator.model_.count_params(),
            "minutes": round(minutes, 1),
            "epochs": estimator.n_iter_,
            "best_epoch": estimator.best_epoch_ + 1,
            "mean_px": round(float(np.nanmean(errors)), 2),
            "median_px": round(float(np.nanmedian(errors)), 2),
            "p95_px": round(float(np.nanpercentile(errors, 95)), 2),
            "max_px": round(float(np.nanmax(errors)), 2),
            "mean_px_by_frame": np.nanmean(errors, axis=1).round(2).tolist(),
            "validation_error_px": [round(e, 2) for e in estimator.history_["val_keypoint_error"]],
            "seconds": clock.seconds,
        },
    )


if __name__ == "__main__":
    main()
