import h5py
import numpy as np
import pytest

from skpose import Skeleton
from skpose.datasets import (
    HDF5Images,
    _annotation_layout as layout,
    append_images,
    merge_annotations,
    read_annotations,
    update_annotations,
    write_annotations,
)

NAMES = ["thorax", "hindleg_tip_left", "hindleg_tip_right"]  # the last two are one at 10 bytes
SKELETON = Skeleton(NAMES, ["", "thorax", "thorax"], ["", NAMES[2], NAMES[1]])


def make_images(n_samples=4, height=6, width=8, n_channels=1, seed=0):
    shape = (n_samples, height, width, n_channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def make_keypoints(n_samples=4, n_keypoints=3, seed=0):
    return np.random.default_rng(seed).uniform(0, 6, (n_samples, n_keypoints, 2))


def write_as_deepposekit(path, images, coordinates, annotated, *, names=NAMES, swaps=(-1, 2, 1)):
    """A file as DeepPoseKit 0.3.9 laid it out, with its names cut at 10 bytes."""
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, maxshape=(None, *images.shape[1:]))
        file["annotations"] = np.array(coordinates, dtype=np.float64)
        file["annotated"] = np.array(annotated, dtype=bool)
        file["skeleton"] = np.array([[-1, 0, 0], swaps], dtype=np.int32).T
        if names is not None:
            file["skeleton_names"] = np.array(names).astype("S10")
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set.h5"


# reading what was written


def test_written_set_is_read_back(path):
    images, keypoints = make_images(n_channels=3), make_keypoints()
    keypoints[1, 2] = np.nan
    write_annotations(path, images, keypoints, skeleton=SKELETON)
    bunch = read_annotations(path)
    assert isinstance(bunch.images, HDF5Images)
    np.testing.assert_array_equal(np.asarray(bunch.images), images)
    np.testing.assert_array_equal(bunch.keypoints, keypoints)
    np.testing.assert_array_equal(bunch.annotated, ~np.isnan(keypoints[..., 0]))
    np.testing.assert_array_equal(bunch.index, np.arange(4))
    assert bunch.skeleton == SKELETON
    assert bunch.filename == str(path)


def test_return_X_y(path):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    X, y = read_annotations(path, return_X_y=True)
    assert X.shape == (4, 6, 8, 1)
    np.testing.assert_array_equal(y, make_keypoints())


def test_layout_is_that_of_deepposekit(path):
    keypoints = make_keypoints()
    keypoints[0, 1, 0] = np.nan
    write_annotations(path, make_images(), keypoints, skeleton=SKELETON)
    with h5py.File(path) as file:
        assert {name: file[name].dtype.str for name in file if name != "skeleton_names"} == {
            "images": "|u1",
            "annotations": "<f8",
            "annotated": "|b1",
            "skeleton": "<i4",
        }
        assert file["annotations"][0, 1].tolist() == [-1, -1]
        assert file["annotated"][0].tolist() == [True, False, True]
        assert file["skeleton"][:].tolist() == [[-1, -1], [0, 2], [0, 1]]
        assert file["skeleton_names"].dtype.kind == "S"
        assert file["skeleton_names"][:].tolist() == [name.encode() for name in NAMES]


def test_names_beyond_ascii_are_kept(path):
    skeleton = Skeleton(["Kopf", "Fühler_ganz_links", "頭"])
    write_annotations(path, make_images(), make_keypoints(), skeleton=skeleton)
    assert read_annotations(path).skeleton == skeleton


def test_guesses_are_kept_but_are_not_labels(path):
    annotated = np.zeros((4, 3), dtype=bool)
    annotated[2] = True
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON, annotated=annotated)
    bunch = read_annotations(path)
    assert bunch.index.tolist() == [2]
    np.testing.assert_array_equal(bunch.images[0], make_images()[2])
    todo = read_annotations(path, frames="unlabelled")
    assert todo.index.tolist() == [0, 1, 3]
    assert np.isnan(todo.keypoints).all()
    guesses = read_annotations(path, labelled="all", frames="all")
    np.testing.assert_array_equal(guesses.keypoints, make_keypoints())
    np.testing.assert_array_equal(guesses.annotated, annotated)


