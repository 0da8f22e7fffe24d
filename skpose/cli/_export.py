"""``skpose export``."""

from pathlib import Path

import click


@click.command()
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def export(model_file, out, overwrite):
    """Write MODEL_FILE as an ONNX model, OUT, that predicts without TensorFlow.

    Commands that predict take it in place of MODEL_FILE, for images of the size that the model was
    trained on.
    """
    import skpose

    if out.exists() and not overwrite:
        raise FileExistsError(f"{out} exists already. Give --overwrite to replace it.")
    estimator = skpose.load(model_file)
    if not hasattr(estimator, "export"):
        raise click.UsageError(f"{model_file} was exported already.")
    try:
        estimator.export(out)
    except RuntimeError as error:  # Keras runs on another backend
        raise click.ClickException(str(error)) from error
    height, width, n_channels = estimator.image_shape_
    click.echo(
        f"{out} takes images of {height} x {width} pixels (height, width) and {n_channels} "
        f"channel(s), and gives {estimator.n_keypoints_} keypoints"
    )
