from contextlib import contextmanager
import errno
import inspect
import io
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

from helpers import small_estimator
import joblib
import numpy as np
import pandas as pd
import pytest

import skpose
from skpose import _predictor
from skpose._background import read_ahead
from skpose.baseline import MeanPoseRegressor
from skpose.poses import read_poses, to_numpy, write_rows
from skpose.video import VideoFrames
from skpose.video_poses import predict_video, predict_videos
from skpose.video_poses._part_file import PartFile


class Estimator:
    """Finds where bright pixels are: cheap, and another place in every frame."""

    n_keypoints_ = 2
    skeleton = None

    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def predict(self, X, *, return_confidence=False):
        time.sleep(self.seconds)
        weights = np.asarray(X, dtype=float).mean(axis=3)
        height, width = weights.shape[1:]
        total = weights.sum(axis=(1, 2))
        y = (weights.sum(axis=2) * np.arange(height)).sum(axis=1) / total
        x = (weights.sum(axis=1) * np.arange(width)).sum(axis=1) / total
        keypoints = np.stack([np.stack([x, y], 1), np.stack([x + 1, y], 1)], axis=1)
        confidence = np.stack([x / width, y / height], axis=1)
        return (keypoints, confidence) if return_confidence else keypoints


SLOWLY = f"""
import sys, time
import numpy as np
from skpose._predictor import Predictor
from skpose.video_poses import _part_file, predict_video
{inspect.getsource(Estimator)}
_part_file.PartFile.__init__.__kwdefaults__["interval"] = 0.05
Predictor.fingerprint = lambda self: "same"
predict_video(Estimator(0.05), sys.argv[1], out=sys.argv[2], batch_size=2)
"""


def read_csv(path):
    return pd.read_csv(path, header=[0, 1, 2], index_col=0)


def poses_of(table):
    return table.to_numpy().reshape(len(table), -1, 3)


@pytest.fixture(scope="module")
def expected(video):
    keypoints, confidence = Estimator().predict(np.asarray(VideoFrames(video)), return_confidence=1)
    return np.concatenate([keypoints, confidence[..., np.newaxis]], axis=2).astype(np.float32)


def test_poses_of_all_frames_are_returned(video, expected):
    poses = predict_video(Estimator(), video, batch_size=7)
    keypoints, confidence = to_numpy(poses)
    np.testing.assert_allclose(keypoints, expected[..., :2], rtol=1e-6)
    np.testing.assert_allclose(confidence, expected[..., 2], rtol=1e-6)
    assert keypoints.dtype == np.float32
    assert poses.attrs["fps"] == 25
    np.testing.assert_allclose(poses["time"], np.arange(60) / 25, atol=1e-6)
    np.testing.assert_array_equal(poses["frame"], range(60))
    assert poses["keypoint"].values.tolist() == ["keypoint_0", "keypoint_1"]


def test_frames_can_be_given_in_place_of_a_file(video, expected, tmp_path):
    X = np.asarray(VideoFrames(video))
    poses = predict_video(Estimator(), X)
    np.testing.assert_allclose(to_numpy(poses)[0], expected[..., :2], rtol=1e-6)
    assert poses.attrs["time_unit"] == "frames"
    out = predict_video(Estimator(), VideoFrames(video, step=7), out=tmp_path / "poses.csv")
    np.testing.assert_array_equal(read_poses(out)["frame"], range(0, 60, 7))
    with pytest.raises(ValueError, match="region and step belong to a video file"):
        predict_video(Estimator(), X, step=2)


@pytest.mark.backend
@pytest.mark.slow
def test_a_network_predicts_a_video_as_it_does_its_frames(video, tmp_path):
    X = np.asarray(VideoFrames(video))
    y = np.tile([[8.0, 8.0], [20.0, 12.0]], (len(X), 1, 1))
    estimator = small_estimator(max_epochs=1).fit(X[:8], y[:8])
    estimator.save(tmp_path / "model.skpose")
    out = predict_video(skpose.load(tmp_path / "model.skpose"), video, out=tmp_path / "poses.csv")
    np.testing.assert_allclose(to_numpy(read_poses(out))[0], estimator.predict(X), atol=1e-2)


