import numpy as np
import pytest
from sklearn.base import BaseEstimator


class Marker(BaseEstimator):
    """Finds the brightest pixel of each image, and a second keypoint 2 px to the right of it."""

    image_shape_ = (9, 9, 1)
    skeleton = None

    def __init__(self):
        self.n_images = 0
        self.shapes = set()

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, X, *, return_confidence=False):
        from skpose.preprocessing import ImageBatch

        batch = ImageBatch.wrap(X)
        pixels = np.asarray(batch)[..., 0]
        self.n_images += len(pixels)
        self.shapes.add(pixels.shape[1:])
        flat = pixels.reshape(len(pixels), -1)
        rows, cols = np.unravel_index(flat.argmax(axis=1), pixels.shape[1:])
        first = np.stack([cols, rows], axis=1).astype(float)
        keypoints = batch.to_user(np.stack([first, first + [2, 0]], axis=1))
        if not return_confidence:
            return keypoints
        return keypoints, np.repeat(flat.max(axis=1)[:, None] / 255, 2, axis=1)


@pytest.fixture
def marker():
    """An estimator that finds the brightest pixel."""
    return Marker()


@pytest.fixture
def draw_animals():
    """A function that draws ellipses of 6 x 3 px semi-axes: positions (n, m, 2), angles (n, m)."""

    def draw(positions, angles=None, image_size=(64, 80), background=20, level=200):
        positions = np.asarray(positions, dtype=float)
        angles = np.zeros(positions.shape[:2]) if angles is None else np.asarray(angles)
        rows, cols = np.mgrid[: image_size[0], : image_size[1]]
        frames = np.full((len(positions), *image_size, 1), background, dtype=np.uint8)
        for frame, centers, directions in zip(frames, positions, angles, strict=True):
            for (x, y), angle in zip(centers, directions, strict=True):
                along = (cols - x) * np.cos(angle) + (rows - y) * np.sin(angle)
                across = (rows - y) * np.cos(angle) - (cols - x) * np.sin(angle)
                frame[(along / 6) ** 2 + (across / 3) ** 2 <= 1] = level
        return frames

    return draw
