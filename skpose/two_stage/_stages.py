"""The two estimators: what is given to them, and what is made of them."""

from functools import partial
from pathlib import Path
import tempfile

from sklearn import get_config
from sklearn.pipeline import Pipeline

from skpose._predictor import Predictor
from skpose.estimator import Checkpoint, PoseEstimator
from skpose.runtime import ExportedPoseEstimator

__all__ = ["export", "fit_stage", "go_on_with", "save_within", "with_seed"]


def with_seed(estimator, seed):
    """Give an estimator a seed, and the last one of a Pipeline, unless it has one of its own."""
    last = _last(estimator)
    parameters = last.get_params(deep=False)
    if "random_state" in parameters and parameters["random_state"] is None:
        last.set_params(random_state=seed)
    return estimator


def go_on_with(fitted, other):
    """Give a fitted estimator the parameters of another one, and let it be trained further."""
    _last(fitted).set_params(**_last(other).get_params(deep=False)).set_params(warm_start=True)
    return fitted


def fit_stage(estimator, X, y, options):
    """Fit an estimator, or a Pipeline whose last step takes the options."""
    if isinstance(estimator, Pipeline) and not get_config()["enable_metadata_routing"]:
        options = {f"{estimator.steps[-1][0]}__{name}": value for name, value in options.items()}
    return estimator.fit(X, y, **options)


def save_within(estimator, make_whole):
    """Let checkpoints of an estimator write what `make_whole` makes of the estimator as it is."""
    for callback in getattr(_last(estimator), "callbacks", None) or ():
        if isinstance(callback, Checkpoint):
            callback.within = partial(_make_whole, estimator, make_whole, callback.within)


def _make_whole(estimator, make_whole, within, last):
    if isinstance(estimator, Pipeline):
        last = Pipeline([*estimator.steps[:-1], (estimator.steps[-1][0], last)])
    whole = make_whole(last)
    return whole if within is None else within(whole)


def _last(estimator):
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def export(estimator, name, calibration):
    """Return an estimator that predicts the same without TensorFlow, or in 8 bits."""
    predictor = Predictor(estimator)
    if not (isinstance(predictor.last, PoseEstimator) and predictor.is_plain):
        raise TypeError(
            f"`{name}` is a {type(estimator).__name__}; what can be exported is a PoseEstimator, "
            "alone or behind one ImageResizer."
        )
    with tempfile.TemporaryDirectory(prefix="skpose-") as folder:
        path = Path(folder, f"{name}.onnx")
        resizer = predictor.steps[0] if predictor.steps else None
        predictor.last.export(path, resizer=resizer, calibration=calibration)
        return ExportedPoseEstimator.from_bytes(path.read_bytes(), path.name)