def n_entries(estimator, video, batch_size):
    """How often another module calls into `_predictor.py` while a video is predicted."""
    entries = []

    def watch(frame, event, argument):
        if event == "call" and frame.f_code.co_filename == _predictor.__file__:
            entries.append(frame.f_back.f_code.co_filename != _predictor.__file__)

    sys.setprofile(watch)
    try:
        predict_video(estimator, video, batch_size=batch_size)
    finally:
        sys.setprofile(None)
    return sum(entries)


def test_an_estimator_is_asked_once_a_batch(video):
    few, many = (n_entries(Estimator(), video, batch_size) for batch_size in (30, 5))
    assert many - few == 12 - 2  # batches of 60 frames


def test_csv_has_the_columns_of_deeplabcut(video, expected, tmp_path):
    out = predict_video(Estimator(), video, out=tmp_path / "poses.csv")
    assert out == tmp_path / "poses.csv"
    table = read_csv(out)
    assert table.columns.names == ["scorer", "bodyparts", "coords"]
    assert list(table.columns[:3]) == [
        ("skpose", "keypoint_0", coordinate) for coordinate in ("x", "y", "likelihood")
    ]
    np.testing.assert_array_equal(table.index, range(60))
    np.testing.assert_allclose(poses_of(table), expected, rtol=1e-6)
    assert os.listdir(tmp_path) == ["poses.csv"]


def test_npz_has_arrays(video, expected, tmp_path):
    with np.load(predict_video(Estimator(), video, out=tmp_path / "poses.npz")) as file:
        np.testing.assert_allclose(file["keypoints"], expected[..., :2], rtol=1e-6)
        np.testing.assert_allclose(file["confidence"], expected[..., 2], rtol=1e-6)
        assert list(file["names"]) == ["keypoint_0", "keypoint_1"]
        np.testing.assert_array_equal(file["frames"], range(60))


def test_hdf5_is_read_by_pandas(video, expected, tmp_path):
    pytest.importorskip("tables")
    table = pd.read_hdf(predict_video(Estimator(), video, out=tmp_path / "poses.h5"))
    assert table.columns.names == ["scorer", "bodyparts", "coords"]
    np.testing.assert_array_equal(table.index, range(60))
    np.testing.assert_allclose(poses_of(table), expected, rtol=1e-6)


def test_hdf5_has_the_layout_of_pandas(video, expected, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(predict_video(Estimator(), video, out=tmp_path / "poses.h5")) as file:
        group = file["df_with_missing"]
        assert group.attrs["pandas_type"] == b"frame"
        assert group.attrs["axis0_variety"] == b"multi"
        columns = [
            group[f"axis0_level{i}"][:][group[f"axis0_label{i}"][:]].astype(str) for i in range(3)
        ]
        np.testing.assert_allclose(group["block0_values"][:], expected.reshape(60, 6), rtol=1e-6)
        np.testing.assert_array_equal(group["axis1"], range(60))
        for name in group:
            assert group[name].attrs["CLASS"] == b"ARRAY"
    assert list(columns[1]) == ["keypoint_0"] * 3 + ["keypoint_1"] * 3
    assert list(columns[2]) == ["x", "y", "likelihood"] * 2


def test_region_moves_no_keypoint_and_step_keeps_the_numbers_of_frames(video, tmp_path):
    X = np.asarray(VideoFrames(video, region=(16, 4, 40, 20), step=9))
    expected = Estimator().predict(X) + [16, 4]
    out = predict_video(
        Estimator(), video, out=tmp_path / "poses.csv", region=(16, 4, 40, 20), step=9
    )
    table = read_csv(out)
    np.testing.assert_array_equal(table.index, range(0, 60, 9))
    np.testing.assert_allclose(poses_of(table)[..., :2], expected, rtol=1e-6)


def test_an_estimator_without_confidence_has_nan(video):
    class Plain(Estimator):
        def predict(self, X):
            return super().predict(X)

    keypoints, confidence = to_numpy(predict_video(Plain(), video))
    assert np.isfinite(keypoints).all()
    assert np.isnan(confidence).all()


def test_it_refuses_to_overwrite_before_any_work(video, tmp_path):
    out = tmp_path / "poses.csv"
    out.write_text("mine")
    with pytest.raises(FileExistsError, match=r"poses\.csv exists"):
        predict_video(None, video, out=out)
    with pytest.raises(ValueError, match="holds something else than poses"):
        predict_video(None, video, out=out, overwrite=True)
    assert out.read_text() == "mine"
    out.write_text("scorer,of,earlier,poses")
    predict_video(Estimator(), video, out=out, overwrite=True)
    assert len(read_csv(out)) == 60


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"out": "poses.xls"}, ValueError, r"\.csv, \.h5, \.npz"),
        ({"out": "nowhere/poses.csv"}, FileNotFoundError, "folder"),
        ({"batch_size": 0}, ValueError, "batch_size"),
    ],
)
def test_wrong_options_are_told_before_any_work(options, error, message, video, monkeypatch):
    monkeypatch.setattr("skpose.video_poses._predict_video.open_video", None)
    with pytest.raises(error, match=message):
        predict_video(Estimator(), video, **options)


