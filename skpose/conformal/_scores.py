"""Errors as multiples of what was expected: their quantiles, and their distribution."""

import numpy as np

__all__ = ["Scores"]


class Scores:
    """Scores of the samples that an estimator was calibrated on, for each bodypart.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_keypoints)
        Error over the expected error; NaN: not known.
    """

    def __init__(self, scores):
        known = [column[np.isfinite(column)] for column in np.asarray(scores).T]
        self.by_bodypart = [np.sort(column) for column in known]
        self.pooled = np.sort(np.concatenate(known))

    def quantiles(self, coverage):
        """Return the multiple within which a share of the errors lies, for each bodypart.

        It is the ``ceil((n + 1) * coverage)``-th smallest of n scores. Where a bodypart has too
        few, it is that of all bodyparts; infinite if these are too few as well.
        """
        return np.array([self._quantile(own, coverage) for own in self.by_bodypart])

    def _quantile(self, own, coverage):
        for scores in (own, self.pooled):
            rank = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
            if rank <= len(scores):
                return scores[max(rank, 1) - 1]
        return np.inf

    def shares_within(self, multiples):
        """Return the share of the scores that are no greater, (n_samples, n_keypoints)."""
        multiples = np.asarray(multiples)
        shares = np.empty(multiples.shape)
        for i, own in enumerate(self.by_bodypart):
            scores = own if len(own) else self.pooled
            shares[:, i] = np.searchsorted(scores, multiples[:, i], side="right") / (
                len(scores) + 1
            )
        return shares
