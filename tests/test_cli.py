from click.testing import CliRunner
import numpy as np
import pandas as pd
import pytest

import skpose
from skpose import _demo
from skpose.cli import main
from skpose.datasets import make_poses, write_annotations

SMALL = [
    "--set",
    "model__filters=4",
    "--set",
    "augmenter=None",
    "--batch-size",
    "4",
    "--seed",
    "0",
]


def _run(*arguments, ok=True):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert (result.exit_code == 0) == ok, result.output
    if not ok:
        assert "Traceback" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "labels.h5"
    poses = make_poses(8, image_size=32, random_state=0, return_bunch=True)
    write_annotations(path, poses.images, poses.keypoints, skeleton=poses.skeleton)
    return path


@pytest.fixture(scope="module")
def model_file(labels):
    path = labels.with_name("model.skpose")
    output = _run("train", labels, path, "--epochs", 1, *SMALL)
    assert "all bodyparts" in output
    return path


@pytest.mark.slow
def test_demo_reaches_two_pixels_and_draws_a_picture(tmp_path):
    output = _run("demo", "--out", tmp_path / "demo.png")
    (line,) = [line for line in output.splitlines() if line.startswith("all bodyparts")]
    assert float(line.split()[3]) < 2.0  # the mean error in pixels
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")


def test_demo_runs_with_little_work(tmp_path):
    errors, skeleton, figure = _demo.run_demo(n_samples=16, max_epochs=1)
    assert errors.shape == (60, len(skeleton))
    assert len(figure.axes) > 1


def test_train_writes_a_model_with_the_skeleton_of_the_labels(model_file):
    estimator = skpose.load(model_file)
    assert estimator.skeleton.names[0] == "snout"
    assert estimator.model.filters == 4
    assert estimator.n_iter_ == 1


def test_train_refuses_to_overwrite_and_resumes_when_told(labels, model_file, tmp_path):
    assert "--resume" in _run("train", labels, model_file, ok=False)
    path = tmp_path / "model.skpose"
    path.write_bytes(model_file.read_bytes())
    _run("train", labels, path, "--resume", "--epochs", 2)
    assert skpose.load(path).n_iter_ > 1


def test_evaluate_has_a_line_for_each_bodypart(labels, model_file):
    output = _run("evaluate", model_file, labels)
    assert "8 frames" in output
    for name in skpose.load(model_file).skeleton.names:
        assert f"\n{name}" in output


def test_predict_writes_deeplabcut_columns_and_arrays(labels, model_file, tmp_path):
    _run("predict", model_file, labels, "-o", tmp_path / "poses.csv")
    _run("predict", model_file, labels, "-o", tmp_path / "poses.npz")
    table = pd.read_csv(tmp_path / "poses.csv", header=[0, 1, 2], index_col=0)
    assert table.columns.names == ["scorer", "bodyparts", "coords"]
    with np.load(tmp_path / "poses.npz") as file:
        arrays = dict(file)
    assert arrays["keypoints"].shape == (8, 13, 2)
    np.testing.assert_allclose(
        table.xs("x", axis=1, level="coords").to_numpy(), arrays["keypoints"][..., 0]
    )
    np.testing.assert_allclose(
        table.xs("likelihood", axis=1, level="coords").to_numpy(), arrays["confidence"]
    )
    assert "exists" in _run("predict", model_file, labels, "-o", tmp_path / "poses.csv", ok=False)


def test_predict_takes_image_files(model_file, tmp_path):
    cv2 = pytest.importorskip("cv2")
    images, _ = make_poses(2, image_size=32, random_state=5)
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for path, image in zip(paths, images, strict=True):
        cv2.imwrite(str(path), image)
    _run("predict", model_file, *paths, "-o", tmp_path / "poses.csv")
    table = pd.read_csv(tmp_path / "poses.csv", header=[0, 1, 2], index_col=0)
    assert list(table.index) == [str(path) for path in paths]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    av = pytest.importorskip("av")
    images, _ = make_poses(20, image_size=32, random_state=0)
    paths = [tmp_path_factory.mktemp("videos") / name for name in ("a.mp4", "b.mp4")]
    for path in paths:
        with av.open(str(path), "w") as file:
            stream = file.add_stream("libx264", rate=25, width=32, height=32)
            for image in images:
                image = np.repeat(image, 4 - image.shape[-1], axis=2)[..., :3]
                file.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            file.mux(stream.encode())
    return paths


