"""Images taken and removed, sets divided, bodyparts renamed."""

import h5py
import numpy as np
from numpy.testing import assert_array_equal
import pytest

from skpose import Skeleton
from skpose.datasets import (
    change_skeleton,
    read_annotations,
    remove_images,
    rename_bodyparts,
    split_annotations,
    take_images,
    update_annotations,
    write_annotations,
)

N = 10
SKELETON = Skeleton(["nose", "left_ear", "right_ear"], None, ["", "right_ear", "left_ear"])


@pytest.fixture
def path(tmp_path):
    """A set in which everything tells which image it belongs to."""
    path = tmp_path / "set.h5"
    images = np.arange(N, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 6, 1), np.uint8)
    keypoints = np.arange(N)[:, None, None] + np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    keypoints[4, 1] = np.nan
    occluded = np.zeros((N, 3), dtype=bool)
    occluded[6, 2] = True
    write_annotations(
        path,
        images,
        keypoints,
        skeleton=SKELETON,
        occluded=occluded,
        videos=[f"v{i % 3}.mp4, 9 bytes" for i in range(N)],
        frame_numbers=100 + np.arange(N),
    )
    update_annotations(path, [8], [[[80.0, 81.0], [np.nan] * 2, [84.0, 85.0]]])  # in the journal
    with h5py.File(path, "r+") as file:
        file["of_another_program"] = [1, 2, 3]
        file["depth"] = np.arange(N)  # one for each image
        file["depth"].attrs["unit"] = "mm"
    return path


def read(path):
    return read_annotations(path, frames="all")


def assert_taken(out, path_before, index):
    before, after = path_before, read(out)
    assert_array_equal(np.asarray(after.images), before["images"][index])
    for name in ("keypoints", "annotated", "occluded", "videos", "frame_numbers"):
        assert_array_equal(after[name], before[name][index])
    assert after.skeleton == SKELETON
    with h5py.File(out) as file:
        assert file["of_another_program"][()].tolist() == [1, 2, 3]
        assert_array_equal(file["depth"], np.arange(N)[index])
        assert file["depth"].attrs["unit"] == "mm"


@pytest.fixture
def before(path):
    data = read(path)
    assert data.keypoints[8, 0].tolist() == [80.0, 81.0]
    return {**data, "images": np.asarray(data.images)}


@pytest.mark.parametrize("index", [[3], [8, 0, 4], list(range(N))])
def test_images_are_taken_with_all_that_is_known_of_them(path, before, tmp_path, index):
    out = tmp_path / "out.h5"
    take_images(path, index, out)
    assert_taken(out, before, index)
    assert_taken(path, before, slice(None))
    with pytest.raises(FileExistsError, match="overwrite"):
        take_images(path, [1], out)
    take_images(path, [1], out, overwrite=True)
    assert_taken(out, before, [1])


def test_a_set_may_take_its_own_place(path, before):
    take_images(path, [8, 2], path, overwrite=True)
    assert_taken(path, before, [8, 2])
    assert not path.with_name("set.h5.journal").exists()


def test_images_are_removed(path, before):
    remove_images(path, [0, 9, 4])
    assert_taken(path, before, [1, 2, 3, 5, 6, 7, 8])
    update_annotations(path, [6], [[[1.0, 2.0]] * 3])  # the journal goes on
    assert read(path).keypoints[6, 0].tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="no image left"):
        remove_images(path, np.arange(7))
    with pytest.raises(ValueError, match="7"):
        remove_images(path, [7])
    assert len(read(path).images) == 7


