"""Which samples are kept back to watch the training."""

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit
from sklearn.utils import check_random_state

__all__ = ["extend_validation", "split_validation"]


def split_validation(n_samples, fraction, *, groups=None, random_state=None):
    """Divide samples into those that are trained on and those that are kept back.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    fraction : float
        Share of the samples, or of the groups, to keep back; at least one.
    groups : array-like of shape (n_samples,), default=None
        Samples of one group are not divided.
    random_state : int or RandomState, default=None
        What the split depends on.

    Returns
    -------
    training, validation : ndarray of int
        Increasing indices.

    Raises
    ------
    ValueError
        If there are too few samples or groups to keep one back.
    """
    n_units = len(np.unique(_units_of(n_samples, groups)))
    if n_units < 2:
        what = "sample" if groups is None else "group of samples"
        raise ValueError(
            f"There is only {n_units} {what}, but early stopping keeps {fraction:.0%} back for "
            "validation and needs at least 2. Label more frames, give `validation_data`, or set "
            "early_stopping=False."
        )
    n_validation = min(max(1, round(fraction * n_units)), n_units - 1)
    splitter = ShuffleSplit if groups is None else GroupShuffleSplit
    split = splitter(n_splits=1, test_size=n_validation, random_state=random_state)
    training, validation = next(split.split(np.zeros(n_samples), groups=groups))
    return np.sort(training), np.sort(validation)


def extend_validation(roles, fraction, *, groups=None, random_state=None):
    """Divide samples of which some were divided before; those stay on their side.

    New samples of a group go where the group is, and into the training where it is on both sides.
    Whole new groups are kept back until that is the share of all samples that is wanted, but never
    all of them; of a single new one that share is kept back of its samples.

    Parameters
    ----------
    roles : ndarray of str of shape (n_samples,)
        "training" and "validation" for samples that were divided, "new" for others.
    fraction : float
        Share of the samples to keep back.
    groups : array-like of shape (n_samples,), default=None
        Which samples hang together. None: each is by itself.
    random_state : int or RandomState, default=None
        Which of the new ones are kept back.

    Returns
    -------
    training, validation : ndarray of int
        Increasing indices.

    Raises
    ------
    ValueError
        If there are not as many groups as samples.
    """
    n_samples = len(roles)
    rng = check_random_state(random_state)
    _, units = np.unique(_units_of(n_samples, groups), return_inverse=True)
    is_trained, is_watched = (
        np.bincount(units, weights=roles == role) > 0 for role in ("training", "validation")
    )
    is_new, is_kept = roles == "new", roles == "validation"
    is_kept |= is_new & (is_watched & ~is_trained)[units]
    free = np.flatnonzero(~(is_trained | is_watched))
    if len(free) == 1:  # as where one video is all there is
        units, free = np.arange(n_samples), np.flatnonzero(is_new & (units == free[0]))
    for unit in rng.permutation(free)[: len(free) - 1]:
        if is_kept.sum() >= max(1, round(fraction * n_samples)):
            break
        is_kept |= units == unit
    return np.flatnonzero(~is_kept), np.flatnonzero(is_kept)


def _units_of(n_samples, groups):
    """Return what is divided: the group of each sample, or each by itself."""
    units = np.arange(n_samples) if groups is None else np.asarray(groups)
    if len(units) != n_samples:
        raise ValueError(f"groups has {len(units)} entries, but there are {n_samples} samples.")
    return units
