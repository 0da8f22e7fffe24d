"""An image, the map of one bodypart, and the map of the posture graph."""

from matplotlib import pyplot as plt
import numpy as np

from skpose.datasets import make_poses
from skpose.targets import ConfidenceMaps

mouse = make_poses(1, image_size=128, random_state=1, return_bunch=True)
targets = ConfidenceMaps(skeleton=mouse.skeleton, image_size=128).fit(mouse.keypoints)
maps = targets.transform(mouse.keypoints)[0]
height, width = mouse.images.shape[1:3]
extent = (-0.5, width - 0.5, height - 0.5, -0.5)
snout = mouse.skeleton.names.index("snout")
graph = targets.map_names_.index("graph") if "graph" in targets.map_names_ else -2

figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
axes[0].imshow(mouse.images[0, ..., 0], cmap="gray", extent=extent)
axes[0].plot(*mouse.keypoints[0].T, "o", markersize=4, color="tab:orange")
axes[0].set_title("the image and its keypoints")
for ax, i, title in [
    (axes[1], snout, "the map of the snout"),
    (axes[2], graph, "the map of the posture graph"),
]:
    ax.imshow(maps[..., i], cmap="magma", extent=extent, vmin=0, vmax=np.max(maps[..., i]))
    ax.set_title(title)
for ax in axes:
    ax.set_xticks([0, 64, 127])
    ax.set_yticks([0, 64, 127])
