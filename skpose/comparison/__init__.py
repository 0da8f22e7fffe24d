"""Whether one model's errors are smaller than another's, and how sure that is."""

from skpose.comparison._compare import ModelComparison, compare

__all__ = ["ModelComparison", "compare"]