def test_keypoint_looked_for_in_vain_counts_as_done(path):
    keypoints = np.full((4, 3, 2), np.nan)
    annotated = np.zeros((4, 3), dtype=bool)
    annotated[1, 0] = True
    write_annotations(path, make_images(), keypoints, skeleton=SKELETON, annotated=annotated)
    bunch = read_annotations(path)
    assert bunch.index.tolist() == [1]
    assert np.isnan(bunch.keypoints).all()
    assert bunch.annotated.tolist() == [[True, False, False]]


@pytest.mark.parametrize(
    ("frames", "expected"), [("all", [0, 1, 2, 3]), ("unlabelled", [0, 1, 2, 3])]
)
def test_set_without_labels(path, frames, expected):
    write_annotations(path, make_images(), skeleton=SKELETON)
    bunch = read_annotations(path, frames=frames)
    assert bunch.index.tolist() == expected
    assert np.isnan(bunch.keypoints).all()
    with pytest.raises(ValueError, match=r"No image of .*set\.h5 is labelled yet.*frames='all'"):
        read_annotations(path)


def test_nothing_left_to_label_is_no_error(path):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    bunch = read_annotations(path, frames="unlabelled")
    assert bunch.images.shape == (0, 6, 8, 1)
    assert bunch.keypoints.shape == (0, 3, 2)
    assert np.asarray(bunch.images).shape == (0, 6, 8, 1)


# reading what DeepPoseKit wrote


def test_fillers_of_deepposekit_are_not_keypoints(path):
    coordinates = [[[-1, -1], [0, 0], [0, 0]], [[5, 0], [-1, 2], [1.5, 2.5]]]
    annotated = [[True, True, False], [False, False, False]]
    write_as_deepposekit(path, make_images(2), coordinates, annotated, names=["a", "b", "c"])
    nan = [np.nan, np.nan]
    only = read_annotations(path, frames="all").keypoints
    np.testing.assert_array_equal(only, [[nan, [0, 0], nan], [nan, nan, nan]])
    every = read_annotations(path, frames="all", labelled="all").keypoints
    np.testing.assert_array_equal(every, [[nan, [0, 0], nan], [[5, 0], [-1, 2], [1.5, 2.5]]])


def test_coordinates_that_are_not_annotated_need_a_decision(path):
    keypoints, annotated = make_keypoints(), np.zeros((4, 3), dtype=bool)
    write_as_deepposekit(path, make_images(), keypoints, annotated, names=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"set\.h5 is marked as annotated, though 12 .*'all'"):
        read_annotations(path)
    with pytest.warns(UserWarning, match="labelled='all'"):
        bunch = read_annotations(path, frames="all")
    assert np.isnan(bunch.keypoints).all()
    bunch = read_annotations(path, labelled="all")
    np.testing.assert_array_equal(bunch.keypoints, keypoints)
    assert not bunch.annotated.any()


def test_names_that_became_one_when_cut(path):
    write_as_deepposekit(path, make_images(), make_keypoints(), np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"occurs twice.*cut names at 10 bytes.*skeleton="):
        read_annotations(path)
    assert read_annotations(path, skeleton=SKELETON).skeleton == SKELETON


def test_set_without_names(path):
    write_as_deepposekit(path, make_images(), make_keypoints(), np.ones((4, 3)), names=None)
    with pytest.warns(UserWarning, match=r"set\.h5 has no names of bodyparts.*skeleton="):
        skeleton = read_annotations(path).skeleton
    assert skeleton == Skeleton(["0", "1", "2"], [None, 0, 0], [None, 2, 1])
    assert read_annotations(path, skeleton=SKELETON).skeleton == SKELETON


