import numpy as np
import pytest

from skpose.models import ResidualUNet


def test_parameters_are_as_many_as_the_docstring_says():
    n_parameters = ResidualUNet().build((192, 192, 1), 66).count_params()
    assert f"{n_parameters:,}" in ResidualUNet.__doc__


def test_channels_double_every_two_levels_up_to_the_most():
    model = ResidualUNet(filters=32, max_filters=96).build((192, 192, 1), 2)
    widths = [model.get_layer(f"encoder_{i}_block_0_add").output.shape[-1] for i in range(5)]
    assert widths == [32, 48, 64, 96, 96]


def test_each_level_has_as_many_blocks_on_both_ways():
    model = ResidualUNet(filters=4, n_blocks=3).build((64, 64, 1), 2)
    names = [layer.name for layer in model.layers if layer.name.endswith("_add")]
    for level in ("encoder_0", "encoder_1", "encoder_2", "decoder_0", "decoder_1"):
        assert sum(name.startswith(f"{level}_block") for name in names) == 3


def test_a_block_starts_close_to_the_identity():
    model = ResidualUNet(filters=16).build((32, 32, 1), 2)
    first, second = (model.get_layer(f"encoder_0_block_0_conv_{i}").kernel for i in range(2))
    assert np.std(second) < 0.5 * np.std(first)


@pytest.mark.parametrize("downsample_factor", [1, 2, 3])
def test_the_front_brings_images_to_the_size_of_the_maps(downsample_factor):
    model = ResidualUNet(filters=4).build((32, 48, 3), 5, downsample_factor)
    size = tuple(side // 2**downsample_factor for side in (32, 48))
    maps = model(np.zeros((2, 32, 48, 3), dtype="float32"))
    assert [tuple(stage.shape) for stage in maps] == [(2, *size, 5)] * 2


def test_both_lists_of_maps_are_linear_in_the_last_layer():
    model = ResidualUNet(filters=4).build((32, 32, 1), 2)
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 1)).astype("float32")
    before = [np.array(maps) for maps in model(images)]
    layer = model.get_layer("maps_1")
    layer.bias.assign(layer.bias - 100.0)
    after = [np.array(maps) for maps in model(images)]
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_allclose(after[1], before[1] - 100.0, atol=1e-3)


def test_the_last_maps_are_independent_of_each_other_where_the_head_is_wide_enough():
    n_outputs, images = 12, np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 1))
    ranks = []
    for head_filters in (5, 64):
        model = ResidualUNet(filters=4, head_filters=head_filters).build((64, 64, 1), n_outputs)
        maps = np.array(model(images.astype("float32"))[-1], dtype=float).reshape(-1, n_outputs)
        ranks.append(np.linalg.matrix_rank(maps, tol=1e-4 * np.linalg.norm(maps, 2)))
    assert ranks[0] <= 5
    assert ranks[1] == n_outputs


def test_size_divisor_follows_the_image():
    assert ResidualUNet().size_divisor((192, 300, 1)) == 64
    assert ResidualUNet(n_transitions=-2).size_divisor((192, 300, 1)) == 32
