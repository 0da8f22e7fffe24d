import numpy as np
import pandas as pd
import pytest

from skpose.individuals import make_tracks, read_tracks, write_tracks


def _table(**changes):
    table = {"frame": [0, 0, 1], "id": [3, 1, 1], "x": [1.0, 2.0, 3.0], "y": [4.0, 5.0, 6.0]}
    return pd.DataFrame({**table, **changes})


def test_arrays_become_rows_of_those_seen():
    positions = np.arange(12.0).reshape(3, 2, 2)
    positions[1, 0] = np.nan
    angles = np.linspace(0, 1, 6).reshape(3, 2)
    tracks = make_tracks(positions, angles, ids=["a", "b"])
    assert tracks["frame"].tolist() == [0, 0, 1, 2, 2]
    assert tracks["id"].tolist() == ["a", "b", "b", "a", "b"]
    assert tracks["y"].tolist() == [1, 3, 7, 9, 11]
    np.testing.assert_allclose(tracks["angle"], angles.ravel()[[0, 1, 3, 4, 5]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0, 2.0]],), "n_individuals, 2"),
        (([[[1.0, 2.0]]], [[1.0, 2.0]]), "angles must have shape"),
    ],
)
def test_arrays_of_other_shapes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_tracks(*arguments)


def test_ids_must_differ():
    with pytest.raises(ValueError, match="different names"):
        make_tracks(np.zeros((1, 2, 2)), ids=["a", "a"])


def test_csv_round_trip(tmp_path):
    tracks = _table(angle=[0.5, np.nan, -3.0])
    write_tracks(tmp_path / "t.csv", tracks)
    pd.testing.assert_frame_equal(read_tracks(tmp_path / "t.csv"), tracks)
    with pytest.raises(FileExistsError, match="exists"):
        write_tracks(tmp_path / "t.csv", tracks)
    write_tracks(tmp_path / "t.csv", tracks[:1], overwrite=True)
    assert len(read_tracks(tmp_path / "t.csv")) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_reading_orders_by_frame_and_leaves_out_who_is_not_seen(tmp_path):
    table = _table(frame=[5, 0, 1], x=[1.0, 2.0, np.nan], speed=[1, 1, 1])
    table.to_csv(tmp_path / "t.csv", index=False)
    tracks = read_tracks(tmp_path / "t.csv")
    assert list(tracks.columns) == ["frame", "id", "x", "y"]
    assert tracks["frame"].tolist() == [0, 5]


def test_fragments_are_left_out(tmp_path):
    write_tracks(tmp_path / "t.csv", _table())
    assert read_tracks(tmp_path / "t.csv", min_length=2)["id"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (_table().drop(columns=["id", "y"]), ValueError, "lacks id, y"),
        (_table(frame=[0, 0.5, 1]), ValueError, "whole numbers"),
        (_table(frame=[0, -1, 1]), ValueError, "whole numbers"),
        (_table(id=[1, 1, 1]), ValueError, "twice in frame 0"),
        (_table(id=[1, None, 1]), ValueError, "no id"),
        (_table(x=["a", "b", "c"]), TypeError, "must hold numbers"),
        (_table(x=[1, np.inf, 2]), ValueError, "infinity"),
    ],
)
def test_other_tables_are_refused(table, error, message, tmp_path):
    with pytest.raises(error, match=message):
        write_tracks(tmp_path / "t.csv", table)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"frame;id;x;y\n0;1;2;3\n", r"t\.csv has semicolons between"),
        ("frame,id,x,y\n0,é,2,3\n".encode("cp1252"), r"t\.csv is not a text in UTF-8"),
        (b"frame,id,x,y,x\n0,1,2,3,4\n", r"t\.csv has two columns of one name: x"),
        (b"frame,id,x,y\n1e30,1,2,3\n", r"t\.csv: column frame must hold whole numbers"),
        (b"", r"t\.csv cannot be read as a table of tracks"),
        (b'frame,id,x,y\n0,1,"2,3\n', r"t\.csv cannot be read as a table of tracks"),
    ],
)
def test_damaged_tables_are_refused_by_name(content, message, tmp_path):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_tracks(tmp_path / "t.csv")


def test_ids_are_not_changed(tmp_path):
    (tmp_path / "t.csv").write_text("frame,id,x,y\n0,007,1,2\n0,7,3,4\n")
    assert read_tracks(tmp_path / "t.csv")["id"].tolist() == ["007", "7"]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffframe,id,x,y\r\n0,1,2,3\r\n",
        "frame,id,x,y,\n0,1,2,3,\n,,,,\n",
        "id,y,frame,x\n1,3,0,2\n",
    ],
)
def test_tables_as_spreadsheets_save_them(text, tmp_path):
    (tmp_path / "t.csv").write_text(text, newline="")
    assert read_tracks(tmp_path / "t.csv").to_numpy().tolist() == [[0, 1, 2, 3]]


def test_table_of_nobody_is_read(tmp_path):
    write_tracks(tmp_path / "t.csv", _table()[:0])
    tracks = read_tracks(tmp_path / "t.csv")
    assert len(tracks) == 0
    assert list(tracks.columns) == ["frame", "id", "x", "y"]


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.csv or \.slp"):
        read_tracks(tmp_path / "t.npy")
    with pytest.raises(ValueError, match=r"written to files that end in \.csv"):
        write_tracks(tmp_path / "t.xls", _table())
    with pytest.raises(ValueError, match="SLEAP files"):
        read_tracks(tmp_path / "t.csv", anchor="head")
