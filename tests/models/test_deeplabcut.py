import keras
import numpy as np
import pytest

from skpose.models import DeepLabCut, rebuild
from skpose.models._encoders import ENCODERS, _hold_stride_16

SMALL = {"encoder": "mobilenetv2", "alpha": 0.35}


def test_smallest_encoder_has_the_parameters_of_deepposekit():
    model = DeepLabCut(weights=None, **SMALL).build((192, 192, 3), 32)
    assert model.count_params() == 502_400
    assert "502,400" in DeepLabCut.__doc__


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        ("resnet50", 23_735_200),
        ("resnet101", 42_805_664),
        ("resnet152", 58_518_432),
        ("mobilenetv2", 2_350_176),
        ("densenet121", 7_111_264),
        ("densenet169", 12_762_720),
        ("densenet201", 18_460_256),
        ("xception", 21_008_968),
        ("efficientnetv2b0", 6_011_504),
        ("convnext_tiny", 27_875_456),
    ],
)
def test_every_encoder_stands_at_a_sixteenth_of_the_image(encoder, expected):
    model = DeepLabCut(encoder, weights=None).build((192, 192, 1), 32)
    assert model.count_params() == expected
    assert f"{expected:,}" in DeepLabCut.__doc__
    assert f'"{encoder}"' in DeepLabCut.__doc__
    images = np.zeros((1, 48, 32, 1), dtype="float32")
    assert model(images).shape == (1, 12, 8, 32)
    features = model.get_layer("encoder")(np.zeros((1, 48, 32, 3), dtype="float32"))
    assert features.shape[:3] == (1, 3, 2)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_decoder_brings_features_to_the_size_of_the_maps(factor):
    model = DeepLabCut(weights=None, **SMALL).build((32, 32, 1), 3, factor)
    n_inputs = {2: 1280 // 4 * 9, 3: 1280 * 9, 4: 1280}[factor]
    assert model.get_layer("maps_0").count_params() == 3 * (n_inputs + 1)
    assert model.compute_output_shape((1, 32, 48, 1)) == [(1, 32 >> factor, 48 >> factor, 3)]


def assert_same_features(application, first):
    """Every other cell, from `first` on, must have the features of the coarser network."""
    network = _hold_stride_16(application)
    network.set_weights(application.get_weights())
    images = np.random.default_rng(0).uniform(-1, 1, (1, 64, 96, 3)).astype("float32")
    coarse, fine = np.array(application(images)), np.array(network(images))
    assert fine.shape[1:3] == (4, 6)
    assert np.allclose(fine[:, first::2, first::2], coarse, atol=1e-5 + 1e-4 * np.abs(coarse).max())


def random_application(name, size=None, **options):
    application = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(size, size, 3), **options
    )
    return rebuild(application, random_state=np.random.default_rng(0))


