"""The same fitted thing, whatever holds it, in everything that asks for poses."""

import signal
from types import SimpleNamespace

from helpers import control_c_heeded
import numpy as np
from numpy.testing import assert_allclose
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skpose
from skpose import PoseEstimator
from skpose._predictor import Predictor, find_in_batches
from skpose.baseline import MeanPoseRegressor
from skpose.datasets import make_poses, read_annotations, write_annotations
from skpose.individuals import predict_individuals
from skpose.models import ResidualUNet
from skpose.plot import KeypointErrorDisplay, PoseDisplay
from skpose.poses import to_numpy
from skpose.preprocessing import ImageBatch, ImageResizer
from skpose.sampling import (
    AutoregressiveSampler,
    ConfidenceSampler,
    EnsembleSampler,
    EntropySampler,
    MotionSampler,
    initialize_annotations,
)
from skpose.video import VideoFrames
from skpose.video_poses import PoseStream, predict_video

av = pytest.importorskip("av")
pytest.importorskip("matplotlib").use("Agg")


@pytest.fixture(scope="module")
def poses():
    return make_poses(12, image_size=32, random_state=0, return_bunch=True)


@pytest.fixture(scope="module")
def holders(poses, tmp_path_factory):
    """What finds keypoints, by the name of what holds it."""
    plain = PoseEstimator(
        ResidualUNet(4), skeleton=poses.skeleton, max_epochs=1, random_state=0, augmenter=None
    ).fit(poses.images, poses.keypoints)
    search = GridSearchCV(
        make_pipeline(ImageResizer(scale=0.75), MeanPoseRegressor()),
        {"imageresizer__scale": [0.5, 1.0]},
        cv=2,
    )
    holders = {
        "estimator": plain,
        "pipeline": make_pipeline(ImageResizer(scale=2), plain),
        "search": search.fit(poses.images, poses.keypoints),
        "frozen": FrozenEstimator(make_pipeline("passthrough", plain)),
        "mean": MeanPoseRegressor().fit(poses.images, poses.keypoints),
    }
    try:
        import onnxruntime  # noqa: F401
        import tf2onnx  # noqa: F401
    except ImportError:
        return holders
    path = tmp_path_factory.mktemp("exported") / "m.onnx"
    plain.export(path)
    return {**holders, "exported": skpose.load(path)}


