import numpy as np
import pytest

from skpose.augment import Augmenter, _photometric

OFF = {
    **{"fliplr": 0, "flipud": 0, "rotation": 0, "scale": 0, "translation": 0, "p": 1},
    **{"contrast": 0, "blur": 0, "sharpen": 0, "noise": 0, "dropout": 0, "block_dropout": 0},
}
STEPS = {
    "contrast": (0.6, 0.6),
    "brightness": (20, 20),
    "blur": (1, 1),
    "sharpen": (0.3, 0.3),
    "noise": (10, 10),
    "dropout": (0.1, 0.1),
    "block_dropout": (0.3, 0.3),
}


def grey(value, shape=(200, 200)):
    return np.full(shape, value, dtype=np.uint8)


def augment(images, **changes):
    keypoints = np.zeros((len(images), 1, 2))
    return Augmenter(**{**OFF, **changes}).augment(images, keypoints, random_state=0)[0]


def random_images(n=40, n_channels=1):
    return np.random.default_rng(1).integers(60, 200, (n, 20, 24, n_channels), dtype=np.uint8)


def test_contrast_about_the_middle_grey_saturates():
    image = np.array([[0, 100, 127, 128, 200, 255]], dtype=np.uint8)
    _photometric.change_contrast(image, 2.0, 0.0)
    assert image.tolist() == [[0, 72, 126, 128, 255, 255]]  # 72.5 and 128.5 round to even


def test_brightness_shifts_and_saturates():
    image = np.array([[0, 10, 100, 250]], dtype=np.uint8)
    _photometric.change_contrast(image, 1.0, 20.0)
    assert image.tolist() == [[20, 30, 120, 255]]
    _photometric.change_contrast(image, 1.0, -40.0)
    assert image.tolist() == [[0, 0, 80, 215]]


@pytest.mark.parametrize("sigma", [0.8, 1.5, 3.0])
def test_blur_has_its_standard_deviation(sigma):
    image = grey(0, (41, 41))
    image[20, 20] = 255
    wide = np.kron(image, np.ones((3, 3), dtype=np.uint8))  # enough light for 8 bits
    before = wide.copy()
    _photometric.blur(wide, sigma)
    rows = np.arange(123) - 61.0
    variance = [(im.sum(axis=1) * rows**2).sum() / im.sum() for im in (before, wide)]
    assert np.sqrt(variance[1] - variance[0]) == pytest.approx(sigma, rel=0.06)


def test_sharpen_by_hand():
    image = np.array([[50, 50, 50], [50, 60, 50], [50, 50, 50]], dtype=np.uint8)
    _photometric.sharpen(image, 0.25)
    assert image[1, 1] == 80  # 60 + 0.25 * 8 * 10
    assert image[0, 1] == 45  # the edge is reflected, so 60 is seen twice: 50 - 0.25 * 2 * 10
    flat = grey(77, (5, 5))
    _photometric.sharpen(flat, 0.9)
    assert (flat == 77).all()


def test_sharpen_saturates():
    image = np.array([[0, 0, 0], [0, 200, 0], [0, 0, 0]], dtype=np.uint8)
    _photometric.sharpen(image, 1.0)
    assert image[1, 1] == 255
    assert image[0, 0] == 0


@pytest.mark.parametrize("shape", [(200, 200), (120, 111, 3)])
@pytest.mark.parametrize("sigma", [3.0, 20.0])
def test_noise_is_normal_and_independent(shape, sigma):
    image = grey(128, shape)
    _photometric.add_noise(image, sigma, np.random.default_rng(0))
    noise = image.astype(float) - 128
    n = noise.size
    assert noise.mean() == pytest.approx(0, abs=4 * sigma / np.sqrt(n))
    assert noise.std() == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=4 / np.sqrt(2 * n))
    z = noise / noise.std()
    assert (z**3).mean() == pytest.approx(0, abs=4 * np.sqrt(6 / n))
    assert (z**4).mean() == pytest.approx(3, abs=4 * np.sqrt(24 / n))
    for axis in range(noise.ndim):
        shifted = np.roll(z, 1, axis=axis)
        assert (z * shifted).mean() == pytest.approx(0, abs=4 / np.sqrt(n))


def test_noise_saturates():
    dark, bright = grey(0), grey(255)
    _photometric.add_noise(dark, 10.0, np.random.default_rng(0))
    _photometric.add_noise(bright, 10.0, np.random.default_rng(1))
    expected = 10 / np.sqrt(2 * np.pi)  # the mean of the positive half
    assert dark.mean() == pytest.approx(expected, rel=0.03)
    assert 255 - bright.mean() == pytest.approx(expected, rel=0.03)


