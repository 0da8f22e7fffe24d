"""What the tests of several folders use: estimators, videos and commands."""

from contextlib import contextmanager
from fractions import Fraction
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from skpose import PoseEstimator
from skpose.models import CustomArchitecture, StackedDenseNet
from skpose.preprocessing import ImageBatch
from skpose.targets import ConfidenceMaps


def small_estimator(**params):
    """An estimator that trains in a second or two."""
    defaults = {
        "model": StackedDenseNet(n_stacks=1, growth_rate=8),
        "targets": ConfidenceMaps(sigma=3.0, downsample_factor=1),
        "augmenter": None,
        "batch_size": 4,
        "max_epochs": 2,
        "random_state": 0,
    }
    return PoseEstimator(**{**defaults, **params})


def tiny_estimator(**params):
    """An estimator of two convolutions, fitted in a second, that can be sent to other processes."""

    def network(inputs, n_outputs):
        from keras.layers import Conv2D

        x = Conv2D(8, 3, strides=2, padding="same", activation="elu")(inputs / 255)
        return Conv2D(n_outputs, 1)(x)

    defaults = {
        "model": CustomArchitecture(network, downsample_factor=1, divisor=2),
        "targets": ConfidenceMaps(sigma=3.0, downsample_factor=1),
        "augmenter": None,
        "subpixel": False,
        "early_stopping": False,
        "batch_size": 8,
        "max_epochs": 1,
        "random_state": 0,
    }
    return PoseEstimator(**{**defaults, **params})


class Clock:
    """Stands for the module `time`, and goes where it is set."""

    now = 1000.0

    def monotonic(self):
        return self.now


@contextmanager
def control_c_heeded():
    """Let what is started inside heed Ctrl-C, where a shell has started the tests without it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def start_labelling(*arguments):
    """Start `skpose label` on a machine without a screen; return the process, and what it said."""
    known = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "skpose", "label", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**known, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C" in line:
            break
    return process, said


def link_in(said):
    """Return the address that `skpose label` has printed."""
    return re.search(r"http\S+", said)[0]


def interrupt_at(epoch):
    """A callback that presses Ctrl-C when an epoch begins."""
    import keras

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, index, logs=None):
            if index == epoch:
                raise KeyboardInterrupt

    return Interrupt()


class Marker(BaseEstimator):
    """Finds the brightest pixel of each image, and a second keypoint 2 px to the right of it."""

    image_shape_ = (9, 9, 1)
    skeleton = None

    def __init__(self):
        self.n_images = 0
        self.shapes = set()

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, X, *, return_confidence=False):
        batch = ImageBatch.wrap(X)
        pixels = np.asarray(batch)[..., 0]
        self.n_images += len(pixels)
        self.shapes.add(pixels.shape[1:])
        first, level = find_brightest(pixels)
        keypoints = batch.to_user(np.stack([first, first + [2, 0]], axis=1))
        return (keypoints, np.repeat(level[:, None], 2, axis=1)) if return_confidence else keypoints


def find_brightest(pixels):
    """The (x, y) of the brightest pixel of each grey image, (n, 2), and its level in 0..1, (n,)."""
    flat = pixels.reshape(len(pixels), -1)
    rows, cols = np.unravel_index(flat.argmax(axis=1), pixels.shape[1:3])
    return np.stack([cols, rows], axis=1).astype(float), flat.max(axis=1) / 255


def find_centroid(weights):
    """The (x, y) of the centre of mass of each image of weights, (n, 2)."""
    rows, cols = np.mgrid[: weights.shape[1], : weights.shape[2]]
    moments = [(weights * cols).sum(axis=(1, 2)), (weights * rows).sum(axis=(1, 2))]
    return np.stack(moments, axis=1) / weights.sum(axis=(1, 2))[:, None]


_IS_PROGRESS = re.compile(r"\S+ \d+/\d+(  .*)?$")


def run(*arguments, ok=True):
    """Run the command line; give its output without progress, or the message where it fails."""
    from click.testing import CliRunner

    from skpose.cli import main

    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert (result.exit_code == 0) == ok, result.output
    if not ok:
        assert "Traceback" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
    lines = result.output.splitlines(keepends=True)  # old versions of click mix the streams
    return "".join(line for line in lines if not _IS_PROGRESS.match(line))


def mean_error(output):
    """Return the mean error of all frames that `skpose evaluate` has told."""
    (line,) = re.findall(r"^\d+ frames? in all: mean (\S+),", output, re.M) or [None]
    if line is None:
        (line,) = re.findall(r"^all bodyparts +\d+ +(\S+)", output, re.M)
    return float(line)


def write_video(
    path,
    images,
    *,
    codec="libx264",
    options=None,
    pix_fmt="yuv420p",
    pts=None,
    container_options=None,
    form=None,
):
    """Write images, (n, height, width, 1 or 3), as a video of 25 frames a second.

    `pts` are the frames' times in hundredths of a second, `options` those of the codec.
    """
    av = pytest.importorskip("av")
    try:
        av.codec.Codec(codec, "w")
    except Exception:
        pytest.skip(f"this build of FFmpeg cannot write {codec}")
    with av.open(str(path), "w", options=container_options or {}, format=form) as file:
        stream = file.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if pts is not None:
            stream.codec_context.time_base = Fraction(1, 100)
        for i, image in enumerate(images):
            grey = image.shape[2] == 1
            pixels = np.ascontiguousarray(image[..., 0] if grey else image)
            frame = av.VideoFrame.from_ndarray(pixels, format="gray" if grey else "rgb24")
            if pts is not None:
                frame.pts, frame.time_base = int(pts[i]), Fraction(1, 100)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


class NumberedVideo:
    """Writes videos of 32 x 64 pixels whose frames show their number, and reads it off a frame."""

    block = 16  # pixels; large enough to survive compression
    order = np.arange(8).reshape(2, 4)  # of the bits of the number
    height, width = block * order.shape[0], block * order.shape[1]

    def image(self, number):
        bits = (number >> self.order) & 1
        blocks = np.kron(np.where(bits, 200, 40), np.ones((self.block, self.block)))
        return np.repeat(blocks[..., np.newaxis], 3, axis=2).astype(np.uint8)

    def number(self, image):
        grey = np.asarray(image, dtype=float).mean(axis=2)
        n_rows, n_columns = self.order.shape
        blocks = grey.reshape(n_rows, self.block, n_columns, self.block).mean(axis=(1, 3))
        return int(((blocks > 120) << self.order).sum())

    def numbers(self, images):
        return [self.number(image) for image in images]

    def write(self, path, n_frames=60, *, codec="libx264", options=None, **settings):
        """Write frames 0, 1, ...; see `write_video` for the settings."""
        if options is None:
            options = {"g": "12", "bf": "3"} if codec == "libx264" else {}
        images = [self.image(i) for i in range(n_frames)]
        return write_video(path, images, codec=codec, options=options, **settings)
