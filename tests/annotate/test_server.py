"""The server as a page sees it, and what becomes of the set."""

from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files as files_of
import json
import os
import stat
import sys
import time

import h5py
import numpy as np
import pytest

from skpose import Skeleton
from skpose.annotate import AlreadyServed, LabelServer, label
from skpose.datasets import (
    append_images,
    read_annotations,
    read_labels,
    update_annotations,
    write_annotations,
)
from skpose.skeleton import UNNAMED

pytest.importorskip("starlette")


def send(client, set_, *, base=0, key="1", page="page", user=""):
    edit = {"key": key, "user": user, "base": base, "set": set_}
    message = {"client": page, "edits": [edit]}
    return client.post("/api/edits", json=message)


def read_event(lines, kind):
    """Return what the next event of a kind holds."""
    end = time.monotonic() + 10
    for line in lines:
        assert time.monotonic() < end, f"no event {kind} came"
        if line == f"event: {kind}":
            next(lines)
            return json.loads(next(lines).removeprefix("data: "))
    raise AssertionError("the stream has ended")


def test_a_page_learns_what_it_needs(path, serve):
    with serve(path) as (_, client):
        session = client.get("/api/session").json()
        assert session["names"] == ["head", "wingL", "wingR", "tail"]
        assert session["parents"] == [None, 0, 0, 0]
        assert session["swaps"] == [0, 2, 1, 3]
        assert (session["n_images"], session["height"], session["width"]) == (6, 32, 48)
        assert session["read_only"] is None
        assert client.get("/api/frames").json() == {
            "version": 0,
            "states": "eeeeee",
            "sure": [-1] * 6,
        }
        assert client.get("/api/frames/5").json() == {
            "version": 0,
            "keypoints": [["empty"]] * 4,
            "by": [""] * 4,
        }
        image = client.get(f"/api/frames/5/image?set={session['set']}")
        assert image.headers["content-type"] == "image/png"
        assert "immutable" in image.headers["cache-control"]


def test_an_edit_is_on_the_disk_when_it_is_answered(path, serve):
    with serve(path) as (server, client):
        answer = send(client, [[2, 0, "placed", 1.25, 2.5], [2, 1, "absent"]])
        assert answer.json() == {"done": [{"key": "1", "version": 1, "conflicts": []}]}
        found = read_annotations(path)  # by another reader, while the server is there
        assert found.keypoints[0, 0].tolist() == [1.25, 2.5]
        assert client.get("/api/frames?since=0").json() == {
            "version": 1,
            "frames": [2],
            "states": "b",
            "sure": [-1],
        }
        assert client.get("/api/frames/2").json()["keypoints"][:2] == [
            ["placed", 1.25, 2.5],
            ["absent"],
        ]
        assert server.n_edits == 1
    with h5py.File(path) as file:  # for programs that know no journal
        assert file["annotations"][2, 0].tolist() == [1.25, 2.5]
    assert not path.with_name("set.h5.server").exists()


def test_states_of_frames_are_counted(path, serve):
    with serve(path) as (_, client):
        send(client, [[0, k, "placed", 1.0, 1.0] for k in range(4)])
        send(client, [[1, k, "absent"] for k in range(4)], key="2")
        send(client, [[2, 0, "hidden", 1.0, 1.0], [3, 0, "guess", 1.0, 1.0, 0.5]], key="3")
        assert client.get("/api/frames").json()["states"] == "ddbgee"


def test_a_repeated_message_is_done_once(path, serve):
    with serve(path) as (_, client):
        first = send(client, [[0, 0, "placed", 1.0, 1.0]]).json()
        send(client, [[0, 0, "empty"]], key="2")
        assert send(client, [[0, 0, "placed", 1.0, 1.0]]).json()["done"][0]["version"] == 2
        assert client.get("/api/frames/0").json()["keypoints"][0] == ["empty"]
        assert first["done"][0]["version"] == 1


