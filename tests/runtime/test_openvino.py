from collections import Counter

import numpy as np
import openvino
import pytest

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.models import StackedDenseNet
from skpose.runtime import ExportedPoseEstimator
from skpose.runtime._openvino import _replace_selu


@pytest.fixture(scope="module")
def poses():
    return make_poses(8, image_size=32, random_state=0)


@pytest.fixture(scope="module")
def estimator(poses):
    network = StackedDenseNet(1, growth_rate=4)
    return PoseEstimator(network, max_epochs=2, augmenter=None, random_state=0).fit(*poses)


@pytest.fixture(scope="module")
def path(estimator, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "mouse.onnx"
    estimator.export(path)
    return path


def _kinds(model):
    """What OpenVINO computes one by one, once it has joined what it can."""
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    nodes = compiled.get_runtime_model().get_ops()
    return Counter(node.get_rt_info()["layerType"].astype(str) for node in nodes)


@pytest.mark.slow
def test_selu_is_computed_along_with_convolutions(path):
    model = openvino.Core().read_model(path)
    before = _kinds(model)
    assert before["Math"] > 10  # the activations
    _replace_selu(model)
    after = _kinds(model)
    assert after["Math"] == 0
    assert after["Eltwise"] <= before["Eltwise"]
    assert after["Convolution"] == before["Convolution"]


@pytest.mark.slow
def test_a_network_of_selus_predicts_what_the_estimator_predicts(poses, estimator, path):
    exported = ExportedPoseEstimator(path, engine="openvino")
    for n_samples in (1, 7, 8, 19):  # some at a time, and the rest one by one
        images = np.resize(poses[0], (n_samples, *poses[0].shape[1:]))
        expected, expected_confidence = estimator.predict(images, return_confidence=True)
        keypoints, confidence = exported.predict(images, return_confidence=True)
        np.testing.assert_allclose(keypoints, expected, atol=0.01)
        np.testing.assert_allclose(confidence, expected_confidence, atol=1e-3)
