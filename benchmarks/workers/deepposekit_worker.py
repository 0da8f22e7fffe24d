"""DeepPoseKit's side of compare_deepposekit.py; runs in DeepPoseKit's environment."""

import json
from pathlib import Path
import time

from _protocol import seconds, serve
import cv2
from deepposekit.augment.FlipAxis import FlipAxis
from deepposekit.io import TrainingGenerator
from deepposekit.io.BaseGenerator import BaseGenerator
from deepposekit.models import StackedDenseNet
from deepposekit.models.layers.subpixel import SubpixelMaxima2D
from deepposekit.models.loading import CUSTOM_LAYERS
from deepposekit.utils import keypoints as drawing
from deepposekit.utils.image import largest_factor
import imgaug as ia
import imgaug.augmenters as iaa
import numpy as np
import tensorflow as tf

STATE = {}


class ArrayGenerator(BaseGenerator):
    """Images and keypoints in memory; `DataGenerator` cannot read HDF5 with a current h5py."""

    def __init__(self, data):
        self.images, self.keypoints = data["images"], data["keypoints"].astype(np.float64)
        self.graph, self.swap_index = data["parents"], data["swap_index"]
        super().__init__()

    def __len__(self):
        return len(self.images)

    def compute_image_shape(self):
        return self.images.shape[1:]

    def compute_keypoints_shape(self):
        return self.keypoints.shape[1:]

    def get_images(self, indexes):
        return self.images[indexes]

    def get_keypoints(self, indexes):
        return self.keypoints[indexes].copy()


class Mirror(FlipAxis):
    """`FlipAxis` as it was meant.

    imgaug 0.4 no longer calls the methods that it overrides: it then mirrors up-down whatever the
    axis, and renames no keypoint.
    """

    _augment_batch_ = iaa.Augmenter._augment_batch_


def example_augmenter(generator):
    """Return the augmentation of DeepPoseKit's example notebook."""
    loose = {"mode": ia.ALL, "order": ia.ALL, "cval": ia.ALL}
    sometimes = [
        iaa.Affine(
            scale={"x": (0.95, 1.05), "y": (0.95, 1.05)},
            translate_percent={"x": (-0.05, 0.05), "y": (-0.05, 0.05)},
            shear=(-8, 8),
            **loose,
        ),
        iaa.Affine(scale=(0.8, 1.2), **loose),
    ]
    return iaa.Sequential(
        [
            Mirror(generator, axis=0),
            Mirror(generator, axis=1),
            iaa.Sometimes(0.75, sometimes),
            iaa.Affine(rotate=(-180, 180), **loose),
        ]
    )


def affine_augmenter(generator):
    """Return both mirrors, and one affine with rotation, scale and translation."""
    return iaa.Sequential(
        [
            Mirror(generator, axis=0),
            Mirror(generator, axis=1),
            iaa.Affine(
                rotate=(-180, 180),
                scale=(0.8, 1.2),
                translate_percent={"x": (-0.05, 0.05), "y": (-0.05, 0.05)},
            ),
        ]
    )


def setup(data, seed=0):
    """Read the data and build the network of the paper."""
    tf.keras.utils.set_random_seed(seed)
    ia.seed(seed)
    data = dict(np.load(data))
    generator = ArrayGenerator(data)
    training = TrainingGenerator(
        generator,
        downsample_factor=2,
        use_graph=True,
        augmenter=example_augmenter(generator),
        sigma=5,
        validation_split=len(data["test"]) / len(data["images"]),
        random_seed=seed,
    )
    training.train_index, training.val_index = data["train"], data["test"]
    training.n_train, training.n_validation = len(data["train"]), len(data["test"])
    training.on_epoch_end()
    model = StackedDenseNet(training, n_stacks=2, growth_rate=48)
    model.compile(optimizer=tf.keras.optimizers.Adam(1e-3), loss="mse")
    STATE.update(data=data, generator=generator, training=training, model=model)
    return {"parameters": model.train_model.count_params(), "tensorflow": tf.__version__}


def maps(batch_size=16, repeats=1):
    """Draw the confidence maps of a batch, with the posture graph."""
    training, data = STATE["training"], STATE["data"]
    images, keypoints = data["images"][:batch_size], data["keypoints"][:batch_size]

    def draw():
        return drawing.draw_confidence_maps(
            images, keypoints, training.graph, training.output_shape, True, training.output_sigma
        )

    return seconds(draw, repeats) / (batch_size * repeats)


def peaks(path, sigma, out=None, repeats=1):
    """Find the peaks of maps, in cells."""
    maps = np.load(path)
    find = STATE.setdefault("peaks", {}).get((maps.shape, sigma))
    if find is None:
        side = min(maps.shape[1:3])
        kernel_size = side // largest_factor(side) + 1
        layer = SubpixelMaxima2D(kernel_size, sigma, upsample_factor=100, index=maps.shape[3])
        find = STATE["peaks"][maps.shape, sigma] = tf.function(layer)
    tensor = tf.constant(maps)
    if out:
        np.save(out, find(tensor).numpy()[..., :2])
        return None
    return seconds(lambda: find(tensor).numpy(), repeats) / (len(maps) * repeats)


def augment_and_draw(batch_size=16, repeats=1):
    """Augment a batch and draw its maps."""
    training = STATE["training"]
    example, training.augmenter = training.augmenter, affine_augmenter(STATE["generator"])
    generator = training(1, batch_size)
    training.augmenter = example
    return seconds(lambda: generator[0], repeats) / (batch_size * repeats)


