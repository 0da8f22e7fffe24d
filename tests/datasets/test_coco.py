import json

import cv2
import numpy as np
import pytest

from skpose import Skeleton
from skpose.datasets import read_coco

NAMES = ["head", "leftwing", "rightwing"]


def animal(image_id=1, keypoints=(1, 2, 2, 3, 4, 1, 0, 0, 0), **more):
    return {"image_id": image_id, "category_id": 1, "keypoints": list(keypoints), **more}


def write_coco(folder, annotations=None, *, edges=(), categories=None, n_images=2):
    for i in range(1, n_images + 1):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((6, 8), i, np.uint8))
    content = {
        "images": [{"id": i, "file_name": f"{i}.png"} for i in range(1, n_images + 1)],
        "categories": categories
        or [{"id": 1, "name": "fly", "keypoints": NAMES, "skeleton": [list(e) for e in edges]}],
        "annotations": [animal()] if annotations is None else annotations,
    }
    path = folder / "set.json"
    path.write_text(json.dumps(content))
    return path


def test_visible_and_hidden_keypoints_are_labelled(tmp_path):
    bunch = read_coco(write_coco(tmp_path))
    np.testing.assert_array_equal(bunch.keypoints, [[[1, 2], [3, 4], [np.nan, np.nan]]])
    assert bunch.images.shape == (1, 6, 8, 1)
    assert bunch.groups.tolist() == [1]
    assert bunch.filenames.tolist() == [str(tmp_path / "1.png")]
    assert np.isnan(bunch.bboxes).all()


def test_samples_are_in_the_order_of_the_annotations(tmp_path):
    path = write_coco(tmp_path, [animal(2, bbox=[1, 2, 3, 4]), animal(1, bbox=[5, 6, 7, 8])])
    bunch = read_coco(path)
    assert bunch.images[:, 0, 0, 0].tolist() == [2, 1]
    # from the corner of the first pixel in the file, from its centre as keypoints are
    assert bunch.bboxes.tolist() == [[0.5, 1.5, 3, 4], [4.5, 5.5, 7, 8]]
    X, y = read_coco(path, return_X_y=True)
    assert len(X) == len(y) == 2


def test_crowds_and_animals_without_keypoints_are_left_out(tmp_path):
    unlabelled = animal(2, [0] * 9)
    boxed = {"image_id": 2, "category_id": 1, "bbox": [0, 0, 1, 1]}
    path = write_coco(tmp_path, [unlabelled, boxed, animal(2, iscrowd=1), animal(1)])
    assert read_coco(path).groups.tolist() == [1]
    with pytest.raises(ValueError, match=r"set\.json has no labelled keypoints of 'fly'"):
        read_coco(write_coco(tmp_path, [unlabelled]))


def test_several_animals_of_an_image_warn_and_share_a_group(tmp_path):
    path = write_coco(tmp_path, [animal(1), animal(2), animal(1)])
    with pytest.warns(UserWarning, match="several animals.*Crop"):
        bunch = read_coco(path)
    assert bunch.groups.tolist() == [1, 2, 1]
    assert len(bunch.images) == 3


@pytest.mark.parametrize("edges", [[(2, 1), (3, 1)], [(1, 2), (1, 3)]])
def test_either_end_of_the_edges_may_be_the_parent(tmp_path, edges):
    skeleton = read_coco(write_coco(tmp_path, edges=edges)).skeleton
    assert skeleton == Skeleton(NAMES, [None, 0, 0], [None, 2, 1])


def test_edges_without_an_order_span_a_tree(tmp_path):
    names = list("abcde")
    category = {"id": 1, "name": "fly", "keypoints": names}
    category["skeleton"] = [[1, 2], [3, 2], [3, 4], [5, 4]]  # a - b - c - d - e
    path = write_coco(tmp_path, [animal(keypoints=[1] * 15)], categories=[category])
    assert read_coco(path).skeleton == Skeleton(names, [None, 0, 1, 2, 3])


