import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone

from skpose.models import CustomArchitecture, get_architecture, rebuild

conv = keras.layers.Conv2D


def strided(inputs, n_outputs):
    x = conv(4, 3, strides=4, padding="same", activation="relu")(inputs)
    return conv(n_outputs, 1)(x)


def unet(inputs, n_outputs):
    """Maps at 1/2, twice; features go down to 1/8."""
    top = conv(4, 3, strides=2, padding="same", activation="relu")(inputs)
    x = keras.layers.MaxPooling2D(4)(top)
    x = keras.layers.UpSampling2D(4)(conv(4, 3, padding="same")(x))
    x = keras.layers.Concatenate()([x, top])
    return [conv(n_outputs, 1, name="early")(top), conv(n_outputs, 1, name="late")(x)]


def ready(n_channels=1, n_outputs=2, size=None, network=unet):
    images = keras.Input((size, size, n_channels))
    return keras.Model(images, network(images, n_outputs))


@pytest.mark.parametrize(
    ("network", "factor", "divisor"), [(strided, 2, 4), (unet, 1, 8), (ready(), 1, 8)]
)
def test_sizes_are_found_out(network, factor, divisor):
    architecture = get_architecture(network)
    assert architecture.default_downsample_factor == factor
    assert architecture.downsample_factors == (factor,)
    assert architecture.size_divisor((20, 20, 1)) == divisor
    model = architecture.build((20, 20, 1), 2)
    assert model.compute_output_shape((1, divisor, 3 * divisor, 1))[-1] == (
        1,
        divisor >> factor,
        3 * divisor >> factor,
        2,
    )


def test_sizes_that_are_stated_are_not_found_out():
    def fail(inputs, n_outputs):
        raise AssertionError

    architecture = CustomArchitecture(fail, downsample_factor=3, divisor=24)
    assert architecture.default_downsample_factor == 3
    assert architecture.size_divisor((20, 20, 1)) == 24


def test_outputs_are_a_list_of_stages():
    assert isinstance(get_architecture(strided).build((16, 16, 3), 5).outputs, list)
    assert get_architecture(unet).build((16, 16, 3), 5).output_names == ["early", "late"]
    assert isinstance(get_architecture(ready(network=strided)).build((16, 16, 1), 2).outputs, list)


def test_a_ready_network_keeps_its_weights_and_a_function_does_not():
    for network, n_kept in [(ready(), 4), (unet, 0)]:
        architecture = get_architecture(network)
        model = architecture.build((16, 16, 1), 2)
        names = architecture.encoder_layers(model)
        assert len(names) == n_kept
        new = rebuild(model, random_state=np.random.default_rng(0), pretrained=names)
        same = [
            np.array_equal(a, b)
            for a, b in zip(new.get_weights(), model.get_weights(), strict=True)
        ]
        assert all(same) == (n_kept > 0)


def test_pretrained_chooses_the_weights_to_keep():
    model = ready()
    assert CustomArchitecture(model, pretrained=False).encoder_layers(model) == ()
    assert CustomArchitecture(model, pretrained=["late"]).encoder_layers(model) == ("late",)
    assert len(CustomArchitecture(unet, pretrained=True).encoder_layers(model)) == 4


def test_training_a_rebuilt_network_leaves_the_users_alone():
    network = ready()
    before = network.get_weights()
    model = get_architecture(network).build((16, 16, 1), 2)
    new = rebuild(model, random_state=np.random.default_rng(0), pretrained=True)
    new.set_weights([weight + 1 for weight in new.get_weights()])
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
def test_clone_and_pickle():
    images = np.random.default_rng(0).uniform(0, 255, (1, 16, 16, 1)).astype("float32")
    architecture = get_architecture(ready())
    expected = architecture.network(images)
    for twin in (clone(architecture), pickle.loads(pickle.dumps(architecture))):
        assert np.allclose(twin.network(images)[1], expected[1])
    assert pickle.loads(pickle.dumps(get_architecture(unet))).network is unet


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="gives 2 maps, but 5 are needed"):
        get_architecture(ready()).build((16, 16, 1), 5)
    with pytest.raises(ValueError, match="takes .*, but must have one input of shape .* 3"):
        get_architecture(ready()).build((16, 16, 3), 2)
    with pytest.raises(ValueError, match="images of any size"):
        CustomArchitecture(ready(size=16), downsample_factor=1).build((16, 16, 1), 2)
    with pytest.raises(
        ValueError, match="maps are 1/4 of the image, so downsample_factor must be 2"
    ):
        CustomArchitecture(strided).build((16, 16, 1), 2, 1)


def test_stages_must_agree_in_size():
    def uneven(inputs, n_outputs):
        return [conv(n_outputs, 1)(inputs), conv(n_outputs, 1, strides=2)(inputs)]

    with pytest.raises(ValueError, match=r"\[128, 256\] cells. All stages must have one size"):
        get_architecture(uneven).build((16, 16, 1), 2)


def test_maps_must_be_a_power_of_two_smaller():
    def third(inputs, n_outputs):
        return conv(n_outputs, 3, strides=3, padding="same")(inputs)

    with pytest.raises(ValueError, match="1, 1/2, 1/4"):
        _ = get_architecture(third).default_downsample_factor
