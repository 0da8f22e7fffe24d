from helpers import write_video
import numpy as np
import pytest

from skpose import Skeleton
from skpose.datasets import read_labels, read_nwb_labels
from skpose.poses import from_numpy, write_poses

sleap_io = pytest.importorskip("sleap_io")
pytest.importorskip("ndx_pose")
# Of older versions of hdmf, about what sleap-io writes.
pytestmark = pytest.mark.filterwarnings("ignore:Spec 'ImageSeries/num_samples'")
PLACES = np.array([[[1.0, 2.5], [3.0, 4.0]], [[5.0, 1.0], [np.nan, np.nan]]])


def write_nwb(folder, places=PLACES, *, n_animals=1):
    """Labels of frames 1 and 3 of a video, as sleap-io writes them."""
    skeleton = sleap_io.Skeleton(["nose", "tail"], edges=[("nose", "tail")])
    folder.mkdir(exist_ok=True)
    write_video(folder / "fly.mp4", np.zeros((4, 16, 16, 3), np.uint8))
    video = sleap_io.Video.from_filename(str(folder / "fly.mp4"))
    frames = [
        sleap_io.LabeledFrame(
            video=video,
            frame_idx=number,
            instances=[
                sleap_io.Instance.from_numpy(points, skeleton=skeleton) for _ in range(n_animals)
            ],
        )
        for number, points in zip((1, 3), places, strict=True)
    ]
    path = folder / "labels.nwb"
    sleap_io.save_nwb(sleap_io.Labels(frames, videos=[video], skeletons=[skeleton]), path)
    return path


def test_labels_of_sleap_io(tmp_path):
    found = read_labels(write_nwb(tmp_path))
    np.testing.assert_array_equal(found.keypoints, PLACES)
    assert found.visibility.tolist() == [[2, 2], [2, 0]]
    assert found.skeleton.names == ("nose", "tail")
    assert found.skeleton.parents.tolist() == [-1, 0]
    assert found.frame_numbers.tolist() == [1, 3]
    assert found.images.shape == (2, 16, 16, 3)
    chosen = read_labels(tmp_path / "labels.nwb", skeleton=Skeleton(["tail"]))
    np.testing.assert_array_equal(chosen.keypoints, PLACES[:, 1:])


def test_several_animals(tmp_path):
    path = write_nwb(tmp_path, n_animals=2)
    with pytest.raises(ValueError, match="several animals"):
        read_labels(path)
    assert len(read_labels(path, individuals="each").images) == 4


def test_videos_that_have_been_moved(tmp_path):
    path = write_nwb(tmp_path / "here")
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / "here" / "fly.mp4").rename(there / "fly.mp4")
    with pytest.raises(FileNotFoundError, match=r"fly\.mp4.*video_dir"):
        read_labels(path)
    assert len(read_labels(path, video_dir=there).images) == 2


def test_other_files(tmp_path):
    poses = from_numpy([[[1.0, 2.0]]], names=["nose"], frame_rate=25)
    path = write_poses(tmp_path / "poses.nwb", poses)
    with pytest.raises(ValueError, match="without PoseTraining"):
        read_labels(path)
    with pytest.raises(ValueError, match="no container PoseTraining"):
        read_nwb_labels(path)
    with pytest.raises(FileNotFoundError, match="no file"):
        read_nwb_labels(tmp_path / "none.nwb")
    whole = write_nwb(tmp_path).read_bytes()
    (tmp_path / "cut.nwb").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut\.nwb"):
        read_nwb_labels(tmp_path / "cut.nwb")
