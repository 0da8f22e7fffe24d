"""Frames by chance: what every other choice has to beat."""

from skpose._types import RandomState
from skpose.sampling._base import FrameSampler


class RandomSampler(FrameSampler):
    """Choose frames by chance, all with the same probability.

    Parameters
    ----------
    n_frames : int, default=20
        How many to choose.
    min_separation : int, default=1
        Least distance of two chosen frames, in frames; 1: neighbours may both be chosen.
    random_state : int, RandomState or None, default=None
        Determines the choice.

    Raises
    ------
    ValueError
        By `select`, if a parameter is out of its range, nothing is given to choose from, or arrays
        do not fit each other.

    See Also
    --------
    KMeansSampler : Frames that look different.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.sampling import RandomSampler
    >>> video = np.zeros((100, 8, 8, 1), dtype=np.uint8)
    >>> index = RandomSampler(5, min_separation=10, random_state=0).select(video)
    >>> len(index), bool(np.diff(index).min() >= 10)
    (5, True)
    """

    def __init__(
        self, n_frames: int = 20, *, min_separation: int = 1, random_state: RandomState = None
    ) -> None:
        self.n_frames = n_frames
        self.min_separation = min_separation
        self.random_state = random_state

    def _rank(self, data, random):
        return random.permutation(data.n_samples)
