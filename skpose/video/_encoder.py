"""Video files that every browser plays."""

from contextlib import contextmanager
from fractions import Fraction

import numpy as np

from skpose.video._decoder import import_av

__all__ = ["write_mp4"]

_MOST_DENOMINATOR = 1001  # of frame rates such as 30000 / 1001
_SECONDS_BETWEEN_KEYFRAMES = 2  # so that players jump quickly
# Half the time of "fast" at 18, of the same size; the error of pixels is 3 % larger.
_QUALITY = {"crf": "17", "preset": "veryfast"}
_BT709 = 1  # in all of FFmpeg's lists of colour properties
_LIMITED_RANGE = 1


@contextmanager
def write_mp4(path, image_size, frame_rate):
    """Yield a function that writes one image after the other to an MP4 file.

    The file is H.264 with yuv420p, and begins with its index, so that a browser can play it while
    it loads. Colours are those of BT.709, and marked so.

    Parameters
    ----------
    path : path-like
        The file, whatever its ending.
    image_size : tuple of (height, width)
        Size of the images. Odd sides get another row or column at the bottom or right.
    frame_rate : float
        Frames a second.

    Yields
    ------
    write : callable
        Takes an image, a uint8 ndarray of shape (height, width, 3), RGB.
    """
    av = import_av()
    # The encoder depends on the build; this one is in those from PyPI.
    name = "libx264" if "libx264" in av.codecs_available else "h264"
    odd = [(0, side % 2) for side in image_size]
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        rate = Fraction(frame_rate).limit_denominator(_MOST_DENOMINATOR)
        stream = container.add_stream(name, rate=rate, options=_QUALITY)
        stream.height, stream.width = (side + side % 2 for side in image_size)
        stream.pix_fmt = "yuv420p"
        codec = stream.codec_context
        codec.gop_size = max(round(_SECONDS_BETWEEN_KEYFRAMES * frame_rate), 1)
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        codec.color_range = _LIMITED_RANGE
        reformatter = av.video.reformatter.VideoReformatter()  # each frame would make its own

        def write(image):
            if any(image.shape[axis] % 2 for axis in (0, 1)):
                image = np.pad(image, (*odd, (0, 0)), mode="edge")
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = reformatter.reformat(
                frame, format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED_RANGE
            )
            container.mux(stream.encode(frame))

        yield write
        container.mux(stream.encode(None))
