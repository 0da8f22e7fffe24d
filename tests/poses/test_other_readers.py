"""What is written is read by the programs that it is written for, where they are installed."""

import numpy as np
import pytest

from skpose.poses import check_poses, from_numpy, to_movement, to_numpy, write_poses

NAMES = ["nose", "left ear", "1", "ö"]


def make(individuals=None, seed=0):
    """Poses of every fifth frame, some of which are missing."""
    rng = np.random.default_rng(seed)
    shape = (30, 4) if individuals is None else (30, len(individuals), 4)
    keypoints, confidence = rng.uniform(0, 400, (*shape, 2)), rng.uniform(0.5, 1, shape)
    keypoints[3, ..., 1, :] = np.nan
    confidence[3, ..., 1] = np.nan
    return from_numpy(
        keypoints,
        confidence,
        names=NAMES,
        individuals=individuals,
        frames=5 * np.arange(30),
        frame_rate=50,
    )


@pytest.mark.parametrize("individuals", [None, ["anna", "ben"]])
@pytest.mark.parametrize(
    ("ending", "software", "knows_time"),
    [
        (".csv", "DeepLabCut", False),
        (".h5", "DeepLabCut", False),
        (".slp", "SLEAP", True),
        (".analysis.h5", "SLEAP", True),
        (".nwb", "NWB", True),
        (".nc", None, True),
    ],
)
def test_movement(tmp_path, ending, software, knows_time, individuals):
    load = pytest.importorskip("movement.io.load_poses")
    if ending == ".nwb" and individuals is not None:
        pytest.skip("of one individual")
    poses = make(individuals)
    path = write_poses(tmp_path / f"poses{ending}", poses, video="fly.mp4")
    if software is None:
        xarray, datasets = (
            pytest.importorskip(name) for name in ("xarray", "movement.validators.datasets")
        )
        found = xarray.load_dataset(path)
        datasets.ValidPosesInputs.validate(to_movement(found))
    else:
        found = load.from_file(path, source_software=software, fps=None if ending == ".nwb" else 50)
    found = check_poses(found)
    found = found.sel(keypoint=NAMES)
    if ending in (".slp", ".analysis.h5"):  # all frames of the video up to the last
        found = found.isel(time=poses["frame"].values - len(found["time"]))
    for theirs, ours in zip(to_numpy(found), to_numpy(poses), strict=True):
        np.testing.assert_allclose(theirs.squeeze(), ours.squeeze(), rtol=1e-6)
    if knows_time:
        np.testing.assert_allclose(found["time"], poses["time"])


def test_aniposelib(tmp_path):
    utils = pytest.importorskip("aniposelib.utils")
    views = {name: make(seed=seed) for seed, name in enumerate(("left", "right"))}
    files = {
        name: str(write_poses(tmp_path / f"{name}.h5", poses)) for name, poses in views.items()
    }
    found = utils.load_pose2d_fnames(files)
    assert found["bodyparts"] == NAMES
    for place, name in enumerate(found["cam_names"]):
        keypoints, confidence = to_numpy(views[name])
        np.testing.assert_allclose(found["points"][place], keypoints, rtol=1e-12)
        np.testing.assert_allclose(found["scores"][place], confidence, rtol=1e-12)


def test_ensemble_kalman_smoother(tmp_path):
    smoother = pytest.importorskip("eks.singlecam_smoother")
    rng = np.random.default_rng(0)
    path = np.cumsum(rng.normal(size=(60, 4, 2)), axis=0) + 100
    files = []
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(scale=0.5, size=path.shape)
        poses = from_numpy(path + noise, np.full((60, 4), 0.9), names=NAMES, frame_rate=50)
        files.append(str(write_poses(tmp_path / f"model_{seed}.csv", poses)))
    smoothed, _, _, bodyparts = smoother.fit_eks_singlecam(
        files, str(tmp_path / "out" / "smoothed.csv"), smooth_param=10
    )
    assert bodyparts == NAMES
    (scorer,) = set(smoothed.columns.get_level_values(0))
    for k, name in enumerate(NAMES):
        near = smoothed[scorer][name][["x", "y"]].to_numpy()
        assert np.abs(near - path[:, k]).mean() < 0.5
