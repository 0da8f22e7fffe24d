"""
=============================
How fast does the animal run?
=============================

Poses are the beginning of an analysis. What a video gives is an ``xarray.Dataset`` in the layout of
``movement``, so that its tools, and xarray's own, go on with it by the names of bodyparts and by
seconds rather than by columns.
"""

# %%
# Poses of a video
# ----------------
# A network is trained on 40 frames of one video, and predicts another one.

import os

from matplotlib import pyplot as plt
import numpy as np

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.poses import from_numpy

fast = os.environ.get("SKPOSE_EXAMPLES_FAST") == "1"  # shows that the script runs, learns nothing
n_frames, image_size, n_labelled, n_epochs = (20, 32, 4, 1) if fast else (400, 128, 40, 100)
frame_rate = 25

labelled = make_poses(n_frames, image_size, camera="fixed", random_state=0, return_bunch=True)
video = make_poses(n_frames, image_size, camera="fixed", random_state=1, return_bunch=True)
rows = np.linspace(0, n_frames - 1, n_labelled).astype(int)
estimator = PoseEstimator(skeleton=video.skeleton, max_epochs=n_epochs, random_state=0)
estimator.fit(labelled.images[rows], labelled.keypoints[rows])

found, truth = (
    from_numpy(keypoints, confidence, names=video.skeleton.names, frame_rate=frame_rate)
    for keypoints, confidence in [
        estimator.predict(video.images, return_confidence=True),
        (video.keypoints, None),
    ]
)
print(found)

# %%
# Speed
# -----
# The place of the animal is the median of its spine, which a single wrong keypoint does not move.
# Its speed is the derivative, of places that are smoothed over a fifth of a second. In our run it
# was off by 1.6 px/s in the median, for an animal that often runs with 30: where it rests, what is
# seen is the noise of predictions.

spine = ["neck", "centre", "tailbase"]


def speed(poses):
    """Return the speed of the spine in pixels a second."""
    places = poses.position.sel(keypoint=spine).median("keypoint").squeeze("individual")
    smooth = places.rolling(time=5, center=True, min_periods=1).mean()
    return np.sqrt((smooth.differentiate("time") ** 2).sum("space"))


off = abs(speed(found) - speed(truth))
print(f"off by {float(off.median()):.1f} px/s, of {float(speed(truth).median()):.1f}")

fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
ax.plot(truth.time, speed(truth), color="0.6", linewidth=3, label="as it was drawn")
ax.plot(found.time, speed(found), color="#0072B2", label="from predicted poses")
ax.set(xlabel="time (s)", ylabel="speed (px/s)", ylim=(0, None))
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()
