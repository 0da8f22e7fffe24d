"""How large the error of a keypoint is to be expected, from what is told with it."""

import numpy as np
from sklearn.linear_model import Ridge

__all__ = ["expected_errors", "expected_in_folds", "fit_difficulty"]

_FLOOR = 0.05  # of the median error: smaller ones are alike
_TINY = 1e-9


def fit_difficulty(errors, clues):
    """Learn how errors go with clues, and with the bodypart.

    The logarithm of the error is a sum of one number for each bodypart and of the clues times
    factors that are not negative: more doubt is never less error.

    Parameters
    ----------
    errors : ndarray of shape (n_samples, n_keypoints)
        Pixels; NaN: not known.
    clues : ndarray of shape (n_samples, n_keypoints, n_clues)
        As `predict_with_clues` gives them.

    Returns
    -------
    dict of str to ndarray
        What `expected_errors` takes.
    """
    is_known = np.isfinite(errors)
    floor = _FLOOR * np.median(errors[is_known]) + _TINY
    logs = np.log(np.maximum(errors, floor))
    common = logs[is_known].mean()
    levels = np.array([logs[k, i].mean() if k.any() else common for i, k in enumerate(is_known.T)])
    means = np.array([clues[k, i].mean(axis=0) for i, k in enumerate(is_known.T) if k.any()])
    means = _of_all(means, is_known)
    factors = np.zeros(clues.shape[2])
    left = (clues - means)[is_known]
    spread = left.std(axis=0) + _TINY
    if len(factors):
        model = Ridge(alpha=1.0, fit_intercept=False, positive=True)
        factors = model.fit(left / spread, (logs - levels)[is_known]).coef_ / spread
    learnt = {"levels": levels, "means": means, "factors": factors}
    expected = _expect(learnt, clues)[is_known]
    return learnt | {"limits": np.array([expected.min(), expected.max()])}


def _of_all(means, is_known):
    """Fill in the mean clues of bodyparts that are never labelled: those of the others."""
    filled = np.tile(means.mean(axis=0), (is_known.shape[1], 1))
    filled[is_known.any(axis=0)] = means
    return filled


def expected_errors(learnt, clues):
    """Return how large errors are to be expected, in pixels, within what has been seen."""
    return np.clip(_expect(learnt, clues), *learnt["limits"])


def expected_in_folds(errors, clues, folds):
    """Return how large the errors of each fold are to be expected, learnt from the other folds.

    Parameters
    ----------
    errors, clues
        As for `fit_difficulty`.
    folds : ndarray of int of shape (n_samples,)
        The fold of each sample; -1: none.

    Returns
    -------
    ndarray of shape (n_samples, n_keypoints)
        Pixels; NaN where there is no error, or no fold.
    """
    expected = np.full(errors.shape, np.nan)
    for fold in np.unique(folds[folds >= 0]):
        is_here = folds == fold
        others = np.where(is_here[:, np.newaxis], np.nan, errors)
        expected[is_here] = expected_errors(fit_difficulty(others, clues), clues[is_here])
    return np.where(np.isnan(errors), np.nan, expected)


def _expect(learnt, clues):
    return np.exp(learnt["levels"] + (clues - learnt["means"]) @ learnt["factors"])
