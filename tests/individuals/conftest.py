from helpers import Marker
import numpy as np
import pytest


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
