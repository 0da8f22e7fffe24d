"""Images in, keypoints out: the estimator, and what belongs to its training."""

from skpose.estimator._estimator import PoseEstimator
from skpose.estimator._load import load
from skpose.estimator._user_callbacks import Checkpoint, EpochReport

__all__ = ["Checkpoint", "EpochReport", "PoseEstimator", "load"]
