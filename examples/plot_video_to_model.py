"""
==============================================================
How far does one get with twenty labelled frames of one video?
==============================================================

A video, no labels, no other program: frames are chosen that look different, a person labels them,
and a network finds the pose in all of the video. Here the person is replaced by the program that
drew the video, so that the error is known in every frame.
"""

# %%
# Which frames to label
# ---------------------
# The mouse walks about for 600 frames. ``KMeansSampler`` puts the frames into twenty groups that
# look alike, and takes one of each. ``skpose label mouse.mp4`` does the same, and opens the page on
# which these frames are labelled.

import os

from matplotlib import pyplot as plt
import numpy as np

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.metrics import keypoint_errors
from skpose.sampling import KMeansSampler

fast = os.environ.get("SKPOSE_EXAMPLES_FAST") == "1"  # shows that the script runs, learns nothing
n_frames, image_size, n_labelled, n_epochs = (20, 32, 5, 1) if fast else (600, 256, 20, 100)

video = make_poses(n_frames, image_size, camera="fixed", random_state=0, return_bunch=True)
chosen = KMeansSampler(n_labelled, random_state=0).select(video.images)

# %%
# Train, and predict the whole video
# ----------------------------------
# With the defaults, and a budget of epochs.

estimator = PoseEstimator(skeleton=video.skeleton, max_epochs=n_epochs, random_state=0)
estimator.fit(video.images[chosen], video.keypoints[chosen])
keypoints, confidence = estimator.predict(video.images, return_confidence=True)
errors = keypoint_errors(video.keypoints, keypoints)

# %%
# Where it is right, and where it is not
# --------------------------------------
# In our run, frames that nobody labelled were off by 2.5 px in the mean and 1.7 px in the median,
# of a mouse of 64 px. Where the mean of the 13 bodyparts jumps by 2 px, one of them jumps by 26:
# some of these frames are to be labelled next, and ``skpose sample --by motion`` finds them.

others = np.setdiff1d(np.arange(n_frames), chosen)
print(f"{np.mean(errors[others]):.1f} px off in frames that nobody labelled,")
print(f"{np.median(errors[others]):.1f} px in the median")

fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
ax.plot(errors.mean(axis=1), color="#0072B2", linewidth=1, label="mean of all bodyparts")
ax.plot(chosen, errors[chosen].mean(axis=1), "o", color="#D55E00", label="labelled")
ax.set(xlabel="frame", ylabel="error (px)", ylim=(0, None), title="A mouse of 64 px, 20 labels")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()