def test_held_stride_keeps_the_meaning_of_the_weights():
    # Its stride-2 kernels are not centred: the second cell of each pair is the one that they see.
    assert_same_features(random_application("MobileNetV2", alpha=0.35), first=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet50", "DenseNet121", "ConvNeXtTiny"])
def test_held_stride_keeps_the_meaning_of_the_weights_of_large_encoders(name):
    assert_same_features(random_application(name), first=0)


def test_only_the_last_halving_is_left_out():
    application = random_application("MobileNetV2", alpha=0.35)
    network = _hold_stride_16(application)
    changed = [
        old.name
        for old, new in zip(application.layers[1:], network.layers[1:], strict=True)
        if old.get_config() != new.get_config()
    ]
    depthwise = [f"block_{i}_depthwise" for i in (13, 14, 15, 16)]
    assert changed == ["block_13_pad", *depthwise]


@pytest.fixture
def no_download(monkeypatch):
    """Give random weights where those of ImageNet would be downloaded."""
    original = keras.applications.MobileNetV2

    def mobilenet(**options):
        assert options.pop("weights") == "imagenet"
        model = original(weights=None, **options)
        return rebuild(model, random_state=np.random.default_rng(7))

    monkeypatch.setattr(keras.applications, "MobileNetV2", mobilenet)


@pytest.mark.slow
@pytest.mark.usefixtures("no_download")
def test_encoder_starts_from_the_weights_it_came_with():
    architecture = DeepLabCut(**SMALL)
    model = architecture.build((32, 32, 1), 2)
    expected = keras.applications.MobileNetV2(
        include_top=False, weights="imagenet", input_shape=(None, None, 3), alpha=0.35
    ).get_weights()
    names = architecture.encoder_layers(model)
    assert names == ("encoder",)
    new = rebuild(model, random_state=np.random.default_rng(0), pretrained=names)
    for a, b in zip(new.get_layer("encoder").get_weights(), expected, strict=True):
        assert np.array_equal(a, b)
    twin = rebuild(
        architecture.build((32, 32, 1), 2), random_state=np.random.default_rng(0), pretrained=names
    )
    assert np.array_equal(new.get_layer("maps_0").kernel, twin.get_layer("maps_0").kernel)


@pytest.mark.usefixtures("no_download")
def test_a_frozen_encoder_has_no_trainable_weights():
    architecture = DeepLabCut(**SMALL, freeze_encoder=2)
    model = architecture.build((32, 32, 1), 2)
    for name in architecture.encoder_layers(model):
        model.get_layer(name).trainable = False
    assert len(model.trainable_weights) == 2  # kernel and bias of the maps


def test_random_weights_are_not_an_encoder_to_freeze():
    architecture = DeepLabCut(weights=None, **SMALL)
    assert architecture.encoder_layers(architecture.build((32, 32, 1), 2)) == ()


def test_weights_that_are_set_afterwards_are_not_downloaded(monkeypatch):
    fail_to_download(monkeypatch)
    monkeypatch.undo()
    model = DeepLabCut(**SMALL).build((32, 32, 1), 2, load_weights=False)
    assert model.get_layer("encoder").weights


def fail_to_download(monkeypatch, message="URL fetch failure on https://a.org/b/net_no_top.h5: no"):
    def fail(**options):
        raise Exception(message)

    monkeypatch.setattr(keras.applications, "MobileNetV2", fail)


def test_a_failed_download_says_which_file_to_place_where(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    fail_to_download(monkeypatch)
    with pytest.raises(OSError, match="net_no_top.h5 in the folder .*models by hand") as info:
        DeepLabCut(**SMALL).build((32, 32, 1), 2)
    assert str(tmp_path / "models") in str(info.value)
    monkeypatch.delenv("KERAS_HOME")
    with pytest.raises(OSError, match=r"\.keras.models by hand"):
        DeepLabCut(**SMALL).build((32, 32, 1), 2)


def test_other_failures_are_not_disguised(monkeypatch):
    fail_to_download(monkeypatch, "out of memory")
    with pytest.raises(Exception, match="out of memory"):
        DeepLabCut(**SMALL).build((32, 32, 1), 2)


def test_alpha_must_be_one_that_was_trained():
    with pytest.raises(ValueError, match="0.35, 0.5, 0.75, 1.0, 1.3, 1.4, but it is 0.4"):
        DeepLabCut("mobilenetv2", alpha=0.4).build((32, 32, 1), 2)
    with pytest.raises(ValueError, match="width of encoder 'mobilenetv2'.*'resnet50'"):
        DeepLabCut(alpha=0.5).build((32, 32, 1), 2)


def test_scalings_are_those_of_the_applications():
    images = np.random.default_rng(0).uniform(0, 255, (1, 4, 4, 3)).astype("float32")
    modules = {
        "resnet50": keras.applications.resnet50,
        "mobilenetv2": keras.applications.mobilenet_v2,
        "densenet121": keras.applications.densenet,
        "xception": keras.applications.xception,
    }
    for encoder, module in modules.items():
        _, mode = ENCODERS[encoder]
        expected = keras.applications.imagenet_utils.preprocess_input(images.copy(), mode=mode)
        assert np.allclose(module.preprocess_input(images.copy()), expected)
