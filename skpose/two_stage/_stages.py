"""The second estimator: what goes on with its training, and what its checkpoints hold."""

from functools import partial

from sklearn.pipeline import Pipeline

from skpose._meta_estimators import innermost
from skpose.estimator import Checkpoint

__all__ = ["go_on_with", "save_within"]


def go_on_with(fitted, other):
    """Give a fitted estimator the parameters of another one, and let it be trained further."""
    parameters = innermost(other).get_params(deep=False)
    innermost(fitted).set_params(**parameters).set_params(warm_start=True)
    return fitted


def save_within(estimator, make_whole):
    """Let checkpoints of an estimator write what `make_whole` makes of the estimator as it is."""
    for callback in getattr(innermost(estimator), "callbacks", None) or ():
        if isinstance(callback, Checkpoint):
            callback.within = partial(_make_whole, estimator, make_whole, callback.within)


def _make_whole(estimator, make_whole, within, last):
    if isinstance(estimator, Pipeline):
        last = Pipeline([*estimator.steps[:-1], (estimator.steps[-1][0], last)])
    whole = make_whole(last)
    return whole if within is None else within(whole)
