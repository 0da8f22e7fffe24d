import cv2
import numpy as np
import pytest

from skpose.datasets import read_labels, read_lightning_pose

ROWS = {"day1/img0": (1.5, 2), "day2/img0": (3, 4)}


@pytest.fixture
def project(tmp_path):
    """A project of two videos, as Lightning Pose lays it out."""
    write_table(tmp_path / "CollectedData.csv", ROWS)
    return tmp_path


def write_table(path, rows):
    lines = ["scorer,Ann,Ann", "bodyparts,paw,paw", "coords,x,y"]
    for value, (name, (x, y)) in enumerate(rows.items()):
        image = path.parent / "labeled-data" / f"{name}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(image), np.full((6, 8), value, np.uint8))
        lines.append(f"labeled-data/{name}.png,{x},{y}")
    path.write_text("\n".join(lines) + "\n")


def test_the_folder_and_its_table_are_read(project):
    for path in (project, project / "CollectedData.csv"):
        found = read_labels(path)
        assert found.keypoints[:, 0].tolist() == [[1.5, 2], [3, 4]]
        assert found.images[:, 0, 0, 0].tolist() == [0, 1]
        assert found.groups.tolist() == ["day1", "day2"]
        assert read_labels(path, format="lightning_pose").skeleton.names == ("paw",)


def test_of_several_views_one_is_given(project):
    (project / "CollectedData.csv").unlink()
    for view in ("top", "side"):
        write_table(project / f"CollectedData_{view}.csv", {f"day1_{view}/img0": (1, 2)})
    with pytest.raises(ValueError, match=r"views, CollectedData_side\.csv, CollectedData_top"):
        read_labels(project)
    assert read_labels(project / "CollectedData_top.csv").groups.tolist() == ["day1_top"]


def test_a_folder_without_a_table(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no table CollectedData\.csv"):
        read_lightning_pose(tmp_path)


def test_images_that_are_missing(project):
    (project / "labeled-data" / "day2" / "img0.png").unlink()
    with pytest.raises(FileNotFoundError, match="img0.png"):
        read_labels(project)
