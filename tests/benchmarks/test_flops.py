import keras
import pytest

from skpose.models import DeepLabCut, StackedDenseNet


def _count(layer, shape=(8, 6, 4)):
    from _flops import count_gflop

    images = keras.Input((None, None, shape[2]))
    return round(count_gflop(keras.Model(images, layer(images)), shape) * 1e9)


@pytest.mark.parametrize(
    ("layer", "n_multiplications"),
    [
        (keras.layers.Conv2D(5, 3, padding="same"), 8 * 6 * 5 * 9 * 4),
        (keras.layers.Conv2D(5, 3, padding="valid"), 6 * 4 * 5 * 9 * 4),
        (keras.layers.Conv2D(5, 3, strides=2, padding="same"), 4 * 3 * 5 * 9 * 4),
        (keras.layers.Conv2D(6, 3, padding="same", groups=2), 8 * 6 * 6 * 9 * 2),
        (keras.layers.DepthwiseConv2D(3, padding="same"), 8 * 6 * 4 * 9),
        (keras.layers.SeparableConv2D(5, 3, padding="same"), 8 * 6 * (4 * 9 + 4 * 5)),
        (keras.layers.Conv2DTranspose(5, 3, strides=2, padding="same"), 8 * 6 * 4 * 9 * 5),
        (keras.layers.Dense(7), 8 * 6 * 4 * 7),
        (keras.layers.MaxPooling2D(2), 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Layer) else None,
)
def test_a_layer_by_hand(layer, n_multiplications):
    assert _count(layer) == 2 * n_multiplications


def test_nested_networks_count():
    from _flops import count_gflop, count_layers

    inner = keras.Input((None, None, 4))
    inner = keras.Model(inner, keras.layers.Conv2D(2, 1)(inner))
    images = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(images)
    model = keras.Model(images, inner(x))
    by_hand = 2 * (4 * 4 * 4 * 27 + 4 * 4 * 2 * 4)
    assert count_gflop(model, (8, 8, 3)) * 1e9 == pytest.approx(by_hand)
    weights = sum(cost.weight_bytes for cost in count_layers(model, (8, 8, 3)))
    assert weights == 4 * model.count_params()


def test_operations_grow_with_the_area():
    from _flops import count_gflop

    model = StackedDenseNet(1, growth_rate=4, n_transitions=3).build((32, 32, 1), 3)
    assert count_gflop(model, (64, 32, 1)) == pytest.approx(2 * count_gflop(model, (32, 32, 1)))


@pytest.mark.slow
def test_an_encoder_has_the_operations_that_are_published():
    from _flops import count_layers

    # Howard et al. (2018): 300 million multiplications and additions at 224 x 224 with the last
    # halving, which leaves 7 x 7 cells. Without it, what comes behind costs up to four times.
    encoder = keras.applications.MobileNetV2(weights=None, include_top=False)
    flop = sum(cost.flop for cost in count_layers(encoder, (224, 224, 3)))
    assert flop / 2 == pytest.approx(300e6, rel=0.02)
    model = DeepLabCut("mobilenetv2", weights=None).build((224, 224, 3), 4)
    ours = sum(cost.flop for cost in count_layers(model, (224, 224, 3)))
    assert flop < ours < 2 * flop


def test_an_unknown_layer_is_not_left_out():
    with pytest.raises(ValueError, match="EinsumDense, are not known"):
        _count(keras.layers.EinsumDense("abcd,de->abce", output_shape=(None, None, 7)))
