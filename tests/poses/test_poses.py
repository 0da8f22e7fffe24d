import pickle
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from skpose.poses import (
    check_poses,
    from_numpy,
    read_poses,
    to_movement,
    to_numpy,
    write_poses,
    write_rows,
)

NAMES = ["nose", "left ear", "1", "ö"]
LEVELS = ["scorer", "individuals", "bodyparts", "coords"]
ENDINGS = [".csv", ".h5", ".npz"]


def make(n_individuals=None, n_frames=4, **options):
    """Poses that differ in every number; the first frame has none, nor has another keypoint."""
    rng = np.random.default_rng(0)
    shape = (n_frames, 4) if n_individuals is None else (n_frames, n_individuals, 4)
    keypoints = rng.uniform(-9, 999, (*shape, 2)).astype(np.float32)
    confidence = rng.uniform(size=shape).astype(np.float32)
    keypoints[0], confidence[0] = np.nan, np.nan
    keypoints[2:, ..., 1, :], confidence[2:, ..., 1] = np.nan, np.nan
    return from_numpy(keypoints, confidence, **{"names": NAMES, **options})


def multi_columns(names=("nose", "tail"), coords=("x", "y", "likelihood")):
    return pd.MultiIndex.from_product(
        [["net"], names, coords], names=["scorer", "bodyparts", "coords"]
    )


def write_text(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


HEADER = ["scorer,s,s,s", "bodyparts,nose,nose,nose", "coords,x,y,likelihood"]


def test_positions_lie_where_movement_expects_them():
    keypoints = np.arange(24.0).reshape(2, 2, 3, 2)
    poses = from_numpy(keypoints, individuals=["a", "b"], names=["k", "l", "m"], frame_rate=50)
    assert poses["position"].dims == ("time", "space", "keypoint", "individual")
    assert poses["confidence"].dims == ("time", "keypoint", "individual")
    assert float(poses["position"].sel(space="y", keypoint="l", individual="b")[1]) == 21
    assert poses["time"].values.tolist() == [0, 0.02]
    assert poses["frame"].values.tolist() == [0, 1]
    assert poses.attrs["fps"] == 50
    assert poses.attrs["time_unit"] == "seconds"


def test_time_is_the_number_of_the_frame_where_no_rate_is_known():
    poses = make(frames=[3, 5, 8, 90])
    assert poses["time"].values.tolist() == [3, 5, 8, 90]
    assert poses.attrs["time_unit"] == "frames"
    assert make(frames=[3, 5, 8, 90], frame_rate=10)["time"].values.tolist() == [0.3, 0.5, 0.8, 9]
    files = make(frames=["a.png", "b.png", "c.png", "d.png"])
    assert files["time"].values.tolist() == [0, 1, 2, 3]
    assert files["frame"].values.tolist() == ["a.png", "b.png", "c.png", "d.png"]


@pytest.mark.parametrize("individuals", [None, ["x"], ["x", "y"]])
def test_arrays_come_back(individuals):
    shape = (5, 3, 2) if individuals is None else (5, len(individuals), 3, 2)
    keypoints = np.random.default_rng(0).normal(size=shape)
    confidence = keypoints[..., 0] ** 2
    found = to_numpy(from_numpy(keypoints, confidence, individuals=individuals))
    np.testing.assert_array_equal(found[0], keypoints)
    np.testing.assert_array_equal(found[1], confidence)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ["a", "b", "c"]}, "3 names, but 4"),
        ({"names": ["a", "b", "a", "c"]}, "names must be unique, but a occur"),
        ({"frames": [1, 2, 2, 3]}, "frames must be unique, but 2"),
        ({"individuals": ["a", "b"]}, "2 individuals, but 1"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_whole_numbers_are_positions_too():
    poses = from_numpy(np.ones((2, 1, 2), dtype=int))
    assert np.isnan(poses["confidence"]).all()
    assert (poses["position"] == 1).all()


def test_arrays_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="n_keypoints, 2"):
        from_numpy(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="confidence has the shape"):
        from_numpy(np.zeros((3, 2, 2)), np.zeros((3, 3)))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("individuals", [None, ["7"], ["007", "7"], ["fly ä", "b"]])
