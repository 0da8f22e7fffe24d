"""Trains and predicts with the skpose that PYTHONPATH names, as `compare_checkouts.py` asks."""

import time

from _protocol import seconds, serve
import numpy as np

STATE = {}


def prepare(image_size, n_images):
    """Make images, and an estimator of the default network that is fitted for an epoch."""
    import skpose
    from skpose.datasets import make_poses

    poses = make_poses(n_images, image_size=image_size, random_state=0, return_bunch=True)
    estimator = skpose.PoseEstimator(
        skeleton=poses.skeleton, max_epochs=1, early_stopping=False, random_state=0
    )
    STATE["poses"], STATE["estimator"] = poses, estimator
    estimator.fit(poses.images, poses.keypoints)
    estimator.predict(poses.images[:1])
    estimator.predict(poses.images)
    return skpose.__file__


def prepare_precision(precision):
    """Make another estimator, whose network trains in another precision."""
    from sklearn.base import clone

    poses = STATE["poses"]
    estimator = clone(STATE["estimator"]).set_params(precision=precision)
    STATE[precision] = estimator.fit(poses.images, poses.keypoints)


def train(name="estimator"):
    """Return the images a second of an epoch that is not the first, end to end."""
    import keras

    ends = []
    timer = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
    )
    poses, estimator = STATE["poses"], STATE[name]
    estimator.set_params(max_epochs=2, callbacks=[timer], warm_start=True)
    estimator.fit(poses.images, poses.keypoints)
    return len(poses.images) / (ends[1] - ends[0])


def predict(n_images, repeats):
    """Return the seconds of a call for so many images."""
    images = np.resize(STATE["poses"].images, (n_images, *STATE["poses"].images.shape[1:]))
    STATE["estimator"].predict(images)
    return seconds(lambda: STATE["estimator"].predict(images), repeats) / repeats


def export(folder):
    """Write the estimator to a file, and as an ONNX model, and read the latter for each engine."""
    from skpose.runtime import ExportedPoseEstimator

    estimator = STATE["estimator"].set_params(callbacks=None)
    estimator.save(f"{folder}/model.skpose")
    estimator.export(f"{folder}/model.onnx")
    for engine in ("onnxruntime", "openvino"):
        STATE[engine] = ExportedPoseEstimator(f"{folder}/model.onnx", engine=engine).fit()


def predict_exported(engine, repeats):
    """Return the seconds of a call for one image."""
    image = STATE["poses"].images[:1]
    STATE[engine].predict(image)
    return seconds(lambda: STATE[engine].predict(image), repeats) / repeats


def decode(path):
    """Return the seconds that it takes to read a video's frames."""
    from skpose.video import VideoFrames

    frames = VideoFrames(path)
    return seconds(lambda: [frames[i : i + 32] for i in range(0, len(frames), 32)], 1)


def sample(path):
    """Return the seconds in which frames of a video are chosen by clusters."""
    from skpose.sampling import KMeansSampler
    from skpose.video import VideoFrames

    return seconds(lambda: KMeansSampler(20, random_state=0).select(VideoFrames(path)), 1)


def draw(path, n_frames, out):
    """Return the seconds in which 12 keypoints are drawn over a video."""
    keypoints = np.random.default_rng(0).uniform(0, 400, (n_frames, 12, 2))
    confidence = np.ones((n_frames, 12))
    try:
        from skpose.poses import from_numpy
        from skpose.video_poses import draw_video
    except ImportError:  # an older checkout, in which poses are arrays
        from skpose.video import draw_video

        given = (path, keypoints, confidence)
    else:
        given = (path, from_numpy(keypoints, confidence))
    return seconds(lambda: draw_video(*given, out=out, overwrite=True), 1)


def write_set(path, n_images, image_shape):
    """Write an annotation set of 17 bodyparts in which nothing is labelled."""
    import skpose
    from skpose.datasets import write_annotations

    images = np.broadcast_to(np.uint8(7), (n_images, *image_shape))
    skeleton = skpose.Skeleton([f"part{i}" for i in range(17)])
    write_annotations(path, images, skeleton=skeleton)
    return skpose.__file__


def label(path, image):
    """Return the seconds in which one image of a set is labelled."""
    from skpose.datasets import update_annotations

    keypoints = np.random.default_rng(image).uniform(0, 99, (1, 17, 2))
    return seconds(lambda: update_annotations(path, [image], keypoints), 1)


if __name__ == "__main__":
    serve(
        {
            "prepare": prepare,
            "prepare_precision": prepare_precision,
            "train": train,
            "predict": predict,
            "export": export,
            "predict_exported": predict_exported,
            "decode": decode,
            "sample": sample,
            "draw": draw,
            "write_set": write_set,
            "label": label,
        }
    )
