"""The network that is trained, where what it does can be worked out by hand."""

import keras
from keras.ops import convert_to_numpy as to_numpy
import numpy as np
from numpy.testing import assert_allclose
import pytest

from skpose.estimator._network import PoseNetwork
from skpose.layers import ConfidenceMapDrawing, SubpixelMaxima
from skpose.targets import ConfidenceMaps

pytestmark = pytest.mark.backend

IMAGE_SIZE = (16, 24)
SIGMA = 1.5
PARENTS = [-1, 0]


def make_network(network=None, *, divisor=1, pixel_size=1.0, parents=None):
    """A network of two keypoints with a cell a pixel; that draws the maps matters to some only."""
    if network is None:
        inputs = keras.Input((None, None, 1))
        network = keras.Model(inputs, keras.layers.Conv2D(2, 1)(inputs))
    settings = {"sigma": SIGMA, "downsample_factor": 0}
    draw = ConfidenceMapDrawing(IMAGE_SIZE, parents=parents, **settings)
    find = SubpixelMaxima(n_keypoints=2, **settings)
    return PoseNetwork(network, draw, find, divisor=divisor, stride=1, pixel_size=pixel_size)


def draw_maps(y):
    """The maps of keypoints alone, NaN where they are not labelled."""
    targets = ConfidenceMaps(sigma=SIGMA, downsample_factor=0, image_size=IMAGE_SIZE).fit(y)
    return targets.transform(y)


def make_keypoints(n_samples=3):
    """Keypoints of which two are not labelled."""
    y = np.random.default_rng(0).uniform(3, 12, (n_samples, 2, 2)).astype(np.float32)
    y[0, 1] = y[2, 0] = np.nan
    return y


def guess_maps(n_maps=2, n_samples=3):
    shape = (n_samples, *IMAGE_SIZE, n_maps)
    return np.random.default_rng(1).uniform(0, 1, shape).astype(np.float32)


def loss_of(y, *stages, parents=None, sample_weight=None):
    network = make_network(parents=parents)
    stages = [keras.ops.convert_to_tensor(maps) for maps in stages]
    return float(network.compute_loss(y=y, y_pred=stages, sample_weight=sample_weight))


def error_of(y, *stages, pixel_size=1.0, sample_weight=None):
    """The keypoint error of maps whose peaks are at given places."""
    network = make_network(pixel_size=pixel_size)
    maps = [draw_maps(np.asarray(stage, np.float32)) for stage in stages]
    y = keras.ops.convert_to_tensor(np.asarray(y, np.float32))
    result = network.compute_metrics(None, y, maps, sample_weight)
    return float(result["keypoint_error"])


def test_loss_is_the_mean_square_of_maps_of_height_255_summed_over_the_stages():
    y = np.full((1, 2, 2), 8, np.float32)
    maps = draw_maps(y)
    assert loss_of(y, maps) == pytest.approx(0, abs=1e-6)
    assert loss_of(y, maps + 0.1) == pytest.approx(25.5**2, rel=1e-4)
    assert loss_of(y, maps + 0.1, maps - 0.2) == pytest.approx(25.5**2 + 51**2, rel=1e-4)


def test_loss_is_the_mean_over_the_maps_of_labelled_keypoints():
    y, maps = make_keypoints(), guess_maps()
    error = (draw_maps(y) - maps) * 255
    assert np.isnan(error).any(axis=(1, 2)).sum() == 2
    assert loss_of(y, maps) == pytest.approx(np.nanmean(error**2), rel=1e-5)


@pytest.mark.parametrize("parents", [None, PARENTS])
def test_loss_does_not_depend_on_what_is_drawn_for_unlabelled_keypoints(parents):
    y, maps = make_keypoints(), guess_maps(6 if parents else 2)
    expected = loss_of(y, maps, parents=parents)
    other = maps.copy()
    other[0, ..., 1] += 100
    other[2, ..., 0] -= 100
    other[[0, 2], ..., 2:] *= 50  # the segment, the limb and the graphs lack a keypoint
    assert loss_of(y, other, parents=parents) == expected
    other[1] += 0.1
    assert loss_of(y, other, parents=parents) != expected


def test_a_weight_in_the_loss_is_as_good_as_so_many_copies():
    y, maps = make_keypoints(), guess_maps()
    copies = np.repeat(np.arange(3), [1, 3, 2])
    weighted = loss_of(y, maps, sample_weight=np.array([1, 3, 2]))
    assert weighted == pytest.approx(loss_of(y[copies], maps[copies]), rel=1e-5)
    assert weighted != pytest.approx(loss_of(y, maps), rel=1e-3)


