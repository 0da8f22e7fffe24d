"""How far from the truth a keypoint may be: radii that hold a given share of true positions."""

from skpose.conformal._estimator import ConformalPoseEstimator

__all__ = ["ConformalPoseEstimator"]
