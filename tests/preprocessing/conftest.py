import numpy as np
import pytest


@pytest.fixture
def draw_blobs():
    """A function that draws a Gaussian at each (x, y), one an image."""

    def draw(centers, image_size=(32, 32), sigma=2.5):
        rows, cols = np.mgrid[: image_size[0], : image_size[1]]
        x, y = np.asarray(centers, dtype=float).T[:, :, None, None]
        blobs = np.exp(-((cols - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
        return np.rint(255 * blobs).astype(np.uint8)[..., None]

    return draw


@pytest.fixture
def find_blobs():
    """A function that gives the (x, y) of the centre of mass of each image."""

    def find(images):
        images = np.asarray(images, dtype=float)[..., 0]
        rows, cols = np.mgrid[: images.shape[1], : images.shape[2]]
        mass = images.sum(axis=(1, 2))
        return (
            np.stack([(images * cols).sum((1, 2)), (images * rows).sum((1, 2))], axis=1)
            / mass[:, None]
        )

    return find


@pytest.fixture
def noise():
    """Five images without any structure, 12 x 16."""
    return np.random.default_rng(0).integers(0, 256, (5, 12, 16, 3), dtype=np.uint8)