def test_loss_of_nothing_labelled_is_0():
    y = np.full((3, 2, 2), np.nan, np.float32)
    assert loss_of(y, guess_maps()) == 0


def test_keypoint_error_is_the_mean_distance_in_pixels_of_the_user():
    y = np.array([[[5, 5], [18, 6]]])
    found = y + [[[3, 4], [0, 0]]]
    assert error_of(y, found) == pytest.approx(2.5, abs=1e-3)
    assert error_of(y, found, pixel_size=4.0) == pytest.approx(10, abs=1e-3)


def test_keypoint_error_is_that_of_the_last_stage():
    y = np.array([[[5, 5], [18, 6]]])
    assert error_of(y, y + [3, 4], y) == pytest.approx(0, abs=1e-3)


def test_keypoint_error_is_weighted_by_sample():
    y = np.array([[[5, 5], [18, 6]]] * 2)
    found = y + np.array([[[3, 4]], [[0, 0]]])
    assert error_of(y, found, sample_weight=np.array([1, 3])) == pytest.approx(1.25, abs=1e-3)


@pytest.mark.parametrize("place", [[-0.6, 8], [23.6, 8], [8, -0.6], [8, 15.6], [np.nan, np.nan]])
def test_keypoints_outside_or_unlabelled_do_not_count_in_the_error(place):
    y = np.array([[[20, 5], place]])
    assert error_of(y, [[[20, 8], [8, 8]]]) == pytest.approx(3, abs=1e-3)


@pytest.mark.parametrize("place", [[-0.4, 8], [23.4, 8], [8, -0.4], [8, 15.4]])
def test_keypoints_on_the_outermost_half_pixel_count_in_the_error(place):
    y = np.array([[[20, 5], place]])
    distance = np.hypot(*(np.subtract(place, [8, 8])))
    assert error_of(y, [[[20, 5], [8, 8]]]) == pytest.approx(distance / 2, abs=1e-3)


def convolve(n_outputs=3, **settings):
    """One convolution with a bias, of grey levels of which that of the padding is 0."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 1))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    settings = {"padding": "same", "bias_initializer": "random_normal", **settings}
    return keras.Model(inputs, keras.layers.Conv2D(n_outputs, 3, **settings)(x))


@pytest.mark.parametrize("size", [(5, 9), (8, 6), (8, 16)])
def test_padding_changes_neither_maps_nor_keypoints(size):
    images = np.random.default_rng(0).integers(0, 256, (4, *size, 1), dtype=np.uint8)
    network = convolve()
    padded, plain = make_network(network, divisor=8), make_network(network)
    maps = to_numpy(padded(images)[-1])
    assert maps.shape == (4, *size, 3)
    assert_allclose(maps, to_numpy(plain(images)[-1]), atol=1e-6)
    found, expected = to_numpy(padded.find_keypoints(images)), plain.find_keypoints(images)
    assert_allclose(found, to_numpy(expected), atol=1e-4)


def test_a_peak_in_the_padding_is_not_found():
    inputs = keras.Input((None, None, 1))
    draw = keras.layers.Conv2D(2, 1, kernel_initializer="ones")  # the grey level itself
    network = make_network(keras.Model(inputs, draw(inputs)), divisor=8)
    image = np.zeros((1, 5, 9, 1), np.uint8)  # darker than the padding
    image[0, 2, 6] = 100
    found = to_numpy(network.find_keypoints(image))
    assert_allclose(found[0, :, :2], [[6, 2]] * 2, atol=0.5)


@pytest.mark.parametrize(
    "settings",
    [{}, {"use_bias": False}, {"dilation_rate": 2}, {"padding": "valid"}],
    ids=lambda settings: ", ".join(settings) or "bias",
)
def test_keypoints_are_found_in_the_maps_of_the_last_stage(settings):
    last = convolve(4, **settings)
    first = keras.layers.Conv2D(4, 1)(last.inputs[0])
    network = make_network(keras.Model(last.inputs, [first, last.outputs[0]]))
    images = np.random.default_rng(0).integers(0, 256, (4, *IMAGE_SIZE, 1), dtype=np.uint8)
    expected = to_numpy(network.find(network(images)[-1]))
    assert_allclose(to_numpy(network.find_keypoints(images)), expected, atol=1e-4)
