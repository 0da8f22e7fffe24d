import json

import pytest

from skpose.annotate._messages import EditMessage, parse_edits


def message(**changes):
    edit = {"key": "1", "user": "anna", "base": 0, "set": [[0, 1, "placed", 2.0, 3.0]], **changes}
    return {"client": "page", "edits": [edit]}


def test_an_edit_is_read():
    client, edits = parse_edits(json.dumps(message()).encode())
    assert client == "page"
    assert edits == [EditMessage("1", "anna", 0, [[0, 1, "placed", 2.0, 3.0]])]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Ann: lab", "Ann lab"),
        ("model:fly", "modelfly"),
        ("a\nb ", "a b"),
        ("\u5c71\u7530\u3000\u592a\u90ce", "\u5c71\u7530 \u592a\u90ce"),
        ("x" * 101, "x" * 100),
        ("\u200c", ""),
    ],
)
def test_no_edit_is_refused_for_a_name(name, kept):
    _, (edit,) = parse_edits(json.dumps(message(user=name)).encode())
    assert edit.user == kept


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (b"", "must be JSON"),
        (b"\xff\xfe", "must be JSON"),
        (b"[" * 100_000, "must be JSON"),
        ([], "must have the fields client, edits, but had list"),
        ({"client": "page"}, "must have the fields client, edits"),
        ({**message(), "token": "x"}, "must have the fields client, edits"),
        ({"client": 1, "edits": []}, "client of a message must be str"),
        ({"client": "", "edits": []}, "1 to 100 ASCII"),
        ({"client": "ü", "edits": []}, "1 to 100 ASCII"),
        ({"client": "x" * 101, "edits": []}, "1 to 100 ASCII"),
        ({"client": "page", "edits": [message()["edits"][0]] * 1001}, "1000 edits at most"),
        ({"client": "page", "edits": ["x"]}, "An edit must have the fields key, user, base, set"),
        (message(frame=1), "An edit must have the fields key, user, base, set"),
        (message(base=True), "base of an edit must be int"),
        (message(base="1"), "base of an edit must be int"),
        (message(user=1), "user of an edit must be str"),
        (message(key=1), "key of an edit must be str"),
        (message(set=[1]), "holds lists"),
        (message(set=[[0, 0, "placed", 1e7, 0]]), "cannot be 10000000.0 px"),
    ],
)
def test_what_is_none_is_refused(said, wrong):
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    with pytest.raises(ValueError, match=wrong):
        parse_edits(body)
