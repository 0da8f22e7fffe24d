"""``skpose export``."""

from pathlib import Path

import click
import numpy as np

from skpose.cli._shared import check_free, take_apart

_N_IMAGES = 100  # more tell little of the ranges of features


@click.command()
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--calibrate",
    "labels",
    type=click.Path(exists=True, path_type=Path),
    help="Labels, such as those of the training, on whose images the network is calibrated: it "
    "then computes in 8 bits, which is faster, and keypoints move a little.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def export(model_file, out, labels, overwrite):
    """Write MODEL_FILE as an ONNX model, OUT, that predicts without TensorFlow.

    Commands that predict take it in place of MODEL_FILE, for images of the size that the model was
    trained on. A model of two stages becomes a model file of two ONNX models, and OUT ends in
    .skpose.
    """
    check_free(out, overwrite)
    import skpose
    from skpose.runtime import ExportedPoseEstimator
    from skpose.two_stage import TwoStageEstimator

    model = skpose.load(model_file)
    if isinstance(model, ExportedPoseEstimator):
        raise click.UsageError(f"{model_file} was exported already.")
    estimator, resizer = take_apart(
        model, model_file, "can be exported", kinds=(TwoStageEstimator,)
    )
    has_two_stages = isinstance(estimator, TwoStageEstimator)
    if has_two_stages and resizer is not None:
        raise click.UsageError("A model of two stages behind an ImageResizer cannot be exported.")
    click.echo("Converting the network, which takes half a minute ...", err=True)
    options = {} if has_two_stages else {"resizer": resizer}
    if labels is not None:
        options["calibration"] = _read_some(labels, estimator.image_shape_[2])
    try:
        estimator.export(out, overwrite=overwrite, **options)
    except RuntimeError as error:  # Keras runs on another backend
        raise click.ClickException(str(error)) from error
    height, width = estimator.image_shape_[:2] if resizer is None else resizer.input_size_
    n_channels = estimator.image_shape_[2]
    click.echo(
        f"{out} takes images of {height} x {width} pixels (height, width) and {n_channels} "
        f"channel(s), and gives {estimator.n_keypoints_} keypoints"
    )


def _read_some(labels, n_channels):
    """Return some of the images of labels, from first to last."""
    from skpose.datasets import read_labels

    images = read_labels(labels, n_channels=n_channels).images
    return images[np.unique(np.linspace(0, len(images) - 1, _N_IMAGES).round().astype(int))]
