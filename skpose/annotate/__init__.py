"""A page in the browser on which people label images."""

from skpose.annotate._lock import AlreadyServed
from skpose.annotate._server import LabelServer, label

__all__ = ["AlreadyServed", "LabelServer", "label"]