def test_what_another_page_did_meanwhile_is_kept_and_told(path, serve):
    with serve(path) as (_, client):
        send(client, [[0, 0, "placed", 1.0, 1.0]], page="one")
        wanted = [[0, 0, "placed", 9.0, 9.0], [0, 1, "placed", 3.0, 3.0]]
        done = send(client, wanted, page="two").json()["done"][0]
        assert done["conflicts"] == [[0, 0, "placed", 1.0, 1.0]]
        assert client.get("/api/frames/0").json()["keypoints"][:2] == [
            ["placed", 1.0, 1.0],
            ["placed", 3.0, 3.0],
        ]
        done = send(client, wanted[:1], page="two", base=done["version"], key="2").json()["done"]
        assert done[0]["conflicts"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        [[-1, 0, "empty"]],
        [[10**9, 0, "empty"]],
        [["3", 0, "empty"]],
        [[1.5, 0, "empty"]],
        [[True, 0, "empty"]],
        [[0, 4, "empty"]],
        [[0, 0, "seen"]],
        [[0, 0, "placed"]],
        [[0, 0, "placed", 1.0]],
        [[0, 0, "placed", "1e3", 1.0]],
        [[0, 0, "placed", None, 1.0]],
        [[0, 0, "empty", 1.0, 1.0]],
        [[0, 0, "empty"], [0, 0, "absent"]],
        [[]],
    ],
)
def test_wrong_edits_change_nothing(path, serve, wrong):
    with serve(path) as (server, client):
        answer = send(client, wrong)
        assert answer.status_code == 400
        assert "Traceback" not in answer.text
        assert answer.json()["error"]
        assert server.n_edits == 0
        body = (
            b'{"client":"p","edits":[{"key":"1","user":"","base":0,"set":[[0,0,"placed",NaN,1]]}]}'
        )
        headers = {"content-type": "application/json"}
        assert client.post("/api/edits", content=body, headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("/api/frames/6", 404),
        ("/api/frames/-1", 404),
        ("/api/frames/x", 404),
        ("/api/frames/1e2", 404),
        ("/api/frames/99999999999999999999", 404),
        ("/api/frames?since=x", 404),
        ("/api/frames/0/image", 409),
        ("/api/frames/0/image?set=other", 409),
        ("/api/nothing", 404),
        ("/static/nothing.js", 404),
    ],
)
def test_what_is_not_there_is_told(path, serve, asked, status):
    with serve(path) as (_, client):
        answer = client.get(asked)
        assert answer.status_code == status
        assert answer.json()["error"]


def test_parts_of_images_are_inside(path, serve):
    with serve(path) as (_, client):
        stamp = client.get("/api/session").json()["set"]
        for crop, status in {"0,0,8,8": 200, "0,0,99,8": 404, "0,0": 404, "a,b,c,d": 404}.items():
            answer = client.get(f"/api/frames/0/image?set={stamp}&crop={crop}")
            assert answer.status_code == status


def test_pages_hear_of_what_others_change(path, serve):
    with serve(path) as (_, client), client.stream("GET", "/api/events") as stream:
        lines = stream.iter_lines()
        send(client, [[3, 0, "placed", 1.0, 1.0]])
        assert read_event(lines, "edit") == {"version": 1, "frames": [3]}
        update_annotations(path, [4], np.ones((1, 4, 2)))  # by another program
        assert read_event(lines, "edit")["frames"] == [4]
        assert client.get("/api/frames/4").json()["keypoints"][0] == ["placed", 1.0, 1.0]


def test_images_that_are_added_are_shown(path, serve):
    with serve(path) as (_, client), client.stream("GET", "/api/events") as stream:
        lines = stream.iter_lines()
        append_images(path, np.full((2, 32, 48, 1), 77, dtype=np.uint8))
        assert read_event(lines, "edit")["frames"] == [6, 7]
        assert len(client.get("/api/frames").json()["states"]) == 8
        stamp = client.get("/api/session").json()["set"]
        assert client.get(f"/api/frames/7/image?set={stamp}").status_code == 200


def test_who_labelled_what_is_kept(path, serve):
    with serve(path, user="anna") as (server, client):
        send(client, [[0, 0, "placed", 1.0, 1.0], [0, 1, "absent"]])
        send(client, [[0, 2, "hidden", 5.0, 5.0]], user="ben", key="2")
        send(client, [[0, 3, "placed", 5.0, 5.0]], user="ben", key="3")
        send(client, [[0, 3, "empty"]], key="4", base=9)
        server._session.guess([1], np.ones((1, 4, 2)), "fly.skpose")
        assert client.get("/api/frames/0").json()["by"] == ["anna", "anna", "ben", ""]
        assert client.get("/api/frames/1").json()["by"] == [""] * 4
    who = read_annotations(path, frames="all").annotators  # after the journal was folded
    assert who[0].tolist() == ["anna", "anna", "ben", ""]
    assert set(who[1:].ravel()) == {""}


