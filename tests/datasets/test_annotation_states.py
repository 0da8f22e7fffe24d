import h5py
import numpy as np
import pytest

from skpose import Skeleton
from skpose.datasets import (
    append_images,
    merge_annotations,
    read_annotations,
    read_sources,
    update_annotations,
    write_annotations,
)

NAN = np.nan
SKELETON = Skeleton(["empty", "guess", "placed", "hidden", "absent"])
KEYPOINTS = np.array([[[NAN, NAN], [1, 2], [3, 4], [5, 6], [NAN, NAN]]])
ANNOTATED = np.array([[False, False, True, True, True]])
OCCLUDED = np.array([[False, False, False, True, False]])
IMAGES = np.zeros((1, 8, 8, 1), dtype=np.uint8)


@pytest.fixture
def path(tmp_path):
    """An image with a keypoint in each of the five states."""
    path = tmp_path / "set.h5"
    write_annotations(
        path,
        IMAGES,
        KEYPOINTS,
        skeleton=SKELETON,
        annotated=ANNOTATED,
        occluded=OCCLUDED,
        videos=["fly.mp4, 7 bytes"],
        frame_numbers=[12],
    )
    return path


@pytest.mark.parametrize(
    ("labelled", "visibility", "known"),
    [
        ("annotated", [0, 0, 2, 1, -1], [False, False, True, True, False]),
        ("visible", [0, 0, 2, 0, -1], [False, False, True, False, False]),
        ("all", [0, 2, 2, 1, -1], [False, True, True, True, False]),
    ],
)
def test_five_states_are_told_apart(path, labelled, visibility, known):
    data = read_annotations(path, labelled=labelled)
    assert data.visibility.tolist() == [visibility]
    np.testing.assert_array_equal(data.annotated, ANNOTATED)
    np.testing.assert_array_equal(data.occluded, OCCLUDED)
    np.testing.assert_array_equal(~np.isnan(data.keypoints[..., 0]), [known])
    np.testing.assert_array_equal(data.keypoints[0, known], KEYPOINTS[0, known])


def test_deepposekit_finds_what_it_knows(path):
    with h5py.File(path) as file:
        assert {"images", "annotations", "annotated", "skeleton"} <= set(file)
        np.testing.assert_array_equal(file["annotated"], ANNOTATED)
        np.testing.assert_array_equal(file["annotations"][0, 3], [5, 6])
        np.testing.assert_array_equal(file["annotations"][0, 4], [-1, -1])


def test_what_nobody_said_is_not_in_the_file(tmp_path):
    write_annotations(tmp_path / "set.h5", IMAGES, KEYPOINTS, skeleton=SKELETON)
    with h5py.File(tmp_path / "set.h5") as file:
        assert not {"occluded", "frame_source", "source_videos", "confidence"} & set(file)
    data = read_annotations(tmp_path / "set.h5")
    assert not data.occluded.any()
    assert data.videos.tolist() == [""]
    assert data.frame_numbers.tolist() == [-1]
    assert data.groups is None


def test_append_and_merge_carry_states_and_frames(path, tmp_path):
    append_images(path, IMAGES, KEYPOINTS)
    append_images(path, IMAGES, videos=["bee.mp4, 9 bytes"], frame_numbers=[3])
    data = read_annotations(path, frames="all")
    assert data.videos.tolist() == ["fly.mp4, 7 bytes", "", "bee.mp4, 9 bytes"]
    assert data.frame_numbers.tolist() == [12, -1, 3]
    assert data.occluded.any(axis=1).tolist() == [True, False, False]
    assert data.groups is None  # one image is of no known video
    other = tmp_path / "other.h5"
    write_annotations(
        other,
        IMAGES,
        KEYPOINTS,
        skeleton=SKELETON,
        videos=["bee.mp4, 9 bytes"],
        frame_numbers=[4],
    )
    merge_annotations([other, path], tmp_path / "both.h5")
    both = read_annotations(tmp_path / "both.h5", frames="all")
    assert both.videos.tolist() == ["bee.mp4, 9 bytes", *data.videos]
    assert both.frame_numbers.tolist() == [4, *data.frame_numbers]
    assert both.occluded.any(axis=1).tolist() == [False, True, False, False]
    assert read_sources(tmp_path / "both.h5") == {
        "bee.mp4, 9 bytes": [3, 4],
        "fly.mp4, 7 bytes": [12],
    }


def test_groups_are_the_videos_where_all_are_known(path):
    append_images(path, IMAGES, KEYPOINTS, videos=["bee.mp4, 9 bytes"], frame_numbers=[3])
    data = read_annotations(path)
    assert data.groups.tolist() == ["fly.mp4, 7 bytes", "bee.mp4, 9 bytes"]


def test_update_changes_states_and_leaves_frames(path):
    keypoints = np.full((1, 5, 2), 2.0)
    update_annotations(path, [0], keypoints, occluded=np.eye(5, dtype=bool)[[0]])
    data = read_annotations(path)
    assert data.visibility.tolist() == [[1, 2, 2, 2, 2]]
    assert data.videos.tolist() == ["fly.mp4, 7 bytes"]
    update_annotations(path, [0], keypoints)
    assert not read_annotations(path).occluded.any()


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.float16])
def test_coordinates_are_not_rounded_by_the_type_that_a_file_has(path, dtype):
    with h5py.File(path, "r+") as file:
        del file["annotations"]
        file["annotations"] = np.ones((1, 5, 2), dtype=dtype)
    update_annotations(path, [0], np.full((1, 5, 2), 1234.7))
    assert (read_annotations(path).keypoints == 1234.7).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"occluded": OCCLUDED[:, :2]}, "occluded must be booleans of shape"),
        ({"occluded": OCCLUDED.astype(int)}, "occluded must be booleans"),
        ({"occluded": ~OCCLUDED}, "occluded marks keypoints that are not annotated, or are NaN"),
        ({"videos": ["a"]}, "give both or none"),
        ({"videos": ["a", "b"], "frame_numbers": [1, 2]}, "an entry for each of 1 images"),
    ],
)
def test_what_does_not_fit_is_refused(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_annotations(tmp_path / "set.h5", IMAGES, KEYPOINTS, skeleton=SKELETON, **options)
    assert not (tmp_path / "set.h5").exists()


def test_a_damaged_frame_source_is_told(path):
    with h5py.File(path, "r+") as file:
        del file["frame_source"]
        file["frame_source"] = np.zeros((3, 2), dtype=np.int32)
    with pytest.raises(ValueError, match="'frame_source' has shape"):
        read_annotations(path)


def test_a_keypoint_at_the_place_that_stands_for_none_stays(tmp_path):
    X, y = np.zeros((2, 8, 8, 1), dtype=np.uint8), np.full((2, 1, 2), -1.0)
    write_annotations(tmp_path / "set.h5", X, y[:, :1] + 1, skeleton=Skeleton(["head"]))
    update_annotations(tmp_path / "set.h5", [1], y[:1])  # in the journal
    for path in (tmp_path / "set.h5", tmp_path / "new.h5"):
        if path.name == "new.h5":
            write_annotations(path, X, y, skeleton=Skeleton(["head"]))
        found = read_annotations(path)
        np.testing.assert_allclose(found.keypoints[1], y[1], rtol=0, atol=1e-15)
        assert found.visibility[1].tolist() == [2]
