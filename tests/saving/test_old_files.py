"""Files that were written once, and that every later version must read.

Beside each are two images and what the model gave for them then. A new format gets new files; the
old ones stay.
"""

from pathlib import Path

import numpy as np
import pytest

import skpose
from skpose._predictor import Predictor
from skpose.datasets import make_poses
from skpose.runtime import ExportedPoseEstimator

FILES = Path(__file__).parent / "files"
MODELS = sorted(path.stem for path in FILES.glob("*.skpose"))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_then_predicts_what_it_did(name):
    expected = np.load(FILES / f"{name}.npz")
    model = skpose.load(FILES / f"{name}.skpose")
    images = expected["images"]
    maps = Predictor(model).predict_maps(images)[:, ::4, ::4]
    np.testing.assert_allclose(maps, expected["maps"], atol=1e-3 * np.ptp(expected["maps"]))
    np.testing.assert_allclose(model.predict(images), expected["keypoints"], atol=0.05)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_then_is_trained_further(name):
    model = skpose.load(FILES / f"{name}.skpose")
    last = Predictor(model).last
    assert last.n_iter_ == 200
    assert last.history_["loss"][-1] < 0.5 * last.history_["loss"][0]
    size = np.load(FILES / f"{name}.npz")["images"].shape[1]
    X, y = make_poses(8, size, random_state=1)
    last.set_params(warm_start=True, max_epochs=201)
    model.fit(X, y)
    assert last.n_iter_ > 200
    assert last.history_["loss"][200] < 0.5 * last.history_["loss"][0]  # it did not begin anew


def test_an_exported_model_of_then_predicts_what_it_did():
    pytest.importorskip("onnxruntime")
    expected = np.load(FILES / "format_2.npz")
    exported = ExportedPoseEstimator(FILES / "exported.onnx").fit()
    found = exported.predict(expected["images"])
    np.testing.assert_allclose(found, expected["keypoints"], atol=0.05)


def test_there_is_a_model_of_each_format():
    assert MODELS == ["format_1", "format_2"]