def test_pages_are_told_who_else_is_where(path, serve):
    def move(page, user, frame):
        message = {"client": page, "user": user, "frame": frame}
        return client.post("/api/presence", json=message)

    with serve(path) as (_, client), client.stream("GET", "/api/events?client=one") as stream:
        lines = stream.iter_lines()
        next(lines)  # it has arrived
        move("one", "anna", 3)
        assert read_event(lines, "presence")["pages"] == [
            {"client": "one", "user": "anna", "frame": 3}
        ]
        move("three", "nobody", 1)  # which has no stream, so it is not there
        with client.stream("GET", "/api/events?client=two") as other:
            others = other.iter_lines()
            next(others)
            move("two", "ben", 5)
            assert [page["user"] for page in read_event(lines, "presence")["pages"]] == [
                "anna",
                "ben",
            ]
        assert [page["user"] for page in read_event(lines, "presence")["pages"]] == ["anna"]
        assert move("one", "anna", "3").status_code == 400


@pytest.mark.parametrize("format", ["deeplabcut", "lightning_pose", "coco", "sleap"])
def test_labels_are_written_beside_the_set(path, serve, format):
    if format == "sleap":
        pytest.importorskip("sleap_io")
    with serve(path) as (_, client):
        message = {"format": format}
        nothing = client.post("/api/export", json=message)
        assert nothing.status_code == 400
        assert "labelled yet" in nothing.json()["error"]
        send(client, [[2, 0, "placed", 1.25, 2.5], [3, 0, "guess", 9.0, 9.0]])
        answers = [client.post("/api/export", json=message).json() for _ in range(2)]
        assert client.post("/api/export", json={"format": "x"}).status_code == 400
    assert answers[0]["n_images"] == 1
    assert answers[0]["path"] != answers[1]["path"]  # nothing is replaced
    if format == "coco":  # whose images may be left when the file is deleted
        os.unlink(answers[0]["path"])
        with serve(path) as (_, client):
            again = client.post("/api/export", json=message).json()["path"]
        assert again not in (answers[0]["path"], answers[1]["path"])
        answers = answers[1:]
    for answer in answers:
        found = read_labels(answer["path"])
        assert found.keypoints[0, 0].tolist() == [1.25, 2.5]
        assert (np.asarray(found.images) == 2).all()


@pytest.mark.filterwarnings("ignore:.*edits of another annotation set:UserWarning")
def test_a_set_that_is_replaced_by_another_is_left_alone(path, make_set, serve):
    with serve(path) as (_, client), client.stream("GET", "/api/events") as stream:
        lines = stream.iter_lines()
        send(client, [[0, 0, "placed", 1.0, 1.0]])
        os.replace(make_set("other.h5", n_images=6), path)
        assert "another annotation set" in read_event(lines, "set")["read_only"]
        assert send(client, [[0, 0, "placed", 2.0, 2.0]], key="2").status_code in (409, 423)
    assert np.isnan(read_annotations(path, frames="all").keypoints).all()


def test_a_set_that_is_deleted_is_told(path, serve):
    with serve(path) as (_, client), client.stream("GET", "/api/events") as stream:
        path.unlink()
        assert "set.h5" in read_event(stream.iter_lines(), "set")["read_only"]
        assert send(client, [[0, 0, "placed", 2.0, 2.0]]).status_code in (423, 507)


def test_a_full_disk_is_told_and_can_be_tried_again(path, serve, monkeypatch):
    with serve(path) as (server, client):
        edit = server._session.editor.edit

        def fail(*args, **kwargs):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(server._session.editor, "edit", fail)
        answer = send(client, [[0, 0, "placed", 2.0, 2.0]])
        assert answer.status_code == 507
        assert "No space left" in answer.json()["error"]
        monkeypatch.setattr(server._session.editor, "edit", edit)
        assert send(client, [[0, 0, "placed", 2.0, 2.0]]).status_code == 200


def test_read_only_changes_nothing(path, serve):
    before = path.read_bytes()
    with serve(path, read_only=True) as (_, client):
        assert "looked at" in client.get("/api/session").json()["read_only"]
        assert send(client, [[0, 0, "placed", 2.0, 2.0]]).status_code == 423
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == [path]


