import keras
import numpy as np
import pytest

from skpose.models._layers import (
    DepthToSpace,
    ImageNetScaling,
    SpaceToDepth,
    normalise_images,
    selu,
)


def test_depth_to_space_fills_each_square_row_by_row():
    cells = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], dtype="float32").reshape(1, 1, 2, 4)
    squares = np.array(DepthToSpace(2)(cells))[0, :, :, 0]
    assert squares.tolist() == [[1, 2, 5, 6], [3, 4, 7, 8]]


@pytest.mark.parametrize("block_size", [2, 3])
def test_space_to_depth_undoes_depth_to_space(block_size):
    images = np.random.default_rng(0).normal(size=(2, 3, 4, 2 * block_size**2)).astype("float32")
    squares = DepthToSpace(block_size)(images)
    assert squares.shape == (2, 3 * block_size, 4 * block_size, 2)
    assert np.array_equal(SpaceToDepth(block_size)(squares), images)


@pytest.mark.parametrize(
    "layer", [DepthToSpace(3), SpaceToDepth(3), ImageNetScaling("torch")], ids=lambda x: x.name
)
def test_a_revived_layer_equals_its_arguments(layer):
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(revived) is type(layer)
    assert revived.get_config() == layer.get_config()


@pytest.mark.parametrize("layer", [DepthToSpace(2), SpaceToDepth(2)])
def test_shapes_of_images_of_any_size_are_inferred(layer):
    shape = layer(keras.Input((None, None, 8))).shape
    assert shape[:3] == (None, None, None)
    assert shape == layer.compute_output_shape((None, None, None, 8))


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_pixels_are_scaled_as_keras_scales_them(mode):
    images = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, 3)).astype("float32")
    expected = keras.applications.imagenet_utils.preprocess_input(images.copy(), mode=mode)
    assert np.allclose(ImageNetScaling(mode)(images), expected, atol=1e-4)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_grey_images_are_colour_images_of_three_equal_channels(mode):
    grey = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, 1)).astype("float32")
    scale = ImageNetScaling(mode)
    assert np.allclose(scale(grey), scale(np.repeat(grey, 3, axis=-1)))
    assert scale(grey).shape == scale.compute_output_shape(grey.shape)


def test_pixels_are_normalised_to_plus_minus_one():
    images = keras.Input((None, None, 1))
    model = keras.Model(images, normalise_images(images))
    pixels = np.array([0, 127.5, 255], dtype="float32").reshape(1, 1, 3, 1)
    assert np.allclose(np.ravel(model(pixels)), [-1, 0, 1], atol=1e-6)


@pytest.mark.parametrize(("dtype", "n_bits"), [("float32", 20), ("bfloat16", 8), ("float16", 11)])
def test_selu_is_exact_to_the_last_bit_or_so_in_any_precision(dtype, n_bits):
    x = np.arange(-4, 4.25, 0.25)  # exact in all of them
    y = selu(keras.ops.cast(x, dtype))
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    exact = 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))
    np.testing.assert_allclose(keras.ops.cast(y, "float32"), exact, rtol=0.5**n_bits)
