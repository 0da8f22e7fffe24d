import numpy as np
import pytest

from skpose.ensemble import robust_mean, spread

NAN = np.nan


def poses(*places):
    """Estimators that each find one keypoint in one image."""
    return np.array(places, dtype=float)[:, None, None]


def test_mean_of_near_poses_is_their_mean():
    found = robust_mean(poses([0, 0], [1, 0], [0, 1], [1, 1]))
    np.testing.assert_allclose(found[0, 0], [0.5, 0.5], atol=1e-9)


def test_one_far_pose_moves_the_mean_little():
    rng = np.random.default_rng(0)
    near = rng.normal(size=(6, 200, 1, 2))
    far = np.concatenate([near, np.full((1, 200, 1, 2), 500.0)])
    moved = np.linalg.norm(robust_mean(far) - robust_mean(near), axis=-1)
    assert np.median(moved) < 0.6  # of a mean it would be 100
    assert moved.max() < 3


def test_robust_mean_is_about_as_exact_as_the_mean_of_normal_errors():
    rng = np.random.default_rng(0)
    found = rng.normal(size=(5, 4000, 1, 2))
    error = np.square(robust_mean(found)).mean()
    assert error < 1.1 * np.square(found.mean(axis=0)).mean()


def test_weights_count():
    weights = np.array([1.0, 3.0])[:, None, None]
    found = robust_mean(poses([0, 0], [4, 0]), weights)
    assert found[0, 0, 0] == pytest.approx(3, abs=0.2)  # the farther one counts less


def test_weights_of_nan_count_as_one():
    found = robust_mean(poses([0, 0], [4, 0]), np.full((2, 1, 1), NAN))
    assert found[0, 0, 0] == pytest.approx(2)


def test_what_is_not_found_does_not_count():
    np.testing.assert_allclose(robust_mean(poses([NAN, NAN], [4, 0], [2, 2]))[0, 0], [3, 1])
    assert np.isnan(robust_mean(poses([NAN, NAN], [NAN, NAN]))).all()


def test_one_estimator_is_its_own_mean_and_has_no_spread():
    np.testing.assert_array_equal(robust_mean(poses([3, 7]))[0, 0], [3, 7])
    assert np.isnan(spread(poses([3, 7]))).all()


def test_spread_is_the_root_mean_square_distance():
    rng = np.random.default_rng(0)
    found = rng.normal(size=(4, 3, 2, 2))
    expected = np.sqrt(np.square(found - found.mean(axis=0)).sum(axis=-1).mean(axis=0))
    np.testing.assert_allclose(spread(found), expected)


@pytest.mark.parametrize("function", [robust_mean, spread])
def test_shapes_are_checked(function):
    with pytest.raises(ValueError, match="n_estimators"):
        function(np.zeros((3, 2, 2)))


def test_weights_must_fit():
    with pytest.raises(ValueError, match="weights must have shape"):
        robust_mean(np.zeros((3, 1, 1, 2)), np.ones((2, 1, 1)))
