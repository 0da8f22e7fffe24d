import numpy as np
import pandas as pd
import pytest

from skpose.individuals import crop_individuals


@pytest.fixture
def tracks():
    """Two individuals in frames in no order, some of them at the border and outside of it."""
    return pd.DataFrame(
        {
            "frame": [2, 0, 0, 1, 2],
            "id": ["b", "a", "b", "a", "a"],
            "x": [3.2, 19.6, 0.0, -2.0, 10.5],
            "y": [4.9, 14.0, 7.0, 16.5, 8.25],
            "angle": [0.3, -2.0, 3.1, 1.5, np.pi / 2],
        }
    )


@pytest.fixture
def video():
    return np.random.default_rng(0).integers(0, 256, (3, 16, 20, 3), dtype=np.uint8)


@pytest.mark.parametrize("align", [False, True])
def test_points_come_back_exactly(video, tracks, align):
    crops = crop_individuals(video, tracks, (8, 10), align=align)
    points = np.random.default_rng(1).uniform(-5, 25, (5, 7, 2))
    np.testing.assert_allclose(crops.to_user(crops.to_batch(points)), points, atol=1e-9)
    centers = crops.to_batch(tracks[["x", "y"]].to_numpy()[:, None])[:, 0]
    off = np.abs(centers - [4.5, 3.5]).max()
    assert off < 1e-9 if align else off <= 0.5  # upright crops are moved by whole pixels


def test_aligned_individuals_face_to_the_right(video, tracks):
    crops = crop_individuals(video, tracks, 9, align=True)
    direction = np.column_stack([np.cos(tracks["angle"]), np.sin(tracks["angle"])])
    ahead = crops.to_batch((tracks[["x", "y"]].to_numpy() + 3 * direction)[:, None])[:, 0]
    np.testing.assert_allclose(ahead, np.tile([7.0, 4.0], (5, 1)), atol=1e-9)


def test_upright_crops_are_pixels_of_the_frame_of_each_row(video, tracks):
    crops = np.asarray(crop_individuals(video, tracks, (3, 5), border_value=7))
    assert crops.shape == (5, 3, 5, 3)
    np.testing.assert_array_equal(crops[0], video[2, 4:7, 1:6])
    np.testing.assert_array_equal(crops[1][:, :2], video[0, 13:16, 18:20])  # reaches over the edge
    assert (crops[1][:, 2:] == 7).all()
    assert (crops[3] == 7).all()  # altogether outside


def test_a_quarter_turn_is_a_quarter_turn_of_pixels(video):
    tracks = pd.DataFrame({"frame": [1], "id": [0], "x": [8.0], "y": [7.0], "angle": [np.pi / 2]})
    crop = np.asarray(crop_individuals(video, tracks, 5, align=True))[0]
    expected = np.rot90(video[1, 5:10, 6:11])  # what is below, comes to the right
    assert np.abs(crop.astype(int) - expected.astype(int)).max() <= 1


def test_frames_are_read_when_crops_are(video, tracks):
    class Frames:
        shape, dtype, n_read = video.shape, video.dtype, 0

        def __len__(self):
            return len(video)

        def __getitem__(self, key):
            self.n_read += np.size(key)
            return video[key]

    frames = Frames()
    crops = crop_individuals(frames, tracks, 5)
    assert frames.n_read == 0
    np.testing.assert_array_equal(crops[[1, 4]], crop_individuals(video, tracks, 5)[[1, 4]])
    assert frames.n_read == 2
    np.asarray(crops)
    assert frames.n_read == 5  # 3 more: each frame once, for all who are in it


def test_bad_tracks_are_refused(video, tracks):
    with pytest.raises(ValueError, match="go on to frame 3"):
        crop_individuals(video, tracks.assign(frame=[3, 0, 0, 1, 2]), 5)
    with pytest.raises(ValueError, match="column angle"):
        crop_individuals(video, tracks.drop(columns="angle"), 5, align=True)
    with pytest.raises(ValueError, match="centers of 1 of 5"):
        crop_individuals(video, tracks.assign(x=[np.nan, 1, 1, 1, 1]), 5)
    with pytest.raises(ValueError, match="box_size"):
        crop_individuals(video, tracks, (5, 5, 5))


@pytest.mark.slow
def test_an_estimator_learns_crops_in_pixels_of_the_video(video, tracks):
    from skpose import PoseEstimator
    from skpose.models import StackedDenseNet

    crops = crop_individuals(video, tracks, 16, align=True)
    keypoints = tracks[["x", "y"]].to_numpy()[:, None]
    estimator = PoseEstimator(
        StackedDenseNet(1, growth_rate=4), max_epochs=1, early_stopping=False, random_state=0
    ).fit(crops, keypoints)
    assert estimator.image_shape_ == (16, 16, 3)
    distances = np.linalg.norm(estimator.predict(crops) - keypoints, axis=2)
    assert distances.max() < 16 / np.sqrt(2) + 0.1  # inside of the crop, wherever that is
