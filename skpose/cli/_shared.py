"""What several commands need."""

from contextlib import contextmanager
from pathlib import Path

import click
from click.core import ParameterSource
import numpy as np

__all__ = [
    "LABEL_OPTIONS",
    "REGION",
    "Region",
    "check_free",
    "counted",
    "forget_outside",
    "label_options",
    "names_of",
    "pairs_text",
    "parts_of",
    "read_labels",
    "refuse",
    "take_apart",
]


class Region(click.ParamType):
    """Four whole numbers; or a word, where one may stand in their place."""

    def __init__(self, word=None):
        self.word = word
        self.name = "X,Y,WIDTH,HEIGHT" + ("" if word is None else f"|{word}")

    def convert(self, value, param, ctx):
        if isinstance(value, tuple) or (value == self.word and value is not None):
            return value
        try:
            x, y, width, height = (int(number) for number in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not {self.name} in whole pixels.", param, ctx)
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


REGION, IMAGE_SIZE = Region(), _ImageSize()
LABEL_OPTIONS = (
    "labelled",
    "scorer",
    "category",
    "individuals",
    "video_dir",
    "image_dir",
    "video",
    "missing",
    "image_size",
)


def refuse(options, why):
    """Raise an error if one of these options was given, which does not apply."""
    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
        if given and option.opts[0] in options:
            raise click.UsageError(f"{option.opts[0]} does not apply {why}.")


def check_free(path, overwrite, *, makes_folder=False):
    """Check that a file can be written, before anything slow is loaded."""
    if path.exists() and not overwrite:
        raise click.ClickException(
            f"{path} exists. Give another name, or --overwrite to replace it."
        )
    if not (makes_folder or path.resolve().parent.is_dir()):
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
        click.option("--category", help="What to read of COCO or YOLO, if there are several."),
        click.option(
            "--individuals",
            metavar="each|NAME",
            help="Where there are several animals in a frame: make a sample of each, or read the "
            "one of this name.",
        ),
        click.option(
            "--video-dir",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Where the videos of a SLEAP or NWB file are that have been moved.",
        ),
        click.option(
            "--image-dir",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Where the images of COCO or Label Studio are, if not beside the file.",
        ),
        click.option(
            "--video",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="The video that poses are of (netCDF), to take them for labels.",
        ),
        click.option(
            "--missing",
            type=click.Choice(["unlabelled", "absent"]),
            help="What a bodypart without a place is where others have one (not of annotation "
            'sets). "absent": a network learns that it is not there.',
        ),
        click.option(
            "--image-size",
            type=IMAGE_SIZE,
            help="Size to fill up images to that are smaller than others, in pixels.",
        ),
    )
    for option in options:
        command = option(command)
    return command


def read_labels(path, skeleton, options, estimator=None, *, n_channels=None):
    """Read labels of any format, with the bodyparts of a table, or as a model has them."""
    from skpose import Skeleton
    from skpose._predictor import Predictor
    from skpose.datasets import read_labels

    if skeleton is not None:
        skeleton = Skeleton.from_csv(skeleton)
    if estimator is not None:
        predictor = Predictor(estimator)
        n_channels = predictor.n_channels_fitted
        skeleton = skeleton or predictor.skeleton  # whose keypoints are in an order of their own
    return read_labels(path, skeleton=skeleton, n_channels=n_channels, **options)


def forget_outside(data, region, say=click.echo):
    """Take labels back that lie where a network sees nothing; None: it sees everything."""
    from skpose.preprocessing import without_those_outside

    before = np.isfinite(data.keypoints[..., 0])
    data.keypoints = without_those_outside(data.keypoints, region)
    is_lost = before & np.isnan(data.keypoints[..., 0])
    data.visibility = np.where(is_lost, 0, data.visibility)
    if is_lost.any():
        say(
            f"{is_lost.sum()} of {before.sum()} labels lie outside of what the network sees, and "
            "do not count."
        )


def take_apart(model, model_file, what, *, kinds=()):
    """Return the estimator of a model, and the ImageResizer before it or None.

    Parameters
    ----------
    model : estimator
        Of the file.
    model_file : path-like
        For the message.
    what : str
        What can be done to such estimators, for the message.
    kinds : tuple of classes, default=()
        Which estimators will do beside a PoseEstimator.
    """
    from skpose._predictor import Predictor
    from skpose.estimator import PoseEstimator

    kinds = (PoseEstimator, *kinds)
    predictor = Predictor(model)
    if not (isinstance(predictor.last, kinds) and predictor.is_plain):
        names = " or ".join(f"a {kind.__name__}" for kind in kinds)
        raise click.UsageError(
            f"{model_file} is a {type(model).__name__}; what {what} is {names}, alone or behind "
            "one ImageResizer that was fitted."
        )
    return predictor.last, predictor.steps[0] if predictor.steps else None


def pairs_text(skeleton):
    """Return which bodyparts are partners, "" if none are."""
    return ", ".join(
        f"{skeleton.names[i]} and {skeleton.names[k]}"
        for i, k in enumerate(skeleton.swap_index.tolist())
        if k > i
    )


def parts_of(estimator):
    """Return the estimators that one is made of, by what they are called."""
    from skpose._predictor import Predictor

    if hasattr(estimator, "coarse_"):  # of two stages
        parts = {"coarse ": estimator.coarse_, "fine ": estimator.fine_}
    elif hasattr(estimator, "estimators_"):  # an ensemble
        parts = {f"{i}: ": part for i, part in enumerate(estimator.estimators_)}
    elif hasattr(estimator, "estimator_"):  # calibrated
        parts = {"": estimator.estimator_}
    else:
        return {"": estimator}
    return {name: Predictor(part).last for name, part in parts.items()}


def names_of(estimator, X):
    """Return the names of the bodyparts that an estimator finds in images."""
    from skpose._predictor import Predictor

    return Predictor(estimator).names(lambda: np.asarray(X[0]))


@contextmanager
def counted(X, label, n_times=1, *, verbose=1):
    """Show how many of some images have been read, each `n_times`."""
    from skpose._progress import CountedImages, Progress

    with Progress(n_times * len(X), label, unit="images", verbose=verbose) as progress:
        yield CountedImages(X, progress)