def test_contradicting_partners_in_the_file_warn(path):
    n = make_images(2)
    skeleton = [[-1, 2], [-1, 3], [-1, 1], [-1, -1]]  # a - c - b - d: only a-c, b-d is left
    with h5py.File(path, "w") as file:
        file["images"] = n
        file["annotations"] = make_keypoints(2, 4)
        file["annotated"] = np.ones((2, 4), dtype=bool)
        file["skeleton"] = np.array(skeleton, dtype=np.int32)
        file["skeleton_names"] = np.array(list("abcd"), dtype="S10")
    with pytest.warns(UserWarning, match="contradict each other"):
        swap_index = read_annotations(path).skeleton.swap_index
    assert swap_index.tolist() == [2, 3, 0, 1]


def test_skeleton_must_fit_the_file(path):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    with pytest.raises(ValueError, match=r"skeleton has 2 bodyparts, but .*set\.h5 has 3"):
        read_annotations(path, skeleton=Skeleton(["a", "b"]))
    with pytest.raises(
        ValueError, match="Bodypart 0 of skeleton is 'hindleg_tip_right', but 'thorax'"
    ):
        read_annotations(path, skeleton=Skeleton(NAMES[::-1]))
    with pytest.raises(TypeError, match=r"Skeleton\.from_csv"):
        read_annotations(path, skeleton="skeleton.csv")


def test_another_dataset_of_images(path):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    with h5py.File(path, "r+") as file:
        file["small"] = make_images(height=3)
        file["short"] = make_images(3)
    np.testing.assert_array_equal(read_annotations(path, key="small").images, make_images(height=3))
    with pytest.raises(ValueError, match="3 images, but annotations of 4"):
        read_annotations(path, key="short")


@pytest.mark.parametrize("name", ["annotations", "annotated", "skeleton", "images"])
def test_missing_dataset_is_named(path, name):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    with h5py.File(path, "r+") as file:
        del file[name]
    with pytest.raises(ValueError, match=rf"set\.h5 .*has no dataset '?{name}\b"):
        read_annotations(path)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("annotations", (4, 3)),
        ("annotations", (4, 2, 2)),
        ("annotated", (5, 3)),
        ("skeleton", (3,)),
        ("skeleton_names", (2,)),
    ],
)
def test_dataset_of_another_shape_is_named(path, name, shape):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    with h5py.File(path, "r+") as file:
        dtype = file[name].dtype
        del file[name]
        file.create_dataset(name, shape, dtype)
    with pytest.raises(ValueError, match=rf"set\.h5 .*dataset '{name}' has shape"):
        read_annotations(path)


def test_file_cut_short_or_foreign(path):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    content = path.read_bytes()
    for damaged in (b"", b"name,parent,swap\n", content[:-100]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"set\.h5 cannot be read as HDF5"):
            read_annotations(path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"set\.h5"):
        read_annotations(path)


def test_unknown_options(path):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    with pytest.raises(ValueError, match="labelled must be 'annotated' or .*, but was 'yes'"):
        read_annotations(path, labelled="yes")
    with pytest.raises(ValueError, match="frames must be 'labelled' or"):
        read_annotations(path, frames="annotated")


# writing


class Streamed:
    """Images that are made when they are asked for, and note how many at a time."""

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, n_samples):
        self.shape = (n_samples, 6, 8, 1)
        self.most = 0

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        index = np.arange(len(self))[key]
        self.most = max(self.most, len(index))
        return np.tile(index.astype(np.uint8)[:, None, None, None], (1, 6, 8, 1))


def test_images_are_written_part_by_part(path, monkeypatch):
    monkeypatch.setattr(layout, "_BYTES_AT_ONCE", 3 * 6 * 8)
    images = Streamed(10)
    write_annotations(path, images, skeleton=SKELETON)
    assert images.most == 3
    stored = read_annotations(path, frames="all").images
    assert stored[:, 0, 0, 0].tolist() == list(range(10))


