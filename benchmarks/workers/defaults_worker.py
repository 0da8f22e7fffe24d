"""Trains with the defaults of the skpose that PYTHONPATH names, as `defaults.py` asks."""

import time

START = time.perf_counter()

from _protocol import serve  # noqa: E402
import numpy as np  # noqa: E402


def train(path, seed, minutes=None, epochs=None, scale=1.0, from_start=False):
    """Train with all defaults on some images, and return where bodyparts are found in others.

    It may take so many minutes or epochs. A skpose that knows no budget of time is stopped when the
    time is over. With `from_start` the clock is that of the process, as a person sees it, otherwise
    that of `fit`.
    """
    import skpose
    from skpose.preprocessing import ImageResizer

    with np.load(path) as data:
        images, keypoints, test = data["images"], data["keypoints"], data["test_images"]
        skeleton = skpose.Skeleton(data["names"].tolist(), data["parents"], data["swaps"])
    if scale != 1:
        resizer = ImageResizer(scale=scale).fit(images)
        images, test = resizer.transform(images), resizer.transform(test)
    seconds = None if minutes is None else minutes * 60
    if from_start:
        seconds -= time.perf_counter() - START
    estimator = skpose.PoseEstimator(skeleton=skeleton, random_state=seed)
    if seconds is None:
        estimator.set_params(max_epochs=epochs)
    elif "max_minutes" in estimator.get_params():
        estimator.set_params(max_minutes=seconds / 60)
    else:
        estimator.set_params(max_epochs=100_000, callbacks=[stop_after(seconds)])
    start = time.perf_counter()
    estimator.fit(images, keypoints)
    took = time.perf_counter() - start
    np.save(path.replace(".npz", ".npy"), estimator.predict(test))
    return {
        "minutes": round(took / 60, 2),
        "epochs": estimator.n_iter_,
        "kept_epoch": estimator.best_epoch_ + 1,
    }


def stop_after(seconds):
    """Return a callback that ends training at a step when the time is over."""
    import keras

    end = time.perf_counter() + seconds

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if time.perf_counter() > end:
                self.model.stop_training = True

    return Stop()


def where():
    """Return which skpose this is."""
    import skpose

    return skpose.__file__


if __name__ == "__main__":
    serve({"train": train, "where": where})
