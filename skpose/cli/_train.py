"""``skpose train``."""

import ast
from contextlib import suppress
from functools import partial
from pathlib import Path
import tempfile
import time
import warnings

import click

from skpose.cli._scores import Scores
from skpose.cli._shared import (
    LABEL_OPTIONS,
    REGION,
    forget_outside,
    label_options,
    read_labels,
    refuse,
    take_apart,
)


class _Scale(click.ParamType):
    name = "FACTOR|auto"

    def convert(self, value, param, ctx):
        try:
            scale = value if value == "auto" else float(value)
        except ValueError:
            scale = 0
        if scale != "auto" and not 0 < scale < float("inf"):
            self.fail(f"{value!r} is neither a factor above 0 nor auto.", param, ctx)
        return scale


SCALE = _Scale()
_OF_NEW_MODELS = {"--scale", "--crop", "--grey", "--from"}


@click.command()
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@click.argument("model_file", type=click.Path(dir_okay=False, path_type=Path))
@label_options
@click.option(
    "--model", default=None, help="The network, such as residual_unet or stacked_densenet."
)
@click.option("--epochs", type=click.IntRange(1), help="The most epochs of training.")
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="The most minutes until the network is trained, all that comes before included.",
)
@click.option("--batch-size", type=click.IntRange(1), help="Images a step.")
@click.option(
    "--scale",
    type=SCALE,
    help="Pixels that the network sees per pixel of the images, such as 0.5; or auto, the default: "
    "as few as the labels allow.",
)
@click.option(
    "--crop",
    type=REGION,
    help="The part of the images that the network sees, in pixels, as of one view among several; "
    "labels outside it do not count.",
)
@click.option("--grey", is_flag=True, help="Let the network see grey images.")
@click.option("--seed", type=int, default=None, help="Makes the training reproducible.")
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="Any parameter of PoseEstimator, such as targets__sigma=3; may be repeated.",
)
@click.option(
    "--progress",
    type=click.Choice(["auto", "json", "none"]),
    default="auto",
    show_default=True,
    help="How progress is told: a bar, or lines in a log; for programs, a line of JSON an epoch on "
    "standard output; or not at all.",
)
@click.option(
    "--from",
    "pretrained",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A model to begin with, for more images or for other bodyparts: its features are kept, "
    "and what it draws too if the bodyparts are the same.",
)
@click.option("--resume", is_flag=True, help="Go on with the training that MODEL_FILE has.")
@click.option("--overwrite", is_flag=True, help="Replace MODEL_FILE if it exists.")
def train(labels, model_file, progress, resume, overwrite, **options):
    """Train a network on LABELS and keep it in MODEL_FILE.

    LABELS is an annotation set (HDF5), a project of DeepLabCut or Lightning Pose (its folder, its
    config.yaml or a CollectedData file), a COCO file (JSON), a SLEAP file (.slp, .pkg.slp), a
    dataset of YOLO-pose (its folder), an export of Label Studio (JSON) or an NWB file. The model is
    saved every minute while it is trained; Ctrl-C stops and keeps the best epoch.

    Images that are larger than the labels need are made smaller for the network; commands that
    predict take images of the original size, and give poses in its pixels.
    """
    start = time.monotonic()
    from sklearn.pipeline import make_pipeline

    from skpose.estimator import Checkpoint, EpochReport
    from skpose.saving import check_model_path

    if model_file.exists() and not (resume or overwrite):
        raise click.ClickException(
            f"{model_file} exists. Use --resume to go on with it, or --overwrite to replace it."
        )
    if resume:
        refuse(_OF_NEW_MODELS, "to --resume: the network goes on with images as before")
    check_model_path(model_file, overwrite=resume or overwrite)
    say = partial(click.echo, err=progress == "json")  # standard output is a program's then
    begin = _resume if resume else _begin
    estimator, resizer, data = begin(labels, model_file, options, say)
    if resizer is not None:
        forget_outside(data, resizer.region, say)
    steps = [] if resizer is None else [resizer]
    callbacks = [Checkpoint(model_file, overwrite=resume or overwrite, steps=steps)]
    if progress == "json":
        callbacks.append(EpochReport())
    verbose = int(progress == "auto")
    estimator.set_params(**_settings(options), callbacks=callbacks, verbose=verbose)
    max_minutes = estimator.max_minutes
    if options["minutes"] is not None:  # the clock runs since the call
        before_fit = (time.monotonic() - start) / 60
        estimator.set_params(max_minutes=max(max_minutes - before_fit, 1e-3))
    with warnings.catch_warnings():
        if options["scale"] is not None:  # it was chosen
            warnings.filterwarnings("ignore", "Images of .* are larger than the labels need")
        _fit(estimator, resizer, data)
    estimator.set_params(callbacks=None, warm_start=False, max_minutes=max_minutes)
    model = make_pipeline(*steps, estimator) if steps else estimator
    _save(model, model_file)
    kept = estimator.validation_indices_
    if len(kept):
        say(Scores(model, data.images[kept], data.keypoints[kept], verbose=verbose).tell())
    say(f"The model is in {model_file}")