def test_set_can_be_written_over_itself(path):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    X, y = read_annotations(path, return_X_y=True)
    write_annotations(path, X.select([3, 1]), y[[3, 1]], skeleton=SKELETON, overwrite=True)
    np.testing.assert_array_equal(read_annotations(path).images, make_images()[[3, 1]])


def test_existing_file_is_not_overwritten_unasked(path):
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_annotations(path, make_images(), skeleton=SKELETON)
    with pytest.raises(ValueError, match="something else than annotation sets"):
        write_annotations(path, make_images(), skeleton=SKELETON, overwrite=True)
    assert path.read_text() == "precious"
    path.unlink()
    write_annotations(path, make_images()[:1], skeleton=SKELETON)
    write_annotations(path, make_images(), skeleton=SKELETON, overwrite=True)
    assert len(read_annotations(path, frames="all").images) == 4


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*gone"):
        write_annotations(tmp_path / "gone" / "set.h5", make_images(), skeleton=SKELETON)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keypoints": make_keypoints(3)}, "keypoints has keypoints for 3 images"),
        ({"keypoints": make_keypoints(4, 2)}, "2 keypoints an image, but 3"),
        ({"images": make_images()[..., 0]}, "images must have 4 axes"),
        ({"annotated": np.ones((4, 2), dtype=bool)}, "annotated must be booleans"),
        ({"annotated": np.ones((4, 3))}, "annotated must be booleans"),
    ],
)
def test_parts_that_do_not_fit_write_nothing(path, arguments, message):
    arguments = {"images": make_images(), "keypoints": make_keypoints(), **arguments}
    with pytest.raises(ValueError, match=message):
        write_annotations(path, skeleton=SKELETON, **arguments)
    assert not list(path.parent.iterdir())


def test_skeleton_must_be_a_skeleton(path):
    with pytest.raises(TypeError, match="skeleton must be a Skeleton"):
        write_annotations(path, make_images(), skeleton=NAMES)


# appending, merging, updating


def test_appended_images_come_last(path):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    append_images(path, make_images(2, seed=1))
    append_images(path, make_images(1, seed=2), make_keypoints(1, seed=2))
    bunch = read_annotations(path, frames="all")
    expected = [make_images(), make_images(2, seed=1), make_images(1, seed=2)]
    np.testing.assert_array_equal(bunch.images, np.concatenate(expected))
    assert bunch.annotated.all(axis=1).tolist() == [True] * 4 + [False] * 2 + [True]
    np.testing.assert_array_equal(bunch.keypoints[[0, 1, 2, 3]], make_keypoints())
    np.testing.assert_array_equal(bunch.keypoints[6], make_keypoints(1, seed=2)[0])
    assert bunch.skeleton == SKELETON


def test_appending_keeps_all_else_in_the_file(path):
    coordinates = make_keypoints()
    write_as_deepposekit(path, make_images(), coordinates, np.zeros((4, 3)), names=None)
    with h5py.File(path, "r+") as file:
        file["notes"] = "filmed on Monday"
        file.attrs["camera"] = 3
    append_images(path, make_images(1))
    with h5py.File(path) as file:
        assert file["notes"][()] == b"filmed on Monday"
        assert file.attrs["camera"] == 3
        assert "skeleton_names" not in file
        np.testing.assert_array_equal(file["annotations"][:4], coordinates)
        assert not file["annotated"][:].any()


def test_appended_images_must_fit(path):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"images are 5 x 8 x 1, but those in .* are 6 x 8 x 1"):
        append_images(path, make_images(height=5))
    with pytest.raises(ValueError, match="2 keypoints an image, but 3"):
        append_images(path, make_images(), make_keypoints(4, 2))
    assert path.read_bytes() == before


