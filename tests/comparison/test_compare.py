import warnings

import numpy as np
import pytest

from skpose.comparison import compare
from skpose.comparison._sampling import _compile, draw_prior

NAN = np.nan


@pytest.fixture(scope="module")
def errors():
    rng = np.random.default_rng(0)
    return {"first": rng.gamma(2, 1.5, (80, 4)), "second": rng.gamma(2, 1.0, (80, 4))}


@pytest.fixture(scope="module")
def result(errors):
    return compare(errors)


def test_means_and_variances_are_those_of_the_errors(result, errors):
    for i, name in enumerate(errors):
        assert result.means[:, i].mean() == pytest.approx(errors[name].mean(), rel=0.02)
        assert result.variances[:, i].mean() == pytest.approx(errors[name].var(), rel=0.15)


def test_intervals_of_means_are_as_wide_as_a_bootstrap_has_them(result, errors):
    rng = np.random.default_rng(1)
    table = result.summary()
    for name, values in errors.items():
        drawn = rng.choice(values.ravel(), (4000, values.size)).mean(axis=1)
        low, high = np.percentile(drawn, [2.5, 97.5])
        row = table.loc[name]
        assert row["mean_high"] - row["mean_low"] == pytest.approx(high - low, rel=0.2)
        assert row["mean_low"] == pytest.approx(low, abs=0.1)


def test_the_sampler_converges(result):
    assert result.diagnostics["r_hat"] < 1.01
    assert result.diagnostics["n_effective"] > 400
    assert result.diagnostics["n_divergent"] == 0
    assert result.draws["mean"].shape == (4, 2000, 2)


def test_differences_tell_which_is_better(result, errors):
    table = result.differences()
    assert table.index.tolist() == [("first", "second")]
    row = table.iloc[0]
    expected = errors["first"].mean() - errors["second"].mean()
    assert row["difference"] == pytest.approx(expected, abs=0.05)
    assert row["difference_low"] > 0
    assert row["probability"] < 0.001


@pytest.mark.slow
def test_models_that_are_alike_are_not_told_apart():
    rng = np.random.default_rng(3)
    result = compare({name: rng.gamma(2, 1, 300) for name in "ab"})
    assert 0.02 < result.differences()["probability"].iloc[0] < 0.98


@pytest.mark.slow
def test_groups_make_intervals_as_wide_as_groups_differ():
    """Videos of which some are harder: errors in one are not independent."""
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(8), 25)
    hardness = np.exp(rng.normal(0, 0.5, 8))[groups][:, None]
    errors = {name: rng.gamma(2, 1, (200, 4)) * hardness for name in ("one", "two")}
    plain, grouped = (
        (table := compare(errors, given).summary())["mean_high"] - table["mean_low"]
        for given in (None, groups)
    )
    assert (grouped > 2 * plain).all()


@pytest.mark.slow
def test_what_groups_share_does_not_blur_the_difference():
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(8), 50)
    hardness = np.exp(rng.normal(0, 0.5, 8))[groups][:, None]
    errors = {"worse": 1.2, "better": 1.0}
    errors = {name: rng.gamma(4, by, (400, 4)) * hardness for name, by in errors.items()}
    result = compare(errors, groups)
    assert result.differences()["probability"].iloc[0] < 0.02


def test_groups_may_differ_between_models(errors):
    groups = {"first": np.arange(80) // 20, "second": np.arange(80) // 10}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few draws
        result = compare(errors, groups, n_draws=100, n_warmup=200)
    assert result.means.shape == (400, 2)


@pytest.mark.slow
def test_a_seed_fixes_the_draws(result, errors):
    np.testing.assert_array_equal(compare(errors).means, result.means)


@pytest.mark.slow
def test_the_same_sizes_are_compiled_once(result, errors):
    before = _compile.cache_info()
    compare(errors, random_state=1)
    after = _compile.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)
    draw = _compile(len(errors), 1, 1000, 2000, 4)
    assert _compile.cache_info().misses == before.misses
    assert draw._cache_size() == 1  # of what JAX has compiled for it, which it never frees


def test_what_is_not_labelled_does_not_count(errors):
    holes = {name: np.where(np.arange(4) == 1, NAN, values) for name, values in errors.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare(holes)
    expected = errors["first"][:, [0, 2, 3]].mean()
    assert result.means[:, 0].mean() == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_units_do_not_matter(result, errors):
    large = compare({name: 100 * values for name, values in errors.items()})
    np.testing.assert_allclose(large.means / 100, result.means, rtol=0.05)


def test_prior_is_within_a_factor_of_ten_or_so():
    prior = draw_prior(2, 5, n_draws=1000, seed=0)
    low, high = np.percentile(prior["mean"], [2.5, 97.5])
    assert 0.02 < low < 0.3
    assert 2 < high < 10


def test_draws_are_arviz_s(result):
    tree = result.to_arviz()
    assert tree["posterior"]["mean"].dims == ("chain", "draw", "model")
    assert tree["posterior"]["model"].values.tolist() == ["first", "second"]
    assert not tree["sample_stats"]["diverging"].values.any()


@pytest.mark.slow
def test_millions_of_errors_are_told_apart():
    rng = np.random.default_rng(6)
    errors = {name: rng.gamma(2, scale, 1_500_000) for name, scale in (("a", 1.0), ("b", 1.005))}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* errors are 0")
        result = compare(errors)
    assert result.diagnostics["r_hat"] < 1.01
    assert result.differences()["probability"].iloc[0] > 0.999
    assert result.means[:, 0].std() == pytest.approx(errors["a"].std() / 1_500_000**0.5, rel=0.1)


def test_errors_of_zero_are_raised_with_a_warning(errors):
    zeros = {name: values.copy() for name, values in errors.items()}
    zeros["first"][0, :2] = 0
    with pytest.warns(UserWarning, match="2 errors are 0"):
        result = compare(zeros)
    assert np.isfinite(result.means).all()


@pytest.mark.slow
def test_a_sampler_that_has_not_converged_is_told(errors):
    with pytest.warns(UserWarning, match="may not have converged"):
        compare(errors, n_draws=10, n_warmup=5)


@pytest.mark.parametrize(
    ("errors", "groups", "message"),
    [
        ({"a": [1.0, 2.0]}, None, "of 1 model"),
        ({"a": [1.0, -2.0], "b": [1.0, 2.0]}, None, "0 or more"),
        ({"a": [1.0, np.inf], "b": [1.0, 2.0]}, None, "finite"),
        ({"a": [NAN, NAN], "b": [1.0, 2.0]}, None, "no errors of 'a'"),
        ({"a": [3.0, 3.0], "b": [3.0, 3.0]}, None, "are alike"),
        ({"a": [0.0, 0.0], "b": [0.0, 0.0]}, None, "are alike"),
        ({"a": np.ones((2, 2, 2)), "b": [1.0, 2.0]}, None, "must have shape"),
        ({"a": [1.0, 2.0], "b": [1.0, 2.0]}, [0, 1, 2], "one value for each of the 2 images"),
        ({"a": [1.0, 2.0], "b": [1.0, 2.0]}, {"a": [0, 1]}, "one value for each"),
        ({"a": [1.0, 2.0], "b": [1.0, 2.0]}, [0, 0], "one group only"),
    ],
)
def test_bad_input_is_told(errors, groups, message):
    with pytest.raises(ValueError, match=f"(?i){message}"):
        compare(errors, groups)


def test_without_numpyro_the_extra_is_named(errors, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "numpyro", None)
    with pytest.raises(ImportError, match=r"skpose\[compare\]"):
        compare(errors)
