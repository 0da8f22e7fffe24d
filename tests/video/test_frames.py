from concurrent.futures import ThreadPoolExecutor
import pickle
import struct
import sys
import warnings

import av
import cv2
from helpers import write_video
import joblib
import numpy as np
import pytest

from skpose.video import VideoFrames

FILES = {
    "b_frames.mp4": {},
    "open_gop.mp4": {"options": {"g": "12", "bf": "3", "x264-params": "open-gop=1"}},
    "open_gop.mkv": {"options": {"g": "12", "bf": "3", "x264-params": "open-gop=1"}},
    "pyramid.mp4": {"options": {"g": "25", "bf": "3", "b-pyramid": "normal", "refs": "4"}},
    "short_gops.mp4": {"options": {"g": "2", "bf": "1"}},
    "intra_refresh.mp4": {"options": {"g": "10", "bf": "0", "intra-refresh": "1"}},
    "one_keyframe.mp4": {"options": {"g": "250", "bf": "3"}},
    "fragmented.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "b_frames.mkv": {},
    "b_frames.ts": {},
    "b_frames.avi": {},  # an AVI has no times of presentation
    "raw.h264": {},  # no times at all
    "xvid.avi": {"codec": "mpeg4", "options": {"g": "12"}},
    "b_frames_xvid.avi": {"codec": "mpeg4", "options": {"g": "12", "bf": "2"}},
    "motion_jpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "uncompressed.avi": {"codec": "rawvideo", "pix_fmt": "bgr24"},
    "hevc.mp4": {"codec": "libx265", "options": {"g": "12", "x265-params": "log-level=none"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "12", "cpu-used": "8"}},
    "vp8.webm": {"codec": "libvpx", "options": {"g": "12", "auto-alt-ref": "1"}},
    "mpeg.mpg": {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}},
}


@pytest.mark.parametrize("name", FILES)
def test_frame_i_is_frame_i(name, numbered, tmp_path):
    path = numbered.write(tmp_path / name, **FILES[name])
    X = VideoFrames(path)
    assert X.shape == (60, numbered.height, numbered.width, 3)
    sequence = np.asarray(X)
    assert numbered.numbers(sequence) == list(range(60))
    jumps = np.random.default_rng(0).permutation(60)
    for i in [*jumps, *range(59, -1, -1), *range(0, 60, 7)]:
        np.testing.assert_array_equal(X[i], sequence[i])
    assert X.frame_rate == pytest.approx(25)


