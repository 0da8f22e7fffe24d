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

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.models import CustomArchitecture

FIT_MANY_TIMES = """
import gc
import json
import pickle

import keras
from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.models import CustomArchitecture


def network(inputs, n_outputs):
    x = keras.layers.Conv2D(8, 3, strides=4, padding="same", activation="elu")(inputs / 255)
    return keras.layers.Conv2D(n_outputs, 1)(x)


def measure():
    gc.collect()
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    graphs = sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects())
    return {"pages": pages, "graphs": graphs}


X, y = make_poses(8, image_size=32, random_state=0)
model = CustomArchitecture(network, downsample_factor=2, divisor=4)
settings = {"augmenter": None, "max_epochs": 1, "random_state": 0}
kept = PoseEstimator(model, warm_start=True, **settings).fit(X, y)
before = kept.predict(X)
measured = []
for _ in range(20):
    estimator = PoseEstimator(model, **settings).fit(X, y)
    measured.append(measure())
for _ in range(5):
    pickle.loads(pickle.dumps(estimator)).predict(X)
measured.append(measure())
same = bool((kept.predict(X) == before).all())
kept.fit(X, y)
print(json.dumps({"measured": measured, "same": same, "n_iter": kept.n_iter_}))
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
def test_many_fits_need_no_more_memory_than_a_few(tmp_path):
    script = tmp_path / "fit_many_times.py"
    script.write_text(FIT_MANY_TIMES)
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout.splitlines()[-1])
    fifth, last, copies = (result["measured"][i] for i in (4, 19, 20))
    assert last["graphs"] <= fifth["graphs"]
    assert copies["graphs"] <= fifth["graphs"]
    assert last["pages"] < 1.1 * fifth["pages"]
    assert result["same"]  # an estimator that the user holds is not touched
    assert result["n_iter"] == 2  # and can be trained further
