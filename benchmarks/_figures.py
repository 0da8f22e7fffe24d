"""Figures of the benchmarks."""

from _report import RESULTS
import matplotlib as mpl
from matplotlib.lines import Line2D
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

mpl.use("agg")

# The palette of Okabe and Ito, told apart by everyone.
BLUE, GREEN, ORANGE, RED, PURPLE, BLACK = (
    "#0072B2",
    "#009E73",
    "#E69F00",
    "#D55E00",
    "#CC79A7",
    "#222222",
)
_LABEL_PLACES = (  # offset in units of the marker's radius, alignment
    ((1, 0), "left", "center"),
    ((-1, 0), "right", "center"),
    ((0, 1), "center", "bottom"),
    ((0, -1), "center", "top"),
    ((0.75, 0.75), "left", "bottom"),
    ((0.75, -0.75), "left", "top"),
    ((-0.75, 0.75), "right", "bottom"),
    ((-0.75, -0.75), "right", "top"),
)


def save_figure(figure, name):
    """Write a figure to ``results/<name>.png`` and say where."""
    path = RESULTS / f"{name}.png"
    figure.savefig(path, dpi=120)
    plt.close(figure)
    print(f"figure: {path}")


def tidy(ax):
    """Leave the left and the lower border, and a light grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="0.92", linewidth=0.8)
    ax.set_axisbelow(True)


def set_log(ax, which):
    """Make an axis logarithmic, with plain numbers at 1, 2 and 5."""
    ax.set(**{f"{which}scale": "log"})
    axis = getattr(ax, f"{which}axis")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def draw_speed_and_error(rows, data):
    """Draw the networks' errors against the time of an image, as Graving et al. (2019), figure 3.

    Parameters
    ----------
    rows : dict of str to dict
        What was measured of each network; those without a speed or an error are left out.
    data : str
        Name of the data, for the file.
    """
    rows = [row for row in rows.values() if {"mean_px", "batch_1_ms"} <= set(row)]
    if not rows:
        print(f"{data}: no network has both a speed and an error yet, so there is no figure.")
        return
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.8), sharey=True, layout="constrained")
    times = {
        "one image at a time": [row["batch_1_ms"] for row in rows],
        "100 images in one call": [1000 / row["batch_100_images_s"] for row in rows],
    }
    for ax, (title, milliseconds) in zip(axes, times.items(), strict=True):
        _draw_networks(ax, milliseconds, rows)
        ax.set_xlabel("milliseconds an image")
        ax.set_title(title.capitalize(), loc="left", fontsize="medium")
    axes[0].set_ylabel("mean error (px)")
    _add_size_legend(axes[1])
    figure.canvas.draw()
    for ax, milliseconds in zip(axes, times.values(), strict=True):
        _label_networks(ax, milliseconds, rows)
    minutes = sorted({round(row["minutes"], 1) for row in rows})
    trained = f"{minutes[0]:g}" if len(minutes) == 1 else f"{minutes[0]:g} to {minutes[-1]:g}"
    figure.suptitle(f"{data}: each network trained for {trained} minutes", x=0.01, ha="left")
    save_figure(figure, f"networks_{data}")


def _area(parameters):
    return 40 * parameters / 1e6 + 25


def _color(label):
    families = {"DeepLabCut": ORANGE, "LEAP": PURPLE, "Stacked Hourglass": GREEN}
    families |= {"Stacked DenseNet": BLUE, "Residual U-Net": RED}
    return next((color for name, color in families.items() if label.startswith(name)), BLACK)


def _draw_networks(ax, milliseconds, rows):
    for x, row in zip(milliseconds, rows, strict=True):
        ax.scatter(
            x,
            row["mean_px"],
            s=_area(row["parameters"]),
            color=_color(row["label"]),
            alpha=0.75,
            edgecolor="white",
            zorder=3,
        )
    tidy(ax)
    set_log(ax, "x")
    set_log(ax, "y")
    errors = [row["mean_px"] for row in rows]
    ax.set_xlim(min(milliseconds) / 1.9, max(milliseconds) * 1.9)
    ax.set_ylim(min(errors) / 1.25, max(errors) * 1.25)


def _label_networks(ax, milliseconds, rows):
    """Write names beside the markers, where they cover neither markers nor other names."""
    points = ax.transData.transform(
        [(x, row["mean_px"]) for x, row in zip(milliseconds, rows, strict=True)]
    )
    pixels = ax.figure.dpi / 72
    radii = [(_area(row["parameters"]) / 3.1416) ** 0.5 * pixels for row in rows]
    taken = [
        mpl.transforms.Bbox.from_bounds(x - r, y - r, 2 * r, 2 * r)
        for (x, y), r in zip(points, radii, strict=True)
    ]
    frame = ax.get_window_extent()
    for row, point, radius in zip(rows, points, radii, strict=True):
        best = None
        for (dx, dy), ha, va in _LABEL_PLACES:
            gap = radius / pixels + 2
            text = ax.annotate(
                row["label"],
                ax.transData.inverted().transform(point),
                xytext=(gap * dx, gap * dy),
                textcoords="offset points",
                ha=ha,
                va=va,
                fontsize="x-small",
            )
            box = text.get_window_extent()
            n_covered = sum(box.overlaps(other) for other in taken)
            n_covered += 0 if frame.x0 <= box.x0 and box.x1 <= frame.x1 else 2
            if best is None or n_covered < best[0]:
                if best is not None:
                    best[1].remove()
                best = (n_covered, text, box)
            else:
                text.remove()
        taken.append(best[2])


def _add_size_legend(ax):
    handles = [
        Line2D(
            [],
            [],
            marker="o",
            linestyle="",
            color="0.6",
            markersize=_area(1e6 * millions) ** 0.5,
            label=f"{millions} M",
        )
        for millions in (1, 5, 25)
    ]
    ax.legend(
        handles=handles,
        title="parameters",
        loc="upper left",
        bbox_to_anchor=(1.02, 1.0),
        frameon=False,
        labelspacing=2.6,
        handletextpad=2.2,
        fontsize="small",
        title_fontsize="small",
    )


def draw_scaling(groups):
    """Draw what cost depends on.

    Parameters
    ----------
    groups : dict of str to dict
        The rows of "size", "keypoints", "batch" and "stream"; what is empty is not drawn.
    """
    figure, axes = plt.subplots(2, 2, figsize=(10, 7.4), layout="constrained")
    axes = axes.ravel()
    if groups["size"]:
        _draw_throughput(axes[0], groups["size"], "width and height of the images (px)")
    if groups["keypoints"]:
        _draw_throughput(axes[1], groups["keypoints"], "keypoints, images of 192 px")
    if groups["batch"]:
        _draw_batches(axes[2], groups["batch"])
    if groups["stream"]:
        _draw_memory(axes[3], groups["stream"])
    for ax in axes:
        ax.set_visible(ax.has_data())
        tidy(ax)
    save_figure(figure, "scaling")


def _draw_throughput(ax, rows, xlabel):
    x = [int(key) for key in rows]
    ax.plot(x, [row["predict_images_s"] for row in rows.values()], "o-", color=BLUE)
    ax.plot(x, [1000 / row["batch_1_ms"] for row in rows.values()], "o-", color=GREEN)
    ax.plot(x, [row["training_images_s"] for row in rows.values()], "o-", color=RED)
    labels = ("prediction, many images", "prediction, one image", "training, batches of 16")
    for line, label in zip(list(ax.lines), labels, strict=True):
        line.set(label=label, markersize=4)
    if "width" in xlabel:
        first = max(ax.lines, key=lambda line: line.get_ydata()[0]).get_ydata()[0]
        by_area = [first * 1.3 * (x[0] / side) ** 2 for side in x]
        ax.plot(x, by_area, ":", color="0.6", label="in proportion to the area")
        set_log(ax, "y")
    else:
        ax.set_ylim(bottom=0)
    set_log(ax, "x")
    ax.set_xticks(x, map(str, x))
    ax.set(xlabel=xlabel, ylabel="images/s")
    ax.legend(frameon=False, fontsize="small")


def _draw_batches(ax, rows):
    curves = {
        "images_s_by_batch_size": ("images in a batch", BLUE),
        "images_s_by_frames_in_a_call": ("images in a call", ORANGE),
    }
    for key, (label, color) in curves.items():
        x = [int(n) for n in rows[key]]
        ax.plot(x, list(rows[key].values()), "o-", color=color, label=label, markersize=4)
    set_log(ax, "x")
    ax.xaxis.set_major_locator(LogLocator())
    ax.set_ylim(bottom=0)
    ax.set(xlabel="number of images of 192 px", ylabel="prediction, images/s")
    ax.legend(frameon=False, fontsize="small")


def _draw_memory(ax, rows):
    labels = {"stream": ("one call", BLUE), "single": ("frame by frame", GREEN)}
    for name, row in rows.items():
        frames, memory, _ = zip(*row["samples"], strict=True)
        label, color = labels[name]
        ax.plot(frames, memory, color=color, label=f"{label}, {row['frames_s']:.0f} frames/s")
    ax.axhline(1536, color="0.6", linestyle=":", label="1.5 GiB")
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.set_xlim(right=1.08 * max(row["frames"] for row in rows.values()))
    side = next(iter(rows.values()))["side"]
    ax.set(xlabel=f"frames of {side} px predicted", ylabel="resident memory (MiB)")
    ax.legend(frameon=False, fontsize="small")


def draw_annotator(results):
    """Draw what the simulated annotator did, as shares, waiting and errors, a group for each set.

    Parameters
    ----------
    results : dict of str to dict
        Of each set, what was measured of each kind of run.
    """
    kinds = list(dict.fromkeys(kind for rows in results.values() for kind in rows))
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained")
    panels = (
        ("share", "share of the actions from nothing (dashed: aim)", 1, 1 / 3),
        ("error_px", "mean error of the labels, px (dashed: aim)", 1, 1),
        ("waiting_s", "waiting for the model (minutes)", 60, None),
    )
    width = 0.8 / len(kinds)
    for ax, (name, title, unit, aim) in zip(axes, panels, strict=True):
        for place, (kind, color) in enumerate(
            zip(kinds, (BLUE, GREEN, ORANGE, RED, PURPLE), strict=False)
        ):
            at = [
                (i + (place - (len(kinds) - 1) / 2) * width, rows[kind][name] / unit)
                for i, rows in enumerate(results.values())
                if kind in rows
            ]
            ax.bar(*zip(*at, strict=True), width=0.9 * width, color=color, label=kind)
        if aim is not None:
            ax.axhline(aim, color=BLACK, linewidth=1, linestyle="--")
        ax.set_xticks(range(len(results)), results)
        ax.set_title(title, loc="left", fontsize="medium")
        tidy(ax)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    save_figure(figure, "annotator")
