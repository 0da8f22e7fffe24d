"""Fitted estimators as files: a tree of registered classes with their arrays, and no pickle.

`skpose.save` writes any estimator of skpose's, a Pipeline of them, or an estimator around one;
`skpose.load` reads it. Classes of your own take part once they are registered.
"""

from skpose.saving._file import check_model_path, read, save, versions_of
from skpose.saving._registry import register
from skpose.saving._tree import check_savable

__all__ = ["check_model_path", "check_savable", "read", "register", "save", "versions_of"]
