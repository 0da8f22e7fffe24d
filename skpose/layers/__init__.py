"""Keras layers: maps drawn from keypoints, keypoints found in maps."""

from skpose.layers._map_drawing import ConfidenceMapDrawing
from skpose.layers._maxima import Maxima, SubpixelMaxima

__all__ = ["ConfidenceMapDrawing", "Maxima", "SubpixelMaxima"]
