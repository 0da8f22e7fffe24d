import cv2
import numpy as np
import pytest

from skpose import Skeleton
from skpose.datasets import ImageFiles, read_deeplabcut

NAMES = ("snout", "leftear", "rightear")
ONE_COLUMN, THREE_COLUMNS = 1, 3


def make_keypoints(n_frames, seed=0):
    return np.random.default_rng(seed).uniform(0, 6, (n_frames, len(NAMES), 2)).round(3)


def write_video(
    project,
    video="day1",
    keypoints=None,
    *,
    n_index=ONE_COLUMN,
    scorer="Ann",
    names=NAMES,
    size=(6, 8),
    separator="/",
):
    """Frames and CSV file of a video, as DeepLabCut writes them; pixels tell the frame's number."""
    folder = project / "labeled-data" / video
    folder.mkdir(parents=True)
    keypoints = make_keypoints(2) if keypoints is None else keypoints
    n_columns = 2 * len(names)
    gap = [""] * (n_index - 1)
    rows = [
        ["scorer", *gap, *[scorer] * n_columns],
        ["bodyparts", *gap, *[name for name in names for _ in "xy"]],
        ["coords", *gap, *["x", "y"] * len(names)],
    ]
    for i, frame in enumerate(keypoints):
        cv2.imwrite(str(folder / f"img{i}.png"), np.full(size, i, np.uint8))
        index = ["labeled-data", video, f"img{i}.png"]
        cells = ["" if np.isnan(value) else str(value) for value in frame.ravel()]
        rows.append([*(index if n_index == 3 else [separator.join(index)]), *cells])
    path = folder / f"CollectedData_{scorer}.csv"
    path.write_text("".join(",".join(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("n_index", [ONE_COLUMN, THREE_COLUMNS])
def test_both_styles_of_index(tmp_path, n_index):
    keypoints = make_keypoints(3)
    keypoints[1, 2] = np.nan
    path = write_video(tmp_path, keypoints=keypoints, n_index=n_index)
    project = read_deeplabcut(tmp_path)
    assert isinstance(project.images, ImageFiles)
    assert project.images.shape == (3, 6, 8, 1)
    assert project.images[:, 0, 0, 0].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(project.keypoints, keypoints)
    assert project.groups.tolist() == ["day1"] * 3
    assert project.filenames.tolist() == [str(path.with_name(f"img{i}.png")) for i in range(3)]


def test_return_X_y(tmp_path):
    write_video(tmp_path)
    X, y = read_deeplabcut(tmp_path, return_X_y=True)
    assert X.shape == (2, 6, 8, 1)
    np.testing.assert_array_equal(y, make_keypoints(2))


def test_paths_of_another_system_are_understood(tmp_path):
    write_video(tmp_path, separator="\\")
    assert len(read_deeplabcut(tmp_path).images) == 2


def test_keypoint_with_one_coordinate_is_not_labelled(tmp_path):
    keypoints = make_keypoints(2)
    keypoints[0, 1, 1] = np.nan
    write_video(tmp_path, keypoints=keypoints)
    assert np.isnan(read_deeplabcut(tmp_path).keypoints[0, 1]).all()


def test_videos_are_groups(tmp_path):
    write_video(tmp_path, "b", make_keypoints(2, seed=1))
    write_video(tmp_path, "a", make_keypoints(3, seed=2), n_index=THREE_COLUMNS)
    (tmp_path / "labeled-data" / "not labelled yet").mkdir()
    project = read_deeplabcut(tmp_path)
    assert project.groups.tolist() == ["a"] * 3 + ["b"] * 2
    expected = np.concatenate([make_keypoints(3, seed=2), make_keypoints(2, seed=1)])
    np.testing.assert_array_equal(project.keypoints, expected)
    assert project.images[:, 0, 0, 0].tolist() == [0, 1, 2, 0, 1]


def test_chosen_videos(tmp_path):
    for video in "abc":
        write_video(tmp_path, video)
    assert read_deeplabcut(tmp_path, videos=["c", "a"]).groups.tolist() == ["c", "c", "a", "a"]
    with pytest.raises(FileNotFoundError, match=r"no frames of video\(s\) d .*only of a, b, c"):
        read_deeplabcut(tmp_path, videos=["a", "d"])


def test_partners_are_guessed_from_names(tmp_path):
    write_video(tmp_path)
    assert read_deeplabcut(tmp_path).skeleton == Skeleton(NAMES, None, [None, 2, 1])
    assert read_deeplabcut(tmp_path, guess_swaps=False).skeleton == Skeleton(NAMES)


def test_skeleton_chooses_and_orders_bodyparts(tmp_path):
    write_video(tmp_path)
    skeleton = Skeleton(["rightear", "snout"], ["snout", ""])
    project = read_deeplabcut(tmp_path, skeleton=skeleton)
    assert project.skeleton is skeleton
    np.testing.assert_array_equal(project.keypoints, make_keypoints(2)[:, [2, 0]])
    with pytest.raises(ValueError, match="bodyparts paw, which nobody labelled .* snout, leftear"):
        read_deeplabcut(tmp_path, skeleton=Skeleton(["snout", "paw"]))
    with pytest.raises(TypeError, match="must be a Skeleton"):
        read_deeplabcut(tmp_path, skeleton=["snout"])


def test_videos_with_other_bodyparts_are_joined_by_name(tmp_path):
    write_video(tmp_path, "a", names=("snout", "leftear", "tail"))
    write_video(tmp_path, "b", names=("leftear", "snout", "rightear"))
    project = read_deeplabcut(tmp_path)
    assert project.skeleton.names == ("snout", "leftear", "tail", "rightear")
    nowhere = np.full((2, 2), np.nan)
    snout, leftear, third = make_keypoints(2).swapaxes(0, 1)
    np.testing.assert_array_equal(
        project.keypoints[:2].swapaxes(0, 1), [snout, leftear, third, nowhere]
    )
    np.testing.assert_array_equal(
        project.keypoints[2:].swapaxes(0, 1), [leftear, snout, nowhere, third]
    )


def test_scorer_must_be_chosen_among_several(tmp_path):
    write_video(tmp_path, "a", scorer="Ann")
    write_video(tmp_path, "b", scorer="Bob")
    with pytest.raises(ValueError, match="several scorers, Ann, Bob"):
        read_deeplabcut(tmp_path)
    assert read_deeplabcut(tmp_path, scorer="Bob").groups.tolist() == ["b", "b"]
    with pytest.raises(FileNotFoundError, match="no labels of scorer 'Cid', only of Ann, Bob"):
        read_deeplabcut(tmp_path, scorer="Cid")


def test_missing_image_is_named(tmp_path):
    path = write_video(tmp_path)
    path.with_name("img1.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 2 .*day1.img1\.png"):
        read_deeplabcut(tmp_path)


def test_videos_of_different_sizes_are_filled_up_to_the_largest(tmp_path):
    write_video(tmp_path, "a")
    write_video(tmp_path, "b", size=(9, 5))
    project = read_deeplabcut(tmp_path)
    assert project.images.shape == (4, 9, 8, 1)
    assert not project.images[0][6:].any()
    assert not project.images[2][:, 5:].any()
    np.testing.assert_array_equal(project.keypoints[2:], make_keypoints(2))
    assert read_deeplabcut(tmp_path, image_size=(10, 8)).images.shape == (4, 10, 8, 1)
    with pytest.raises(ValueError, match=r"img1\.png is 9 x 5 .*larger than image_size"):
        read_deeplabcut(tmp_path, image_size=(8, 8))


def test_channels_can_be_chosen(tmp_path):
    write_video(tmp_path)
    assert read_deeplabcut(tmp_path, n_channels=3).images.shape == (2, 6, 8, 3)


def test_multi_animal_project_is_refused(tmp_path):
    path = write_video(tmp_path)
    scorer, *rest = path.read_text().splitlines()
    individuals = "individuals," + ",".join(["mouse1"] * 6)
    path.write_text("\n".join([scorer, individuals, *rest]))
    with pytest.raises(ValueError, match=r"CollectedData_Ann\.csv is of a multi-animal project"):
        read_deeplabcut(tmp_path)


def write_animals(project):
    """Two animals in two frames, the second one in one only, and a corner of the cage."""
    path = write_video(project)
    head = [
        "scorer" + ",Ann" * 10,
        "individuals" + ",m1" * 4 + ",m2" * 4 + ",single" * 2,
        "bodyparts" + ",snout,snout,tail,tail" * 2 + ",corner,corner",
        "coords" + ",x,y" * 5,
    ]
    rows = [
        "labeled-data/day1/img0.png,1,2,3,4,5,6,7,8,0,0",
        "labeled-data/day1/img1.png,2,3,,,,,,,0,1",
    ]
    path.write_text("\n".join([*head, *rows]) + "\n")


def test_each_animal_is_a_sample(tmp_path):
    write_animals(tmp_path)
    each = read_deeplabcut(tmp_path, individuals="each")
    assert each.skeleton.names == ("snout", "tail")
    assert each.individuals.tolist() == ["m1", "m2", "m1"]
    assert each.images[:, 0, 0, 0].tolist() == [0, 0, 1]
    assert each.keypoints[:2].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert np.isnan(each.keypoints[2, 1]).all()
    one = read_deeplabcut(tmp_path, individuals="m2")
    assert one.images[:, 0, 0, 0].tolist() == [0, 1]
    assert np.isnan(one.keypoints[1]).all()
    cage = read_deeplabcut(tmp_path, individuals="single")
    assert cage.skeleton.names == ("corner",)
    assert cage.keypoints[:, 0].tolist() == [[0, 0], [0, 1]]
    with pytest.raises(ValueError, match="m1, m2, single.*it was 'm3'"):
        read_deeplabcut(tmp_path, individuals="m3")


def test_edges_are_those_of_the_configuration(tmp_path):
    write_video(tmp_path)
    config = tmp_path / "config.yaml"
    edges = "skeleton: [[snout, leftear], [snout, rightear], [objectA, bodypart3]]\n"
    config.write_text(f"Task: x\nscorer: Ann\n{edges}")
    for path in (tmp_path, config, tmp_path / "labeled-data" / "day1" / "CollectedData_Ann.csv"):
        assert read_deeplabcut(path).skeleton == Skeleton(
            NAMES, parents=[None, "snout", "snout"], swaps=[None, "rightear", "leftear"]
        )
    config.write_text("Task: x\nskeleton: [[snout\n")
    with pytest.warns(UserWarning, match="skeleton in .* cannot be read"):
        project = read_deeplabcut(tmp_path)
    assert (project.skeleton.parents == -1).all()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: "", "is no table of poses or labels"),
        (lambda text: "a,b\n1,2\n", "is no table of poses or labels"),
        (lambda text: text.replace("coords", "likelihoods"), "is no table of poses or labels"),
        (lambda text: text[:-12], "damaged or cut short: line 5 has"),
        (lambda text: text.replace("coords,x", "coords,w"), "lacks the x or y of snout"),
        (lambda text: text.replace("Ann,Ann\n", "Bob,Bob\n"), "several scorers, Ann, Bob"),
        (lambda text: text.replace("img0", "img1"), "lists img1.png twice, in rows 1 and 2"),
        (lambda text: "\n".join(text.splitlines()[:3]), "list no frames"),
        (
            lambda text: text.replace("img0.png,", "img0.png,left"),
            "something else than numbers in the column Ann snout x",
        ),
    ],
)
def test_damaged_table_is_named(tmp_path, damage, message):
    path = write_video(tmp_path)
    path.write_text(damage(path.read_text()))
    with pytest.raises(ValueError, match=message) as error:
        read_deeplabcut(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_folder_that_is_no_project(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no folder 'labeled-data'.*config\.yaml"):
        read_deeplabcut(tmp_path)
    (tmp_path / "labeled-data" / "day1").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="has no labels"):
        read_deeplabcut(tmp_path)


def test_the_name_of_a_table_says_nothing(tmp_path):
    path = write_video(tmp_path)
    path.rename(path.with_suffix(".h5"))  # still a text
    np.testing.assert_array_equal(read_deeplabcut(tmp_path).keypoints, make_keypoints(2))
    path.with_suffix(".h5").rename(path.with_name("labels.txt"))
    project = read_deeplabcut(path.with_name("labels.txt"))
    np.testing.assert_array_equal(project.keypoints, make_keypoints(2))
    with pytest.raises(ValueError, match="scorer and videos choose in a project"):
        read_deeplabcut(path.with_name("labels.txt"), scorer="Ann")


def test_a_row_without_an_image_is_named(tmp_path):
    path = write_video(tmp_path)
    path.write_text(path.read_text().replace("labeled-data/day1/img1.png", ""))
    with pytest.raises(ValueError, match="names no image in row 2"):
        read_deeplabcut(tmp_path)


def test_numbered_bodyparts_in_hdf5_have_texts_for_names(tmp_path):
    pytest.importorskip("tables", reason="PyTables is not installed")
    import pandas as pd

    path = write_video(tmp_path)
    columns = pd.MultiIndex.from_product(
        [["Ann"], [1, 2], ["x", "y"]], names=["scorer", "bodyparts", "coords"]
    )
    index = [f"labeled-data/day1/img{i}.png" for i in range(2)]
    table = pd.DataFrame(np.arange(8.0).reshape(2, 4), columns=columns, index=index)
    table.to_hdf(path.with_suffix(".h5"), key="df_with_missing")
    path.unlink()
    project = read_deeplabcut(tmp_path)
    assert project.skeleton.names == ("1", "2")
    np.testing.assert_array_equal(project.keypoints, np.arange(8.0).reshape(2, 2, 2))


def test_a_frame_that_is_listed_twice_alike_counts_once(tmp_path):
    path = write_video(tmp_path)
    text = path.read_text()
    path.write_text(text + text.splitlines()[-1].replace("/", "\\") + "\n")
    assert len(read_deeplabcut(tmp_path).images) == 2


def test_rows_of_another_video_have_the_images_of_that_video(tmp_path):
    write_video(tmp_path, "b", make_keypoints(3))
    path = write_video(tmp_path, "a")
    (tmp_path / "labeled-data" / "b" / "CollectedData_Ann.csv").unlink()
    path.write_text(path.read_text().replace("day1/img1", "b/img2").replace("a/img1", "b/img2"))
    project = read_deeplabcut(tmp_path)
    assert project.groups.tolist() == ["a", "b"]
    assert project.images[:, 0, 0, 0].tolist() == [0, 2]


def test_a_folder_may_be_renamed(tmp_path):
    path = write_video(tmp_path)
    path.parent.rename(path.parent.with_name("renamed"))
    project = read_deeplabcut(tmp_path)
    assert project.groups.tolist() == ["renamed"] * 2


@pytest.mark.parametrize("name", ["config.yaml", "labeled-data/day1/CollectedData_Ann.csv"])
def test_a_project_may_be_given_by_its_files(tmp_path, name):
    write_video(tmp_path)
    (tmp_path / "config.yaml").write_text("Task: test\nscorer: Ann\n")
    np.testing.assert_array_equal(read_deeplabcut(tmp_path / name).keypoints, make_keypoints(2))


@pytest.mark.parametrize("n_index", [ONE_COLUMN, THREE_COLUMNS])
def test_hdf5_file_is_read_where_there_is_no_csv(tmp_path, n_index):
    pytest.importorskip("tables", reason="PyTables is not installed")
    import pandas as pd

    keypoints = make_keypoints(2)
    keypoints[1, 0] = np.nan
    path = write_video(tmp_path, keypoints=keypoints, n_index=n_index)
    frame = pd.read_csv(path, header=[0, 1, 2], index_col=list(range(n_index)))
    frame.to_hdf(path.with_suffix(".h5"), key="df_with_missing", mode="w")
    expected = read_deeplabcut(tmp_path)
    path.unlink()
    project = read_deeplabcut(tmp_path)
    np.testing.assert_array_equal(project.keypoints, expected.keypoints)
    assert project.skeleton == expected.skeleton
    assert project.filenames.tolist() == expected.filenames.tolist()


@pytest.mark.data
def test_real_project(data_dir):
    project = read_deeplabcut(data_dir / "openfield")
    assert project.images.shape == (116, 480, 640, 3)
    assert project.skeleton.names == ("snout", "leftear", "rightear", "tailbase")
    assert project.skeleton.swap_index.tolist() == [0, 2, 1, 3]
    assert project.keypoints.shape == (116, 4, 2)
    assert project.keypoints[0, 0].tolist() == [21.521, 265.428]  # the first row of the CSV file
    assert set(project.groups) == {"m4s1"}
    inside = (project.keypoints >= 0) & (project.keypoints < [640, 480])
    assert inside.all()


@pytest.mark.data
def test_real_project_says_the_same_in_both_formats(data_dir, tmp_path):
    pytest.importorskip("tables", reason="PyTables is not installed")
    source = data_dir / "openfield" / "labeled-data" / "m4s1"
    folder = tmp_path / "labeled-data" / "m4s1"
    folder.mkdir(parents=True)
    for path in source.iterdir():
        if path.suffix != ".csv":
            (folder / path.name).symlink_to(path)
    expected = read_deeplabcut(data_dir / "openfield")
    # Releases of pandas differ in the last digit that they read of a number in a text.
    np.testing.assert_allclose(read_deeplabcut(tmp_path).keypoints, expected.keypoints, rtol=1e-14)
