import time
from types import SimpleNamespace
import warnings

import click
from click.testing import CliRunner
from helpers import mean_error, run, write_video
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

import skpose
from skpose import Skeleton, _demo
from skpose.augment import Augmenter
from skpose.cli import _train, main
from skpose.datasets import make_poses, read_annotations, write_annotations
from skpose.metrics import mean_keypoint_error
from skpose.poses import read_poses, to_numpy
from skpose.preprocessing import ImageResizer, without_those_outside
from skpose.video_poses import PoseStream

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


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "labels.h5"
    poses = make_poses(8, image_size=32, random_state=0, return_bunch=True)
    write_annotations(path, poses.images, poses.keypoints, skeleton=poses.skeleton)
    return path


@pytest.fixture(scope="module")
def model_file(labels):
    path = labels.with_name("model.skpose")
    output = run("train", labels, path, "--epochs", 1, *SMALL)
    assert "all bodyparts" in output
    return path


@pytest.mark.slow
def test_demo_reaches_two_pixels_and_draws_a_picture(tmp_path):
    output = run("demo", "--out", tmp_path / "demo.png")
    (line,) = [line for line in output.splitlines() if line.startswith("all bodyparts")]
    assert float(line.split()[3]) < 2.0  # the mean error in pixels
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_demo_runs_with_little_work(tmp_path):
    errors, skeleton, figure = _demo.run_demo(n_samples=16, max_epochs=1)
    assert errors.shape == (60, len(skeleton))
    assert len(figure.axes) > 1


@pytest.mark.slow
def test_train_writes_a_model_with_the_skeleton_of_the_labels(model_file):
    estimator = skpose.load(model_file)
    assert estimator.skeleton.names[0] == "snout"
    assert estimator.model.filters == 4
    assert estimator.n_iter_ == 1


@pytest.mark.slow
def test_train_refuses_to_overwrite_and_resumes_when_told(labels, model_file, tmp_path):
    assert "--resume" in run("train", labels, model_file, ok=False)
    path = tmp_path / "model.skpose"
    path.write_bytes(model_file.read_bytes())
    run("train", labels, path, "--resume", "--epochs", 2)
    assert skpose.load(path).n_iter_ > 1


@pytest.mark.slow
def test_train_ends_when_its_minutes_are_over(labels, tmp_path):
    start = time.monotonic()
    run("train", labels, tmp_path / "model.skpose", "--minutes", 0.1, *SMALL)
    took = time.monotonic() - start
    model = skpose.load(tmp_path / "model.skpose")
    assert model.minutes_ <= took / 60
    assert model.max_minutes == 0.1
    assert 5 < took < 40  # a step may be long, and then the model is saved and evaluated
    assert "--minutes" in run("train", labels, tmp_path / "m", "--minutes", 0, ok=False)


def test_evaluate_has_a_line_for_each_bodypart(labels, model_file):
    output = run("evaluate", model_file, labels)
    assert "frames trained on" in output
    for name in skpose.load(model_file).skeleton.names:
        assert f"\n{name}" in output


@pytest.mark.slow
def test_predict_writes_deeplabcut_columns_and_arrays(labels, model_file, tmp_path):
    run("predict", model_file, labels, "-o", tmp_path / "poses.csv")
    run("predict", model_file, labels, "-o", tmp_path / "poses.npz")
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
    assert "exists" in run("predict", model_file, labels, "-o", tmp_path / "poses.csv", ok=False)


def test_predict_takes_image_files(model_file, tmp_path):
    cv2 = pytest.importorskip("cv2")
    images, _ = make_poses(2, image_size=32, random_state=5)
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for path, image in zip(paths, images, strict=True):
        cv2.imwrite(str(path), image)
    run("predict", model_file, *paths, "-o", tmp_path / "poses.csv")
    table = pd.read_csv(tmp_path / "poses.csv", header=[0, 1, 2], index_col=0)
    assert list(table.index) == [str(path) for path in paths]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    images, _ = make_poses(20, image_size=32, random_state=0)
    images = np.broadcast_to(images, (20, 32, 32, 3))
    folder = tmp_path_factory.mktemp("videos")
    return [write_video(folder / name, images) for name in ("a.mp4", "b.mp4")]


