"""Sets that no program of ours would write, or few would."""

import json
import os

import h5py
import numpy as np
import pytest

from skpose import Skeleton
from skpose.annotate._messages import EditMessage
from skpose.annotate._session import LabelSession, ReadOnly
from skpose.datasets import write_annotations


def edit(session, set_, key="1"):
    return session.edit("page", [EditMessage(key, "", session.version, set_)])


def use(session):
    """Ask for all that a page asks for, and label something; all of it must be JSON."""
    about = session.about()
    asked = [about, session.frames(), session.frame(0), session.frame(about["n_images"] - 1)]
    assert session.images.encode(0).content
    asked.append(edit(session, [[0, 0, "placed", 0.5, 0.5]]))
    json.dumps(asked, allow_nan=False)
    assert session.frame(0)["keypoints"][0] == ["placed", 0.5, 0.5]
    session.fold()
    assert session.frame(0)["keypoints"][0] == ["placed", 0.5, 0.5]
    return about


@pytest.mark.parametrize("n_keypoints", [1, 300])
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 4000, 1), (4000, 7, 3)])
def test_sizes(tmp_path, shape, n_keypoints):
    skeleton = Skeleton([f"part {k}" for k in range(n_keypoints)])
    write_annotations(tmp_path / "set.h5", np.zeros((2, *shape), np.uint8), skeleton=skeleton)
    about = use(LabelSession(tmp_path / "set.h5"))
    assert (about["height"], about["width"], about["n_channels"]) == shape


@pytest.mark.parametrize(
    "place", [(np.nan, np.nan), (np.nan, 3), (np.inf, 3), (-1, -1), (0, 0), (-50, 9000)]
)
@pytest.mark.parametrize("is_annotated", [False, True])
def test_places(path, place, is_annotated):
    with h5py.File(path, "r+") as file:
        file["annotations"][0, 1], file["annotated"][0, 1] = place, is_annotated
    use(LabelSession(path))


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.__delitem__("annotated"),
        lambda file: file.__delitem__("images"),
        lambda file: file.__delitem__("skeleton"),
        lambda file: replace(file, "images", file["images"][:3]),
        lambda file: replace(file, "annotations", file["annotations"][:3]),
        lambda file: replace(file, "images", file["images"][:].astype(float)),
        lambda file: replace(file, "images", file["images"][:, 0]),
    ],
)
def test_what_is_missing_or_does_not_fit_is_told(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises((ValueError, KeyError), match=r"set\.h5"):
        LabelSession(path)


def replace(file, name, values):
    del file[name]
    file[name] = values


def test_a_set_without_images_is_refused(path):
    with h5py.File(path, "r+") as file:
        for name in ("images", "annotations", "annotated"):
            replace(file, name, file[name][:0])
    with pytest.raises(ValueError, match=r"set\.h5"):
        LabelSession(path)


def test_a_set_of_deepposekit_gets_an_identity_with_its_first_edit(path):
    with h5py.File(path, "r+") as file:
        for name in list(file.attrs):
            del file.attrs[name]
    session = LabelSession(path)
    stamp = session.stamp
    use(session)
    assert session.stamp == stamp
    assert session.trouble is None


@pytest.mark.parametrize("part", ["file", "folder"])
def test_what_may_not_be_written_can_be_looked_at(path, monkeypatch, part):
    forbidden = path if part == "file" else path.parent
    may = os.access
    monkeypatch.setattr("os.access", lambda place, mode: place != forbidden and may(place, mode))
    session = LabelSession(path)
    assert part in session.trouble
    assert session.frame(0)["keypoints"][0] == ["empty"]
    with pytest.raises(ReadOnly, match="may not write"):
        edit(session, [[0, 0, "placed", 0.5, 0.5]])
    session.look_outside()
    assert session.trouble is not None


def test_a_folder_is_no_set(tmp_path):
    with pytest.raises((OSError, ValueError), match=tmp_path.name):
        LabelSession(tmp_path)


def test_a_long_journal_is_folded_when_there_is_time(path, monkeypatch):
    session = LabelSession(path)
    edit(session, [[0, 0, "placed", 0.5, 0.5]])
    session.editor.is_long = True
    journal = path.with_name("set.h5.journal")
    session.fold_if_idle(60)
    assert journal.exists()

    def fail():
        raise OSError(28, "No space left on device")

    fold = session.editor.fold
    monkeypatch.setattr(session.editor, "fold", fail)
    session.fold_if_idle(0)  # later, then
    assert journal.exists()
    monkeypatch.setattr(session.editor, "fold", fold)
    session.fold_if_idle(0)
    assert not journal.exists()
    assert session.frame(0)["keypoints"][0] == ["placed", 0.5, 0.5]