def run_and_kill(video, out, when):
    """Predict slowly in another process, and kill that once `when` is true."""
    process = subprocess.Popen([sys.executable, "-c", SLOWLY, str(video), str(out)])
    with process:
        deadline = time.monotonic() + 60
        while not when() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


class Counting(Estimator):
    n_frames = 0

    def predict(self, X, *, return_confidence=False):
        self.n_frames += len(X)
        return super().predict(X, return_confidence=return_confidence)


@pytest.mark.clock
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_killed_run_goes_on_where_it_stopped(video, expected, tmp_path, monkeypatch):
    out, part = tmp_path / "poses.csv", tmp_path / "poses.csv.part"
    run_and_kill(video, out, lambda: part.exists() and part.stat().st_size > 4096 + 24 * 20)
    assert not out.exists()
    monkeypatch.setattr("skpose._predictor.Predictor.fingerprint", lambda self: "same")
    estimator = Counting()
    predict_video(estimator, video, out=out, batch_size=2)
    assert 0 < estimator.n_frames <= 60 - 15
    whole = predict_video(Estimator(), video, out=tmp_path / "whole.csv")
    assert out.read_bytes() == whole.read_bytes()
    np.testing.assert_allclose(poses_of(read_csv(out)), expected, rtol=1e-6)
    assert sorted(os.listdir(tmp_path)) == ["poses.csv", "whole.csv"]


class Stopping(Estimator):
    """Stops at the third batch."""

    def __init__(self, error):
        super().__init__()
        self.error = error
        self.n_calls = 0

    def predict(self, X, *, return_confidence=False):
        self.n_calls += 1
        if self.n_calls == 3:
            raise self.error
        return super().predict(X, return_confidence=return_confidence)


@pytest.fixture
def same_estimator(monkeypatch):
    monkeypatch.setattr("skpose._predictor.Predictor.fingerprint", lambda self: "same")


@pytest.mark.usefixtures("same_estimator")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no poses")])
def test_a_stopped_run_says_how_to_go_on_and_does(error, video, expected, tmp_path):
    out = tmp_path / "poses.npz"
    with pytest.raises(type(error)) as caught:
        predict_video(Stopping(error), video, out=out, batch_size=8)
    assert "first 16 of 60 frames are kept in" in caught.value.__notes__[-1]
    estimator = Counting()
    predict_video(estimator, video, out=out)
    assert estimator.n_frames == 44
    with np.load(out) as file:
        np.testing.assert_allclose(file["keypoints"], expected[..., :2], rtol=1e-6)


@pytest.mark.usefixtures("same_estimator")
def test_a_run_that_stops_at_once_leaves_nothing(video, tmp_path):
    estimator = Stopping(ValueError("no poses"))
    estimator.n_calls = 2
    with pytest.raises(ValueError, match="no poses"):
        predict_video(estimator, video, out=tmp_path / "b.csv")
    assert not (tmp_path / "b.csv.part").exists()


