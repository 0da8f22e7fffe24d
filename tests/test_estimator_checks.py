"""scikit-learn's own checks, for estimators whose X is images and whose y is keypoints.

`check_estimator` runs a single check on an estimator whose X is not a table. So the checks that
need no data run here as they are, and the others on a subclass that takes a table, sees an image in
each of its rows, and changes nothing else.
"""

from collections import Counter
import importlib
import inspect
import re
from typing import NamedTuple

import keras
import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.utils import estimator_checks

from skpose import PoseEstimator
from skpose.augment import Augmenter, ImgaugAugmenter, import_imgaug
from skpose.baseline import MeanPoseRegressor
from skpose.conformal import ConformalPoseEstimator
from skpose.ensemble import PoseEnsemble
from skpose.models import (
    LEAP,
    CustomArchitecture,
    DeepLabCut,
    ResidualUNet,
    StackedDenseNet,
    StackedHourglass,
)
from skpose.preprocessing import EgocentricAligner, ImageCropper, ImageResizer
from skpose.targets import ConfidenceMaps
from skpose.two_stage import TwoStageEstimator


def tiny_network(inputs, n_outputs):
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="elu")(inputs / 255)
    return keras.layers.Conv2D(n_outputs, 1)(x)


class ReadsTables:
    """Takes tables for images, and then gives tables for images."""

    n_calls = 0  # a check that calls nothing says nothing

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags

    def _read(self, X):
        """Return the rows of a table as images of one row each; what is no table as it is."""
        ReadsTables.n_calls += 1
        table = X if hasattr(X, "toarray") else np.asarray(X)
        return self._convert(table) if isinstance(table, np.ndarray) and table.ndim == 2 else X

    def _convert(self, table):
        if table.dtype.kind in "iuf":  # a number becomes a grey level; NaN and infinity stay
            finite = np.isfinite(table)
            grey = np.floor(37 * np.where(finite, table, 0)) % 256
            table = np.where(finite, grey, table).astype(table.dtype)
        return table[:, np.newaxis, :, np.newaxis]


class Regressor(ReadsTables):
    """Takes labels for the x of keypoints."""

    @staticmethod
    def _label(y):
        if y is None or np.asarray(y).ndim == 3:
            return y
        y = np.asarray(y)
        y = y.reshape(len(y), -1)
        return np.stack([y, np.zeros_like(y)], axis=2)

    def fit(self, X, y, sample_weight=None):
        return super().fit(self._read(X), self._label(y), sample_weight=sample_weight)

    def predict(self, X):
        images = self._read(X)
        keypoints = super().predict(images)
        return keypoints if images is X else keypoints[..., 0]

    def score(self, X, y, sample_weight=None):
        return super().score(self._read(X), self._label(y), sample_weight=sample_weight)


class TablePoseEstimator(Regressor, PoseEstimator):
    def partial_fit(self, X, y, sample_weight=None):
        return super().partial_fit(self._read(X), self._label(y), sample_weight=sample_weight)


class TableMeanPoseRegressor(Regressor, MeanPoseRegressor):
    pass


class Transformer(ReadsTables):
    def fit(self, X, y=None, *args):
        return super().fit(self._read(X), y, *args)

    def transform(self, X, *args):
        images = self._read(X)
        batch = super().transform(images, *self._locate(images, args))
        return batch if images is X else np.asarray(batch).reshape(len(batch), -1)

    def fit_transform(self, X, y=None, *args):
        images = self._read(X)
        batch = super().fit_transform(images, y, *self._locate(images, args))
        return batch if images is X else np.asarray(batch).reshape(len(batch), -1)

    def _locate(self, images, args):
        return args


class TableConfidenceMaps(Transformer, ConfidenceMaps):
    def _convert(self, table):
        return np.stack([table, table], axis=2)


class TableAugmenter(Transformer, Augmenter):
    def fit(self, X, y=None):
        return super().fit(X, Regressor._label(y))

    def fit_transform(self, X, y=None):
        return super().fit_transform(X, Regressor._label(y))


class TableImgaugAugmenter(Transformer, ImgaugAugmenter):
    pass


class TableImageResizer(Transformer, ImageResizer):
    pass


class Located(Transformer):
    """Says where the individuals are, which no check does, and not by labels."""

    def fit_transform(self, X, y=None, *args):
        return super().fit_transform(X, None, *args)

    def _locate(self, images, args):
        n_samples = len(images)
        return args or (np.zeros((n_samples, 2)), np.zeros(n_samples))[: self.n_locations]


class TableImageCropper(Located, ImageCropper):
    n_locations = 1


class TableEgocentricAligner(Located, EgocentricAligner):
    n_locations = 2