@pytest.fixture(scope="module")
def video(poses, tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "animal.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, width=32, height=32)
        for image in poses.images:
            frame = av.VideoFrame.from_ndarray(np.repeat(image, 3, axis=2))
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def display_poses(holder, data):
    display = PoseDisplay.from_estimator(holder, data.images, n_images=None)
    return data.images, display.keypoints


def display_errors(holder, data):
    display = KeypointErrorDisplay.from_estimator(holder, data.images, data.keypoints)
    assert display.errors.shape == data.keypoints.shape[:2]
    return None


def predict_a_video(holder, data):
    keypoints, _ = to_numpy(predict_video(holder, data.video))
    return VideoFrames(data.video, n_channels=Predictor(holder).n_channels)[:], keypoints


def stream(holder, data):
    poses = list(PoseStream(holder, data.images, drop=False))
    return data.images, np.stack([pose.keypoints for pose in poses])


def predict_the_individual(holder, data):
    n_frames = len(data.images)
    tracks = pd.DataFrame({"frame": range(n_frames), "id": "a", "x": 15.5, "y": 15.5})
    found = predict_individuals(holder, data.images, tracks, box_size=32)
    return data.images, to_numpy(found)[0][:, 0]


def initialize(holder, data):
    path = data.folder / "set.h5"
    nothing = np.full_like(data.keypoints, np.nan)
    write_annotations(path, data.images, nothing, skeleton=data.skeleton, overwrite=True)
    index = initialize_annotations(holder, path, batch_size=4)
    assert len(index) == len(data.images)
    return data.images, read_annotations(path, labelled="all").keypoints


def sample(make):
    def choose(holder, data):
        index = make(holder).set_params(n_frames=3, min_separation=1).select(data.images)
        assert len(index) == 3
        return None

    return choose


CONSUMERS = {
    "PoseDisplay": display_poses,
    "KeypointErrorDisplay": display_errors,
    "predict_video": predict_a_video,
    "PoseStream": stream,
    "predict_individuals": predict_the_individual,
    "initialize_annotations": initialize,
    "ConfidenceSampler": sample(ConfidenceSampler),
    "EntropySampler": sample(EntropySampler),
    "MotionSampler": sample(MotionSampler),
    "AutoregressiveSampler": sample(AutoregressiveSampler),
    "EnsembleSampler": sample(lambda holder: EnsembleSampler([holder, holder])),
}
NO_CONFIDENCE = "needs an estimator that tells its confidence"
NO_MAPS = "has no confidence maps. Use the PoseEstimator"
REFUSED = {
    ("ConfidenceSampler", "mean"): NO_CONFIDENCE,
    ("ConfidenceSampler", "search"): NO_CONFIDENCE,
    ("EntropySampler", "mean"): NO_MAPS,
    ("EntropySampler", "search"): NO_MAPS,
    ("EntropySampler", "exported"): NO_MAPS,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "holder", ["estimator", "pipeline", "search", "frozen", "mean", "exported"]
)
@pytest.mark.parametrize("consumer", CONSUMERS)
def test_every_pair_works(consumer, holder, holders, poses, video, tmp_path):
    if holder not in holders:
        pytest.skip("ONNX Runtime or tf2onnx is not installed")
    data = SimpleNamespace(**poses, video=video, folder=tmp_path)
    estimator, consume = holders[holder], CONSUMERS[consumer]
    if (consumer, holder) in REFUSED:
        with pytest.raises(TypeError, match=REFUSED[consumer, holder]):
            consume(estimator, data)
        return
    result = consume(estimator, data)
    if result is not None:
        images, keypoints = result
        assert_allclose(keypoints, estimator.predict(images), atol=0.01)


def test_fingerprints_tell_what_predicts_differently(holders, poses):
    prints = {name: Predictor(holder).fingerprint() for name, holder in holders.items()}
    assert prints.pop("frozen") == prints["estimator"]  # passes images through as they are
    assert len(set(prints.values())) == len(prints)
    other = make_pipeline(ImageResizer(scale=3), holders["estimator"])
    assert Predictor(other).fingerprint() != prints["pipeline"]


def test_an_engine_is_part_of_the_fingerprint(holders):
    if "exported" not in holders:
        pytest.skip("ONNX Runtime or tf2onnx is not installed")
    exported = holders["exported"]
    other = skpose.runtime.ExportedPoseEstimator(exported.path, engine="openvino")
    assert exported.fingerprint() != other.fingerprint()


def test_what_nothing_tells_is_asked_of_a_frame(poses):
    class Anything:
        def predict(self, X):
            return np.zeros((len(X), 4, 2))

    predictor = Predictor(Anything())
    assert predictor.n_channels == 3
    assert predictor.image_size is None
    assert predictor.names(lambda: poses.images[0]) == tuple(f"keypoint_{i}" for i in range(4))
    keypoints, confidence = predictor.predict(poses.images, batch_size=4)
    assert keypoints.shape == (12, 4, 2)
    assert confidence is None


def test_an_estimator_that_takes_any_option_need_not_know_confidence(poses):
    class Anything:
        def predict(self, X, **options):
            return np.full((len(X), 3, 2), 7.0)

    keypoints, confidence = Predictor(Anything()).predict(poses.images[:2])
    assert keypoints.shape == (2, 3, 2)
    assert confidence is None


def test_an_interrupt_waits_until_a_mini_batch_is_found():
    n_found = []

    def find(images):
        signal.raise_signal(signal.SIGINT)
        n_found.append(len(images))
        return np.zeros((len(images), 1, 3))

    batch = ImageBatch.wrap(np.zeros((4, 8, 8, 1), dtype=np.uint8))
    with control_c_heeded(), pytest.raises(KeyboardInterrupt):
        find_in_batches(find, batch, 1, batch_size=2)
    assert n_found == [2]