def test_bare_decoder_gives_the_same_pixels(video):
    with av.open(str(video)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    np.testing.assert_array_equal(np.asarray(VideoFrames(video)), frames)


def test_frames_of_changing_duration_and_a_late_start(numbered, tmp_path):
    pts = 700 + np.cumsum(np.random.default_rng(0).integers(1, 30, 60))
    X = VideoFrames(numbered.write(tmp_path / "changing.mkv", pts=pts))
    for i in np.random.default_rng(1).permutation(60):
        assert numbered.number(X[i]) == i
    np.testing.assert_allclose(X.times, (pts - pts[0]) / 100, atol=1e-3)
    assert X.frame_rate == pytest.approx(59 / X.times[-1])


@pytest.mark.parametrize("n_hidden", [5, 12, 30])
def test_frames_before_the_start_of_an_edit_list_are_not_counted(n_hidden, numbered, tmp_path):
    path = numbered.write(tmp_path / "cut.mp4")
    content = bytearray(path.read_bytes())
    entry = content.index(b"elst") + 12
    length, media_time = struct.unpack_from(">Ii", content, entry)
    with av.open(str(path)) as file:
        tick = round(1 / (25 * file.streams.video[0].time_base))
    start = media_time + n_hidden * tick
    struct.pack_into(">Ii", content, entry, length - 40 * n_hidden, start)  # milliseconds, ticks
    path.write_bytes(content)
    X = VideoFrames(path)
    assert numbered.numbers(np.asarray(X)) == list(range(n_hidden, 60))
    for i in np.random.default_rng(0).permutation(len(X)):
        assert numbered.number(X[i]) == i + n_hidden


def test_it_is_indexed_as_an_array_is(video):
    X = VideoFrames(video)
    sequence = np.asarray(X)
    for key in (
        slice(3, 30, 4),
        slice(None, None, -7),
        [5, 2, 2, 59, -1],
        np.array([14, 13]),
        np.arange(60) % 9 == 0,
        (slice(2, 4), slice(0, 5), 3, 0),
        np.int64(7),
        -1,
    ):
        np.testing.assert_array_equal(X[key], sequence[key])
    assert X[[]].shape == (0, *X.shape[1:])
    assert X[4].shape == X.shape[1:]
    assert X[[4]].shape == (1, *X.shape[1:])
    assert (X.dtype, X.ndim, len(X)) == (np.uint8, 4, 60)
    with pytest.raises(IndexError):
        X[60]


def test_step_gives_every_step_th_frame(video, numbered):
    X = VideoFrames(video, step=7)
    assert numbered.numbers(X) == list(range(0, 60, 7))
    assert numbered.number(X[3]) == 21
    np.testing.assert_array_equal(X.frame_numbers, range(0, 60, 7))
    assert X.frame_rate == pytest.approx(25 / 7)
    assert [i for i, _ in X.iter_batches(4)] == [0, 4, 8]
    assert numbered.number(X.select([8, 2])[0]) == 56


def test_region_is_that_part_of_each_frame(video):
    region = VideoFrames(video, region=(5, 10, 20, 6))
    assert region.shape == (60, 6, 20, 3)
    np.testing.assert_array_equal(region[33], VideoFrames(video)[33][10:16, 5:25])


def test_grey_is_that_of_image_files(video):
    grey = VideoFrames(video, n_channels=1)
    assert grey.shape[3] == 1
    expected = cv2.cvtColor(VideoFrames(video)[33], cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(grey[33][..., 0], expected)


def test_colours_are_in_the_order_red_green_blue(tmp_path):
    red = np.full((1, 32, 32, 3), (250, 20, 80), np.uint8)
    write_video(tmp_path / "red.mp4", red, pix_fmt="yuv444p")
    np.testing.assert_allclose(VideoFrames(tmp_path / "red.mp4")[0][16, 16], (250, 20, 80), atol=4)


def test_batches_are_all_frames_in_order(video, numbered):
    X = VideoFrames(video)
    batches = list(X.iter_batches(25))
    assert [first for first, _ in batches] == [0, 25, 50]
    assert [i for _, images in batches for i in numbered.numbers(images)] == list(range(60))
    part = [numbered.numbers(images) for _, images in X.iter_batches(4, start=18, stop=24)]
    assert part == [[18, 19, 20, 21], [22, 23]]
    with pytest.raises(ValueError, match="batch_size"):
        next(X.iter_batches(0))


def test_pickled_and_hashed(video):
    X = VideoFrames(video, step=2)
    _ = X[3]
    copy = pickle.loads(pickle.dumps(X))
    np.testing.assert_array_equal(copy[5], X[5])
    assert joblib.hash(copy) == joblib.hash(X)
    assert joblib.hash(X) != joblib.hash(VideoFrames(video, region=(0, 0, 8, 8)))


def test_threads_share_it(video, numbered):
    X = VideoFrames(video)
    order = np.random.default_rng(0).integers(60, size=100)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda i: numbered.number(X[i]), order)) == list(order)


def test_closed_it_is_opened_when_needed(video, numbered):
    X = VideoFrames(video)
    X.close()
    assert numbered.number(X[7]) == 7


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_frames_are_upright(quarters, numbered, tmp_path):
    path = numbered.write(tmp_path / "turned.mp4", 3)
    content = bytearray(path.read_bytes())
    # The matrix of the track says by how much players turn it, clockwise.
    a, b = {1: (0, 1), 2: (-1, 0), 3: (0, -1)}[quarters]
    struct.pack_into(">3i", content, content.index(b"tkhd") + 44, a << 16, b << 16, 0)
    struct.pack_into(">3i", content, content.index(b"tkhd") + 56, -b << 16, a << 16, 0)
    plain = VideoFrames(path)[0]
    path.write_bytes(content)
    X = VideoFrames(path)
    np.testing.assert_array_equal(X[0], np.rot90(plain, -quarters))
    assert X.shape[1:] == X[0].shape


