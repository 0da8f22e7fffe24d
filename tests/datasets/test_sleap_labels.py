import json

import h5py
from helpers import write_video
import numpy as np
from numpy.lib.recfunctions import repack_fields
import pytest

from skpose import Skeleton
from skpose.datasets import make_poses, read_labels, read_sleap_labels, write_labels
from skpose.video import VideoFrames

sio = pytest.importorskip("sleap_io")
NAMES = ["nose", "earL", "earR"]


def points(value):
    return np.arange(6.0).reshape(3, 2) + value


@pytest.fixture
def skeleton():
    return sio.Skeleton(list(NAMES), edges=[("nose", "earL"), ("nose", "earR")])


def instance(skeleton, value, track=None, kind=sio.Instance):
    place = points(value)
    place[2] = np.nan
    more = {"point_scores": np.ones(3), "score": 1.0} if kind is sio.PredictedInstance else {}
    return kind.from_numpy(place, skeleton=skeleton, track=track, **more)


@pytest.fixture
def save(tmp_path, skeleton, numbered):
    """Writes a SLEAP file of frames of a video, {frame: instances}, and the video beside it."""

    def save(frames, name="labels.slp", video="fly.mp4", says=None):
        path = tmp_path / name
        numbered.write(tmp_path / video, 12)
        place = sio.Video(says or str(tmp_path / video), open_backend=False)
        found = [
            sio.LabeledFrame(video=place, frame_idx=frame, instances=instances)
            for frame, instances in frames.items()
        ]
        sio.save_slp(sio.Labels(found, skeletons=[skeleton]), str(path))
        return path

    return save


def test_labels_and_frames_are_read(save, skeleton, numbered):
    path = save({7: [instance(skeleton, 1)], 3: [instance(skeleton, 2)]})
    found = read_labels(path)
    assert found.frame_numbers.tolist() == [3, 7]
    assert numbered.numbers(found.images[:]) == [3, 7]
    expected = np.stack([points(2), points(1)])
    expected[:, 2] = np.nan
    np.testing.assert_array_equal(found.keypoints, expected)
    assert found.visibility.tolist() == [[2, 2, 0]] * 2
    assert found.groups.tolist() == ["fly.mp4"] * 2
    assert found.skeleton == Skeleton(
        NAMES, parents=[None, "nose", "nose"], swaps=[None, "earR", "earL"]
    )
    assert read_labels(path, n_channels=1).images.shape[3] == 1
    backwards = read_labels(path, skeleton=Skeleton(["earL", "nose"]))
    np.testing.assert_array_equal(backwards.keypoints, expected[:, [1, 0]])
    with pytest.raises(ValueError, match="tail, which"):
        read_labels(path, skeleton=Skeleton(["tail"]))


def test_predictions_are_no_labels_unless_wanted(save, skeleton):
    guessed = instance(skeleton, 9, kind=sio.PredictedInstance)
    both = [instance(skeleton, 9, kind=sio.PredictedInstance), instance(skeleton, 1)]
    path = save({0: [guessed], 1: both})
    assert read_labels(path).frame_numbers.tolist() == [1]
    found = read_labels(path, labelled="all")
    assert found.keypoints[:, 0, 0].tolist() == [9.0, 1.0]
    path = save({0: [guessed]}, "guesses.slp")
    with pytest.raises(ValueError, match="1 are predicted: labelled='all'"):
        read_labels(path)
    with pytest.raises(ValueError, match="labelled must be"):
        read_sleap_labels(path, labelled="visible")


def test_several_animals(save, skeleton):
    a, b = sio.Track("a"), sio.Track("b")
    path = save(
        {
            0: [instance(skeleton, 1, a), instance(skeleton, 2, b)],
            5: [instance(skeleton, 3, b)],
        }
    )
    with pytest.raises(ValueError, match="several animals.*each.*the tracks a, b"):
        read_labels(path)
    each = read_labels(path, individuals="each")
    np.testing.assert_array_equal(each.bboxes[:, :2] + 0.5, np.nanmin(each.keypoints, axis=1))
    assert each.frame_numbers.tolist() == [0, 0, 5]
    assert each.individuals.tolist() == ["a", "b", "b"]
    assert len(each.images) == 3
    assert read_labels(path, individuals="b").keypoints[:, 0, 0].tolist() == [2.0, 3.0]
    with pytest.raises(ValueError, match="no track 'c'"):
        read_labels(path, individuals="c")


def test_a_video_that_was_moved_is_found(save, skeleton, tmp_path, numbered):
    frames = {3: [instance(skeleton, 1)]}
    path = save(frames, says="C:\\lab\\videos\\fly.mp4")  # of another machine; it is beside
    assert numbered.numbers(read_labels(path).images[:]) == [3]
    (tmp_path / "moved").mkdir()
    (tmp_path / "fly.mp4").rename(tmp_path / "moved" / "fly.mp4")
    with pytest.raises(FileNotFoundError, match=r"fly\.mp4 beside the file\. video_dir"):
        read_labels(path)
    found = read_labels(path, video_dir=tmp_path / "moved")
    assert numbered.numbers(found.images[:]) == [3]
    with pytest.raises(FileNotFoundError, match="nor is fly.mp4 beside the file or in"):
        read_labels(path, video_dir=tmp_path)


