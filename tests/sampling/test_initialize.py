import h5py
import numpy as np
import pytest

from skpose import Skeleton
from skpose.datasets import (
    change_skeleton,
    read_annotations,
    update_annotations,
    write_annotations,
)
from skpose.sampling import initialize_annotations, iterate_guesses

NAN = np.nan
SKELETON = Skeleton(["head", "tail"])


class Guess:
    """Finds every bodypart at (level of the image, 5), with confidence 0.5."""

    skeleton = SKELETON
    n_keypoints_ = 2

    def __init__(self, meanwhile=lambda: None):
        self.meanwhile = meanwhile

    def predict(self, X, return_confidence=False, batch_size=None):
        level = np.asarray(X)[:, 0, 0, 0].astype(float)
        self.meanwhile()
        keypoints = np.stack([level, np.full(len(X), 5.0)], axis=1)[:, None].repeat(2, axis=1)
        return keypoints, np.full((len(X), 2), 0.5)


@pytest.fixture
def path(tmp_path):
    """Four images: labelled, half labelled, one bodypart looked for in vain, not labelled."""
    path = tmp_path / "set.h5"
    images = np.arange(4, dtype=np.uint8)[:, None, None, None].repeat(8, axis=1).repeat(8, axis=2)
    keypoints = np.full((4, 2, 2), NAN)
    keypoints[0] = [[1, 1], [2, 2]]
    keypoints[1, 0] = [3, 3]
    annotated = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], dtype=bool)
    write_annotations(path, images, keypoints, skeleton=SKELETON, annotated=annotated)
    return path


def test_what_is_not_annotated_becomes_a_guess(path):
    index = initialize_annotations(Guess(), path)
    assert index.tolist() == [1, 2, 3]
    data = read_annotations(path, labelled="all", frames="all")
    expected = [
        [[1, 1], [2, 2]],
        [[3, 3], [1, 5]],
        [[2, 5], [NAN, NAN]],
        [[3, 5], [3, 5]],
    ]
    np.testing.assert_array_equal(data.keypoints, expected)
    np.testing.assert_array_equal(data.confidence, [[NAN, NAN], [NAN, 0.5], [0.5, NAN], [0.5, 0.5]])


def test_labels_and_marks_stay_as_they_are(path):
    before = read_annotations(path, frames="all")
    initialize_annotations(Guess(), path)
    after = read_annotations(path, frames="all")
    for name in ("keypoints", "annotated", "index"):
        np.testing.assert_array_equal(after[name], before[name])
    np.testing.assert_array_equal(np.asarray(after.images), np.asarray(before.images))
    assert after.skeleton == before.skeleton


def test_guesses_are_replaced_by_later_ones(path):
    initialize_annotations(Guess(), path)

    class Better(Guess):
        def predict(self, X, **kwargs):
            keypoints, confidence = super().predict(X, **kwargs)
            return keypoints + 1, confidence + 0.25

    initialize_annotations(Better(), path)
    data = read_annotations(path, labelled="all", frames="all")
    np.testing.assert_array_equal(data.keypoints[3], [[4, 6], [4, 6]])
    np.testing.assert_array_equal(data.confidence[3], [0.75, 0.75])


def test_labels_made_while_the_network_is_at_work_are_kept(path):
    def label():
        update_annotations(path, [3], [[[7, 7], [NAN, NAN]]])

    initialize_annotations(Guess(label), path)
    data = read_annotations(path, labelled="all", frames="all")
    np.testing.assert_array_equal(data.keypoints[3], [[7, 7], [3, 5]])
    np.testing.assert_array_equal(data.annotated[3], [True, False])


def test_a_process_that_stops_on_the_way_changes_nothing(path):
    before = path.read_bytes()

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        initialize_annotations(Guess(stop), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_set_that_is_labelled_is_not_touched(path):
    initialize_annotations(Guess(), path)
    data = read_annotations(path, labelled="all", frames="all")
    update_annotations(path, data.index, data.keypoints, annotated=np.ones((4, 2), dtype=bool))
    before = path.stat().st_mtime_ns
    assert initialize_annotations(Guess(), path).tolist() == []
    assert path.stat().st_mtime_ns == before


def test_other_bodyparts_raise_before_any_work(path):
    other = Guess(lambda: pytest.fail("predicted"))
    other.skeleton = Skeleton(["head", "wing"])
    with pytest.raises(ValueError, match="'wing'"):
        initialize_annotations(other, path)
    other.skeleton, other.n_keypoints_ = None, 3
    with pytest.raises(ValueError, match="finds 3 bodyparts"):
        initialize_annotations(other, path)


def test_another_set_in_its_place_is_not_written_to(path):
    def replace():
        write_annotations(path, np.zeros((1, 8, 8, 1), np.uint8), skeleton=SKELETON, overwrite=True)

    with pytest.raises(ValueError, match="replaced by another set"):
        initialize_annotations(Guess(replace), path)


def test_other_content_of_the_file_stays(path):
    with h5py.File(path, "r+") as file:
        file["notes"] = "mine"
        file.attrs["rig"] = 3
    initialize_annotations(Guess(), path)
    with h5py.File(path) as file:
        assert file["notes"].asstr()[()] == "mine"
        assert file.attrs["rig"] == 3


def test_guesses_come_some_at_a_time_and_are_not_written(path):
    before = path.read_bytes()
    parts = list(iterate_guesses(Guess(), path, batch_size=2))
    assert [index.tolist() for index, _, _ in parts] == [[1, 2], [3]]
    np.testing.assert_array_equal(parts[0][1][:, 0], [[1, 5], [2, 5]])
    np.testing.assert_array_equal(parts[1][2], [[0.5, 0.5]])
    assert path.read_bytes() == before


def test_guesses_of_a_model_that_knows_the_first_bodyparts_only(path):
    change_skeleton(path, Skeleton(["head", "tail", "ear"]))
    parts = list(iterate_guesses(Guess(), path))
    assert [index.tolist() for index, _, _ in parts] == [[0, 1, 2, 3]]
    assert parts[0][1].shape == (4, 2, 2)
    change_skeleton(path, Skeleton(["nose", "tail", "ear"]))
    with pytest.raises(ValueError, match="finds 2 bodyparts"):
        next(iterate_guesses(Guess(), path))