def test_who_only_looks_sees_what_others_change(path, serve):
    with serve(path, read_only=True) as (_, client), client.stream("GET", "/api/events") as stream:
        update_annotations(path, [4], np.ones((1, 4, 2)))
        assert read_event(stream.iter_lines(), "edit")["frames"] == [4]


def test_a_second_server_is_told_of_the_first(path, serve):
    link = path.with_name("link.h5")
    link.symlink_to(path)
    with serve(path) as (server, _):
        about = path.with_name("set.h5.server")
        if os.name == "posix":
            assert stat.S_IMODE(about.stat().st_mode) == 0o600
        for name in (path, link):
            with pytest.raises(AlreadyServed, match="open on a page already") as raised:
                LabelServer(name, port=0)
            assert raised.value.url == server.url
        LabelServer(path, port=0, read_only=True).stop()  # which needs nobody's leave
    with serve(path):
        pass


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such permissions")
def test_what_a_server_says_of_itself_is_not_believed_of_others(path, serve):
    about = path.with_name("set.h5.server")
    about.write_text(json.dumps({"token": "known to others", "url": "http://evil.example"}))
    about.chmod(0o644)
    with serve(path) as (server, _):
        assert "known to others" not in server.url


def test_pages_of_a_killed_server_go_on_with_the_next(path, serve):
    about = path.with_name("set.h5.server")
    about.touch(mode=0o600)
    about.write_text(json.dumps({"token": "of-the-killed-one"}))
    with serve(path) as (server, _):
        assert server.url.endswith("token=of-the-killed-one")


def test_a_taken_port_is_not_taken_from_others(path, make_set):
    with LabelServer(path) as one, LabelServer(make_set("other.h5")) as other:
        assert one.port != other.port


def test_many_pages_at_once_lose_nothing(path, serve):
    with serve(path) as (_, client):

        def work(page):
            for k in range(20):
                set_ = [[page, k % 4, "placed", float(page), float(k)]]
                assert send(client, set_, key=str(k), page=f"page{page}").status_code == 200

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
    found = read_annotations(path)
    for page in range(6):
        assert found.keypoints[page].tolist() == [[page, k] for k in range(16, 20)]


