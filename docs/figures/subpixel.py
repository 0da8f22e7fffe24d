"""Cells of a map, the highest one, and the peak between them."""

from matplotlib import pyplot as plt
import numpy as np

from skpose.layers import Maxima, SubpixelMaxima
from skpose.targets import ConfidenceMaps

truth = np.array([[[23.1, 19.1]]])
maps = ConfidenceMaps(image_size=40).fit(truth).transform(truth)
maps = np.clip(maps + np.random.default_rng(0).normal(0, 0.03, maps.shape), 0, 1)
maps = maps.astype("float32")
highest, fitted = (np.asarray(layer(maps))[0, 0, :2] for layer in (Maxima(), SubpixelMaxima()))

figure, ax = plt.subplots(figsize=(5.4, 4.4), layout="constrained")
shown = ax.imshow(maps[0, ..., 0], cmap="gray", extent=(-0.5, 39.5, 39.5, -0.5))
figure.colorbar(shown, label="confidence")
ax.plot(*truth[0, 0], "+", color="tab:green", markersize=16, label="where it is")
ax.plot(*highest, "s", color="tab:orange", markersize=9, fillstyle="none", label="highest cell")
ax.plot(*fitted, "x", color="tab:red", markersize=9, label="fitted peak")
ax.set(xlim=(7.5, 35.5), ylim=(31.5, 4.5), xlabel="x, pixels", ylabel="y, pixels")
ax.legend(loc="lower right")
