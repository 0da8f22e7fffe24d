"""Whether the intervals of the Bayesian comparison hold the truth as often as they say.

    python benchmarks/comparison.py

A hundred times, errors of two models are drawn, in eight videos that differ in how hard they are,
from Gamma distributions with known means, and compared. ``share``: how often the interval of 95 %
holds the true mean error, and the true difference of both. Beside it what a bootstrap over all
errors, and one over videos, give; ``width_px`` is the mean width of the intervals of the
difference.
"""

import argparse
import warnings

from _report import write_report
import numpy as np

from skpose.comparison import compare

N_VIDEOS, N_FRAMES, N_KEYPOINTS = 8, 25, 6
MEANS = np.array([3.0, 2.6])  # pixels, of a typical video
HARDNESS, OWN = 0.3, 0.1  # standard deviations of logarithms: of videos, and of models in them


def draw(rng):
    """Return the errors of two models, and the video of each frame."""
    groups = np.repeat(np.arange(N_VIDEOS), N_FRAMES)
    hard = np.exp(rng.normal(0, HARDNESS, N_VIDEOS))
    errors = {}
    for name, mean in zip("ab", MEANS, strict=True):
        means = mean * hard * np.exp(rng.normal(0, OWN, N_VIDEOS))
        scale = np.broadcast_to(means[groups][:, None] / 2, (len(groups), N_KEYPOINTS))
        errors[name] = rng.gamma(2, scale)
    return errors, groups


def true_means():
    """Return the mean errors over all videos that there might be."""
    return MEANS * np.exp((HARDNESS**2 + OWN**2) / 2)


def bootstrap(rng, errors, groups=None):
    """Return draws of the two means: over errors, or over videos."""
    draws = np.empty((1000, 2))
    means = np.stack([values.mean(axis=1) for values in errors.values()], axis=1)
    if groups is not None:
        means = np.stack([means[groups == group].mean(axis=0) for group in range(N_VIDEOS)])
    for draw_ in draws:
        draw_[:] = means[rng.integers(0, len(means), len(means))].mean(axis=0)
    return draws


def judge(draws, truth):
    """Tell whether intervals of 95 % hold the first mean and the difference, and how wide."""
    of_mean = np.percentile(draws[:, 0], [2.5, 97.5])
    of_difference = np.percentile(draws[:, 0] - draws[:, 1], [2.5, 97.5])
    held = [
        low <= value <= high
        for (low, high), value in ((of_mean, truth[0]), (of_difference, truth[0] - truth[1]))
    ]
    return [*held, np.diff(of_difference)[0]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=100)
    n_simulations = parser.parse_args().simulations
    truth = true_means()
    found = {"with groups": [], "without groups": [], "bootstrap": [], "bootstrap of videos": []}
    worst = 0.0
    for seed in range(n_simulations):
        rng = np.random.default_rng(seed)
        errors, groups = draw(rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of errors near 0, and of few draws
            for name, given in (("with groups", groups), ("without groups", None)):
                result = compare(errors, given, n_draws=500, n_warmup=700)
                found[name].append(judge(result.means, truth))
                worst = max(worst, result.diagnostics["r_hat"])
        found["bootstrap"].append(judge(bootstrap(rng, errors), truth))
        found["bootstrap of videos"].append(judge(bootstrap(rng, errors, groups), truth))
        print(seed, flush=True)
    rows = {}
    for name, judged in found.items():
        mean, difference, width = np.mean(judged, axis=0)
        rows[name] = {
            "share_mean": round(float(mean), 2),
            "share_difference": round(float(difference), 2),
            "width_px": round(float(width), 3),
        }
    write_report("comparison", {"simulations": n_simulations, "r_hat": round(worst, 3), **rows})


if __name__ == "__main__":
    main()