def test_nothing_heavy_is_loaded(path, serve):
    import subprocess

    program = (
        "import sys, skpose.annotate\n"
        "assert not {'tensorflow', 'starlette', 'uvicorn'} & set(sys.modules)\n"
        f"with skpose.annotate.label({str(path)!r}, block=False, port=0): pass\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules\n"
        "assert not {'matplotlib', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize("name", ["a b#c%20ü.h5", "ordner/süß.h5"])
def test_names_of_files_may_be_anything(make_set, serve, tmp_path, name):
    (tmp_path / "ordner").mkdir()
    with serve(make_set(name)) as (_, client):
        assert client.get("/api/session").json()["name"] == name.rpartition("/")[2]
        assert send(client, [[0, 0, "placed", 2.0, 2.0]]).status_code == 200


def test_what_is_no_set_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        label(tmp_path / "nothing.h5", block=False)
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises((ValueError, OSError), match="text.h5"):
        label(tmp_path / "text.h5", block=False)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(ValueError, match="other.h5"):
        label(tmp_path / "other.h5", block=False)
    assert not list(tmp_path.glob("*.server*"))


def test_a_notebook_shows_a_link(path):
    with label(path, block=False, port=0) as server:
        assert server.url in server._repr_html_()


def test_the_page_is_small():
    files = list(files_of("skpose.annotate").joinpath("static").iterdir())
    assert len(files) <= 15
    assert sum(len(file.read_bytes()) for file in files) < 150_000


def change_skeleton(client, **changes):
    session = client.get("/api/session").json()
    message = {
        "client": "page",
        "base": session["skeleton"],
        "names": ["snout", "wingL", "wingR", "tail", "neck"],
        "parents": [None, 4, 4, 4, 0],
        "swaps": [None, 2, 1, None, None],
        "places": [],
    }
    return client.put("/api/skeleton", json={**message, **changes})


def test_bodyparts_are_renamed_added_and_placed(path, serve):
    with serve(path) as (server, client), client.stream("GET", "/api/events") as stream:
        lines = stream.iter_lines()
        first = read_event(lines, "skeleton")
        assert first == {"skeleton": client.get("/api/session").json()["skeleton"]}
        send(client, [[2, 0, "placed", 1.0, 2.0]])
        answer = change_skeleton(client, places=[[2, 4, 3.5, 4.5], [3, 0, 5.0, 6.0]])
        assert answer.status_code == 200, answer.text
        session = client.get("/api/session").json()
        assert session["names"] == ["snout", "wingL", "wingR", "tail", "neck"]
        assert session["parents"] == [None, 4, 4, 4, 0]
        assert len(session["colours"]) == 5
        assert read_event(lines, "skeleton") == {"skeleton": session["skeleton"]} != first
        keypoints = client.get("/api/frames/2").json()["keypoints"]
        assert keypoints[0] == ["placed", 1.0, 2.0]
        assert keypoints[4] == ["placed", 3.5, 4.5]
        assert server.n_edits == 2
    found = read_annotations(path, frames="all")
    assert found.skeleton.names[4] == "neck"
    assert found.keypoints[3, 0].tolist() == [5, 6]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"names": ["a", "b", "c"], "parents": [None] * 3, "swaps": [None] * 3}, 400),
        ({"names": ["a", "a", "b", "c", "d"]}, 400),
        ({"names": ["a", "", "b", "c", "d"]}, 400),
        ({"names": ["a", " b", "c", "d", "e"]}, 400),
        ({"names": ["a", "b\n", "c", "d", "e"]}, 400),
        ({"names": ["a", 3, "c", "d", "e"]}, 400),
        ({"names": [f"a{i}" for i in range(1001)]}, 400),
        ({"parents": [1, 0, None, None, None]}, 400),
        ({"parents": [None, 0, 0]}, 400),
        ({"parents": [None, 0.5, 0, 0, 0]}, 400),
        ({"swaps": [None, 2, None, None, None]}, 400),
        ({"places": [[0, 5, 1.0, 1.0]]}, 400),
        ({"places": [[6, 0, 1.0, 1.0]]}, 400),
        ({"places": [[0, 0, 1e9, 1.0]]}, 400),
        ({"places": [[0, 0, "1", 1.0]]}, 400),
        ({"places": [[0, 0, 1.0]]}, 400),
        ({"places": 3}, 400),
        ({"more": 3}, 400),
        ({"base": "another"}, 409),
    ],
)
def test_what_is_no_skeleton_changes_nothing(path, serve, changes, status):
    with serve(path) as (server, client):
        answer = change_skeleton(client, **changes)
        assert answer.status_code == status, answer.text
        assert answer.json()["error"]
        assert client.get("/api/session").json()["names"] == ["head", "wingL", "wingR", "tail"]
        assert server.n_edits == 0


def test_a_set_that_is_only_looked_at_keeps_its_skeleton(path, serve):
    with serve(path, read_only=True) as (_, client):
        assert change_skeleton(client).status_code == 423


def test_partners_are_guessed_from_names(path, serve):
    with serve(path) as (_, client):
        answer = client.post("/api/partners", json={"names": ["nose", "left_ear", "right_ear"]})
        assert answer.json() == {"swaps": [None, 2, 1]}
        assert client.post("/api/partners", json={"names": ["a", "a"]}).status_code == 400


def test_what_is_labelled_stays_where_it_is_when_bodyparts_change(path, serve):
    with serve(path) as (_, client):
        send(client, [[2, 0, "hidden", 1.0, 2.0], [2, 1, "guess", 7.0, 7.0]])
        places = [[2, 0, 9.0, 9.0], [2, 1, 8.0, 8.0], [2, 4, 3.0, 4.0]]
        base = client.get("/api/session").json()["skeleton"]
        assert change_skeleton(client, places=places).status_code == 200
        expected = [["hidden", 1.0, 2.0], ["placed", 8.0, 8.0]]
        assert client.get("/api/frames/2").json()["keypoints"][:2] == expected
        again = change_skeleton(client, base=base, places=[[3, 4, 5.0, 6.0]])  # after a lost answer
        assert again.status_code == 200
        assert client.get("/api/frames/3").json()["keypoints"][4] == ["placed", 5.0, 6.0]


def test_a_set_that_is_labelled_has_names(tmp_path, serve):
    path = tmp_path / "new.h5"
    X = np.zeros((2, 32, 48, 1), dtype=np.uint8)
    write_annotations(path, X, skeleton=Skeleton([UNNAMED]))
    with serve(path) as (_, client):
        assert client.get("/api/session").json()["is_unnamed"]
        send(client, [[0, 0, "placed", 1.0, 1.0]])
        assert not client.get("/api/session").json()["is_unnamed"]
