"""Which samples are kept back to watch the training."""

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit

__all__ = ["split_validation"]


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
    units = np.arange(n_samples) if groups is None else np.asarray(groups)
    if len(units) != n_samples:
        raise ValueError(f"groups has {len(units)} entries, but there are {n_samples} samples.")
    n_units = len(np.unique(units))
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
