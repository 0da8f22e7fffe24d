"""
=======================================
Is one network better than another one?
=======================================

Two networks, two mean errors, and the smaller one wins? The next twenty frames may say otherwise.
The Bayesian comparison of Graving et al. (2019) says how sure the difference is.
"""

# %%
# The same frames for both
# ------------------------
# Three splits, in each of which both networks are trained on the same mice, for the same number of
# epochs, and asked for the others.

import os

from matplotlib import pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.model_selection import ShuffleSplit

from skpose import PoseEstimator
from skpose.comparison import compare
from skpose.datasets import make_poses
from skpose.metrics import keypoint_errors
from skpose.models import LEAP, ResidualUNet
from skpose.plot import ComparisonDisplay
from skpose.targets import ConfidenceMaps

fast = os.environ.get("SKPOSE_EXAMPLES_FAST") == "1"  # shows that the script runs, learns nothing
n_images, image_size, n_epochs = (12, 32, 1) if fast else (120, 64, 30)

mice = make_poses(n_images, image_size=image_size, random_state=0, return_bunch=True)
options = {"skeleton": mice.skeleton, "max_epochs": n_epochs, "random_state": 0}
sigma = ConfidenceMaps(sigma=3.0)
networks = {
    "residual U-Net": PoseEstimator(ResidualUNet(), targets=sigma, **options),
    "the same, half as wide": PoseEstimator(
        ResidualUNet(filters=24, head_filters=128), targets=sigma, **options
    ),
    "LEAP": PoseEstimator(LEAP(filters=16), **options),
}
errors = {name: [] for name in networks}
splits = []
for i, (train, test) in enumerate(
    ShuffleSplit(3, test_size=1 / 3, random_state=0).split(mice.images)
):
    splits += [i] * len(test)
    for name, network in networks.items():
        fitted = clone(network).fit(mice.images[train], mice.keypoints[train])
        found = fitted.predict(mice.images[test])
        errors[name].append(keypoint_errors(mice.keypoints[test], found))
errors = {name: np.concatenate(parts) for name, parts in errors.items()}

# %%
# What is known of their means
# ----------------------------
# Errors are positive and skewed, so they are taken to come from Gamma distributions. Each training
# is one draw of what the network can do, so the splits are groups: with them the intervals say what
# another training would bring, not only what other frames would.

result = compare(errors, splits)
print(result.summary().round(1).to_string())
print(result.differences().round(2).to_string())

# %%
# In our run, the wider network has a mean error of 6.4 px, with a probability of 95 % between 5 and
# 10, and is the best of the three in each draw of the posterior. The intervals of the means overlap
# all the same: how hard a split is, is common to all networks, and cancels in their differences.

display = ComparisonDisplay(comparison=result).plot()
display.ax_.set_title("Mean error, with what is known of it")
plt.show()