@pytest.mark.parametrize("frames", [None, [3, 5, 8, 90], ["a.png", "b.png", "ö.png", "d"]])
def test_what_is_written_is_read(tmp_path, ending, individuals, frames):
    n_individuals = None if individuals is None else len(individuals)
    poses = make(n_individuals, individuals=individuals, frames=frames)
    path = write_poses(tmp_path / f"poses{ending}", poses)
    xr.testing.assert_identical(read_poses(path), poses)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", [".nc", ".slp", ".analysis.h5"])
@pytest.mark.parametrize("individuals", [None, ["007", "7"], ["fly ä", "b"]])
def test_formats_of_other_programs_come_back(tmp_path, ending, individuals):
    if ending != ".nc":
        pytest.importorskip("sleap_io")
    n_individuals = None if individuals is None else len(individuals)
    poses = make(n_individuals, individuals=individuals, frames=[3, 5, 8, 90], frame_rate=25)
    path = write_poses(tmp_path / f"poses{ending}", poses, video="fly.mp4")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    found = read_poses(path, frame_rate=25)
    expected = poses
    if ending == ".analysis.h5":  # which does not tell a frame without an animal from one left out
        expected = poses.isel(time=slice(1, None))
    xr.testing.assert_equal(found, expected)
    with pytest.raises(FileExistsError):
        write_poses(path, poses)
    write_poses(path, poses, overwrite=True)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="something else"):
        write_poses(path, poses, overwrite=True)


def test_nwb_has_one_individual_and_times(tmp_path):
    pytest.importorskip("ndx_pose")
    poses = make(frames=[0, 5, 10, 15], frame_rate=25)
    path = write_poses(tmp_path / "poses.nwb", poses, video="fly.mp4")
    found = read_poses(path)
    for found_one, one in zip(to_numpy(found), to_numpy(poses), strict=True):
        np.testing.assert_array_equal(found_one, one)
    np.testing.assert_array_equal(found["time"], poses["time"])
    assert found["keypoint"].values.tolist() == NAMES
    named = make(1, individuals=["anna"], frame_rate=25)
    assert read_poses(write_poses(tmp_path / "anna.nwb", named)).individual.values == ["anna"]
    with pytest.raises(ValueError, match="one individual, but there are a, b"):
        write_poses(tmp_path / "two.nwb", make(2, individuals=["a", "b"], frame_rate=25))
    with pytest.raises(ValueError, match="times in seconds"):
        write_poses(tmp_path / "none.nwb", make())
    assert not (tmp_path / "two.nwb").exists()


def test_nwb_is_laid_out_as_movement_looks_for_it(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    pytest.importorskip("ndx_pose")
    poses = make(frame_rate=25)
    path = write_poses(tmp_path / "poses.nwb", poses, video="fly.mp4")
    with pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True) as io:
        file = io.read()
        estimation = file.processing["behavior"]["PoseEstimation"]  # which it takes untold
        series = estimation.pose_estimation_series
        assert set(series) == set(NAMES)
        nose = series["nose"]
        np.testing.assert_array_equal(nose.data[:], to_numpy(poses)[0][:, 0])
        np.testing.assert_array_equal(nose.confidence[:], to_numpy(poses)[1][:, 0])
        np.testing.assert_array_equal(nose.timestamps[:], [0, 0.04, 0.08, 0.12])
        assert "fly.mp4" in estimation.description
        assert file.subject.subject_id == "individual_0"
    load = pytest.importorskip("movement.io.load_poses")
    found = check_poses(load.from_file(path, source_software="NWB"))
    np.testing.assert_array_equal(found["position"].sel(keypoint=NAMES), poses["position"])


