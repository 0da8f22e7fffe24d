import json
from pathlib import Path

import h5py
import keras
import numpy as np
from numpy.testing import assert_array_equal
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline

import skpose
from skpose import PoseEstimator, Skeleton
from skpose.baseline import MeanPoseRegressor
from skpose.datasets import make_poses
from skpose.models import Architecture, ResidualUNet
from skpose.preprocessing import ImageResizer
from skpose.saving import register
from skpose.saving._file import digest


class Box(BaseEstimator):
    """Holds anything, as a parameter and as something learnt."""

    def __init__(self, value=None):
        self.value = value

    def fit(self, X=None, y=None):
        self.learnt_ = self.value
        return self


class Inverter(TransformerMixin, BaseEstimator):
    """A transformer that nobody registered."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 255 - np.asarray(X)

    def __sklearn_is_fitted__(self):
        return True


register("test_saving")(Box)


@pytest.fixture(scope="module")
def poses():
    return make_poses(8, image_size=32, random_state=0, return_bunch=True)


def fit_small(poses, **params):
    params = {"model": ResidualUNet(4), "max_epochs": 1, "random_state": 0, **params}
    return PoseEstimator(**params).fit(poses.images, poses.keypoints)


@pytest.fixture(scope="module")
def fitted(poses):
    return fit_small(poses, skeleton=poses.skeleton)


VALUES = [
    None,
    True,
    -3,
    0.1,
    float("inf"),
    "naïve",
    [1, [2.5, "a"], []],
    (1, (2, ("b",)), ()),
    {"a": (1, 2), 3: None, (1, 2): {}},
    b"\x00\xff",
    Path("a") / "b.h5",
    np.float32(0.1),
    np.int64(2**62),
    np.str_("é"),
    np.arange(6, dtype=np.int16).reshape(2, 3),
    np.array([np.nan, 1.0]),
    np.array([], dtype=bool),
    np.array([["a", "é"], ["", "ccc"]]),
    np.array(3.5),
    Skeleton(["a", "b"], ["", "a"]),
    {"nested": [{"array": np.zeros(2)}, Skeleton(["c"])]},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_saved_comes_back_equal_and_of_the_same_type(value, tmp_path):
    skpose.save(Box(value).fit(), tmp_path / "box")
    box = skpose.load(tmp_path / "box")
    for found in (box.value, box.learnt_):
        assert type(found) is type(value)
        np.testing.assert_equal(found, value)


def test_a_random_state_goes_on_where_it_was(tmp_path):
    random = np.random.RandomState(3)
    random.normal(size=5)
    skpose.save(Box(random).fit(), tmp_path / "box")
    assert_array_equal(skpose.load(tmp_path / "box").value.normal(size=4), random.normal(size=4))


def test_estimators_nest(tmp_path):
    skpose.save(Box([("a", Box((Box(np.ones(3)), 2)))]).fit(), tmp_path / "box")
    ((name, inner),) = skpose.load(tmp_path / "box").value
    assert name == "a"
    assert_array_equal(inner.value[0].value, np.ones(3))


@pytest.mark.slow
def test_a_pipeline_is_saved_as_one_file(fitted, poses, tmp_path):
    pipeline = Pipeline([("resize", ImageResizer(scale=0.5)), ("none", None), ("pose", fitted)])
    skpose.save(pipeline, tmp_path / "m")
    loaded = skpose.load(tmp_path / "m")
    large = np.repeat(np.repeat(poses.images, 2, axis=1), 2, axis=2)
    assert_array_equal(loaded.predict(large), pipeline.predict(large))
    assert repr(loaded) == repr(pipeline)


@pytest.mark.parametrize("wrap", [FrozenEstimator, lambda estimator: make_pipeline(estimator)])
def test_estimators_around_an_estimator_are_saved(fitted, poses, tmp_path, wrap):
    skpose.save(wrap(fitted), tmp_path / "m")
    loaded = skpose.load(tmp_path / "m")
    assert type(loaded) is type(wrap(fitted))
    assert_array_equal(loaded.predict(poses.images), fitted.predict(poses.images))


def test_every_estimator_of_skpose_is_saved(poses, tmp_path):
    mean = MeanPoseRegressor().fit(poses.images, poses.keypoints)
    skpose.save(mean, tmp_path / "m")
    assert_array_equal(skpose.load(tmp_path / "m").pose_, mean.pose_)


@pytest.mark.slow
def test_an_exported_estimator_is_saved_with_its_network(fitted, poses, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    fitted.export(tmp_path / "m.onnx")
    pipeline = make_pipeline(ImageResizer(scale=1), skpose.load(tmp_path / "m.onnx"))
    expected = pipeline.predict(poses.images)
    skpose.save(pipeline, tmp_path / "m.skpose")
    (tmp_path / "m.onnx").unlink()
    assert_array_equal(skpose.load(tmp_path / "m.skpose").predict(poses.images), expected)


def test_a_search_is_refused_with_what_to_save(fitted, tmp_path):
    search = GridSearchCV(fitted, {"max_epochs": [1]})
    with pytest.raises(TypeError, match="GridSearchCV cannot be saved.*best_estimator_"):
        skpose.save(search, tmp_path / "m")


def test_a_class_that_is_not_registered_is_refused(tmp_path):
    with pytest.raises(TypeError, match="Inverter cannot be saved.*register"):
        skpose.save(Inverter(), tmp_path / "m")


def test_a_step_that_is_not_registered_is_given_when_loading(fitted, poses, tmp_path):
    pipeline = Pipeline([("invert", Inverter()), ("pose", fitted)])
    with pytest.warns(UserWarning, match=r"custom_objects=\{'invert': ...\}"):
        skpose.save(pipeline, tmp_path / "m")
    with pytest.raises(ValueError, match=r"does not hold the invert.*\{'invert': ...\}"):
        skpose.load(tmp_path / "m")
    loaded = skpose.load(tmp_path / "m", custom_objects={"invert": Inverter()})
    assert_array_equal(loaded.predict(poses.images), pipeline.predict(poses.images))


def one_convolution(inputs, n_outputs):
    import keras

    return keras.layers.Conv2D(n_outputs, 3, strides=4, padding="same")(inputs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:A model file cannot hold")
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_a_network_of_the_users_own_is_given_when_loading(poses, tmp_path, in_pipeline):
    estimator = fit_small(poses, model=one_convolution)
    saved = make_pipeline(ImageResizer(scale=1), estimator) if in_pipeline else estimator
    name = "poseestimator__model" if in_pipeline else "model"
    skpose.save(saved, tmp_path / "m")
    with pytest.raises(ValueError, match=f"does not hold the {name}"):
        skpose.load(tmp_path / "m")
    loaded = skpose.load(tmp_path / "m", custom_objects={name: one_convolution})
    assert_array_equal(loaded.predict(poses.images), saved.predict(poses.images))


def test_a_custom_object_that_is_no_parameter_is_refused(fitted, tmp_path):
    skpose.save(fitted, tmp_path / "m")
    with pytest.raises(ValueError, match="'modle', which is no parameter of .* PoseEstimator"):
        skpose.load(tmp_path / "m", custom_objects={"modle": "leap"})
    assert skpose.load(tmp_path / "m", custom_objects={"callbacks": [], "tol": 3.0}).tol == 3.0


def test_a_file_is_not_replaced_unasked(fitted, tmp_path):
    path = tmp_path / "m"
    skpose.save(fitted, path)
    content = path.read_bytes()
    for save in (fitted.save, lambda path: skpose.save(fitted, path)):
        with pytest.raises(FileExistsError, match="overwrite=True"):
            save(path)
    assert path.read_bytes() == content
    fitted.save(path, overwrite=True)


def test_what_is_not_fitted_is_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        skpose.save(PoseEstimator(), tmp_path / "m")
    assert not (tmp_path / "m").exists()


def replace_header(path, change):
    with h5py.File(path, "r+") as file:
        header = change(json.loads(file["header"][()]))
        del file["header"]
        file["header"] = json.dumps(header)
        file.attrs["digest"] = digest(file)


@pytest.mark.parametrize(
    "name",
    [
        "os>system",
        "subprocess>Popen",
        "skpose.__main__>main",
        "skpose.cli>main",
        "skpose.datasets>read_coco",
        "skpose.saving._tree>_Encoder",
        "sklearn.pipeline>FeatureUnion",
        "sklearn.svm>SVC",
        "skpose.preprocessing>ImageBatch",
        "nobody>Box",
        "",
    ],
)
def test_a_file_cannot_name_any_other_class(name, tmp_path):
    skpose.save(Box().fit(), tmp_path / "m")
    replace_header(tmp_path / "m", lambda header: {**header, "estimator": name})
    with pytest.raises(ValueError, match=f"'{name}', which is not known.*register"):
        skpose.load(tmp_path / "m")


@pytest.mark.parametrize(
    "optimizer",
    [
        {"class_name": "deserialize", "config": {}},
        {"class_name": "Optimizer.__init__", "config": {}},
        {"class_name": "SGD", "config": {"learning_rate": {"class_name": "Lambda", "config": {}}}},
    ],
)
def test_a_file_names_optimizers_and_schedules_of_keras_only(optimizer, tmp_path):
    skpose.save(Box().fit(), tmp_path / "m")
    change = {"params": {"value": {"keras_optimizer": optimizer}}}
    replace_header(tmp_path / "m", lambda header: {**header, **change})
    with pytest.raises(ValueError, match="It names the (optimizer|schedule) .* which Keras lacks"):
        skpose.load(tmp_path / "m")


def test_optimizers_with_schedules_are_saved(tmp_path):
    import keras

    rate = keras.optimizers.schedules.CosineDecay(0.1, 50)
    skpose.save(Box(keras.optimizers.Adam(rate)).fit(), tmp_path / "m")
    optimizer = skpose.load(tmp_path / "m").value
    assert optimizer.get_config()["learning_rate"]["config"] == rate.get_config()


@pytest.mark.parametrize(
    "tree",
    [
        {},
        [],
        3,
        {"estimator": "test_saving>Box"},
        {"estimator": "test_saving>Box", "params": {"value": {"unknown": 1}}, "learnt": {}},
        {"estimator": "test_saving>Box", "params": {"value": {"array": 7}}, "learnt": {}},
        {"estimator": "test_saving>Box", "params": {"newer": 1}, "learnt": {}},
    ],
)
def test_a_tree_that_makes_no_sense_is_refused(tree, tmp_path):
    skpose.save(Box().fit(), tmp_path / "m")
    replace_header(tmp_path / "m", lambda _: tree)
    with pytest.raises(ValueError, match=str(tmp_path / "m")):
        skpose.load(tmp_path / "m")


@pytest.mark.parametrize(
    "value",
    [{1, 2}, object(), np.array([None]), np.ma.masked_equal([1, 2], 1), np.random.default_rng(0)],
    ids=lambda value: type(value).__name__,
)
def test_what_a_class_has_learnt_is_not_lost_in_silence(value, tmp_path):
    box = Box().fit()
    box.learnt_ = value
    with pytest.raises(TypeError, match="Box cannot be saved.* its attribute learnt_"):
        skpose.save(box, tmp_path / "m")
    with pytest.warns(UserWarning, match="cannot hold the value"):
        skpose.save(fitted_with(value), tmp_path / "m")
    with pytest.raises(ValueError, match="does not hold the value"):
        skpose.load(tmp_path / "m")
    assert skpose.load(tmp_path / "m", custom_objects={"value": 3}).value == 3


def fitted_with(value):
    box = Box(value)
    box.learnt_ = 1
    return box


class OwnOptimizer(keras.optimizers.SGD):
    pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:A model file cannot hold")
@pytest.mark.parametrize("own", ["optimizer", "schedule"])
def test_an_optimizer_of_the_users_own_is_given_when_loading(poses, tmp_path, own):
    @keras.saving.register_keras_serializable("test_saving")
    class OwnSchedule(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 1e-6

        def get_config(self):
            return {}

    make = {
        "optimizer": lambda: OwnOptimizer(1e-6),
        "schedule": lambda: keras.optimizers.SGD(OwnSchedule()),
    }[own]
    fit_small(poses, optimizer=make()).save(tmp_path / "m")
    with pytest.raises(ValueError, match="does not hold the optimizer"):
        skpose.load(tmp_path / "m")
    loaded = skpose.load(tmp_path / "m", custom_objects={"optimizer": make()})
    assert loaded.partial_fit(poses.images, poses.keypoints).n_iter_ == 2


def test_an_optimizer_around_another_makes_optimizers_only(tmp_path):
    inner = {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/x"}}
    optimizer = {"class_name": "LossScaleOptimizer", "config": {"inner_optimizer": inner}}
    skpose.save(Box().fit(), tmp_path / "m")
    change = {"params": {"value": {"keras_optimizer": optimizer}}}
    replace_header(tmp_path / "m", lambda header: {**header, **change})
    with pytest.raises(ValueError, match="the optimizer 'StringLookup', which Keras lacks"):
        skpose.load(tmp_path / "m")
    own = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.02))
    skpose.save(Box(own).fit(), tmp_path / "m", overwrite=True)
    loaded = skpose.load(tmp_path / "m").value
    assert type(loaded.inner_optimizer) is keras.optimizers.Adam


def test_a_pipeline_does_not_take_its_memory_from_a_file(fitted, tmp_path):
    pipeline = Pipeline([("pose", fitted)], memory=str(tmp_path / "cache"))
    skpose.save(pipeline, tmp_path / "m")
    assert skpose.load(tmp_path / "m").memory is None
    change = {"memory": str(tmp_path / "cache")}
    replace_header(
        tmp_path / "m", lambda header: {**header, "params": {**header["params"], **change}}
    )
    assert skpose.load(tmp_path / "m").memory is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:A model file cannot hold")
def test_an_augmenter_that_a_file_cannot_hold_is_not_needed_to_predict(poses, tmp_path):
    imgaug = pytest.importorskip("skpose.augment").ImgaugAugmenter
    from skpose.augment._imgaug import import_imgaug

    augmenter = imgaug(import_imgaug().augmenters.Fliplr(0.5), skeleton=poses.skeleton)
    estimator = fit_small(poses, augmenter=augmenter, skeleton=poses.skeleton)
    estimator.save(tmp_path / "m")
    loaded = skpose.load(tmp_path / "m")
    assert loaded.augmenter is None
    assert_array_equal(loaded.predict(poses.images), estimator.predict(poses.images))


@register("test_saving")
class Headed(Architecture):
    """A network with a part that a file cannot hold."""

    def __init__(self, head=None, width=2):
        self.head = head
        self.width = width

    def _build(self, image_shape, n_outputs, downsample_factor, load_weights):
        images = keras.Input((None, None, image_shape[2]))
        x = keras.layers.Conv2D(self.width, 3, strides=4, padding="same", name="x")(images)
        x = keras.layers.Activation(self.head or "linear", name="head")(x)
        return keras.Model(images, [keras.layers.Conv2D(n_outputs, 1, name="maps")(x)])

    def _size_divisor(self, image_shape, downsample_factor):
        return 4


@keras.saving.register_keras_serializable("test_saving")
def squared(x):
    return x * x


@pytest.mark.slow
def test_a_network_that_is_not_all_there_is_taken_from_the_parameter(poses, tmp_path):
    estimator = fit_small(poses, model=Headed(squared))
    with pytest.warns(UserWarning, match="cannot hold the model__head"):
        estimator.save(tmp_path / "m")
    loaded = skpose.load(tmp_path / "m", custom_objects={"model__head": squared})
    assert loaded.architecture_.head is squared
    assert_array_equal(loaded.predict(poses.images), estimator.predict(poses.images))


def test_only_estimators_can_be_registered():
    with pytest.raises(TypeError, match="Only classes of scikit-learn estimators"):
        register("mine")(dict)
    for package in ("skpose", "sklearn.pipeline", "a>b"):
        with pytest.raises(ValueError, match="package must be a name of your own"):
            register(package)


def write_format_1(estimator, path):
    """Write a file as the first version did: a PoseEstimator, its arrays in named groups."""
    state = estimator.__getstate__()["_trained"]
    params = estimator.get_params(deep=False)
    architecture = {"class": "ResidualUNet", "params": estimator.architecture_.get_params()}
    targets = estimator.targets_.get_params()
    targets["skeleton"] = {"skeleton": estimator.skeleton.to_dict()}
    targets["image_size"] = {"tuple": list(targets["image_size"])}
    header = {
        "params": {**params, "model": architecture, "skeleton": targets["skeleton"]},
        "architecture": architecture,
        "targets": {"class": "ConfidenceMaps", "params": targets},
        "image_shape": list(estimator.image_shape_),
        "fitted": {
            "n_keypoints_": estimator.n_keypoints_,
            "n_iter_": estimator.n_iter_,
            "best_epoch_": estimator.best_epoch_,
            "history_": {"dict": estimator.history_},
            "subpixel_": True,
            "_pixel_size": 1.0,
            "_n_samples": 8,
            "_unfinished": False,
        },
    }
    with h5py.File(path, "w") as file:
        file.attrs["skpose_format"] = 1
        file["header"] = json.dumps(header)
        file["validation_indices"] = estimator.validation_indices_
        for name in ("weights", "optimizer"):
            for i, value in enumerate(state[name]):
                file[f"{name}/{i}"] = value
        file.attrs["digest"] = digest(file)


@pytest.mark.slow
def test_files_of_the_first_format_are_read(fitted, poses, tmp_path):
    write_format_1(fitted, tmp_path / "old")
    loaded = skpose.load(tmp_path / "old")
    assert_array_equal(loaded.predict(poses.images), fitted.predict(poses.images))
    assert loaded.targets_.map_names_ == fitted.targets_.map_names_
    assert loaded.history_ == fitted.history_
    loaded.set_params(warm_start=True).fit(poses.images, poses.keypoints)
    assert loaded.n_iter_ == 2
