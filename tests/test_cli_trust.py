"""From the command line: ensembles, and how far off keypoints may be."""

from helpers import run, write_video
import numpy as np
import pytest

import skpose
from skpose.conformal import ConformalPoseEstimator
from skpose.datasets import make_poses, read_annotations, write_annotations
from skpose.ensemble import PoseEnsemble
from skpose.poses import read_poses

SMALL = ["--model", "leap", "--set", "model__filters=4", "--set", "augmenter=None"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Labels, a video, and two models of other seeds."""
    folder = tmp_path_factory.mktemp("trust")
    poses = make_poses(40, 32, random_state=0, return_bunch=True)
    write_annotations(folder / "labels.h5", poses.images, poses.keypoints, skeleton=poses.skeleton)
    write_video(folder / "film.mkv", poses.images[:6])
    for seed in (0, 1):
        options = ["--epochs", 1, "--batch-size", 8, "--seed", seed, *SMALL]
        run("train", folder / "labels.h5", folder / f"{seed}.skpose", *options)
    return folder


@pytest.fixture(scope="module")
def ensemble(folder):
    path = folder / "ensemble.skpose"
    run("ensemble", folder / "labels.h5", folder / "0.skpose", folder / "1.skpose", "-o", path)
    return path


def test_models_are_put_together(folder, ensemble):
    model = skpose.load(ensemble)
    assert isinstance(model, PoseEnsemble)
    images = read_annotations(folder / "labels.h5").images
    poses, _ = model.predict_members(images)
    for i, found in enumerate(poses):
        np.testing.assert_array_equal(found, skpose.load(folder / f"{i}.skpose").predict(images))
    said = " ".join(run("info", ensemble).split())
    assert "PoseEnsemble" in said
    assert "0: trained 1 epochs" in said
    assert "1: trained 1 epochs" in said
    assert ensemble.stat().st_size < 1.2 * 2 * (folder / "0.skpose").stat().st_size


def test_an_ensemble_is_calibrated_as_what_it_was_made_of(folder, ensemble, tmp_path):
    path = tmp_path / "calibrated.skpose"
    run("calibrate", folder / "labels.h5", ensemble, "-o", path, "--cv", 2)
    model = skpose.load(path)
    assert [part.model.filters for part in model.estimator.estimator] == [4, 4]
    assert np.isfinite(model.errors_).all()


def test_what_was_exported_cannot_be_trained(folder, tmp_path):
    exported = tmp_path / "model.onnx"
    run("export", folder / "0.skpose", exported)
    refused = run(
        "calibrate", folder / "labels.h5", exported, "-o", tmp_path / "c.skpose", ok=False
    )
    assert "was exported" in refused


def test_each_model_of_an_ensemble_writes_a_table(folder, ensemble, tmp_path):
    run("predict", ensemble, folder / "film.mkv", "-o", tmp_path / "tables", "--members")
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == [
        "film_0.csv",
        "film_1.csv",
    ]
    refused = run(
        "predict",
        folder / "0.skpose",
        folder / "film.mkv",
        "-o",
        tmp_path / "more",
        "--members",
        ok=False,
    )
    assert "not an ensemble" in refused


def test_models_of_other_bodyparts_are_refused(folder, tmp_path):
    poses = make_poses(6, 32, random_state=0, return_bunch=True)
    names = [f"{name}_" for name in poses.skeleton.names]
    labels = tmp_path / "others.h5"
    write_annotations(
        labels, poses.images, poses.keypoints, skeleton=skpose.Skeleton.from_names(names)
    )
    other = tmp_path / "other.skpose"
    run("train", labels, other, "--epochs", 1, *SMALL)
    refused = run(
        "ensemble",
        folder / "labels.h5",
        folder / "0.skpose",
        other,
        "-o",
        tmp_path / "both.skpose",
        ok=False,
    )
    assert "but" in refused
    assert "finds" in refused


def test_a_model_is_calibrated_and_tells_radii(folder, tmp_path):
    path = tmp_path / "calibrated.skpose"
    said = run(
        "calibrate", folder / "labels.h5", folder / "0.skpose", "-o", path, "--cv", 2, "--seed", 0
    )
    assert "asked for  measured  median radius" in said
    assert "95%" in said
    model, before = skpose.load(path), skpose.load(folder / "0.skpose")
    assert isinstance(model, ConformalPoseEstimator)
    images = read_annotations(folder / "labels.h5").images
    np.testing.assert_array_equal(model.predict(images), before.predict(images))
    out = tmp_path / "poses.npz"
    run("predict", path, folder / "film.mkv", "-o", out, "--with-radius")
    poses = read_poses(out)
    assert (poses["radius"] > 0).all()
    run(
        "draw",
        folder / "film.mkv",
        out,
        "-o",
        tmp_path / "drawn.mp4",
        "--max-radius",
        1000,
        "--min-confidence",
        0,
    )
    assert (tmp_path / "drawn.mp4").exists()
    run("predict", path, folder / "labels.h5", "-o", tmp_path / "labels.nc", "--with-radius")
    assert read_poses(tmp_path / "labels.nc")["radius"].sizes["time"] == 40
    said = " ".join(run("info", path).split())
    assert "holds 90% of the true positions" in said
    assert "trained 1 epochs" in said
    assert "calibrated already" in run(
        "calibrate", folder / "labels.h5", path, "-o", tmp_path / "twice.skpose", ok=False
    )


def test_a_calibration_that_was_stopped_goes_on(folder, tmp_path, monkeypatch):
    path, whole = tmp_path / "calibrated.skpose", tmp_path / "whole.skpose"
    command = ["calibrate", folder / "labels.h5", folder / "0.skpose", "--cv", 2, "-o"]
    fits, fit = [], skpose.PoseEstimator.fit

    def stop_in_the_second(self, *args, **options):
        fits.append(self)
        if len(fits) == 2:
            raise KeyboardInterrupt
        return fit(self, *args, **options)

    monkeypatch.setattr(skpose.PoseEstimator, "fit", stop_in_the_second)
    stopped = run(*command, path, ok=False)
    folds = tmp_path / "calibrated.skpose.folds"
    assert f"goes on from what is in {folds}" in " ".join(stopped.split())
    assert not path.exists()
    assert "Fold 1: known from before" in run(*command, path)
    assert len(fits) == 3
    assert not folds.exists()
    run(*command, whole)
    models = [skpose.load(name) for name in (path, whole)]
    np.testing.assert_allclose(models[0].errors_, models[1].errors_, atol=1e-3)


def test_frames_that_were_kept_back_calibrate_without_training(folder, tmp_path):
    poses = make_poses(30, 32, random_state=1, return_bunch=True)
    labels = tmp_path / "new.h5"
    write_annotations(labels, poses.images, poses.keypoints, skeleton=poses.skeleton)
    path = tmp_path / "calibrated.skpose"
    run("calibrate", labels, folder / "0.skpose", "-o", path, "--held-back")
    model = skpose.load(path)
    expected = skpose.load(folder / "0.skpose").predict(poses.images)
    errors = np.linalg.norm(expected - poses.keypoints, axis=2)
    np.testing.assert_allclose(model.errors_, errors, atol=0.05)


def test_minutes_are_shared_by_the_trainings(folder, tmp_path):
    path = tmp_path / "calibrated.skpose"
    options = ["--cv", 2, "--minutes", 0.02]
    run("calibrate", folder / "labels.h5", folder / "0.skpose", "-o", path, *options)
    model = skpose.load(path)
    assert model.estimator.max_minutes is None  # as it was trained
    assert len(set(model.folds_)) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--held-back", "--minutes", 1], "trains nothing"),
        (["--coverage", 1], "coverage"),
        (["--cv", 41], "40 labelled images, too few for 41 folds"),
        (["--within", 0], "within"),
    ],
)
def test_what_does_not_fit_is_refused(folder, tmp_path, options, message):
    refused = run(
        "calibrate",
        folder / "labels.h5",
        folder / "0.skpose",
        "-o",
        tmp_path / "calibrated.skpose",
        *options,
        ok=False,
    )
    assert message in refused


def test_models_without_radii_are_told(folder, tmp_path):
    refused = run(
        "predict",
        folder / "0.skpose",
        folder / "film.mkv",
        "-o",
        tmp_path / "poses.npz",
        "--with-radius",
        ok=False,
    )
    assert "tells no radii" in refused
