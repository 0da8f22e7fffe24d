import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor

from skpose import Skeleton
from skpose.layers import SubpixelMaxima
from skpose.targets import ConfidenceMaps

pytestmark = pytest.mark.backend


@pytest.mark.parametrize("downsample_factor", [0, 1, 2, 3])
@pytest.mark.parametrize("wide", [1, 1.7, 3])
def test_encode_then_decode_returns_the_keypoints(downsample_factor, wide):
    height, width = 61, 83
    rng = np.random.default_rng(0)
    inside = rng.uniform(0, 1, (200, 1, 2)) * [width - 1, height - 1]
    corners = [[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1], [40.3, 60]]
    y = np.concatenate([inside, np.array(corners)[:, None]])
    targets = ConfidenceMaps(
        sigma=wide * 2**downsample_factor,
        downsample_factor=downsample_factor,
        image_size=(height, width),
    ).fit(y)
    decoded = targets.inverse_transform(targets.transform(y))
    np.testing.assert_allclose(decoded, y, atol=0.01)


def test_map_names_follow_the_four_levels():
    skeleton = Skeleton(["head", "thorax", "leg"], ["thorax", "", ""])
    targets = ConfidenceMaps(skeleton=skeleton, image_size=(8, 8)).fit(np.ones((1, 3, 2)))
    assert targets.map_names_ == [
        "head",
        "thorax",
        "leg",
        "segment thorax - head",
        "limb 0",
        "graph",
        "graph and keypoints",
    ]
    assert targets.transform(np.ones((2, 3, 2))).shape == (2, 2, 2, targets.n_maps_)


@pytest.mark.data
@pytest.mark.filterwarnings("ignore:The left/right partners")
def test_fly_has_66_maps_as_in_deepposekit(data_dir):
    skeleton = Skeleton.from_csv(data_dir / "fly" / "skeleton.csv")
    targets = ConfidenceMaps(skeleton=skeleton, image_size=(192, 192)).fit(np.ones((1, 32, 2)))
    assert targets.n_maps_ == 66


def test_use_graph_switches_the_graph_off():
    skeleton = Skeleton(["a", "b"], ["", "a"])
    y = np.ones((1, 2, 2))
    assert ConfidenceMaps(skeleton=skeleton).fit(y).n_maps_ == 6
    assert ConfidenceMaps(skeleton=skeleton, use_graph=False).fit(y).n_maps_ == 2


def test_missing_keypoints_are_nan_or_zero_and_come_back_as_nan():
    skeleton = Skeleton(["a", "b"], ["", "a"])
    y = np.array([[[3.0, 4.0], [np.nan, 2.0]]])
    targets = ConfidenceMaps(skeleton=skeleton, sigma=2, downsample_factor=0, image_size=(8, 8))
    ignored = targets.fit(y).transform(y)
    assert np.isnan(ignored[..., 1:]).all()
    assert np.isfinite(ignored[..., 0]).all()
    zero = targets.set_params(missing="zero").fit(y).transform(y)
    assert not zero[..., [1, 2, 3, 4]].any()
    for maps in (ignored, zero):
        back = targets.inverse_transform(maps)
        np.testing.assert_allclose(back[0, 0], [3, 4], atol=0.01)
        assert np.isnan(back[0, 1]).all()


def test_image_size_is_found_from_the_keypoints():
    targets = ConfidenceMaps().fit(np.array([[[10.0, 3.0]], [[4.0, 20.5]]]))
    assert targets.image_size_ == (22, 11)
    assert targets.map_size_ == (6, 3)


def test_works_as_the_transformer_of_a_transformed_target_regressor():
    y = np.random.default_rng(0).uniform(8, 24, (6, 2, 2))
    regressor = TransformedTargetRegressor(
        _MeanMaps(), transformer=ConfidenceMaps(image_size=(32, 32)), check_inverse=False
    )
    predicted = regressor.fit(np.zeros((6, 1)), y[:1].repeat(6, axis=0)).predict(np.zeros((6, 1)))
    np.testing.assert_allclose(predicted, y[:1].repeat(6, axis=0), atol=0.01)


class _MeanMaps(DummyRegressor):
    def fit(self, X, y, sample_weight=None):
        self.mean_ = y.mean(axis=0)
        return self

    def predict(self, X):
        return np.repeat(self.mean_[None], len(X), axis=0)


def test_clone_keeps_the_parameters():
    targets = ConfidenceMaps(sigma=3.0, missing="zero", skeleton=Skeleton(["a"]))
    assert clone(targets).get_params() == targets.get_params()


@pytest.mark.parametrize(
    ("params", "y", "match"),
    [
        ({"sigma": 1.9}, np.ones((1, 1, 2)), "sigma=1.9 pixels is too small"),
        ({"sigma": -1}, np.ones((1, 1, 2)), "sigma"),
        ({"missing": "drop"}, np.ones((1, 1, 2)), "missing"),
        ({"skeleton": Skeleton(["a", "b"])}, np.ones((1, 1, 2)), "2 bodyparts, but y has 1"),
        ({}, np.ones((1, 2)), r"shape \(n_samples, n_keypoints, 2\)"),
        ({}, np.full((1, 1, 2), np.nan), "image_size"),
        ({}, np.full((1, 1, 2), np.inf), "infinity"),
    ],
)
def test_bad_input_is_refused(params, y, match):
    with pytest.raises(ValueError, match=match):
        ConfidenceMaps(**params).fit(y)


def test_maps_of_another_shape_are_refused():
    targets = ConfidenceMaps(image_size=(8, 8)).fit(np.ones((1, 2, 2)))
    with pytest.raises(ValueError, match="at least 2 maps"):
        targets.inverse_transform(np.ones((1, 2, 2, 1)))


def test_maps_below_zero_have_the_peaks_that_are_predicted_and_flat_ones_none():
    targets = ConfidenceMaps(sigma=3.0, downsample_factor=1, image_size=32)
    targets.fit(np.zeros((1, 3, 2)))
    maps = np.random.default_rng(0).normal(-9, 0.1, (4, 16, 16, 3)).astype(np.float32)
    maps[0, :, :, 0], maps[1, :, :, 1], maps[2, :, :, 2] = 0, -1, np.nan
    y = targets.inverse_transform(maps)
    assert np.argwhere(np.isnan(y[..., 0])).tolist() == [[0, 0], [1, 1], [2, 2]]
    layer = SubpixelMaxima(sigma=3.0, downsample_factor=1)
    peaks = keras.ops.convert_to_numpy(layer(np.nan_to_num(maps)))[..., :2]
    known = ~np.isnan(y)
    np.testing.assert_allclose(y[known], peaks[known], atol=1e-3)
