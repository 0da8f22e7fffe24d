"""
====================================
Is it fast enough for a closed loop?
====================================

An experiment that answers to what an animal does has some milliseconds for it. How long a pose
takes depends on the machine, so this is a script to run on yours, rather than a figure to believe.
"""

# %%
# A model, and the same one exported
# ----------------------------------
# What it learns does not matter for the time, so it is trained for a few epochs only. The exported
# one (``pip install "skpose[onnx]"``) does without TensorFlow.

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib import pyplot as plt
import numpy as np

import skpose
from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.video_poses import PoseStream

fast = os.environ.get("SKPOSE_EXAMPLES_FAST") == "1"  # shows that the script runs, learns nothing
n_frames, image_size, seconds = (4, 32, 0.2) if fast else (40, 96, 5)
frame_rate = 50  # of the camera

mice = make_poses(n_frames, image_size, random_state=0, return_bunch=True)
model = PoseEstimator(skeleton=mice.skeleton, max_epochs=1, random_state=0)
model.fit(mice.images, mice.keypoints)
with TemporaryDirectory() as folder:
    path = Path(folder, "mouse.onnx")
    model.export(path)
    exported = skpose.load(path)
    exported.predict(mice.images[:1])  # reads the file

# %%
# As a camera would give frames
# -----------------------------
# ``PoseStream`` takes the number of a camera, a video, or frames as here, which it gives out 50
# times a second. ``latency`` is the time from when a frame was there until its keypoints are known.
# A frame that comes while the network is busy waits, and only the latest one does.


def frames():
    for i in range(round(seconds * frame_rate)):
        yield mice.images[i % n_frames]


latencies = {}
for name, estimator in {"TensorFlow": model, "exported": exported}.items():
    with PoseStream(estimator, frames(), frame_rate=frame_rate) as stream:
        latencies[name] = 1000 * np.array([pose.latency for pose in stream])
    worst = latencies[name].max()
    print(f"{name}: {np.median(latencies[name]):.1f} ms, at most {worst:.1f}", end=", ")
    print(f"{stream.n_dropped} of {stream.n_grabbed} frames left out")

# %%
# The longest waits count
# -----------------------
# The median is what one quotes; an experiment fails by the rare long waits. In our run other work
# kept both cores busy, and it showed there: leave a core to the network.

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, values in latencies.items():
    share = 100 * (1 - np.arange(len(values)) / len(values))
    ax.plot(np.sort(values), share, drawstyle="steps-post", label=name)
ax.axvline(1000 / frame_rate, color="grey", linestyle=":", label="until the next frame")
ax.set(xlabel="latency (ms)", ylabel="frames that wait longer (%)", yscale="log", xlim=(0, None))
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()
