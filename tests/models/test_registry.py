import pytest

from skpose.models import (
    ARCHITECTURES,
    LEAP,
    CustomArchitecture,
    StackedDenseNet,
    get_architecture,
)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_name_gives_the_architecture_with_its_defaults(name):
    architecture = get_architecture(name)
    assert type(architecture) is ARCHITECTURES[name]
    assert architecture.get_params() == ARCHITECTURES[name]().get_params()


def test_an_architecture_is_given_back_as_it_is():
    architecture = LEAP(filters=3)
    assert get_architecture(architecture) is architecture


def test_a_function_is_wrapped():
    def network(inputs, n_outputs):
        return inputs

    architecture = get_architecture(network)
    assert isinstance(architecture, CustomArchitecture)
    assert architecture.network is network


def test_an_unknown_name_is_answered_with_the_names_and_the_nearest():
    with pytest.raises(ValueError, match="deeplabcut, leap, .* Did you mean 'stacked_densenet'"):
        get_architecture("StackedDenseNet")
    with pytest.raises(ValueError, match="'zebra'; models are .*hourglass.$"):
        get_architecture("zebra")


@pytest.mark.parametrize("model", [None, 3, StackedDenseNet])
def test_other_types_are_refused(model):
    with pytest.raises(TypeError, match="an architecture such as StackedDenseNet()"):
        get_architecture(model)
