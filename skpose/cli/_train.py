"""``skpose train``."""

import ast
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
import tempfile
import time
import warnings

import click

from skpose.cli._new_model import begin, go_on
from skpose.cli._scores import Scores
from skpose.cli._shared import Region, forget_outside, label_options, refuse


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
_OF_NEW_MODELS = {"--scale", "--crop", "--grey", "--from", "--two-stage"}
_SHARES = 1 / 3, 2 / 3  # of the time, for the two stages


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
    "as few as the labels allow. With --two-stage: per pixel of the crops, and all by default.",
)
@click.option(
    "--crop",
    type=Region("auto"),
    help="The part of the images that the network sees, in pixels, as of one view among several; "
    "labels outside it do not count. auto: where the labels are, for a camera that sees much that "
    "the animal never visits.",
)
@click.option(
    "--two-stage",
    is_flag=True,
    help="Find the animal in a small copy of the image, then its bodyparts in a crop around it, by "
    "a second network: for images that are much larger than the animal.",
)
@click.option("--grey", is_flag=True, help="Let the network see grey images.")
@click.option("--seed", type=int, default=None, help="Makes the training reproducible.")
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="Any parameter of PoseEstimator, such as targets__sigma=3; may be repeated. With "
    "--two-stage: of both, or of TwoStageEstimator, such as fine__targets__sigma=3.",
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
    predict take images of the original size, and give poses in its pixels. With --two-stage, a
    third of the time is the first network's, with which nothing is saved yet; Ctrl-C goes on to the
    second one, and --resume goes on with that.
    """
    start = time.monotonic()
    from sklearn.pipeline import make_pipeline

    from skpose.saving import check_model_path

    if model_file.exists() and not (resume or overwrite):
        raise click.ClickException(
            f"{model_file} exists. Use --resume to go on with it, or --overwrite to replace it."
        )
    if resume:
        refuse(_OF_NEW_MODELS, "to --resume: the network goes on with images as before")
    check_model_path(model_file, overwrite=resume or overwrite)
    say = partial(click.echo, err=progress == "json")  # standard output is a program's then
    make = go_on if resume else begin
    estimator, resizer, data = make(labels, model_file, options, say)
    if resizer is not None:
        forget_outside(data, resizer.region_, say)
    within = None if resizer is None else partial(make_pipeline, resizer)
    parts = _parts_of(estimator)
    _set_up(estimator, parts, options, progress)
    _add_callbacks(parts, progress, model_file, overwrite=resume or overwrite, within=within)
    with warnings.catch_warnings():
        if options["scale"] is not None or len(parts) > 1:  # it was chosen
            warnings.filterwarnings("ignore", "Images of .* are larger than the labels need")
        with _time_since(start, parts, options["minutes"]):
            _fit(estimator, resizer, data)
    for part, _ in parts:
        part.set_params(callbacks=None)
    estimator.set_params(warm_start=False)
    model = estimator if within is None else within(estimator)
    _save(model, model_file)
    kept = estimator.validation_indices_
    if len(kept):
        verbose = int(progress == "auto")
        say(Scores(model, data.images[kept], data.keypoints[kept], verbose=verbose).tell())
    say(f"The model is in {model_file}")


def _parts_of(estimator):
    """Return each PoseEstimator in an estimator, and its share of the time."""
    from skpose._predictor import Predictor
    from skpose.two_stage import TwoStageEstimator

    if not isinstance(estimator, TwoStageEstimator):
        return [(estimator, 1.0)]
    last = [Predictor(stage).last for stage in (estimator.coarse, estimator.fine)]
    return list(zip(last, _SHARES, strict=True))


def _set_up(estimator, parts, options, progress):
    """Give settings to who knows them: of two stages to both, unless `fine__...` is named."""
    settings = _settings(options)
    verbose = int(progress == "auto")
    own = estimator.get_params(deep=False) if len(parts) > 1 else ()
    of_whole = {name: value for name, value in settings.items() if name.split("__")[0] in own}
    for part, share in parts:
        of_part = {name: value for name, value in settings.items() if name not in of_whole}
        if "max_minutes" in of_part:
            of_part["max_minutes"] *= share
        part.set_params(**of_part, verbose=verbose)
    estimator.set_params(**of_whole, verbose=verbose)


def _add_callbacks(parts, progress, model_file, *, overwrite, within):
    """Let each part tell its progress, and the last one save the model while it is trained."""
    from skpose.estimator import Checkpoint, EpochReport

    for part, _ in parts:
        part.set_params(callbacks=[EpochReport()] if progress == "json" else [])
    last, _ = parts[-1]
    last.callbacks.append(Checkpoint(model_file, overwrite=overwrite, within=within))


@contextmanager
def _time_since(start, parts, minutes):
    """Let the time that a training may take run since the call."""
    before = [part.max_minutes for part, _ in parts]
    if minutes is not None:
        minutes_used = (time.monotonic() - start) / 60
        for part, share in parts:
            part.set_params(max_minutes=max(part.max_minutes - share * minutes_used, 1e-3))
    yield
    for (part, _), max_minutes in zip(parts, before, strict=True):
        part.set_params(max_minutes=max_minutes)


def _fit(estimator, resizer, data):
    groups = data.get("groups")
    if groups is not None and len(set(groups)) < 2:
        groups = None  # frames of one video can only be divided among themselves
    images = data.images if resizer is None else resizer.transform(data.images)
    estimator.fit(images, data.keypoints, groups=groups, visibility=data.visibility)


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