def _begin(labels, model_file, options, say):
    """Return a new estimator, what images go through before it or None, and the labels."""
    import skpose

    path, first = options["pretrained"], None
    if path is not None:
        first, _ = take_apart(skpose.load(path), path, "can be begun with")
    n_channels = None if first is None else first.image_shape_[2]
    if options["grey"]:
        n_channels = 1
    of_labels = {name: options[name] for name in LABEL_OPTIONS}
    data = read_labels(labels, options["skeleton"], of_labels, n_channels=n_channels)
    if options["individuals"] == "each":
        say(
            "Each animal is a sample, so an image of several occurs several times, and nothing "
            "tells the network which to find: crop images to animals first (skpose.individuals)."
        )
    resizer = _make_resizer(data, options["scale"], options["crop"], say)
    return _make_estimator(data.skeleton, first, path), resizer, data


def _resume(labels, model_file, options, say):
    """Return the same of a model whose training goes on."""
    import skpose

    before = skpose.load(model_file)
    of_labels = {name: options[name] for name in LABEL_OPTIONS}
    data = read_labels(labels, options["skeleton"], of_labels, before)
    estimator, resizer = take_apart(before, model_file, "goes on")
    return estimator.set_params(warm_start=True), resizer, data


def _fit(estimator, resizer, data):
    groups = data.get("groups")
    if groups is not None and len(set(groups)) < 2:
        groups = None  # frames of one video can only be divided among themselves
    images = data.images if resizer is None else resizer.transform(data.images)
    estimator.fit(images, data.keypoints, groups=groups, visibility=data.visibility)


def _make_estimator(skeleton, first, pretrained):
    """Return an estimator with the defaults, or the parameters of a model to begin with."""
    from sklearn.base import clone

    import skpose

    if first is None:
        return skpose.PoseEstimator(skeleton=skeleton)
    estimator = clone(first).set_params(
        skeleton=skeleton,
        pretrained=str(pretrained),
        max_epochs=None,
        max_minutes=None,
        n_iter_no_change=None,
        lr_schedule="cosine",
    )
    if estimator.targets is not None:
        estimator.set_params(targets__skeleton=None, targets__image_size=None)
    return estimator.set_params(warm_start=False, random_state=None)


def _make_resizer(data, scale, crop, say):
    """Return what images go through before the network sees them, None for as they are."""
    from skpose.preprocessing import ImageResizer

    resizer = ImageResizer(scale="auto" if scale is None else scale, region=crop)
    resizer.fit(data.images, data.keypoints)
    if resizer.scale_ == 1 and crop is None:
        return None
    height, width = resizer.transform(data.images).image_size
    say(
        f"The network sees images of {height} x {width} pixels (--scale {resizer.scale_:g})"
        f"{', as few as the labels allow' if scale in (None, 'auto') else ''}."
    )
    return resizer


def _save(model, model_file):
    """Save what was trained; elsewhere if that fails, so that hours of training are not lost."""
    from skpose.saving import save

    try:
        save(model, model_file, overwrite=True)  # the checkpoint's, or what it may replace
        return
    except OSError as error:
        said = str(error)
    for folder in (tempfile.gettempdir(), Path.home(), Path.cwd()):
        with suppress(OSError):
            elsewhere = Path(tempfile.mkdtemp(prefix="skpose-", dir=folder), model_file.name)
            save(model, elsewhere)
            raise click.ClickException(f"{said} The trained model is in {elsewhere} instead.")
    raise click.ClickException(said)


def _settings(options):
    names = {"model": "model", "epochs": "max_epochs", "minutes": "max_minutes"}
    names["batch_size"] = "batch_size"
    names["seed"] = "random_state"
    settings = {names[key]: options[key] for key in names if options[key] is not None}
    for setting in options["settings"]:
        name, equals, value = setting.partition("=")
        if not equals:
            raise click.ClickException(f"--set {setting}: write NAME=VALUE.")
        try:
            settings[name] = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            settings[name] = value
    return settings
