"""
================================
How many frames should we label?
================================

Labelling more frames makes predictions better, up to a point. scikit-learn's learning curve shows
where that point is: it trains on more and more of the frames, and measures the error in frames that
were kept out.
"""

# %%
# As many steps for few frames as for many
# ----------------------------------------
# An epoch of 10 frames is one step of the optimizer, one of 200 frames is 13. With the same number
# of epochs, few frames would be at a disadvantage that has nothing to do with the labels. So we
# call ``learning_curve`` for one size after another, with the epochs that make the same number of
# steps.

import os

from matplotlib import pyplot as plt
import numpy as np
from sklearn.model_selection import (
    LearningCurveDisplay,
    ShuffleSplit,
    cross_val_score,
    learning_curve,
)

from skpose import PoseEstimator
from skpose.baseline import MeanPoseRegressor
from skpose.datasets import make_poses
from skpose.models import StackedDenseNet
from skpose.targets import ConfidenceMaps

fast = os.environ.get("SKPOSE_EXAMPLES_FAST") == "1"  # shows that the script runs, learns nothing
sizes = [2, 4] if fast else [10, 25, 50, 100, 200]
n_steps, n_test, image_size = (1, 4, 16) if fast else (400, 100, 48)

mice = make_poses(sizes[-1] + n_test, image_size=image_size, return_bunch=True, random_state=0)
X, y = mice.images, mice.keypoints
estimator = PoseEstimator(
    StackedDenseNet(n_stacks=1, growth_rate=4 if fast else 24),
    skeleton=mice.skeleton,
    targets=ConfidenceMaps(sigma=3.0),
    learning_rate=3e-3,
    batch_size=16,
    early_stopping=False,
    random_state=0,
)

# %%
# Three random splits, each with 100 frames for testing; the smaller training sets are parts of the
# larger ones. What the mean pose gets, which does not look at the images, is the level of chance.

cv = ShuffleSplit(1 if fast else 3, test_size=n_test, random_state=0)
training_scores, test_scores = [], []
for size in sizes:
    steps_per_epoch = -(-size // estimator.batch_size)
    estimator.set_params(max_epochs=round(n_steps / steps_per_epoch))
    _, training, test = learning_curve(estimator, X, y, train_sizes=[size], cv=cv)
    training_scores.append(training[0])
    test_scores.append(test[0])
    print(f"{size} frames: test error {-test.mean():.2f} px")
chance = -cross_val_score(MeanPoseRegressor(), X, y, cv=cv).mean()

# %%
# Where the curve flattens
# ------------------------
# The first frames bring the most: in our run, 10 frames gave an error of about 10 px, 25 frames
# 4.5 px and 50 frames 4 px. Look for the number from which the test error hardly falls any more,
# and for the gap to the error in training, which more frames would close. With more steps of
# training than the 400 here, all errors are lower.

figure, ax = plt.subplots(figsize=(6, 4.5), layout="constrained")
display = LearningCurveDisplay(
    train_sizes=np.array(sizes),
    train_scores=np.array(training_scores),
    test_scores=np.array(test_scores),
    score_name="mean keypoint error (px)",
)
display.plot(
    ax, negate_score=True, std_display_style="errorbar", errorbar_kw={"marker": "o", "capsize": 3}
)
ax.axhline(chance, color="grey", linestyle=":", label="Mean pose for every frame")
ax.set(xlabel="labelled frames", xscale="log", ylim=(0, None))
ax.set_xticks(sizes, labels=sizes)
ax.minorticks_off()
ax.set_title(f"{n_steps} steps of training, images of {image_size} x {image_size} px")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, loc="center right")
plt.show()