def test_nothing_is_lost_if_it_cannot_be_written(path, before, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skpose.datasets._annotation_edits.create_images", fail)
    with pytest.raises(OSError, match="No space"):
        remove_images(path, [1])
    assert_taken(path, before, slice(None))
    names = {file.name for file in path.parent.iterdir()}
    assert names <= {"set.h5", "set.h5.journal", "set.h5.lock"}


def test_a_set_is_divided_by_video(path, before, tmp_path):
    train, test = tmp_path / "train.h5", tmp_path / "test.h5"
    parts = split_annotations(path, train, test, test_size=0.3, random_state=0)
    for out, index in zip((train, test), parts, strict=True):
        assert_taken(out, before, index)
    videos = [set(before["videos"][index]) for index in parts]
    assert not videos[0] & videos[1]
    assert sorted(np.concatenate(parts)) == list(range(N))
    again = split_annotations(path, train, test, test_size=0.3, random_state=0, overwrite=True)
    assert_array_equal(again[1], parts[1])


def test_a_set_of_unknown_videos_is_divided_by_image(tmp_path):
    path = tmp_path / "set.h5"
    write_annotations(path, np.zeros((N, 8, 8, 1), np.uint8), skeleton=SKELETON)
    parts = split_annotations(path, tmp_path / "a.h5", tmp_path / "b.h5", test_size=0.4)
    assert [len(index) for index in parts] == [6, 4]
    with pytest.raises(ValueError, match="three different files"):
        split_annotations(path, path, tmp_path / "b.h5", overwrite=True)
    with pytest.raises(FileExistsError, match=r"b\.h5"):
        split_annotations(path, tmp_path / "c.h5", tmp_path / "b.h5")
    assert not (tmp_path / "c.h5").exists()


def test_bodyparts_are_renamed(path, before):
    rename_bodyparts(path, {"nose": "snout", "left_ear": "left_ear_with_a_long_näme"})
    after = read(path)
    assert after.skeleton.names == ("snout", "left_ear_with_a_long_näme", "right_ear")
    assert after.skeleton.swap_index.tolist() == [0, 2, 1]
    assert_array_equal(after.keypoints, before["keypoints"])
    rename_bodyparts(path, {"snout": "right_ear", "right_ear": "snout"})
    assert read(path).skeleton.names[::2] == ("right_ear", "snout")
    with pytest.raises(ValueError, match="no bodypart 'tail'"):
        rename_bodyparts(path, {"tail": "x"})
    with pytest.raises(ValueError, match="twice"):
        rename_bodyparts(path, {"snout": "right_ear"})
    assert read(path).skeleton.names[::2] == ("right_ear", "snout")


def test_a_skeleton_of_as_many_bodyparts_as_there_are_images_stays_whole(tmp_path):
    path = tmp_path / "set.h5"
    write_annotations(path, np.zeros((3, 8, 8, 1), dtype=np.uint8), skeleton=SKELETON)
    remove_images(path, [1])
    after = read(path)
    assert len(after.images) == 2
    assert after.skeleton == SKELETON


def test_bodyparts_are_added_and_renamed_without_touching_what_is_labelled(path, before):
    new = Skeleton(
        ["snout", "left_ear", "right_ear", "tail"],
        ["", "snout", "snout", "snout"],
        ["", "right_ear", "left_ear", ""],
    )
    with h5py.File(path) as file:
        pixels = file["images"][()].tobytes()
    change_skeleton(path, new)
    after = read(path)
    assert after.skeleton == new
    for name in ("keypoints", "annotated", "occluded", "confidence"):
        assert_array_equal(after[name][:, :3], before[name])
    assert np.isnan(after.keypoints[:, 3]).all()
    assert not after.annotated[:, 3].any()
    assert_array_equal(after.videos, before["videos"])
    with h5py.File(path) as file:
        assert file["images"][()].tobytes() == pixels
        assert_array_equal(file["depth"], np.arange(N))
    update_annotations(path, [0], np.ones((1, 4, 2)))
    assert read(path).keypoints[0, 3].tolist() == [1, 1]


def test_no_bodypart_is_left_out(path, before):
    with pytest.raises(ValueError, match="has 3 bodyparts, but the new skeleton 2"):
        change_skeleton(path, Skeleton(["a", "b"]))
    with pytest.raises(TypeError, match="skeleton"):
        change_skeleton(path, ["a", "b", "c"])
    assert read(path).skeleton == SKELETON