def test_results_of_coco(tmp_path):
    poses = make(frames=[3, 5, 8, 90])
    path = write_poses(tmp_path / "poses.json", poses)
    found = read_poses(path)
    kept = poses.isel(time=slice(1, None))  # in the first one nothing was found
    np.testing.assert_array_equal(to_numpy(found)[0], to_numpy(kept)[0])
    np.testing.assert_array_equal(to_numpy(found)[1], to_numpy(kept)[1])
    assert found["frame"].values.tolist() == [5, 8, 90]
    write_poses(tmp_path / "two.json", make(2, individuals=["a", "b"]))
    with pytest.raises(ValueError, match="several animals"):
        read_poses(tmp_path / "two.json")
    (tmp_path / "labels.json").write_text('{"images": []}')
    with pytest.raises(ValueError, match="no list of results"):
        read_poses(tmp_path / "labels.json")


@pytest.mark.parametrize("ending", [".slp", ".json"])
def test_images_in_files_have_no_numbers(tmp_path, ending):
    if ending == ".slp":
        pytest.importorskip("sleap_io")
    with pytest.raises(ValueError, match="numbers"):
        write_poses(tmp_path / f"poses{ending}", make(frames=["a.png", "b.png", "c.png", "d.png"]))


def test_movement_reads_netcdf(tmp_path):
    path = write_poses(tmp_path / "poses.nc", make(2, individuals=["a", "b"], frame_rate=25))
    found = xr.load_dataset(path)
    assert found.attrs["ds_type"] == "poses"
    datasets = pytest.importorskip("movement.validators.datasets")
    datasets.ValidPosesInputs.validate(to_movement(found))


