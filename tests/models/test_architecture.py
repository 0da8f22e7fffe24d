"""What holds for every architecture."""

from functools import cache
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
from sklearn.base import clone

from skpose import models
from skpose.models import (
    ARCHITECTURES,
    LEAP,
    DeepLabCut,
    ResidualUNet,
    StackedDenseNet,
    StackedHourglass,
    get_architecture,
    rebuild,
)

TINY = [
    StackedDenseNet(n_stacks=1, growth_rate=3),
    StackedDenseNet(n_stacks=2, growth_rate=3, separable=True),
    StackedHourglass(n_stacks=2, filters=4),
    ResidualUNet(filters=4),
    LEAP(filters=2),
    DeepLabCut("mobilenetv2", weights=None, alpha=0.35),
]
SETTINGS = [(a, factor) for a in TINY[:-1] for factor in a.downsample_factors]


@cache
def built(architecture, n_channels=1):
    return architecture.build((16, 16, n_channels), 2)


def test_keras_is_not_loaded_before_a_network_is_built():
    code = (
        "import sys; from skpose.models import ARCHITECTURES;"
        "sizes = [kind().size_divisor((64, 64, 1)) for kind in ARCHITECTURES.values()];"
        "sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_is_public_and_tested_here(name):
    kind = ARCHITECTURES[name]
    assert getattr(models, kind.__name__) is kind
    assert kind.__name__ in models.__all__
    assert kind in {type(architecture) for architecture in TINY}


def test_every_public_name_can_be_had():
    for name in models.__all__:
        assert getattr(models, name) is not None
    with pytest.raises(AttributeError, match="build_nothing"):
        _ = models.build_nothing


@pytest.mark.parametrize(("architecture", "factor"), SETTINGS)
def test_maps_have_the_size_that_was_asked_for(architecture, factor):
    divisor = architecture.size_divisor((24, 40, 3), factor)
    model = architecture.build((24, 40, 3), 5, factor)
    assert isinstance(model.outputs, list)
    for height, width in [(divisor, divisor), (3 * divisor, 2 * divisor)]:
        shapes = model.compute_output_shape((2, height, width, 3))
        assert set(shapes) == {(2, height >> factor, width >> factor, 5)}


@pytest.mark.slow
@pytest.mark.parametrize("architecture", TINY)
def test_grey_and_colour_images_give_finite_maps(architecture):
    for n_channels in (1, 3):
        model = built(architecture, n_channels)
        images = np.random.default_rng(0).uniform(0, 255, (2, 16, 32, n_channels))
        stride = 2**architecture.default_downsample_factor
        for maps in keras.tree.flatten(model(images.astype("float32"))):
            assert maps.shape == (2, 16 // stride, 32 // stride, 2)
            assert np.isfinite(maps).all()


@pytest.mark.parametrize("architecture", TINY)
def test_layers_have_names_of_their_own(architecture):
    grey, colour = built(architecture), built(architecture, 3)
    names = [layer.name for layer in grey.layers]
    assert names == [layer.name for layer in colour.layers]
    assert names[0] == "images"
    assert grey.output_names == [f"maps_{i}" for i in range(len(grey.outputs))]


@pytest.mark.parametrize("architecture", TINY)
def test_mixed_precision_keeps_the_predicted_maps_in_float32(architecture):
    model = rebuild(
        built(architecture), dtype_policy="mixed_bfloat16", random_state=np.random.default_rng(0)
    )
    maps = keras.tree.flatten(model(np.zeros((1, 16, 16, 1), dtype="float32")))
    *before, last = [keras.backend.standardize_dtype(x.dtype) for x in maps]
    assert last == "float32"
    assert before == ["bfloat16"] * (len(maps) - 1)
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    assert "bfloat16" in {layer.compute_dtype for layer in model.layers}


@pytest.mark.parametrize("architecture", TINY)
def test_clone_and_pickle_keep_the_parameters(architecture):
    for twin in (clone(architecture), pickle.loads(pickle.dumps(architecture))):
        assert twin is not architecture
        assert twin.get_params() == architecture.get_params()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_defaults_are_allowed(name):
    architecture = get_architecture(name)
    assert architecture.default_downsample_factor in architecture.downsample_factors
    assert architecture.size_divisor((64, 64, 1)) >= 4


@pytest.mark.parametrize(
    ("architecture", "factor", "allowed"),
    [
        (StackedDenseNet(), 0, "1, 2 or 3"),
        (StackedDenseNet(pretrained=True), 1, "2 or 3"),
        (StackedHourglass(), 4, "1, 2 or 3"),
        (ResidualUNet(), 0, "1, 2 or 3"),
        (LEAP(), 2, "0"),
        (DeepLabCut(), 1, "2, 3 or 4"),
    ],
)
def test_other_downsample_factors_are_refused(architecture, factor, allowed):
    name = type(architecture).__name__
    for method in (
        lambda: architecture.build((32, 32, 1), 2, factor),
        lambda: architecture.size_divisor((32, 32, 1), factor),
    ):
        with pytest.raises(ValueError, match=f"{name} allows downsample_factor {allowed}, but"):
            method()


@pytest.mark.parametrize(
    "architecture",
    [
        StackedDenseNet(n_stacks=0),
        StackedDenseNet(n_transitions=0),
        StackedDenseNet(compression_factor=1.5),
        StackedHourglass(filters=0),
        ResidualUNet(filters=1),
        LEAP(upsampling="cubic"),
        DeepLabCut("vgg16"),
    ],
)
def test_hyperparameters_are_checked_when_the_network_is_built(architecture):
    with pytest.raises(ValueError, match=f"parameter of {type(architecture).__name__} must be"):
        architecture.build((32, 32, 1), 2)


def test_shapes_that_no_network_takes_are_refused():
    with pytest.raises(ValueError, match="1 or 3 channels"):
        LEAP().build((32, 32, 4), 2)
    with pytest.raises(ValueError, match="n_outputs must be a positive integer, but is 0"):
        LEAP().build((32, 32, 1), 0)
