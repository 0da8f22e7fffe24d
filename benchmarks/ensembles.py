"""What several estimators gain over one, in the same time.

    SKPOSE_DATA=... python benchmarks/ensembles.py
    SKPOSE_DATA=... python benchmarks/ensembles.py fly --epochs 60

Each set is divided once, and the default network is trained on four fifths: "one", for all epochs;
"seeds", five of them with other seeds, each for a fifth of the epochs; "snapshots", one for all
epochs, kept five times on the way. "turned" is the first one, which sees each image five times,
turned by up to 10 degrees, and "mirrored" sees it twice, once in the mirror. ``spread_rank``: the
rank correlation of the spread with the error, which a single network's confidence has, too. Epochs
are counted, not minutes, so other work may run beside it. Trainings that are in the results are not
repeated.
"""

import argparse

from _rows import merge_rows, read_rows
from coverage import SETS
import numpy as np
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from skpose import PoseEstimator
from skpose.ensemble import PoseEnsemble
from skpose.metrics import keypoint_errors
from skpose.preprocessing import ImageResizer

N_MEMBERS = 5
TURNS = (0, -10, -5, 5, 10)


def make(skeleton, n_epochs):
    return PoseEstimator(skeleton=skeleton, max_epochs=n_epochs, random_state=0)


def describe(estimator, images, truth):
    """Describe the errors, and how far confidence and spread foresee them."""
    found = estimator.predict(images, return_confidence=True, return_std=True)
    errors = keypoint_errors(truth, found[0])
    known = np.isfinite(errors)
    row = {
        "mean_px": round(float(errors[known].mean()), 2),
        "median_px": round(float(np.median(errors[known])), 2),
        "p95_px": round(float(np.percentile(errors[known], 95)), 2),
    }
    for name, values in (("confidence_rank", -found[1]), ("spread_rank", found[2])):
        if np.isfinite(values[known]).all() and np.ptp(values[known]) > 0:
            row[name] = round(float(spearmanr(values[known], errors[known]).statistic), 2)
    return row


def ways(skeleton, n_epochs):
    """Yield each way to make an ensemble, as a function of "one" that is trained."""
    of_all, of_part = make(skeleton, n_epochs), make(skeleton, n_epochs // N_MEMBERS)
    several = {"n_estimators": N_MEMBERS, "random_state": 0}
    yield "one", lambda one: PoseEnsemble([FrozenEstimator(one)])
    yield "seeds", lambda one: PoseEnsemble(of_part, **several)
    yield "snapshots", lambda one: PoseEnsemble(of_all, snapshots=True, **several)
    yield "turned", lambda one: PoseEnsemble([FrozenEstimator(one)], rotations=TURNS)
    if skeleton.has_swaps:
        yield "mirrored", lambda one: PoseEnsemble([FrozenEstimator(one)], mirror=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=["fly", "openfield"])
    parser.add_argument("--epochs", type=int, default=120)
    arguments = parser.parse_args()
    for name in arguments.sets:
        images, keypoints, skeleton = SETS[name]()
        train, test = train_test_split(np.arange(len(images)), test_size=0.2, random_state=0)
        resizer = ImageResizer(scale="auto").fit(images[train], keypoints[train])
        small = resizer.transform(images)
        one = None
        for way, make_ensemble in ways(skeleton, arguments.epochs):
            if way in read_rows("ensembles", name):
                continue
            if one is None:
                one = clone(make(skeleton, arguments.epochs)).fit(small[train], keypoints[train])
            ensemble = make_ensemble(one).fit(small[train], keypoints[train])
            row = describe(ensemble, small[test], keypoints[test])
            merge_rows("ensembles", name, {way: row | {"epochs": arguments.epochs}})


if __name__ == "__main__":
    main()
