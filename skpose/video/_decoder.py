"""Frames of a video file by their number."""

import errno
import os
import struct
import threading
import warnings

import numpy as np

__all__ = ["FrameReader", "PixelConverter", "decode", "import_av", "open_video"]

_SEEK_COSTS = 12  # frames that can be decoded in the time of a seek, roughly


def import_av():
    """Return the module `av`.

    Raises
    ------
    ImportError
        If it cannot be imported. The message says what to install.
    """
    try:
        import av
    except ImportError as error:
        raise ImportError(
            f"Video is read with PyAV, which cannot be imported: {error}. Install it with "
            "`pip install av`.",
            name="av",
        ) from error
    return av


def open_video(path):
    """Open a video file for decoding.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    container : av.container.InputContainer
        The open file, to be closed by the caller.
    stream : av.VideoStream
        Its first video stream, pictures of a cover aside.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If the file cannot be opened.
    ValueError
        If it is no video, has no video stream, or a codec that is not known.
    """
    av = import_av()
    if not os.path.exists(path):
        raise FileNotFoundError(errno.ENOENT, "There is no such video file", path)
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "A video file was expected, but it is a folder", path)
    with open(path, "rb"):  # tells whether it may be read, in the words of the system
        pass
    try:
        container = _open(av, path)
    except (av.error.FFmpegError, UnicodeError) as error:
        raise ValueError(
            f"{path} cannot be read as a video ({os.path.getsize(path)} bytes): it is another kind "
            "of file, damaged, or cut short so that its table of contents is missing "
            f"({getattr(error, 'strerror', None) or error})."
        ) from error
    try:
        return container, _find_stream(container, path)
    except BaseException:
        container.close()
        raise


def _open(av, path):
    try:
        return av.open(path, mode="r", metadata_errors="ignore")
    except TypeError:  # since PyAV 19, metadata that are no text are read anyway
        return av.open(path, mode="r")


def _find_stream(container, path):
    if container.format.name == "tty":  # FFmpeg would draw any text file
        raise ValueError(f"{path} cannot be read as a video: it is a text file.")
    streams = [
        stream
        for stream in container.streams.video
        if "attached_pic" not in (getattr(stream.disposition, "name", None) or "")
    ]
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise ValueError(
            f"{path} has no video stream; it has {kinds}. It is no video, or cut short within its "
            "table of contents."
        )
    stream = streams[0]
    if stream.codec_context is None and ends_amid_box(path):
        raise ValueError(f"{path} is cut short within its table of contents, so it has no frames.")
    if stream.codec_context is None:
        raise ValueError(
            f"{path} is compressed in a way (codec) that this build of FFmpeg does not know. "
            "Convert it, for example to H.264 in .mp4."
        )
    if not stream.width or not stream.height:
        raise ValueError(f"{path} has a video stream without a frame: it is damaged or cut short.")
    return stream


def ends_amid_box(path):
    """Whether a file ends before one of the boxes of which an MP4 or MOV file is made up does."""
    n_bytes, at = os.path.getsize(path), 0
    with open(path, "rb") as file:
        while at + 8 <= n_bytes:
            file.seek(at)
            size, kind = struct.unpack(">I4s", file.read(8))
            if size == 1:  # its size follows, in 8 bytes
                size = int.from_bytes(file.read(8), "big")
            if size < 8 or not kind.isascii():  # it goes on to the end, or is no box
                return False
            at += size
    return at > n_bytes


def decode(container, stream, use):
    """Decode a video from where it is.

    Parameters
    ----------
    container, stream
        As `open_video` gives them.
    use : {"pts", "dts", "count"}
        What tells a frame, as in `FrameIndex`.

    Yields
    ------
    av.VideoFrame
        The frames in the order in which they are shown; `pts` is what tells each.
    """
    av = import_av()
    packets = container.demux(stream)
    n_seen = 0
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.EOFError):
            return
        except av.error.FFmpegError:
            packet = None  # no more can be read; the decoder still holds some frames
        last = packet is None or not packet.size
        if not last and packet.is_corrupt:
            continue
        if use == "count" and not last:
            packet.pts = n_seen
            n_seen += not packet.is_discard
        elif use == "dts" and not last:
            packet.pts = packet.dts
        try:
            frames = stream.decode(None if last else packet)
        except av.error.FFmpegError:  # a damaged frame
            frames = ()
        yield from frames
        if last:
            return


class PixelConverter:
    """Gives the pixels of decoded frames, in any number of threads."""

    def __init__(self):
        self._own = threading.local()

    def pixels(self, frame):
        """Return a frame as an ndarray of shape (height, width, 3), uint8: RGB, upright.

        It is a view of memory that lives as long as the ndarray.
        """
        if not hasattr(self._own, "reformatter"):
            self._own.reformatter = import_av().video.reformatter.VideoReformatter()
        # More threads than one make the conversion of a single frame slower.
        plane = self._own.reformatter.reformat(frame, format="rgb24", threads=1).planes[0]
        rows = np.frombuffer(plane, dtype=np.uint8).reshape(plane.height, plane.line_size)
        pixels = rows[:, : 3 * plane.width].reshape(plane.height, plane.width, 3)
        n_quarters = round(frame.rotation / 90) % 4
        return np.rot90(pixels, n_quarters) if n_quarters else pixels