@pytest.mark.slow
def test_predict_takes_a_video(model_file, videos, tmp_path):
    out = tmp_path / "poses.csv"
    output = run("predict", model_file, videos[0], "-o", out, "--step", 2)
    assert "20 frames" not in output  # every second
    table = pd.read_csv(out, header=[0, 1, 2], index_col=0)
    assert list(table.index) == list(range(0, 20, 2))
    assert "exists" in run("predict", model_file, videos[0], "-o", out, ok=False)
    run("predict", model_file, videos[0], "-o", out, "--overwrite", "--region", "4,4,24,24")
    assert len(pd.read_csv(out, header=[0, 1, 2], index_col=0)) == 20


def test_predict_takes_several_videos(model_file, videos, tmp_path):
    run("predict", model_file, *videos, "-o", tmp_path / "out", "--format", "npz", "--jobs", 1)
    for path in videos:
        with np.load(tmp_path / "out" / f"{path.stem}.npz") as file:
            assert file["keypoints"].shape == (20, 13, 2)
    output = run("predict", model_file, *videos, "-o", tmp_path / "poses.csv", ok=False)
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
    output = run("predict", model_file, videos[0], "-o", out, "--batch-size", 8, ok=False)
    assert "first 16 of 20 frames are kept" in output
    n_frames.clear()
    run("predict", model_file, videos[0], "-o", out)
    assert n_frames == [4]


