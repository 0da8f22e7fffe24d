"""``skpose evaluate``."""

from pathlib import Path

import click

from skpose.cli._shared import errors_of, label_options, names_of, read_labels, score_table


@click.command()
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@label_options
def evaluate(model_file, labels, skeleton, **options):
    """Compare the predictions of MODEL_FILE with LABELS, for each bodypart.

    LABELS is an annotation set, a DeepLabCut project or a COCO file, as for `skpose train`.
    """
    import skpose

    estimator = skpose.load(model_file)
    data = read_labels(labels, skeleton, options, estimator)
    errors = errors_of(estimator, data.images, data.keypoints)
    click.echo(f"{len(errors)} frames:")
    click.echo(score_table(errors, names_of(estimator, data.images)))
