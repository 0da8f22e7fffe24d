import numpy as np
import pytest

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.models import StackedDenseNet
from skpose.targets import ConfidenceMaps


def small_estimator(**params):
    """An estimator that trains in a second or two."""
    defaults = {
        "model": StackedDenseNet(n_stacks=1, growth_rate=8),
        "targets": ConfidenceMaps(sigma=3.0, downsample_factor=1),
        "augmenter": None,
        "batch_size": 4,
        "max_epochs": 2,
        "random_state": 0,
    }
    return PoseEstimator(**{**defaults, **params})


@pytest.fixture(scope="session")
def poses():
    """Twelve small images, their keypoints and the skeleton."""
    return make_poses(12, image_size=32, random_state=0, return_bunch=True)


@pytest.fixture(scope="session")
def fitted(poses):
    """A fitted estimator, which tests do not change."""
    return small_estimator(skeleton=poses.skeleton).fit(poses.images, poses.keypoints)


@pytest.fixture(scope="session")
def blobs():
    """Images with one bright blob, which is easy to learn, and its position."""
    rng = np.random.default_rng(0)
    y = rng.uniform(6, 25, (16, 1, 2))
    cells = np.arange(32.0)
    across = np.exp(-((cells - y[..., :1]) ** 2) / 8)  # (n_samples, 1, width)
    down = np.exp(-((cells - y[..., 1:]) ** 2) / 8)
    images = 40 + 200 * down[:, 0, :, None] * across[:, 0, None, :]
    return np.round(images).astype(np.uint8)[..., None], y
