"""Estimators that were exported: predictions without TensorFlow."""

from skpose.runtime._exported import ExportedPoseEstimator

__all__ = ["ExportedPoseEstimator"]
