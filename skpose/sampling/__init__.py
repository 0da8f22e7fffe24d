"""Choose the frames of a video that are worth labelling, and label them beforehand.

Every chooser has one method, ``select(X, *, keypoints=None, confidence=None, exclude=None)``, which
gives the sorted indices of ``n_frames`` frames that lie at least ``min_separation`` frames apart.
"""

from skpose.sampling._doubt import ConfidenceSampler, EnsembleSampler, EntropySampler
from skpose.sampling._initialize import initialize_annotations, iterate_guesses
from skpose.sampling._kmeans import KMeansSampler
from skpose.sampling._random import RandomSampler
from skpose.sampling._temporal import AutoregressiveSampler, MotionSampler

__all__ = [
    "AutoregressiveSampler",
    "ConfidenceSampler",
    "EnsembleSampler",
    "EntropySampler",
    "KMeansSampler",
    "MotionSampler",
    "RandomSampler",
    "initialize_annotations",
    "iterate_guesses",
]
