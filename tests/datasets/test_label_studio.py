import json

import cv2
import numpy as np
import pytest

from skpose import Skeleton
from skpose.datasets import read_label_studio, read_labels


def keypoint(name, x, y, **more):
    """A keypoint of an image of 8 x 12 (height x width), in percent."""
    return {
        "type": "keypointlabels",
        "original_width": 12,
        "original_height": 8,
        "image_rotation": 0,
        "value": {"x": x, "y": y, "width": 0.5, "keypointlabels": [name]},
        **more,
    }


def task(image, *regions, **more):
    return {"id": 7, "data": {"image": image}, "annotations": [{"result": list(regions), **more}]}


def export(folder, tasks, images=("a.png",)):
    for i, image in enumerate(images):
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / image), np.full((8, 12), 10 * i, np.uint8))
    path = folder / "export.json"
    path.write_text(json.dumps(tasks))
    return path


NOSE = keypoint("nose", 50, 50)


def test_percents_become_the_centres_of_pixels(tmp_path):
    tasks = [
        task(
            "/data/upload/3/1f2e3d4c-a.png", keypoint("ear_right", 0, 0), keypoint("nose", 50, 50)
        ),
        task("/data/upload/3/b.png", keypoint("ear_left", 100, 100)),
        task("/data/upload/3/nobody.png"),
    ]
    found = read_labels(export(tmp_path, tasks, ["a.png", "b.png"]))
    assert found.skeleton.names == ("ear_right", "nose", "ear_left")
    assert found.skeleton.swap_index.tolist() == [2, 1, 0]
    nowhere = [np.nan, np.nan]
    expected = [[[-0.5, -0.5], [5.5, 3.5], nowhere], [nowhere, nowhere, [11.5, 7.5]]]
    np.testing.assert_array_equal(found.keypoints, expected)
    assert found.visibility.tolist() == [[2, 2, 0], [0, 0, 2]]
    assert found.images[:, 0, 0, 0].tolist() == [0, 10]
    chosen = read_labels(tmp_path / "export.json", skeleton=Skeleton(["nose"]))
    assert chosen.keypoints[0].tolist() == [[5.5, 3.5]]
    with pytest.raises(ValueError, match="tail"):
        read_labels(tmp_path / "export.json", skeleton=Skeleton(["tail"]))


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("/data/local-files/?d=day1/a.png", "day1/a.png"),
        ("/data/local-files/?d=lab%20one/day1/a.png", "day1/a.png"),
        ("https://somewhere.org/day1/a.png?token=1", "a.png"),
        ("C:\\videos\\day1\\a.png", "day1/a.png"),
        ("../../../day1/a.png", "day1/a.png"),
    ],
)
def test_images_are_found_by_as_many_folders_as_are_there(tmp_path, address, place):
    path = export(tmp_path, [task(address, NOSE)], [f"images/{place}"])
    with pytest.raises(FileNotFoundError, match="give their folder as image_dir"):
        read_labels(path)
    found = read_labels(path, image_dir=tmp_path / "images")
    assert found.filenames[0].endswith(place)


def animals():
    box = {"type": "rectanglelabels", "value": {}}
    return [
        {**box, "id": "one"},
        {**box, "id": "two"},
        keypoint("nose", 50, 50, id="k1", parentID="one"),
        keypoint("tail", 100, 100, id="k2", parentID="one"),
        keypoint("nose", 25, 25, id="k3"),
        {"type": "relation", "from_id": "k3", "to_id": "two"},
        {"type": "relation", "from_id": "k1", "to_id": "one"},
        {"type": "relation", "from_id": "k2", "to_id": "k1"},  # an edge
    ]


def test_several_animals(tmp_path):
    path = export(tmp_path, [task("a.png", *animals())])
    with pytest.raises(ValueError, match='several animals.*individuals="each"'):
        read_labels(path)
    found = read_labels(path, individuals="each")
    assert found.keypoints[:, 0].tolist() == [[5.5, 3.5], [2.5, 1.5]]
    assert np.isnan(found.keypoints[1, 1]).all()
    assert len(set(found.filenames)) == 1


