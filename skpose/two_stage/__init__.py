"""Large frames: where the animal is in a small image, then its pose in a crop of the large one."""

from skpose.two_stage._estimator import TwoStageEstimator

__all__ = ["TwoStageEstimator"]
