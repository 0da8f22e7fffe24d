"""``skpose train``."""

import ast
from contextlib import suppress
from pathlib import Path
import tempfile
import warnings

import click

from skpose.cli._shared import (
    LABEL_OPTIONS,
    errors_of,
    label_options,
    names_of,
    read_labels,
    refuse,
    score_table,
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


@click.command()
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@click.argument("model_file", type=click.Path(dir_okay=False, path_type=Path))
@label_options
@click.option(
    "--model", default=None, help="The network, such as residual_unet or stacked_densenet."
)
@click.option("--epochs", type=click.IntRange(1), help="The most epochs of training.")
@click.option("--batch-size", type=click.IntRange(1), help="Images a step.")
@click.option(
    "--scale",
    type=SCALE,
    help="Pixels that the network sees per pixel of the images, such as 0.5; or auto, the default: "
    "as few as the labels allow.",
)
@click.option("--seed", type=int, default=None, help="Makes the training reproducible.")
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="Any parameter of PoseEstimator, such as targets__sigma=3; may be repeated.",
)
@click.option("--resume", is_flag=True, help="Go on with the training that MODEL_FILE has.")
@click.option("--overwrite", is_flag=True, help="Replace MODEL_FILE if it exists.")
def train(labels, model_file, skeleton, scale, resume, overwrite, **options):
    """Train a network on LABELS and keep it in MODEL_FILE.

    LABELS is an annotation set (HDF5), a DeepLabCut project (its folder, its config.yaml or a
    CollectedData file) or a COCO file (JSON). The model is saved every minute while it is trained;
    Ctrl-C stops and keeps the best epoch.

    Images that are larger than the labels need are made smaller for the network; commands that
    predict take images of the original size, and give poses in its pixels.
    """
    from sklearn.pipeline import make_pipeline

    import skpose
    from skpose.estimator import Checkpoint
    from skpose.saving import check_model_path

    if model_file.exists() and not (resume or overwrite):
        raise click.ClickException(
            f"{model_file} exists. Use --resume to go on with it, or --overwrite to replace it."
        )
    if resume:
        refuse({"--scale"}, "to --resume: the network goes on with the scale that it has")
    check_model_path(model_file, overwrite=resume or overwrite)
    before = skpose.load(model_file) if resume else None
    of_labels = {name: options.pop(name) for name in LABEL_OPTIONS}
    data = read_labels(labels, skeleton, of_labels, before)
    if before is None:
        resizer, estimator = _resizing(data, scale), skpose.PoseEstimator(skeleton=data.skeleton)
    else:
        estimator, resizer = take_apart(before, model_file, "goes on")
        estimator.set_params(warm_start=True)
    steps = [] if resizer is None else [resizer]
    checkpoint = Checkpoint(model_file, overwrite=resume or overwrite, steps=steps)
    estimator.set_params(**_settings(options), callbacks=[checkpoint], verbose=1)
    groups = data.get("groups")
    if groups is not None and len(set(groups)) < 2:
        groups = None  # frames of one video can only be divided among themselves
    images = data.images if resizer is None else resizer.transform(data.images)
    with warnings.catch_warnings():
        if scale is not None:  # it was chosen
            warnings.filterwarnings("ignore", "Images of .* are larger than the labels need")
        estimator.fit(images, data.keypoints, groups=groups, visibility=data.visibility)
    estimator.set_params(callbacks=None, warm_start=False)
    model = make_pipeline(*steps, estimator) if steps else estimator
    _save(model, model_file)
    kept = estimator.validation_indices_
    if len(kept):
        errors = errors_of(model, data.images[kept], data.keypoints[kept])
        click.echo(f"{len(kept)} frames that were kept back:")
        click.echo(score_table(errors, names_of(model, data.images)))
    click.echo(f"The model is in {model_file}")


def _resizing(data, scale):
    """Return what makes images smaller before the network sees them, None for as they are."""
    from skpose.preprocessing import ImageResizer

    resizer = ImageResizer(scale="auto" if scale is None else scale)
    resizer.fit(data.images, data.keypoints)
    if resizer.scale_ == 1:
        return None
    height, width = resizer.transform(data.images).image_size
    click.echo(
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
    names = {"model": "model", "epochs": "max_epochs", "batch_size": "batch_size"}
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
