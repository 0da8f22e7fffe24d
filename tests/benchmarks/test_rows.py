import json

import pytest


@pytest.fixture
def results(tmp_path, monkeypatch):
    import _rows

    monkeypatch.setattr(_rows, "RESULTS", tmp_path)
    return tmp_path


def test_pieces_are_merged(results):
    from _rows import merge_rows, read_rows

    assert read_rows("sizes", "fly") == {}
    merge_rows("sizes", "fly", {"leap": {"error": 3.0, "speed": 1.0}})
    merge_rows("sizes", "fly", {"dense": {"error": 2.0}, "leap": {"error": 1.0}})
    merge_rows("sizes", "mouse", {"leap": {"errors": [1, 2]}})
    text = (results / "sizes.json").read_text()
    machine = json.loads(text)["machine"]
    assert machine["cores"] > 0
    assert read_rows("sizes", "fly") == {
        "leap": {"error": 1.0, "speed": 1.0, "processor": machine["processor"]},
        "dense": {"error": 2.0, "processor": machine["processor"]},
    }
    assert '"errors": [ 1, 2 ]' in text


def test_a_row_keeps_the_processor_that_it_was_measured_on(results, monkeypatch):
    import _rows

    for processor, row in (("old", "leap"), ("new", "dense")):
        monkeypatch.setattr(_rows, "describe_machine", lambda name=processor: {"processor": name})
        _rows.merge_rows("sizes", "fly", {row: {"error": 1.0}})
    rows = _rows.read_rows("sizes", "fly")
    assert [rows[row]["processor"] for row in ("leap", "dense")] == ["old", "new"]
