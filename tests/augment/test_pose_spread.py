import numpy as np
import pytest

from skpose import Skeleton
from skpose.augment import Augmenter
from skpose.preprocessing import ImageResizer

SIZE = (200, 300)
NAMES = ["snout", "left_ear", "right_ear", "tail"]
MOUSE = Skeleton.from_names(NAMES, guess_swaps=True)
ABOVE = np.array([[40, 0], [25, -12], [25, 12], [-40, 0]], dtype=float)  # the snout is right
# From its left, so that what is left lies where what is right does, and the feet below.
ASIDE = np.array([[40, 0], [25, -12], [24, -11], [-40, 20]], dtype=float)


def turn(pose, angles, *, noise=1.0, middle=(150, 100), seed=0):
    rng = np.random.default_rng(seed)
    z = pose[:, 0] + 1j * pose[:, 1]
    z = z * np.exp(1j * np.radians(np.asarray(angles, dtype=float)))[:, None]
    poses = np.stack([z.real, z.imag], axis=-1)
    return poses + rng.normal(0, noise, poses.shape) + middle


def learn(keypoints, skeleton=MOUSE, **parameters):
    images = np.zeros((len(keypoints), *SIZE, 1), dtype=np.uint8)
    return Augmenter(skeleton, **parameters).fit(images, keypoints)


def around(middle, width, n, seed=0):
    return middle + np.random.default_rng(seed).uniform(-width, width, n)


@pytest.mark.parametrize("middle", [0, 90, 178])
@pytest.mark.parametrize("width", [3, 15, 30])
@pytest.mark.parametrize("n", [20, 100])
def test_rotation_covers_where_poses_lie_and_little_more(middle, width, n):
    angles = around(middle, width, n)
    augmenter = learn(turn(ABOVE, angles))
    assert 10 <= augmenter.rotation_ <= 20
    # From the outermost poses it reaches beyond the whole sector, and closes every gap inside.
    assert angles.max() + augmenter.rotation_ >= middle + width + 5
    assert np.diff(np.sort(angles)).max() / 2 + 3 < augmenter.rotation_
    assert f"{n} labelled poses lie within" in augmenter.choice_
    assert "set rotation=180" in augmenter.choice_


def least_distances(angles):
    """Return for each direction how far the nearest of some is, in degrees."""
    directions = np.arange(360)[:, None]
    return np.abs((directions - angles + 180) % 360 - 180).min(axis=1)


@pytest.mark.parametrize("n", [5, 10, 20, 100])
@pytest.mark.parametrize("seed", range(5))
def test_every_direction_is_shown_of_animals_that_turn_all_round(n, seed):
    angles = around(0, 180, n, seed)
    augmenter = learn(turn(ABOVE, angles))
    assert least_distances(angles).max() <= augmenter.rotation_
    assert augmenter.rotation_ <= max(15, least_distances(angles).max() + 20) or n == 5
    assert "many directions, with gaps of up to" in augmenter.choice_


@pytest.mark.parametrize("width", [70, 120])
@pytest.mark.parametrize("seed", range(5))
def test_a_sector_is_covered_and_what_lies_behind_is_not(width, seed):
    angles = around(40, width, 60, seed)
    augmenter = learn(turn(ABOVE, angles))
    inside = np.abs((np.arange(360) - 40 + 180) % 360 - 180) < width
    assert least_distances(angles)[inside].max() < augmenter.rotation_ <= 25
    assert "lie within" in augmenter.choice_


def test_more_labels_need_less_turning():
    rotations = [learn(turn(ABOVE, around(0, 180, n))).rotation_ for n in (5, 10, 20, 60)]
    assert rotations == sorted(rotations, reverse=True)
    assert rotations[-1] <= 20


def test_one_pose_that_lies_across_counts():
    angles = around(0, 5, 100)
    angles[17] = 90
    assert 45 <= learn(turn(ABOVE, angles)).rotation_ < 60


def test_few_labels_are_not_rash():
    # Of five poses, all directions are shown, up to the one opposite to where most are.
    for seed in range(200):
        angles = around(0, 180, 5, seed)
        rotation = learn(turn(ABOVE, angles)).rotation_
        assert least_distances(angles).max() <= rotation
    wide = learn(turn(ABOVE, around(0, 4, 5))).rotation_
    assert learn(turn(ABOVE, around(0, 4, 50))).rotation_ < wide < 60
    for n in (1, 2):
        augmenter = learn(turn(ABOVE, np.zeros(n)))
        assert augmenter.rotation_ == 180
        assert "too few" in augmenter.choice_


def test_missing_keypoints_are_left_out():
    keypoints = turn(ABOVE, around(0, 5, 60))
    is_missing = np.random.default_rng(3).random(keypoints.shape[:2]) < 0.4
    keypoints[is_missing] = np.nan
    assert learn(keypoints).rotation_ < 40


@pytest.mark.parametrize("n_keypoints", [1, 2, 4])
def test_poses_without_a_direction(n_keypoints):
    keypoints = np.full((10, n_keypoints, 2), 7.0)
    names = NAMES[:n_keypoints]
    augmenter = learn(keypoints, Skeleton.from_names(names))
    assert (augmenter.rotation_, augmenter.fliplr_) == (180, 0)


def test_poses_unlike_each_other_have_no_direction():
    keypoints = np.random.default_rng(0).uniform(0, 200, (40, 4, 2))
    assert learn(keypoints).rotation_ == 180


