"""Labels in the formats of other programs: what is written is read again, by them too."""

import json
from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest
from sklearn.utils import Bunch

from skpose import Skeleton
from skpose._lazy_array import LazyArray
from skpose.datasets import (
    make_poses,
    read_annotations,
    read_labels,
    write_annotations,
    write_labels,
)
from skpose.datasets._write_images import join_names, name_images

SKELETON = Skeleton(
    ["nose", "ear_left", "ear_right", "1", "Schwänzchen"],
    parents=[None, "nose", "nose", "nose", "1"],
    swaps=[None, "ear_right", "ear_left", None, None],
)
FORMATS = {
    "deepposekit": "set.h5",
    "deeplabcut": "project",
    "lightning_pose": "project",
    "coco": "set.json",
    "sleap": "set.pkg.slp",
    "yolo": "dataset",
}
formats = pytest.mark.parametrize("format", FORMATS)
pytestmark = pytest.mark.filterwarnings("ignore:.*outside of their images")  # of YOLO


def make_labels(n_channels=1):
    """Frames of two videos of one name, in which corners, halves and nothing are labelled."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (6, 12, 16, n_channels), dtype=np.uint8)
    keypoints = rng.uniform(0, 11, (6, 5, 2))
    keypoints[0, :3] = [(0, 0), (15, 11), (-1.5, 0.5)]
    keypoints[1, 2] = keypoints[4] = np.nan
    visibility = np.where(np.isnan(keypoints).any(axis=2), 0, 2).astype(np.int8)
    visibility[2, 1] = 1
    return Bunch(
        images=images,
        keypoints=keypoints,
        visibility=visibility,
        skeleton=SKELETON,
        videos=np.array(["fly.mp4, 10 bytes"] * 3 + ["fly.mp4, 12 bytes"] * 3),
        frame_numbers=np.array([0, 7, 10**6, 0, 1, 2]),
    )


def written(tmp_path, format, labels, **options):
    if format == "sleap":
        pytest.importorskip("sleap_io")
    path = tmp_path / FORMATS[format]
    assert write_labels(path, labels, format=format, **options) == path
    return path


def in_order_of_frames(labels):
    """Labels of YOLO, whose files are sorted by name, in the order of `make_labels`."""
    names = [Path(name).stem for name in labels.filenames]
    order = sorted(range(len(names)), key=lambda row: ("fly_2" in names[row], names[row]))
    return Bunch(
        images=labels.images[order],
        keypoints=labels.keypoints[order],
        visibility=labels.visibility[order],
        bboxes=labels.bboxes[order],
    )


@formats
@pytest.mark.parametrize("n_channels", [1, 3])
def test_what_is_written_is_read_again(tmp_path, format, n_channels):
    labels = make_labels(n_channels)
    path = written(tmp_path, format, labels)
    kept = np.flatnonzero(labels.visibility.any(axis=1))
    found = read_labels(path, skeleton=SKELETON)
    if format in ("deeplabcut", "lightning_pose", "sleap"):
        assert len(found.images) == 6  # also one in which nothing is labelled
        kept = np.arange(6)
    keypoints, visibility = labels.keypoints[kept], labels.visibility[kept]
    if format == "yolo":
        found = in_order_of_frames(found)
        keypoints[0, 2], visibility[0, 2] = np.nan, 0  # outside of the image
        np.testing.assert_allclose(found.keypoints, keypoints, rtol=0, atol=1e-9)
    else:
        np.testing.assert_array_equal(found.keypoints, keypoints)
    np.testing.assert_array_equal(np.asarray(found.images), labels.images[kept])
    if format in ("deepposekit", "coco", "yolo"):
        np.testing.assert_array_equal(found.visibility, visibility)
    own = read_labels(path).skeleton
    assert own.names == SKELETON.names
    assert (own.swap_index == SKELETON.swap_index).all()
    if format != "lightning_pose":
        assert (own.parents == SKELETON.parents).all()
    if format not in ("coco", "yolo"):
        assert len(set(found.groups)) == 2  # the videos are told apart
    assert not list(tmp_path.glob(".*"))  # nothing that was temporary


def test_a_set_keeps_all_of_another(tmp_path):
    labels = make_labels()
    labels.visibility[1, 2] = -1
    labels["annotators"] = np.where(labels.visibility > 0, "anna", "").astype(object)
    path = written(tmp_path, "deepposekit", labels)
    found = read_annotations(path, frames="all")
    np.testing.assert_array_equal(found.visibility, labels.visibility)
    assert (found.annotators == labels.annotators).all()
    assert (found.videos == labels.videos).all()
    assert (found.frame_numbers == labels.frame_numbers).all()


def test_hidden_keypoints_that_are_left_out_have_no_annotator(tmp_path):
    labels = make_labels()
    labels["annotators"] = np.where(labels.visibility > 0, "anna", "").astype(object)
    path = written(tmp_path, "deepposekit", labels)
    seen = read_labels(path, labelled="visible")
    write_labels(tmp_path / "seen.h5", seen)
    found = read_annotations(tmp_path / "seen.h5")
    assert (found.annotators[2] == "").tolist() == [False, True, False, False, False]


def test_frame_numbers_go_through_a_package(tmp_path):
    labels = make_labels()
    found = read_labels(written(tmp_path, "sleap", labels))
    assert found.frame_numbers.tolist() == labels.frame_numbers.tolist()
    assert len(set(found.videos)) == 2


def test_files_are_named_after_the_frames(tmp_path):
    project = written(tmp_path, "deeplabcut", make_labels())
    names = sorted(str(path.relative_to(project)) for path in project.rglob("*.png"))
    assert names == [
        "labeled-data/fly/img0000000.png",
        "labeled-data/fly/img0000007.png",
        "labeled-data/fly/img1000000.png",
        "labeled-data/fly_2/img0000000.png",
        "labeled-data/fly_2/img0000001.png",
        "labeled-data/fly_2/img0000002.png",
    ]


def test_names_that_no_file_may_have(tmp_path):
    labels = make_labels()
    labels.videos = np.array(["b:c?.avi, 1 bytes"] * 3 + ["..., 2 bytes"] * 3)
    labels.frame_numbers = np.array([5, 5, 5, -1, -1, -1])
    project = written(tmp_path, "deeplabcut", labels)
    assert sorted(str(path.relative_to(project)) for path in project.rglob("*.png")) == [
        "labeled-data/b_c_/img0005.png",
        "labeled-data/b_c_/img0005_2.png",
        "labeled-data/b_c_/img0005_3.png",
        "labeled-data/images/img0003.png",
        "labeled-data/images/img0004.png",
        "labeled-data/images/img0005.png",
    ]


def test_deeplabcut_is_read_by_pandas_as_deeplabcut_does(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    labels = make_labels()
    project = written(tmp_path, "deeplabcut", labels)
    table = pd.read_hdf(project / "labeled-data" / "fly" / "CollectedData_skpose.h5")
    text = pd.read_csv(
        project / "labeled-data" / "fly" / "CollectedData_skpose.csv",
        header=[0, 1, 2],
        index_col=[0, 1, 2],
    )
    for found in (table, text):
        assert found.columns.names == ["scorer", "bodyparts", "coords"]
        places = found.to_numpy().reshape(3, 5, 2)
        np.testing.assert_allclose(places, labels.keypoints[:3], rtol=1e-14)  # pandas before 3
    assert table.index[1] == "labeled-data/fly/img0000007.png"
    assert text.index[1] == ("labeled-data", "fly", "img0000007.png")


def test_lightning_pose_is_read_by_pandas_as_lightning_pose_does(tmp_path):
    pd = pytest.importorskip("pandas")
    labels = make_labels()
    project = written(tmp_path, "lightning_pose", labels)
    table = pd.read_csv(project / "CollectedData.csv", header=[0, 1, 2], index_col=0)
    assert all((project / name).is_file() for name in table.index)
    places = table.to_numpy().reshape(6, 5, 2)
    np.testing.assert_allclose(places, labels.keypoints, rtol=1e-14)


def test_the_configuration_of_a_deeplabcut_project(tmp_path):
    yaml = pytest.importorskip("yaml")
    project = written(tmp_path, "deeplabcut", make_labels())
    config = yaml.safe_load((project / "config.yaml").read_text(encoding="utf-8"))
    assert config["bodyparts"] == list(SKELETON.names)
    assert ["nose", "ear_left"] in config["skeleton"]
    assert [crop["crop"] for crop in config["video_sets"].values()] == ["0, 16, 0, 12"] * 2
    assert config["project_path"] == str(project.resolve())


def test_boxes_of_coco_are_counted_from_the_corner(tmp_path):
    labels = make_labels()
    labels.keypoints[0] = np.nan
    labels.keypoints[0, :2] = [(2, 3), (6, 4)]
    labels.visibility[0] = [2, 1, 0, 0, -1]
    content = json.loads(written(tmp_path, "coco", labels).read_text())
    first = content["annotations"][0]
    assert first["keypoints"] == [2.0, 3.0, 2, 6.0, 4.0, 1] + [0.0, 0.0, 0] * 3
    assert first["bbox"] == [2.0, 3.0, 5.0, 2.0]  # of the two pixels and what is between
    assert first["num_keypoints"] == 2
    assert [1, 2] not in content["categories"][0]["skeleton"]  # the child first, from 1
    assert [2, 1] in content["categories"][0]["skeleton"]
    assert len(content["images"]) == 6
    assert len(content["annotations"]) == 5


def test_pycocotools_reads_what_is_written(tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    labels = make_labels()
    path = written(tmp_path, "coco", labels)
    found = coco.COCO(str(path))
    assert len(found.getImgIds()) == 6
    rows = [row["keypoints"] for row in found.loadAnns(found.getAnnIds())]
    table = np.array(rows).reshape(5, 5, 3)
    is_placed = table[..., 2] > 0
    kept = labels.keypoints[labels.visibility.any(axis=1)]
    np.testing.assert_array_equal(table[is_placed][:, :2], kept[is_placed])


class Fragile(LazyArray):
    """Images that can be read up to one of them."""

    def __init__(self):
        super().__init__(100, (8, 8, 1))

    def _read(self, positions):
        if max(positions) > 70:
            raise OSError("the disk was taken away")
        return np.zeros((len(positions), 8, 8, 1), dtype=np.uint8)


@formats
def test_what_fails_leaves_nothing(tmp_path, format):
    y = np.ones((100, 5, 2))
    labels = Bunch(images=Fragile(), keypoints=y, skeleton=SKELETON)
    with pytest.raises(OSError, match="taken away"):
        written(tmp_path, format, labels)
    assert not list(tmp_path.iterdir())


@formats
def test_nothing_that_exists_is_replaced_unasked(tmp_path, format):
    labels = make_labels()
    path = written(tmp_path, format, labels)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileExistsError):
        write_labels(path, labels, format=format)
    assert sorted(tmp_path.rglob("*")) == before
    if format in ("deepposekit", "sleap"):
        write_labels(path, labels, format=format, overwrite=True)
        assert len(read_labels(path).images) > 0
        if format == "sleap":  # of SLEAP itself, which may hold what people have labelled
            sio = pytest.importorskip("sleap_io")
            theirs = sio.load_slp(str(path))
            theirs.provenance.clear()
            theirs.save(str(tmp_path / "theirs.pkg.slp"), embed="user", verbose=False)
            (tmp_path / "theirs.pkg.slp").replace(path)
            with pytest.raises(ValueError, match="something else"):
                write_labels(path, labels, format=format, overwrite=True)
        path.write_bytes(b"something else")
        with pytest.raises(ValueError, match="something else"):
            write_labels(path, labels, format=format, overwrite=True)
    else:
        with pytest.raises(FileExistsError, match="never replaced"):
            write_labels(path, labels, format=format, overwrite=True)
    path.with_name("empty").mkdir()  # which is as good as none
    if path.is_dir():
        write_labels(path.with_name("empty"), labels, format=format)


@pytest.mark.parametrize(
    ("name", "options", "wrong"),
    [
        ("labels.txt", {}, "is to be is not known"),
        ("labels.txt", {"format": "nwb"}, "format must be one of"),
        ("labels.txt", {"format": "coco"}, r"end in \.json"),
        ("no/labels.json", {}, "no folder"),
        ("no/project", {}, "no folder"),
    ],
)
def test_wrong_places_are_refused(tmp_path, name, options, wrong):
    with pytest.raises((ValueError, FileNotFoundError), match=wrong):
        write_labels(tmp_path / name, make_labels(), **options)


def test_labels_that_lack_something(tmp_path):
    labels = make_labels()
    with pytest.raises(ValueError, match="labels need skeleton"):
        write_labels(tmp_path / "project", Bunch(**{**labels, "skeleton": None}))
    none = Bunch(images=labels.images[:0], keypoints=labels.keypoints[:0], skeleton=SKELETON)
    with pytest.raises(ValueError, match="no labels to write"):
        write_labels(tmp_path / "project", none)


@pytest.mark.parametrize("name", ["openfield", "reaching"])
@formats
def test_real_labels_go_to_and_fro(data_dir, tmp_path, name, format):
    labels = read_labels(data_dir / name, n_channels=1)
    path = written(tmp_path, format, labels)
    found = read_labels(path, n_channels=1)
    if format == "yolo":
        names = join_names(name_images(labels))
        order = [[Path(name).name for name in found.filenames].index(name) for name in names]
        assert len(found.images) == len(names)
        placed = found.keypoints[order]
        is_there = np.isfinite(placed)
        assert is_there.sum() >= np.isfinite(labels.keypoints).sum() - 2  # outside
        np.testing.assert_allclose(placed[is_there], labels.keypoints[is_there], atol=1e-9)
        found = Bunch(images=found.images[order], keypoints=labels.keypoints)
    np.testing.assert_array_equal(found.keypoints, labels.keypoints)
    rows = np.arange(0, len(labels.images), 20)
    np.testing.assert_array_equal(found.images[rows], labels.images[rows])


# Prints the most memory that labels of more and more images of 77 kB take while they are written.
WRITE_MANY = """
from pathlib import Path
import sys
import tracemalloc

