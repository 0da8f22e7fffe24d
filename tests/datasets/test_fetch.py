"""The paper's sets, from a server on this machine."""

from functools import partial
import gc
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
import subprocess
import sys
import threading

import numpy as np
import pytest

from skpose.datasets import _fetch, fetch_deepposekit, make_poses, write_annotations

pooch = pytest.importorskip("pooch")
# pooch leaves the connection open over which it was told that there is no such file.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def flies():
    return make_poses(4, image_size=32, random_state=0, return_bunch=True)


@pytest.fixture
def server(flies, tmp_path, monkeypatch):
    """An address with a set of flies, and the folder that is served there."""
    folder = tmp_path / "served"
    (folder / "fly").mkdir(parents=True)
    labels, skeleton = folder / "fly" / _fetch._LABELS, folder / "fly" / _fetch._SKELETON
    write_annotations(labels, flies.images, flies.keypoints, skeleton=flies.skeleton)
    flies.skeleton.to_csv(skeleton)
    ids = {path.name: git_id(path) for path in (labels, skeleton)}
    ids[labels.name] = ids[labels.name][:12]
    monkeypatch.setitem(_fetch._IDS, "fly", ids)
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join()
    gc.collect()


def git_id(path):
    command = ["git", "hash-object", "--no-filters", path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_set_is_downloaded_once(server, flies, tmp_path):
    address, folder = server
    home = tmp_path / "home"
    first = fetch_deepposekit("fly", data_home=home, mirror=address + "/")
    np.testing.assert_array_equal(first.images, flies.images)
    np.testing.assert_array_equal(first.keypoints, flies.keypoints)
    assert first.skeleton.names == flies.skeleton.names
    assert "Apache License" in first.DESCR
    assert "Pereira" in first.DESCR
    for path in (folder / "fly").iterdir():
        path.unlink()
    images, keypoints = fetch_deepposekit("fly", data_home=home, return_X_y=True)
    np.testing.assert_array_equal(images, flies.images)
    np.testing.assert_array_equal(keypoints, flies.keypoints)


def test_sets_are_among_the_caches_of_the_user(server, flies, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "caches" / name)
    fetch_deepposekit("fly", mirror=server[0])
    assert (tmp_path / "caches" / "skpose" / "fly" / _fetch._LABELS).exists()


@pytest.mark.parametrize("file", [_fetch._LABELS, _fetch._SKELETON])
def test_what_is_not_what_it_should_be_is_not_kept(server, tmp_path, file):
    address, folder = server
    with (folder / "fly" / file).open("ab") as served:
        served.write(b"!")
    with pytest.raises(OSError, match=r"sent something else .* by hand"):
        fetch_deepposekit("fly", data_home=tmp_path / "home", mirror=address)
    left = {path.name for path in (tmp_path / "home" / "fly").iterdir()}
    assert left <= {_fetch._LABELS, _fetch._SKELETON} - {file}


def test_a_server_that_has_it_not_says_where_to_put_it(server, tmp_path):
    address, _ = server
    home = tmp_path / "home"
    with pytest.raises(OSError, match="404") as told:
        fetch_deepposekit("zebra", data_home=home, mirror=address)
    path = home / "zebra" / _fetch._LABELS
    assert str(path) in str(told.value)
    assert f"Download {address}/zebra/{_fetch._LABELS} and put it there" in str(told.value)
    assert not list(path.parent.iterdir())


def test_no_server_at_all(tmp_path):
    with pytest.raises(OSError, match="could not be downloaded"):
        fetch_deepposekit("fly", data_home=tmp_path, mirror="http://127.0.0.1:9")


def test_what_somebody_has_put_there_is_checked_and_left(server, tmp_path):
    address, folder = server
    home = tmp_path / "home"
    (home / "fly").mkdir(parents=True)
    for path in (folder / "fly").iterdir():
        (home / "fly" / path.name).write_bytes(path.read_bytes())
    assert len(fetch_deepposekit("fly", data_home=home, download_if_missing=False).images) == 4
    labels = home / "fly" / _fetch._LABELS
    labels.write_bytes(b"something else")
    with pytest.raises(ValueError, match="Remove it, to download it anew"):
        fetch_deepposekit("fly", data_home=home, mirror=address)
    assert labels.read_bytes() == b"something else"


def test_nothing_is_downloaded_unasked(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not there"):
        fetch_deepposekit("locust", data_home=tmp_path, download_if_missing=False)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="name must be one of fly, locust, zebra, but was 'bee'"):
        fetch_deepposekit("bee", data_home=tmp_path)


def test_pooch_is_asked_for_where_it_is_needed(server, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"skpose\[fetch\]"):
        fetch_deepposekit("fly", data_home=tmp_path / "home", mirror=server[0])


@pytest.mark.parametrize("name", ["fly", "locust", "zebra"])
def test_skeletons_are_those_of_the_paper(data_dir, name):
    folder = data_dir / "fly" if name == "fly" else data_dir / "coco"
    path = folder / ("skeleton.csv" if name == "fly" else f"{name}_skeleton.csv")
    assert git_id(path) == _fetch._IDS[name][_fetch._SKELETON]
