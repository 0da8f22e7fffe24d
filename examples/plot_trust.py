"""
===============================
When may a keypoint be trusted?
===============================

The height of a peak says that something is there, not how far off it may be. A calibrated estimator
says both: the probability that a keypoint is found, and a radius within which the true position
lies, nine times out of ten.
"""

# %%
# A network whose errors are known
# --------------------------------
# The mice are divided into five folds, and a network is trained on four of them at a time. What it
# gets wrong in the fifth is what it gets wrong in frames that it has not seen. A further one is
# trained on all of them, and predicts.

import os

from matplotlib import pyplot as plt
import numpy as np

from skpose import PoseEstimator
from skpose.conformal import ConformalPoseEstimator
from skpose.datasets import make_poses
from skpose.metrics import keypoint_errors
from skpose.plot import ReliabilityDisplay
from skpose.targets import ConfidenceMaps

fast = os.environ.get("SKPOSE_EXAMPLES_FAST") == "1"  # shows that the script runs, learns nothing
n_labelled, n_new, image_size, n_epochs = (20, 10, 32, 1) if fast else (150, 600, 64, 40)

options = {"image_size": image_size, "occlusion": 0.1, "return_bunch": True}
mice = make_poses(n_labelled, random_state=0, **options)
new = make_poses(n_new, random_state=1, **options)
network = PoseEstimator(
    skeleton=mice.skeleton, targets=ConfidenceMaps(sigma=3.0), max_epochs=n_epochs
)
estimator = ConformalPoseEstimator(network, cv=2 if fast else 5, within=2.0, random_state=0)
estimator.fit(mice.images, mice.keypoints)

# %%
# Does nine out of ten mean nine out of ten?
# ------------------------------------------
# In 600 frames that no network has seen, the radii held 92 % of the positions in our run. They are
# small where the network is sure, 1.5 px, and large where it is not, 21 px.

keypoints, confidence, radius = estimator.predict(
    new.images, return_confidence=True, return_radius=True
)
errors = keypoint_errors(new.keypoints, keypoints)
known = np.isfinite(errors)
print(f"{(errors <= radius)[known].mean():.0%} of the positions lie within their radius,")
print(
    f"which is {np.percentile(radius[known], 5):.1f} to {np.percentile(radius[known], 95):.1f} px"
)

# %%
# A threshold that means something
# --------------------------------
# The confidence is the probability of an error within two pixels. So one may leave out what is
# less likely found than not, and knows what is left: in our run 69 % of the keypoints, of which
# 77 % should be found, and 79 % were.

_, raw = estimator.estimator_.predict(new.images, return_confidence=True)
kept = known & (confidence > (0 if fast else 0.5))
print(
    f"kept: {kept.sum() / known.sum():.0%} of the keypoints, of which {confidence[kept].mean():.0%}"
)
print(f"should be within 2 px, and {(errors <= 2)[kept].mean():.0%} are")

fig, ax = plt.subplots(figsize=(5, 5), layout="constrained")
for name, values, color in (("peaks", raw, "0.6"), ("calibrated", confidence, "#0072B2")):
    ReliabilityDisplay.from_predictions(
        new.keypoints,
        keypoints,
        values,
        within=2.0,
        n_bins=5 if fast else 10,
        ax=ax,
        name=name,
        line_kwargs={"color": color},
    )
ax.set_title("How many keypoints are found, for each confidence")
plt.show()

# %%
# The heights of the peaks are no probabilities; the calibrated confidences are nearly so. All of
# this holds for mice like these. In other light, or of another size, nothing is promised: there a
# few labels more are the only way to know.
