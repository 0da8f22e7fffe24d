import os
import shutil
import warnings

import h5py
import numpy as np
import pytest

from skpose import Skeleton
from skpose.datasets import (
    append_images,
    fold_annotations,
    merge_annotations,
    read_annotations,
    update_annotations,
    write_annotations,
    write_guesses,
)
import skpose.datasets._annotation_journal as journals

NAN = np.nan
IMAGES = np.zeros((6, 8, 8, 1), dtype=np.uint8)
SKELETON = Skeleton(["head", "tail"])


@pytest.fixture
def path(tmp_path):
    write_annotations(tmp_path / "set.h5", IMAGES, skeleton=SKELETON)
    return tmp_path / "set.h5"


def journal_of(path):
    return path.with_name(f"{path.name}.journal")


def label(path, image, value):
    update_annotations(path, [image], np.full((1, 2, 2), float(value)))


def mark_of(path):
    with h5py.File(path) as file:
        return journals.Mark.parse(file.attrs["journal"].decode())


def read(path):
    return read_annotations(path, labelled="all", frames="all")


def labels(path):
    """The x of the first keypoint of each image."""
    return read(path).keypoints[:, 0, 0].tolist()


def expect(path, values):
    np.testing.assert_array_equal(labels(path), values)


def test_update_leaves_the_hdf5_file_alone(path):
    before = path.read_bytes(), path.stat().st_mtime_ns
    label(path, 1, 5)
    label(path, 1, 6)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    expect(path, [NAN, 6, NAN, NAN, NAN, NAN])
    assert len(journal_of(path).read_bytes().splitlines()) == 3  # whose it is, and two edits


def test_every_state_goes_through_the_journal(path):
    keypoints = np.array([[[NAN, NAN], [1.25, 2]], [[3, 4], [5, 6]], [[NAN, NAN], [0.1, 0.2]]])
    annotated = np.array([[False, False], [True, True], [True, False]])
    occluded = np.array([[False, False], [False, True], [False, False]])
    confidence = [[NAN, 0.5], [NAN, NAN], [NAN, NAN]]
    update_annotations(
        path, [4, 0, 2], keypoints, annotated=annotated, occluded=occluded, confidence=confidence
    )
    in_journal = read(path)
    assert journal_of(path).exists()
    fold_annotations(path)
    for data in (in_journal, read(path)):
        np.testing.assert_array_equal(data.keypoints[[4, 0, 2]], keypoints)
        np.testing.assert_array_equal(data.annotated[[4, 0, 2]], annotated)
        np.testing.assert_array_equal(data.occluded[[4, 0, 2]], occluded)
        np.testing.assert_array_equal(data.confidence[[4, 0, 2]], confidence)


def test_later_edits_take_all_of_an_earlier_state_away(path):
    update_annotations(
        path, [0], [[[1, 1], [2, 2]]], annotated=np.zeros((1, 2), bool), confidence=[[0.5, 0.6]]
    )
    update_annotations(path, [0], [[[1, 1], [2, 2]]], occluded=np.ones((1, 2), bool))
    assert np.isnan(read(path).confidence).all()
    update_annotations(path, [0], [[[NAN, NAN]] * 2])
    data = read(path)
    assert np.isnan(data.keypoints).all()
    assert not data.annotated.any()
    assert not data.occluded.any()


def test_folded_set_is_one_file_as_deepposekit_reads_it(path):
    label(path, 3, 7)
    fold_annotations(path)
    assert not journal_of(path).exists()
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["annotations"][3], [[7, 7], [7, 7]])
        assert file["annotated"][3].all()
    label(path, 4, 8)  # numbers go on where they were
    expect(path, [NAN, NAN, NAN, 7, 8, NAN])
    assert b'"after": 1' in journal_of(path).read_bytes()


def test_folding_does_not_grow_the_file(path):
    sizes = []
    for i in range(12):
        label(path, i % 6, i)
        fold_annotations(path)
        sizes.append(path.stat().st_size)
    assert sizes[0] == sizes[-1]


@pytest.mark.parametrize("change", ["append", "merge", "guess", "write"])
def test_whatever_rewrites_the_set_takes_the_journal_in(path, change):
    label(path, 0, 5)
    expected = [5, NAN, NAN, NAN, NAN, NAN]
    if change == "append":
        append_images(path, IMAGES[:1])
        expected.append(NAN)
    elif change == "merge":
        merge_annotations([path, path], path, overwrite=True)
        expected *= 2
    elif change == "guess":
        write_guesses(path, [0, 1], np.full((2, 2, 2), 9.0))
        expected[1] = 9
    else:
        write_annotations(path, IMAGES, skeleton=SKELETON, overwrite=True)
        expected[0] = NAN
    assert not journal_of(path).exists()
    expect(path, expected)
    label(path, 2, 3)
    expect(path, [*expected[:2], 3, *expected[3:]])


