import numpy as np
import pytest

from skpose.sampling import AutoregressiveSampler, MotionSampler
from skpose.sampling._temporal import fit_autoregression, interpolation_residuals

SAMPLERS = [MotionSampler(), MotionSampler(order=1), AutoregressiveSampler()]
each_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=["jump", "speed", "model"])


def make_path(n_frames=300, n_keypoints=3, seed=0):
    """Animals that run about smoothly, and noise of 0.2 pixels."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_frames)[:, None, None]
    phase = rng.uniform(0, 2 * np.pi, (n_keypoints, 2))
    path = 40 * np.sin(t / rng.uniform(15, 40, (n_keypoints, 2)) + phase)
    return path + rng.normal(0, 0.2, path.shape)


def simulate(coefficients, n_samples, seed=0):
    rng = np.random.default_rng(seed)
    path = np.zeros((n_samples, 2))
    for t in range(len(coefficients), n_samples):
        path[t] = coefficients @ path[t - len(coefficients) : t][::-1] + rng.normal(0, 1, 2)
    return path


@each_sampler
def test_a_frame_in_which_a_bodypart_is_elsewhere_is_found(sampler):
    path = make_path()
    path[[90, 200], [0, 2]] += 15
    index = sampler.set_params(n_frames=2).select(keypoints=path)
    assert index.tolist() == [90, 200]


@each_sampler
@pytest.mark.parametrize("where", [0, 299])
def test_a_mistake_in_the_first_or_last_frame_is_found(sampler, where):
    path = make_path()
    path[where, 1] += 30
    (index,) = sampler.set_params(n_frames=1).select(keypoints=path)
    assert abs(index - where) <= 1


@each_sampler
def test_scores_do_not_depend_on_where_the_origin_is_or_how_the_camera_is_turned(sampler):
    path = make_path()
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    moved = path @ turn + [100, -50]
    # the model's origin is the median of x and of y, which turns with the camera only roughly
    tolerance = 0.05 if isinstance(sampler, AutoregressiveSampler) else 1e-9
    expected = sampler.scores(keypoints=path)
    np.testing.assert_allclose(sampler.scores(keypoints=moved), expected, rtol=tolerance, atol=0.1)


@each_sampler
def test_a_bodypart_that_is_always_quick_does_not_hide_the_others(sampler):
    path = make_path()
    path[:, 0] += np.random.default_rng(1).normal(0, 10, (300, 2))
    path[150, 1] += 12
    assert sampler.set_params(n_frames=1).select(keypoints=path).tolist() == [150]


@each_sampler
def test_gaps_have_no_score_and_do_no_harm(sampler):
    path = make_path(n_keypoints=2)
    path[100:120, 0] = np.nan
    path[:, 1] = np.nan
    scores = sampler.scores(keypoints=path)
    assert np.isnan(scores[100:120]).all()
    assert np.isfinite(np.delete(scores, np.s_[100:120])).all()


@each_sampler
@pytest.mark.parametrize("n_frames", [1, 2, 4])
def test_short_videos_have_scores_of_zero(sampler, n_frames):
    path = np.zeros((n_frames, 1, 2))
    np.testing.assert_array_equal(sampler.scores(keypoints=path), 0)


@each_sampler
def test_an_animal_at_rest_has_scores_of_zero(sampler):
    path = np.full((50, 2, 2), 7.0)
    np.testing.assert_allclose(sampler.scores(keypoints=path), 0, atol=1e-9)


def test_running_straight_on_is_no_acceleration():
    path = np.zeros((50, 1, 2))
    path[:, 0, 0] = 3 * np.arange(50)
    np.testing.assert_allclose(MotionSampler(order=2).scores(keypoints=path), 0, atol=1e-9)
    np.testing.assert_allclose(MotionSampler(order=1).scores(keypoints=path), 1)


def test_model_is_recovered_in_spite_of_outliers():
    truth = np.array([1.6, -0.8])
    path = simulate(truth, 4000)
    np.testing.assert_allclose(fit_autoregression(path, 2), truth, atol=0.03)
    path[::100] += 30
    plain = np.linalg.lstsq(
        np.stack([path[1:-1], path[:-2]], axis=2).reshape(-1, 2), path[2:].ravel(), rcond=None
    )[0]
    robust = fit_autoregression(path, 2)
    assert np.abs(robust - truth).max() < 0.1 < 0.5 * np.abs(plain - truth).max()


def test_interpolation_of_a_random_walk_is_the_middle_of_its_neighbours():
    path = np.cumsum(np.random.default_rng(0).normal(size=(50, 2)), axis=0)
    residuals = interpolation_residuals(path, np.array([1.0]))
    middle = (path[:-2] + path[2:]) / 2
    np.testing.assert_allclose(residuals[1:-1], np.linalg.norm(path[1:-1] - middle, axis=1))


def test_interpolation_leaves_the_inverse_variance_of_the_model():
    coefficients = np.array([1.6, -0.8])
    path = simulate(coefficients, 20000)
    residuals = interpolation_residuals(path, coefficients)[100:-100]
    # var(e) / (1 + sum of squared coefficients), for x and y each
    expected = 2 / (1 + 1.6**2 + 0.8**2)
    np.testing.assert_allclose(np.mean(residuals**2), expected, rtol=0.05)


def test_frame_after_a_mistake_is_not_blamed_for_it():
    path = make_path(n_keypoints=1)
    path[150] += 15
    scores = AutoregressiveSampler().scores(keypoints=path)
    assert scores[150] > 1.2 * np.delete(scores, 150).max()


def test_poses_of_several_estimators_raise():
    with pytest.raises(ValueError, match=r"needs keypoints of shape \(n_samples, n_keypoints"):
        MotionSampler().select(keypoints=np.zeros((2, 30, 1, 2)))