def test_a_video_that_is_another_one(save, skeleton):
    path = save({12: [instance(skeleton, 1)]})
    with pytest.raises(ValueError, match="frame 12 of fly.mp4, of which 12 frames are there"):
        read_labels(path)


def test_embedded_images(save, skeleton, tmp_path, numbered):
    path = save({7: [instance(skeleton, 1)], 3: [instance(skeleton, 2)]})
    package = tmp_path / "labels.pkg.slp"
    sio.load_slp(str(path)).save(str(package), embed="user", verbose=False)
    (tmp_path / "fly.mp4").unlink()
    path.unlink()
    found = read_labels(package)
    assert found.frame_numbers.tolist() == [3, 7]
    assert numbered.numbers(found.images[:]) == [3, 7]
    assert found.groups.tolist() == ["video0, fly.mp4"] * 2
    np.testing.assert_array_equal(found.keypoints[:, 0], [points(2)[0], points(1)[0]])


def test_videos_of_two_sizes_are_filled_up(tmp_path, skeleton):
    for name, size in {"large.mp4": (64, 48), "small.mp4": (32, 32)}.items():
        write_video(tmp_path / name, [np.full((*size, 3), 90, dtype=np.uint8)] * 3)
    frames = [
        sio.LabeledFrame(
            video=sio.Video(str(tmp_path / name), open_backend=False),
            frame_idx=1,
            instances=[instance(skeleton, 1)],
        )
        for name in ("small.mp4", "large.mp4")
    ]
    sio.save_slp(sio.Labels(frames, skeletons=[skeleton]), str(tmp_path / "labels.slp"))
    found = read_labels(tmp_path / "labels.slp")
    height, width = VideoFrames(tmp_path / "large.mp4").shape[1:3]
    assert found.images.shape == (2, height, width, 3)
    assert sorted(found.groups) == ["large.mp4", "small.mp4"]
    k = found.groups.tolist().index("small.mp4")
    below = VideoFrames(tmp_path / "small.mp4").shape[1]
    assert not found.images[k][below:].any()
    assert found.images[k][:below].any()


def test_videos_of_one_name_are_told_apart(tmp_path, skeleton, numbered):
    frames = []
    for number, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        numbered.write(tmp_path / folder / "fly.mp4", 12)
        frames.append(
            sio.LabeledFrame(
                video=sio.Video(str(tmp_path / folder / "fly.mp4"), open_backend=False),
                frame_idx=number + 3,
                instances=[instance(skeleton, 1)],
            )
        )
    sio.save_slp(sio.Labels(frames, skeletons=[skeleton]), str(tmp_path / "labels.slp"))
    found = read_labels(tmp_path / "labels.slp")
    assert found.groups.tolist() == ["fly.mp4 (0)", "fly.mp4 (1)"]
    assert numbered.numbers(found.images[:]) == [3, 4]


def test_images_that_were_moved_are_not_mistaken(tmp_path, skeleton):
    cv2 = pytest.importorskip("cv2")
    for day, value in (("day1", 10), ("day2", 200)):
        (tmp_path / "before" / day).mkdir(parents=True)
        image = tmp_path / "before" / day / "img7.png"
        cv2.imwrite(str(image), np.full((8, 8), value, np.uint8))
    frames = [
        sio.LabeledFrame(
            video=sio.Video.from_filename([str(tmp_path / "before" / day / "img7.png")]),
            frame_idx=0,
            instances=[instance(skeleton, 1)],
        )
        for day in ("day1", "day2")
    ]
    (tmp_path / "project").mkdir()
    path = tmp_path / "project" / "labels.slp"
    sio.save_slp(sio.Labels(frames, skeletons=[skeleton]), str(path))
    (tmp_path / "before").rename(tmp_path / "now")
    found = read_labels(path, video_dir=tmp_path / "now")
    assert found.images[:, 0, 0, 0].tolist() == [10, 200]
    assert found.frame_numbers.tolist() == [7, 7]
    assert found.groups.tolist() == ["day1", "day2"]


def test_two_names_that_lead_to_one_file_are_refused(tmp_path, skeleton, numbered):
    numbered.write(tmp_path / "cam.mp4", 12)
    frames = [
        sio.LabeledFrame(
            video=sio.Video(f"/gone/{day}/cam.mp4", open_backend=False),
            frame_idx=1,
            instances=[instance(skeleton, 1)],
        )
        for day in ("day1", "day2")
    ]
    sio.save_slp(sio.Labels(frames, skeletons=[skeleton]), str(tmp_path / "labels.slp"))
    with pytest.raises(ValueError, match=r"day1/cam\.mp4 and .*day2/cam\.mp4, but only"):
        read_labels(tmp_path / "labels.slp")


