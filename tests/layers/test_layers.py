import keras
import numpy as np
import pytest

from skpose.layers import ConfidenceMapDrawing, Maxima, SubpixelMaxima
from skpose.targets import ConfidenceMaps
from skpose.targets._drawing import draw_maps
from skpose.targets._peaks import find_maxima, find_subpixel_maxima

pytestmark = pytest.mark.backend

LAYERS = [
    Maxima(downsample_factor=1, n_keypoints=2),
    SubpixelMaxima(sigma=3.0, downsample_factor=3),
    ConfidenceMapDrawing((17, 9), sigma=2.0, parents=[-1, 0], graph_scale=0.5, missing="zero"),
]


def _maps(size=(21, 33), n_keypoints=3, stride=4, sigma=5.0):
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0, 1, (4, n_keypoints, 2)) * [
        stride * size[1] - 1,
        stride * size[0] - 1,
    ]
    return draw_maps(keypoints.astype(np.float32), size, sigma=sigma, stride=stride)[0]


@pytest.mark.parametrize("size", [(21, 33), (8, 8), (5, 64)])
def test_layers_agree_with_numpy(size):
    maps = _maps(size)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(SubpixelMaxima()(maps)),
        find_subpixel_maxima(maps, sigma=5.0, stride=4),
        atol=1e-3,
    )
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(Maxima()(maps)), find_maxima(maps, stride=4), atol=1e-5
    )


def test_drawing_agrees_with_the_transformer_and_has_nan_where_it_has():
    y = np.random.default_rng(0).uniform(0, 31, (3, 4, 2))
    y[1, 2] = np.nan
    from skpose import Skeleton

    skeleton = Skeleton("abcd", ["", "a", "b", ""])
    targets = ConfidenceMaps(skeleton=skeleton, image_size=(30, 32), graph_scale=0.5).fit(y)
    draw = ConfidenceMapDrawing((30, 32), parents=skeleton.parents, graph_scale=0.5)
    maps = keras.ops.convert_to_numpy(draw(y.astype(np.float32)))
    np.testing.assert_allclose(maps, targets.transform(y), atol=1e-5)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_revived_layer_equals_the_arguments_it_was_given(layer):
    revived = type(layer).from_config(layer.get_config())
    assert revived.get_config() == layer.get_config()
    assert (
        keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(layer)
        ).get_config()
        == layer.get_config()
    )


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_output_shape_is_the_one_that_is_announced(layer):
    inputs = np.ones((2, 3, 2) if isinstance(layer, ConfidenceMapDrawing) else (2, 5, 6, 3))
    if isinstance(layer, ConfidenceMapDrawing):
        inputs = inputs[:, :2]
    outputs = layer(inputs.astype(np.float32))
    assert tuple(outputs.shape) == layer.compute_output_shape(inputs.shape)


@pytest.mark.slow
def test_maps_of_any_size_go_through_one_model():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, SubpixelMaxima()(inputs))
    for size in ((21, 33), (7, 5)):
        maps = _maps(size)
        expected = find_subpixel_maxima(maps, sigma=5.0, stride=4)
        np.testing.assert_allclose(model.predict(maps, verbose=0), expected, atol=1e-3)


def test_half_precision_maps_are_searched_in_full_precision():
    maps = keras.ops.cast(_maps(), "bfloat16")
    assert keras.backend.standardize_dtype(SubpixelMaxima()(maps).dtype) == "float32"


def test_what_one_layer_draws_the_others_find():
    y = np.random.default_rng(0).uniform(0, 63, (3, 5, 2)).astype(np.float32)
    maps = ConfidenceMapDrawing((64, 64), parents=[-1, 0, 1, -1, 3])(y)
    found = keras.ops.convert_to_numpy(SubpixelMaxima(n_keypoints=5)(maps))
    coarse = keras.ops.convert_to_numpy(Maxima(n_keypoints=5)(maps))
    assert np.abs(found[..., :2] - y).max() < 0.01
    assert np.abs(coarse[..., :2] - y).max() <= 2.01


@pytest.mark.parametrize(
    ("parents", "told"),
    [([1, 0], "form a cycle"), ([-1, 2, 1], "form a cycle"), ([5, -1], "below 2")],
)
def test_parents_that_lead_to_no_root_are_refused(parents, told):
    with pytest.raises(ValueError, match=told):
        ConfidenceMapDrawing((4, 4), parents=parents)
