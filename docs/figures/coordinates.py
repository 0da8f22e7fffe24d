"""Pixels with whole numbers at their centres, and the cells of a map that cover them."""

from matplotlib import pyplot as plt

n_pixels, stride = 8, 4
figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
for i in range(n_pixels + 1):
    ax.axhline(i - 0.5, color="0.8", linewidth=1, zorder=0)
    ax.axvline(i - 0.5, color="0.8", linewidth=1, zorder=0)
for i in range(0, n_pixels + 1, stride):
    ax.axhline(i - 0.5, color="tab:blue", linewidth=2)
    ax.axvline(i - 0.5, color="tab:blue", linewidth=2)
centres = [(stride - 1) / 2 + stride * j for j in range(n_pixels // stride)]
ax.plot(*zip(*[(x, y) for x in centres for y in centres], strict=True), "o", color="tab:blue")
ax.plot(0, 0, "o", color="tab:orange", markersize=9)
ax.text(0.3, 0.1, "pixel (0, 0)", color="tab:orange")
ax.text(1.5, 2.1, "cell (0, 0)\nx = 1.5, y = 1.5", color="tab:blue", ha="center", va="center")
ax.text(5.5, 2.1, "cell (0, 1)\nx = 5.5, y = 1.5", color="tab:blue", ha="center", va="center")
ax.set(xlim=(-0.6, 7.6), ylim=(7.6, -0.6), xlabel="x, pixels", ylabel="y, pixels")
ax.set_aspect("equal")
