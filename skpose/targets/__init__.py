"""Keypoints to confidence maps, as a network learns them, and back."""

from skpose.targets._confidence_maps import ConfidenceMaps

__all__ = ["ConfidenceMaps"]