def test_long_journals_are_folded(path, monkeypatch):
    monkeypatch.setattr(journals, "_LONG", (3, 10**9))
    for i in range(3):
        assert journal_of(path).exists() == (i > 0)
        label(path, i, i)
    assert not journal_of(path).exists()
    expect(path, [0, 1, 2, NAN, NAN, NAN])


def test_set_of_another_program_gets_its_journal_after_the_first_change(path):
    with h5py.File(path, "r+") as file:
        del file.attrs["journal"]
    label(path, 0, 1)
    assert not journal_of(path).exists()
    label(path, 1, 2)
    assert journal_of(path).exists()
    expect(path, [1, 2, NAN, NAN, NAN, NAN])


def test_journal_cut_anywhere_gives_the_edits_before(path):
    for i in range(3):
        label(path, i, i)
    content = journal_of(path).read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    for length in range(0, len(content), 3):
        journal_of(path).write_bytes(content[:length])
        n_edits = max(0, sum(end <= length for end in ends) - 1)
        expect(path, [0, 1, 2][:n_edits] + [NAN] * (6 - n_edits))
        label(path, 5, 9)  # goes on behind the last whole line
        expect(path, [0, 1, 2][:n_edits] + [NAN] * (5 - n_edits) + [9])


def test_damaged_line_is_told_and_all_others_are_used(path):
    for i in range(4):
        label(path, i, i)
    lines = journal_of(path).read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"1.0", b"7.0", 1)
    journal_of(path).write_bytes(b"".join(lines))
    with pytest.warns(UserWarning, match="journal is damaged: the edits in its lines 3 are lost"):
        expect(path, [0, NAN, 2, 3, NAN, NAN])
    with pytest.warns(UserWarning, match="damaged"):
        fold_annotations(path)
    expect(path, [0, NAN, 2, 3, NAN, NAN])
    assert path.with_name("set.h5.journal.damaged").read_bytes() == b"".join(lines)


def test_end_of_zeros_is_told_and_edits_go_on_behind_it(path):
    label(path, 0, 1)
    label(path, 1, 2)
    content = bytearray(journal_of(path).read_bytes())
    content[-40:] = bytes(40)
    journal_of(path).write_bytes(content)
    with pytest.warns(UserWarning, match="lines 3 are lost"):
        expect(path, [1, NAN, NAN, NAN, NAN, NAN])
    label(path, 2, 3)
    with pytest.warns(UserWarning, match="lines 3 are lost"):
        expect(path, [1, NAN, 3, NAN, NAN, NAN])


def test_damaged_first_line_costs_no_edit(path):
    label(path, 0, 4)
    content = journal_of(path).read_bytes()
    journal_of(path).write_bytes(b"X" + content[1:])
    with pytest.warns(UserWarning, match="lines 1 are lost"):
        expect(path, [4, NAN, NAN, NAN, NAN, NAN])
    label(path, 1, 5)
    with pytest.warns(UserWarning, match="lines 1 are lost"):
        expect(path, [4, 5, NAN, NAN, NAN, NAN])


def test_journal_of_another_set_is_kept_but_not_used(path):
    label(path, 0, 1)
    content = journal_of(path).read_bytes()
    path.unlink()
    write_annotations(path, IMAGES, skeleton=SKELETON)
    with pytest.warns(UserWarning, match="is not used: it holds edits of another annotation set"):
        expect(path, [NAN] * 6)
    label(path, 1, 2)
    expect(path, [NAN, 2, NAN, NAN, NAN, NAN])
    assert path.with_name("set.h5.journal.of_another_set").read_bytes() == content


def test_backup_of_before_does_not_get_the_edits_after_what_it_lacks(path):
    backup = path.with_name("backup.h5")
    shutil.copy(path, backup)
    label(path, 0, 1)
    fold_annotations(path)
    label(path, 1, 2)
    shutil.copy(backup, path)
    with pytest.warns(UserWarning, match="is not used"):
        expect(path, [NAN] * 6)


def test_set_can_be_moved_with_its_journal(path, tmp_path):
    label(path, 0, 1)
    other = tmp_path / "elsewhere" / "other.h5"
    other.parent.mkdir()
    shutil.move(journal_of(path), journal_of(other))
    shutil.move(path, other)
    expect(other, [1, NAN, NAN, NAN, NAN, NAN])


