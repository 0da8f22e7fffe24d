import numpy as np
import pytest

from skpose.targets._drawing import draw_maps
from skpose.targets._peaks import find_maxima, find_subpixel_maxima

pytestmark = pytest.mark.backend


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


def _blob(centre, sigmas, turn=0.0, size=40):
    """A blob whose axes have two sigmas, turned."""
    rows, columns = np.mgrid[:size, :size]
    x, y = columns - centre[0], rows - centre[1]
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    blob = np.exp(-((along / sigmas[0]) ** 2 + (across / sigmas[1]) ** 2) / 2)
    return blob.astype(np.float32)


def _find(blob, sigma):
    return find_subpixel_maxima(blob[None, :, :, None], sigma=sigma, stride=1)[0, 0]


@pytest.mark.parametrize("place", [(0.2, 12.3), (12.3, 0.2), (38.8, 12.3), (0.1, 38.9)])
def test_height_is_the_confidence_at_the_border_too(place):
    assert _find(0.4 * _blob(place, (2, 2)), sigma=2) == pytest.approx((*place, 0.4), abs=1e-3)


def test_a_blob_much_broader_than_the_gaussian_is_found_nearer_than_its_highest_cell():
    # The surface hardly bends there, so that Newton's own step is not taken.
    offset = _find(_blob((20.4, 18.7), (8, 8)), sigma=2)[:2] - [20.4, 18.7]
    assert (np.abs(offset) < [0.39, 0.29]).all()


def test_an_oblique_blob_is_found_at_its_centre():
    peak = _find(_blob((20.4, 18.7), (4, 1), turn=np.pi / 4), sigma=2)
    np.testing.assert_allclose(peak[:2], [20.4, 18.7], atol=0.01)


def test_where_the_surface_bends_up_the_brighter_side_is_climbed():
    # A bright cell in a ring that is brighter on the right: a saddle, or the bottom of a hollow.
    rows, columns = np.mgrid[:40, :40]
    is_ring = np.abs(np.hypot(columns - 20, rows - 20) - 4) < 0.7
    ring = np.where(is_ring, np.where(columns > 20, 0.9, 0.8), 0).astype(np.float32)
    ring[20, 20] = 1
    x, y, _ = _find(ring, sigma=2)
    assert x > 20.5
    assert y == pytest.approx(20, abs=1e-3)


def test_a_peak_is_within_one_and_a_half_sigma_of_its_highest_cell():
    spike_beside_a_blob = 0.95 * _blob((24, 20), (2, 2))
    spike_beside_a_blob[20, 20] = 1
    x, y, _ = _find(spike_beside_a_blob, sigma=2)
    assert 20 < x <= 23
    assert y == pytest.approx(20, abs=1e-3)


def test_negative_neighbours_do_not_throw_the_peak_away():
    spike = np.zeros((9, 9), dtype=np.float32)
    spike[4, 4], spike[4, 3], spike[3, 4] = 0.5, -0.3, -0.2  # their sum is 0
    np.testing.assert_allclose(_find(spike, sigma=1)[:2], [4, 4], atol=1)


def _match(noise, peak, cell, sigma):
    """What the fit maximises: the product with a Gaussian, by its norm in the cell's window."""
    rows, columns = np.mgrid[: noise.shape[0], : noise.shape[1]]
    reach = np.ceil(2.5 * sigma)
    in_window = np.maximum(np.abs(columns - cell[0]), np.abs(rows - cell[1])) <= reach
    squares = (columns - peak[0]) ** 2 + (rows - peak[1]) ** 2
    gaussian = np.where(in_window, np.exp(-squares / (2 * sigma**2)), 0)
    return (gaussian * noise).sum() / np.linalg.norm(gaussian)


def test_nine_fits_of_ten_match_noise_better_than_the_centre_of_the_highest_cell():
    # It is an ascent; steps without a limit overshoot, and one of eight ends lower.
    noise = np.random.default_rng(0).normal(size=(600, 20, 20, 1)).astype(np.float32)
    cells = find_maxima(noise, stride=1)[:, 0]
    peaks = find_subpixel_maxima(noise, sigma=4, stride=1)[:, 0]
    samples = list(zip(noise[..., 0], peaks, cells, strict=True))
    gained = [_match(n, peak, c, 4) - _match(n, c, c, 4) for n, peak, c in samples]
    assert np.mean(np.array(gained) > -1e-3) > 0.9
