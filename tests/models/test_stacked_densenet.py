import keras
import numpy as np
import pytest

from skpose.models import StackedDenseNet


@pytest.mark.parametrize(
    ("image_shape", "n_outputs", "parameters", "expected"),
    [
        ((160, 160, 1), 9, {"n_stacks": 1}, 1_543_454),
        ((160, 160, 1), 32, {"growth_rate": 32}, 1_525_424),
        ((192, 192, 1), 66, {}, 4_673_437),
    ],
)
def test_parameters_are_as_many_as_in_deepposekit(image_shape, n_outputs, parameters, expected):
    model = StackedDenseNet(**parameters).build(image_shape, n_outputs)
    assert model.count_params() == expected
    assert f"{expected:,}" in StackedDenseNet.__doc__


def test_there_are_maps_of_the_front_end_and_of_each_stack():
    for n_stacks in (1, 3):
        model = StackedDenseNet(n_stacks, growth_rate=2).build((16, 16, 1), 4)
        assert len(model.outputs) == n_stacks + 1


def test_each_stage_refines_the_one_before():
    model = StackedDenseNet(growth_rate=2).build((16, 16, 1), 2)
    images = np.random.default_rng(0).uniform(0, 255, (1, 16, 16, 1)).astype("float32")
    before = [np.array(maps) for maps in model(images)]
    layer = model.get_layer("maps_1")
    layer.bias.assign(layer.bias + 1)
    changed = [not np.allclose(a, b) for a, b in zip(before, model(images), strict=True)]
    assert changed == [False, True, True]


def test_activations_keep_their_variance():
    # SELU with LeCun-normal kernels: from variance 1 to variance 1, however many layers.
    model = StackedDenseNet(growth_rate=16, n_stacks=1).build((64, 64, 1), 2)
    noise = np.random.default_rng(0).normal(127.5, 127.5, (1, 64, 64, 1)).astype("float32")
    layer = model.get_layer("stack_1_out_conv")
    features = keras.Model(model.input, layer.output)(noise)
    assert 0.4 < np.std(features) < 2.5


def test_separable_convolutions_start_lecun_normal_over_the_pixels_they_see():
    model = StackedDenseNet(growth_rate=64, n_stacks=1, separable=True).build((16, 16, 1), 2)
    layers = [x for x in model.layers if isinstance(x, keras.layers.SeparableConv2D)]
    kernels = np.concatenate([np.ravel(layer.depthwise_kernel) for layer in layers])
    assert np.isclose(np.std(kernels), 1 / 3, rtol=0.05)  # nine pixels of one channel
    pointwise = layers[0].get_weights()[1]
    assert np.isclose(np.std(pointwise), pointwise.shape[2] ** -0.5, rtol=0.1)


def test_separable_convolutions_take_fewer_parameters():
    plain, separable = (
        StackedDenseNet(n_stacks=1, growth_rate=16, separable=x).build((32, 32, 1), 2)
        for x in (False, True)
    )
    assert separable.count_params() < 0.5 * plain.count_params()


@pytest.mark.parametrize(
    ("compression_factor", "bottleneck_factor", "expected"), [(0.5, 1, 4), (1.0, 2, 8)]
)
def test_factors_scale_the_one_by_one_convolutions(compression_factor, bottleneck_factor, expected):
    model = StackedDenseNet(
        growth_rate=4, compression_factor=compression_factor, bottleneck_factor=bottleneck_factor
    ).build((16, 16, 1), 2)
    assert model.get_layer("front_1_bottleneck").filters == expected
    joined = model.get_layer("front_1_joined").output.shape[-1]
    assert model.get_layer("front_1_down_compress").filters == joined * compression_factor


def test_deep_units_add_at_most_three_growth_rates():
    model = StackedDenseNet(growth_rate=2, n_stacks=1).build((192, 192, 1), 2)
    filters = {x.filters for x in model.layers if x.name.endswith("_conv") and "coder" in x.name}
    assert filters == {4, 6}


def test_size_divisor_follows_the_image():
    architecture = StackedDenseNet()
    assert architecture.size_divisor((192, 300, 1)) == 64
    assert architecture.size_divisor((160, 160, 1)) == 32
    assert StackedDenseNet(n_transitions=4).size_divisor((160, 160, 1)) == 16


@pytest.mark.parametrize(("factor", "expected"), [(2, 4_798_334), (3, 6_257_722)])
@pytest.mark.slow
def test_pretrained_front_end_has_the_parameters_of_deepposekit(factor, expected):
    architecture = StackedDenseNet(pretrained=True)
    model = architecture.build((192, 192, 3), 32, factor, load_weights=False)
    assert model.count_params() == expected
    assert architecture.encoder_layers(model) == ("encoder",)
    assert model.get_layer("encoder").trainable
    shape = (1, 192 >> factor, 192 >> factor, 32)
    assert model.compute_output_shape((1, 192, 192, 3))[-1] == shape
