"""Small videos whose frames show their own number."""

from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av")

BLOCK = 16  # pixels; large enough to survive compression
ROWS, COLUMNS = 2, 4


class NumberedVideo:
    """Writes videos of 32 x 64 pixels, and reads the number off a frame."""

    height, width = BLOCK * ROWS, BLOCK * COLUMNS
    order = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)

    def image(self, number):
        bits = (number >> self.order) & 1
        blocks = np.kron(np.where(bits, 200, 40), np.ones((BLOCK, BLOCK)))
        return np.repeat(blocks[..., np.newaxis], 3, axis=2).astype(np.uint8)

    def number(self, image):
        grey = np.asarray(image, dtype=float).mean(axis=2)
        blocks = grey.reshape(ROWS, BLOCK, COLUMNS, BLOCK).mean(axis=(1, 3))
        return int(((blocks > 120) << self.order).sum())

    def numbers(self, images):
        return [self.number(image) for image in images]

    def write(
        self,
        path,
        n_frames=60,
        *,
        codec="libx264",
        options=None,
        pts=None,
        pix_fmt="yuv420p",
        container_options=None,
        form=None,
    ):
        """Write frames 0, 1, ...; `pts` are their times in hundredths of a second."""
        if options is None:
            options = {"g": "12", "bf": "3"} if codec == "libx264" else {}
        try:
            av.codec.Codec(codec, "w")
        except Exception:
            pytest.skip(f"this build of FFmpeg cannot write {codec}")
        with av.open(str(path), "w", options=container_options or {}, format=form) as file:
            stream = file.add_stream(codec, rate=25, options=options)
            stream.height, stream.width, stream.pix_fmt = self.height, self.width, pix_fmt
            if pts is not None:
                stream.codec_context.time_base = Fraction(1, 100)
            for i in range(n_frames):
                frame = av.VideoFrame.from_ndarray(self.image(i))
                if pts is not None:
                    frame.pts, frame.time_base = int(pts[i]), Fraction(1, 100)
                file.mux(stream.encode(frame))
            file.mux(stream.encode())
        return path


@pytest.fixture(scope="session")
def numbered():
    """Writes videos whose frames show their number, and reads it."""
    return NumberedVideo()


@pytest.fixture(scope="session")
def video(tmp_path_factory, numbered):
    """An H.264 file of 60 frames with B-frames, a keyframe every 12."""
    return numbered.write(tmp_path_factory.mktemp("video") / "numbered.mp4")
