from helpers import write_video
import numpy as np
import pytest

from skpose import Skeleton
from skpose.datasets import read_labels, read_netcdf_labels
from skpose.poses import from_numpy, write_poses

PLACES = np.array([[[1.0, 2.5], [3.0, 4.0]], [[np.nan] * 2] * 2, [[5.0, 1.0], [np.nan] * 2]])


@pytest.fixture
def video(tmp_path):
    greys = 20 * np.arange(8, dtype=np.uint8)
    images = np.broadcast_to(greys[:, np.newaxis, np.newaxis, np.newaxis], (8, 16, 16, 3))
    return write_video(tmp_path / "fly.mp4", images)


def write(folder, keypoints=PLACES, *, frames=(0, 5, 7), **options):
    poses = from_numpy(keypoints, names=["nose", "tail"], frames=frames, frame_rate=25, **options)
    return write_poses(folder / "fly.nc", poses)


def test_frames_with_a_pose_are_labels(tmp_path, video):
    path = write(tmp_path)
    found = read_labels(path, video=video)
    np.testing.assert_array_equal(found.keypoints, PLACES[[0, 2]])
    assert found.frame_numbers.tolist() == [0, 7]
    assert found.visibility.tolist() == [[2, 2], [2, 0]]
    assert found.groups.tolist() == ["fly.mp4"] * 2
    assert abs(int(found.images[1].mean()) - 140) < 5
    chosen = read_labels(path, video=video, skeleton=Skeleton(["tail"]))
    assert chosen.frame_numbers.tolist() == [0]


def test_the_video_that_the_file_names(tmp_path, video):
    poses = from_numpy(PLACES, names=["nose", "tail"], frames=(0, 5, 7), frame_rate=25)
    path = write_poses(tmp_path / "fly.nc", poses, video=video)
    assert len(read_labels(path).images) == 2
    video.rename(tmp_path / "other.mp4")
    with pytest.raises(FileNotFoundError, match=r"fly\.mp4, which is not there"):
        read_labels(path)
    poses.attrs["source_file"] = "fly_predictions.h5"  # movement's is not of the video
    path = write_poses(tmp_path / "movement.nc", poses)
    with pytest.raises(ValueError, match="which video"):
        read_labels(path)


def test_several_animals(tmp_path, video):
    keypoints = np.stack([PLACES, PLACES + 1], axis=1)
    path = write(tmp_path, keypoints, individuals=["anna", "ben"])
    with pytest.raises(ValueError, match="each of anna, ben"):
        read_labels(path, video=video)
    found = read_labels(path, video=video, individuals="each")
    assert found.individuals.tolist() == ["anna", "ben"] * 2
    assert found.frame_numbers.tolist() == [0, 0, 7, 7]
    one = read_labels(path, video=video, individuals="ben")
    np.testing.assert_array_equal(one.keypoints, PLACES[[0, 2]] + 1)
    with pytest.raises(ValueError, match="no individual 'carl'"):
        read_labels(path, video=video, individuals="carl")


@pytest.mark.parametrize(
    ("keypoints", "frames", "wrong"),
    [
        (PLACES, (0, 5, 8), "frame 8, but .* has 8 frames"),
        (PLACES, (-1, 5, 7), "frame -1, but .* has 8 frames"),
        (PLACES * np.nan, (0, 5, 7), "no pose in any frame"),
        (PLACES, ("a.png", "b.png", "c.png"), "images in files"),
    ],
)
def test_poses_that_do_not_fit(tmp_path, video, keypoints, frames, wrong):
    path = write(tmp_path, keypoints, frames=frames)
    with pytest.raises(ValueError, match=wrong):
        read_labels(path, video=video)


def test_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        read_netcdf_labels(tmp_path / "none.nc")
    with pytest.raises(ValueError, match="which video"):
        read_labels(write(tmp_path))


def test_times_of_other_programs_are_those_of_the_video(tmp_path, video):
    poses = from_numpy(PLACES, names=["nose", "tail"], times=[0.0, 0.1, 0.2]).drop_vars("frame")
    poses.attrs["source_software"] = "movement"
    poses.attrs["fps"] = 30.0  # which is not the video's
    poses.to_netcdf(tmp_path / "fly.nc", engine="scipy")
    found = read_labels(tmp_path / "fly.nc", video=video)
    assert found.frame_numbers.tolist() == [0, 5]  # of 25 frames a second
    poses.assign_coords(time=poses["time"] - 0.1).to_netcdf(tmp_path / "b.nc", engine="scipy")
    with pytest.raises(ValueError, match=r"pose at -0\.1 s, but .* has no frame then"):
        read_labels(tmp_path / "b.nc", video=video)
