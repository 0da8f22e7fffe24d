import random

import keras
import numpy as np
import pytest

from skpose.models import LEAP, rebuild


@pytest.fixture
def model():
    return LEAP(filters=2).build((16, 16, 1), 2)


def weights_of(model, seed, **options):
    return rebuild(model, random_state=np.random.default_rng(seed), **options).get_weights()


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_equal_generators_give_equal_weights(model):
    twin = LEAP(filters=2).build((16, 16, 1), 2)
    assert equal(weights_of(model, 0), weights_of(twin, 0))
    assert not equal(weights_of(model, 0), weights_of(model, 1))


def test_precision_does_not_change_the_weights(model):
    assert equal(weights_of(model, 0), weights_of(model, 0, dtype_policy="mixed_float16"))


def test_every_initializer_has_a_seed_of_its_own(model):
    new = rebuild(model, random_state=np.random.default_rng(0))
    seeds = [x.kernel_initializer.seed for x in new.layers if hasattr(x, "kernel_initializer")]
    assert len(seeds) == 13
    assert len(set(seeds)) == len(seeds)
    assert {type(seed) for seed in seeds} == {int}


def test_no_global_generator_is_touched(model):
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    rebuild(model, random_state=np.random.default_rng(0))
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1][1])  # noqa: NPY002
    assert keras.config.dtype_policy().name == "float32"


def test_the_original_stays_as_it_is(model):
    before = model.get_weights()
    new = rebuild(model, dtype_policy="mixed_bfloat16", random_state=np.random.default_rng(0))
    assert equal(before, model.get_weights())
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert [x.name for x in new.layers] == [x.name for x in model.layers]
    assert new.output_names == model.output_names


def test_pixels_and_predicted_maps_stay_float32_under_mixed_precision(model):
    new = rebuild(model, dtype_policy="mixed_bfloat16", random_state=np.random.default_rng(0))
    names = {x.name: x.dtype_policy.name for x in new.layers[1:]}
    full = {name for name, policy in names.items() if policy == "float32"}
    assert full == {"normalise", "maps_0"}
    assert set(names.values()) == {"float32", "mixed_bfloat16"}


def test_pretrained_weights_are_copied(model):
    assert equal(weights_of(model, 0, pretrained=True), model.get_weights())


def test_only_the_layers_named_keep_their_weights(model):
    new = rebuild(model, random_state=np.random.default_rng(0), pretrained=["bottom_conv_1"])
    fresh = rebuild(model, random_state=np.random.default_rng(0))
    for layer in model.layers:
        kept = model if layer.name == "bottom_conv_1" else fresh
        assert equal(
            new.get_layer(layer.name).get_weights(), kept.get_layer(layer.name).get_weights()
        )


def test_nested_networks_and_random_layers_are_rebuilt():
    inner_images = keras.Input((None, None, 2))
    x = keras.layers.Conv2D(3, 1, name="inner_conv")(inner_images)
    inner = keras.Model(inner_images, keras.layers.Dropout(0.5, name="drop")(x), name="inner")
    images = keras.Input((None, None, 2))
    nested = keras.Model(images, [keras.layers.Conv2D(1, 1, name="maps")(inner(images))])
    first, second = (
        rebuild(nested, dtype_policy="mixed_bfloat16", random_state=np.random.default_rng(0))
        for _ in range(2)
    )
    assert equal(first.get_weights(), second.get_weights())
    assert first.get_layer("inner") is not inner
    assert first.get_layer("inner").get_layer("inner_conv").compute_dtype == "bfloat16"
    noise = np.ones((1, 4, 4, 2), dtype="float32")
    for training in (False, True):
        maps = [np.array(x(noise, training=training)) for x in (first, second)]
        assert np.array_equal(*maps)


def test_the_output_of_a_nested_network_stays_float32():
    inner_images = keras.Input((None, None, 2))
    inner = keras.Model(inner_images, keras.layers.Conv2D(3, 1, name="maps")(inner_images))
    images = keras.Input((None, None, 2))
    x = keras.layers.Conv2D(2, 1, name="first")(images)
    model = keras.Model(images, [inner(x)])
    new = rebuild(model, dtype_policy="mixed_bfloat16", random_state=np.random.default_rng(0))
    assert new(np.zeros((1, 4, 4, 2), dtype="float32")).dtype == "float32"
    assert new.get_layer("first").compute_dtype == "bfloat16"


def test_a_network_may_end_with_an_operation():
    images = keras.Input((None, None, 2))
    model = keras.Model(images, keras.layers.Conv2D(3, 1, name="conv")(images) * 2)
    new = rebuild(model, dtype_policy="mixed_bfloat16", random_state=np.random.default_rng(0))
    x = np.ones((1, 4, 4, 2), dtype="float32")
    conv = new.get_layer("conv")
    assert conv.compute_dtype == "bfloat16"
    np.testing.assert_array_equal(
        *(keras.ops.cast(maps, "float32") for maps in (new(x), conv(x) * 2))
    )
