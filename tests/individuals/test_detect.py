import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skpose.individuals import BlobDetector
from skpose.individuals._detect import otsu
from skpose.preprocessing import ImageBatch


@pytest.fixture
def paths():
    """Positions (n_frames, 2, 2) and angles of two animals that stay apart."""
    t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    one = np.stack([20 + 10 * np.cos(t), 30 + 20 * np.sin(t)], axis=1)
    other = np.stack([60 + 10 * np.sin(t), 30 + 20 * np.cos(t)], axis=1)
    return np.stack([one, other], axis=1), np.stack([t / 2, 1 - t / 2], axis=1)


def _sorted(detections):
    """Positions as (n_frames, 2, 2), the left one first."""
    return detections.sort_values(["frame", "x"])[["x", "y"]].to_numpy().reshape(-1, 2, 2)


@pytest.mark.parametrize(("background", "level"), [(20, 200), (200, 20)])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_positions_axes_and_areas(draw_animals, paths, background, level, n_channels):
    positions, angles = paths
    X = draw_animals(positions, angles, background=background, level=level)
    X = np.repeat(X, n_channels, axis=3)
    detector = BlobDetector(smoothing=0).fit(X)
    assert (detector.background_ == background).all()
    found = detector.detect(X)
    np.testing.assert_array_equal(np.bincount(found["frame"]), 2)
    assert np.abs(_sorted(found) - positions).max() < 0.4  # whole pixels stand for an ellipse
    np.testing.assert_allclose(found["area"], np.pi * 6 * 3, rtol=0.15)
    np.testing.assert_allclose(found["length"], 12, rtol=0.1)
    order = found.sort_values(["frame", "x"])["angle"].to_numpy().reshape(-1, 2)
    off = (order - angles + np.pi / 2) % np.pi - np.pi / 2
    assert np.abs(off).max() < np.deg2rad(8)
    assert detector.area_ == pytest.approx(np.pi * 6 * 3, rel=0.1)


def test_uneven_ground_noise_and_specks_are_not_individuals(draw_animals, paths):
    rng = np.random.default_rng(0)
    ground = np.linspace(20, 120, 80)[None, None, :, None]
    X = draw_animals(*paths, background=0, level=100) + ground + rng.normal(0, 3, (24, 64, 80, 1))
    X[::3, 5:7, 5:7] += 100  # a speck that comes and goes
    found = BlobDetector().fit(X.astype(np.uint8)).detect(X.astype(np.uint8))
    np.testing.assert_array_equal(np.bincount(found["frame"]), 2)
    assert np.abs(_sorted(found) - paths[0]).max() < 0.7


def test_polarity_chooses_bright_or_dark_animals(draw_animals):
    bright = np.column_stack([np.linspace(10, 70, 9), np.full(9, 20.0)])[:, None]
    dark = bright + [0, 20]
    X = draw_animals(bright, background=100, level=200)
    X[draw_animals(dark, background=100, level=0) == 0] = 0
    for polarity, expected in (("bright", bright), ("dark", dark)):
        found = BlobDetector(polarity=polarity).fit(X).detect(X)
        np.testing.assert_allclose(found[["x", "y"]], expected[:, 0], atol=0.4)
    assert len(BlobDetector().fit(X).detect(X)) == 18


def test_animals_that_touch_are_split(draw_animals):
    shift = np.abs(np.arange(-12, 13))[:, None] + 6.5  # they meet head to head, and part
    y = np.linspace(10, 54, 25)[:, None]
    one, other = np.hstack([40 - shift, y]), np.hstack([40 + shift, y])
    positions = np.stack([one, other], axis=1)
    X = draw_animals(positions)
    for i in range(11, 14):
        X[i, int(y[i, 0]) - 1 : int(y[i, 0]) + 2, 38:43] = 200  # a bridge
    assert (np.bincount(BlobDetector().fit(X).detect(X)["frame"]) == 1).any()
    found = BlobDetector(2).fit(X).detect(X)
    np.testing.assert_array_equal(np.bincount(found["frame"]), 2)
    assert np.abs(_sorted(found) - positions).max() < 1.5


def test_the_largest_are_taken_where_the_number_is_known(draw_animals, paths):
    X = draw_animals(*paths)
    X[::3, 60:64, 76:80] = 200
    assert len(BlobDetector(min_area=10).fit(X).detect(X)) == 48 + 8
    assert len(BlobDetector(2, min_area=10).fit(X).detect(X)) == 48


def test_a_missing_animal_is_not_made_up(draw_animals, paths):
    X = draw_animals(*paths)
    X[10] = draw_animals(paths[0][10:11, :1], paths[1][10:11, :1])[0]
    n_found = np.bincount(BlobDetector(2, min_area=40).fit(X).detect(X)["frame"])
    assert n_found.tolist() == [2] * 10 + [1] + [2] * 13


def test_areas_and_thresholds_of_ones_own(draw_animals, paths):
    X = draw_animals(*paths)
    assert len(BlobDetector(max_area=30).fit(X).detect(X)) == 0
    assert len(BlobDetector(threshold=181).fit(X).detect(X)) == 0
    detector = BlobDetector(threshold=100).fit(X)
    assert detector.threshold_ == 100


def test_a_resting_animal_needs_another_quantile(draw_animals):
    X = draw_animals(np.tile([[40.0, 30.0]], (10, 1, 1)))
    X[8:] = 20
    assert len(BlobDetector().fit(X).detect(X[:8])) == 0
    assert len(BlobDetector(quantile=0.1).fit(X).detect(X)) == 8


def test_a_video_without_animals_has_no_detections():
    X = np.full((5, 16, 16, 1), 50, dtype=np.uint8)
    found = BlobDetector(2).fit(X).detect(X)
    assert len(found) == 0
    assert list(found.columns) == ["frame", "x", "y", "angle", "area", "length"]


def test_otsu_divides_two_levels_in_the_middle():
    histogram = np.zeros(256)
    histogram[[10, 50]] = 90, 10
    assert otsu(histogram) == pytest.approx((10 + 49) / 2)
    assert otsu(np.eye(256)[7]) == pytest.approx(127.5)  # one level: nothing to divide


def test_bad_input(draw_animals, paths):
    X = draw_animals(*paths)
    with pytest.raises(NotFittedError):
        BlobDetector().detect(X)
    with pytest.raises(ValueError, match="background has 64 x 80"):
        BlobDetector().fit(X).detect(X[:, :32])
    with pytest.raises(ValueError, match="no frames"):
        BlobDetector().fit(X[:0])
    with pytest.raises(TypeError, match="not an ImageBatch"):
        BlobDetector().fit(ImageBatch(X))
    with pytest.raises(ValueError, match="polarity"):
        BlobDetector(polarity="white").fit(X)
    assert clone(BlobDetector(3, smoothing=2)).get_params()["smoothing"] == 2
