import numpy as np
import pytest

from skpose.models import StackedHourglass


@pytest.mark.parametrize(
    ("filters", "expected"), [(64, 530_688), pytest.param(256, 7_860_672, marks=pytest.mark.slow)]
)
def test_parameters_are_as_many_as_in_deepposekit(filters, expected):
    model = StackedHourglass(filters=filters).build((192, 192, 1), 32)
    assert model.count_params() == expected
    assert f"{expected:,}" in StackedHourglass.__doc__


def test_there_are_maps_of_each_stack():
    for n_stacks in (1, 3):
        model = StackedHourglass(n_stacks=n_stacks, filters=2).build((16, 16, 1), 4)
        assert len(model.outputs) == n_stacks


def test_maps_go_back_into_the_next_stack():
    model = StackedHourglass(filters=4).build((16, 16, 1), 2)
    images = np.random.default_rng(0).uniform(0, 255, (1, 16, 16, 1)).astype("float32")
    before = [np.array(maps) for maps in model(images)]
    layer = model.get_layer("maps_0")
    layer.bias.assign(layer.bias + np.array([1.0, -1.0]))
    changed = [not np.allclose(a, b) for a, b in zip(before, model(images), strict=True)]
    assert changed == [True, True]


def test_bottleneck_factor_narrows_the_blocks():
    model = StackedHourglass(n_stacks=1, filters=8, bottleneck_factor=4).build((16, 16, 1), 2)
    assert model.get_layer("front_1_conv").filters == 2
    assert model.get_layer("front_1_widen").filters == 8


def test_size_divisor_follows_the_image():
    assert StackedHourglass().size_divisor((192, 300, 1)) == 64
    assert StackedHourglass(n_transitions=-2).size_divisor((192, 300, 1)) == 32
