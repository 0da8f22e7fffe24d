"""Pictures of poses, of errors and of training, drawn with matplotlib.

Displays work as scikit-learn's do: ``from_estimator`` or ``from_predictions`` computes and draws,
``plot`` draws again. matplotlib is imported when something is drawn.
"""

from skpose.plot._comparison import ComparisonDisplay
from skpose.plot._keypoint_error import KeypointErrorDisplay
from skpose.plot._pose import PoseDisplay
from skpose.plot._reliability import ReliabilityDisplay
from skpose.plot._training_history import TrainingHistoryDisplay

__all__ = [
    "ComparisonDisplay",
    "KeypointErrorDisplay",
    "PoseDisplay",
    "ReliabilityDisplay",
    "TrainingHistoryDisplay",
]
