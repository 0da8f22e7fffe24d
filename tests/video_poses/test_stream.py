from itertools import count
import threading
import time

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skpose.baseline import MeanPoseRegressor
from skpose.preprocessing import ImageResizer
from skpose.video_poses import PoseStream


class Brightness:
    """Finds the brightness of a frame: keypoints whose x is it. May be slow."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.n_calls = 0

    def predict(self, X, *, return_confidence=False):
        self.n_calls += 1
        time.sleep(self.seconds)
        keypoints = np.full((len(X), 2, 2), X[:, 0, 0, 0].astype(float)[:, None, None])
        return (keypoints, np.ones((len(X), 2))) if return_confidence else keypoints


class Compiled(Brightness):
    """As an estimator that compiles at its first prediction."""

    def predict(self, X, **options):
        time.sleep(0.2 if self.n_calls == 0 else 0)
        return super().predict(X, **options)


def frame(value):
    return np.full((4, 6, 1), value % 256, dtype=np.uint8)


def live(n_frames, period):
    """A camera: frames come whether or not anyone is ready."""
    start = time.perf_counter()
    for i in range(n_frames):
        time.sleep(max(start + i * period - time.perf_counter(), 0))
        yield frame(i)


def endless():
    for i in count():
        time.sleep(0.001)
        yield frame(i)


@pytest.fixture(autouse=True)
def leave_no_thread():
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "skpose-stream"]


def test_every_frame_is_predicted_in_order_without_dropping():
    stream = PoseStream(Brightness(0.002), (frame(i) for i in range(30)), drop=False)
    poses = list(stream)
    assert [pose.index for pose in poses] == list(range(30))
    assert [pose.keypoints[0, 0] for pose in poses] == list(range(30))
    assert poses[0].confidence.tolist() == [1, 1]
    assert (stream.n_grabbed, stream.n_dropped) == (30, 0)


def test_a_source_waits_where_nothing_is_dropped():
    taken = []

    def source():
        for i in range(20):
            taken.append(i)
            yield frame(i)

    for pose in PoseStream(Brightness(0.005), source(), drop=False):
        assert len(taken) <= pose.index + 5


@pytest.mark.clock
def test_the_latest_frame_wins_under_a_slow_estimator():
    stream = PoseStream(Brightness(0.05), live(60, 0.01))
    poses = list(stream)
    indices = [pose.index for pose in poses]
    assert indices == sorted(set(indices))
    assert [pose.keypoints[0, 0] for pose in poses] == indices
    assert indices[-1] == 59  # the last one is the latest, so it is not lost
    assert stream.n_grabbed == 60
    assert stream.n_dropped == 60 - len(poses)
    assert stream.n_dropped > 30  # 4 of 5, were the timer exact
    # Without dropping, the wait of the last ones would be 60 * (0.05 - 0.01) = 2.4 s.
    assert np.median([pose.latency for pose in poses]) < 0.5


@pytest.mark.clock
def test_latency_is_the_time_from_the_frame_to_its_pose():
    for pose in PoseStream(Brightness(0.03), live(5, 0.06)):
        now = time.perf_counter()
        assert pose.latency >= 0.03
        assert pose.captured_at + pose.latency <= now


@pytest.mark.clock
def test_compiling_is_not_part_of_the_first_latency():
    estimator = Compiled()
    poses = list(PoseStream(estimator, [frame(1), frame(2)], drop=False))
    assert max(pose.latency for pose in poses) < 0.1
    assert len(poses) == 2
    assert estimator.n_calls == 4  # two to warm up


@pytest.mark.clock
def test_frames_are_played_at_a_rate():
    start = time.perf_counter()
    poses = list(PoseStream(Brightness(), [frame(i) for i in range(11)], frame_rate=50))
    assert time.perf_counter() - start >= 0.2
    captured = [pose.captured_at for pose in poses]
    assert np.diff(captured) == pytest.approx(0.02 * np.diff([pose.index for pose in poses]))


def test_callback_gets_each_pose_and_may_stop_the_stream():
    seen = []

    def callback(pose):
        seen.append(pose)
        if len(seen) == 3:
            stream.stop()

    stream = PoseStream(Brightness(), endless(), callback=callback)
    stream.run()
    assert len(seen) == 3
    assert not stream.is_running


def test_leaving_the_loop_stops_the_stream():
    stream = PoseStream(Brightness(), endless())
    for pose in stream:
        if pose.index >= 2:
            break
    assert not stream.is_running


def test_loops_in_a_with_block_go_on_where_the_last_one_ended():
    with PoseStream(Brightness(), (frame(i) for i in range(6)), drop=False) as stream:
        first = next(iter(stream))
        rest = list(stream)
    assert [first.index, *(pose.index for pose in rest)] == list(range(6))
    assert not stream.is_running


@pytest.mark.clock
def test_stop_from_another_thread_ends_the_loop():
    stream = PoseStream(Brightness(), live(10, 0.2))
    timer = threading.Timer(0.3, stream.stop)
    timer.start()
    start = time.perf_counter()
    assert len(list(stream)) <= 3
    assert time.perf_counter() - start < 1.5
    timer.join()


@pytest.mark.clock
def test_stopping_does_not_wait_for_a_slow_rate():
    stream = PoseStream(Brightness(), [frame(0)] * 5, frame_rate=0.2)
    start = time.perf_counter()
    next(iter(stream))
    stream.stop()
    assert time.perf_counter() - start < 1


def test_errors_of_the_source_come_after_the_poses_before_them():
    def source():
        yield frame(0)
        yield frame(1)
        raise OSError("cable")

    seen = []
    stream = PoseStream(Brightness(), source(), callback=seen.append, drop=False)
    with pytest.raises(OSError, match="cable"):
        stream.run()
    assert [pose.index for pose in seen] == [0, 1]
    assert not stream.is_running


def test_errors_of_the_callback_stop_the_stream():
    def callback(pose):
        raise RuntimeError("relay")

    stream = PoseStream(Brightness(), endless(), callback=callback)
    with pytest.raises(RuntimeError, match="relay"):
        stream.run()
    assert not stream.is_running


def test_errors_of_the_warm_up_leave_nothing_open():
    class Broken:
        def predict(self, X):
            raise ValueError("channels")

    with (
        pytest.raises(ValueError, match="channels"),
        PoseStream(Broken(), endless()),
    ):
        pass


def test_a_source_that_hangs_is_told(monkeypatch):
    monkeypatch.setattr("skpose.video_poses._stream._PATIENCE", 0.05)
    hangs = threading.Event()

    def source():
        yield frame(0)
        hangs.wait()

    stream = PoseStream(Brightness(), source()).start()
    with pytest.warns(UserWarning, match="cannot be stopped"):
        stream.stop()
    hangs.set()
    stream._grabber._thread.join()


def test_no_frames_give_no_poses():
    assert list(PoseStream(Brightness(), [])) == []


def test_pipelines_and_grey_frames_without_a_channel_axis():
    X = np.zeros((4, 16, 16, 1), dtype=np.uint8)
    y = np.arange(16.0).reshape(4, 2, 2)
    pipeline = make_pipeline(ImageResizer(scale=0.5), MeanPoseRegressor()).fit(X, y)
    (pose,) = PoseStream(pipeline, X[:1, ..., 0])
    np.testing.assert_allclose(pose.keypoints, y.mean(axis=0))
    assert pose.confidence is None
    assert pose.image.shape == (16, 16, 1)


@pytest.mark.clock
def test_videos_are_played_at_their_own_rate(tmp_path):
    pytest.importorskip("av")
    from skpose.video._encoder import write_mp4

    path = tmp_path / "grey.mp4"
    with write_mp4(path, (16, 16), 25) as write:
        for level in range(0, 240, 40):
            write(np.full((16, 16, 3), level, dtype=np.uint8))
    estimator = Brightness()
    estimator.image_shape_ = (16, 16, 1)
    for source in (path, str(path)):
        poses = list(PoseStream(estimator, source, drop=False))
        assert [round(pose.keypoints[0, 0] / 40) for pose in poses] == list(range(6))
        assert poses[0].image.shape == (16, 16, 1)
        assert poses[-1].captured_at - poses[0].captured_at >= 5 / 25 - 1e-6


class FakeCapture:
    """Stands for `cv2.VideoCapture`: gives blue frames (BGR)."""

    n_frames = 4

    def __init__(self, address):
        self.address = address
        self.is_released = False
        self.n_left = self.n_frames

    def isOpened(self):
        return self.address != 9

    def set(self, option, value):
        return True

    def grab(self):
        self.n_left -= 1
        return self.n_left >= 0

    def retrieve(self):
        image = np.zeros((4, 6, 3), dtype=np.uint8)
        image[..., 0] = 200
        return True, image

    def release(self):
        self.is_released = True


@pytest.fixture
def cv2(monkeypatch):
    cv2 = pytest.importorskip("cv2")
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    return cv2


def test_addresses_are_opened_with_opencv_and_colours_turned_to_rgb(cv2):
    stream = PoseStream(Brightness(), "rtsp://cage", drop=False)
    poses = list(stream)
    assert len(poses) == 3  # the first one was for the warm-up
    assert poses[0].image[0, 0].tolist() == [0, 0, 200]


def test_cameras_give_grey_frames_to_grey_estimators(cv2):
    estimator = Brightness()
    estimator.image_shape_ = (4, 6, 1)
    with PoseStream(estimator, "rtsp://cage", drop=False) as stream:
        pose = next(iter(stream))
        capture = stream._source._capture
    assert pose.image.shape == (4, 6, 1)
    assert pose.image[0, 0, 0] == round(0.114 * 200)
    assert capture.is_released


def test_a_camera_that_falls_silent_is_an_error(cv2):
    with pytest.raises(OSError, match="Camera 0 gives no frames any more"):
        list(PoseStream(Brightness(), 0))


@pytest.mark.parametrize(
    ("source", "options", "error", "message"),
    [
        (9, {}, OSError, "Camera 9 cannot be opened"),
        (0, {"frame_rate": 30}, ValueError, "cannot be set for a camera"),
        ([], {"frame_rate": 0}, ValueError, "above 0"),
        (1.5, {}, TypeError, "iterable of frames"),
    ],
)
def test_mistakes(cv2, source, options, error, message):
    with pytest.raises(error, match=message):
        list(PoseStream(Brightness(), source, **options))
