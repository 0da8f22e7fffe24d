"""The model of errors, and draws from its posterior: the one module that imports NumPyro."""

from functools import lru_cache

import numpy as np

__all__ = ["draw_posterior", "draw_prior"]

_ONE = 0.5413  # whose softplus is 1
_N_NODES = 15  # of the quadrature over groups


def _import_numpyro():
    try:
        import numpyro
    except ModuleNotFoundError as error:
        raise ImportError(
            "Comparing models needs NumPyro: pip install 'skpose[compare]'."
        ) from error
    return numpyro


def _define(n_models, n_groups):
    """Return the model, of so many models and of groups of images (1: no groups)."""
    numpyro = _import_numpyro()
    from jax.nn import softplus
    import jax.numpy as jnp
    from jax.scipy.special import gammaln
    import numpyro.distributions as dist

    # Groups are few, so how much they differ is hardly known: scales are kept from 0, and steps are
    # small, or the sampler would get stuck where a scale is nearly 0.
    nodes, weights = np.polynomial.hermite_e.hermegauss(_N_NODES)
    weights = weights / weights.sum()

    def model(cells):
        location = numpyro.sample("location", dist.Normal(_ONE, 1.5).expand([n_models]))
        dispersion = numpyro.sample("dispersion", dist.Normal(_ONE, 1.5).expand([n_models]))
        shared = own = 0.0
        effects = jnp.zeros((n_models, 1))
        if n_groups > 1:
            shared = numpyro.sample("scale_of_groups", dist.Gamma(2.0, 4.0))
            own = numpyro.sample("scale_of_models_in_groups", dist.Gamma(2.0, 8.0))
            z = numpyro.sample("group", dist.Normal(0, 1).expand([n_groups]))
            z_own = numpyro.sample("model_in_group", dist.Normal(0, 1).expand([n_models, n_groups]))
            effects = shared * z + own * z_own
        spread = jnp.sqrt(shared**2 + own**2)
        means = softplus(location[:, None] + spread * nodes)
        numpyro.deterministic("mean", means @ weights)
        numpyro.deterministic("variance", softplus(dispersion))
        mean = softplus(location[:, None] + effects)
        # The variance is that of a typical group; in others it grows as the mean's square.
        variance = softplus(dispersion)[:, None] * (mean / softplus(location)[:, None]) ** 2
        variance = variance * cells["unit"]
        shape, rate = mean**2 / variance, mean / variance
        # All errors of a cell count through their number, their sum, and that of their logarithms.
        numpyro.factor(
            "errors",
            jnp.sum(
                cells["n"] * (shape * jnp.log(rate) - gammaln(shape))
                + (shape - 1) * cells["sum_of_logs"]
                - rate * cells["sum"]
            ),
        )

    return model


@lru_cache(maxsize=16)
def _compile(n_models, n_groups, n_warmup, n_draws, n_chains):
    """Return a function that draws, compiled once: it takes seconds, and JAX never frees it."""
    from jax import jit
    from numpyro.infer import MCMC, NUTS

    model = _define(n_models, n_groups)

    def draw(key, cells):
        sampler = MCMC(
            NUTS(model, target_accept_prob=0.99),
            num_warmup=n_warmup,
            num_samples=n_draws,
            num_chains=n_chains,
            chain_method="vectorized",
            progress_bar=False,
        )
        sampler.run(key, cells, extra_fields=("diverging", "potential_energy"))
        fields = sampler.get_extra_fields(group_by_chain=True)
        return sampler.get_samples(group_by_chain=True), fields

    return jit(draw)


def draw_posterior(cells, *, n_warmup, n_draws, n_chains, seed):
    """Draw from the posterior by the No-U-Turn sampler.

    Parameters
    ----------
    cells : dict of str to ndarray of shape (n_models, n_groups)
        "n", "sum" and "sum_of_logs" of the errors of each model in each group, and the number
        "unit", by which variances are multiplied.
    n_warmup, n_draws, n_chains : int
        Draws of each chain that adapt the sampler, those that are kept, and chains.
    seed : int
        The seed.

    Returns
    -------
    draws : dict of str to ndarray of shape (n_chains, n_draws, ...)
        "mean", "variance" and the parameters.
    statistics : dict of str to ndarray of shape (n_chains, n_draws)
        "diverging", and "lp", the logarithm of the posterior.
    diagnostics : dict of str to float
        "r_hat", the greatest; "n_effective", the least; "n_divergent".
    """
    _import_numpyro()
    from jax import random
    from numpyro.diagnostics import summary

    try:
        from jax import enable_x64
    except ImportError:  # before 0.8
        from jax.experimental import enable_x64

    draw = _compile(*cells["n"].shape, n_warmup, n_draws, n_chains)
    with enable_x64(True):  # sums of millions of errors differ by less than a float32 can tell
        samples, fields = draw(random.PRNGKey(seed), cells)
    draws = {name: np.asarray(values) for name, values in samples.items()}
    statistics = {
        "diverging": np.asarray(fields["diverging"]),
        "lp": -np.asarray(fields["potential_energy"]),
    }
    told = summary({name: draws[name] for name in ("mean", "variance")}).values()
    diagnostics = {
        "r_hat": float(max(np.max(one["r_hat"]) for one in told)),
        "n_effective": float(min(np.min(one["n_eff"]) for one in told)),
        "n_divergent": int(statistics["diverging"].sum()),
    }
    return draws, statistics, diagnostics


def draw_prior(n_models, n_groups, *, n_draws, seed):
    """Draw "mean" and "variance", (n_draws, n_models), from the prior, in units of the mean."""
    _import_numpyro()
    from jax import random
    from numpyro.infer import Predictive

    none = np.zeros((n_models, n_groups), dtype=np.float32)
    cells = {"n": none, "sum": none, "sum_of_logs": none, "unit": np.float32(1)}
    prior = Predictive(_define(n_models, n_groups), num_samples=n_draws)
    draws = prior(random.PRNGKey(seed), cells)
    return {name: np.asarray(draws[name]) for name in ("mean", "variance")}