@pytest.mark.parametrize("ending", [".nc", ".nwb", ".slp", ".json", ".analysis.h5"])
def test_damaged_files_of_other_programs_are_refused_by_name(tmp_path, ending):
    pytest.importorskip("sleap_io")
    path = write_poses(tmp_path / f"poses{ending}", make(frame_rate=25))
    content = path.read_bytes()
    for damaged in (b"", content[: len(content) // 2], b"x" * 100):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="poses"):
            read_poses(path)


def test_times_are_kept_by_npz_and_given_for_tables(tmp_path):
    poses = make(frames=[0, 5, 10, 15], frame_rate=30)
    npz = read_poses(write_poses(tmp_path / "poses.npz", poses))
    np.testing.assert_array_equal(npz["time"], poses["time"])
    table = read_poses(write_poses(tmp_path / "poses.csv", poses), frame_rate=30)
    xr.testing.assert_identical(table, poses)


@pytest.mark.parametrize("ending", ENDINGS)
def test_tables_are_written_in_blocks(tmp_path, ending, monkeypatch):
    poses = make(2, 25, individuals=["a", "b"])
    whole = write_poses(tmp_path / f"whole{ending}", poses).read_bytes()
    monkeypatch.setattr("skpose.poses._write._BLOCK", 4)
    blocks = write_poses(tmp_path / f"blocks{ending}", poses)
    xr.testing.assert_identical(read_poses(blocks), poses)
    assert ending == ".npz" or blocks.read_bytes() == whole


@pytest.mark.parametrize("individuals", [None, ["a", "b"]])
def test_tables_are_those_of_pandas(tmp_path, individuals):
    n_individuals = None if individuals is None else 2
    names = ["nose", "tail", "ö", "k"]
    poses = make(n_individuals, individuals=individuals, names=names, frames=[0, 2, 4, 6])
    keypoints, confidence = to_numpy(poses)
    rows = np.concatenate([keypoints, confidence[..., None]], axis=-1).reshape(4, -1)
    levels = LEVELS if individuals else [LEVELS[0], *LEVELS[2:]]
    # pandas takes a first row without values for the names of the index, so it is left out here
    path = write_poses(tmp_path / "poses.csv", poses.isel(time=slice(1, None)))
    table = pd.read_csv(path, header=list(range(len(levels))), index_col=0)
    assert table.columns.names == levels
    np.testing.assert_allclose(table.to_numpy(), rows[1:], rtol=1e-6)
    np.testing.assert_array_equal(table.index, [2, 4, 6])
    pytest.importorskip("tables")
    table = pd.read_hdf(write_poses(tmp_path / "poses.h5", poses))
    assert table.columns.names == levels
    np.testing.assert_array_equal(table.to_numpy(), rows)
    np.testing.assert_array_equal(table.index, [0, 2, 4, 6])


@pytest.mark.parametrize("layout", ["fixed", "table"])
@pytest.mark.parametrize("with_integers", [False, True])
def test_both_layouts_of_pandas_are_read_without_pytables(tmp_path, layout, with_integers):
    pytest.importorskip("tables")
    values = np.arange(30.0).reshape(5, 6) / 4
    table = pd.DataFrame(values.copy(), columns=multi_columns(), index=[2, 3, 5, 7, 11])
    if with_integers:  # a block of another type
        table["net", "tail", "x"] = np.arange(5)
        values[:, 3] = np.arange(5)
    table.to_hdf(tmp_path / "poses.h5", key="df_with_missing", format=layout)
    poses = read_poses(tmp_path / "poses.h5")
    keypoints, confidence = to_numpy(poses)
    np.testing.assert_allclose(keypoints, values.reshape(5, 2, 3)[..., :2])
    np.testing.assert_allclose(confidence, values.reshape(5, 2, 3)[..., 2])
    assert poses["frame"].values.tolist() == [2, 3, 5, 7, 11]
    assert poses["keypoint"].values.tolist() == ["nose", "tail"]


def test_a_pickled_object_in_a_table_is_not_made(tmp_path):
    pytest.importorskip("tables")
    path = tmp_path / "poses.h5"
    pd.DataFrame(np.zeros((2, 6)), columns=multi_columns()).to_hdf(path, key="k", format="table")

    class Touch:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    with h5py.File(path, "r+") as file:
        file["k"].attrs["values_cols"] = np.bytes_(pickle.dumps(Touch(), 0))
    with pytest.raises(ValueError, match=r"poses\.h5 cannot be read.*pickled .*open"):
        read_poses(path)
    assert not (tmp_path / "touched").exists()


def test_columns_may_have_any_order_and_be_missing(tmp_path):
    columns = [("net", "nose", "likelihood"), ("net", "tail", "x")]
    columns += [("net", "nose", "y"), ("net", "nose", "x"), ("net", "tail", "y")]
    names = ["scorer", "bodyparts", "coords"]
    table = pd.DataFrame(
        [[0.5, 7, 2, 1, 8]], columns=pd.MultiIndex.from_tuples(columns, names=names)
    )
    table.to_csv(tmp_path / "poses.csv")
    poses = read_poses(tmp_path / "poses.csv")
    assert poses["keypoint"].values.tolist() == ["nose", "tail"]
    keypoints, confidence = to_numpy(poses)
    np.testing.assert_array_equal(keypoints, [[[1, 2], [7, 8]]])
    np.testing.assert_array_equal(confidence, [[0.5, np.nan]])


ROWS = {
    "a first row without poses": [*HEADER, "0,,,", "1,1,2,0.5"],
    "empty lines and cells": [*HEADER, "", "0,,,", "1,1,2,0.5", ",,,", ""],
    "NaN and NA": [*HEADER, "0,NaN,NA,nan", "1,1,2,0.5"],
    "y before x": [*HEADER[:2], "coords,y,x,likelihood", "0,,,", "1,2,1,0.5"],
    "three columns of names": [
        "scorer,,,s,s,s",
        "bodyparts,,,nose,nose,nose",
        "coords,,,x,y,likelihood",
        "labeled-data,m1,0,,,",
        "labeled-data,m1,1,1,2,0.5",
    ],
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_odd_tables_are_read_right(tmp_path, name, end, start):
    path = tmp_path / "poses.csv"
    path.write_bytes((start + end.join(ROWS[name]) + end).encode())
    poses = read_poses(path)
    keypoints, confidence = to_numpy(poses)
    np.testing.assert_array_equal(keypoints, [[[np.nan] * 2], [[1, 2]]])
    np.testing.assert_array_equal(confidence, [[np.nan], [0.5]])
    assert poses["frame"].values.tolist() == [0, 1]


def test_a_table_without_likelihood_or_without_rows_is_read(tmp_path):
    head = ["scorer,s,s", "bodyparts,1,1", "coords,x,y"]
    poses = read_poses(write_text(tmp_path / "a.csv", [*head, "0,1.5,2"]))
    assert np.isnan(poses["confidence"]).all()
    assert poses["keypoint"].values.tolist() == ["1"]
    assert read_poses(write_text(tmp_path / "b.csv", head)).sizes["time"] == 0


WRONG = {
    "two scorers": (
        ["scorer,s,s,t,t", "bodyparts,a,a,a,a", "coords,x,y,x,y", "0,1,2,3,4"],
        "several scorers, s, t",
    ),
    "a column twice": (
        ["scorer,s,s,s", "bodyparts,a,a,a", "coords,x,y,x", "0,1,2,3"],
        r"columns twice: a x",
    ),
    "z": (["scorer,s,s,s", "bodyparts,a,a,a", "coords,x,y,z", "0,1,2,3"], "three dimensions"),
    "no y": (["scorer,s", "bodyparts,a", "coords,x", "0,1"], "no columns x and y"),
    "no y of one": (
        ["scorer,s,s,s", "bodyparts,a,a,b", "coords,x,y,x", "0,1,2,3"],
        "lacks the x or y of b",
    ),
    "a cut row": ([*HEADER, "0,1,2,0.5", "1,1"], "line 5 has 2 cells, but there are 4"),
    "a long row": ([*HEADER, "0,1,2,0.5,7"], "line 4 has 5 cells"),
    "text": ([*HEADER, "0,1,two,0.5"], "something else than numbers in the column s nose y"),
    "an underscore": ([*HEADER, "0,1_0,2,0.5"], "something else than numbers"),
    "infinity": ([*HEADER, "0,inf,2,0.5"], "infinite"),
    "a frame twice": ([*HEADER, "3,1,2,0.5", "3,1,2,0.5"], "frames must be unique, but 3"),
    "semicolons": ([line.replace(",", ";") for line in HEADER], "has semicolons between"),
    "tabs": ([line.replace(",", "\t") for line in HEADER], "has tabs between"),
    "tracks": (["frame,id,x,y", "1,2,3,4"], "no table of poses"),
    "nothing": ([""], "no table of poses"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_tables_are_refused_with_what_is_wrong(tmp_path, name):
    lines, message = WRONG[name]
    path = write_text(tmp_path / "poses.csv", lines)
    with pytest.raises(ValueError, match=message) as caught:
        read_poses(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_other_encodings_are_refused_with_what_to_do(tmp_path, encoding):
    text = "\n".join([*HEADER, "0,1,2,0.5"]).replace("nose", "näse")
    (tmp_path / "poses.csv").write_bytes(text.encode(encoding))
    with pytest.raises(ValueError, match=r"Save it again as CSV \(UTF-8\)"):
        read_poses(tmp_path / "poses.csv")


def test_files_of_two_tables_or_of_none_are_refused(tmp_path):
    path = write_poses(tmp_path / "poses.h5", make())
    with h5py.File(path, "r+") as file:
        file.copy("df_with_missing", "another")
    with pytest.raises(ValueError, match="several tables, another, df_with_missing"):
        read_poses(path)
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file["images"] = np.zeros(3)
    with pytest.raises(ValueError, match="no table of pandas"):
        read_poses(tmp_path / "none.h5")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("ending", [".h5", ".npz"])
def test_cut_files_are_refused_by_their_name(tmp_path, ending, share):
    path = write_poses(tmp_path / f"poses{ending}", make(2, 60, individuals=["a", "b"]))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=path.name):
        read_poses(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confidence": None}, "lacks confidence"),
        ({"confidence": np.zeros((3, 2))}, "confidence has the shape"),
        ({"names": np.array(["a"])}, "1 names, but 4"),
        ({"keypoints": np.zeros(3)}, r"keypoints have the shape \(3,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, change, message):
    with np.load(write_poses(tmp_path / "a.npz", make())) as file:
        arrays = {**file, **change}
    np.savez(tmp_path / "b.npz", **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(ValueError, match=message):
        read_poses(tmp_path / "b.npz")


def test_arrays_without_names_get_numbers(tmp_path):
    keypoints, confidence = to_numpy(make())
    np.savez(tmp_path / "poses.npz", keypoints=keypoints, confidence=confidence)
    poses = read_poses(tmp_path / "poses.npz")
    assert poses["keypoint"].values.tolist() == [f"keypoint_{i}" for i in range(4)]


def test_other_endings_missing_files_and_existing_ones_are_refused(tmp_path):
    for act in (read_poses, lambda path: write_poses(path, make())):
        with pytest.raises(ValueError, match=r"\.csv, \.h5, \.npz"):
            act(tmp_path / "poses.xls")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_poses(tmp_path / "nowhere.csv")
    path = write_poses(tmp_path / "poses.csv", make())
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_poses(path, make())
    write_poses(path, make(), overwrite=True)
    with pytest.raises(TypeError, match=r"must be an xarray\.Dataset"):
        write_poses(tmp_path / "b.csv", np.zeros((3, 2, 2)))


def test_datasets_of_movement_are_taken_as_they_are(tmp_path):
    poses = make(2, individuals=["a", "b"], frame_rate=25)
    older = poses.rename(keypoint="keypoints", individual="individuals").drop_vars("frame")
    older = older.transpose("individuals", "keypoints", "space", "time")
    xr.testing.assert_identical(check_poses(older), poses)
    path = write_poses(tmp_path / "poses.csv", older)
    xr.testing.assert_identical(read_poses(path, frame_rate=25), poses)
    with pytest.raises(ValueError, match="position over"):
        check_poses(poses.isel(space=0))


@pytest.mark.parametrize(
    ("installed", "name"), [("0.15.0", "keypoints"), ("0.17.0", "keypoint"), ("1.2", "keypoint")]
)
def test_dimensions_are_called_as_in_the_installed_movement(monkeypatch, installed, name):
    monkeypatch.setattr("importlib.metadata.version", lambda package: installed)
    assert name in to_movement(make()).dims


def test_movement_accepts_the_poses():
    datasets = pytest.importorskip("movement.validators.datasets")
    for poses in (make(), make(2, individuals=["a", "b"], frame_rate=25)):
        datasets.ValidPosesInputs.validate(to_movement(poses))


def test_rows_that_stay_on_disk_are_written(tmp_path):
    rows = np.memmap(tmp_path / "rows", np.float32, "w+", shape=(5, 4, 3))
    rows[:] = np.arange(60).reshape(5, 4, 3)
    poses = read_poses(write_rows(tmp_path / "poses.npz", rows, names=NAMES))
    np.testing.assert_array_equal(to_numpy(poses)[0], rows[..., :2])


@pytest.mark.parametrize("shape", [(2**40, 2, 2), (3, 2, 2)])
def test_declared_sizes_of_npz_are_looked_at_first(tmp_path, shape):
    path = tmp_path / "poses.npz"
    with zipfile.ZipFile(path, "w") as file, file.open("keypoints.npy", "w") as member:
        np.lib.format.write_array_header_1_0(
            member, {"descr": "<f4", "fortran_order": False, "shape": shape}
        )
        member.write(bytes(4 * 16))
    with pytest.raises(ValueError, match=r"poses\.npz cannot be read .*which it cannot hold"):
        read_poses(path)


def test_npz_that_inflates_beyond_reason_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("skpose._files._MOST_COMPRESSED", 100)
    path = tmp_path / "poses.npz"
    np.savez_compressed(path, keypoints=np.zeros((2**24, 1, 2), np.float32))
    with pytest.raises(ValueError, match=r"poses\.npz cannot be read .*which it cannot hold"):
        read_poses(path)


@pytest.mark.parametrize("ending", [".csv", ".h5", ".npz"])
def test_rows_and_names_that_differ_in_number_are_refused(ending, tmp_path):
    path = tmp_path / f"poses{ending}"
    with pytest.raises(
        ValueError, match=r"names of 2 bodyparts, but rows have the shape \(4, 3, 3\)"
    ):
        write_rows(path, np.zeros((4, 3, 3)), names=["head", "tail"])
    with pytest.raises(ValueError, match="names of 2 individuals with 2 bodyparts"):
        write_rows(path, np.zeros((4, 2, 3)), names=["head", "tail"], individuals=["ann", "bob"])
    assert not path.exists()
