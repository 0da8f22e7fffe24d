"""Which engine and which processor are chosen, by what is there."""

from importlib import util

import numpy as np
import pytest

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.models import ResidualUNet
from skpose.runtime import ExportedPoseEstimator, _engines
from skpose.runtime._engines import choose_engine, choose_providers

onnxruntime = pytest.importorskip("onnxruntime")
CPU, CUDA, TENSORRT = (f"{name}ExecutionProvider" for name in ("CPU", "CUDA", "Tensorrt"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    pytest.importorskip("tf2onnx")
    X, y = make_poses(8, image_size=32, random_state=0)
    path = tmp_path_factory.mktemp("exported") / "mouse.onnx"
    PoseEstimator(ResidualUNet(4), max_epochs=1, random_state=0).fit(X, y).export(path)
    return ExportedPoseEstimator(path)


@pytest.fixture
def machine(monkeypatch):
    """Let ONNX Runtime run on some processors, and some engines be installed."""

    def set_up(providers=(CPU,), installed=("onnxruntime", "openvino")):
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(providers))
        find = util.find_spec
        monkeypatch.setattr(
            _engines,
            "find_spec",
            lambda name: find("json") if name in installed else None,
        )

    return set_up


def test_the_fastest_that_is_installed(machine):
    machine()
    assert choose_engine("auto", "float32") == "openvino"
    assert choose_engine("onnxruntime", "float32") == "onnxruntime"
    machine(installed=["onnxruntime"])
    assert choose_engine("auto", "float32") == "onnxruntime"
    assert choose_engine("auto", "bfloat16") == "openvino"  # says what to install
    machine(providers=[TENSORRT, CUDA, CPU])
    assert choose_engine("auto", "float32") == "onnxruntime"
    assert choose_engine("auto", "bfloat16") == "openvino"


def test_a_gpu_is_taken_where_there_is_one_and_tensorrt_where_it_is_named(machine):
    machine()
    assert choose_providers("onnxruntime") == [CPU]
    with pytest.raises(ValueError, match="has no TensorRT. Install onnxruntime-gpu"):
        choose_providers("tensorrt")
    machine(providers=[CUDA, CPU])
    assert choose_providers("onnxruntime") == [CUDA, CPU]
    machine(providers=[TENSORRT, CUDA, "AzureExecutionProvider", CPU])
    assert choose_providers("onnxruntime") == [CUDA, CPU]
    assert choose_providers("tensorrt") == [TENSORRT, CUDA, CPU]


def test_sessions_are_asked_for_what_was_chosen(machine, exported, monkeypatch):
    asked = []
    start = onnxruntime.InferenceSession

    def start_on_cpu(content, sess_options, providers):
        asked.append(providers)
        return start(content, sess_options=sess_options, providers=[CPU])

    monkeypatch.setattr(onnxruntime, "InferenceSession", start_on_cpu)
    machine(providers=[TENSORRT, CUDA, CPU])
    X = np.zeros((1, *exported.image_shape_), dtype=np.uint8)
    asked.clear()
    for engine in ("auto", "onnxruntime", "tensorrt"):
        ExportedPoseEstimator(exported.path, engine=engine).predict(X)
    assert asked == [[CUDA, CPU], [CUDA, CPU], [TENSORRT, CUDA, CPU]]


def test_auto_is_told_apart_by_what_it_chose(machine, exported):
    def fingerprint(engine):
        return ExportedPoseEstimator(exported.path, engine=engine).fingerprint()

    machine()
    assert fingerprint("auto") == fingerprint("openvino") != fingerprint("onnxruntime")
    machine(installed=["onnxruntime"])
    assert fingerprint("auto") == fingerprint("onnxruntime")
