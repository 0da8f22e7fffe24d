"""``skpose evaluate``."""

from pathlib import Path

import click

from skpose.cli._shared import _errors, _label_options, _names, _read_labels, _score_table


@click.command()
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
