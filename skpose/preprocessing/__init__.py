"""Resize, crop and turn images, and remember how, so that keypoints find their way back."""

from skpose.preprocessing._crop import ImageCropper, bounding_box_centers, crop_size
from skpose.preprocessing._egocentric import EgocentricAligner, body_axes
from skpose.preprocessing._image_batch import ImageBatch
from skpose.preprocessing._resize import ImageResizer, without_those_outside
from skpose.preprocessing._working_region import working_region
from skpose.preprocessing._working_scale import working_scale

__all__ = [
    "EgocentricAligner",
    "ImageBatch",
    "ImageCropper",
    "ImageResizer",
    "body_axes",
    "bounding_box_centers",
    "crop_size",
    "without_those_outside",
    "working_region",
    "working_scale",
]