@pytest.mark.parametrize("n_packets", [1, 2, 17, 30, 31, 32, 33, 58])
@pytest.mark.parametrize("bf", ["0", "3"])
def test_a_truncated_file_gives_the_frames_it_has(n_packets, bf, numbered, tmp_path):
    path = numbered.write(
        tmp_path / "whole.mp4",
        options={"g": "12", "bf": bf},
        container_options={"movflags": "faststart"},
    )
    with av.open(str(path)) as file:
        packet = list(file.demux(video=0))[n_packets]
    path.write_bytes(path.read_bytes()[: packet.pos + packet.size // 2])
    with pytest.warns(UserWarning, match=r"cut short: it has \d+ of 60 frames"):
        X = VideoFrames(path)
    assert n_packets - 3 * (bf != "0") <= len(X) <= n_packets
    assert len(X) > 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert numbered.numbers(np.asarray(X)) == list(range(len(X)))


def test_a_truncated_avi_gives_the_frames_it_has(numbered, tmp_path):
    path = numbered.write(tmp_path / "whole.avi", codec="mjpeg", pix_fmt="yuvj420p")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(UserWarning, match="of 60 frames"):
        X = VideoFrames(path)
    assert numbered.numbers(np.asarray(X)) == list(range(len(X)))
    assert len(X) > 20


def _damage(path, *numbers):
    """Overwrite frames of a video whose frames lean on no other."""
    with av.open(str(path)) as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
        places = [(packets[i].pos, packets[i].size) for i in numbers]
    content = bytearray(path.read_bytes())
    for position, size in places:
        content[position : position + size] = bytes(size)
    path.write_bytes(content)


def test_a_damaged_frame_is_told_and_moves_no_other(numbered, tmp_path):
    path = numbered.write(tmp_path / "damaged.avi", codec="mjpeg", pix_fmt="yuvj420p")
    _damage(path, 20)
    X = VideoFrames(path)
    with pytest.warns(UserWarning, match="Frame 20 of .* cannot be decoded; frame 19 stands"):
        assert numbered.number(X[20]) == 19
    with pytest.warns(UserWarning, match="Frame 20"):
        numbers = numbered.numbers(np.asarray(VideoFrames(path)))
    assert numbers == [*range(20), 19, *range(21, 60)]


@pytest.mark.parametrize("before", [0, 19, 30, 59])
def test_the_same_frame_stands_in_every_time(before, numbered, tmp_path):
    path = numbered.write(tmp_path / "damaged.avi", codec="mjpeg", pix_fmt="yuvj420p")
    _damage(path, 20, 21, 59)
    X = VideoFrames(path)
    for number, shown in [(20, 19), (59, 58), (20, 19), (21, 19), (59, 58), (21, 19), (22, 22)]:
        if number != 22:
            with pytest.warns(UserWarning, match=f"Frame {number} of .*; frame {shown} stands in"):
                assert numbered.number(X[number]) == shown
        assert numbered.number(X[22]) == 22
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            X[before]


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such video file.*nowhere\.mp4"):
        VideoFrames(tmp_path / "nowhere.mp4")
    with pytest.raises(IsADirectoryError, match="folder"):
        VideoFrames(tmp_path)


@pytest.mark.parametrize("name", ["notes.txt", "notes.mp4", "notes.csv"])
@pytest.mark.parametrize("content", ["", "frame,x,y\n0,1,2\n" * 100])
def test_what_is_no_video_is_told(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=rf"{name} cannot be read as a video"):
        VideoFrames(tmp_path / name)


def test_a_frame_of_which_parts_are_made_up_is_told(numbered, tmp_path):
    path = numbered.write(tmp_path / "damaged.mp4", 24)
    with av.open(str(path)) as file:
        packet = next(file.demux(video=0))
    content = bytearray(path.read_bytes())
    content[packet.pos + packet.size - 8] ^= 0xFF
    path.write_bytes(content)
    with pytest.warns(UserWarning, match=r"Frame 0 of .*damaged\.mp4 is damaged; parts of it are"):
        VideoFrames(path)


@pytest.mark.slow
def test_hundreds_of_videos_are_not_open_at_a_time(video, numbered):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        videos = [VideoFrames(video) for _ in range(300)]
        for number in (7, 8):
            assert {numbered.number(X[number]) for X in videos} == {number}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


CUT = {
    "cut.mkv": {},
    "cut.webm": {"codec": "libvpx-vp9"},
    "cut.flv": {"codec": "flv"},
    "cut.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("share", [0.9, 0.66])
def test_a_file_without_a_number_of_frames_that_is_cut_is_told(name, share, numbered, tmp_path):
    path = numbered.write(tmp_path / name, 60, **CUT[name])
    assert len(VideoFrames(path)) == 60  # and no warning
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    said = "ends amid a frame, after" if name == "cut.mp4" else "has .* of [56]. frames"
    with pytest.warns(UserWarning, match=rf"{name} is cut short: it {said}"):
        X = VideoFrames(path)
    assert 20 < len(X) < 60


def test_a_cut_within_the_index_is_told(numbered, tmp_path):
    path = numbered.write(tmp_path / "cut.mp4", 60)
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"stsz") + 40])
    with pytest.raises(ValueError, match=r"cut\.mp4 .*cut short (with|so that its table of)"):
        VideoFrames(path)