SETTINGS = {
    "PoseEstimator": {
        "model": CustomArchitecture(tiny_network, downsample_factor=1, divisor=2),
        "targets": ConfidenceMaps(sigma=2.0, downsample_factor=1),
        "subpixel": False,
        "early_stopping": False,
        "learning_rate": 0.1,
        "batch_size": 16,
        "max_epochs": 2,
    },
    "MeanPoseRegressor": {},
    "ConfidenceMaps": {},
    "Augmenter": {"fliplr": 0, "flipud": 0},
    "ImgaugAugmenter": {"pipeline": import_imgaug().augmenters.Invert(1.0)},
    "ImageResizer": {"scale": 0.5},
    "ImageCropper": {"box_size": 3, "outside": "pad"},
    "EgocentricAligner": {"front": 0, "back": 1, "box_size": 3, "outside": "pad"},
}
ESTIMATORS = [globals()[name](**params) for name, params in SETTINGS.items()]
TABLE_READERS = [globals()["Table" + name](**params) for name, params in SETTINGS.items()]
AROUND_OTHERS = [ConformalPoseEstimator(), PoseEnsemble(), TwoStageEstimator()]
ARCHITECTURES = [
    CustomArchitecture(tiny_network),
    DeepLabCut(),
    LEAP(),
    ResidualUNet(),
    StackedDenseNet(),
    StackedHourglass(),
]

WITHOUT_DATA = [
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
]
BEFORE_DATA = ["check_mixin_order", "check_param_validation"]


def _cases(estimators, checks):
    return [
        pytest.param(estimator, check, id=f"{type(estimator).__name__}-{check}")
        for estimator in estimators
        for check in checks
    ]


def test_every_public_estimator_is_checked():
    checked = {type(estimator).__name__ for estimator in ESTIMATORS + AROUND_OTHERS + ARCHITECTURES}
    packages = ("augment", "baseline", "conformal", "ensemble", "estimator", "models")
    for package in (*packages, "preprocessing", "targets", "two_stage"):
        module = importlib.import_module(f"skpose.{package}")
        things = {name: getattr(module, name) for name in module.__all__}
        estimators = {
            name
            for name, thing in things.items()
            if inspect.isclass(thing) and issubclass(thing, BaseEstimator)
        }
        assert estimators <= checked | {"Architecture"}  # the base class of the others


@pytest.mark.parametrize(
    ("estimator", "check"),
    _cases(ESTIMATORS + AROUND_OTHERS + ARCHITECTURES, WITHOUT_DATA)
    + _cases(ESTIMATORS + AROUND_OTHERS, BEFORE_DATA),
)
def test_check_without_data(estimator, check):
    getattr(estimator_checks, check)(type(estimator).__name__, estimator)


class Failure(NamedTuple):
    """An expected failure: why it is one, what it says, and of which estimators (None: of all)."""

    reason: str
    match: str  # in the error and its causes, each as "type: message"
    estimators: set | None = None


SPARSE = Failure("refused for having two axes, which all of them have", "ValueError: X must have 4")
SPARSE_Y = Failure(
    "refused as no array of keypoints, which all of them are",
    "ValueError: y must be keypoints.*setting an array element with a sequence",
    {"ConfidenceMaps"},
)
LEARNERS = {"PoseEstimator", "MeanPoseRegressor"}
IMAGE_STEPS = {
    "Augmenter",
    "EgocentricAligner",
    "ImageCropper",
    "ImageResizer",
    "ImgaugAugmenter",
}
EXPECTED_FAILURES = {
    "check_complex_data": [
        Failure(
            "complex images are a TypeError, as strings are",
            "TypeError: X must be uint8 images, but its dtype is complex128",
            LEARNERS | IMAGE_STEPS,
        ),
    ],
    "check_dtype_object": [
        Failure(
            "things in an object array are no numbers",
            "ValueError: y must be keypoints.*not 'dict'",
            {"ConfidenceMaps"},
        ),
        Failure(
            "an object array is what NumPy makes of images of several sizes",
            "ValueError: X must be images of one size",
        ),
    ],
    "check_estimator_sparse_array": [SPARSE_Y, SPARSE],
    "check_estimator_sparse_matrix": [SPARSE_Y, SPARSE],
    "check_estimator_sparse_tag": [SPARSE_Y, SPARSE],
    "check_estimators_empty_data_messages": [
        Failure(
            "the message is about pixels",
            "ValueError: X has images without pixels",
            LEARNERS | {"Augmenter"},
        ),
        Failure(
            "the message is about keypoints",
            "ValueError: y has no keypoints: its shape is",
            {"ConfidenceMaps"},
        ),
        Failure(
            "there is nothing to learn from images, so none are as good as any",
            "AssertionError: The estimator .* does not raise a ValueError when an empty data",
        ),
    ],
    "check_estimators_nan_inf": [
        Failure(
            "NaN is a keypoint that is not labelled",
            "AssertionError: .* doesn't check for NaN and inf in fit",
            {"ConfidenceMaps"},
        ),
    ],
    "check_fit2d_predict1d": [
        Failure(
            "the message is about the shape of keypoints",
            r"ValueError: y must have the shape \(n_samples, n_keypoints, 2\).* is \(3,\)",
            {"ConfidenceMaps"},
        ),
        Failure(
            "the message is about the four axes of images",
            r"ValueError: (X must have 4 axes|Images must have shape).* \(3,\)",
        ),
    ],
    "check_n_features_in": [  # a bare assertion, which says nothing
        Failure("images may be of any size: there is no number of features", "^AssertionError: $"),
    ],
    "check_n_features_in_after_fitting": [
        Failure(
            "images may be of another size than in fit",
            r"AssertionError: `\w+.fit\(\)` does not set the `n_features_in_` attribute",
        ),
    ],
    "check_requires_y_none": [
        Failure(
            "the message is about the shape of keypoints",
            r"ValueError: y must have the shape \(n_samples, n_keypoints, 2\).* is \(\)",
        ),
    ],
    "check_sample_weight_equivalence_on_dense_data": [
        Failure(
            "mini-batches have as many samples, whatever their weights",
            "AssertionError: .*fitting with `sample_weight` is not equivalent",
            {"PoseEstimator"},
        ),
    ],
    "check_transformer_preserve_dtypes": [
        Failure(
            "maps are float32",
            "AssertionError: .*does not preserve dtype.*got dtype=float32",
            {"ConfidenceMaps"},
        ),
        Failure(
            "images are uint8",
            "AssertionError: .*does not preserve dtype.*got dtype=uint8",
            IMAGE_STEPS,
        ),
    ],
}
VACUOUS = {
    "check_estimators_partial_fit_n_features": {"MeanPoseRegressor"},  # it has no partial_fit
    "check_estimators_unfitted": {"ConfidenceMaps"},  # it does not predict
    "check_non_transformer_estimators_n_iter": None,  # is about max_iter
    "check_transformer_n_iter": None,  # is about max_iter
}
SKIPPED = {"check_array_api_input"}  # unless SCIPY_ARRAY_API is set