def test_different_skeletons_are_refused(save, skeleton):
    other = sio.Skeleton(["head", "tail"])
    strange = sio.Instance.from_numpy(np.ones((2, 2)), skeleton=other)
    path = save({0: [instance(skeleton, 1)], 1: [strange]})
    with pytest.raises(ValueError, match="different skeletons"):
        read_labels(path)


def test_what_is_no_sleap_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_sleap_labels(tmp_path / "none.slp")
    path = tmp_path / "labels.slp"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"labels\.slp"):
        read_sleap_labels(path)


@pytest.mark.parametrize(
    ("pixels", "axes"),
    [
        (np.arange(2 * 4 * 6, dtype=np.uint8).reshape(2, 4, 6, 1), "channels_last"),
        (np.arange(2 * 4 * 6, dtype=np.int32).reshape(2, 1, 6, 4), "channels_first"),
        (np.arange(2 * 4 * 6).reshape(2, 4, 6, 1) % 5 == 0, "channels_last"),  # shares of white
    ],
)
def test_videos_in_hdf5(save, skeleton, tmp_path, pixels, axes):
    with h5py.File(tmp_path / "movie.h5", "w") as file:
        file["movie"] = pixels.astype(np.float64) if pixels.dtype == bool else pixels
    path = save({1: [instance(skeleton, 1)]})
    with h5py.File(path, "r+") as file:
        about = {
            "filename": "C:/lab/movie.h5",
            "dataset": "/movie",
            "input_format": axes,
            "convert_range": True,
        }
        del file["videos_json"]
        file["videos_json"] = [np.bytes_(json.dumps({"backend": about}))]
    found = read_labels(path)
    last = pixels.transpose(0, 3, 2, 1) if axes == "channels_first" else pixels
    expected = 255 * last if pixels.dtype == bool else last
    np.testing.assert_array_equal(found.images, expected[1:])
    assert found.groups.tolist() == ["movie.h5"]
    with h5py.File(tmp_path / "movie.h5", "r+") as file:
        del file["movie"]
        file["movie"] = pixels + 0.5
    with pytest.raises(ValueError, match="no whole numbers from 0 to 255"):
        np.asarray(read_labels(path).images)


@pytest.mark.parametrize(("name", "shift"), [("midpoint", 0.0), ("legacy", 0.5)])
def test_the_grid_whose_places_are_known(data_dir, tmp_path, name, shift):
    places = np.array([[[-0.5, -0.5], [0.0, 0.0], [-0.5, 0.5]]]) - shift
    labels = read_labels(data_dir / "sleap" / f"test_grid_labels.{name}.h5")
    np.testing.assert_array_equal(labels.keypoints, places)
    assert labels.images[0].tolist() == [  # red grows to the right, the others downwards
        [[0, 0, 0], [255, 0, 0]],
        [[0, 255, 255], [255, 255, 255]],
    ]
    for format, out in (
        ("deepposekit", "set.h5"),
        ("deeplabcut", "project"),
        ("lightning_pose", "lightning_pose"),
        ("coco", "set.json"),
        ("sleap", "set.pkg.slp"),
    ):
        found = read_labels(write_labels(tmp_path / out, labels, format=format))
        # (-1, -1) is no place in an annotation set, and moved by the least that a number can be
        np.testing.assert_allclose(found.keypoints, places, rtol=0, atol=1e-15)
        np.testing.assert_array_equal(np.asarray(found.images), np.asarray(labels.images))
    if not shift:  # else they lie outside of the image
        found = read_labels(write_labels(tmp_path / "yolo", labels, format="yolo"))
        np.testing.assert_array_equal(found.keypoints, places)


def test_colour_stays_where_the_first_image_has_none(tmp_path):
    labels = make_poses(3, image_size=32, n_channels=3, random_state=0, return_bunch=True)
    labels.images[0] = 0
    path = write_labels(tmp_path / "labels.pkg.slp", labels)
    np.testing.assert_array_equal(np.asarray(read_labels(path).images), labels.images)


def test_real_files(data_dir):
    sleap = data_dir / "sleap"
    robot = read_labels(sleap / "small_robot_minimal.slp")
    assert robot.images.shape == (2, 320, 560, 3)
    package = read_labels(sleap / "minimal_instance.pkg.slp", individuals="each")
    assert package.images.shape == (2, 384, 384, 1)
    assert package.images[0].max() > 0


def test_old_files_count_from_the_corner_of_the_first_pixel(save, skeleton):
    path = save({0: [instance(skeleton, 1)]})
    now = read_labels(path).keypoints
    with h5py.File(path, "r+") as file:
        file["metadata"].attrs["format_id"] = 1.0
        instances = file["instances"][...]  # they had a column less
        del file["instances"]
        file["instances"] = repack_fields(instances[list(instances.dtype.names[:-1])])
    np.testing.assert_array_equal(read_labels(path).keypoints, now - 0.5)
