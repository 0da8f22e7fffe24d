import numpy as np
import pytest

from skpose.datasets import make_poses
from skpose.models import StackedDenseNet


@pytest.mark.slow
def test_experiments_describe_the_frames_that_were_kept_out():
    from paper import measure

    poses = make_poses(20, 32, random_state=0, return_bunch=True)
    data = poses.images, poses.keypoints, poses.skeleton
    small = {"model": StackedDenseNet(n_stacks=1, growth_rate=4), "max_epochs": 1}
    row = measure("frames", data, 0, n_frames=5, augmenter=None, **small)
    assert (row["n_frames"], row["epochs"]) == (5, 1)
    assert np.shape(row["errors_px"]) == (2, 13)
    assert row["mean_px"] == pytest.approx(np.mean(row["errors_px"]), abs=0.01)
    peaks = measure("maxima", data, 0, **small)
    assert peaks["between"]["mean_px"] != peaks["whole cells"]["mean_px"]
    assert abs(peaks["between"]["mean_px"] - peaks["whole cells"]["mean_px"]) < 4  # one cell


def test_every_variant_has_a_name_and_a_budget():
    from paper import EXPERIMENTS

    for variants in EXPERIMENTS.values():
        for name, parameters in variants(5.0).items():
            assert name
            assert parameters.keys() & {"max_minutes", "max_epochs"}