@pytest.mark.slow
def test_an_exported_model_predicts_as_the_model_does(model_file, videos, labels, tmp_path):
    exported = tmp_path / "mouse.onnx"
    assert "13 keypoints" in run("export", model_file, exported)
    assert "--overwrite" in run("export", model_file, exported, ok=False)
    assert "exported already" in run("export", exported, tmp_path / "again.onnx", ok=False)
    tables = []
    for path in (model_file, exported):
        out = tmp_path / f"{path.suffix[1:]}.csv"
        run("predict", path, videos[0], "-o", out)
        tables.append(pd.read_csv(out, header=[0, 1, 2], index_col=0))
    np.testing.assert_allclose(tables[1], tables[0], atol=0.02)
    assert run("evaluate", exported, labels).split()[0] == "8"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "LABELS", "m", "--model", "resnt"], "Unknown model 'resnt'"),
        (["train", "LABELS", "m", "--set", "bach_size=3"], "Did you mean 'batch_size'"),
        (["train", "LABELS", "m", "--set", "verbose"], "NAME=VALUE"),
        (["evaluate", "LABELS", "LABELS"], "no skpose model"),
        (["evaluate", "MODEL", "MODEL"], "MODEL"),
        (["predict", "MODEL", "LABELS", "-o", "poses.xls"], ".csv, .h5, .npz"),
        (["predict", "MODEL", "LABELS", "LABELS", "-o", "poses.csv"], "videos alone"),
        (["train", "nowhere.h5", "m"], "nowhere.h5"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments, message, labels, model_file):
    paths = {"LABELS": labels, "MODEL": model_file}
    output = run(*(paths.get(argument, argument) for argument in arguments), ok=False)
    assert str(paths.get(message, message)) in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "MODEL", "LABELS", "-o", "a.csv", "--step", "2"], "--step does not apply to"),
        (["predict", "MODEL", "LABELS", "-o", "a.csv", "--region", "1,2,3,4"], "--region does not"),
        (["predict", "MODEL", "LABELS", "-o", "a.csv", "--no-resume"], "--no-resume does not"),
        (["predict", "MODEL", "VIDEO", "-o", "a.csv", "--jobs", "2"], "--jobs does not apply to a"),
        (["predict", "MODEL", "VIDEO", "-o", "a.csv", "--region", "1,2"], "X,Y,WIDTH,HEIGHT"),
        (["predict", "MODEL", "VIDEO", "-o", "a.csv", "--region", "0,0,999,9"], "999"),
    ],
)
def test_options_that_do_not_apply_are_refused(
    arguments, message, labels, model_file, videos, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    paths = {"LABELS": labels, "MODEL": model_file, "VIDEO": videos[0]}
    output = run(*(paths.get(argument, argument) for argument in arguments), ok=False)
    assert message in output
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_labels_of_deeplabcut_are_told_by_what_they_hold(model_file, tmp_path):
    cv2 = pytest.importorskip("cv2")
    poses = make_poses(3, image_size=32, random_state=4, return_bunch=True)
    names = poses.skeleton.names
    folder = tmp_path / "labeled-data" / "day1"
    folder.mkdir(parents=True)
    rows = [
        ["scorer", *["Ann"] * 2 * len(names)],
        ["bodyparts", *[name for name in names for _ in "xy"]],
        ["coords", *["x", "y"] * len(names)],
    ]
    for i, (image, keypoints) in enumerate(zip(poses.images, poses.keypoints, strict=True)):
        cv2.imwrite(str(folder / f"{i}.png"), image)
        rows.append([f"labeled-data/day1/{i}.png", *map(str, keypoints.ravel())])
    table = folder / "CollectedData_Ann.csv"
    table.write_text("".join(",".join(row) + "\n" for row in rows))
    (tmp_path / "config.yaml").write_text("Task: a\nscorer: Ann\n")
    outputs = {run("evaluate", model_file, path) for path in (tmp_path, table, table.parents[2])}
    outputs.add(run("evaluate", model_file, tmp_path / "config.yaml"))
    assert len(outputs) == 1
    output = run("evaluate", model_file, tmp_path, "--labelled", "all", ok=False)
    assert "--labelled does not apply" in output


@pytest.mark.slow
def test_a_saved_pipeline_is_taken_like_an_estimator(model_file, labels, videos, tmp_path):
    pipeline = make_pipeline(ImageResizer(scale=1), skpose.load(model_file))
    skpose.save(pipeline, tmp_path / "pipeline.skpose")
    outputs = [run("evaluate", path, labels) for path in (model_file, tmp_path / "pipeline.skpose")]
    assert outputs[0] == outputs[1]
    run("predict", tmp_path / "pipeline.skpose", videos[0], "-o", tmp_path / "poses.csv")
    assert "one ImageResizer that" in run("export", tmp_path / "pipeline.skpose", "a", ok=False)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Labels of images that are larger than need be, a video of such, and a model."""
    folder = tmp_path_factory.mktemp("large")
    poses = make_poses(8, (128, 160), random_state=0, return_bunch=True)
    keypoints = poses.keypoints
    write_annotations(folder / "labels.h5", poses.images, keypoints, skeleton=poses.skeleton)
    write_video(folder / "mouse.mkv", poses.images)
    output = run("train", folder / "labels.h5", folder / "model.skpose", "--epochs", 1, *SMALL)
    assert "The network sees images of 96 x 120 pixels (--scale 0.75), as few as" in output
    return folder


@pytest.mark.slow
def test_train_makes_images_as_small_as_the_labels_allow(large):
    model = skpose.load(large / "model.skpose")
    assert model[-1].image_shape_ == (96, 120, 1)
    output = run("evaluate", large / "model.skpose", large / "labels.h5")
    keypoints = read_annotations(large / "labels.h5").keypoints
    images = read_annotations(large / "labels.h5").images
    mean = mean_keypoint_error(keypoints, model.predict(images))  # in pixels of the large images
    assert mean_error(output) == pytest.approx(mean, abs=0.01)


@pytest.mark.slow
def test_an_exported_model_resizes_as_the_model_does(large, tmp_path):
    exported = tmp_path / "mouse.onnx"
    output = run("export", large / "model.skpose", exported)
    assert "takes images of 128 x 160 pixels" in output
    tables = []
    for path in (large / "model.skpose", exported):
        out = tmp_path / f"{path.suffix[1:]}.csv"
        run("predict", path, large / "mouse.mkv", "-o", out)
        tables.append(pd.read_csv(out, header=[0, 1, 2], index_col=0))
    np.testing.assert_allclose(tables[1], tables[0], atol=0.05)
    assert "8 frames" in run("evaluate", exported, large / "labels.h5")
    frames = read_annotations(large / "labels.h5").images[:3]
    found = list(PoseStream(skpose.load(exported), frames, drop=False))
    expected = skpose.load(large / "model.skpose").predict(frames)
    np.testing.assert_allclose([pose.keypoints for pose in found], expected, atol=0.05)


@pytest.mark.slow
def test_a_network_is_calibrated_for_8_bits(large, tmp_path):
    pytest.importorskip("tf2onnx")
    exported = tmp_path / "mouse.onnx"
    run("export", large / "model.skpose", exported, "--calibrate", large / "labels.h5")
    assert "network in 8 bits" in " ".join(run("info", exported).split())
    X = read_annotations(large / "labels.h5").images
    moved = skpose.load(exported).predict(X) - skpose.load(large / "model.skpose").predict(X)
    assert np.median(np.linalg.norm(moved, axis=2)) < 1


@pytest.mark.slow
def test_train_goes_on_at_the_scale_that_it_began_with(large, tmp_path):
    path = tmp_path / "model.skpose"
    path.write_bytes((large / "model.skpose").read_bytes())
    refused = run("train", large / "labels.h5", path, "--resume", "--scale", "0.5", ok=False)
    assert "--scale does not apply to --resume" in refused
    run("train", large / "labels.h5", path, "--resume", "--epochs", 2)
    model = skpose.load(path)
    assert (model[0].scale_, model[-1].n_iter_) == (0.75, 3)


@pytest.mark.slow
def test_a_part_of_the_images_is_seen_by_who_asks_for_it(large, tmp_path):
    labels, model, exported = large / "labels.h5", tmp_path / "m.skpose", tmp_path / "m.onnx"
    output = run("train", labels, model, "--crop", "40,0,120,64", "--epochs", 1, *SMALL)
    assert "The network sees images of 64 x 120 pixels" in output or "--scale 0." in output
    data = read_annotations(labels)
    inside = without_those_outside(data.keypoints, (40, 0, 120, 64))
    n_lost, n_labels = np.isnan(inside[..., 0]).sum(), data.keypoints[..., 0].size
    assert 0 < n_lost < n_labels
    assert f"{n_lost} of {n_labels} labels lie outside" in output
    error = mean_keypoint_error(inside, skpose.load(model).predict(data.images))
    run("export", model, exported)
    for path in (model, exported):
        output = run("evaluate", path, labels)
        assert f"{n_lost} of {n_labels} labels lie outside" in output
        assert mean_error(output) == pytest.approx(error, abs=0.02)
    run("train", labels, model, "--resume", "--epochs", 2)
    assert skpose.load(model)[0].region == (40, 0, 120, 64)


@pytest.mark.slow
def test_train_goes_on_with_a_pipeline_that_it_knows_only(model_file, labels, tmp_path):
    steps = ImageResizer(scale=1), Augmenter(rotation=5), skpose.load(model_file)
    skpose.save(make_pipeline(*steps), tmp_path / "pipeline.skpose")
    refused = run("train", labels, tmp_path / "pipeline.skpose", "--resume", ok=False)
    assert "is a PoseEstimator or a TwoStageEstimator, alone or behind one ImageResizer" in refused


@pytest.mark.slow
def test_the_scale_is_chosen(large, tmp_path, monkeypatch):
    arguments = ["train", large / "labels.h5", tmp_path / "m.skpose", "--epochs", 1, *SMALL]
    for scale in ("0", "half", "nan"):
        assert "neither a factor above 0" in run(*arguments, "--scale", scale, ok=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Images of")
        monkeypatch.setattr("skpose.estimator._samples._MUCH", 0.9)
        assert "--scale" not in run(*arguments, "--scale", "1")
    assert skpose.load(tmp_path / "m.skpose").image_shape_ == (128, 160, 1)


@pytest.mark.slow
def test_colour_is_seen_in_grey_by_who_asks_for_it(tmp_path):
    animals = make_poses(8, image_size=64, n_channels=3, random_state=0, return_bunch=True)
    labels, model = tmp_path / "labels.h5", tmp_path / "model.skpose"
    write_annotations(labels, animals.images, animals.keypoints, skeleton=animals.skeleton)
    run("train", labels, model, "--grey", "--epochs", 1, *SMALL)
    estimator = skpose.load(model)
    assert estimator.image_shape_ == (64, 64, 1)
    assert "7 frames trained on" in run("evaluate", model, labels)
    run("predict", model, labels, "--out", tmp_path / "poses.csv")
    in_grey = read_annotations(labels, n_channels=1).images
    found, _ = to_numpy(read_poses(tmp_path / "poses.csv"))
    np.testing.assert_allclose(found, estimator.predict(in_grey), atol=1e-2)
    fresh = tmp_path / "fresh.h5"
    write_annotations(fresh, animals.images, skeleton=animals.skeleton)
    assert "8 of 8 images" in run("initialize", model, fresh)
    refused = run("train", labels, model, "--resume", "--grey", ok=False)
    assert "--grey does not apply to --resume" in refused


def test_commands_stand_in_the_order_of_work_and_no_line_is_cut():
    output = run("--help")
    commands = ["demo", "sample", "initialize", "train", "evaluate", "predict", "draw", "track"]
    places = [output.index(f"\n  {name} ") for name in commands]
    assert places == sorted(places)
    assert "..." not in output.split("Commands:")[1].replace("VIDEO...", "")


def test_a_traceback_is_shown_when_asked_for(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise KeyError("lost")

    figure = SimpleNamespace(savefig=fail)
    monkeypatch.setattr(_demo, "run_demo", lambda seed, max_epochs: (0, Skeleton(["a"]), figure))
    output = run("demo", "--out", tmp_path / "a.png", ok=False)
    assert "Error: KeyError: 'lost'" in output
    assert "skpose --traceback" in output
    result = CliRunner().invoke(main, ["--traceback", "demo", "--out", str(tmp_path / "a.png")])
    assert isinstance(result.exception, KeyError)


def test_advice_is_in_the_words_of_the_command_line(model_file, labels, tmp_path):
    table = tmp_path / "poses.csv"
    run("predict", model_file, labels, "-o", table)
    output = run("predict", model_file, labels, "-o", table, ok=False)
    assert "--overwrite" in output
    assert "overwrite=" not in output
    nobody = tmp_path / "nobody.h5"
    poses = make_poses(2, image_size=32, random_state=0, return_bunch=True)
    marks = np.zeros(poses.keypoints.shape[:2], dtype=bool)
    write_annotations(
        nobody, poses.images, poses.keypoints, skeleton=poses.skeleton, annotated=marks
    )
    assert "Give --labelled all to take" in run("evaluate", model_file, nobody, ok=False)


@pytest.mark.slow
@pytest.mark.data
def test_train_on_a_deeplabcut_project(data_dir, tmp_path):
    path = tmp_path / "model.skpose"
    project = data_dir / "openfield"
    output = run("train", project, path, "--epochs", 1, *SMALL, "--set", "model__n_transitions=3")
    assert "leftear" in output


def test_a_model_that_cannot_be_saved_in_its_place_is_saved_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.setattr("tempfile.gettempdir", lambda: tmp_path / "other")
    written = []

    def write(model, path, overwrite=False):
        if path.parent.name == "full":
            raise OSError(28, "No space left on device", str(path))
        written.append(path)

    monkeypatch.setattr("skpose.saving.save", write)
    with pytest.raises(
        click.ClickException, match=r"No space left .* The trained model is in"
    ) as e:
        _train._save("what was trained", tmp_path / "full" / "fly.skpose")
    assert str(written[0]) in str(e.value)
    assert written[0].name == "fly.skpose"
    assert written[0].parent.parent == tmp_path / "other"
