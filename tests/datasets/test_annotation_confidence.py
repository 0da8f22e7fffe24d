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
)

NAN = np.nan
IMAGES = np.zeros((2, 8, 8, 1), dtype=np.uint8)
GUESS = [[[1.0, 2.0], [3.0, 4.0]]]


def read(path):
    return read_annotations(path, labelled="all", frames="all")


@pytest.fixture
def path(tmp_path):
    """The second image has guesses, of which one has been corrected since."""
    path = tmp_path / "set.h5"
    write_annotations(path, IMAGES, skeleton=Skeleton(["head", "tail"]))
    update_annotations(
        path, [1], GUESS, annotated=np.array([[False, False]]), confidence=[[0.25, 0.5]]
    )
    fold_annotations(path)
    with h5py.File(path, "r+") as file:
        file["annotated"][1, 0] = True  # as an annotator does that knows nothing of confidences
    return path


def test_a_set_without_guesses_has_no_confidences(tmp_path):
    write_annotations(tmp_path / "set.h5", IMAGES, skeleton=Skeleton(["head"]))
    assert np.isnan(read(tmp_path / "set.h5").confidence).all()
    with h5py.File(tmp_path / "set.h5") as file:
        assert "confidence" not in file


def test_confidence_is_that_of_guesses_alone(path):
    data = read(path)
    np.testing.assert_array_equal(data.confidence, [[NAN, NAN], [NAN, 0.5]])
    assert data.confidence.dtype == np.float32


def test_labels_take_the_confidence_away(path):
    update_annotations(path, [1], GUESS)
    assert np.isnan(read(path).confidence).all()


def test_added_images_have_none(path):
    append_images(path, IMAGES)
    np.testing.assert_array_equal(read(path).confidence[:, 1], [NAN, 0.5, NAN, NAN])


def test_merged_sets_keep_theirs(path):
    other = path.with_name("other.h5")
    write_annotations(other, IMAGES, skeleton=Skeleton(["head", "tail"]))
    merge_annotations([other, path], path.with_name("both.h5"))
    both = read(path.with_name("both.h5"))
    np.testing.assert_array_equal(both.confidence[:, 1], [NAN, NAN, NAN, 0.5])


@pytest.mark.parametrize("confidence", [[[0.5]], [0.5, 0.5], [[0.5, np.inf]]])
def test_wrong_confidence_raises(path, confidence):
    with pytest.raises(ValueError, match="confidence must be"):
        update_annotations(path, [1], GUESS, confidence=confidence)


def test_confidence_of_another_shape_in_the_file_raises(path):
    with h5py.File(path, "r+") as file:
        del file["confidence"]
        file["confidence"] = np.zeros((3, 2))
    with pytest.raises(ValueError, match="'confidence' has shape"):
        read(path)