def test_predict_takes_a_video(model_file, videos, tmp_path):
    out = tmp_path / "poses.csv"
    output = _run("predict", model_file, videos[0], "-o", out, "--step", 2)
    assert "20 frames" not in output  # every second
    table = pd.read_csv(out, header=[0, 1, 2], index_col=0)
    assert list(table.index) == list(range(0, 20, 2))
    assert "exists" in _run("predict", model_file, videos[0], "-o", out, ok=False)
    _run("predict", model_file, videos[0], "-o", out, "--overwrite", "--region", 4, 4, 24, 24)
    assert len(pd.read_csv(out, header=[0, 1, 2], index_col=0)) == 20


def test_predict_takes_several_videos(model_file, videos, tmp_path):
    _run("predict", model_file, *videos, "-o", tmp_path / "out", "--format", "npz", "--jobs", 1)
    for path in videos:
        with np.load(tmp_path / "out" / f"{path.stem}.npz") as file:
            assert file["keypoints"].shape == (20, 13, 2)
    output = _run("predict", model_file, *videos, "-o", tmp_path / "poses.csv", ok=False)
    assert "folder" in output


def test_predict_of_a_video_is_stopped_and_goes_on(model_file, videos, tmp_path, monkeypatch):
    out = tmp_path / "poses.npz"
    predict = skpose.PoseEstimator.predict
    n_frames = []

    def stop(self, X, **options):
        if len(n_frames) == 2:
            raise KeyboardInterrupt
        n_frames.append(len(X))
        return predict(self, X, return_confidence=True)

    def stop_at_third(self, X, *, return_confidence=False, batch_size=None):
        return stop(self, X)

    monkeypatch.setattr(skpose.PoseEstimator, "predict", stop_at_third)
    output = _run("predict", model_file, videos[0], "-o", out, "--batch-size", 8, ok=False)
    assert "first 16 of 20 frames are kept" in output
    n_frames.clear()
    _run("predict", model_file, videos[0], "-o", out)
    assert n_frames == [4]


def test_an_exported_model_predicts_as_the_model_does(model_file, videos, labels, tmp_path):
    exported = tmp_path / "mouse.onnx"
    assert "13 keypoints" in _run("export", model_file, exported)
    assert "--overwrite" in _run("export", model_file, exported, ok=False)
    assert "exported already" in _run("export", exported, tmp_path / "again.onnx", ok=False)
    tables = []
    for path in (model_file, exported):
        out = tmp_path / f"{path.suffix[1:]}.csv"
        _run("predict", path, videos[0], "-o", out)
        tables.append(pd.read_csv(out, header=[0, 1, 2], index_col=0))
    np.testing.assert_allclose(tables[1], tables[0], atol=0.02)
    assert _run("evaluate", exported, labels).split()[0] == "8"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "LABELS", "m", "--model", "resnt"], "Unknown model 'resnt'"),
        (["train", "LABELS", "m", "--set", "bach_size=3"], "Did you mean 'batch_size'"),
        (["train", "LABELS", "m", "--set", "verbose"], "NAME=VALUE"),
        (["evaluate", "LABELS", "LABELS"], "no skpose model"),
        (["evaluate", "MODEL", "MODEL"], "MODEL"),
        (["predict", "MODEL", "LABELS", "-o", "poses.xls"], ".csv, .h5 or .npz"),
        (["predict", "MODEL", "LABELS", "LABELS", "-o", "poses.csv"], "videos alone"),
        (["train", "nowhere.h5", "m"], "nowhere.h5"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments, message, labels, model_file):
    paths = {"LABELS": labels, "MODEL": model_file}
    output = _run(*(paths.get(argument, argument) for argument in arguments), ok=False)
    assert str(paths.get(message, message)) in output


@pytest.mark.data
def test_train_on_a_deeplabcut_project(data_dir, tmp_path):
    path = tmp_path / "model.skpose"
    project = data_dir / "openfield"
    output = _run("train", project, path, "--epochs", 1, *SMALL, "--set", "model__n_transitions=3")
    assert "leftear" in output
