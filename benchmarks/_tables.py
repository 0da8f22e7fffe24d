"""Tables of README.md, made of the results that they show."""

from collections.abc import Callable
import json
from pathlib import Path
import re

from _report import RESULTS

__all__ = ["README", "fill_in"]

README = Path(__file__).parent / "README.md"
_TABLES: dict[str, tuple[str, Callable]] = {}


def fill_in(text):
    """Replace the tables of a page, between ``<!-- table NAME -->`` and ``<!-- end -->``."""

    def make(match):
        name = match[1]
        if name not in _TABLES:
            raise ValueError(f"There is no table {name!r}, but {', '.join(_TABLES)}.")
        results, rows = _TABLES[name]
        report = json.loads((RESULTS / f"{results}.json").read_text())
        report.pop("machine", None)
        return f"<!-- table {name} -->\n\n{_write(rows(report))}\n\n<!-- end -->"

    return re.sub(r"<!-- table (.*?) -->\n.*?<!-- end -->", make, text, flags=re.S)


def _write(rows):
    header, *lines = ["|".join(f" {cell} " if cell != "" else " " for cell in row) for row in rows]
    rule = "|".join("---" for _ in header.split("|"))
    return "\n".join(f"|{line}|" for line in (header, rule, *lines))


def _table(results, name=None):
    """Let a function of a file of results make a table, named as these if nothing is said."""

    def register(rows):
        _TABLES[name or results] = results, rows
        return rows

    return register


@_table("augmentation")
def _augmentation(report):
    yield "images, seed", "chosen", "error", "180", "10", "ratio"
    for name, seeds in report.items():
        for seed, runs in seeds.items():
            errors = (
                f"{runs[rotation]['mean_px']:.2f}" if rotation in runs else ""
                for rotation in ("auto", "180", "10")
            )
            low_and_high = "-".join(f"{limit:.2f}" for limit in runs.get("limits", ()))
            yield (
                f"{name}, {seed.removeprefix('seed ')}",
                f"{runs['auto']['rotation']:g}" if "auto" in runs else "",
                *errors,
                f"{runs['ratio']:.2f} ({low_and_high})" if low_and_high else "",
            )


@_table("defaults", "first minute")
def _first_minute(report):
    yield "draw", "this", "epochs", "other", "epochs"
    for name, runs in report["first minute"].items():
        cells = []
        for who in ("this", "other"):
            cells += [_mean_and_median(runs[who]), runs[who]["epochs"]]
        yield name.removeprefix("draw "), *cells


@_table("defaults", "twelve minutes")
def _twelve_minutes(report):
    yield "split, seed", "this", "other", "epochs of the other", "ratio of the means, the medians"
    runs = {name: run for name, run in report["fly"].items() if "other" in run}
    for name, run in runs.items():
        this, other = run["this"], run["other"]
        ratios = (this[key] / other[key] for key in ("mean_px", "median_px"))
        yield (
            re.sub("split |seed ", "", name),
            _mean_and_median(this, 2),
            _mean_and_median(other, 2),
            other["epochs"],
            ", ".join(f"{ratio:.2f}" for ratio in ratios),
        )
    means, medians = (
        sum(run["this"][key] for run in runs.values())
        / sum(run["other"][key] for run in runs.values())
        for key in ("mean_px", "median_px")
    )
    yield "all", "", "", "", f"**{means:.2f}, {medians:.2f}**"


@_table("pretrained")
def _pretrained(report):
    names = {
        "random": "random weights",
        "the same bodyparts": "a model of the same four bodyparts",
        "snout and tail base": "of snout and tail base",
        "snout and left ear": "of snout and left ear",
    }
    yield "beginning", *report
    for name, told in names.items():
        yield told, *(_mean_and_median(draw[name]) for draw in report.values())


@_table("absent")
def _absent(report):
    yield "images, training", "empty maps", "error, px", "left out", "error, px"
    for name, runs in report.items():
        for budget in dict.fromkeys(key.split(", ")[1] for key in runs):
            cells = []
            for absent in ("silence", "ignore"):
                if run := runs.get(f"{absent}, {budget}"):
                    error = f"{run['error_px']:.1f} / {run['median_px']:.1f}"
                    cells += [f"{run['auc']:.3f}", error]
                else:
                    cells += ["", ""]
            yield f"{name}, {budget}", *cells


@_table("ensembles")
def _ensembles(report):
    ranks = "confidence, spread"
    yield "", "fly, 20 frames to judge by", ranks, "openfield, 24", ranks
    names = {"seeds": "five seeds", "snapshots": "five snapshots"}
    for name in report["fly"]:
        cells = []
        for group in ("fly", "openfield"):
            run = report[group][name]
            ranks = [run[key] for key in ("confidence_rank", "spread_rank") if key in run]
            errors = f"{run['mean_px']:.2f} / {run['median_px']:.2f} / {run['p95_px']:.1f}"
            cells += [errors, ", ".join(f"{rank:.2f}" for rank in ranks)]
        yield names.get(name, name), *cells


@_table("edits")
def _edits(report):
    yield "images in the set", "median, ms", "95th percentile, ms"
    for name, run in report.items():
        if found := re.search(r"among (\d+) images", name):
            yield f"{int(found[1]):,}", f"{run['median']:.1f}", f"{run['95th percentile']:.1f}"


@_table("conversion")
def _conversion(report):
    names = {
        "deepposekit": "annotation set",
        "deeplabcut": "DeepLabCut",
        "lightning_pose": "Lightning Pose",
        "coco": "COCO",
        "sleap": "SLEAP package",
        "yolo": "YOLO-pose",
    }
    yield "format", "written, MiB", "read, MiB", "written, ms a frame", "read, ms a frame"
    for name, run in report.items():
        ways = [run[way] for way in ("written", "read")]
        yield (
            names[name],
            *(f"{way['grows_mib']:.0f}" for way in ways),
            *(f"{way['ms_a_frame']:.2f}" for way in ways),
        )


@_table("comparison")
def _comparison(report):
    names = {
        "with groups": "`compare(errors, groups)`",
        "without groups": "`compare(errors)`, which takes frames to be independent, as the paper "
        "does",
        "bootstrap": "bootstrap of frames",
        "bootstrap of videos": "bootstrap of videos",
    }
    yield "", "holds the mean, %", "holds the difference, %", "width of the difference, px"
    for name, told in names.items():
        run = report[name]
        shares = (f"{100 * run[key]:.0f}" for key in ("share_mean", "share_difference"))
        yield told, *shares, f"{run['width_px']:.2f}"


def _mean_and_median(run, n_digits=1):
    return f"{run['mean_px']:.{n_digits}f} / {run['median_px']:.{n_digits}f}"