def test_merged_sets_follow_each_other(tmp_path):
    paths = [tmp_path / f"{i}.h5" for i in range(3)]
    for i, path in enumerate(paths):
        images, keypoints = make_images(i + 1, seed=i), make_keypoints(i + 1, seed=i)
        keypoints[0, 0] = np.nan
        write_annotations(path, images, keypoints, skeleton=SKELETON)
    merge_annotations(paths, tmp_path / "all.h5")
    merged = read_annotations(tmp_path / "all.h5")
    parts = [read_annotations(path) for path in paths]
    assert merged.skeleton == SKELETON
    for field in ("images", "keypoints", "annotated"):
        expected = np.concatenate([np.asarray(part[field]) for part in parts])
        np.testing.assert_array_equal(merged[field], expected)


def test_merging_keeps_guesses_as_guesses(tmp_path):
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for path, value in zip(paths, (True, False), strict=True):
        annotated = np.full((4, 3), value)
        write_as_deepposekit(path, make_images(), make_keypoints(), annotated)
    merge_annotations(paths, tmp_path / "all.h5")
    with h5py.File(tmp_path / "all.h5") as file:
        assert file["annotated"][:, 0].tolist() == [True] * 4 + [False] * 4
        np.testing.assert_array_equal(file["annotations"][4:], make_keypoints())


@pytest.mark.parametrize("whole_first", [True, False])
def test_merging_keeps_names_whole(tmp_path, whole_first):
    whole, cut, none = (tmp_path / f"{name}.h5" for name in ("whole", "cut", "none"))
    write_annotations(whole, make_images(), make_keypoints(), skeleton=SKELETON)
    write_as_deepposekit(cut, make_images(), make_keypoints(), np.ones((4, 3)))
    write_as_deepposekit(none, make_images(), make_keypoints(), np.ones((4, 3)), names=None)
    paths = [whole, cut, none] if whole_first else [none, cut, whole]
    merge_annotations(paths, tmp_path / "all.h5")
    assert read_annotations(tmp_path / "all.h5").skeleton == SKELETON


def test_merging_into_one_of_the_sets(tmp_path):
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for seed, path in enumerate(paths):
        write_annotations(path, make_images(seed=seed), make_keypoints(), skeleton=SKELETON)
    with pytest.raises(FileExistsError, match=r"a\.h5 exists already"):
        merge_annotations(paths, paths[0])
    merge_annotations(paths, paths[0], overwrite=True)
    expected = np.concatenate([make_images(seed=0), make_images(seed=1)])
    np.testing.assert_array_equal(read_annotations(paths[0]).images, expected)


@pytest.mark.parametrize(
    ("images", "skeleton", "message"),
    [
        (make_images(height=5), SKELETON, r"5 x 8 x 1 in .*b\.h5, but 6 x 8 x 1 in .*a\.h5"),
        (make_images(), Skeleton(NAMES), "differ in bodyparts, parents or partners"),
        (
            make_images(),
            Skeleton(["head", *NAMES[1:]], [None, 0, 0], [None, 2, 1]),
            r"bodypart 0 is 'head' in .*b\.h5, but 'thorax'|is 'thorax' in .*a\.h5, but 'head'",
        ),
    ],
)
def test_sets_that_do_not_fit_are_not_merged(tmp_path, images, skeleton, message):
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    write_annotations(paths[0], make_images(), make_keypoints(), skeleton=SKELETON)
    write_annotations(paths[1], images, make_keypoints(), skeleton=skeleton)
    with pytest.raises(ValueError, match=message):
        merge_annotations(paths, tmp_path / "all.h5")
    assert sorted(tmp_path.iterdir()) == paths


def test_merging_needs_files(tmp_path):
    with pytest.raises(ValueError, match="paths must name at least one"):
        merge_annotations([], tmp_path / "all.h5")
    with pytest.raises(TypeError, match="paths must be a sequence of files"):
        merge_annotations("a.h5", tmp_path / "all.h5")