import numpy as np
from sklearn.utils import Bunch

from skpose import Skeleton
from skpose._lazy_array import LazyArray
from skpose.datasets import write_labels


class Many(LazyArray):
    def _read(self, positions):
        return np.full((len(positions), 240, 320, 1), 7, dtype=np.uint8)


folder, format, name = sys.argv[1:]
skeleton = Skeleton(["nose", "head", "neck", "back", "tail"])
for n in (20, 50, 500):  # the first imports what is needed
    images = Many(n, (240, 320, 1))
    labels = Bunch(images=images, keypoints=np.ones((n, 5, 2)), skeleton=skeleton)
    path = Path(folder, str(n), name)
    path.parent.mkdir()
    tracemalloc.start()
    write_labels(path, labels, format=format)
    print(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
"""


@formats
def test_memory_does_not_grow_with_the_images(tmp_path, format):
    if format == "sleap":
        pytest.importorskip("sleap_io")
    command = [sys.executable, "-c", WRITE_MANY, tmp_path, format, FORMATS[format]]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    _, few, many = map(int, run.stdout.split())
    assert many - few < 5e6  # 35 MB more are written


def test_a_dataset_of_yolo_as_it_is_on_the_disk(tmp_path):
    yaml = pytest.importorskip("yaml")
    labels = make_labels()
    labels.images = np.zeros((6, 12, 20, 1), dtype=np.uint8)
    labels.keypoints[0] = [(-0.5, -0.5), (19.5, 11.5), (4, 2.5), (20, 2), (np.nan, np.nan)]
    labels.visibility[0] = [2, 1, 2, 2, -1]
    labels["splits"] = np.array(["train"] * 3 + ["val"] * 3)
    with pytest.warns(UserWarning, match="1 keypoints lie outside"):
        project = written(tmp_path, "yolo", labels)
    first = (project / "train" / "labels" / "fly_img0000000.txt").read_text().split()
    assert [float(number) for number in first[:5]] == [0, 0.5, 0.5, 1, 1]  # within the image
    assert first[5:] == (
        ["0.0", "0.0", "2", "1.0", "1.0", "1", "0.225", "0.25", "2"] + ["0.0", "0.0", "0"] * 2
    )
    assert (project / "val" / "labels" / "fly_2_img0000001.txt").read_text() == ""  # no label
    description = yaml.safe_load((project / "data.yaml").read_text(encoding="utf-8"))
    assert description["kpt_shape"] == [5, 3]
    assert description["flip_idx"] == [0, 2, 1, 3, 4]
    assert description["val"] == "val/images"
    assert sorted(set(read_labels(project).splits)) == ["train", "val"]
    assert "path" not in description  # Ultralytics would look for it in its own folder
    labels.splits[:] = "val"
    path = write_labels(tmp_path / "val", labels, format="yolo")
    assert len(read_labels(path).images) == 5  # "train" is where "val" is
    labels["splits"] = np.array(["train"] * 5 + ["valid"])
    with pytest.raises(ValueError, match="splits must be train, val, test, but have valid"):
        write_labels(tmp_path / "valid", labels, format="yolo")


@pytest.mark.parametrize("format", ["coco", "yolo"])
def test_boxes_around_animals_stay(tmp_path, format):
    labels = make_labels()
    boxes = [[0.5, 1.5, 10.0, 8.0]] * 5 + [[np.nan] * 4]
    found = read_labels(written(tmp_path, format, Bunch(**labels, bboxes=np.array(boxes))))
    kept = found if format == "coco" else in_order_of_frames(found)
    np.testing.assert_allclose(kept.bboxes[:4], boxes[:4], atol=1e-9)
    assert np.isfinite(kept.bboxes[4]).all()  # around the keypoints


def test_names_of_one_folder_stay_apart():
    assert join_names([("a_b", "c.png"), ("a", "b_c.png"), ("A", "b_c.png")]) == [
        "a_b_c.png",
        "a_b_c_2.png",
        "A_b_c_3.png",
    ]


def test_sleap_io_reads_a_dataset_of_yolo(tmp_path):
    sleap_io = pytest.importorskip("sleap_io")
    labels = make_poses(3, image_size=(24, 32), random_state=0, return_bunch=True)
    path = written(tmp_path, "yolo", labels)
    theirs = sleap_io.load_ultralytics(str(path))
    assert theirs.skeleton.node_names == list(labels.skeleton.names)
    places = np.stack([frame[0].numpy() for frame in theirs])
    found = read_labels(path).keypoints  # also by name
    np.testing.assert_allclose(places - 0.5, found, atol=1e-6)  # which it does not take off


def test_guesses_of_a_set_are_no_labels(tmp_path):
    X = np.zeros((2, 8, 8, 1), dtype=np.uint8)
    y = np.ones((2, 5, 2))
    marks = np.zeros((2, 5), dtype=bool)
    marks[0, 0] = True
    write_annotations(tmp_path / "set.h5", X, y, skeleton=SKELETON, annotated=marks)
    project = written(tmp_path, "deeplabcut", read_labels(tmp_path / "set.h5"))
    assert np.isfinite(read_labels(project).keypoints).all(axis=2).sum() == 1
