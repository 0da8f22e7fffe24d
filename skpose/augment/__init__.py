"""Change images and keypoints at random, so that a network sees more than was labelled."""

from skpose.augment._augmenter import Augmenter
from skpose.augment._imgaug import ImgaugAugmenter, import_imgaug

__all__ = ["Augmenter", "ImgaugAugmenter", "import_imgaug"]
