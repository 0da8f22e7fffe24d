import numpy as np
import pytest

from skpose.augment import Augmenter
from skpose.augment._geometric import draw_matrices

GEOMETRY_OFF = {"fliplr": 0, "flipud": 0, "rotation": 0, "scale": 0, "translation": 0, "p": 0}
SIZES = [(40, 40), (40, 56), (57, 41)]


def draw_blobs(keypoints, image_size, n_channels=1, sigma=1.5):
    """One blob an image, at its only keypoint."""
    rows, cols = np.indices(image_size)
    x, y = keypoints[:, 0, :, None, None].swapaxes(0, 1)
    blobs = 250 * np.exp(-((cols - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return np.repeat(np.rint(blobs).astype(np.uint8)[..., None], n_channels, axis=3)


def find_centroids(images):
    weights = images.sum(axis=3, dtype=np.float64)
    rows, cols = np.indices(images.shape[1:3])
    total = weights.sum(axis=(1, 2))
    return np.stack([(weights * a).sum(axis=(1, 2)) / total for a in (cols, rows)], axis=1)


def is_inside(keypoints, image_size, margin=8):
    limit = np.array(image_size[::-1]) - 1 - margin
    return ((keypoints >= margin) & (keypoints <= limit)).all(axis=(1, 2))


def just(**changes):
    return Augmenter(**{**GEOMETRY_OFF, **changes})


@pytest.mark.parametrize("image_size", SIZES)
@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.filterwarnings("ignore:Images are mirrored")
def test_keypoint_stays_on_its_blob(image_size, n_channels):
    rng = np.random.default_rng(0)
    height, width = image_size
    keypoints = rng.uniform([8, 8], [width - 9, height - 9], (600, 1, 2))
    images = draw_blobs(keypoints, image_size, n_channels)
    images, keypoints = Augmenter(shear=15, p=0).augment(images, keypoints, random_state=rng)
    inside = is_inside(keypoints, image_size)
    assert inside.sum() > 200
    errors = np.abs(find_centroids(images[inside]) - keypoints[inside, 0])
    assert errors.max() < 0.05
    assert np.abs(errors.mean(axis=0)).max() < 0.01


@pytest.mark.parametrize("image_size", SIZES)
@pytest.mark.parametrize("mirrors", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("quarter_turns", [0, 2])
@pytest.mark.filterwarnings("ignore:Images are mirrored")
def test_blob_in_every_corner(image_size, mirrors, quarter_turns):
    height, width = image_size
    corners = np.array([[8, 8], [width - 9, 8], [8, height - 9], [width - 9, height - 9]])
    keypoints = np.repeat(corners, 8, axis=0)[:, None].astype(float)
    turn = 90 * quarter_turns
    augmenter = just(
        fliplr=mirrors[0], flipud=mirrors[1], rotation=(turn - 3, turn + 3), scale=(0.8, 0.9)
    )
    images, moved = augmenter.augment(draw_blobs(keypoints, image_size), keypoints, random_state=0)
    assert is_inside(moved, image_size, margin=7).all()
    assert np.abs(find_centroids(images) - moved[:, 0]).max() < 0.05


@pytest.mark.parametrize(
    "mirrors", [{"fliplr": 1}, {"flipud": 1}, {"fliplr": 1, "flipud": 1}], ids=str
)
@pytest.mark.parametrize("n_channels", [1, 3])
def test_mirror_is_exact_and_undone_by_itself(mirrors, n_channels):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 7, 10, n_channels), dtype=np.uint8)
    keypoints = rng.uniform(-2, 12, (3, 4, 2))
    augmenter, swap_index = just(**mirrors), [1, 0, 2, 3]
    once = augmenter.augment(images, keypoints, random_state=0, swap_index=swap_index)
    expected = images[:, :: 1 - 2 * mirrors.get("flipud", 0), :: 1 - 2 * mirrors.get("fliplr", 0)]
    np.testing.assert_array_equal(once[0], expected)
    twice = augmenter.augment(*once, random_state=0, swap_index=swap_index)
    np.testing.assert_array_equal(twice[0], images)
    np.testing.assert_allclose(twice[1], keypoints, atol=1e-12)


def test_mirror_swaps_left_and_right_and_two_mirrors_do_not():
    images = np.zeros((1, 5, 9, 1), dtype=np.uint8)
    keypoints = np.array([[[1.0, 2.0], [7.0, 3.0], [4.0, 0.0]]])
    swap_index = [1, 0, 2]
    _, lr = just(fliplr=1).augment(images, keypoints, random_state=0, swap_index=swap_index)
    assert lr[0].tolist() == [[1, 3], [7, 2], [4, 0]]
    _, ud = just(flipud=1).augment(images, keypoints, random_state=0, swap_index=swap_index)
    assert ud[0].tolist() == [[7, 1], [1, 2], [4, 4]]
    both = just(fliplr=1, flipud=1)
    _, both = both.augment(images, keypoints, random_state=0, swap_index=swap_index)
    assert both[0].tolist() == [[7, 2], [1, 1], [4, 4]]


def test_quarter_turn_is_clockwise():
    images = np.zeros((1, 5, 5, 1), dtype=np.uint8)
    images[0, 0, 1] = 9
    images, keypoints = just(rotation=(90, 90)).augment(images, [[[1, 0]]], random_state=0)
    np.testing.assert_allclose(keypoints, [[[4, 1]]], atol=1e-12)
    assert images[0, 1, 4, 0] == 9
    assert images.sum() == 9


def test_keypoints_outside_keep_their_coordinates():
    images = np.zeros((1, 10, 20, 1), dtype=np.uint8)
    keypoints = [[[19.25, 9.5], [-3.0, 0.0]]]
    _, moved = just(translation=(0.5, 0.5)).augment(images, keypoints, random_state=0)
    assert moved.tolist() == [[[29.25, 14.5], [7.0, 5.0]]]


def test_nan_stays_nan_and_moves_with_its_name():
    images = np.zeros((1, 4, 8, 1), dtype=np.uint8)
    keypoints = [[[np.nan, np.nan], [2.0, 1.0], [np.nan, 3.0]]]
    augmenter = just(fliplr=1, rotation=30)
    _, moved = augmenter.augment(images, keypoints, random_state=0, swap_index=[1, 0, 2])
    assert np.isnan(moved[0]).tolist() == [[False, False], [True, True], [True, True]]


@pytest.mark.parametrize(
    ("border", "row"),
    [
        ("replicate", [1, 1, 1, 2, 3, 4, 5, 6]),
        ("reflect", [3, 2, 1, 2, 3, 4, 5, 6]),
        ("constant", [99, 99, 1, 2, 3, 4, 5, 6]),
    ],
)
@pytest.mark.parametrize("n_channels", [1, 3])
def test_border(border, row, n_channels):
    images = np.repeat(np.arange(1, 9, dtype=np.uint8), n_channels).reshape(1, 1, 8, n_channels)
    augmenter = just(translation=(0.25, 0.25), border=border, border_value=99)
    images, _ = augmenter.augment(np.repeat(images, 8, axis=1), [[[0, 0]]], random_state=0)
    assert (images[0, 3] == np.array(row)[:, None]).all()


def test_matrices_are_drawn_from_the_ranges():
    policy = {
        "fliplr": 0.3,
        "flipud": 0.5,
        "rotation": (-180.0, 180.0),
        "scale": (0.9, 1.1),
        "translation": (-0.05, 0.05),
        "shear": (0.0, 0.0),
    }
    n = 20000
    matrices, is_mirrored = draw_matrices(np.random.default_rng(0), n, (40, 60), policy)
    linear = matrices[:, :, :2]
    determinants = np.linalg.det(linear)
    np.testing.assert_array_equal(determinants < 0, is_mirrored)
    assert is_mirrored.mean() == pytest.approx(0.5, abs=0.015)  # 0.3 * 0.5 + 0.7 * 0.5
    scales = np.sqrt(np.abs(determinants))
    assert (scales.min(), scales.max()) == pytest.approx((0.9, 1.1), abs=1e-3)
    assert scales.mean() == pytest.approx(1, abs=0.002)
    angles = np.rad2deg(np.arctan2(linear[:, 1, 1], linear[:, 0, 1])) % 360
    counts, _ = np.histogram(angles, bins=8, range=(0, 360))
    assert np.abs(counts - n / 8).max() < 5 * np.sqrt(n / 8)
    middle = matrices @ [29.5, 19.5, 1.0] - [29.5, 19.5]
    np.testing.assert_allclose(np.abs(middle).max(axis=0), [3, 2], rtol=1e-3)
    np.testing.assert_allclose(middle.mean(axis=0), 0, atol=0.06)


@pytest.mark.parametrize("n_channels", [1, 3])
def test_input_is_not_changed_and_may_be_read_only_and_strided(n_channels):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 40, 16, n_channels), dtype=np.uint8)
    images = images.swapaxes(1, 2)[::2, :, ::2]
    keypoints = rng.uniform(0, 16, (2, 3, 2))
    images.flags.writeable = keypoints.flags.writeable = False
    before = images.copy(), keypoints.copy()
    result = Augmenter(p=1).augment(images, keypoints, random_state=0, swap_index=[0, 2, 1])
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(keypoints, before[1])
    contiguous = Augmenter(p=1).augment(*before, random_state=0, swap_index=[0, 2, 1])
    np.testing.assert_array_equal(result[0], contiguous[0])


def test_everything_off_gives_equal_copies():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 9, 12, 3), dtype=np.uint8)
    keypoints = rng.uniform(-5, 20, (3, 4, 2))
    new_images, moved = just().augment(images, keypoints, random_state=0)
    np.testing.assert_array_equal(new_images, images)
    np.testing.assert_allclose(moved, keypoints, atol=1e-12)
    assert not np.shares_memory(new_images, images)
    assert not np.shares_memory(moved, keypoints)


def test_no_images():
    images, keypoints = just(fliplr=1).augment(
        np.zeros((0, 4, 5, 1), dtype=np.uint8), np.zeros((0, 2, 2)), random_state=0
    )
    assert (images.shape, keypoints.shape) == ((0, 4, 5, 1), (0, 2, 2))
