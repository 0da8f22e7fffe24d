"""Several estimators that predict together, and say how far they differ."""

from skpose.ensemble._ensemble import PoseEnsemble
from skpose.ensemble._robust import robust_mean, spread

__all__ = ["PoseEnsemble", "robust_mean", "spread"]
