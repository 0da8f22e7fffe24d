"""scikit-learn's scores for tables, which cannot take keypoints."""

import sys

from sklearn.pipeline import Pipeline

__all__ = ["refuse_scores_of_tables"]


def refuse_scores_of_tables(estimator):
    """Raise an error before a training whose score could not be taken.

    scikit-learn fits first, and scores then: ``scoring="neg_mean_squared_error"`` would train to
    the end, for each split anew, and give NaN. Its functions for cross-validation and searches hold
    the scorer while they call `fit`, so it is looked for there.

    Parameters
    ----------
    estimator : PoseEstimator
        The one that is fitted.

    Raises
    ------
    ValueError
        If it, or a Pipeline that ends in it, is to be scored by a metric of scikit-learn's own.
    """
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "_fit_and_score":
        frame = frame.f_back
    if frame is None:
        return
    scored = frame.f_locals.get("estimator")
    while isinstance(scored, Pipeline):
        scored = scored.steps[-1][1]
    if scored is not estimator:
        return
    for scorer in _scorers(frame.f_locals.get("scorer")):
        metric = getattr(scorer, "_score_func", None)
        if getattr(metric, "__module__", "").startswith("sklearn.metrics."):
            raise ValueError(
                f"{metric.__name__} of scikit-learn cannot score keypoints of shape (n_samples, "
                "n_keypoints, 2). Leave `scoring` out, which gives the negative mean error in "
                "pixels, or give a scorer of skpose.metrics, such as "
                "neg_mean_keypoint_error_scorer."
            )


def _scorers(scorer):
    """Return each of several scorers that are taken at once."""
    return list(getattr(scorer, "_scorers", {"": scorer}).values())
