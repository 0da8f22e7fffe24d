"""
====================================
Should predicted tracks be smoothed?
====================================

A network looks at each frame on its own, so its errors jump from frame to frame while animals do
not. Filters take such errors away, and some of the movement with them. What is gained, and how long
may the filter be?
"""

# %%
# A film whose poses are known
# ----------------------------
# A network is trained on drawn animals. The films that it then sees are other animals, each turning
# and drifting smoothly under the camera, with fresh noise of the sensor in each frame.

import os

import cv2
from matplotlib import pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter1d

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.models import StackedDenseNet
from skpose.targets import ConfidenceMaps

fast = os.environ.get("SKPOSE_EXAMPLES_FAST") == "1"  # shows that the script runs, learns nothing
n_samples, n_epochs, image_size = (8, 1, 32) if fast else (400, 25, 64)
n_films, n_frames, noise = (1, 40, 8) if fast else (6, 300, 8)


def film(image, keypoints, rng):
    """Turn and shift an image, and its keypoints with it."""
    angles = gaussian_filter1d(rng.normal(0, 1.2, n_frames), 8).cumsum()  # radians
    shifts = gaussian_filter1d(rng.normal(0, 20, (n_frames, 2)), 15, axis=0)  # pixels
    frames, poses = [], []
    for angle, shift in zip(angles, shifts, strict=True):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = np.full(2, (image_size - 1) / 2)
        matrix = np.column_stack([turn, centre + shift - turn @ centre])
        pixels = cv2.warpAffine(image, matrix, image.shape[:2], borderMode=cv2.BORDER_REFLECT)
        pixels = pixels + rng.normal(0, noise, pixels.shape)
        frames.append(np.clip(pixels, 0, 255).astype(np.uint8)[..., np.newaxis])
        poses.append(keypoints @ turn.T + matrix[:, 2])
    return np.stack(frames), np.stack(poses)


mice = make_poses(n_samples, image_size=image_size, noise=noise, return_bunch=True, random_state=0)
estimator = PoseEstimator(
    StackedDenseNet(n_stacks=1, growth_rate=4 if fast else 24),
    skeleton=mice.skeleton,
    targets=ConfidenceMaps(sigma=3.0),
    learning_rate=3e-3,
    batch_size=16,
    early_stopping=False,
    max_epochs=n_epochs,
    random_state=0,
).fit(mice.images, mice.keypoints)

rng = np.random.default_rng(0)
others = make_poses(n_films, image_size=image_size, noise=0, random_state=1)
films = [film(image[..., 0], keypoints, rng) for image, keypoints in zip(*others, strict=True)]
tracks = [estimator.predict(frames, return_confidence=True) for frames, _ in films]

# %%
# From our arrays to a toolbox for tracks
# ---------------------------------------
# Smoothing is not a matter of pose estimation, and other packages do it well. ``movement`` takes
# our arrays, or the tables that ``predict_video`` writes (``load_poses.from_dlc_file``). Where it
# is not installed (``pip install movement``), SciPy has the same filters.

least_confidence = 0 if fast else 0.3

try:
    from movement.filtering import (
        filter_by_confidence,
        interpolate_over_time,
        rolling_filter,
        savgol_filter,
    )
    from movement.io import load_poses
except ImportError:
    from scipy.ndimage import median_filter
    from scipy.signal import savgol_filter

    def median(track, window):
        return median_filter(track, (window, 1, 1), mode="nearest")

    def savgol(track, window):
        return savgol_filter(track, window, polyorder=2, axis=0)

    def fill(track, confidence):
        frames, filled = np.arange(len(track)), track.copy()
        for k in range(track.shape[1]):
            sure = confidence[:, k] >= least_confidence
            for axis in range(2):
                if sure.any():
                    filled[:, k, axis] = np.interp(frames, frames[sure], track[sure, k, axis])
        return filled

else:

    def to_dataset(track, confidence=None):
        """Return (n_frames, n_keypoints, 2) as (time, space, keypoints, individuals)."""
        confidence = None if confidence is None else confidence[..., np.newaxis]
        position = track.transpose(0, 2, 1)[..., np.newaxis]
        return load_poses.from_numpy(position, confidence, keypoint_names=mice.skeleton.names)

    def to_array(position):
        return position.values[..., 0].transpose(0, 2, 1)

    def median(track, window):
        return to_array(rolling_filter(to_dataset(track).position, window, min_periods=1))

    def savgol(track, window):
        return to_array(savgol_filter(to_dataset(track).position, window, polyorder=2))

    def fill(track, confidence):
        poses = to_dataset(track, confidence)
        kept = filter_by_confidence(poses.position, poses.confidence, least_confidence)
        filled = interpolate_over_time(kept, fill_value="extrapolate")
        return to_array(filled)


# %%
# Position and speed
# ------------------
# The animals move by 2.9 px a frame on average. In our run, no filter made positions much better:
# the error is 1.8 px as predicted, and 1.75 px at best. Neighbouring frames look alike to the
# network, so most of an error lasts for several frames, and no filter can tell it from the truth.
# More labels, or better ones, can.
#
# Velocities are another matter. They come from differences between frames, where errors that jump
# weigh most: a Savitzky-Golay filter of 9 or 11 frames takes their error from 1.2 to 0.5 px a
# frame. To replace keypoints of a confidence below 0.3 first, which are 3 % of all and off by 11 px
# on average, helps short filters a little further. The median flattens every turn, and is the worse
# filter here from 7 frames on.
#
# Too long is worse than not at all: with 21 frames, positions are twice as far off as they were
# predicted, and velocities are no better. What is too long depends on how fast your animals turn
# and how many frames a second you have, so look at it in frames of fast movement.

windows = [3, 5] if fast else [3, 5, 7, 9, 11, 15, 21]
ways = {
    "median": lambda track, confidence, window: median(track, window),
    "Savitzky-Golay": lambda track, confidence, window: savgol(track, window),
    "unsure ones replaced, Savitzky-Golay": lambda track, confidence, window: savgol(
        fill(track, confidence), window
    ),
}


def mean_errors(smooth):
    """Return the mean error of positions (px) and of velocities (px a frame)."""
    errors = []
    for (keypoints, confidence), (_, truth) in zip(tracks, films, strict=True):
        off = smooth(keypoints, confidence) - truth
        errors.append([np.linalg.norm(v, axis=2).mean() for v in (off, np.diff(off, axis=0))])
    return np.mean(errors, axis=0)


raw = mean_errors(lambda track, confidence: track)
errors = {
    name: np.array(
        [mean_errors(lambda track, sure, w=w, way=way: way(track, sure, w)) for w in windows]
    )
    for name, way in ways.items()
}
figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
labels = "mean error of positions (px)", "mean error of velocities (px a frame)"
for i, (ax, label) in enumerate(zip(axes, labels, strict=True)):
    for name, lines in errors.items():
        ax.plot(windows, lines[:, i], marker="o", label=name)
    ax.axhline(raw[i], color="grey", linestyle=":", label="as predicted")
    ax.set(xlabel="length of the filter (frames)", ylabel=label, ylim=(0, None))
    ax.set_xticks(windows)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].legend(frameon=False, loc="upper left")
plt.show()
