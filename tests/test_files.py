from contextlib import nullcontext
import errno
import os
from pathlib import Path
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import skpose
from skpose import Skeleton, _files
from skpose._files import changing, replacing
from skpose.baseline import MeanPoseRegressor
from skpose.datasets import (
    append_images,
    read_annotations,
    update_annotations,
    write_annotations,
)
from skpose.individuals import make_tracks, write_tracks
from skpose.poses import from_numpy, write_poses

posix = pytest.mark.skipif(os.name != "posix", reason="needs signals, modes and links of POSIX")


@pytest.fixture
def path(tmp_path):
    (tmp_path / "set.h5").write_text("old")
    return tmp_path / "set.h5"


def test_old_content_stays_until_the_new_is_complete(path):
    with replacing(path, overwrite=True) as new:
        assert new.parent == path.parent
        new.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_new_content_is_on_the_disk_before_it_is_renamed(path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, f=call: (calls.append(n), f(*a)))
    with replacing(path, overwrite=True) as new:
        new.write_text("new")
    assert calls[:2] == ["fsync", "replace"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_file_and_nothing_else(path, error):
    def fail():
        with replacing(path, overwrite=True) as new:
            new.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_file_is_not_overwritten_unasked(path):
    with (
        pytest.raises(FileExistsError, match="overwrite=True"),
        replacing(path, overwrite=False) as new,
    ):
        new.write_text("new")
    assert path.read_text() == "old"


def test_file_that_appears_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "set.h5"

    def write():
        with replacing(path, overwrite=False) as new:
            new.write_text("mine")
            path.write_text("another's")

    with pytest.raises(FileExistsError, match="overwrite=True"):
        write()
    assert path.read_text() == "another's"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folder_is_named(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="there is no folder .*gone"),
        replacing(tmp_path / "gone" / "set.h5", overwrite=False),
    ):
        pass


