from importlib import resources
import json
import re
from typing import get_args

import cv2
import h5py
import numpy as np
import pytest

from skpose import Skeleton
from skpose._label_formats import READ, WRITTEN
from skpose.datasets import _read_labels, _write_labels, read_labels, write_annotations
from skpose.poses import from_numpy, write_poses

NAMES = ["snout", "tail"]
KEYPOINTS = np.array([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 1.0], [np.nan, np.nan]]])


def write_images(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(2):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((6, 8), 10 * i, np.uint8))


def write_deeplabcut(project):
    folder = project / "labeled-data" / "day1"
    write_images(folder)
    rows = ["scorer,Ann,Ann,Ann,Ann", "bodyparts,snout,snout,tail,tail", "coords,x,y,x,y"]
    for i, keypoints in enumerate(KEYPOINTS):
        cells = ["" if np.isnan(value) else str(value) for value in keypoints.ravel()]
        rows.append(",".join([f"labeled-data/day1/{i}.png", *cells]))
    (folder / "CollectedData_Ann.csv").write_text("\n".join(rows) + "\n")
    (project / "config.yaml").write_text("Task: reaching\nscorer: Ann\ndate: May4\n")
    return folder / "CollectedData_Ann.csv"


def write_coco(path):
    write_images(path.parent)
    table = [[1, 2, 2, 3, 4, 1], [5, 1, 2, 0, 0, 0]]
    content = {
        "images": [{"id": i, "file_name": f"{i}.png"} for i in range(2)],
        "categories": [{"id": 1, "name": "mouse", "keypoints": NAMES}],
        "annotations": [
            {"image_id": i, "category_id": 1, "keypoints": row} for i, row in enumerate(table)
        ],
    }
    path.write_text(json.dumps(content))
    return path


def write_set(path):
    images = np.zeros((2, 6, 8, 1), dtype=np.uint8)
    images[1] = 10
    write_annotations(path, images, KEYPOINTS, skeleton=Skeleton(NAMES))
    return path


@pytest.fixture(params=["folder", "config", "table", "coco", "set", "set without an ending"])
def path(request, tmp_path):
    """Labels in every format, under names that say nothing."""
    if request.param == "coco":
        return write_coco(tmp_path / "labels.txt")
    if request.param.startswith("set"):
        return write_set(tmp_path / ("labels.h5" if request.param == "set" else "labels"))
    table = write_deeplabcut(tmp_path)
    return {"folder": tmp_path, "config": tmp_path / "config.yaml", "table": table}[request.param]


def test_every_format_is_told_by_what_it_holds(path):
    data = read_labels(path)
    np.testing.assert_array_equal(data.keypoints, KEYPOINTS)
    assert data.skeleton.names == ("snout", "tail")
    assert data.images.shape == (2, 6, 8, 1)
    assert data.images[:, 0, 0, 0].tolist() == [0, 10]
    assert (data.visibility > 0).tolist() == [[True, True], [True, False]]
    assert data.visibility.dtype == np.int8
    assert "groups" in data


def test_a_skeleton_is_taken_in_place_of_the_files(path):
    is_set = path.name.startswith("labels") and path.suffix != ".txt"
    names = NAMES if is_set else NAMES[::-1]  # sets have no other order
    skeleton = Skeleton(names, ["", names[0]])
    data = read_labels(path, skeleton=skeleton)
    assert data.skeleton is skeleton
    order = [NAMES.index(name) for name in names]
    np.testing.assert_array_equal(data.keypoints, KEYPOINTS[:, order])
    assert (data.visibility > 0).tolist() == (~np.isnan(KEYPOINTS[:, order, 0])).tolist()


def test_visibility_is_that_of_coco(tmp_path):
    assert read_labels(write_coco(tmp_path / "a.json")).visibility.tolist() == [[2, 1], [2, 0]]


