"""Our side of the comparisons; has the same actions as the workers of the others."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
import time

from _protocol import seconds, serve
import numpy as np

from skpose import PoseEstimator, Skeleton, load

STATE = {"estimators": {}}


def setup(data, networks=("paper",), seed=0):
    """Read the data and build estimators, by a training step each.

    ``paper`` is the Stacked DenseNet of the paper, trained in batches of 16 as there, ``default``
    what `PoseEstimator` chooses; other names are those of `skpose.models`. A precision may follow:
    ``paper:mixed_bfloat16``.
    """
    STATE["data"] = data = dict(np.load(data))
    STATE["exported"] = {}
    sizes = {}
    for name in networks:
        estimator = _make_estimator(name, random_state=seed)
        estimator.fit(data["images"][:16], data["keypoints"][:16])
        STATE["estimators"][name] = estimator
        sizes[name] = estimator.model_.network.count_params()
    return {"parameters": sizes}


def _make_estimator(name, **settings):
    network, _, precision = name.partition(":")
    if network == "paper":
        from skpose.models import StackedDenseNet

        settings |= {"model": StackedDenseNet(2, growth_rate=48), "batch_size": 16}
    elif network != "default":
        settings["model"] = network
    if precision:
        settings["precision"] = precision
    return PoseEstimator(
        skeleton=_skeleton(),
        **{"max_epochs": 1, "early_stopping": False, "warm_start": True, **settings},
    )


def _skeleton():
    data = STATE["data"]
    names = [str(i) for i in range(data["keypoints"].shape[1])]
    return Skeleton(names, data["parents"].tolist(), data["swap_index"].tolist())


def maps(batch_size=16, repeats=1, layer=False):
    """Draw the confidence maps of a batch, with the posture graph.

    As a training step does, or as the public layer, which puts NaN where nothing is known. The
    maps stay where the step reads them: in a tensor, which a function gives once it is filled.
    """
    draw = _compiled_drawing(layer)
    keypoints = STATE["data"]["keypoints"][:batch_size].astype(np.float32)
    draw(keypoints)  # wakes the threads, which have slept while DeepPoseKit drew
    return seconds(lambda: draw(keypoints), repeats) / (batch_size * repeats)


def _compiled_drawing(layer=False):
    compiled = STATE.setdefault("draw", {})
    if layer not in compiled:
        import tensorflow as tf

        draw = STATE["estimators"]["paper"].model_.draw
        compiled[layer] = tf.function(draw if layer else lambda keypoints: draw.draw(keypoints)[0])
    return compiled[layer]


def peaks(path, sigma, out=None, repeats=1):
    """Find the peaks of maps, in cells."""
    maps = np.load(path)
    find = STATE.setdefault("peaks", {}).get((maps.shape, sigma))
    if find is None:
        import tensorflow as tf

        from skpose.layers import SubpixelMaxima

        layer = SubpixelMaxima(sigma=sigma, downsample_factor=0)
        find = STATE["peaks"][maps.shape, sigma] = tf.function(layer)
    import tensorflow as tf

    tensor = tf.constant(maps)
    if out:
        np.save(out, find(tensor).numpy()[..., :2])
        return None
    return seconds(lambda: find(tensor).numpy(), repeats) / (len(maps) * repeats)


def augment_and_draw(batch_size=16, repeats=1):
    """Augment a batch and draw its maps."""
    from skpose.augment import Augmenter

    augmenter, draw = Augmenter(_skeleton(), scale=0.2, p=0), _compiled_drawing()
    data = STATE["data"]
    rng = np.random.default_rng(0)
    swap_index = _skeleton().swap_index

    def work():
        index = rng.permutation(len(data["images"]))[:batch_size]
        images, keypoints = augmenter.augment(
            data["images"][index], data["keypoints"][index], random_state=rng, swap_index=swap_index
        )
        return images, draw(keypoints.astype(np.float32))

    return seconds(work, repeats) / (batch_size * repeats)


def train_rate(network="paper", n_images=80, n_epochs=2):
    """Train some epochs and give the images a second of all but the first, end to end."""
    import keras

    ends = []
    timer = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
    )
    data, estimator = STATE["data"], STATE["estimators"][network]
    estimator.set_params(max_epochs=n_epochs, callbacks=[timer])
    index = np.resize(data["train"], n_images)
    estimator.fit(data["images"][index], data["keypoints"][index])
    return [n_images / elapsed for elapsed in np.diff(ends)]


def predict(network="paper", n_images=100, batch_size=100, engine=None):
    """Return the seconds per image from images to keypoints, handing over `batch_size` at a time.

    An `engine`, with or without a precision, ``openvino:bfloat16``, runs the exported estimator.
    """
    images = np.resize(STATE["data"]["images"], (n_images, *STATE["data"]["images"].shape[1:]))
    estimator = STATE["estimators"][network] if engine is None else _exported(network, engine)

    def run():
        for start in range(0, n_images, batch_size):
            estimator.predict(images[start : start + batch_size])

    return seconds(run) / n_images


def _exported(network, engine):
    if (network, engine) not in STATE["exported"]:
        from skpose.runtime import ExportedPoseEstimator

        name, _, precision = engine.partition(":")
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            STATE["estimators"][network].export(path, overwrite=True)
            runtime = ExportedPoseEstimator(path, engine=name, precision=precision or "float32")
            STATE["exported"][network, engine] = runtime.fit()
    return STATE["exported"][network, engine]


def save(path, network="paper"):
    """Write the estimator, or export it to a file that ends in .onnx."""
    estimator = STATE["estimators"][network]
    if path.endswith(".onnx"):
        estimator.export(path, overwrite=True)
    else:
        estimator.save(path, overwrite=True)


def load_and_predict(path, image):
    """Load an estimator and find the keypoints of one image."""
    load(path).predict(np.load(image)).tolist()


class Stream:
    """A lazy X that repeats a few frames, and notes the resident memory while it is read."""

    dtype, ndim = np.dtype(np.uint8), 4

    def __init__(self, frames, n_frames, every):
        self.frames, self.every = frames, every
        self.shape = (n_frames, *frames.shape[1:])
        self.memory = []

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        if isinstance(index, slice):
            index = np.arange(len(self))[index]
        index = np.asarray(index)
        if index.size and index.max() >= len(self.memory) * self.every:
            self.memory.append((int(index.max()), round(resident_memory(), 1)))
        return self.frames[index % len(self.frames)]


def resident_memory():
    """Return the memory that this process has resident now, in MiB (Linux only)."""
    n_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return n_pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def stream(n_frames, network="default", n_samples=50):
    """Predict a stream of frames; gives the resident memory at points of it, in MiB."""
    frames = Stream(STATE["data"]["images"], n_frames, max(1, n_frames // n_samples))
    elapsed = seconds(lambda: STATE["estimators"][network].predict(frames))
    frames.memory.append((n_frames, round(resident_memory(), 1)))
    return {"memory_mib": frames.memory, "images_s": n_frames / elapsed}


def train(minutes, network="default", max_epochs=1000, stop_below=None, **settings):
    """Train on the split for some time, or to an error; gives seconds and errors by epoch.

    The time is that of `fit`, compilation and the watching of the validation frames included.
    """
    import keras

    class Watch(keras.callbacks.Callback):
        """Stops when the time is over or the error is reached."""

        def __init__(self):
            super().__init__()
            self.start, self.epochs = time.perf_counter(), []

        def on_epoch_end(self, epoch, logs=None):
            elapsed, error = time.perf_counter() - self.start, float(logs["val_keypoint_error"])
            self.epochs.append((round(elapsed, 1), round(error, 3)))
            if elapsed > 60 * minutes or (stop_below is not None and error <= stop_below):
                self.model.stop_training = True

    data, watch = STATE["data"], Watch()
    estimator = _make_estimator(
        network,
        **{"early_stopping": True, "warm_start": False, "random_state": 0, **settings},
        max_epochs=max_epochs,
        n_iter_no_change=max_epochs,
        lr_schedule="plateau",
        callbacks=[watch],
    )
    X, y, train, test = (data[name] for name in ("images", "keypoints", "train", "test"))
    estimator.fit(X[train], y[train], validation_data=(X[test], y[test]))
    STATE["estimators"][network] = estimator
    n_batches = -(-len(train) // estimator.batch_size)
    return {"epochs": watch.epochs, "n_steps": len(watch.epochs) * n_batches}


def keypoints(out, network="default"):
    """Write the keypoints of the validation frames."""
    data = STATE["data"]
    np.save(out, STATE["estimators"][network].predict(data["images"][data["test"]]))


if __name__ == "__main__":
    actions = (setup, maps, peaks, augment_and_draw, train_rate, predict, save, load_and_predict)
    actions += (stream, train, keypoints)
    serve({action.__name__: action for action in actions})
