"""Models compared by their errors."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
import pandas as pd

from skpose.comparison._sampling import draw_posterior

__all__ = ["ModelComparison", "compare"]

_INTERVAL = 2.5, 97.5  # per cent
_SMALLEST = 1e-3  # of the mean error: smaller ones are taken for that
_MOST_R_HAT = 1.01
_LEAST_EFFECTIVE = 400


class ModelComparison:
    """What is known of the errors of several models, as draws from a posterior; see `compare`.

    Parameters
    ----------
    names : tuple of str
        The models.
    draws : dict of str to ndarray of shape (n_chains, n_draws, ...)
        Draws of each parameter; "mean" and "variance" in pixels and square pixels.
    statistics : dict of str to ndarray of shape (n_chains, n_draws)
        What the sampler tells of each draw.
    diagnostics : dict of str to float
        Whether the sampler can be trusted: "r_hat", "n_effective" and "n_divergent".

    Attributes
    ----------
    means : ndarray of shape (n_chains * n_draws, n_models)
        Draws of the mean error of each model, in pixels.
    variances : ndarray of shape (n_chains * n_draws, n_models)
        Draws of the variance of its errors, in square pixels.

    See Also
    --------
    skpose.plot.ComparisonDisplay : Draws it.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.comparison import ModelComparison
    >>> draws = {"mean": np.array([[[3.0, 2.0], [3.4, 2.2]]]), "variance": np.ones((1, 2, 2))}
    >>> comparison = ModelComparison(("small", "large"), draws, {}, {})
    >>> comparison.summary()["mean"].to_dict()
    {'small': 3.2, 'large': 2.1}
    >>> float(comparison.differences().loc[("small", "large"), "probability"])  # that small wins
    0.0
    """

    def __init__(
        self,
        names: tuple[str, ...],
        draws: dict[str, NDArray[Any]],
        statistics: dict[str, NDArray[Any]],
        diagnostics: dict[str, float],
    ) -> None:
        self.names = tuple(names)
        self.draws = draws
        self.statistics = statistics
        self.diagnostics = diagnostics

    @property
    def means(self) -> NDArray[np.float64]:
        return self.draws["mean"].reshape(-1, len(self.names))

    @property
    def variances(self) -> NDArray[np.float64]:
        return self.draws["variance"].reshape(-1, len(self.names))

    def summary(self) -> pd.DataFrame:
        """Return the mean and the variance of each model's errors.

        Returns
        -------
        pandas.DataFrame
            A row a model: ``mean`` and ``variance``, their posterior means in pixels and square
            pixels, with ``_low`` and ``_high``, between which they lie with a probability of 95 %.
        """
        columns = {"mean": self.means, "variance": self.variances}
        table = {
            f"{name}{ending}": values
            for name, draws in columns.items()
            for ending, values in _describe(draws).items()
        }
        return pd.DataFrame(table, index=pd.Index(self.names, name="model"))

    def differences(self) -> pd.DataFrame:
        """Return how far the mean errors of each two models are apart.

        Returns
        -------
        pandas.DataFrame
            A row for each two models: ``difference``, the first's mean error less the second's, in
            pixels, with ``_low`` and ``_high``, between which it lies with a probability of 95 %;
            and ``probability``, that the first one's is the smaller.
        """
        pairs = list(combinations(range(len(self.names)), 2))
        draws = np.stack([self.means[:, i] - self.means[:, j] for i, j in pairs], axis=1)
        table = {f"difference{ending}": values for ending, values in _describe(draws).items()}
        table["probability"] = (draws < 0).mean(axis=0)
        rows = pd.MultiIndex.from_tuples(
            [(self.names[i], self.names[j]) for i, j in pairs], names=["model", "other"]
        )
        return pd.DataFrame(table, index=rows)

    def to_arviz(self) -> Any:
        """Return the draws as ArviZ has them, for its own tables and figures.

        Returns
        -------
        xarray.DataTree
            With the groups ``posterior`` and ``sample_stats``.

        Raises
        ------
        ImportError
            Without ArviZ: ``pip install 'skpose[compare]'``.
        """
        try:
            from arviz_base import from_dict
        except ImportError as error:
            raise ImportError("This needs ArviZ: pip install 'skpose[compare]'.") from error
        of_models = ("mean", "variance", "location", "dispersion")
        return from_dict(
            {"posterior": self.draws, "sample_stats": self.statistics},
            coords={"model": list(self.names)},
            dims={name: ["model"] for name in of_models},
        )


def _describe(draws):
    low, high = np.percentile(draws, _INTERVAL, axis=0)
    return {"": draws.mean(axis=0), "_low": low, "_high": high}


def compare(
    errors: Mapping[str, ArrayLike],
    groups: ArrayLike | Mapping[str, ArrayLike] | None = None,
    *,
    n_draws: int = 2000,
    n_warmup: int = 1000,
    n_chains: int = 4,
    random_state: int = 0,
) -> ModelComparison:
    """Compare models by their errors, by Bayesian inference.

    Errors in pixels are positive and skewed: most are small, a few are large. So the errors of each
    model are taken to come from a Gamma distribution, and what is asked for is its mean and its
    variance.

    Parameters
    ----------
    errors : dict of str to array-like of shape (n_samples, n_keypoints)
        The distances in pixels of each model's keypoints from the true ones, as
        `skpose.metrics.keypoint_errors` gives them, in images that it was not trained on; NaN: not
        labelled, which does not count.
    groups : array-like of shape (n_samples,) or dict of str to such, default=None
        The split, animal or video of each image, of which the models' results are to hold beyond
        those that were looked at. None: errors count as independent of each other.
    n_draws : int, default=2000
        Draws of each chain.
    n_warmup : int, default=1000
        Draws before these, which adapt the sampler.
    n_chains : int, default=4
        Chains, each from another start.
    random_state : int, default=0
        The seed.

    Returns
    -------
    ModelComparison

    Raises
    ------
    ImportError
        Without NumPyro: ``pip install 'skpose[compare]'``.
    ValueError
        If there are fewer than two models, no errors of one, errors that are negative or infinite,
        all alike, or groups that do not fit.

    Warns
    -----
    UserWarning
        If the sampler did not converge (a split R-hat above 1.01, fewer than 400 effective draws,
        or divergent ones), or errors of 0 were raised to a thousandth of the mean, since no Gamma
        distribution has them.

    Notes
    -----
    Mean and variance are the softplus, ``log(1 + exp(x))``, of a number with a Normal prior, in
    units of the mean and of the variance of all errors together: beforehand both are from a tenth
    of that to four times as much, with a probability of 95 %. With `groups`, one number for each
    group, and one for each model in it, is added to that of the mean, each Normal with a standard
    deviation that is learnt, about 0.5 and 0.25 beforehand; then the mean is that over all groups
    that there might be, and the variance that within a typical one.

    Errors in frames of one video, and of bodyparts in one frame, are not independent, which the
    paper leaves out: without groups the intervals of each mean are too narrow, and those of a
    difference do not know that both models were asked about the same frames. Videos, or animals,
    are the groups that answer what one wants to know; ``groups=range(n_samples)`` takes each frame
    for one.

    References
    ----------
    Graving, J. M. et al. DeepPoseKit, a software toolkit for fast and robust animal pose estimation
    using deep learning. eLife 8:e47994 (2019): "Assessing prediction accuracy with Bayesian
    inference".

    Hoffman, M. D. & Gelman, A. The No-U-Turn sampler. Journal of Machine Learning Research 15,
    1593-1623 (2014).

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.comparison import compare
    >>> rng = np.random.default_rng(0)
    >>> errors = {"small": rng.gamma(2, 1.5, (50, 4)), "large": rng.gamma(2, 1.0, (50, 4))}
    >>> result = compare(errors)
    >>> result.summary()["mean"].round(0).to_dict()
    {'small': 3.0, 'large': 2.0}
    >>> float(result.differences().loc[("small", "large"), "probability"])  # that small is better
    0.0
    """
    names = tuple(errors)
    if len(names) < 2:
        raise ValueError(f"There is nothing to compare: errors are of {len(names)} model.")
    values = {name: _check_errors(name, errors[name]) for name in names}
    positions, n_groups = _check_groups(values, groups)
    known = np.concatenate([each[np.isfinite(each)] for each in values.values()])
    mean = known.mean()
    unit = known.var() / mean**2 if mean > 0 else 0.0
    if unit < 1e-6:
        raise ValueError("All errors are alike, so there is nothing to compare.")
    cells = _make_cells(values, positions, n_groups, mean)
    cells["unit"] = np.float64(unit)
    draws, statistics, diagnostics = draw_posterior(
        cells, n_warmup=n_warmup, n_draws=n_draws, n_chains=n_chains, seed=random_state
    )
    _warn(diagnostics)
    draws["mean"] = draws["mean"] * mean
    draws["variance"] = draws["variance"] * unit * mean**2
    return ModelComparison(names, draws, statistics, diagnostics)


def _check_errors(name, errors):
    errors = np.asarray(errors, dtype=np.float64)
    if errors.ndim not in (1, 2):
        raise ValueError(
            f"errors of {name!r} must have shape (n_samples, n_keypoints), but have {errors.shape}."
        )
    errors = errors.reshape(len(errors), -1)
    if np.isinf(errors).any() or (errors < 0).any():
        raise ValueError(f"errors of {name!r} must be 0 or more, and finite; NaN: not labelled.")
    if not np.isfinite(errors).any():
        raise ValueError(f"There are no errors of {name!r}: all are NaN.")
    return errors


def _check_groups(values, groups):
    """Return the number of the group of each image, for each model, and how many there are."""
    if groups is None:
        return {name: np.zeros(len(each), dtype=int) for name, each in values.items()}, 1
    if not isinstance(groups, Mapping):
        groups = dict.fromkeys(values, groups)
    given = {name: np.asarray(groups[name]) for name in values if name in groups}
    for name, each in values.items():
        if name not in given or given[name].shape != (len(each),):
            raise ValueError(
                f"groups must have one value for each of the {len(each)} images of {name!r}."
            )
    found, numbers = np.unique(np.concatenate(list(given.values())), return_inverse=True)
    if len(found) < 2:
        raise ValueError("There is one group only: groups=None compares within it.")
    ends = np.cumsum([len(each) for each in given.values()])[:-1]
    return dict(zip(given, np.split(numbers.ravel(), ends), strict=True)), len(found)


def _make_cells(values, positions, n_groups, mean):
    """Return number, sum and sum of logarithms of the errors of each model in each group."""
    cells = np.zeros((3, len(values), n_groups))
    n_raised = 0
    for i, (name, each) in enumerate(values.items()):
        is_known = np.isfinite(each)
        scaled = each[is_known] / mean
        n_raised += int((scaled < _SMALLEST).sum())
        scaled = np.maximum(scaled, _SMALLEST)
        rows = np.broadcast_to(positions[name][:, np.newaxis], each.shape)[is_known]
        for sums, weights in zip(
            cells, (np.ones_like(scaled), scaled, np.log(scaled)), strict=True
        ):
            sums[i] = np.bincount(rows, weights, minlength=n_groups)
    if n_raised:
        warnings.warn(
            f"{n_raised} errors are 0, or less than {_SMALLEST} of the mean, and were raised to "
            "that: a Gamma distribution has none of 0.",
            UserWarning,
            stacklevel=3,
        )
    names = ("n", "sum", "sum_of_logs")
    return dict(zip(names, cells, strict=True))


def _warn(diagnostics):
    is_good = (
        diagnostics["r_hat"] <= _MOST_R_HAT  # which NaN is not
        and diagnostics["n_effective"] >= _LEAST_EFFECTIVE
        and not diagnostics["n_divergent"]
    )
    if not is_good:
        warnings.warn(
            f"The sampler may not have converged: R-hat {diagnostics['r_hat']:.3f} (at most "
            f"{_MOST_R_HAT}), {diagnostics['n_effective']:.0f} effective draws (at least "
            f"{_LEAST_EFFECTIVE}), {diagnostics['n_divergent']} divergent ones. Raise n_warmup and "
            "n_draws, or give more groups.",
            UserWarning,
            stacklevel=3,
        )
