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
    "export_within",
    "fit_within",
    "innermost",
    "options_of",
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
        Whether it takes the place of another one.

    Returns
    -------
    estimator
        The same.
    """
    last = innermost(estimator)
    parameters = last.get_params(deep=False)
    if "random_state" in parameters and (always or parameters["random_state"] is None):
        last.set_params(random_state=seed)
    return estimator


def options_of(rows, **options):
    """Return what is given of options of `fit`, for some of the samples."""
    return {name: np.asarray(value)[rows] for name, value in options.items() if value is not None}


def fit_within(estimator, X, y, options):
    """Fit an estimator, or a Pipeline whose last step takes the options; groups only if it can."""
    if not has_fit_parameter(innermost(estimator), "groups"):
        options = {name: value for name, value in options.items() if name != "groups"}
    if isinstance(estimator, Pipeline) and not get_config()["enable_metadata_routing"]:
        options = {f"{estimator.steps[-1][0]}__{name}": value for name, value in options.items()}
    return estimator.fit(X, y, **options)


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
