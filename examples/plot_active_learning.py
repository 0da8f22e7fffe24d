"""
==================================
Which frames should we label next?
==================================

An animal rests for most of a video. Frames chosen by chance show it resting, again and again, and
labelling those is work for nothing. There are two ways to choose better: frames that look different
from each other, and, once there is a network, frames that it is in doubt about.
"""

# %%
# A video of little interest
# --------------------------
# The animal moves in one frame of five. Between, it lies still, and only the camera's noise
# changes. What we want to be good at are its movements, so errors are measured in frames of those
# that are not in the video.

import os

from matplotlib import pyplot as plt
import numpy as np
from sklearn.base import clone

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.models import StackedDenseNet
from skpose.sampling import ConfidenceSampler, KMeansSampler, RandomSampler
from skpose.targets import ConfidenceMaps

fast = os.environ.get("SKPOSE_EXAMPLES_FAST") == "1"  # shows that the script runs, learns nothing
n_bouts, n_rest, n_move, n_test = (2, 5, 3, 4) if fast else (8, 60, 15, 100)
n_start, n_more, n_epochs, n_repeats, image_size = (2, 2, 1, 1, 16) if fast else (20, 20, 30, 2, 32)

n_poses = n_bouts * (1 + n_move)
mouse = make_poses(n_poses + n_test, image_size, return_bunch=True, random_state=0)
bouts = np.arange(n_poses).reshape(n_bouts, 1 + n_move)
order = np.concatenate([np.append(np.full(n_rest, bout[0]), bout[1:]) for bout in bouts])
noise = np.random.default_rng(0).normal(0, 3, (len(order), *mouse.images.shape[1:]))
video = np.clip(np.rint(mouse.images[order] + noise), 0, 255).astype(np.uint8)
truth = mouse.keypoints[order]  # what a person would label
moves = np.isin(order, bouts[:, 1:])
X_test, y_test = mouse.images[n_poses:], mouse.keypoints[n_poses:]

network = PoseEstimator(
    StackedDenseNet(n_stacks=1, growth_rate=4 if fast else 16),
    skeleton=mouse.skeleton,
    targets=ConfidenceMaps(sigma=3.0),
    learning_rate=3e-3,
    batch_size=16,
    early_stopping=False,
)


def train(index, seed):
    """A network that was shown these frames, in as many steps however few frames there are."""
    again = index if fast else np.resize(index, 160)  # each is augmented in another way
    estimator = clone(network).set_params(max_epochs=n_epochs, random_state=seed)
    return estimator.fit(video[again], truth[again])


# %%
# Two rounds of labelling
# -----------------------
# First by chance, or from clusters of frames that look alike; then again so, or what the network
# trained on the first round is least confident about. ``exclude`` keeps frames from being labelled
# twice, and ``min_separation`` keeps neighbours from being chosen, which show the same.

ways = {
    "by chance, twice": (RandomSampler, RandomSampler),
    "from clusters, twice": (KMeansSampler, KMeansSampler),
    "from clusters, then doubtful": (KMeansSampler, ConfidenceSampler),
}
errors = {way: [] for way in ways}
for seed in range(n_repeats):
    first_round = {}
    for way, (First, Second) in ways.items():
        if First not in first_round:
            index = First(n_start, random_state=seed).select(video)
            first_round[First] = index, train(index, seed)
        index, estimator = first_round[First]
        settings = {"n_frames": n_more, "min_separation": 1 if fast else 3, "random_state": seed}
        if Second is ConfidenceSampler:
            settings["estimator"] = estimator
        more = Second(**settings).select(video, exclude=index)
        networks = estimator, train(np.concatenate([index, more]), seed)
        before, after = (-one.score(X_test, y_test) for one in networks)
        errors[way].append([before, after])
        print(
            f"{way}: movement in {moves[index].mean():.0%}, then {moves[more].mean():.0%} of the "
            f"frames; error {before:.1f}, then {after:.1f} px"
        )

# %%
# What was chosen, and what it was worth
# --------------------------------------
# By chance, one frame in five shows movement, as in the video. In the first round from clusters it
# is 60 to 70 %, in the second even more: frames that are excluded count as chosen from their
# clusters, so what is left is what is rare. In the figure every point is a network, and lines join
# their means.

figure, ax = plt.subplots(figsize=(6, 4.5), layout="constrained")
n_labelled = [n_start, n_start + n_more]
for way, runs in errors.items():
    (line,) = ax.plot(n_labelled, np.mean(runs, axis=0), label=way)
    ax.plot(n_labelled, np.transpose(runs), "o", color=line.get_color())
ax.set(xlabel="labelled frames", ylabel="mean error in other frames (px)", xticks=n_labelled)
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()