class FrameReader:
    """Decodes frames by their number, without a seek where the next one is asked for.

    Parameters
    ----------
    path : str
        The file.
    index : FrameIndex
        Its frames.
    """

    def __init__(self, path, index):
        self.path = path
        self.index = index
        self._container = None
        self._decoder = None
        self._last = None  # number and frame
        self._ahead = None  # number and frame that was decoded beyond a frame that is missing
        self._stand_ins = {}  # of frames that cannot be decoded: the number of the one shown
        self._threaded = True

    def read(self, number):
        """Return a frame.

        Parameters
        ----------
        number : int
            From 0, in the order in which frames are shown.

        Returns
        -------
        av.VideoFrame
            For a frame that cannot be decoded the one before it stands in, and a warning says so.
        """
        if number in self._stand_ins:  # the same as before, wherever the decoder stands now
            frame = self.read(self._stand_ins[number])
        else:
            frame = self._find(number)
            if frame is not None:
                if frame.is_corrupt:
                    self._warn(
                        f"Frame {number} of {self.path} is damaged; parts of it are made up."
                    )
                return frame
            frame = self._substitute(number)
        self._warn(
            f"Frame {number} of {self.path} cannot be decoded; frame {self._stand_ins[number]} "
            "stands in its place."
        )
        return frame

    def _find(self, number):
        if self._has(number):
            return self._last[1]
        if not self._can_go_on(number):
            self._enter(self.index.entry(number))
        frame = self._advance(number)
        return self._try_harder(number) if frame is None else frame

    def _try_harder(self, number):
        """Decode from further back, and one frame at a time.

        Some files need a run-up of more than a keyframe, and where threads decode several frames at
        a time, a damaged one can take others along.
        """
        entry = self.index.entry(number)
        runs = [(entry, False), (None, False)]
        if self._sought and not self._has(number - 1):
            runs.insert(0, (self.index.entry(number, 1), True))
        for entry, threaded in runs:
            if threaded != self._threaded:
                self.close()
                self._threaded = threaded
            self._enter(entry)
            frame = self._advance(number)
            if frame is not None or (self._has(number - 1) and not threaded):
                return frame
        return None

    def close(self):
        """Close the file; it is opened again when a frame is read."""
        if self._container is not None:
            self._container.close()
        self._container = self._decoder = self._last = self._ahead = None

    def _can_go_on(self, number):
        """Say whether decoding on is as quick as starting at a keyframe."""
        if self._decoder is None or self._last is None or number < self._last[0]:
            return False
        if self.index.use == "count":
            return True
        entry = self.index.entry(number)
        return entry is None or entry <= self._last[0] + _SEEK_COSTS

    def _enter(self, entry):
        """Get ready to decode from a keyframe, or from the start of the file."""
        if self.index.use == "count" or entry is None or entry <= 0:
            self._restart()
            return
        if self._container is None:
            self._restart()
        key = int(self.index.keys[entry])
        self._container.seek(key, stream=self._stream, backward=True)
        self._begin(sought=True, first=entry)

    def _restart(self):
        self.close()
        self._container, self._stream = open_video(self.path)
        self._stream.thread_type = "AUTO" if self._threaded else "NONE"
        self._begin(sought=False, first=0)

    def _begin(self, *, sought, first):
        self._sought = sought
        self._first = first
        self._last = self._ahead = None
        self._decoder = decode(self._container, self._stream, self.index.use)

    def _advance(self, number):
        """Decode up to a frame; None if it does not come."""
        for found, frame in self._frames():
            if found < self._first:
                continue  # leans on frames before the keyframe
            if found == number:
                self._last = (found, frame)
                return frame
            if found > number:
                self._ahead = (found, frame)
                return None
            self._last = (found, frame)
        return None

    def _has(self, number):
        return self._last is not None and self._last[0] == number

    def _frames(self):
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            yield ahead
        for frame in self._decoder:
            number = self.index.number(frame.pts) if frame.pts is not None else None
            leans_back = self._sought and self._last is None and frame.is_corrupt
            if number is not None and not leans_back:
                yield number, frame

    def _substitute(self, number):
        shown = self._last or self._ahead
        if shown is None:
            raise ValueError(f"Frame {number} of {self.path} cannot be decoded: it is damaged.")
        self._stand_ins[number] = self._stand_ins.get(shown[0], shown[0])
        if self._last is not None:
            self._last = (number, self._last[1])
        return shown[1]

    def _warn(self, message):
        warnings.warn(message, UserWarning, stacklevel=4)
