"""What an estimator does to those that it holds: seeds, options of `fit`, export."""

from pathlib import Path
import tempfile

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skpose._predictor import Predictor
from skpose._types import Images
from skpose.estimator import PoseEstimator
from skpose.runtime import ExportedPoseEstimator
from skpose.saving import check_model_path

__all__ = [
    "InnerRolesMixin",
    "check_export_path",
    "check_options",
    "export_within",
    "fit_or_stop",
    "fit_within",
    "innermost",
    "take_options",
    "with_seed",
]


class InnerRolesMixin:
    """Which images have been seen, as the fitted estimator tells that `_inner` names."""

    _inner: str

    def image_roles(self, X: Images) -> NDArray[np.str_]:
        """Tell which images the estimator has been trained on.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images.

        Returns
        -------
        roles : ndarray of str of shape (n_samples,)
            "training", "validation" or "new", as `PoseEstimator.image_roles` tells them.
        """
        check_is_fitted(self)
        return Predictor(getattr(self, self._inner)).last.image_roles(X)

    @property
    def training_digests_(self) -> NDArray[np.uint64] | None:
        """Of the images that the estimator was trained on; None: not known."""
        if not hasattr(self, self._inner):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet. Call fit first.")
        return getattr(Predictor(getattr(self, self._inner)).last, "training_digests_", None)


def innermost(estimator):
    """Return the last step of a Pipeline, or the estimator itself."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def with_seed(estimator, seed, *, always=False):
    """Give an estimator a seed, unless it has one of its own and `always` is False.

    Parameters
    ----------
    estimator : estimator
        Not fitted; it is changed, or the last step if it is a Pipeline.
    seed : int
        The seed.
    always : bool, default=False
        Whether it takes the place of another one, and of those of all parts of the estimator.

    Returns
    -------
    estimator
        The same.
    """
    last = innermost(estimator)
    parameters = last.get_params(deep=always)
    seeds = {
        name: seed
        for name, value in parameters.items()
        if name.split("__")[-1] == "random_state" and (always or value is None)
    }
    last.set_params(**seeds)
    return estimator


def check_options(estimator, n_samples, **options):
    """Return what is given of options of `fit`, as arrays with a row for each sample.

    Raises
    ------
    ValueError
        If one has another number of rows, or samples have weights and the estimator takes none.
    """
    given = {name: np.asarray(value) for name, value in options.items() if value is not None}
    for name, value in given.items():
        if value.shape[:1] != (n_samples,):
            raise ValueError(
                f"{name} must have a row for each of the {n_samples} samples, but has the shape "
                f"{value.shape}."
            )
    last = innermost(estimator)
    if "sample_weight" in given and not has_fit_parameter(last, "sample_weight"):
        raise ValueError(f"A {type(last).__name__} takes no sample_weight.")
    return given


def take_options(options, rows):
    """Return options of `fit` for some of the samples."""
    return {name: value[rows] for name, value in options.items()}


def fit_within(estimator, X, y, options):
    """Fit an estimator, or a Pipeline, with those options that it, or its last step, takes."""
    last = innermost(estimator)
    options = {name: v for name, v in options.items() if has_fit_parameter(last, name)}
    if isinstance(estimator, Pipeline) and not get_config()["enable_metadata_routing"]:
        options = {f"{estimator.steps[-1][0]}__{name}": value for name, value in options.items()}
    return estimator.fit(X, y, **options)


def fit_or_stop(estimator, X, y, options):
    """Fit an estimator; where Ctrl-C has ended its training early, stop what goes on with it."""
    estimator = fit_within(estimator, X, y, options)
    if getattr(Predictor(estimator).last, "_unfinished", False):
        raise KeyboardInterrupt
    return estimator


def check_export_path(path, *, overwrite):
    """Check that several networks can be exported to a file of this name."""
    if Path(path).suffix == ".onnx":
        raise ValueError(f"{path}: an ONNX file holds one network. End it in .skpose.")
    check_model_path(path, overwrite=overwrite)


def export_within(estimator, name, calibration=None):
    """Return an estimator that predicts the same without TensorFlow.

    Parameters
    ----------
    estimator : estimator
        Fitted: a PoseEstimator, alone or behind one ImageResizer.
    name : str
        What messages call it.
    calibration : array-like of shape (n_samples, height, width, n_channels), default=None
        Images for 8 bits, as `PoseEstimator.export` takes them.

    Returns
    -------
    ExportedPoseEstimator

    Raises
    ------
    TypeError
        If it is something else.
    """
    predictor = Predictor(estimator)
    if not (isinstance(predictor.last, PoseEstimator) and predictor.is_plain):
        raise TypeError(
            f"`{name}` is a {type(estimator).__name__}; what can be exported is a PoseEstimator, "
            "alone or behind one ImageResizer."
        )
    with tempfile.TemporaryDirectory(prefix="skpose-") as folder:
        path = Path(folder, "network.onnx")
        resizer = predictor.steps[0] if predictor.steps else None
        predictor.last.export(path, resizer=resizer, calibration=calibration)
        return ExportedPoseEstimator.from_bytes(path.read_bytes(), f"{name}.onnx")