def test_animals_from_above_are_mirrored_as_they_lie():
    upright = learn(turn(ABOVE, around(-90, 5, 40)))
    assert (upright.fliplr_, upright.flipud_) == (0.5, 0)
    lying = learn(turn(ABOVE, around(0, 5, 40)))
    assert (lying.fliplr_, lying.flipud_) == (0, 0.5)
    everywhere = learn(turn(ABOVE, around(0, 180, 40)))
    assert (everywhere.fliplr_, everywhere.flipud_) == (0.5, 0.5)
    without = learn(turn(ABOVE, around(0, 180, 40)), Skeleton.from_names(NAMES))
    assert (without.fliplr_, without.flipud_) == (0, 0)
    assert "mirrored" not in without.choice_


def test_animals_from_one_side_are_not_mirrored():
    augmenter = learn(turn(ASIDE, around(0, 5, 40)))
    assert (augmenter.fliplr_, augmenter.flipud_) == (0, 0)
    assert augmenter.rotation_ < 30


def test_animals_from_either_side_are_mirrored_and_not_turned():
    rightwards = turn(ASIDE, around(0, 5, 40))
    leftwards = turn(ASIDE, around(0, 5, 40, 1), middle=(0, 100), seed=1)[:, MOUSE.swap_index]
    leftwards[..., 0] = 150 - leftwards[..., 0]
    augmenter = learn(np.concatenate([rightwards, leftwards]))
    assert augmenter.rotation_ < 30
    assert (augmenter.fliplr_, augmenter.flipud_) == (0.5, 0)


@pytest.mark.parametrize("seed", range(10))
def test_poses_that_fit_exactly_are_not_mirrored_by_chance(seed):
    angles = np.random.default_rng(seed).normal(0, 8, 50)
    pair = turn(np.array([[40.0, 0], [-40, 0]]), angles, seed=seed)
    assert learn(pair, Skeleton.from_names(["snout", "tail"])).rotation_ < 45
    two_of_four = turn(ABOVE, angles, seed=seed)
    two_of_four[:, 1:3] = np.nan
    augmenter = learn(two_of_four)
    assert (augmenter.fliplr_, augmenter.flipud_) == (0, 0)
    assert augmenter.rotation_ < 45
    same = learn(turn(ASIDE, np.full(20, 10 * seed), noise=0))
    assert (same.fliplr_, same.flipud_, same.rotation_) == (0, 0, 10)


def test_a_skeleton_that_does_not_fit_is_told():
    with pytest.raises(ValueError, match="skeleton must have one entry for each of the 3"):
        learn(turn(ABOVE[:3], np.zeros(5)))


def test_partners_in_two_views_of_a_picture_are_not_mirrored_into_each_other():
    names = [f"{name}_{view}" for view in ("top", "bot") for name in NAMES]
    skeleton = Skeleton.from_names(names, guess_swaps=True)
    swapped = [names[partner] for partner in skeleton.swap_index]
    assert all(a[-3:] == b[-3:] for a, b in zip(names, swapped, strict=True))
    angles = around(0, 5, 40)
    keypoints = np.concatenate(
        [turn(ASIDE, angles, middle=(150, 50)), turn(ABOVE, angles, middle=(150, 150))], axis=1
    )
    augmenter = learn(keypoints, skeleton)
    assert (augmenter.fliplr_, augmenter.flipud_) == (0, 0)


def test_sizes_and_places():
    same = learn(turn(ABOVE, around(0, 5, 40)))
    assert (same.scale_, same.translation_) == (0.1, 0.05)
    rng = np.random.default_rng(0)
    sizes, places = rng.uniform(0.7, 1.4, (40, 1, 1)), rng.uniform(40, 260, (40, 1, 1))
    keypoints = (turn(ABOVE, around(0, 5, 40)) - (150, 100)) * sizes + places * (1, 0) + (0, 100)
    other = learn(keypoints)
    assert other.scale_ == 0.3
    assert other.translation_ == 0.1


def test_what_is_given_is_kept():
    augmenter = learn(turn(ABOVE, around(0, 5, 40)), rotation=(-3, 90), fliplr=0.1, scale=None)
    assert (augmenter.rotation_, augmenter.fliplr_, augmenter.scale_) == ((-3, 90), 0.1, None)
    assert "turned" not in augmenter.choice_
    given = {"fliplr": 0, "flipud": 0, "rotation": 20, "scale": 0.2, "translation": 0}
    assert learn(turn(ABOVE, around(0, 5, 40)), **given).choice_ == ""


def test_labels_are_of_the_users_images():
    keypoints = turn(ABOVE, around(0, 5, 40))
    images = np.zeros((40, *SIZE, 1), dtype=np.uint8)
    small = ImageResizer(image_size=(200, 100)).fit_transform(images)  # a third as wide
    learnt = [Augmenter(MOUSE).fit(X, keypoints) for X in (images, small)]
    assert learnt[0].rotation_ < learnt[1].rotation_  # angles grow where the width shrinks


def test_fit_without_labels_forgets_them():
    keypoints = turn(ABOVE, around(0, 5, 40))
    augmenter = learn(keypoints)
    augmenter.fit(np.zeros((2, *SIZE, 1), dtype=np.uint8))
    assert (augmenter.rotation_, augmenter.fliplr_, augmenter.choice_) == (180, 0.5, "")


def test_bad_labels():
    with pytest.raises(ValueError, match="y"):
        learn(np.zeros((3, 4, 2))).fit(np.zeros((2, *SIZE, 1), dtype=np.uint8), np.zeros((3, 4, 2)))
