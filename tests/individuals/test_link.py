import numpy as np
import pandas as pd
import pytest

from skpose.individuals import BlobDetector, link_detections, make_tracks, track_individuals


def _detections(positions, seed=0):
    """Detections of positions (n_frames, n_individuals, 2), in a random order in each frame."""
    table = make_tracks(positions).rename(columns={"id": "true"})
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


def _same(tracks):
    """Whether ids and true individuals are the same but for their names."""
    pairs = tracks[["id", "true"]].drop_duplicates()
    return pairs["id"].is_unique and pairs["true"].is_unique


@pytest.fixture
def crossing():
    """Two individuals that pass each other within 2 px at 3 px a frame, with errors of 0.3 px."""
    frames = np.arange(40)
    one = np.stack([3.0 * frames, 20 + 0 * frames], axis=1)
    other = np.stack([118.0 - 3 * frames, 22 + 0 * frames], axis=1)
    positions = np.stack([one, other], axis=1)
    return positions + np.random.default_rng(0).normal(0, 0.3, positions.shape)


@pytest.mark.parametrize("n_individuals", [2, None])
def test_ids_are_kept_where_paths_cross(crossing, n_individuals):
    tracks = link_detections(_detections(crossing), n_individuals)
    assert len(tracks) == 80
    assert sorted(tracks["id"].unique()) == [0, 1]
    assert _same(tracks)


def test_ids_are_kept_while_one_is_hidden(crossing):
    crossing[18:22, 1] = np.nan
    tracks = link_detections(_detections(crossing), 2)
    assert len(tracks) == 76
    assert _same(tracks)


def test_all_assigned_together_is_nearer_than_one_after_the_other():
    # taking the nearest pair first (1 px) would leave the others 11 px apart
    found = pd.DataFrame({"frame": [0, 0, 1, 1], "x": [0.0, 5.0, 4.0, 10.0], "y": 0.0})
    assert link_detections(found, 2)["id"].tolist() == [0, 1, 0, 1]


def test_absence_ends_an_individual():
    found = pd.DataFrame({"frame": [0, 1, 2, 6, 7], "x": 1.0, "y": 2.0})
    assert link_detections(found, max_absence=3)["id"].tolist() == [0, 0, 0, 0, 0]
    assert link_detections(found, max_absence=2)["id"].tolist() == [0, 0, 0, 1, 1]
    assert link_detections(found, 1)["id"].tolist() == [0] * 5


def test_farther_than_it_can_move_is_another():
    found = pd.DataFrame({"frame": [0, 1, 2, 4], "x": [0.0, 2.0, 9.0, 6.0], "y": 0.0})
    assert link_detections(found, max_distance=3)["id"].tolist() == [0, 0, 1, 0]
    assert link_detections(found, 1, max_distance=3)["frame"].tolist() == [0, 1, 4]


def test_no_more_individuals_than_there_are(crossing):
    crossing = np.concatenate([crossing, np.full((40, 1, 2), 300.0)], axis=1)
    crossing[:5, 2] = np.nan
    tracks = link_detections(_detections(crossing), 2)
    assert tracks["true"].max() == 1
    assert link_detections(_detections(crossing))["id"].nunique() == 3


def test_other_columns_are_kept():
    found = pd.DataFrame({"x": [1.0], "area": [5], "frame": [3], "y": [2.0]})
    tracks = link_detections(found)
    assert tracks.to_dict("records") == [{"x": 1.0, "id": 0, "area": 5, "frame": 3, "y": 2.0}]
    assert len(link_detections(found[:0])) == 0
    with pytest.raises(ValueError, match="lacks frame"):
        link_detections(found.drop(columns="frame"))


def test_from_video_to_tracks(draw_animals):
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    positions = np.stack(
        [
            np.stack([40 + 28 * np.cos(t), 32 + 20 * np.sin(t)], axis=1),
            np.stack([40 - 12 * np.cos(t), 32 - 10 * np.sin(t)], axis=1),
        ],
        axis=1,
    )
    velocity = np.gradient(positions, axis=0)
    angles = np.arctan2(velocity[..., 1], velocity[..., 0])
    X = draw_animals(positions, angles)
    tracks = track_individuals(X, 2, detector=BlobDetector(2, smoothing=0))
    assert list(tracks.columns) == ["frame", "id", "x", "y", "angle"]
    assert len(tracks) == 80
    for i in range(2):
        track = tracks[tracks["id"] == i]
        distances = np.linalg.norm(track[["x", "y"]].to_numpy()[:, None] - positions, axis=2)
        true = distances.mean(axis=0).argmin()
        assert distances[:, true].max() < 0.7
        turn = np.angle(np.exp(1j * (track["angle"].to_numpy() - angles[:, true])))
        assert np.abs(turn).max() < np.deg2rad(20)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [((2, 0), (0, 2), (0, 0)), ((2, 0), (-2, 0), (0, 3)), ((1.5, 1.5), (-1.5, 1.5), (0, 0))],
)
def test_ids_are_kept_where_animals_walk_over_each_other(draw_animals, one, other, apart):
    frames = np.arange(-15, 15)[:, None] + 0.5
    positions = np.stack([frames * one, frames * other + apart], axis=1) + [40, 32]
    directions = np.arctan2([one[1], other[1]], [one[0], other[0]])
    X = draw_animals(positions, np.tile(directions, (30, 1)))
    tracks = track_individuals(X, 2)
    assert len(tracks) == 60
    for _, track in tracks.groupby("id"):
        distances = np.linalg.norm(track[["x", "y"]].to_numpy()[:, None] - positions, axis=2)
        assert distances.argmin(axis=1)[0] == distances.argmin(axis=1)[-1]
        assert distances.min(axis=1).max() < 3  # a quarter of their length
