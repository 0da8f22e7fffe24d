import pytest

from skpose.models._sizes import count_transitions


@pytest.mark.parametrize(
    ("size", "expected"), [(192, 6), (191, 5), (160, 5), (96, 5), (95, 4), (48, 4), (32, 3), (3, 3)]
)
def test_smaller_side_keeps_at_least_three_cells(size, expected):
    assert count_transitions((size, 1000, 1), -1, 2) == expected
    assert count_transitions((1000, size, 3), -1, 2) == expected


def test_further_negative_numbers_take_fewer():
    assert [count_transitions((192, 192, 1), -i, 2) for i in (1, 2, 3, 4, 5, 9)] == [
        6,
        5,
        4,
        3,
        3,
        3,
    ]


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_network_goes_on_below_the_size_of_its_maps(factor):
    assert count_transitions((8, 8, 1), -1, factor) == factor + 1
    with pytest.raises(ValueError, match=f"must exceed downsample_factor={factor}"):
        count_transitions((64, 64, 1), factor, factor)


def test_images_are_not_halved_below_one_cell():
    assert count_transitions((32, 64, 1), 5, 2) == 5
    with pytest.raises(ValueError, match="divides the sides by 64, but images are 32 x 64"):
        count_transitions((32, 64, 1), 6, 2)
    assert count_transitions((None, None, 1), 6, 2) == 6
