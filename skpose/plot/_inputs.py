"""Checks of what Displays are given, and what is inside an estimator."""

from inspect import signature

from sklearn.pipeline import Pipeline

from skpose.skeleton import Skeleton

__all__ = ["check_skeleton", "final_estimator", "predict_with_confidence"]


def check_skeleton(skeleton, n_keypoints):
    """Check that a skeleton is one, and has as many bodyparts as there are keypoints."""
    if skeleton is None:
        return
    if not isinstance(skeleton, Skeleton):
        raise TypeError(
            f"skeleton must be a skpose.Skeleton or None, but was {type(skeleton).__name__}. "
            "Skeleton.from_names makes one from a list of names."
        )
    if len(skeleton) != n_keypoints:
        raise ValueError(
            f"skeleton has {len(skeleton)} bodyparts, but there are {n_keypoints} keypoints an "
            "image."
        )


def final_estimator(estimator):
    """Give the estimator at the end of pipelines, and inside searches."""
    return _descend(estimator, None)[0]


def predict_with_confidence(estimator, X):
    """Predict keypoints, with their confidence where the estimator tells it.

    Parameters
    ----------
    estimator : estimator
        Fitted; may be a Pipeline, or a search that holds one.
    X : array-like of shape (n_samples, height, width, n_channels)
        What it is to predict.

    Returns
    -------
    keypoints : ndarray of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels of X.
    confidence : ndarray of shape (n_samples, n_keypoints) or None
        Confidence, 0 to 1.
    """
    # A search's predict takes no options, nor does a Pipeline's under metadata routing.
    final, X = _descend(estimator, X)
    if "return_confidence" in signature(final.predict).parameters:
        return final.predict(X, return_confidence=True)
    return final.predict(X), None


def _descend(estimator, X):
    """Give the innermost estimator, and `X` as it gets there."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            if X is not None and len(estimator) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator[-1]
        else:
            return estimator, X