@posix
def test_link_and_mode_of_the_old_file_stay(path):
    link = path.with_name("link.h5")
    link.symlink_to(path)
    path.chmod(0o640)
    with replacing(link, overwrite=True) as new:
        new.write_text("new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640


@posix
def test_new_annotation_set_has_the_usual_mode(tmp_path):
    write_annotations(
        tmp_path / "set.h5", np.zeros((1, 8, 8, 1), np.uint8), skeleton=Skeleton(["a"])
    )
    (tmp_path / "usual").touch()
    assert (tmp_path / "set.h5").stat().st_mode == (tmp_path / "usual").stat().st_mode


# Forks one process for each action; each kills itself amid its work.
KILLED = """
import os, signal, sys
import numpy as np
from skpose import Skeleton
from skpose import _files
from skpose.datasets import _annotation_layout, append_images
from skpose.datasets import fold_annotations, merge_annotations, write_annotations

def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)

class Deadly:
    dtype, ndim, shape = np.dtype(np.uint8), 4, (9, 6, 8, 1)
    def __len__(self):
        return 9
    def __getitem__(self, key):
        if key.start >= 6:
            die()
        return np.ones((key.stop - key.start, 6, 8, 1), np.uint8)

def act(action, path, images):
    if action == "write":
        write_annotations(path, images, skeleton=Skeleton(["a", "b"]), overwrite=True)
    elif action == "append":
        append_images(path, images)
    elif action == "merge":
        merge_annotations([path, path], path, overwrite=True)
    else:
        fold_annotations(path)

_annotation_layout._BYTES_AT_ONCE = 3 * 6 * 8
for path in sys.argv[1:]:
    moment, action = os.path.basename(os.path.dirname(path)).split("-")
    child = os.fork()
    if child == 0:
        images = Deadly()
        if moment == "last":
            _files.os.replace = die
            images = np.ones((9, 6, 8, 1), np.uint8)
        act(action, path, images)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, path
"""


@posix
def test_killed_process_leaves_the_old_file_whole(tmp_path):
    images, keypoints = np.full((4, 6, 8, 1), 7, np.uint8), np.full((4, 2, 2), 3.0)
    cases = ["amid-write", "amid-append", "last-write", "last-append", "last-merge", "last-fold"]
    paths = [tmp_path / case / "set.h5" for case in cases]
    for path in paths:
        path.parent.mkdir()
        write_annotations(path, images, keypoints, skeleton=Skeleton(["a", "b"]))
        update_annotations(path, [0], np.full((1, 2, 2), 5.0))
    before = [path.read_bytes() for path in paths]
    subprocess.run([sys.executable, "-c", KILLED, *map(str, paths)], check=True)
    for path, content in zip(paths, before, strict=True):
        assert path.read_bytes() == content, path
        known = {path.with_name(f"set.h5{ending}") for ending in ("", ".lock", ".journal")}
        (left,) = set(path.parent.iterdir()) - known
        assert left.name.startswith(".set.h5."), left
        append_images(path, images)  # what the killed process left does not disturb, and goes
        assert not left.exists()
        data = read_annotations(path, frames="all")
        assert len(data.images) == 8
        assert data.keypoints[:2, 0, 0].tolist() == [5.0, 3.0]


def test_a_program_that_knows_no_lock_is_noticed(path):
    def change():
        with changing(path) as new:
            new.write_text("new")
            path.write_text("somebody else's")

    with pytest.raises(OSError, match="changed by another program.*Nothing was written"):
        change()
    assert path.read_text() == "somebody else's"


def test_a_lock_that_is_held_is_waited_for_and_then_told(path, monkeypatch):
    monkeypatch.setattr("skpose._files._PATIENCE", 0.05)
    with changing(path) as new:
        new.write_text("new")
        with pytest.raises(TimeoutError, match="being changed by another process"), changing(path):
            pass
    assert path.read_text() == "new"  # the first one was not disturbed


def test_what_is_not_there_cannot_be_changed(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"), changing(tmp_path / "a"):
        pass
    assert not list(tmp_path.iterdir())


def write_everything(folder):
    """Everything that skpose writes: (file, how to write it again)."""
    images, y = np.zeros((2, 8, 8, 1), dtype=np.uint8), np.ones((2, 1, 2))
    skeleton, poses = Skeleton(["a"]), from_numpy(y, names=["a"])
    mean = MeanPoseRegressor().fit(images, y)
    tracks = make_tracks(np.ones((2, 1, 2)))
    return {
        "set.h5": lambda path: write_annotations(
            path, images, y, skeleton=skeleton, overwrite=True
        ),
        "model.skpose": lambda path: skpose.save(mean, path, overwrite=True),
        "poses.csv": lambda path: write_poses(path, poses, overwrite=True),
        "poses.h5": lambda path: write_poses(path, poses, overwrite=True),
        "poses.npz": lambda path: write_poses(path, poses, overwrite=True),
        "skeleton.csv": lambda path: skeleton.to_csv(path, overwrite=True),
        "tracks.csv": lambda path: write_tracks(path, tracks, overwrite=True),
    }


NAMES = sorted(write_everything(None))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_replaced_by_one_of_its_kind_only(name, tmp_path):
    writers = write_everything(tmp_path)
    write = writers[name]
    write(tmp_path / name)
    write(tmp_path / name)
    for other in NAMES:
        path = tmp_path / f"other{Path(name).suffix}"
        writers[other](tmp_path / other)
        path.write_bytes((tmp_path / other).read_bytes())
        if other == name:
            write(path)
            continue
        before = path.read_bytes()
        with pytest.raises(ValueError, match="is not replaced, since it holds something else"):
            write(path)
        assert path.read_bytes() == before
    path.write_bytes(b"")
    write(path)  # an empty file holds nothing


@posix
@pytest.mark.parametrize("name", NAMES)
def test_read_only_files_folders_and_devices_are_not_replaced(name, tmp_path):
    write = write_everything(tmp_path)[name]
    path = tmp_path / name
    write(path)
    path.chmod(0o444)
    with pytest.raises(PermissionError, match="read-only"):
        write(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(PermissionError, match="a device or a pipe"):
        write(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        write(path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write(tmp_path / "nowhere" / name)


@pytest.mark.parametrize("n_refusals", [2, 10**9])
def test_where_readers_keep_a_file_from_being_replaced_they_are_waited_for(
    n_refusals, tmp_path, monkeypatch
):
    """As on Windows, with a stand-in for what its system says."""
    calls = []

    def refuse(source, target):
        calls.append(target)
        if len(calls) <= n_refusals:
            raise PermissionError(errno.EACCES, "Access is denied")
        os.rename(source, target)

    path = tmp_path / "a.csv"
    path.write_text("old")
    other = SimpleNamespace(**{**vars(os), "name": "nt", "replace": refuse})
    monkeypatch.setattr(_files, "os", other)
    monkeypatch.setattr(_files, "_SHORT", 0.2)
    refused = pytest.raises(PermissionError, match=r"open in another program.*a\.csv")
    with refused if n_refusals > 2 else nullcontext(), replacing(path, overwrite=True) as temporary:
        temporary.write_text("new")
    assert path.read_text() == ("old" if n_refusals > 2 else "new")
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
