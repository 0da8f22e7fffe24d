"""What several commands need."""

from pathlib import Path

import click
import numpy as np


def _label_options(command):
    options = (
        click.option(
            "--skeleton",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Skeleton table (.csv: name, parent, swap), in place of the labels' own.",
        ),
        click.option(
            "--labelled",
            type=click.Choice(["annotated", "all"]),
            default="annotated",
            show_default=True,
            help="Which keypoints of an annotation set are labels: those marked so, or all.",
        ),
    )
    for option in options:
        command = option(command)
    return command


def _read_labels(path, skeleton, labelled):
    from skpose import Skeleton
    from skpose.datasets import read_annotations, read_coco, read_deeplabcut

    skeleton = None if skeleton is None else Skeleton.from_csv(skeleton)
    if path.is_dir():
        return read_deeplabcut(path, skeleton=skeleton)
    if path.suffix == ".json":
        return read_coco(path)
    return read_annotations(path, skeleton=skeleton, labelled=labelled)


def _names(estimator):
    from skpose.skeleton import number_names

    if estimator.skeleton is not None:
        return estimator.skeleton.names
    return number_names(estimator.n_keypoints_)


def _errors(estimator, X, y):
    from skpose.metrics import keypoint_errors

    return keypoint_errors(y, estimator.predict(X))


def _score_table(errors, names):
    """A line for each bodypart: how far off it is, in pixels."""
    width = max(len(name) for name in [*names, "all bodyparts"])
    lines = [f"{'':{width}}  {'n':>5}  {'mean':>7}  {'median':>7}  {'95 %':>7}  px"]
    for name, column in [*zip(names, errors.T, strict=True), ("all bodyparts", errors.ravel())]:
        known = column[~np.isnan(column)]
        figures = (
            f"{np.mean(known):7.2f}  {np.median(known):7.2f}  {np.percentile(known, 95):7.2f}"
            if len(known)
            else f"{'-':>7}  {'-':>7}  {'-':>7}"
        )
        lines.append(f"{name:{width}}  {len(known):5}  {figures}")
    return "\n".join(lines)