# How many checks with data pass in scikit-learn 1.9; those without data are counted beside them.
N_PASSED = {
    "PoseEstimator": 36,
    "MeanPoseRegressor": 35,
    "ConfidenceMaps": 23,
    "Augmenter": 24,
    "ImgaugAugmenter": 24,
    "ImageResizer": 24,
    "ImageCropper": 24,
    "EgocentricAligner": 24,
}


def _is_for(estimators, name):
    return estimators is None or name.removeprefix("Table") in estimators


def _expected_failure(estimator, check):
    name = type(estimator).__name__
    failures = EXPECTED_FAILURES.get(check.func.__name__, ())
    return next((failure for failure in failures if _is_for(failure.estimators, name)), None)


def _outcome(estimator, check):
    """Tell what becomes of a check: "passes", "fails", "is skipped" or "is vacuous"."""
    if _expected_failure(estimator, check) is not None:
        return "fails"
    name, check = type(estimator).__name__, check.func.__name__
    if check in VACUOUS and _is_for(VACUOUS[check], name):
        return "is vacuous"
    return "is skipped" if check in SKIPPED else "passes"


def _tell(error):
    """What an error and those that it was raised from say, a line each."""
    lines = []
    while error is not None:
        lines.append(f"{type(error).__name__}: {' '.join(str(error).split())}")
        error = error.__cause__ or error.__context__
    return "\n".join(lines)


def _checks_with_data():
    return [
        pytest.param(estimator, check, id=f"{type(estimator).__name__}-{check.func.__name__}")
        for reader in TABLE_READERS
        for estimator, check in estimator_checks.estimator_checks_generator(reader)
        if check.func.__name__ not in WITHOUT_DATA + BEFORE_DATA
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* lie far outside their images:UserWarning")
@pytest.mark.parametrize(("estimator", "check"), _checks_with_data())
def test_check_with_data(estimator, check):
    outcome = _outcome(estimator, check)
    ReadsTables.n_calls = 0
    if outcome == "fails":
        failure = _expected_failure(estimator, check)
        with pytest.raises((AssertionError, ValueError, TypeError, Warning)) as caught:
            check(estimator)
        assert re.search(failure.match, _tell(caught.value)), failure.reason
    else:
        check(estimator)
    assert (ReadsTables.n_calls == 0) == (outcome == "is vacuous")


def test_no_check_gets_lost():
    if tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 9):
        pytest.skip("the numbers are those of scikit-learn 1.9")
    outcomes = [(type(e).__name__, _outcome(e, c)) for e, c in map(_values, _checks_with_data())]
    n_passed = Counter(name for name, outcome in outcomes if outcome == "passes")
    for name, n_at_least in N_PASSED.items():
        assert n_passed["Table" + name] >= n_at_least


def _values(case):
    return case.values
