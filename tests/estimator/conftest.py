from helpers import small_estimator
import numpy as np
import pytest

from skpose.datasets import make_poses


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