def train_rate(n_images=80, n_epochs=2, batch_size=16, n_workers=1):
    """Train some epochs and give the images a second of all but the first, end to end."""
    model = STATE["model"]
    ends = []
    timer = tf.keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
    )
    n_validation, STATE["training"].n_validation = STATE["training"].n_validation, 0
    steps = n_images // batch_size
    model.fit(
        batch_size,
        callbacks=[timer],
        epochs=n_epochs,
        steps_per_epoch=steps,
        n_workers=n_workers,
        verbose=0,
    )
    STATE["training"].n_validation = n_validation
    return [steps * batch_size / elapsed for elapsed in np.diff(ends)]


def step(batch_size=16, repeats=3):
    """Return the seconds of a training step alone, its batch being ready."""
    model = STATE["model"]
    X, y = STATE["training"](model.n_outputs, batch_size)[0]
    model.train_model.train_on_batch(X, y)
    return seconds(lambda: model.train_model.train_on_batch(X, y), repeats) / repeats


def predict(n_images=100, batch_size=100):
    """Return the seconds per image from images to keypoints."""
    images = np.resize(STATE["data"]["images"], (n_images, *STATE["data"]["images"].shape[1:]))
    model = STATE["model"]

    def run():
        for start in range(0, n_images, batch_size):
            model.predict_on_batch(images[start : start + batch_size])

    return seconds(run) / n_images


def save(path):
    """Write the network and what `load_and_predict` needs to know.

    `deepposekit.models.save_model` imports a private module that TensorFlow no longer has whole.
    """
    network, config = STATE["model"].train_model, STATE["training"].get_config()
    network.save(path)
    names = ("image_shape", "output_shape", "keypoints_shape", "downsample_factor", "output_sigma")
    Path(path).with_suffix(".json").write_text(json.dumps({name: config[name] for name in names}))


def load_and_predict(path, image):
    """Load a network as `deepposekit.models.load_model` does, and predict one image."""
    config = json.loads(Path(path).with_suffix(".json").read_text())
    model = StackedDenseNet(None, skip_init=True)
    model.train_model = tf.keras.models.load_model(path, custom_objects=CUSTOM_LAYERS)
    model.__init_train_model__()
    model.__init_input__(config.pop("image_shape"))
    model.__init_predict_model__(**config)
    model.predict_on_batch(np.load(image))


def errors():
    """Return the distances of the validation frames' keypoints, in pixels."""
    return STATE["model"].evaluate(len(STATE["data"]["test"]))["euclidean"]


def cut_blur(sigmas=8):
    """Make DeepPoseKit's drawing of lines faster, for when only the errors matter.

    It blurs each line with a kernel as large as the image. Without what lies further than `sigmas`
    standard deviations the maps differ by less than 1e-12.
    """
    blur = cv2.GaussianBlur

    def blur_nearby(image, size, sigma):
        side = min(min(size), 2 * int(np.ceil(sigmas * sigma)) + 1)
        return blur(image, (side, side), sigma)

    drawing.cv2 = type("cv2", (), {**vars(cv2), "GaussianBlur": staticmethod(blur_nearby)})


def train(folder, max_epochs, max_seconds, batch_size=16, n_workers=1, quick=False):
    """Train with the paper's settings, going on from what `folder` holds; returns the history.

    The learning rate stays as it is: the paper's rule, a fifth after 10 epochs whose validation
    loss is no better, strikes after 13 epochs of 5 steps here, with an error of 40 px.
    """
    if quick:
        cut_blur()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model, network = STATE["model"], STATE["model"].train_model
    history = _resume(folder, network)
    start = time.perf_counter()
    while len(history) < max_epochs and time.perf_counter() - start < max_seconds:
        epoch_start = time.perf_counter()
        model.fit(batch_size, validation_batch_size=10, epochs=1, n_workers=n_workers, verbose=0)
        distances = errors()
        history.append(
            {
                "seconds": None if quick else round(time.perf_counter() - epoch_start, 2),
                "loss": round(network.history.history["loss"][-1], 3),
                "val_loss": round(network.history.history["val_loss"][-1], 3),
                "learning_rate": float(network.optimizer.learning_rate),
                "mean_px": round(float(np.mean(distances)), 3),
                "median_px": round(float(np.median(distances)), 3),
                "p95_px": round(float(np.percentile(distances, 95)), 3),
                "max_px": round(float(np.max(distances)), 3),
            }
        )
        print(len(history), history[-1], flush=True)
        if len(history) % 5 == 0:
            _checkpoint(folder, network, history)
    _checkpoint(folder, network, history)
    return history


def _checkpoint(folder, network, history):
    arrays = {f"weight{i}": value for i, value in enumerate(network.get_weights())}
    for i, variable in enumerate(network.optimizer.variables):
        arrays[f"optimizer{i}"] = variable.numpy()
    np.savez(folder / "new.npz", **arrays)
    (folder / "new.npz").replace(folder / "checkpoint.npz")
    (folder / "history.json").write_text(json.dumps(history))


def _resume(folder, network):
    if not (folder / "history.json").exists():
        return []
    arrays = np.load(folder / "checkpoint.npz")
    network.set_weights([arrays[f"weight{i}"] for i in range(len(network.get_weights()))])
    network.optimizer.build(network.trainable_variables)
    for i, variable in enumerate(network.optimizer.variables):
        variable.assign(arrays[f"optimizer{i}"])
    return json.loads((folder / "history.json").read_text())


if __name__ == "__main__":
    actions = (setup, maps, peaks, augment_and_draw, train_rate, step, predict, save)
    actions += (load_and_predict, train)
    serve({action.__name__: action for action in actions})