def test_edges_between_keypoints_tell_no_animal(tmp_path):
    regions = [
        keypoint("nose", 50, 50, id="k1"),
        keypoint("tail", 100, 100, id="k2"),
        {"type": "relation", "from_id": "k1", "to_id": "box"},
        {"type": "relation", "from_id": "box", "to_id": "k2"},
        {"type": "relation", "from_id": "k1", "to_id": "k2"},
    ]
    found = read_labels(export(tmp_path, [task("a.png", *regions)]))
    assert found.keypoints.tolist() == [[[5.5, 3.5], [11.5, 7.5]]]


def test_images_that_lead_to_one_file_are_refused(tmp_path):
    tasks = [task(f"/data/upload/1/{name}-a.png", NOSE) for name in ("1f2e3d4c", "2f2e3d4c")]
    with pytest.raises(ValueError, match=r"1f2e3d4c-a\.png and .*but only"):
        read_labels(export(tmp_path, tasks), individuals="each")


def test_images_of_another_size_than_was_labelled(tmp_path):
    path = export(tmp_path, [task("a.png", keypoint("nose", 50, 50))])
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((16, 24), np.uint8))  # twice as large
    assert read_labels(path).keypoints.tolist() == [[[11.5, 7.5]]]
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((16, 16), np.uint8))
    with pytest.raises(ValueError, match=r"12 x 8 pixels .* has 16 x 16"):
        read_labels(path)


def test_of_several_people_the_ground_truth_is_read(tmp_path):
    first, second = (task("a.png", keypoint("nose", x, 50)) for x in (50, 25))
    second["annotations"][0]["ground_truth"] = True
    cancelled = {**first["annotations"][0], "was_cancelled": True}
    first["annotations"] = [cancelled, *first["annotations"], *second["annotations"]]
    with pytest.warns(UserWarning, match="task 7 was labelled 2 times"):
        found = read_labels(export(tmp_path, [first]))
    assert found.keypoints.tolist() == [[[2.5, 3.5]]]


@pytest.mark.parametrize(
    ("tasks", "wrong"),
    [
        ([task("a.png")], "no keypoints"),
        ([task("a.png", NOSE, NOSE)], "'nose' twice"),
        ([task("a.png", {**NOSE, "image_rotation": 90})], "turned"),
        ([task("data:image/png;base64,iVBORw0KGgo=", NOSE)], "images in itself"),
        (
            [task("a.png", {**NOSE, "to_name": "one"}, keypoint("tail", 1, 1, to_name="two"))],
            "several images",
        ),
        ([task("a.png", {**NOSE, "value": {"keypointlabels": ["nose"]}})], "export.json cannot be"),
        ([{**task("a.png", NOSE), "data": {"left": "a.png", "right": "b.png"}}], "call it 'image'"),
        ([{**task("a.png", NOSE), "data": {}}], "call it 'image'"),
    ],
)
def test_what_cannot_be_read(tmp_path, tasks, wrong):
    with pytest.raises(ValueError, match=wrong):
        read_labels(export(tmp_path, tasks))


def test_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        read_label_studio(tmp_path / "none.json")
    (tmp_path / "cut.json").write_text('[{"data": ')
    with pytest.raises(ValueError, match="cannot be read as an export"):
        read_label_studio(tmp_path / "cut.json")
    with pytest.raises(ValueError, match="'error' or 'each'"):
        read_label_studio(tmp_path / "cut.json", individuals="anna")
    (tmp_path / "results.json").write_text('[{"image_id": 1, "keypoints": [1, 2, 2]}]')
    with pytest.raises(ValueError, match="JSON with a list, not labels"):
        read_labels(tmp_path / "results.json")
