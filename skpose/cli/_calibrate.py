"""``skpose calibrate``."""

import contextlib
import copy
from pathlib import Path
import shutil

import click
import numpy as np

from skpose.cli._shared import check_free, forget_outside, label_options, parts_of, read_labels

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
    "--within",
    type=click.FloatRange(0, min_open=True),
    help="How near is found, in pixels, of which the confidence is the probability. By default a "
    "twentieth of the animal's size.",
)
@click.option(
    "--cv",
    type=click.IntRange(2),
    default=5,
    show_default=True,
    help="Number of parts that the labels are divided in, by videos where there are several; for "
    "each one, a network is trained on the others.",
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
@click.option(
    "--seed", default=0, show_default=True, help="Another seed divides the labels in another way."
)
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def calibrate(labels, model_file, out, skeleton, coverage, within, minutes, held_back, **options):
    """Find out from LABELS how far off the keypoints of MODEL_FILE may be.

    LABELS are those that it was trained on. The new model finds the same keypoints; its confidence
    is the probability that one is found, and `skpose predict --with-radius` tells for each the
    radius that holds the true position with the probability --coverage. After Ctrl-C, the
    same command goes on with the part of the labels that it was at: what the others gave is kept in
    the folder OUT.folds until all are done.
    """
    cv, seed, overwrite = (options.pop(name) for name in ("cv", "seed", "overwrite"))
    if held_back and minutes is not None:
        raise click.UsageError("--minutes does not apply to --held-back, which trains nothing.")
    check_free(out, overwrite)
    from sklearn.base import clone
    from sklearn.frozen import FrozenEstimator

    import skpose
    from skpose._predictor import Predictor
    from skpose.conformal import ConformalPoseEstimator
    from skpose.saving import check_model_path

    check_model_path(out, overwrite=overwrite)
    model = skpose.load(model_file)
    _check_kind(model, model_file, held_back=held_back)
    data = read_labels(labels, skeleton, options, model)
    forget_outside(data, Predictor(model).region)
    settings = {"coverage": coverage, "random_state": seed, "verbose": 1}
    settings["within"] = "auto" if within is None else within
    if held_back:
        calibrated = ConformalPoseEstimator(FrozenEstimator(model), **settings)
        _fit(calibrated, data, _unseen(model, data, model_file), cv)
    else:
        folds = out.with_name(f"{out.name}.folds")
        estimator = _to_train(model, minutes, cv)
        calibrated = ConformalPoseEstimator(estimator, refit=False, memory=folds, **settings)
        try:
            _fit(calibrated, data, None, cv)
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"The same command goes on from what is in {folds}.")
            raise
    calibrated.estimator_ = model  # with the parameters that it was trained with
    calibrated.set_params(estimator=clone(model), refit=True, memory=None)
    skpose.save(calibrated, out, overwrite=overwrite)
    if not held_back:
        _forget(folds)
    click.echo(_tell(calibrated))
    click.echo(f"The calibrated model is in {out}")


def _check_kind(model, model_file, *, held_back):
    from skpose._predictor import Predictor
    from skpose.conformal import ConformalPoseEstimator
    from skpose.runtime import ExportedPoseEstimator

    last = Predictor(model).last
    if isinstance(last, ConformalPoseEstimator):
        raise click.UsageError(f"{model_file} was calibrated already.")
    is_exported = any(isinstance(part, ExportedPoseEstimator) for part in parts_of(last).values())
    if is_exported and not held_back:
        raise click.UsageError(
            f"{model_file} was exported, and cannot be trained on parts of the labels. Calibrate "
            "the model that it was made of, or give --held-back."
        )


def _to_train(model, minutes, n_folds):
    """Return a copy of a model whose clones begin anew, and take their share of the minutes."""
    from skpose._predictor import Predictor

    model = copy.deepcopy(model)
    last = Predictor(model).last
    for name, value in last.get_params().items():
        if name.split("__")[-1] == "pretrained" and value is not None:
            last.set_params(**{name: None})  # which may know the images that it is to be judged by
    if minutes is not None:
        if "max_minutes" not in last.get_params(deep=False):
            raise click.UsageError(f"--minutes does not apply to a {type(last).__name__}.")
        last.set_params(max_epochs=None, max_minutes=minutes / n_folds)
    return model


def _unseen(model, data, model_file):
    """Return which images the model was not trained on."""
    from skpose._predictor import Predictor

    roles = Predictor(model).image_roles(data.images)
    if roles is None:
        raise click.ClickException(f"{model_file} does not tell what it was trained on.")
    rows = np.flatnonzero(roles != "training")
    if not len(rows):
        raise click.ClickException(f"{model_file} was trained on all of the images.")
    return rows


def _fit(calibrated, data, rows, n_folds):
    """Calibrate by some of the images, or by all; by their videos where there are several."""
    from skpose.preprocessing import ImageBatch

    images, groups = ImageBatch.wrap(data.images), data.get("groups")
    rows = np.arange(len(images)) if rows is None else rows
    has_labels = np.isfinite(data.keypoints[rows]).any(axis=(1, 2))
    if groups is not None:
        groups = np.asarray(groups)[rows]
        n_videos = len(set(groups[has_labels]))
        if n_videos > 1:
            n_folds = min(n_folds, n_videos)
        else:
            groups = None
            click.echo("The labels are of one video: radii are those in frames of the same video.")
    calibrated.set_params(cv=n_folds)
    options = {"groups": groups, "visibility": data.visibility[rows]}
    calibrated.fit(images[rows], data.keypoints[rows], **options)


def _forget(folds):
    """Remove what joblib has kept of folds, and the folder, unless somebody put more in it."""
    shutil.rmtree(folds / "joblib", ignore_errors=True)
    with contextlib.suppress(OSError):
        (folds / ".gitignore").unlink(missing_ok=True)  # joblib's as well
        folds.rmdir()


def _tell(calibrated):
    """Return what radii hold, and how large they are."""
    is_within, radius = calibrated.measure_coverage(_LEVELS)
    lines = ["asked for  measured  median radius"]
    for level, held, px in zip(_LEVELS, is_within, radius, strict=True):
        lines.append(f"{level:9.0%} {np.nanmean(held):9.0%} {np.nanmedian(px):11.3g} px")
    lines.append(f"Confidence is the probability of an error within {calibrated.within_:.3g} px.")
    return "\n".join(lines)
