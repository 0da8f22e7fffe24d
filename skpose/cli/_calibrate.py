"""``skpose calibrate``."""

from pathlib import Path

import click
import numpy as np

from skpose.cli._shared import check_free, label_options, read_labels

_LEVELS = (0.5, 0.8, 0.9, 0.95)


@click.command()
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The calibrated model file (.skpose).",
)
@label_options
@click.option(
    "--coverage",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.9,
    show_default=True,
    help="Share of the true positions that lie within the radius.",
)
@click.option(
    "--cv",
    type=click.IntRange(2),
    default=5,
    show_default=True,
    help="Number of parts that the labels are divided in; for each one, a network is trained on "
    "the others.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="For all these trainings together. By default each takes as long as that of MODEL_FILE.",
)
@click.option(
    "--held-back",
    is_flag=True,
    help="Train nothing, but use those of LABELS alone that the model was not trained on.",
)
@click.option("--seed", type=int, default=None, help="Makes the division reproducible.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def calibrate(labels, model_file, out, skeleton, coverage, cv, minutes, held_back, **options):
    """Find out from LABELS how far off the keypoints of MODEL_FILE may be.

    LABELS are those that it was trained on. The new model finds the same keypoints; its confidence
    is the probability that one is found, and `skpose predict --with-radius` tells for each the
    radius that holds the true position with the probability --coverage.
    """
    seed, overwrite = options.pop("seed"), options.pop("overwrite")
    if held_back and minutes is not None:
        raise click.UsageError("--minutes does not apply to --held-back, which trains nothing.")
    check_free(out, overwrite)
    from sklearn.base import clone
    from sklearn.frozen import FrozenEstimator

    import skpose
    from skpose._predictor import Predictor
    from skpose.conformal import ConformalPoseEstimator

    model = skpose.load(model_file)
    if isinstance(Predictor(model).last, ConformalPoseEstimator):
        raise click.UsageError(f"{model_file} was calibrated already.")
    data = read_labels(labels, skeleton, options, model)
    settings = {"coverage": coverage, "cv": cv, "random_state": seed, "verbose": 1}
    if held_back:
        calibrated = ConformalPoseEstimator(FrozenEstimator(model), **settings)
        _fit(calibrated, data, _unseen(model, data, model_file))
    else:
        calibrated = ConformalPoseEstimator(_with_minutes(model, minutes, cv), **settings)
        _fit(calibrated.set_params(refit=False), data, slice(None))
    calibrated.estimator_ = model  # with the parameters that it was trained with
    calibrated.set_params(estimator=clone(model), refit=True)
    skpose.save(calibrated, out, overwrite=overwrite)
    click.echo(_tell(calibrated))
    click.echo(f"The calibrated model is in {out}")


def _with_minutes(model, minutes, n_folds):
    """Return a copy of a model whose clones take their share of the minutes."""
    import copy

    from skpose._predictor import Predictor

    if minutes is None:
        return model
    model = copy.deepcopy(model)
    last = Predictor(model).last
    if "max_minutes" not in last.get_params(deep=False):
        raise click.UsageError(f"--minutes does not apply to a {type(last).__name__}.")
    last.set_params(max_epochs=None, max_minutes=minutes / n_folds)
    return model


def _unseen(model, data, model_file):
    """Return which labelled images the model was not trained on."""
    from skpose._predictor import Predictor

    roles = Predictor(model).image_roles(data.images)
    if roles is None:
        raise click.ClickException(f"{model_file} does not tell what it was trained on.")
    rows = np.flatnonzero(roles != "training")
    if not len(rows):
        raise click.ClickException(f"{model_file} was trained on all of the images.")
    return rows


def _fit(calibrated, data, rows):
    groups = data.get("groups")
    groups = None if groups is None else np.asarray(groups)[rows]
    if groups is not None and len(set(groups)) < calibrated.cv:
        groups = None  # too few videos to divide them
    options = {"groups": groups, "visibility": data.visibility[rows]}
    calibrated.fit(data.images[rows], data.keypoints[rows], **options)


def _tell(calibrated):
    """Return what radii hold, and how large they are."""
    is_within, radius = calibrated.measure_coverage(_LEVELS)
    lines = ["asked for  measured  median radius"]
    for level, held, px in zip(_LEVELS, is_within, radius, strict=True):
        lines.append(f"{level:9.0%} {np.nanmean(held):9.0%} {np.nanmedian(px):11.3g} px")
    lines.append(f"Confidence is the probability of an error within {calibrated.within_:.3g} px.")
    return "\n".join(lines)
