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
    assert read_rows("sizes", "fly") == {
        "leap": {"error": 1.0, "speed": 1.0},
        "dense": {"error": 2.0},
    }
    text = (results / "sizes.json").read_text()
    assert '"errors": [ 1, 2 ]' in text
    assert "cores" in json.loads(text)["machine"]