def test_edits_that_reached_the_file_are_not_done_twice(path):
    """A process may be killed when the HDF5 file is replaced, and the journal is still there."""
    label(path, 0, 1)
    content = journal_of(path).read_bytes()
    fold_annotations(path)
    journal_of(path).write_bytes(content)
    label(path, 0, 2)
    fold_annotations(path)
    journal_of(path).write_bytes(content)
    expect(path, [2, NAN, NAN, NAN, NAN, NAN])
    label(path, 1, 3)
    expect(path, [2, 3, NAN, NAN, NAN, NAN])


def test_changes_of_a_program_without_journals_are_noticed(path):
    with h5py.File(path, "r+") as file:
        file["annotations"][0], file["annotated"][0] = 3.0, True
    label(path, 1, 1)  # begun on that
    expect(path, [3, 1, NAN, NAN, NAN, NAN])
    with h5py.File(path, "r+") as file:
        file["annotations"][2], file["annotated"][2] = 4.0, True
    with pytest.warns(UserWarning, match="were changed by another program"):
        expect(path, [3, 1, 4, NAN, NAN, NAN])


def test_later_versions_are_not_guessed_at(path):
    label(path, 0, 1)
    mark = mark_of(path)
    head = journals._format_line({"journal": 2, "id": mark.id, "after": 0}, mark.id)
    journal_of(path).write_bytes(head)
    with pytest.raises(ValueError, match=r"set\.h5\.journal was written by a later version"):
        read(path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ([0, 0, "blurred", 1.0, 1.0], r"journal cannot be read as .* line 2 gives keypoint 0"),
        ([0, 0, "placed", 1.0], "'placed' with 1 numbers"),
        ([0, 0, "placed", float("nan"), 1.0], "'placed' with 2 numbers"),
        ([0.5, 0, "absent"], "of image 0.5"),
        ([6, 0, "absent"], "edits of images or keypoints that .*set.h5 does not have"),
        ([0, -1, "absent"], "it holds 6 images of 2 keypoints"),
    ],
)
def test_edits_that_cannot_be_are_refused(path, edit, message):
    label(path, 0, 1)
    mark = mark_of(path)
    text = str({"seq": 2, "set": [edit]}).replace("'", '"').replace("nan", "NaN").encode()
    line = b"%b\t%08x\n" % (text, journals._checksum(text, mark.id))
    head = journal_of(path).read_bytes().splitlines(keepends=True)[0]
    journal_of(path).write_bytes(head + line)
    with pytest.raises(ValueError, match=message):
        read(path)


def test_failed_write_leaves_the_journal_as_it_was(path, monkeypatch):
    label(path, 0, 1)
    before = journal_of(path).read_bytes()

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match=r"No space left on device: '.*set\.h5\.journal'"):
            label(path, 1, 2)
    assert journal_of(path).read_bytes() == before
    label(path, 2, 3)
    expect(path, [1, NAN, 3, NAN, NAN, NAN])


def test_full_disk_while_folding_keeps_the_edit(path, monkeypatch):
    monkeypatch.setattr(journals, "_LONG", (1, 10**9))

    def fail(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", fail)
        label(path, 0, 1)
    assert journal_of(path).exists()
    expect(path, [1, NAN, NAN, NAN, NAN, NAN])
    label(path, 1, 2)
    assert not journal_of(path).exists()
    expect(path, [1, 2, NAN, NAN, NAN, NAN])


@pytest.mark.skipif(os.name != "posix", reason="needs modes of POSIX")
def test_read_only_set_is_read_but_not_changed(path):
    label(path, 0, 1)
    path.chmod(0o444)
    expect(path, [1, NAN, NAN, NAN, NAN, NAN])
    with pytest.raises(PermissionError, match="is read-only"):
        label(path, 1, 2)


@pytest.mark.skipif(os.name != "posix", reason="needs modes of POSIX")
def test_who_may_change_the_set_may_change_its_journal(path):
    path.chmod(0o664)
    label(path, 0, 1)
    assert journal_of(path).stat().st_mode & 0o777 == 0o664


def test_reading_makes_no_file(path):
    label(path, 0, 1)
    before = sorted(path.parent.iterdir())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(path)
    assert sorted(path.parent.iterdir()) == before


@pytest.mark.clock
def test_update_takes_as_long_for_large_sets(tmp_path):
    from time import perf_counter

    def seconds(path):
        times = []
        for i in range(15):
            start = perf_counter()
            label(path, i % 6, i)
            times.append(perf_counter() - start)
        return np.median(times[3:])

    large = np.broadcast_to(np.uint8(7), (2000, 160, 160, 1))  # 49 MiB
    write_annotations(tmp_path / "large.h5", large, skeleton=SKELETON)
    write_annotations(tmp_path / "small.h5", IMAGES, skeleton=SKELETON)
    assert seconds(tmp_path / "large.h5") < 3 * seconds(tmp_path / "small.h5")
