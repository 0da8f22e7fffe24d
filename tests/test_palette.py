"""Colours that are told apart, by colour-blind people too."""

import numpy as np
import pytest

from skpose import Skeleton
from skpose._palette import bodypart_colors
from skpose.datasets import make_poses

# What is seen of linear RGB (Machado, Oliveira & Fernandes, 2009, severity 1).
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
MOUSE = make_poses(1, return_bunch=True).skeleton
SIDES = [f"{side}_{part}" for part in range(12) for side in ("left", "right")]
MANY = Skeleton.from_names([*(f"spine{i}" for i in range(8)), *SIDES], guess_swaps=True)
FEW = Skeleton.from_names(["nose", "left_ear", "right_ear", "tail"], guess_swaps=True)


def differences(colors, sight):
    """Return the distances of all pairs of colours in CIELAB; 2 can just be seen."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(SIGHT[sight]), 0, 1)
    xyz = seen @ TO_XYZ.T / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)
    return np.linalg.norm(lab[:, None] - lab, axis=2)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("skeleton", [FEW, MOUSE, MANY], ids=["few", "mouse", "many"])
def test_sides_and_neighbours_differ(skeleton, sight):
    colors = bodypart_colors(len(skeleton), skeleton)
    assert colors.min() >= 0
    assert colors.max() <= 1
    d = differences(colors, sight)
    index = np.arange(len(skeleton))
    has_partner = skeleton.swap_index != index
    assert d[index[has_partner], skeleton.swap_index[has_partner]].min() > 30
    assert d[index[:-1], index[1:]].min() > 15
    if len(skeleton.edges):
        assert d[tuple(skeleton.edges.T)].min() > 15
    d[index, index] = np.inf
    assert d.min() > 1  # all are different


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("n", [1, 2, 7, 8, 21, 40])
def test_without_partners_neighbours_differ(n, sight):
    colors = bodypart_colors(n)
    assert colors.shape == (n, 3)
    assert colors.min() >= 0
    assert colors.max() <= 1
    d = differences(colors, sight)
    assert (d[np.arange(n - 1), np.arange(1, n)] > 25).all()


def test_left_is_blue_and_right_is_orange_whatever_comes_first():
    pairs = {
        ("left_ear", "right_ear"): 0,
        ("earR", "earL"): 1,
        ("ear_r", "ear_l"): 1,
        ("b", "a"): 0,
    }
    for names, left in pairs.items():
        skeleton = Skeleton(names, None, names[::-1])
        colors = bodypart_colors(2, skeleton)
        assert colors[left, 2] > colors[left, 0]
        assert colors[1 - left, 2] < colors[1 - left, 0]


def test_colours_of_matplotlib():
    from matplotlib import colormaps

    np.testing.assert_allclose(bodypart_colors(3, cmap="tab10"), colormaps["tab10"].colors[:3])
    expected = colormaps["viridis"]([0.0, 0.5, 1.0])[:, :3]
    np.testing.assert_allclose(bodypart_colors(3, MOUSE, "viridis"), expected, atol=0.01)
