import numpy as np
import pytest

from skpose.targets._drawing import draw_maps
from skpose.targets._peaks import find_maxima, find_subpixel_maxima


def _distance(peaks, keypoints):
    return np.linalg.norm(peaks[..., :2] - keypoints, axis=-1)


@pytest.mark.parametrize(
    ("size", "sigma", "without_noise", "with_noise"),
    [(48, 1.25, 1e-4, 0.052), (96, 2.5, 1e-4, 0.052), (24, 0.625, 1e-4, 0.053)],
)
def test_error_is_at_the_bound_of_theory(size, sigma, without_noise, with_noise):
    # At noise n, no unbiased method has a mean error below n cells, a little more at small sigma.
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(2, size - 3, (64, 32, 2)).astype(np.float32)
    maps, _ = draw_maps(keypoints, (size, size), sigma=sigma, stride=1)
    peaks = find_subpixel_maxima(maps, sigma=sigma, stride=1)
    assert _distance(peaks, keypoints).mean() < without_noise
    noisy = (maps + rng.normal(0, 0.05, maps.shape)).astype(np.float32)
    peaks = find_subpixel_maxima(noisy, sigma=sigma, stride=1)
    assert _distance(peaks, keypoints).mean() < with_noise


def test_offset_along_each_axis_has_its_sign():
    keypoints = np.array([[[10.3, 20.0], [10.0, 20.3], [9.8, 19.9]]], dtype=np.float32)
    maps, _ = draw_maps(keypoints, (32, 32), sigma=2.0, stride=1)
    peaks = find_subpixel_maxima(maps, sigma=2.0, stride=1)
    np.testing.assert_allclose(peaks[..., :2], keypoints, atol=1e-4)


def test_height_is_the_confidence_and_does_not_move_the_peak():
    keypoints = np.array([[[10.3, 20.4]]], dtype=np.float32)
    maps, _ = draw_maps(keypoints, (32, 32), sigma=2.0, stride=1)
    x, y, confidence = find_subpixel_maxima(0.4 * maps, sigma=2.0, stride=1)[0, 0]
    assert (x, y, confidence) == pytest.approx((10.3, 20.4, 0.4), abs=1e-4)


def test_confidence_stays_within_0_and_1():
    maps = np.zeros((1, 8, 8, 2), dtype=np.float32)
    maps[0, 4, 4] = [3.0, -1.0]
    for find in (find_maxima, lambda m, stride: find_subpixel_maxima(m, sigma=1, stride=stride)):
        confidence = find(maps, stride=1)[..., 2]
        assert confidence.min() >= 0
        assert confidence.max() <= 1


def test_a_flat_map_gives_finite_numbers_inside_the_image():
    peaks = find_subpixel_maxima(np.zeros((1, 6, 9, 1), np.float32), sigma=5.0, stride=4)
    assert np.isfinite(peaks).all()
    assert (peaks[..., 0] <= 4 * 9 - 0.5).all()


def test_window_larger_than_the_map():
    keypoints = np.array([[[1.2, 2.9]]], dtype=np.float32)
    maps, _ = draw_maps(keypoints, (5, 3), sigma=2.0, stride=1)
    peaks = find_subpixel_maxima(maps, sigma=2.0, stride=1)
    np.testing.assert_allclose(peaks[..., :2], keypoints, atol=1e-3)


def test_a_second_lower_peak_is_not_mixed_in():
    keypoints = np.array([[[20.3, 20.0]], [[40.0, 20.0]]], dtype=np.float32)
    maps, _ = draw_maps(keypoints, (48, 48), sigma=2.0, stride=1)
    both = maps[:1] + 0.8 * maps[1:]
    peaks = find_subpixel_maxima(both, sigma=2.0, stride=1)
    np.testing.assert_allclose(peaks[0, 0, :2], keypoints[0, 0], atol=1e-3)


def test_integer_maxima_are_the_centres_of_the_highest_cells():
    maps = np.zeros((1, 4, 6, 1), dtype=np.float32)
    maps[0, 1, 5] = 0.5
    assert find_maxima(maps, stride=8)[0, 0].tolist() == [8 * 5 + 3.5, 8 * 1 + 3.5, 0.5]
