from pathlib import Path

import cv2
import numpy as np
import pytest

from skpose import Skeleton
from skpose.datasets import read_labels, read_yolo

CONFIG = """
path: nowhere/mice
train: images/train
val: images/val
kpt_shape: [3, {n_numbers}]
flip_idx: [0, 2, 1]
names: {{0: mouse, 1: rat}}
kpt_names: {{0: [nose, ear_left, ear_right]}}
"""
MOUSE = "0 0.5 0.5 0.25 0.5 "


def make_dataset(folder, labels, n_numbers=3, config=CONFIG):
    """Images of 8 x 12 (height x width), one file of labels for some; names have their split."""
    folder.mkdir(exist_ok=True)
    (folder / "data.yaml").write_text(config.format(n_numbers=n_numbers))
    for i, (name, text) in enumerate(labels.items()):
        for kind in ("images", "labels"):
            (folder / kind / name).parent.mkdir(parents=True, exist_ok=True)
        image = np.full((8, 12), 10 * i, np.uint8)
        cv2.imwrite(str(folder / "images" / f"{name}.png"), image)
        if text is not None:
            (folder / "labels" / f"{name}.txt").write_text(text)
    return folder


@pytest.mark.parametrize("given", ["folder", "file"])
def test_shares_become_the_centres_of_pixels(tmp_path, given):
    labels = {
        "train/a": MOUSE + "0.5 0.5 2 0.125 0.25 1 0.0 0.0 0",
        "train/none": None,
        "train/empty": "\n",
        "val/day2/b": MOUSE + "0 0 2 1 1 2 0 0 0",
    }
    folder = make_dataset(tmp_path, labels)
    found = read_labels(folder if given == "folder" else folder / "data.yaml")
    expected = [[[5.5, 3.5], [1.0, 1.5], [np.nan] * 2], [[-0.5, -0.5], [11.5, 7.5], [np.nan] * 2]]
    np.testing.assert_array_equal(found.keypoints, expected)
    assert found.visibility.tolist() == [[2, 1, 0], [2, 2, 0]]
    assert found.images[:, 0, 0, 0].tolist() == [0, 30]
    assert found.skeleton.names == ("nose", "ear_left", "ear_right")
    assert found.skeleton.swap_index.tolist() == [0, 2, 1]
    assert found.splits.tolist() == ["train", "val"]
    assert found.bboxes[0].tolist() == [4.0, 1.5, 3.0, 4.0]
    assert found.groups is None


def test_without_visibility_what_is_at_zero_is_not_labelled(tmp_path):
    folder = make_dataset(tmp_path, {"train/a": MOUSE + "0.5 0.5 0 0 -1 -1", "val/b": None}, 2)
    assert read_yolo(folder).visibility.tolist() == [[2, 0, 0]]


def test_several_animals(tmp_path):
    lines = [MOUSE + "0.5 0.5 2 0 0 0 0 0 0", MOUSE + "0.25 0.5 2 0 0 0 0 0 0"]
    folder = make_dataset(tmp_path, {"train/a": "\n".join(lines), "val/b": None})
    with pytest.raises(ValueError, match='several animals.*individuals="each"'):
        read_labels(folder)
    found = read_labels(folder, individuals="each")
    assert found.keypoints[:, 0, 0].tolist() == [5.5, 2.5]
    assert len(set(found.filenames)) == 1


def test_several_classes(tmp_path):
    rat = MOUSE.replace("0", "1", 1) + "0.5 0.5 2 0 0 0 0 0 0"
    labels = {"train/a": MOUSE + "0.25 0.5 2 0 0 0 0 0 0", "val/b": rat}
    folder = make_dataset(tmp_path, labels)
    with pytest.raises(ValueError, match="classes mouse, rat; category must name one"):
        read_labels(folder)
    assert read_labels(folder, category="rat").splits.tolist() == ["val"]
    with pytest.raises(ValueError, match="'cat'"):
        read_labels(folder, category="cat")


def test_lists_of_images_and_of_folders(tmp_path):
    config = CONFIG.replace("train: images/train", "train: [images/train, list.txt]")
    labels = {name: MOUSE + "0.5 0.5 2 0 0 0 0 0 0" for name in ("train/a", "more/c", "val/b")}
    folder = make_dataset(tmp_path, labels, config=config)
    (folder / "list.txt").write_text("./images/more/c.png\n\n./images/train/a.png\n")
    assert [Path(name).stem for name in read_yolo(folder).filenames] == ["a", "c", "b"]


def test_places_as_roboflow_writes_them(tmp_path):
    config = CONFIG.replace("images/", "../images/").replace("path: nowhere/mice", "")
    labels = {"train/a": MOUSE + "0.5 0.5 2 0 0 0 0 0 0", "val/b": None}
    folder = make_dataset(tmp_path / "mice", labels, config=config)
    assert read_yolo(folder).splits.tolist() == ["train"]


def test_bodyparts_are_chosen_by_name(tmp_path):
    labels = {"train/a": MOUSE + "0.5 0.5 2 0.125 0.25 1 0 0 0", "val/b": None}
    folder = make_dataset(tmp_path, labels)
    found = read_labels(folder, skeleton=Skeleton(["ear_left", "nose"]))
    assert found.keypoints.tolist() == [[[1.0, 1.5], [5.5, 3.5]]]
    with pytest.raises(ValueError, match="tail"):
        read_labels(folder, skeleton=Skeleton(["tail"]))


def test_bodyparts_without_names_are_numbered(tmp_path):
    config = CONFIG.replace("kpt_names", "other")
    labels = {"train/a": MOUSE + "0.5 0.5 2 0 0 0 0 0 0", "val/b": None}
    folder = make_dataset(tmp_path, labels, config=config)
    assert read_yolo(folder).skeleton.names == ("keypoint_0", "keypoint_1", "keypoint_2")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (MOUSE + "0.5 0.5 2", r"train/a\.txt.*8 numbers, but .* are 14"),
        (MOUSE + "0.5 0.5 3 0 0 0 0 0 0", "visibility"),
        (MOUSE + "0.5 nan 2 0 0 0 0 0 0", "infinite or none"),
        (MOUSE + "0.5 half 2 0 0 0 0 0 0", "half"),
        (None, "no image in which an animal is labelled"),
    ],
)
def test_damaged_labels(tmp_path, text, wrong):
    folder = make_dataset(tmp_path, {"train/a": text, "val/b": None})
    with pytest.raises(ValueError, match=wrong):
        read_labels(folder)


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        (CONFIG.replace("[3, {n_numbers}]", "3"), "data.yaml cannot be read"),
        (CONFIG.replace("[3, {n_numbers}]", "[3, 4]"), "kpt_shape must be"),
        (CONFIG.replace("[0, 2, 1]", "[0, 5, 1]"), "data.yaml cannot be read"),
        (CONFIG.replace("kpt_shape", "shape"), "no kpt_shape"),
        ("train: [", "data.yaml cannot be read"),
    ],
)
def test_damaged_descriptions(tmp_path, config, wrong):
    folder = make_dataset(tmp_path, {"train/a": None, "val/b": None}, config=config)
    with pytest.raises(ValueError, match=wrong):
        read_labels(folder)


def test_a_split_that_is_not_there(tmp_path):
    folder = make_dataset(tmp_path, {"train/a": None})
    with pytest.raises(FileNotFoundError, match="names images/val as val"):
        read_labels(folder)
    with pytest.raises(FileNotFoundError, match="no file"):
        read_yolo(tmp_path / "labels")
    with pytest.raises(ValueError, match="'error' or 'each'"):
        read_yolo(folder, individuals="anna")