def test_cycle_of_edges_is_cut_with_a_warning(tmp_path):
    path = write_coco(tmp_path, edges=[(1, 2), (2, 3), (3, 1)])
    with pytest.warns(UserWarning, match="only 2 of 3 edges are kept"):
        skeleton = read_coco(path).skeleton
    assert skeleton.limbs.tolist() == [0, 0, 0]


def test_guessed_partners_can_be_declined(tmp_path):
    assert not read_coco(write_coco(tmp_path), guess_swaps=False).skeleton.has_swaps


def test_category_must_be_chosen_among_several(tmp_path):
    categories = [{"id": i, "name": name, "keypoints": NAMES} for i, name in ((1, "a"), (2, "b"))]
    categories.append({"id": 3, "name": "box"})
    other = {**animal(2), "category_id": 2}
    path = write_coco(tmp_path, [animal(1), other], categories=categories)
    assert read_coco(path, category="b").groups.tolist() == [2]
    for name in (None, "box"):
        with pytest.raises(ValueError, match="categories a, b; category must"):
            read_coco(path, category=name)


def test_images_in_another_folder(tmp_path):
    path = write_coco(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "1.png").rename(tmp_path / "images" / "1.png")
    assert len(read_coco(path, image_dir=tmp_path / "images").images) == 1
    with pytest.raises(FileNotFoundError, match=r"1\.png"):
        read_coco(path)


def test_damaged_file_is_named(tmp_path):
    path = write_coco(tmp_path)
    text = path.read_text()
    for damaged, message in [
        (text[:-20], r"set\.json is not JSON, or cut short"),
        ("[]", r"set\.json is not a COCO file: it has no images or annotations or categories"),
    ]:
        path.write_text(damaged)
        with pytest.raises(ValueError, match=message):
            read_coco(path)
    with pytest.raises(ValueError, match=r"images that it does not list: \[9\]"):
        read_coco(write_coco(tmp_path, [animal(9)]))
    with pytest.raises(ValueError, match="image 1 has 3 numbers, but 3 keypoints need 9"):
        read_coco(write_coco(tmp_path, [animal(keypoints=[1, 2, 2])]))


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "shape", "n_edges"),
    [
        ("fly", (2, 192, 192, 1), 25),
        ("locust", (2, 160, 160, 1), 26),
        ("zebra", (2, 160, 160, 3), 8),
    ],
)
def test_real_sets(data_dir, name, shape, n_edges):
    bunch = read_coco(data_dir / "coco" / name / f"test_{name}.json")
    assert bunch.images.shape == shape
    assert len(bunch.skeleton.edges) == n_edges
    assert not np.isnan(bunch.keypoints).any()
    corners = bunch.bboxes[:, :2], bunch.bboxes[:, :2] + bunch.bboxes[:, 2:]
    np.testing.assert_allclose(bunch.keypoints.min(axis=1), corners[0], atol=1)
    np.testing.assert_allclose(bunch.keypoints.max(axis=1), corners[1], atol=1)


@pytest.mark.data
@pytest.mark.parametrize("name", ["locust", "zebra"])
def test_guessed_partners_of_real_sets_are_those_of_their_tables(data_dir, name):
    bunch = read_coco(data_dir / "coco" / name / f"test_{name}.json")
    table = Skeleton.from_csv(data_dir / "coco" / f"{name}_skeleton.csv")
    assert bunch.skeleton.names == table.names
    assert bunch.skeleton.swap_index.tolist() == table.swap_index.tolist()


@pytest.mark.parametrize("value", ["2", None, [1]])
def test_keypoints_that_are_no_numbers_are_told(tmp_path, value):
    path = write_coco(tmp_path, [animal(keypoints=[1, 2, value, 3, 4, 1, 0, 0, 0])])
    with pytest.raises(ValueError, match=r"set\.json: the keypoints of image 1 must be numbers"):
        read_coco(path)