def test_update_changes_only_the_named_images(path):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    new = make_keypoints(2, seed=1)
    new[0, 1] = np.nan
    update_annotations(path, [3, 1], new)
    bunch = read_annotations(path)
    np.testing.assert_array_equal(bunch.keypoints[[3, 1]], new)
    np.testing.assert_array_equal(bunch.keypoints[[0, 2]], make_keypoints()[[0, 2]])
    assert bunch.annotated[3].tolist() == [True, False, True]
    np.testing.assert_array_equal(bunch.images, make_images())


def test_update_with_guesses_and_with_keypoints_that_cannot_be_seen(path):
    write_annotations(path, make_images(), skeleton=SKELETON)
    keypoints = make_keypoints(2)
    keypoints[1] = np.nan
    update_annotations(path, [0, 1], keypoints, annotated=[[False] * 3, [True] * 3])
    assert read_annotations(path, frames="unlabelled").index.tolist() == [0, 2, 3]
    every = read_annotations(path, labelled="all", frames="all")
    np.testing.assert_array_equal(every.keypoints[:2], keypoints)


@pytest.mark.parametrize("index", [[0, 0], [4, 0], [-1, 0], [0.0, 1.0], [[0, 1]]])
def test_update_of_a_wrong_index_changes_nothing(path, index):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="index must"):
        update_annotations(path, index, make_keypoints(2))
    assert path.read_bytes() == before


def test_images_read_lazily_outlive_a_rewrite(path):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    X, _ = read_annotations(path, return_X_y=True)
    X[0]
    append_images(path, make_images(1, seed=1))
    update_annotations(path, [4], make_keypoints(1))
    np.testing.assert_array_equal(X, make_images())


def test_failed_write_leaves_the_old_file_and_nothing_else(path):
    write_annotations(path, make_images(), make_keypoints(), skeleton=SKELETON)
    before = path.read_bytes()

    class Failing(Streamed):
        def __getitem__(self, key):
            raise OSError("the disk of the images is gone")

    with pytest.raises(OSError, match="is gone"):
        append_images(path, Failing(3))
    assert path.read_bytes() == before
    assert {file.name for file in path.parent.iterdir()} == {path.name, f"{path.name}.lock"}


# real data


@pytest.mark.data
def test_real_set_needs_names_and_a_decision(data_dir):
    fly = data_dir / "fly"
    with pytest.warns(UserWarning, match="contradict each other"):
        skeleton = Skeleton.from_csv(fly / "skeleton.csv")
    with pytest.raises(ValueError, match="3200 have coordinates"):
        read_annotations(fly / "annotation_set.h5", skeleton=skeleton)
    bunch = read_annotations(fly / "annotation_set.h5", skeleton=skeleton, labelled="all")
    assert bunch.images.shape == (100, 192, 192, 1)
    assert bunch.keypoints.shape == (100, 32, 2)
    assert ((bunch.keypoints > 0) & (bunch.keypoints < 192)).all()


@pytest.mark.data
def test_partners_of_the_real_set_agree_with_its_table(data_dir):
    fly = data_dir / "fly"
    with pytest.warns(UserWarning, match="contradict each other|no names of bodyparts"):
        bunch = read_annotations(fly / "annotation_set.h5", labelled="all")
    with pytest.warns(UserWarning, match="contradict each other"):
        skeleton = Skeleton.from_csv(fly / "skeleton.csv")
    np.testing.assert_array_equal(bunch.skeleton.swap_index, skeleton.swap_index)
    np.testing.assert_array_equal(bunch.skeleton.parents, skeleton.parents)


@pytest.mark.data
def test_real_set_is_copied_exactly(data_dir, tmp_path):
    source = data_dir / "fly" / "annotation_set.h5"
    merge_annotations([source], tmp_path / "copy.h5")
    with h5py.File(source) as old, h5py.File(tmp_path / "copy.h5") as new:
        assert set(old) == set(new)
        for name in old:
            np.testing.assert_array_equal(old[name][...], new[name][...], strict=True)
    assert (tmp_path / "copy.h5").stat().st_size < 1.1 * source.stat().st_size