def test_options_that_do_not_apply_are_refused(tmp_path):
    for path in (write_coco(tmp_path / "a.json"), write_deeplabcut(tmp_path)):
        with pytest.raises(ValueError, match="labelled does not apply to"):
            read_labels(path, labelled="all")
        assert read_labels(path, image_size=(9, 9)).images.shape == (2, 9, 9, 1)
        assert read_labels(path, n_channels=3).images.shape == (2, 6, 8, 3)
    with pytest.raises(ValueError, match="image_size does not apply to"):
        read_labels(write_set(tmp_path / "set.h5"), image_size=(9, 9))
    assert read_labels(tmp_path / "set.h5", n_channels=3).images.shape == (2, 6, 8, 3)
    assert read_labels(tmp_path, scorer="Ann").keypoints.shape == (2, 2, 2)
    assert read_labels(tmp_path / "a.json", category="mouse").keypoints.shape == (2, 2, 2)
    with pytest.raises(ValueError, match="category must name one of them"):
        read_labels(tmp_path / "a.json", category="rat")


def test_formats_are_the_same_wherever_they_are_listed():
    assert get_args(_read_labels.Format) == tuple(READ) == tuple(_read_labels._READERS)
    assert get_args(_write_labels.Format) == tuple(WRITTEN) == tuple(_write_labels._WRITERS)
    page = resources.files("skpose.annotate").joinpath("static/index.html").read_text("utf-8")
    assert {"deepposekit", *re.findall(r'value="(\w+)"', page)} >= set(WRITTEN)


def test_what_is_missing_may_be_absent(tmp_path):
    project = tmp_path / "project"
    write_deeplabcut(project)
    assert read_labels(project).visibility.tolist() == [[2, 2], [2, 0]]
    assert read_labels(project, missing="absent").visibility.tolist() == [[2, 2], [2, -1]]
    with pytest.raises(ValueError, match="missing must be"):
        read_labels(project, missing="gone")
    with pytest.raises(ValueError, match="missing does not apply"):
        read_labels(write_set(tmp_path / "set.h5"), missing="absent")


def test_the_format_can_be_stated(tmp_path):
    path = write_set(tmp_path / "set.h5")
    assert read_labels(path, format="deepposekit").filename == str(path)
    with pytest.raises(ValueError, match="is not JSON|cannot be read|utf-8"):
        read_labels(path, format="coco")
    with pytest.raises(ValueError, match="format must be one of deepposekit, deeplabcut, light"):
        read_labels(path, format="jabs")


def write_hdf5(path, *names):
    with h5py.File(path, "w") as file:
        for name in names:
            file[name] = np.zeros(2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "a folder without 'labeled-data'"),
        (lambda path: path.write_text(""), "an empty file"),
        (lambda path: path.write_text("frame,id,x,y\n"), "begins with 'frame,id,x,y"),
        (lambda path: path.write_text('{"shapes": []}'), "JSON with shapes"),
        (lambda path: path.write_text('{"images": ['), "not JSON, or cut short"),
        (lambda path: write_hdf5(path, "tracks", "node_names"), "SLEAP, which is predictions"),
        (lambda path: write_hdf5(path, "metadata", "points", "instances"), "as a SLEAP file"),
        (lambda path: write_hdf5(path, "things"), "HDF5 with things"),
        (lambda path: write_hdf5(path, "images", "skeleton"), "no dataset annotations"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n1234"), "damaged"),
        (lambda path: None, "There is no file or folder"),
    ],
)
def test_what_is_no_labels_is_told(make, message, tmp_path):
    make(tmp_path / "thing")
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        read_labels(tmp_path / "thing")
    assert str(tmp_path / "thing") in str(caught.value)


def test_poses_are_no_labels(tmp_path):
    path = write_poses(tmp_path / "poses.csv", from_numpy(KEYPOINTS, names=NAMES))
    with pytest.raises(ValueError, match="numbered frames, not images: it is a table of poses"):
        read_labels(path)
