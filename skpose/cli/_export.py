"""``skpose export``."""

from pathlib import Path

import click

from skpose.cli._shared import check_free, take_apart


@click.command()
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def export(model_file, out, overwrite):
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
