"""What several commands need."""

from pathlib import Path

import click
from click.core import ParameterSource
import numpy as np

__all__ = [
    "LABEL_OPTIONS",
    "REGION",
    "check_free",
    "errors_of",
    "label_options",
    "names_of",
    "read_labels",
    "refuse",
    "score_table",
    "take_apart",
]


class _Region(click.ParamType):
    name = "X,Y,WIDTH,HEIGHT"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        try:
            x, y, width, height = (int(number) for number in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not X,Y,WIDTH,HEIGHT in whole pixels.", param, ctx)
        return x, y, width, height


class _ImageSize(click.ParamType):
    name = "HEIGHT,WIDTH"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        try:
            height, width = (int(number) for number in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not HEIGHT,WIDTH in whole pixels.", param, ctx)
        return height, width


REGION, IMAGE_SIZE = _Region(), _ImageSize()
LABEL_OPTIONS = ("labelled", "scorer", "category", "image_size")


def refuse(options, why):
    """Raise an error if one of these options was given, which does not apply."""
    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
        if given and option.opts[0] in options:
            raise click.UsageError(f"{option.opts[0]} does not apply {why}.")


def check_free(path, overwrite):
    """Check that a file can be written, before anything slow is loaded."""
    if path.exists() and not overwrite:
        raise click.ClickException(
            f"{path} exists. Give another name, or --overwrite to replace it."
        )
    if not path.resolve().parent.is_dir():
        raise click.ClickException(f"{path} cannot be written: its folder does not exist.")


def label_options(command):
    """Add the options of a command that reads labels."""
    options = (
        click.option(
            "--skeleton",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Skeleton table (.csv: name, parent, swap), in place of the labels' own.",
        ),
        click.option(
            "--labelled",
            type=click.Choice(["annotated", "visible", "all"]),
            help="Which keypoints of an annotation set are labels: those marked so (the default), "
            "those of them that can be seen, or all.",
        ),
        click.option("--scorer", help="Who labelled a DeepLabCut project, if there are several."),
        click.option("--category", help="What to read of a COCO file, if there are several."),
        click.option(
            "--image-size",
            type=IMAGE_SIZE,
            help="Size to fill up images to that are smaller than others, in pixels.",
        ),
    )
    for option in options:
        command = option(command)
    return command


def read_labels(path, skeleton, options, estimator=None):
    """Read labels of any format, with the bodyparts of a table or of a model."""
    from skpose import Skeleton
    from skpose._predictor import Predictor
    from skpose.datasets import read_labels

    if skeleton is not None:
        skeleton = Skeleton.from_csv(skeleton)
    elif estimator is not None:  # whose keypoints are in an order of their own
        skeleton = Predictor(estimator).skeleton
    return read_labels(path, skeleton=skeleton, **options)


def take_apart(model, model_file, what):
    """Return the PoseEstimator of a model, and the ImageResizer before it or None.

    Parameters
    ----------
    model : estimator
        Of the file.
    model_file : path-like
        For the message.
    what : str
        What can be done to such estimators, for the message.
    """
    from skpose._predictor import Predictor
    from skpose.estimator import PoseEstimator
    from skpose.preprocessing import ImageResizer

    predictor = Predictor(model)
    is_alone = not predictor.steps
    is_resized = (
        len(predictor.steps) == 1
        and isinstance(predictor.steps[0], ImageResizer)
        and not predictor.steps[0].keep_aspect
        and predictor.image_size is not None
    )
    if not isinstance(predictor.last, PoseEstimator) or not (is_alone or is_resized):
        raise click.UsageError(
            f"{model_file} is a {type(model).__name__}; what {what} is a PoseEstimator, alone or "
            "behind one ImageResizer that was fitted."
        )
    return predictor.last, predictor.steps[0] if is_resized else None


def names_of(estimator, X):
    """Return the names of the bodyparts that an estimator finds in images."""
    from skpose._predictor import Predictor

    return Predictor(estimator).names(lambda: np.asarray(X[0]))


def errors_of(estimator, X, y):
    """Return how far off each keypoint is, (n_samples, n_keypoints), in pixels."""
    from skpose.metrics import keypoint_errors

    return keypoint_errors(y, estimator.predict(X))


def score_table(errors, names):
    """Return a line for each bodypart: how far off it is, in pixels."""
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
