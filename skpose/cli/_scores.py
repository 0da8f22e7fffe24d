"""How far predictions are from labels: as tables, in files, and as pictures."""

import json
from pathlib import Path

import numpy as np

from skpose.cli._shared import counted, names_of

__all__ = ["Scores", "score_table"]

_ROLES = {  # in the order in which they say something about other frames
    "new": "never seen in training",
    "validation": "kept back in training",
    "training": "trained on",
}
_PCK = 0.1  # of the longer side of the box around the labels


class Scores:
    """What a model finds in labelled images, beside the labels.

    Parameters
    ----------
    model : estimator
        Fitted.
    images : array-like of shape (n_samples, height, width, n_channels)
        The images.
    keypoints : ndarray of shape (n_samples, n_keypoints, 2)
        The labels, in pixels; NaN: none.
    numbers : ndarray of shape (n_samples,), default=None
        What the images are called by: their positions in the set. None: 0, 1, ...
    verbose : int, default=1
        0: show no progress.
    """

    def __init__(self, model, images, keypoints, *, numbers=None, verbose=1):
        from skpose._predictor import Predictor
        from skpose.metrics import correct_keypoints, keypoint_errors

        predictor = Predictor(model)
        self.images, self.labels = images, keypoints
        self.numbers = np.arange(len(images)) if numbers is None else np.asarray(numbers)
        self.names = names_of(model, images)
        self.skeleton = predictor.skeleton
        self.roles = predictor.image_roles(images)
        with counted(images, "images", verbose=verbose) as counting:
            self.found, self.confidence = predictor.predict(counting)
        self.errors = keypoint_errors(keypoints, self.found)
        self.correct = correct_keypoints(
            keypoints, self.found, threshold=_PCK, relative_to="bounding_box"
        )

    def tell(self):
        """Return the scores as text: by bodypart for the frames that say most, else in all."""
        if self.roles is None:
            return f"{_count(len(self.errors))}:\n{self._table(slice(None))}"
        parts = []
        for role, words in _ROLES.items():
            rows = self.roles == role
            if not rows.any():
                continue
            said = f"{_count(rows.sum())} {words}"
            if parts or np.isnan(self.errors[rows]).all():
                parts.append(f"{said}: {_figures(self.errors[rows])}")
            else:
                parts.append(f"{said}:\n{self._table(rows)}")
        if len(parts) > 1:
            parts.append(f"{_count(len(self.errors))} in all: {_figures(self.errors)}")
        return "\n".join(parts)

    def _table(self, rows):
        table = score_table(self.errors[rows], self.names, self.correct[rows])
        return f"{table}\nPCK: within {_PCK:.0%} of the longer side of the box around the labels"

    def write(self, path, *, overwrite):
        """Write the errors to a .csv, a row for each keypoint, or a .json, an entry a frame."""
        from skpose._files import replacing

        with replacing(path, overwrite=overwrite) as temporary:
            if Path(path).suffix.lower() == ".json":
                text = json.dumps(self._as_dict(), indent=1)
                Path(temporary).write_text(text + "\n", encoding="utf-8")
            else:
                self._as_frame().to_csv(temporary, index=False, encoding="utf-8")

    def _as_frame(self):
        import pandas as pd

        n_frames, n_keypoints = self.errors.shape
        table = {
            "frame": np.repeat(self.numbers, n_keypoints),
            "bodypart": np.tile(self.names, n_frames),
        }
        if self.roles is not None:
            table["role"] = np.repeat(self.roles, n_keypoints)
        for name, points in (("labelled", self.labels), ("found", self.found)):
            table |= {f"{name}_{axis}": points[..., i].ravel() for i, axis in enumerate("xy")}
        if self.confidence is not None:
            table["confidence"] = self.confidence.ravel()
        return pd.DataFrame({**table, "error_px": self.errors.ravel()})

    def _as_dict(self):
        def figures(errors):
            known = errors[~np.isnan(errors)]
            values = _summarize(known) if len(known) else [None] * 3
            names = ("mean_px", "median_px", "p95_px")
            return {"n": len(known), **dict(zip(names, values, strict=True))}

        roles = np.full(len(self.errors), "all") if self.roles is None else self.roles
        return {
            "roles": {
                role: {
                    "n_frames": int((roles == role).sum()),
                    "all": figures(self.errors[roles == role]),
                    "bodyparts": {
                        name: figures(self.errors[roles == role][:, i])
                        for i, name in enumerate(self.names)
                    },
                }
                for role in np.unique(roles).tolist()
            },
            "frames": [
                {"frame": int(number), "role": str(role), **figures(errors)}
                for number, role, errors in zip(self.numbers, roles, self.errors, strict=True)
            ],
        }

    PICTURES = ("worst.png", "typical.png", "bodyparts.png")

    def draw(self, folder):
        """Draw the frames that are worst and those in the middle, and the errors by bodypart."""
        from matplotlib.figure import Figure

        from skpose.cli._pictures import N_DRAWN, write_figure
        from skpose.plot import KeypointErrorDisplay

        folder.mkdir(parents=True, exist_ok=True)
        means = _row_means(self.errors)
        order = np.argsort(-means, kind="stable")
        order = order[~np.isnan(means[order])]
        if not len(order):
            raise ValueError("Nothing is labelled where the model looks, so nothing can be drawn.")
        middle = max(0, (len(order) - N_DRAWN) // 2)
        for name, rows in (("worst", order), ("typical", order[middle:])):
            self._draw_frames(folder / f"{name}.png", np.sort(rows[:N_DRAWN]))
        figure = Figure(figsize=(7, 1.2 + 0.22 * len(self.names)), layout="constrained")
        KeypointErrorDisplay(errors=self.errors, skeleton=self.skeleton).plot(
            ax=figure.add_subplot()
        )
        write_figure(folder / "bodyparts.png", figure, overwrite=True)

    def _draw_frames(self, path, rows):
        from skpose.cli._pictures import draw_frames

        poses = {
            "images": self.images[rows],
            "keypoints": self.found[rows],
            "y_true": self.labels[rows],
            "confidence": None if self.confidence is None else self.confidence[rows],
            "skeleton": self.skeleton,
            "indices": self.numbers[rows],
        }
        draw_frames(path, poses, overwrite=True)


def score_table(errors, names, correct=None, *, title="error in px"):
    """Return a line for each bodypart: how far off it is, in pixels.

    Parameters
    ----------
    errors : ndarray of shape (n_samples, n_keypoints)
        In pixels; NaN: not labelled.
    names : sequence of str
        Of the bodyparts.
    correct : ndarray of shape (n_samples, n_keypoints), default=None
        1 where a keypoint is near enough, 0 where it is not, NaN where that is not known; the
        table has their means as PCK.
    title : str, default="error in px"
        What is said of each bodypart.

    Returns
    -------
    str
    """
    width = max(len(name) for name in [*names, "all bodyparts"])
    head = f"{title:{width}}  {'n':>5}  {'mean':>7}  {'median':>7}  {'95 %':>7}"
    lines = [head if correct is None else f"{head}{'PCK':>8}"]
    for name, rows in [*zip(names, errors.T, strict=True), ("all bodyparts", errors)]:
        known = rows[~np.isnan(rows)]
        figures = (
            [f"{value:7.2f}" for value in _summarize(known)] if len(known) else ["      -"] * 3
        )
        lines.append(f"{name:{width}}  {len(known):5}  {'  '.join(figures)}")
    if correct is not None:
        ends = [_share(rows[~np.isnan(rows)]) for rows in [*correct.T, correct]]
        lines[1:] = [line + end for line, end in zip(lines[1:], ends, strict=True)]
    return "\n".join(lines)


def _share(known):
    return f"{known.mean():8.0%}" if len(known) else f"{'-':>8}"


def _count(n_frames):
    return f"{n_frames} frame" if n_frames == 1 else f"{n_frames} frames"


def _figures(errors):
    known = errors[~np.isnan(errors)]
    if not len(known):
        return "nothing is labelled"
    mean, median, high = _summarize(known)
    return f"mean {mean:.2f}, median {median:.2f}, 95 % {high:.2f} px"


def _summarize(known):
    """Return mean, median and 95th percentile."""
    return float(np.mean(known)), float(np.median(known)), float(np.percentile(known, 95))


def _row_means(errors):
    is_known = ~np.isnan(errors)
    n_known = is_known.sum(axis=1)
    sums = np.where(is_known, errors, 0).sum(axis=1)
    return np.where(n_known > 0, sums / np.maximum(n_known, 1), np.nan)
