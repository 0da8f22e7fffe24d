import keras
import numpy as np
import pytest

from skpose.models import LEAP


def test_parameters_are_as_many_as_in_deepposekit():
    assert LEAP().build((192, 192, 1), 32).count_params() == 2_545_952
    assert "2,545,952" in LEAP.__doc__


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [({"batch_normalization": True}, 2_551_136), ({"upsampling": "bilinear"}, 2_398_368)],
)
def test_options_have_the_parameters_of_deepposekit(parameters, expected):
    assert LEAP(**parameters).build((192, 192, 1), 32).count_params() == expected


def test_keypoints_are_read_at_whole_pixels_of_full_size_maps():
    assert not LEAP.default_subpixel
    assert LEAP.default_downsample_factor == 0
    assert LEAP().size_divisor((192, 192, 1)) == 4


def test_a_cell_sees_a_neighbourhood_and_no_more():
    # Shifting an image by the size divisor shifts its maps, away from the borders.
    model = LEAP(filters=2).build((96, 96, 1), 2)
    image = np.random.default_rng(0).uniform(0, 255, (1, 96, 96, 1)).astype("float32")
    maps, shifted = (np.array(model(x)) for x in (image, np.roll(image, 4, axis=2)))
    assert np.allclose(maps[:, 32:64, 32:60], shifted[:, 32:64, 36:64], atol=1e-5)


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_pooling_is_a_choice(pooling):
    layer = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}[pooling]
    model = LEAP(filters=2, pooling=pooling).build((16, 16, 1), 2)
    assert isinstance(model.get_layer("encoder_0_pool"), layer)


def test_selu_starts_lecun_normal():
    layer = LEAP(filters=2, activation="selu").build((16, 16, 1), 2).get_layer("bottom_conv_0")
    assert isinstance(layer.kernel_initializer, keras.initializers.LecunNormal)
    layer = LEAP(filters=2).build((16, 16, 1), 2).get_layer("bottom_conv_0")
    assert isinstance(layer.kernel_initializer, keras.initializers.GlorotUniform)
