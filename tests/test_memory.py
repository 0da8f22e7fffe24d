"""What stays in memory after a fit."""

import gc
import json
from pathlib import Path
import subprocess
import sys
import weakref

from helpers import interrupt_at
import keras
import numpy as np
import pytest

from skpose import PoseEstimator, Skeleton
from skpose.datasets import make_poses, read_annotations, write_annotations
from skpose.models import CustomArchitecture

# Prints the resident memory after each of 20 fits, and what else stays, in MB.
FIT_MANY_TIMES = """
import gc
import json
import pickle
import sys

import keras
from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.models import CustomArchitecture


def network(inputs, n_outputs):
    x = keras.layers.Conv2D(8, 3, strides=4, padding="same", activation=sys.argv[1])(inputs / 255)
    return keras.layers.Conv2D(n_outputs, 1)(x)


def measure():
    gc.collect()
    with open("/proc/self/statm") as file:
        megabytes = int(file.read().split()[1]) * 4096 / 2**20
    graphs = sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects())
    return {"megabytes": megabytes, "graphs": graphs}


X, y = make_poses(8, image_size=32, random_state=0)
model = CustomArchitecture(network, downsample_factor=2, divisor=4)
settings = {
    "augmenter": None,
    "max_epochs": 1,
    "batch_size": 8,
    "subpixel": False,
    "early_stopping": False,
    "random_state": 0,
}
kept = PoseEstimator(model, warm_start=True, **settings).fit(X, y)
before = kept.predict(X)
measured = []
for _ in range(20):
    estimator = PoseEstimator(model, **settings).fit(X, y)
    measured.append(measure())
for _ in range(5):
    pickle.loads(pickle.dumps(estimator)).predict(X)
copies = measure()
for _ in range(100):
    estimator.predict(X[:1])
few = measure()
for _ in range(int(sys.argv[2])):
    estimator.predict(X[:1])
many = measure()
same = bool((kept.predict(X) == before).all())
kept.fit(X, y)
result = {"fits": measured, "copies": copies, "few": few, "many": many}
print(json.dumps({**result, "same": same, "n_iter": kept.n_iter_}))
"""


def network(inputs, n_outputs):
    return keras.layers.Conv2D(n_outputs, 3, strides=4, padding="same")(inputs / 255)


class Images(np.ndarray):
    """An array that one can ask whether it is still there."""


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("callbacks", [None, [interrupt_at(1)]])
@pytest.mark.filterwarnings("ignore:Training was interrupted:UserWarning")
def test_images_are_let_go_after_fit(early_stopping, callbacks):
    X, y = make_poses(8, image_size=32, random_state=0)
    X = X.view(Images)
    images = weakref.ref(X)
    estimator = PoseEstimator(
        CustomArchitecture(network, downsample_factor=2, divisor=4),
        augmenter=None,
        subpixel=False,
        early_stopping=early_stopping,
        max_epochs=2,
        callbacks=callbacks,
    ).fit(X, y)
    assert estimator.predict(X).shape == y.shape
    del X
    gc.collect()
    assert images() is None


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="resident memory is read from Linux's /proc"
)
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="it is TensorFlow's graphs that were not freed"
)
@pytest.mark.parametrize(("activation", "n_predictions"), [("relu", 10_000), ("silu", 0)])
def test_many_fits_and_predictions_need_no_more_memory_than_a_few(
    activation, n_predictions, tmp_path
):
    script = tmp_path / "fit_many_times.py"
    script.write_text(FIT_MANY_TIMES)
    command = [sys.executable, script, activation, str(n_predictions)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout.splitlines()[-1])
    fits = result["fits"][3:]
    megabytes = [fit["megabytes"] for fit in fits]
    slope = np.polyfit(range(len(fits)), megabytes, 1)[0]
    assert slope < 0.3, megabytes
    assert fits[-1]["graphs"] <= fits[0]["graphs"]
    assert result["copies"]["graphs"] <= fits[0]["graphs"]
    assert result["many"]["megabytes"] - result["few"]["megabytes"] < 5
    assert result["same"]  # an estimator that the user holds is not touched
    assert result["n_iter"] == 2  # and can be trained further


def test_hundreds_of_annotation_sets_are_open_at_a_time(tmp_path):
    resource = pytest.importorskip("resource")
    path, (X, y) = tmp_path / "set.h5", make_poses(3, image_size=32, random_state=0)
    skeleton = Skeleton([f"keypoint{i}" for i in range(y.shape[1])])
    write_annotations(path, X, y, skeleton=skeleton)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        sets = [read_annotations(path) for _ in range(500)]
        assert all((data.images[1] == X[1]).all() for data in sets)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
