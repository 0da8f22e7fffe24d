import numpy as np
import pandas as pd
import pytest

from skpose.individuals import interpolate_tracks


def _track(frames, x, name=0, **columns):
    return pd.DataFrame({"frame": frames, "id": name, "x": x, "y": 0.0, **columns})


def test_short_gaps_are_filled_and_long_ones_left_whole():
    tracks = _track([2, 5, 9], [0.0, 3.0, 7.0])
    filled = interpolate_tracks(tracks, max_gap=2)  # gaps of 2 and of 3 frames
    assert filled["frame"].tolist() == [2, 3, 4, 5, 9]
    assert filled["x"].tolist() == [0, 1, 2, 3, 7]
    assert interpolate_tracks(tracks, max_gap=3)["x"].tolist() == list(range(8))


def test_individuals_do_not_mix():
    one, other = _track([0, 2], [0.0, 2.0], "b"), _track([0, 2], [10.0, 30.0], "a")
    filled = interpolate_tracks(pd.concat([one, other]), max_gap=1)
    assert filled["frame"].tolist() == [0, 0, 1, 1, 2, 2]
    assert filled["id"].tolist() == ["b", "a"] * 3
    assert filled["x"].tolist() == [0, 10, 1, 20, 2, 30]


def test_angles_turn_the_shorter_way():
    angle = np.deg2rad([170.0, -170.0])
    filled = interpolate_tracks(_track([0, 4], [0.0, 4.0], angle=angle))
    expected = np.deg2rad([170, 175, 180, -175, -170])
    turn = np.exp(1j * (filled["angle"].to_numpy() - expected))
    np.testing.assert_allclose(turn, 1, atol=1e-12)


def test_angles_not_known_are_filled_by_the_same_rule():
    angle = np.array([np.nan, 0.0, np.nan, 0.2, np.nan, np.nan, 0.5, np.nan])
    tracks = _track(np.arange(8), np.arange(8.0), angle=angle)
    filled = interpolate_tracks(tracks, max_gap=1)["angle"].to_numpy()
    expected = np.array([np.nan, 0.0, 0.1, 0.2, np.nan, np.nan, 0.5, np.nan])
    np.testing.assert_allclose(filled, expected, atol=1e-12)


def test_nothing_to_fill():
    tracks = _track([0, 2], [0.0, 2.0])
    pd.testing.assert_frame_equal(interpolate_tracks(tracks, max_gap=0), tracks)
    pd.testing.assert_frame_equal(interpolate_tracks(tracks[:0]), tracks[:0])
    with pytest.raises(ValueError, match="max_gap"):
        interpolate_tracks(tracks, max_gap=-1)
