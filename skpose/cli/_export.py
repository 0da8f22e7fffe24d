"""``skpose export``."""

from pathlib import Path

import click

from skpose.cli._shared import check_free


@click.command()
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def export(model_file, out, overwrite):
    """Write MODEL_FILE as an ONNX model, OUT, that predicts without TensorFlow.

    Commands that predict take it in place of MODEL_FILE, for images of the size that the model was
    trained on.
    """
    check_free(out, overwrite)
    import skpose
    from skpose.runtime import ExportedPoseEstimator

    model = skpose.load(model_file)
    if isinstance(model, ExportedPoseEstimator):
        raise click.UsageError(f"{model_file} was exported already.")
    estimator, input_size = _what_is_exported(model, model_file)
    try:
        estimator.export(out, overwrite=overwrite, input_size=input_size)
    except RuntimeError as error:  # Keras runs on another backend
        raise click.ClickException(str(error)) from error
    (height, width), n_channels = input_size, estimator.image_shape_[2]
    click.echo(
        f"{out} takes images of {height} x {width} pixels (height, width) and {n_channels} "
        f"channel(s), and gives {estimator.n_keypoints_} keypoints"
    )


def _what_is_exported(model, model_file):
    """Return the PoseEstimator in a model, and the size of the images that the model takes."""
    from skpose._predictor import Predictor
    from skpose.preprocessing import ImageResizer

    predictor = Predictor(model)
    steps, estimator = predictor.steps, predictor.last
    if hasattr(estimator, "export"):
        if not steps:
            return estimator, estimator.image_shape_[:2]
        step = steps[0]
        is_resizer = isinstance(step, ImageResizer) and not step.keep_aspect
        if len(steps) == 1 and is_resizer and hasattr(step, "input_size_"):
            return estimator, step.input_size_
    raise click.UsageError(
        f"{model_file} is a {type(model).__name__}; what is exported is a PoseEstimator, alone or "
        "behind one ImageResizer that was fitted."
    )
