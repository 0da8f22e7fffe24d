"""
======================================================
How far should images be turned, of an upright animal?
======================================================

A camera that stands still sees an animal that never lies on its back. To turn images all the way
round in training, as is usual, then shows a network what it will never see. The default reads off
the labels how far to turn them.
"""

# %%
# An animal that always points the same way
# -----------------------------------------
# Each mouse is turned so that it looks to the right.

import os

from matplotlib import pyplot as plt
import numpy as np

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.metrics import keypoint_errors
from skpose.preprocessing import EgocentricAligner

fast = os.environ.get("SKPOSE_EXAMPLES_FAST") == "1"  # shows that the script runs, learns nothing
n_train, n_test, image_size, n_epochs = (6, 4, 32, 1) if fast else (60, 100, 64, 40)
rotations = [0, 180] if fast else [0, 30, 90, 180]

mice = make_poses(n_train + n_test, image_size, random_state=0, return_bunch=True)
front, back = mice.skeleton.names[0], mice.skeleton.names[10]
aligner = EgocentricAligner(front=front, back=back, box_size=2 * image_size, skeleton=mice.skeleton)
X, y = aligner.fit_transform(mice.images, mice.keypoints), mice.keypoints
train, test = np.arange(n_train), np.arange(n_train, n_train + n_test)

# %%
# Four rotations, and the one that is chosen
# ------------------------------------------
# Each is trained for the same number of epochs. In our run 15 degrees were chosen, and the error
# was 2.9 px; all the way round it was 7.5 px. How many degrees exactly matters little.


def measure(rotation):
    """Return the mean error in pixels, and the rotation that was used."""
    estimator = PoseEstimator(skeleton=mice.skeleton, max_epochs=n_epochs, random_state=0)
    estimator.set_params(augmenter__rotation=rotation).fit(X[train], y[train])
    error = keypoint_errors(y[test], estimator.predict(X[test])).mean()
    return error, estimator.augmenters_[0].rotation_


errors = [measure(rotation)[0] for rotation in rotations]
error, chosen = measure("auto")
print(f"chosen: {chosen:g} degrees, {error:.1f} px")

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.plot(rotations, errors, "o-", color="#0072B2", label="set by hand")
ax.plot(chosen, error, "*", markersize=16, color="#D55E00", label='"auto"')
ax.set(xlabel="rotation, either way (degrees)", ylabel="mean error (px)", ylim=(0, None))
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()
