"""
=================================================================
Which matters more: the size of the network or that of its peaks?
=================================================================

A network learns to draw a Gaussian peak on each bodypart. ``model__growth_rate`` sets how large the
network is, ``targets__sigma`` how wide the peaks are. Both are parameters of one estimator, so
scikit-learn's GridSearchCV can ask which of them is worth our attention.
"""

# %%
# What is searched
# ----------------
# There are frames of animals in all directions here, and few epochs, so we do without augmentation
# to save time. ``early_stopping=False`` trains on all frames of a fold.

import os

from matplotlib import pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.models import StackedDenseNet
from skpose.targets import ConfidenceMaps

fast = os.environ.get("SKPOSE_EXAMPLES_FAST") == "1"  # shows that the script runs, learns nothing
growth_rates = [2, 4] if fast else [8, 16, 32]
sigmas = [3] if fast else [2, 3, 5]
n_frames, n_epochs, image_size = (8, 1, 16) if fast else (450, 12, 48)

mice = make_poses(n_frames, image_size=image_size, return_bunch=True, random_state=0)
estimator = PoseEstimator(
    StackedDenseNet(n_stacks=1),
    skeleton=mice.skeleton,
    targets=ConfidenceMaps(),
    augmenter=None,
    learning_rate=3e-3,
    batch_size=16,
    early_stopping=False,
    max_epochs=n_epochs,
    random_state=0,
)

# %%
# The search
# ----------
# The score of an estimator is its negative mean keypoint error in pixels: no scorer is needed. The
# error of keypoints, unlike the loss, can be compared between maps of different sigma.

search = GridSearchCV(
    estimator,
    {"model__growth_rate": growth_rates, "targets__sigma": sigmas},
    cv=2 if fast else 3,
    refit=False,
)
search.fit(mice.images, mice.keypoints)
shape = len(growth_rates), len(sigmas)  # the last parameter varies fastest
errors = -search.cv_results_["mean_test_score"].reshape(shape)
deviations = search.cv_results_["std_test_score"].reshape(shape)
print(f"best: {search.best_params_}, {-search.best_score_:.2f} px")

# %%
# The network, then the peaks
# ---------------------------
# In our run, four times the growth rate (bottom to top) brings the error down from 4.2 to 1.5 px in
# the best column and halves it in the others: far more than the standard deviation over the folds.
# Wide peaks of 5 px cost about 1 px in each row. Between 2 and 3 px there is little to choose for
# the two smaller networks; only the largest one clearly profits from the narrower peaks, so the two
# parameters are best searched together.
#
# Three cautions. The best of both is in a corner of the grid, so a real search would go on from
# there. What is compared is the error after 12 epochs: small networks and wide peaks may only be
# slower, and catch up in a longer training. And the time of training, which grows with the network,
# stands in ``search.cv_results_["mean_fit_time"]``.

figure, ax = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
image = ax.imshow(errors, cmap="viridis_r", origin="lower")
middle = (errors.min() + errors.max()) / 2
for (i, j), error in np.ndenumerate(errors):
    colour = "white" if error > middle else "black"
    ax.text(j, i, f"{error:.2f}\n± {deviations[i, j]:.2f}", ha="center", va="center", color=colour)
ax.set_xticks(range(len(sigmas)), labels=sigmas)
ax.set_yticks(range(len(growth_rates)), labels=growth_rates)
ax.set(xlabel="targets__sigma (px)", ylabel="model__growth_rate (channels)")
ax.set_title(f"{search.n_splits_}-fold cross-validation, {n_frames} frames, {n_epochs} epochs")
figure.colorbar(image, label="mean keypoint error (px), ± std over folds")
plt.show()
