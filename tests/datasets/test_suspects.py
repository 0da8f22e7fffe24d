import warnings

import numpy as np
import pytest

from skpose import Skeleton
from skpose.datasets import find_suspects, make_poses

N = 60
MICE = make_poses(N, image_size=64, random_state=0, return_bunch=True)
NAMES = MICE.skeleton.names


def find(keypoints=None, images=None, **options):
    images = MICE.images if images is None else images
    keypoints = MICE.keypoints if keypoints is None else keypoints
    return find_suspects(images, keypoints, skeleton=MICE.skeleton, **options)


@pytest.fixture
def keypoints():
    return MICE.keypoints.copy()


def test_right_labels_are_not_suspected():
    assert find() == []
    others = make_poses(200, image_size=96, random_state=1, return_bunch=True)
    found = find_suspects(others.images, others.keypoints, skeleton=others.skeleton)
    assert len(found) <= 2  # postures differ


@pytest.mark.parametrize("pair", [("left_ear", "right_ear"), ("left_hindpaw", "right_hindpaw")])
def test_swapped_partners_are_found(keypoints, pair):
    j, k = (NAMES.index(name) for name in pair)
    keypoints[7, [j, k]] = keypoints[7, [k, j]]
    found = find(keypoints)
    (suspect,) = [suspect for suspect in found if suspect.kind == "swapped"]
    assert len(found) <= 2
    assert (suspect.image, suspect.bodyparts) == (7, (j, k))
    assert suspect.message == f"{pair[0]} and {pair[1]} look swapped"


def test_all_partners_swapped(keypoints):
    keypoints[3] = keypoints[3, MICE.skeleton.swap_index]
    found = find(keypoints)
    assert {suspect.image for suspect in found} == {3}
    assert [suspect.kind for suspect in found] == ["swapped"] * 3  # ears, forepaws, hindpaws


def test_a_label_elsewhere_is_found(keypoints):
    away = np.array([1.0, 1.0]) if keypoints[12, 1].mean() > 32 else np.array([62.0, 62.0])
    keypoints[12, 1] = away
    (suspect,) = [s for s in find(keypoints) if s.image == 12]
    assert (suspect.kind, suspect.bodyparts) == ("far", (1,))
    assert suspect.message.startswith("head is far from")


def test_labels_on_one_another_and_outside(keypoints):
    keypoints[5, 4] = keypoints[5, 7]
    keypoints[9, 12] = [70.0, 10.0]
    found = find(keypoints)
    assert ("same_place", 5, (4, 7)) in {(s.kind, s.image, s.bodyparts) for s in found}
    (outside,) = [suspect for suspect in found if suspect.kind == "outside"]
    assert outside.message == "tailtip lies outside, at (70, 10)"


def test_images_that_are_there_twice_or_nearly():
    images = MICE.images.copy()
    images[40] = images[10]
    images[21] = images[20]
    images[21, :3, :3] += 3  # as the next frame of a resting animal
    found = find(images=images)
    assert [(s.kind, s.image, s.other) for s in found] == [
        ("like_image", 21, 20),
        ("same_image", 40, 10),
    ]
    assert found[1].message == "is the same image as 10"
    found = find(images=images, numbers=1000 + np.arange(N))
    assert (found[0].image, found[0].message) == (21, "is nearly the same image as 1020")
    assert (found[1].other, found[1].message) == (10, "is the same image as 1010")


def test_missing_labels_and_few_poses(keypoints):
    keypoints[::2, 3] = np.nan
    keypoints[1] = np.nan
    keypoints[2, 2:] = np.nan
    assert find(keypoints) == []
    few = slice(0, 5)
    keypoints[0, 0] = [60, 60]
    assert [s for s in find(keypoints[few], MICE.images[few]) if s.kind == "far"] == []


def test_a_bodypart_that_is_never_labelled(keypoints):
    keypoints[:, 5] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find(keypoints) == []


def test_a_skeleton_of_one_bodypart():
    images, keypoints = MICE.images, MICE.keypoints[:, :1]
    assert find_suspects(images, keypoints, skeleton=Skeleton(["a"])) == []


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="keypoints"):
        find_suspects(MICE.images, MICE.keypoints, skeleton=Skeleton(["a", "b"]))
    with pytest.raises(ValueError, match="numbers must have shape"):
        find(numbers=[1, 2])
