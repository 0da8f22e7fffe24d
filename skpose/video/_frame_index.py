"""Which frames a video has, and where decoding can start.

A container gives compressed frames in the order in which they are decoded, which is not that in
which they are shown, and can only be entered at a keyframe. So all time stamps are read first, and
a frame's number is its place among them; every frame that is decoded is told by its own time stamp.
"""

import re

import numpy as np

from skpose.video._decoder import decode, ends_amid_box, import_av, open_video

__all__ = ["FrameIndex", "read_index"]

_MP4 = ("mov,mp4,m4a,3gp,3g2,mj2",)  # what FFmpeg calls it


class FrameIndex:
    """Where each frame of a video is.

    Parameters
    ----------
    keys : ndarray of shape (n_frames,)
        Time stamp of each frame as the decoder gives it, in the order in which they are shown.
    entries : ndarray of int
        Numbers of the frames at which decoding can start; 0 for the start of the file is always
        possible, and need not be one of them.
    use : {"pts", "dts", "count"}
        What the time stamps are: those of presentation, of decoding, or the compressed frame's
        place in the file, which allows no seeking.
    times : ndarray of shape (n_frames,)
        When each frame is shown in seconds after the first.
    is_cut_short : bool, default=False
        Whether the file has fewer frames than it should have.
    n_expected : int or None
        How many it should have, if it is cut short and that is known.
    """

    def __init__(self, keys, entries, *, use, times, is_cut_short=False, n_expected=None):
        self.keys = keys
        self.entries = entries
        self.use = use
        self.times = times
        self.is_cut_short = is_cut_short
        self.n_expected = n_expected
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]

    def __len__(self):
        return len(self.keys)

    def number(self, key):
        """Return the number of the frame with a time stamp, or None if it has none."""
        place = int(np.searchsorted(self._sorted, key))
        if place == len(self._sorted) or self._sorted[place] != key:
            return None
        return int(self._order[place])

    def entry(self, number, n_back=0):
        """Return the frame to start at for a frame; `n_back` entries earlier than necessary."""
        place = int(np.searchsorted(self.entries, number, side="right")) - 1 - n_back
        return int(self.entries[place]) if place >= 0 else None


def read_index(path):
    """Find all frames of a video, decoding none where the file has their time stamps.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    FrameIndex
    """
    container, stream = open_video(path)
    with container:
        packets, n_hidden, ends_broken = _packets(container, stream)
        use, is_ordered = _choose_stamps(packets, container, stream)
        spacing = float(stream.time_base or 0) if use != "count" else 1 / (_rate(stream) or 25.0)
        n_expected = _count_expected(packets, n_hidden, ends_broken, container, stream)
        ends_broken = ends_broken or (container.format.name in _MP4 and ends_amid_box(path))
        is_cut_short = ends_broken or n_expected is not None
    if use == "count":
        keys = np.arange(len(packets), dtype=np.int64)
    else:
        keys = np.array([packet[use == "dts"] for packet in packets], dtype=np.int64)
    entry_keys = keys[np.array([packet[2] for packet in packets], dtype=bool)]
    if not is_ordered:
        keys = _decode_order(path, use)
    elif is_cut_short and packets:
        keys = _before_gap(np.sort(keys), packets[-1])
    else:
        keys = np.sort(keys)
    times = np.sort(keys) * spacing
    times -= times[:1]
    index = FrameIndex(keys, (), use=use, times=times)
    index.is_cut_short, index.n_expected = is_cut_short, n_expected
    numbers = [index.number(key) for key in entry_keys]
    index.entries = np.array(sorted(n for n in numbers if n is not None), dtype=np.int64)
    return index


def _packets(container, stream):
    """Return times, kind and duration of the compressed frames that are whole, in their order.

    Also how many others are not to be shown, and whether the file ends amid a frame.
    """
    av = import_av()
    found, n_hidden, ends_broken = [], 0, False
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return found, n_hidden, ends_broken
        except av.error.FFmpegError:  # what went before is good
            return found, n_hidden, True
        ends_broken = packet.is_corrupt or (ends_broken and not packet.size)
        if packet.is_corrupt:
            continue
        if packet.is_discard:  # an edit list leaves it out
            n_hidden += 1
        elif packet.size:
            found.append((packet.pts, packet.dts, packet.is_keyframe, packet.duration))


def _choose_stamps(packets, container, stream):
    """Say which time stamps tell frames apart, and whether their order is that of the frames."""
    pts, dts = ([packet[i] for packet in packets] for i in range(2))
    codec = stream.codec_context
    reordered = bool(codec.has_b_frames)
    if not _tell_apart(dts) and not _tell_apart(pts):
        return "count", not reordered
    # AVI has no times of presentation: what FFmpeg gives are guesses.
    if not _tell_apart(pts) or (reordered and container.format.name == "avi"):
        return "dts", not reordered
    # VP8 has frames that are never shown.
    return "pts", codec.name not in ("vp8", "libvpx")


def _rate(stream):
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else None


def _tell_apart(stamps):
    return None not in stamps and len(set(stamps)) == len(stamps)


def _decode_order(path, use):
    """Return the time stamps of the frames as they come out of the decoder."""
    container, stream = open_video(path)
    with container:
        return np.array([f.pts for f in decode(container, stream, use)], dtype=np.int64)


def _count_expected(packets, n_hidden, ends_broken, container, stream):
    """Return how many frames the file's head promises, or None if it has them, or promises none."""
    if not packets:
        return None
    ends = [(p if p is not None else d or 0) + (length or 0) for p, d, _, length in packets]
    start, end = stream.start_time or 0, max(ends)
    n_promised = stream.frames - n_hidden
    if not stream.frames:  # the head has no number, but perhaps says when the last frame ends
        promised = _promised_end(container, stream)
        spacing = (end - start) / len(packets)
        is_short = promised is not None and promised - end > 1.5 * spacing > 0
        return round((promised - start) / spacing) if is_short else None
    if n_promised <= len(packets) or stream.duration is None:
        return None
    # An edit list can leave out others too, so the duration must be missed as well.
    is_short = end < start + stream.duration - 1.5 * stream.duration / n_promised
    return n_promised if is_short or ends_broken else None


def _promised_end(container, stream):
    """Return the time at which a Matroska or FLV file says that it ends, in the stream's units."""
    if container.format.name not in ("matroska,webm", "flv"):
        return None  # FFmpeg would tell that of what is there
    text = {key.upper(): value for key, value in stream.metadata.items()}.get("DURATION")
    if text is not None:
        match = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", text)
        if match is None:
            return None
        duration = sum(
            float(part) * unit for part, unit in zip(match.groups(), (3600, 60, 1), strict=True)
        )
    elif container.duration and len(container.streams) == 1:  # of the longest stream
        duration = container.duration / 1e6
    else:
        return None
    return duration / float(stream.time_base)


def _before_gap(keys, last):
    """Leave out frames at the end of a cut file that others, now lost, should precede."""
    _, dts, _, duration = last
    if dts is None or len(keys) < 2:
        return keys
    spacing = duration or np.median(np.diff(keys))
    gaps = np.flatnonzero((np.diff(keys) > 1.5 * spacing) & (keys[1:] > dts))
    return keys[: gaps[0] + 1] if len(gaps) else keys
