"""The command line: ``skpose demo``, ``train``, ``evaluate`` and ``predict``."""

import ast
import os
from pathlib import Path
import time

import click
import numpy as np

__all__ = ["main"]


class _Group(click.Group):
    """Errors that a user can mend are told in a line, without a traceback."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (ValueError, TypeError, OSError, ImportError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="skpose")
def main():
    """Animal pose estimation: train a network on labelled frames, find bodyparts in new ones."""
    # TensorFlow's greeting says nothing to a user of this command; errors still come through.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@main.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default="skpose-demo.png",
    show_default=True,
    help="Picture of predictions over test images; replaced if it exists.",
)
@click.option("--seed", default=0, show_default=True, help="Another seed gives other animals.")
def demo(out, seed):
    """Train a small network on synthetic animals for a minute or two, and show what it finds."""
    from skpose._demo import run_demo

    start = time.monotonic()
    errors, skeleton, figure = run_demo(seed)
    figure.savefig(out, dpi=120)
    click.echo(_score_table(errors, skeleton.names))
    click.echo(f"{time.monotonic() - start:.0f} s; predictions over images are in {out}")


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


@main.command()
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@click.argument("model_file", type=click.Path(dir_okay=False, path_type=Path))
@_label_options
@click.option("--model", default=None, help="The network, such as stacked_densenet or leap.")
@click.option("--epochs", type=click.IntRange(1), help="The most epochs of training.")
@click.option("--batch-size", type=click.IntRange(1), help="Images a step.")
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
def train(labels, model_file, skeleton, labelled, resume, overwrite, **options):
    """Train a network on LABELS and keep it in MODEL_FILE.

    LABELS is an annotation set (.h5), a DeepLabCut project (a folder) or a COCO file (.json). The
    model is saved every minute while it is trained; Ctrl-C stops and keeps the best epoch.
    """
    import skpose
    from skpose.estimator import Checkpoint

    if model_file.exists() and not (resume or overwrite):
        raise click.ClickException(
            f"{model_file} exists. Use --resume to go on with it, or --overwrite to replace it."
        )
    data = _read_labels(labels, skeleton, labelled)
    if resume:
        estimator = skpose.load(model_file).set_params(warm_start=True)
    else:
        estimator = skpose.PoseEstimator(skeleton=data.skeleton)
    estimator.set_params(**_settings(options), callbacks=[Checkpoint(model_file)], verbose=1)
    groups = data.get("groups")
    if groups is not None and len(set(groups)) < 2:
        groups = None  # frames of one video can only be divided among themselves
    estimator.fit(data.images, data.keypoints, groups=groups)
    estimator.set_params(callbacks=None, warm_start=False)
    estimator.save(model_file)
    kept = estimator.validation_indices_
    if len(kept):
        errors = _errors(estimator, data.images[kept], data.keypoints[kept])
        click.echo(f"{len(kept)} frames that were kept back:")
        click.echo(_score_table(errors, _names(estimator)))
    click.echo(f"The model is in {model_file}")


@main.command()
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@_label_options
def evaluate(model_file, labels, skeleton, labelled):
    """Compare the predictions of MODEL_FILE with LABELS, for each bodypart."""
    import skpose

    estimator = skpose.load(model_file)
    data = _read_labels(labels, skeleton, labelled)
    errors = _errors(estimator, data.images, data.keypoints)
    click.echo(f"{len(errors)} frames:")
    click.echo(_score_table(errors, _names(estimator)))


@main.command()
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table (.csv, in DeepLabCut's columns) or arrays (.npz: keypoints, confidence, names).",
)
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
def predict(model_file, images, out, overwrite):
    """Find the bodyparts in IMAGES with MODEL_FILE.

    IMAGES are image files, or one annotation set (.h5) of which every frame is taken.
    """
    import skpose
    from skpose._predictions import check_predictions_path, write_predictions
    from skpose.datasets import ImageFiles, read_annotations

    check_predictions_path(out, overwrite=overwrite)
    estimator = skpose.load(model_file)
    if len(images) == 1 and images[0].suffix in (".h5", ".hdf5"):
        X = read_annotations(images[0], labelled="all", frames="all").images
        frames = np.arange(len(X))
    else:
        X = ImageFiles(images, n_channels=estimator.image_shape_[2])
        frames = [str(path) for path in images]
    keypoints, confidence = estimator.predict(X, return_confidence=True)
    write_predictions(
        out,
        keypoints,
        confidence,
        names=_names(estimator),
        frames=frames,
        overwrite=overwrite,
    )
    click.echo(f"{len(keypoints)} frames, mean confidence {confidence.mean():.2f}, are in {out}")


def _read_labels(path, skeleton, labelled):
    from skpose import Skeleton
    from skpose.datasets import read_annotations, read_coco, read_deeplabcut

    skeleton = None if skeleton is None else Skeleton.from_csv(skeleton)
    if path.is_dir():
        return read_deeplabcut(path, skeleton=skeleton)
    if path.suffix == ".json":
        return read_coco(path)
    return read_annotations(path, skeleton=skeleton, labelled=labelled)


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


def _names(estimator):
    if estimator.skeleton is not None:
        return estimator.skeleton.names
    return tuple(f"keypoint_{i}" for i in range(estimator.n_keypoints_))


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
