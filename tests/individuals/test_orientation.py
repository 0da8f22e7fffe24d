import numpy as np
import pandas as pd
import pytest

from skpose.individuals import make_tracks, resolve_angles


def _turn(angles, expected):
    return np.abs(np.angle(np.exp(1j * (np.asarray(angles) - np.asarray(expected)))))


@pytest.fixture
def walk():
    """A walk on a circle, the direction of motion, and the axis of which half a turn is unknown."""
    t = np.linspace(0, 4 * np.pi, 60)
    positions = 50 + 30 * np.stack([np.cos(t), np.sin(t)], axis=1)
    direction = t + np.pi / 2
    axis = (direction + np.pi / 2) % np.pi - np.pi / 2
    return positions[:, None], direction, axis


def test_the_front_is_where_it_moves_to(walk):
    positions, direction, axis = walk
    tracks = resolve_angles(make_tracks(positions, axis[:, None]))
    assert _turn(tracks["angle"], direction).max() < 1e-9


def test_a_few_steps_backwards_do_not_turn_it(walk):
    positions, direction, axis = walk
    order = np.r_[:30, 30:24:-1, 24:60]
    tracks = resolve_angles(make_tracks(positions[order], axis[order][:, None]))
    assert _turn(tracks["angle"], direction[order]).max() < 1e-9


def test_angles_not_known_stay_so_and_individuals_do_not_mix(walk):
    positions, direction, axis = walk
    axis[[0, 7]] = np.nan
    both = np.concatenate([positions, positions[::-1]], axis=1)
    angles = np.stack([axis, axis[::-1]], axis=1)
    tracks = resolve_angles(make_tracks(both, angles).sample(frac=1, random_state=0)).sort_index()
    found = tracks["angle"].to_numpy().reshape(-1, 2)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(angles))
    assert np.nanmax(_turn(found[:, 0], direction)) < 1e-9
    assert np.nanmax(_turn(found[:, 1], direction[::-1] + np.pi)) < 1e-9


def test_one_that_rests_does_not_flip():
    angles = np.array([[1.5], [-1.5], [1.52], [-1.55]])
    tracks = resolve_angles(make_tracks(np.full((4, 1, 2), 7.0), angles))
    assert _turn(np.diff(tracks["angle"]), 0).max() < 0.2


def test_it_needs_angles():
    with pytest.raises(ValueError, match="no column angle"):
        resolve_angles(pd.DataFrame({"frame": [0], "id": 0, "x": 0.0, "y": 0.0}))


@pytest.mark.parametrize("column", ["frame", "id", "x", "angle"])
def test_a_column_that_is_missing_is_told(column):
    tracks = make_tracks([[[1.0, 5.0]], [[2.0, 5.0]]], angles=np.zeros((2, 1)))
    with pytest.raises(ValueError, match=column):
        resolve_angles(tracks.drop(columns=column))
