"""
================================================
Does it help a network to draw the skeleton too?
================================================

A network that learns one map for each bodypart may find each on its own, and take another animal's
tail for the right one. DeepPoseKit lets it draw the posture graph as well: the lines between
bodyparts, in maps that are not used for prediction. The hope is that what holds bodyparts together
keeps single ones from going astray. Does it?
"""

# %%
# Animals that are not alone
# --------------------------
# Parts of another animal are seen at the border of each image. With a skeleton, the graph is drawn
# unless ``targets__use_graph=False``. All else is the same in both trainings. All is done four
# times, each time with other frames to learn from and other first weights.

import os

from matplotlib import pyplot as plt
import numpy as np

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.metrics import keypoint_errors
from skpose.models import StackedDenseNet
from skpose.targets import ConfidenceMaps

fast = os.environ.get("SKPOSE_EXAMPLES_FAST") == "1"  # shows that the script runs, learns nothing
n_frames, n_repeats, n_epochs, image_size = (4, 1, 1, 16) if fast else (400, 4, 25, 48)
options = {"image_size": image_size, "n_distractors": 1, "return_bunch": True}

test = make_poses(n_frames // 2, **options, random_state=100)
errors = {"keypoints only": [], "posture graph too": []}
for repeat in range(n_repeats):
    mice = make_poses(n_frames, **options, random_state=repeat)
    estimator = PoseEstimator(
        StackedDenseNet(n_stacks=1, growth_rate=4 if fast else 24),
        skeleton=mice.skeleton,
        targets=ConfidenceMaps(sigma=3.0),
        augmenter=None,  # there are frames of animals in all directions, and few epochs
        learning_rate=3e-3,
        batch_size=16,
        early_stopping=False,
        max_epochs=n_epochs,
        random_state=repeat,
    )
    for name, use_graph in zip(errors, (False, True), strict=True):
        estimator.set_params(targets__use_graph=use_graph).fit(mice.images, mice.keypoints)
        errors[name].append(keypoint_errors(test.keypoints, estimator.predict(test.images)))
        print(f"{name}: mean error {errors[name][-1].mean():.2f} px")

# %%
# Bodypart by bodypart
# --------------------
# Dots are means of the repeats, lines reach from the smallest to the largest. Left is how far off
# predictions are; right is how often they are so far off that another part, or another animal, has
# been taken for the right one, which is what the graph is meant to prevent. Where the lines of both
# trainings overlap, the difference is no larger than that between repeats.

far = 4  # pixels
panels = {
    "mean error (px)": lambda errors: errors,
    f"predictions more than {far} px off (%)": lambda errors: 100 * (errors > far),
}
rows = [*test.skeleton.names, "all bodyparts"]
figure, axes = plt.subplots(1, 2, figsize=(8.5, 5.5), sharey=True, layout="constrained")
for ax, (xlabel, measure) in zip(axes, panels.items(), strict=True):
    for shift, (name, repeats) in zip((-0.16, 0.16), errors.items(), strict=True):
        values = measure(np.array(repeats)).mean(axis=1)  # (n_repeats, n_keypoints)
        values = np.column_stack([values, values.mean(axis=1)])
        means = values.mean(axis=0)
        spread = np.abs([values.min(axis=0) - means, values.max(axis=0) - means])
        ax.errorbar(means, np.arange(len(rows)) + shift, xerr=spread, fmt="o", label=name)
    ax.axhline(len(rows) - 1.5, color="black", linewidth=0.8)
    ax.set(xlabel=xlabel, xlim=(0, None))
    ax.grid(axis="y", color="0.93")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_yticks(range(len(rows)), labels=rows)
axes[0].invert_yaxis()
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
plt.show()