def test_a_part_of_something_else_is_not_gone_on_with(video, numbered, tmp_path):
    out = tmp_path / "poses.csv"
    with pytest.raises(KeyboardInterrupt):
        predict_video(Stopping(KeyboardInterrupt()), video, out=out, batch_size=8)
    other = numbered.write(tmp_path / "other.mp4", 20)
    with pytest.raises(ValueError, match=r"another video and estimator.*resume=False"):
        predict_video(Estimator(), other, out=out)
    with pytest.raises(ValueError, match="another step"):
        predict_video(Stopping(KeyboardInterrupt()), video, out=out, step=2)
    predict_video(Estimator(), other, out=out, resume=False)
    assert len(read_csv(out)) == 20


@pytest.mark.parametrize("content", [b"my own notes" * 10, b"short"])
@pytest.mark.parametrize("resume", [False, True])
def test_a_foreign_file_in_the_place_of_the_part_is_kept(video, tmp_path, content, resume):
    (tmp_path / "poses.csv.part").write_bytes(content)
    with pytest.raises(ValueError, match="no unfinished prediction of skpose"):
        predict_video(Estimator(), video, out=tmp_path / "poses.csv", resume=resume)
    assert (tmp_path / "poses.csv.part").read_bytes() == content


def test_a_part_that_had_just_begun_is_begun_anew(video, tmp_path):
    (tmp_path / "poses.csv.part").write_bytes(b"skpo")
    assert len(read_csv(predict_video(Estimator(), video, out=tmp_path / "poses.csv"))) == 60


def test_part_file_counts_only_what_is_safe(tmp_path):
    poses = np.arange(60, dtype=np.float32).reshape(10, 2, 3)
    part = PartFile(tmp_path / "part", {"video": "a"}, n_keypoints=2, interval=1e9)
    part.append(poses[:4])
    part.flush()
    part.append(poses[4:])
    part._file.flush()
    part._file.close()  # as if it was killed before the rest was counted
    with PartFile(tmp_path / "part", {"video": "a"}, n_keypoints=2) as part:
        assert part.n_done == 4
        part.append(poses[4:])
        np.testing.assert_array_equal(part.poses(), poses)


