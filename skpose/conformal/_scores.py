"""Errors as multiples of what was expected: their quantiles, and their distribution."""

import numpy as np

__all__ = ["Scores", "radii_in_folds"]

_FEW = 20  # labels; with fewer a bodypart's scores are those of all


class Scores:
    """Scores of the samples that an estimator was calibrated on, for each bodypart.

    A bodypart with fewer than 20 of them has those of all bodyparts.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_keypoints)
        Error over the expected error; NaN: not known.
    """

    def __init__(self, scores):
        known = [column[np.isfinite(column)] for column in np.asarray(scores).T]
        self.pooled = np.sort(np.concatenate(known))
        self.by_bodypart = [
            np.sort(column) if len(column) >= _FEW else self.pooled for column in known
        ]

    def quantiles(self, coverage):
        """Return the multiple within which a share of the errors lies, for each bodypart.

        It is the ``ceil((n + 1) * coverage)``-th smallest of n scores. Where a bodypart has too
        few, it is that of all bodyparts; infinite if these are too few as well.
        """
        of_all = _quantile(self.pooled, coverage)
        own = (_quantile(scores, coverage) for scores in self.by_bodypart)
        return np.array([of_all if np.isinf(value) else value for value in own])

    def shares_within(self, multiples):
        """Return the share of the scores that are no greater, (n_samples, n_keypoints)."""
        multiples = np.asarray(multiples)
        shares = np.empty(multiples.shape)
        for i, scores in enumerate(self.by_bodypart):
            n_within = np.searchsorted(scores, multiples[:, i], side="right")
            shares[:, i] = n_within / (len(scores) + 1)
        return shares


def radii_in_folds(errors, expected, folds, levels):
    """Return radii of each fold that come from the errors in the other folds.

    Parameters
    ----------
    errors, expected : ndarray of shape (n_samples, n_keypoints)
        Errors, and what was expected of them without their fold; NaN: not known.
    folds : ndarray of int of shape (n_samples,)
        The fold of each sample; -1: none.
    levels : sequence of float
        Shares of the positions that radii are to hold.

    Returns
    -------
    ndarray of shape (n_levels, n_samples, n_keypoints)
        Pixels; NaN where nothing was expected.
    """
    radius = np.full((len(levels), *errors.shape), np.nan)
    for fold in np.unique(folds[folds >= 0]):
        is_here = folds == fold
        scores = Scores((errors / expected)[~is_here])
        for i, level in enumerate(levels):
            radius[i, is_here] = expected[is_here] * scores.quantiles(level)
    return radius


def _quantile(scores, coverage):
    rank = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
    return scores[max(rank, 1) - 1] if rank <= len(scores) else np.inf