def test_noise_differs_between_images():
    images = augment(np.full((2, 60, 60, 1), 128, dtype=np.uint8), noise=(10, 10)).astype(float)
    assert np.corrcoef(images[0].ravel(), images[1].ravel())[0, 1] == pytest.approx(0, abs=0.07)


@pytest.mark.parametrize("probability", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_dropped_pixels(probability, n_channels):
    levels = np.array([0, 10, 20, 200, 210, 220], dtype=np.uint8).reshape(2, 3)[:, :n_channels]
    image = np.repeat(levels, 20000, axis=0).reshape(200, 200, n_channels).squeeze()
    before = image.copy()
    _photometric.drop_pixels(image, probability, np.random.default_rng(0))
    is_dropped = (image != before).reshape(40000, n_channels).all(axis=1)
    assert (image.reshape(40000, n_channels)[is_dropped] == [100, 110, 120][:n_channels]).all()
    assert (image == before).reshape(40000, n_channels)[~is_dropped].all()
    tolerance = 4 * np.sqrt(probability * (1 - probability) / 40000)
    assert is_dropped.mean() == pytest.approx(probability, abs=tolerance)


def test_dropped_blocks_hit_every_place_alike():
    rng, n = np.random.default_rng(0), 4000
    hits = np.zeros((10, 14))
    for _ in range(n):
        image = np.tile(np.uint8([0, 100]), (10, 7))
        _photometric.drop_blocks(image, 0.3, 4, rng)
        hits += image == 50
    assert np.abs(hits / n - 0.3).max() < 5 * np.sqrt(0.3 * 0.7 / n)


def test_dropped_blocks_are_square():
    images = augment(
        np.tile(np.uint8([[0], [100]]), (30, 50, 35, 3)).reshape(30, 50, 70, 3),
        block_dropout=(0.02, 0.02),
        block_size=0.2,
    )
    sizes = {
        (np.ptp(rows) + 1, np.ptp(cols) + 1)
        for rows, cols in (np.nonzero((image == 50).all(axis=2)) for image in images)
        if len(rows) == 100
    }
    assert (10, 10) in sizes  # 0.2 of the shorter side


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("n_channels", [1, 3])
def test_step_is_done_with_probability_p(step, n_channels):
    images = random_images(400, n_channels)
    for p in (0, 0.3, 1):
        is_changed = (augment(images, **{step: STEPS[step], "p": p}) != images).any(axis=(1, 2, 3))
        # A few images of a block_dropout have no block.
        assert is_changed.mean() == pytest.approx(p, abs=0.1)


@pytest.mark.parametrize("step", [step for step in STEPS if step != "brightness"])
@pytest.mark.parametrize("off", [0, None])
def test_step_is_switched_off(step, off):
    images = random_images()
    np.testing.assert_array_equal(augment(images, **{step: off}), images)


def test_image_is_blurred_or_sharpened():
    images = random_images(400)
    spread = images.std(axis=(1, 2, 3))
    changed = augment(images, blur=(1, 1), sharpen=(0.2, 0.2)).std(axis=(1, 2, 3))
    assert (changed > 1.05 * spread).mean() == pytest.approx(0.5, abs=0.1)
    assert (changed < 0.95 * spread).mean() == pytest.approx(0.5, abs=0.1)


def test_sharpening_alone_is_done_with_p_not_half_of_it():
    images = random_images(50)
    assert (augment(images, sharpen=(0.2, 0.2)) != images).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("step", STEPS)
def test_geometry_does_not_depend_on_what_is_done_to_pixels(step):
    images = random_images(10)
    keypoints = np.random.default_rng(0).uniform(0, 20, (10, 3, 2))
    moved = [
        Augmenter(**{step: value}).augment(images, keypoints, random_state=3, swap_index=[0, 1, 2])
        for value in (0, STEPS[step])
    ]
    np.testing.assert_array_equal(moved[0][1], moved[1][1])


def test_other_steps_do_not_depend_on_whether_a_later_one_is_on():
    images = random_images(10)
    plain = augment(images, contrast=0.4, blur=1)
    dropped = augment(images, contrast=0.4, blur=1, dropout=0.1)
    is_kept = dropped == plain
    assert 0.85 < is_kept.mean() < 0.97
    mean = np.rint(plain.mean(axis=(1, 2, 3), keepdims=True))
    np.testing.assert_array_equal(dropped, np.where(is_kept, plain, mean))