@contextmanager
def limit_of_files(n_bytes):
    """Let no file of this process grow beyond so many bytes, as on a full disk."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("same_estimator")
def test_a_full_disk_is_told_with_what_is_kept_and_prediction_goes_on(video, tmp_path, monkeypatch):
    monkeypatch.setitem(PartFile.__init__.__kwdefaults__, "interval", 0.0)
    out, part = tmp_path / "poses.csv", tmp_path / "poses.csv.part"
    options = {"out": out, "batch_size": 4}
    with limit_of_files(4096 + 24 * 30), pytest.raises(OSError, match="no room left") as caught:
        predict_video(Estimator(), video, **options)
    assert caught.value.filename == str(part)
    assert "first 28 of 60 frames are kept" in caught.value.__notes__[-1]
    estimator = Counting()
    predict_video(estimator, video, **options)
    assert estimator.n_frames == 60 - 28
    whole = predict_video(Estimator(), video, out=tmp_path / "whole.csv")
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.usefixtures("same_estimator")
def test_a_video_that_another_process_predicts_stops_no_others(videos, tmp_path):
    pytest.importorskip("fcntl")
    with (
        PartFile(tmp_path / "b.csv.part", {}, n_keypoints=2),
        pytest.raises(ValueError, match=r"1 of 3 videos .*Another process"),
    ):
        predict_videos(Estimator(), videos, out=tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["a.csv", "c.csv"]


def test_a_part_is_written_by_one_process_at_a_time(tmp_path):
    pytest.importorskip("fcntl")
    with (
        PartFile(tmp_path / "part", {}, n_keypoints=1),
        pytest.raises(BlockingIOError, match="Another process .*part"),
    ):
        PartFile(tmp_path / "part", {}, n_keypoints=1)


def test_windows_keeps_other_processes_off_a_part_by_a_lock_on_one_byte(tmp_path, monkeypatch):
    """With a stand-in for the module of Windows, whose locks belong to an open file."""
    holders = []

    def locking(descriptor, mode, n_bytes):
        assert (mode, n_bytes) == (2, 1)
        if holders:
            raise PermissionError(errno.EACCES, "Permission denied")
        holders.append(os.lseek(descriptor, 0, os.SEEK_CUR))

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))
    with PartFile(tmp_path / "part", {}, n_keypoints=1) as part:
        part.append(np.ones((2, 1, 3)))
        with pytest.raises(BlockingIOError, match="Another process predicts the same video"):
            PartFile(tmp_path / "part", {}, n_keypoints=1)
    holders.clear()
    with PartFile(tmp_path / "part", {}, n_keypoints=1) as part:
        assert part.n_done == 2
    assert holders[0] > 2 * 10**9  # no poses are there, which a reader could then not have


def test_few_frames_are_decoded_ahead_of_a_slow_estimator():
    decoded = []

    def batches():
        for i in range(100):
            decoded.append(i)
            yield i

    items = read_ahead(batches(), 2)
    for i in range(5):
        assert next(items) == i
        time.sleep(0.02)
        assert len(decoded) <= i + 1 + 2 + 1  # given, waiting, in the hands of the thread
    items.close()
    assert "skpose-decoder" not in [thread.name for thread in threading.enumerate()]


def test_an_error_of_the_writer_reaches_the_caller(video, tmp_path, monkeypatch):
    def fail(self, poses):
        raise OSError("disk full")

    monkeypatch.setattr(PartFile, "append", fail)
    with pytest.raises(OSError, match="disk full"):
        predict_video(Estimator(), video, out=tmp_path / "poses.csv", batch_size=2)


def test_a_warning_about_the_video_reaches_the_caller(numbered, tmp_path):
    path = numbered.write(
        tmp_path / "whole.mp4", container_options={"movflags": "faststart"}, options={"bf": "0"}
    )
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.warns(UserWarning, match="cut short"):
        poses = predict_video(Estimator(), path)
    assert 0 < poses.sizes["time"] < 60


@pytest.fixture
def videos(numbered, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    return [numbered.write(folder / f"{name}.mp4", 10 + i) for i, name in enumerate("abc")]


def test_many_videos_are_written_to_a_folder(videos, tmp_path):
    with joblib.parallel_config(backend="threading"):
        outs = predict_videos(Estimator(), videos, out=tmp_path / "out", n_jobs=2)
    assert [path.name for path in outs] == ["a.csv", "b.csv", "c.csv"]
    assert sorted(os.listdir(tmp_path / "out")) == ["a.csv", "b.csv", "c.csv"]
    for i, (video, out) in enumerate(zip(videos, outs, strict=True)):
        assert len(read_csv(out)) == 10 + i
        expected = Estimator().predict(np.asarray(VideoFrames(video)))
        np.testing.assert_allclose(poses_of(read_csv(out))[..., :2], expected, rtol=1e-6)


@pytest.fixture(scope="module")
def mean_pose():
    """An estimator that other processes can import; it gives the same pose for each frame."""
    y = np.arange(12.0).reshape(2, 3, 2)
    return MeanPoseRegressor().fit(np.zeros((2, 8, 8, 3), np.uint8), y)


def check_mean_poses(outs):
    for i, out in enumerate(outs):
        expected = np.broadcast_to([[3, 4], [5, 6], [7, 8]], (10 + i, 3, 2))
        with np.load(out) as file:
            np.testing.assert_array_equal(file["keypoints"], expected)


def test_many_videos_in_several_processes(mean_pose, videos, tmp_path):
    check_mean_poses(predict_videos(mean_pose, videos, out=tmp_path, ending=".npz", n_jobs=2))


@pytest.mark.slow
def test_many_videos_on_a_dask_cluster(mean_pose, videos, tmp_path):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    options = {"dashboard_address": None, "local_directory": str(tmp_path), "host": "127.0.0.1"}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        check_mean_poses(predict_videos(mean_pose, videos, out=tmp_path / "out", ending=".npz"))


@pytest.mark.usefixtures("same_estimator")
def test_many_videos_go_on_after_a_kill(videos, tmp_path):
    estimator = Stopping(KeyboardInterrupt())  # at the third video
    with pytest.raises(KeyboardInterrupt):
        predict_videos(estimator, videos, out=tmp_path)
    estimator = Counting()
    outs = predict_videos(estimator, videos, out=tmp_path)
    assert estimator.n_frames == 12
    assert [len(read_csv(out)) for out in outs] == [10, 11, 12]
    assert not list(tmp_path.glob("*.done"))
    with pytest.raises(FileExistsError, match=r"a\.csv exists"):
        predict_videos(estimator, videos, out=tmp_path)


def test_a_bad_video_does_not_stop_the_others(videos, tmp_path):
    videos[1].write_text("no video")
    with pytest.raises(ValueError, match=r"1 of 3 videos could not be .*b\.mp4 cannot be read"):
        predict_videos(Estimator(), videos, out=tmp_path / "out")
    assert len(read_csv(tmp_path / "out" / "c.csv")) == 12


def test_mistakes_with_many_videos_are_told_before_any_work(videos, tmp_path):
    with pytest.raises(ValueError, match=r"Several videos would be written to a\.csv"):
        predict_videos(None, [*videos, "elsewhere/a.avi"], out=tmp_path)
    with pytest.raises(ValueError, match="ending"):
        predict_videos(None, videos, out=tmp_path, ending="csv")
    with pytest.raises(FileNotFoundError, match="1 of 4 videos"):
        predict_videos(None, [*videos, "nowhere.mp4"], out=tmp_path)
    (tmp_path / "b.csv").write_text("mine")
    with pytest.raises(FileExistsError, match=r"b\.csv"):
        predict_videos(None, videos, out=tmp_path)


def test_progress_is_a_bar_in_a_terminal(video, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    predict_video(Estimator(), video, verbose=1)
    assert "60/60" in terminal.getvalue()
    assert "frames/s" in terminal.getvalue()


@pytest.mark.parametrize("ending", [".csv", ".h5", ".npz"])
def test_tables_are_written_in_blocks(ending, tmp_path, monkeypatch):
    poses = np.random.default_rng(0).normal(size=(25, 3, 3)).astype(np.float32)
    names = ["snout", "ear_é", "tail"]
    write_rows(tmp_path / f"whole{ending}", poses, names=names)
    monkeypatch.setattr("skpose.poses._write._BLOCK", 4)
    write_rows(tmp_path / f"blocks{ending}", poses, names=names)
    contents = [(tmp_path / f"{name}{ending}").read_bytes() for name in ("whole", "blocks")]
    if ending == ".npz":  # compressed in other portions, with a time of writing
        with np.load(tmp_path / "blocks.npz") as file:
            np.testing.assert_array_equal(file["keypoints"], poses[..., :2])
    else:
        assert contents[0] == contents[1]


@pytest.mark.data
def test_predict_a_real_video(data_dir, tmp_path):
    path = data_dir / "flypair" / "flypair.mp4"
    predict_video(Estimator(), path, out=tmp_path / "poses.csv", step=100)
    keypoints = poses_of(read_csv(tmp_path / "poses.csv"))[..., :2]
    expected = Estimator().predict(VideoFrames(path)[[0, 700]])
    np.testing.assert_allclose(keypoints[[0, 7]], expected, rtol=1e-6)


@pytest.mark.parametrize("ending", [".nc", ".nwb", ".slp", ".analysis.h5", ".json"])
def test_poses_go_to_formats_of_other_programs(video, expected, tmp_path, ending):
    if ending in (".slp", ".analysis.h5"):
        sio = pytest.importorskip("sleap_io")
    if ending == ".nwb":
        pytest.importorskip("ndx_pose")
    out = predict_video(Estimator(), video, out=tmp_path / f"poses{ending}")
    keypoints, confidence = to_numpy(read_poses(out))
    np.testing.assert_array_equal(keypoints, expected[..., :2])
    np.testing.assert_array_equal(confidence, expected[..., 2])
    if ending == ".slp":
        assert sio.load_slp(str(out), open_videos=False).videos[0].filename == str(video)
    assert list(tmp_path.iterdir()) == [out]
