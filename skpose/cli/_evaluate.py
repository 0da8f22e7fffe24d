"""``skpose evaluate``."""

from pathlib import Path

import click

from skpose.cli._scores import Scores
from skpose.cli._shared import check_free, forget_outside, label_options, read_labels


@click.command()
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@label_options
@click.option(
    "--out",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the errors to a table (.csv: a row for each keypoint) or to .json.",
)
@click.option(
    "--plots",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for pictures: labels and predictions in the worst frames and in typical ones, "
    "and the errors by bodypart.",
)
@click.option("--overwrite", is_flag=True, help="Replace --out and pictures that exist.")
def evaluate(model_file, labels, skeleton, out, plots, overwrite, **options):
    """Compare the predictions of MODEL_FILE with LABELS, for each bodypart.

    LABELS are of any format that `skpose train` takes. Frames that the model was trained on say
    little about others: it knows them again, and tells them from those that were kept back or that
    it never saw.
    """
    import skpose
    from skpose._files import check_output
    from skpose._predictor import Predictor

    if out is not None:
        check_output(out, what="Errors", endings=(".csv", ".json"), overwrite=overwrite)
    for name in () if plots is None else Scores.PICTURES:
        check_free(plots / name, overwrite, makes_folder=True)
    model = skpose.load(model_file)
    data = read_labels(labels, skeleton, options, model)
    forget_outside(data, Predictor(model).region)
    scores = Scores(model, data.images, data.keypoints, numbers=data.get("index"))
    click.echo(scores.tell())
    if out is not None:
        scores.write(out, overwrite=overwrite)
        click.echo(f"The errors are in {out}")
    if plots is not None:
        scores.draw(plots)
        click.echo(f"Pictures are in {plots}")