def test_an_index_that_is_missing_is_told(video, tmp_path):
    path = tmp_path / "cut.mp4"
    path.write_bytes(video.read_bytes()[:1000])
    with pytest.raises(ValueError, match="cut short"):
        VideoFrames(path)


def test_sound_alone_is_told(tmp_path):
    with av.open(str(tmp_path / "sound.wav"), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        file.mux(stream.encode(frame))
    with pytest.raises(ValueError, match="no video stream; it has audio"):
        VideoFrames(tmp_path / "sound.wav")


def test_an_unknown_codec_is_told(video, tmp_path):
    path = tmp_path / "unknown.mp4"
    path.write_bytes(video.read_bytes().replace(b"avc1", b"xyz1").replace(b"avcC", b"xyzC"))
    with pytest.raises(ValueError, match="codec"):
        VideoFrames(path)


def test_a_file_that_changes_is_told(numbered, tmp_path):
    path = numbered.write(tmp_path / "video.mp4", 5)
    X = VideoFrames(path)
    numbered.write(path, 9)
    with pytest.raises(ValueError, match="has changed"):
        X[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_channels": 4}, "n_channels must be 1"),
        ({"step": 0}, "step must be"),
        ({"step": 1.5}, "step must be"),
        ({"region": (0, 0, 8)}, r"\(x, y, width, height\)"),
        ({"region": (-1, 0, 8, 8)}, "x, y >= 0"),
        ({"region": (60, 0, 8, 8)}, "64 pixels wide and 32 high"),
    ],
)
def test_wrong_options_are_told(options, message, video):
    with pytest.raises(ValueError, match=message):
        VideoFrames(video, **options)


def test_without_pyav_the_way_out_is_told(video, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"pip install av"):
        VideoFrames(video)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", ["openfield/videos/m3v1mp4.mp4", "flypair/flypair.mp4"])
def test_random_access_to_real_videos(name, data_dir):
    X = VideoFrames(data_dir / name)
    wanted = np.sort(np.random.default_rng(0).choice(len(X), 16, replace=False))
    expected, n_frames = {}, 0
    with av.open(str(data_dir / name)) as file:
        file.streams.video[0].thread_type = "AUTO"
        for n_frames, frame in enumerate(file.decode(video=0), start=1):
            if n_frames - 1 in wanted:
                expected[n_frames - 1] = frame.to_ndarray(format="rgb24")
    assert n_frames == len(X)
    for i in np.random.default_rng(1).permutation(wanted):
        np.testing.assert_array_equal(X[i], expected[i])


def test_metadata_that_are_no_text_are_left_to_every_version_of_pyav(video, monkeypatch):
    options = []

    def open_as_since_19(path, **given):
        options.append(given)
        if "metadata_errors" in given:
            raise TypeError("open() got an unexpected keyword argument 'metadata_errors'")
        return open_before(path, **given)

    open_before = av.open
    monkeypatch.setattr(av, "open", open_as_since_19)
    assert len(VideoFrames(video)) == 60
    assert {"mode": "r"} in options
