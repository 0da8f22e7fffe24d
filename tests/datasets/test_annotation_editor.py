import subprocess
import sys
from threading import Thread

import h5py
import numpy as np
import pytest

from skpose import Skeleton
from skpose.datasets import (
    AnnotationEditor,
    append_images,
    change_skeleton,
    fold_annotations,
    merge_annotations,
    read_annotations,
    remove_images,
    update_annotations,
    write_annotations,
    write_guesses,
)

IMAGES = np.zeros((5, 8, 8, 1), dtype=np.uint8)
SKELETON = Skeleton(["head", "tail"])
PLACED = [1, 0, "placed", 2.0, 3.0]


@pytest.fixture
def path(tmp_path):
    write_annotations(tmp_path / "set.h5", IMAGES, skeleton=SKELETON)
    return tmp_path / "set.h5"


def read(path):
    return read_annotations(path, labelled="all", frames="all")


@pytest.mark.parametrize(
    ("edit", "keypoint", "annotated", "occluded", "confidence"),
    [
        (["placed", 2.0, 3.0], [2, 3], True, False, np.nan),
        (["hidden", 2.0, 3.0], [2, 3], True, True, np.nan),
        (["absent"], [np.nan] * 2, True, False, np.nan),
        (["guess", 2.0, 3.0], [2, 3], False, False, np.nan),
        (["guess", 2.0, 3.0, 0.5], [2, 3], False, False, 0.5),
        (["empty"], [np.nan] * 2, False, False, np.nan),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_each_state_is_read_by_everybody(path, edit, keypoint, annotated, occluded, confidence):
    editor = AnnotationEditor(path)
    editor.edit([[1, 0, "placed", 5, 5], [1, 1, "placed", 6, 6]])
    assert editor.edit([[1, 1, *edit]]).version == 2
    for _ in range(2):
        data = read(path)
        np.testing.assert_array_equal(data.keypoints[1], [[5, 5], keypoint])
        assert data.annotated[1].tolist() == [True, annotated]
        assert data.occluded[1].tolist() == [False, occluded]
        np.testing.assert_array_equal(data.confidence[1], [np.nan, confidence])
        assert AnnotationEditor(path).keypoints_of(1) == [["placed", 5, 5], edit]
        assert editor.keypoints_of(1) == [["placed", 5, 5], edit]
        assert editor.states.tolist() == AnnotationEditor(path).states.tolist()
        fold_annotations(path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ([-1, 0, "absent"], "image of an edit must be 0 to 4, but was -1"),
        ([10**9, 0, "absent"], "image .* 0 to 4"),
        (["3", 0, "absent"], "image .* but was '3'"),
        ([1.5, 0, "absent"], "image .* but was 1.5"),
        ([True, 0, "absent"], "image .* but was True"),
        ([0, 2, "absent"], "keypoint of an edit must be 0 to 1"),
        ([0], "keypoint .* but was None"),
        ([0, 0], "state of a keypoint must be empty, guess, placed, hidden, absent, but was None"),
        ([0, 0, "seen", 1, 2], "but was 'seen'"),
        ([0, 0, ["placed"], 1, 2], "state"),
        ([0, 0, "placed"], "needs x and y"),
        ([0, 0, "placed", 1], "needs x and y"),
        ([0, 0, "placed", 1, np.nan], "finite numbers"),
        ([0, 0, "placed", 1, "1e3"], "finite numbers"),
        ([0, 0, "placed", 1, True], "finite numbers"),
        ([0, 0, "absent", 1, 2], "needs no numbers"),
    ],
)
def test_what_is_no_edit_is_refused_and_nothing_of_the_call_is_done(path, edit, message):
    editor = AnnotationEditor(path)
    with pytest.raises(ValueError, match=message):
        editor.edit([PLACED, edit])
    with pytest.raises(ValueError, match="each keypoint of an image once"):
        editor.edit([PLACED, PLACED])
    assert editor.version == 0
    assert np.isnan(read(path).keypoints).all()
    assert not path.with_name("set.h5.journal").exists()


def test_what_others_have_changed_since_is_left_as_it_is_and_told(path):
    ann, bob = AnnotationEditor(path), AnnotationEditor(path)
    base = ann.version
    bob.edit([[1, 0, "placed", 7, 7]], base=base, by="bob")
    edited = ann.edit([PLACED, [1, 1, "absent"]], base=base, by="ann")
    assert edited.conflicts == [[1, 0, "placed", 7.0, 7.0]]
    assert edited.version == 2
    assert bob.refresh().tolist() == [1]
    assert bob.keypoints_of(1) == [["placed", 7, 7], ["absent"]]
    # Who has seen it may change it, and who says the same has no conflict.
    assert ann.edit([PLACED], base=edited.version, by="ann") == (3, [])
    assert bob.edit([PLACED], base=edited.version, by="bob").conflicts == []
    assert ann.keypoints_of(1)[0] == PLACED[2:]


def test_after_a_restart_only_what_was_changed_since_is_a_conflict(path):
    editor = AnnotationEditor(path)
    editor.edit([[0, 0, "placed", 1, 1]])
    editor.fold()
    base = editor.version
    for image in (1, 2):
        editor.edit([[image, 0, "placed", 9, 9]], by="bob")
    edits = [[image, keypoint, "absent"] for image in range(3) for keypoint in range(2)]
    conflicts = AnnotationEditor(path).edit(edits, base=base, by="ann").conflicts
    assert conflicts == [[1, 0, "placed", 9.0, 9.0], [2, 0, "placed", 9.0, 9.0]]


def test_own_edits_that_are_not_yet_known_are_no_conflict(path):
    editor = AnnotationEditor(path)
    for x in (1.0, 2.0, 3.0):
        assert editor.edit([[0, 0, "placed", x, x]], base=0, by="ann").conflicts == []
    assert AnnotationEditor(path).edit([[0, 0, "empty"]], base=0, by="ann").conflicts == []
    assert len(editor.edit([PLACED[:1] + [0, "empty"], [0, 0, *PLACED[2:]]], base=0).conflicts) == 1


def test_a_call_that_is_repeated_is_done_once_also_after_a_restart(path):
    editor = AnnotationEditor(path)
    first = editor.edit([PLACED], by="ann", key="ann:1")
    editor.edit([[1, 0, "placed", 5, 5]], by="bob", key="bob:1")
    for again in (editor, AnnotationEditor(path)):
        repeated = again.edit([PLACED], by="ann", key="ann:1")
        assert repeated == (2, [[1, 0, "placed", 5.0, 5.0]])
        assert again.keypoints_of(1)[0] == ["placed", 5, 5]
    assert first == (1, [])
    editor.fold()
    assert editor.edit([PLACED], by="ann", key="ann:1") == (2, [[1, 0, "placed", 5.0, 5.0]])


def test_a_set_without_names_numbers_its_keypoints(path):
    with h5py.File(path, "r+") as file:
        del file["skeleton_names"]
    with pytest.warns(UserWarning, match="no names of bodyparts"):
        editor = AnnotationEditor(path)
    assert editor.skeleton.names == ("0", "1")
    assert editor.edit([PLACED]).version == 1


def test_other_writers_are_taken_in(path):
    editor = AnnotationEditor(path)
    editor.edit([PLACED])
    update_annotations(path, [2], np.ones((1, 2, 2)))
    assert editor.refresh().tolist() == [2]
    write_guesses(path, [3], np.full((1, 2, 2), 4.0), np.full((1, 2), 0.25))
    version = editor.version
    assert editor.refresh().tolist() == [3]
    assert editor.version > version
    assert editor.keypoints_of(3) == [["guess", 4, 4, 0.25]] * 2
    append_images(path, IMAGES[:2])
    assert editor.refresh().tolist() == [5, 6]
    assert len(editor) == len(editor.images) == 7
    version = editor.version
    assert editor.edit([[6, 1, "absent"]]).version == version + 1
    assert editor.changed_since(version).tolist() == [6]
    editor.fold()
    assert editor.refresh().tolist() == []
    restarted = AnnotationEditor(path)
    assert restarted.version >= version + 1
    assert restarted.keypoints_of(1) == editor.keypoints_of(1) == [PLACED[2:], ["empty"]]


def test_another_set_in_the_place_of_the_one_that_was_opened_is_not_changed(path):
    editor = AnnotationEditor(path)
    editor.edit([PLACED])
    write_annotations(path, IMAGES, skeleton=SKELETON, overwrite=True)
    with pytest.raises(ValueError, match="another annotation set than the one that was opened"):
        editor.edit([PLACED])
    assert np.isnan(read(path).keypoints).all()
    assert editor.keypoints_of(1)[0] == PLACED[2:]  # to be saved elsewhere


@pytest.mark.parametrize("is_here", [True, False])
def test_a_skeleton_that_grows_is_taken_in(path, is_here):
    editor = AnnotationEditor(path)
    editor.edit([PLACED], by="one")
    version = editor.version
    new = Skeleton(["nose", "tail", "ear"], ["", "nose", "nose"])
    if is_here:
        editor.change_skeleton(new)
    else:
        change_skeleton(path, new)
        editor.refresh()
    assert editor.version > version
    assert editor.skeleton == new
    assert editor.keypoints_of(1) == [PLACED[2:], ["empty"], ["empty"]]
    assert editor.changed_since(version).tolist() == [0, 1, 2, 3, 4]  # none is done any more
    assert editor.edit([[1, 0, "absent"]], base=0, by="two").conflicts == [PLACED]
    assert editor.edit([[2, 2, "placed", 4.0, 4.0]], base=editor.version).conflicts == []
    editor.fold()
    assert read(path).keypoints[[1, 2], [0, 2]].tolist() == [[2, 3], [4, 4]]


def test_a_set_of_another_program_is_copied_at_the_first_change(path):
    with h5py.File(path, "r+") as file:
        del file.attrs["journal"]
        file["annotations"][...] = 0  # as DeepPoseKit fills up
    editor = AnnotationEditor(path)
    assert (editor.states == "empty").all()
    assert "journal" not in h5py.File(path).attrs
    editor.edit([PLACED])
    assert read(path).keypoints[1, 0].tolist() == [2, 3]
    assert AnnotationEditor(path).states[1].tolist() == ["placed", "empty"]


def test_threads_share_an_editor(path):
    editor = AnnotationEditor(path)

    def label(image):
        for x in range(20):
            editor.edit([[image, 0, "placed", x, x]], base=0, by=str(image))

    threads = [Thread(target=label, args=(image,)) for image in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert editor.version == 80
    assert read(path).keypoints[:4, 0, 0].tolist() == [19] * 4


EDIT_AND_SAY = """
import sys
from skpose.datasets import AnnotationEditor
editor = AnnotationEditor(sys.argv[1])
for x in range(10**6):
    editor.edit([[x % 5, x // 5 % 2, "placed", float(x), float(x)]], by="ann", key=str(x))
    print(x, flush=True)
"""


def test_every_edit_that_was_acknowledged_is_there_after_a_kill(path):
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", EDIT_AND_SAY, path], stdout=subprocess.PIPE, text=True
        )
        for _ in range(25):
            last = int(process.stdout.readline())
        process.kill()
        rest, _ = process.communicate()
        last = int((rest.split() or [last])[-1])
        states = [AnnotationEditor(path).keypoints_of(x % 5)[x // 5 % 2] for x in range(10)]
        found = max(int(numbers[0]) for _, *numbers in states)
        assert last <= found <= last + 1


def test_states_are_counted(path):
    editor = AnnotationEditor(path)
    editor.edit([PLACED, [1, 1, "absent"], [2, 0, "hidden", 1, 1], [2, 1, "guess", 1, 1]])
    expected = [[2, 0, 0, 0, 0], [0, 0, 1, 0, 1], [0, 1, 0, 1, 0], [2, 0, 0, 0, 0], [2, 0, 0, 0, 0]]
    assert editor.count_states().tolist() == expected
    assert editor.count_states([2, 1]).tolist() == [expected[2], expected[1]]
    assert editor.count_states([]).shape == (0, 5)


def test_a_set_has_one_identity(path, tmp_path):
    write_annotations(tmp_path / "other.h5", IMAGES, skeleton=SKELETON)
    editor = AnnotationEditor(path)
    before = editor.id
    editor.edit([PLACED])
    editor.fold()
    assert before == editor.id == AnnotationEditor(path).id
    assert before != AnnotationEditor(tmp_path / "other.h5").id


def test_guesses_are_never_over_what_a_person_has_said(path):
    editor = AnnotationEditor(path)
    editor.edit([PLACED, [2, 1, "absent"], [3, 0, "guess", 1, 1]])
    update_annotations(path, [0], [[[7, 7], [np.nan] * 2]])  # which the editor has not seen yet
    poses = np.array([[[5, 5, 0.5], [6, 6, 0.25]]] * 4)
    assert editor.guess([0, 1, 2, 3], poses, model="a").tolist() == [0, 1, 2, 3]
    guesses = [["guess", 5, 5, 0.5], ["guess", 6, 6, 0.25]]
    assert editor.keypoints_of(0) == [["placed", 7, 7], guesses[1]]
    assert editor.keypoints_of(1) == [PLACED[2:], guesses[1]]
    assert editor.keypoints_of(2) == [guesses[0], ["absent"]]
    assert AnnotationEditor(path).keypoints_of(3) == editor.keypoints_of(3) == guesses
    np.testing.assert_allclose(editor.mean_confidence(), [0.25, 0.25, 0.5, 0.375, np.nan])
    np.testing.assert_allclose(editor.mean_confidence([3]), [0.375])
    editor.edit([[3, 0, "placed", 1, 1], [3, 1, "placed", 1, 1]])
    version = editor.version
    assert editor.guess([3], poses[:1], model="a").tolist() == []
    assert editor.version == version
    assert editor.guess([4], poses[:1, :, :2]).tolist() == [4]
    assert editor.keypoints_of(4)[0] == ["guess", 5, 5]


@pytest.mark.parametrize("is_here", [True, False])
def test_a_guess_that_came_meanwhile_gives_way_to_a_person(path, is_here):
    editor = AnnotationEditor(path)
    base = editor.version
    if is_here:
        editor.guess([1], np.full((1, 2, 2), 5.0), model="a")
    else:
        write_guesses(path, [1], np.full((1, 2, 2), 5.0))
    assert editor.edit([PLACED], base=base, by="ada").conflicts == []
    assert editor.keypoints_of(1) == [PLACED[2:], ["guess", 5, 5]]
    cleared = [1, 0, "empty"]
    editor.edit([cleared], base=editor.version, by="bob")
    assert editor.edit([PLACED], base=base, by="ada").conflicts == [cleared]  # by a person


def test_a_set_of_another_program_gets_bodyparts(path):
    with h5py.File(path, "r+") as file:
        del file.attrs["journal"]
    editor = AnnotationEditor(path)
    editor.change_skeleton(Skeleton(["nose", "tail", "ear"]))
    editor.edit([[1, 2, "placed", 2.0, 3.0]])
    assert editor.refresh().tolist() == []
    assert read(path).skeleton.names == ("nose", "tail", "ear")
    assert read(path).keypoints[1, 2].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("images", "shape"), [([5], (1, 2, 3)), ([0], (1, 3, 2)), ([0, 1], (1, 2, 2)), ([0], (2, 2))]
)
def test_guesses_that_do_not_fit(path, images, shape):
    editor = AnnotationEditor(path)
    with pytest.raises(ValueError, match=r"image|shape|keypoint"):
        editor.guess(images, np.ones(shape))
    with pytest.raises(ValueError, match="finite"):
        editor.guess([0], np.full((1, 2, 2), np.nan))
    assert editor.version == 0


def test_who_labelled_goes_with_the_labels(tmp_path):
    first, second, both = (tmp_path / name for name in ("first.h5", "second.h5", "both.h5"))
    X = np.zeros((3, 8, 8, 1), dtype=np.uint8)
    who = [["ada", ""], ["", ""], ["ben", "ben"]]
    y = np.ones((3, 2, 2))
    write_annotations(first, X, y, skeleton=Skeleton(["a", "b"]), annotators=who)
    assert read_annotations(first).annotators.tolist() == who
    write_annotations(second, X, skeleton=Skeleton(["a", "b"]))
    append_images(second, X[:1], y[:1], annotators=[["", "cleo"]])
    merge_annotations([first, second], both)
    remove_images(both, [0])
    change_skeleton(both, Skeleton(["a", "b", "c"]))
    names = read_annotations(both, frames="all").annotators
    assert names.tolist() == [["", "", ""], ["ben", "ben", ""], *[[""] * 3] * 3, ["", "cleo", ""]]
    update_annotations(both, [1], np.full((1, 3, 2), 2.0))  # by a program that names nobody
    assert read_annotations(both, frames="all").annotators[1].tolist() == ["", "", ""]
    who = read_annotations(both, frames="all")
    update_annotations(both, who.index, who.keypoints)  # all as it was
    assert read_annotations(both, frames="all").annotators.tolist() == who.annotators.tolist()
    fold_annotations(both)
    with h5py.File(both, "r+") as file:
        assert file["annotator_names"].asstr()[...].tolist() == ["cleo"]
        file["annotator"][5, 1] = 7
    with pytest.raises(ValueError, match="people that it does not name"):
        read_annotations(both)


@pytest.mark.parametrize(
    ("who", "wrong"),
    [
        ([["ada", ""]], r"texts of shape \(2, 2\)"),
        ([["ada", 1], ["", ""]], "texts of shape"),
        ([["", ""], ["ada", ""]], "not annotated"),
    ],
)
def test_wrong_annotators_are_refused(tmp_path, who, wrong):
    y = np.array([[[1.0, 1.0]] * 2, [[np.nan, np.nan]] * 2])
    X, skeleton = np.zeros((2, 8, 8, 1), dtype=np.uint8), Skeleton(["a", "b"])
    with pytest.raises(ValueError, match=wrong):
        write_annotations(tmp_path / "set.h5", X, y, skeleton=skeleton, annotators=who)


def test_who_changes_a_name_on_a_page_is_still_the_same(path):
    editor = AnnotationEditor(path)
    base = editor.edit([PLACED], by="/page").version - 1
    moved = [[*PLACED[:3], 5.0, 5.0]]
    assert not editor.edit(moved, by="Ann/page", base=base).conflicts
    assert editor.edit([PLACED], by="Ann/other", base=base).conflicts
