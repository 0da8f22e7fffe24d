import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from skpose.individuals import make_tracks, predict_individuals as predict_dataset
from skpose.poses import to_numpy
from skpose.preprocessing import ImageResizer
from skpose.two_stage import TwoStageEstimator


def predict_individuals(*args, **options):
    """Predict, and give the arrays of the poses."""
    poses = predict_dataset(*args, **options)
    keypoints, confidence = to_numpy(poses)
    ids = poses["individual"].values.tolist()
    return Bunch(keypoints=keypoints, confidence=confidence, ids=ids)


@pytest.fixture
def positions():
    """Whole-pixel positions (n_frames, 2, 2) of two individuals that never meet."""
    frames = np.arange(10)
    one = np.stack([2 + 3 * frames, np.full(10, 6)], axis=1)
    other = np.stack([33 - 3 * frames, np.full(10, 20)], axis=1)
    return np.stack([one, other], axis=1).astype(float)


@pytest.fixture
def video(positions):
    """Frames with a bright pixel at each position, the second individual's half as bright."""
    X = np.random.default_rng(0).integers(0, 30, (len(positions), 28, 36, 1), dtype=np.uint8)
    for frame, centers in zip(X, positions.astype(int), strict=True):
        for (x, y), level in zip(centers, (240, 120), strict=True):
            frame[y, x] = level
    return X


@pytest.mark.parametrize("align", [False, True])
def test_poses_are_in_pixels_of_the_video(marker, video, positions, align):
    rng = np.random.default_rng(1)
    tracks = make_tracks(positions + rng.uniform(-1, 1, positions.shape), np.zeros((10, 2)))
    poses = predict_individuals(marker, video, tracks, align=align)
    assert poses.keypoints.shape == (10, 2, 2, 2)
    assert poses.keypoints.dtype == np.float32
    assert poses.ids == ["0", "1"]
    # aligned crops have pixels of their own, up to half a diagonal away
    np.testing.assert_allclose(poses.keypoints[:, :, 0], positions, atol=1e-5 + 0.75 * align)
    np.testing.assert_allclose(
        poses.keypoints[:, :, 1] - poses.keypoints[:, :, 0], [[[2, 0]] * 2] * 10, atol=1e-5
    )
    if not align:
        np.testing.assert_allclose(poses.confidence[:, 0], 240 / 255, rtol=1e-6)
        np.testing.assert_allclose(poses.confidence[:, 1], 120 / 255, rtol=1e-6)


def test_poses_turn_with_the_angle(marker, video, positions):
    angles = np.random.default_rng(0).uniform(-np.pi, np.pi, (10, 2))
    tracks = make_tracks(positions, angles)
    poses = predict_individuals(marker, video, tracks, align=True)
    np.testing.assert_allclose(poses.keypoints[:, :, 0], positions, atol=1e-5)
    way = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=2)
    np.testing.assert_allclose(poses.keypoints[:, :, 1] - positions, way, atol=1e-5)


def test_no_track_no_pose(marker, video, positions):
    positions[3:5, 0] = np.nan
    positions[:2, 1] = np.nan
    poses = predict_individuals(marker, video, make_tracks(positions, ids=["b", "a"]))
    assert poses.ids == ["b", "a"]
    missing = np.isnan(positions).any(axis=2)
    np.testing.assert_array_equal(np.isnan(poses.keypoints).all(axis=(2, 3)), missing)
    np.testing.assert_array_equal(np.isnan(poses.confidence).any(axis=2), missing)
    np.testing.assert_allclose(poses.keypoints[:, :, 0], positions)


def test_short_gaps_are_filled(marker, video, positions):
    gappy = positions.copy()
    gappy[3:5, 0] = np.nan
    poses = predict_individuals(marker, video, make_tracks(gappy), max_gap=2)
    np.testing.assert_allclose(poses.keypoints[:, :, 0], positions)


def test_ids_of_numbers_are_in_order(marker, video, positions):
    tracks = make_tracks(positions[:, ::-1], ids=[7, 2])
    assert predict_individuals(marker, video, tracks).ids == ["2", "7"]


