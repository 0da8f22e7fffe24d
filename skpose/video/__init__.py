"""Videos as arrays of frames that stay on disk, read from files, and written to them."""

from skpose.video._frames import VideoFrames
from skpose.video._open import iterate_batches, open_video, timing

__all__ = ["VideoFrames", "iterate_batches", "open_video", "timing"]