def test_each_frame_is_read_once_and_in_order(marker, video, positions):
    class Frames:
        shape, dtype = video.shape, video.dtype

        def __init__(self):
            self.read = []

        def __len__(self):
            return len(video)

        def __getitem__(self, key):
            raise AssertionError("random access")

        def iter_batches(self, batch_size, start=0, stop=None):
            for first in range(start, stop, batch_size):
                last = min(first + batch_size, stop)
                self.read += range(first, last)
                yield first, video[first:last]

    frames = Frames()
    tracks = make_tracks(positions)
    tracks = tracks[tracks["frame"].between(2, 8)]
    poses = predict_individuals(marker, frames, tracks, batch_size=4)
    assert frames.read == list(range(2, 9))
    assert marker.n_images == 14
    np.testing.assert_allclose(poses.keypoints[2:9, :, 0], positions[2:9])
    assert np.isnan(poses.keypoints[[0, 1, 9]]).all()


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_size_of_batches_changes_nothing(marker, video, positions, batch_size):
    tracks = make_tracks(positions)
    one = predict_individuals(marker, video, tracks, batch_size=batch_size)
    np.testing.assert_array_equal(
        one.keypoints, predict_individuals(marker, video, tracks).keypoints
    )


def test_crops_have_the_size_of_training_or_that_asked_for(marker, video, positions):
    tracks = make_tracks(positions)
    predict_individuals(marker, video, tracks)
    predict_individuals(marker, video, tracks, box_size=(5, 7))
    assert marker.shapes == {(9, 9), (5, 7)}
    pipeline = make_pipeline(ImageResizer(scale=2), marker)
    with pytest.raises(ValueError, match="box_size must be given"):
        predict_individuals(pipeline, video, tracks)


def test_of_two_stages_the_second_one_looks_where_tracks_are(marker, video, positions):
    stages = TwoStageEstimator(marker, marker)
    stages.fine_, stages.box_size_ = marker, (11, 13)
    tracks = make_tracks(positions)
    poses = predict_individuals(stages, video, tracks)
    np.testing.assert_allclose(poses.keypoints[:, :, 0], positions, atol=1e-5)
    assert marker.shapes == {(11, 13)}


def test_a_pipeline_gives_pixels_of_the_video(marker, video, positions):
    from skpose.metrics import keypoint_errors

    pipeline = make_pipeline(ImageResizer(scale=3), marker).fit(video[:1])
    poses = predict_individuals(pipeline, video, make_tracks(positions), box_size=9)
    errors = keypoint_errors(positions, poses.keypoints[:, :, 0])
    assert errors.max() < 0.5


def test_a_batch_that_was_resized_gives_pixels_of_the_video(marker, video, positions):
    batch = ImageResizer(scale=3).fit_transform(video)
    poses = predict_individuals(marker, batch, make_tracks(positions), box_size=27)
    np.testing.assert_allclose(poses.keypoints[:, :, 0], positions, atol=0.5)


def test_rows_without_an_angle_are_left_out_with_a_warning(marker, video, positions):
    angles = np.zeros((10, 2))
    angles[4, 1] = np.nan
    tracks = make_tracks(positions, angles)
    with pytest.warns(UserWarning, match="1 of 20 rows of tracks have no angle"):
        poses = predict_individuals(marker, video, tracks, align=True)
    assert np.argwhere(np.isnan(poses.keypoints).any(axis=(2, 3))).tolist() == [[4, 1]]
    poses = predict_individuals(marker, video, tracks, align=True, max_gap=1)
    assert not np.isnan(poses.keypoints).any()


def test_what_does_not_fit_is_refused(marker, video, positions):
    tracks = make_tracks(positions)
    with pytest.raises(ValueError, match="go on to frame 9"):
        predict_individuals(marker, video[:5], tracks)
    with pytest.raises(ValueError, match="empty"):
        predict_individuals(marker, video, tracks[:0])
    with pytest.raises(ValueError, match="batch_size"):
        predict_individuals(marker, video, tracks, batch_size=0)
    with pytest.raises(ValueError, match="column angle"):
        predict_individuals(marker, video, tracks, align=True)
    with pytest.raises(ValueError, match="No row of tracks has an angle"):
        predict_individuals(marker, video, tracks.assign(angle=np.nan), align=True)
    with pytest.raises(ValueError, match="lacks frame"):
        predict_individuals(marker, video, pd.DataFrame())


def test_errors_of_reading_come_through(marker, video, positions):
    class Broken:
        shape, dtype = video.shape, video.dtype

        def __len__(self):
            return len(video)

        def __getitem__(self, key):
            raise OSError("damaged")

    with pytest.raises(OSError, match="damaged"):
        predict_individuals(marker, Broken(), make_tracks(positions))


def test_progress_is_shown_when_asked_for(marker, video, positions, capsys):
    predict_individuals(marker, video, make_tracks(positions))
    assert capsys.readouterr() == ("", "")
    predict_individuals(marker, video, make_tracks(positions), verbose=1)
    assert "10/10" in capsys.readouterr().err
