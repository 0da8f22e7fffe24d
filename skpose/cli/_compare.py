"""``skpose compare``: how far two people's labels of the same images lie apart."""

from pathlib import Path

import click
import numpy as np

from skpose.cli._scores import score_table
from skpose.cli._shared import label_options, read_labels


@click.command()
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@click.argument("others", type=click.Path(exists=True, path_type=Path))
@label_options
def compare(labels, others, skeleton, **options):
    """Compare LABELS with OTHERS, labels of the same images by somebody else.

    Images are found by their pixels, whatever their order and whatever else is in either. What is
    told for each bodypart, the distance of the two labels, is about as exact as any model that is
    trained on them can be known to be.
    """
    from skpose.datasets import match_images
    from skpose.metrics import keypoint_errors

    data, other = (read_labels(path, skeleton, options) for path in (labels, others))
    names = data.skeleton.names
    if set(names) != set(other.skeleton.names):
        raise click.ClickException(
            f"{labels} has the bodyparts {', '.join(names)}, but {others} "
            f"{', '.join(other.skeleton.names)}."
        )
    if data.images.shape[3] != other.images.shape[3]:
        raise click.ClickException(f"The images of one of {labels} and {others} are grey.")
    index, of_others = match_images(data.images, other.images)
    if not len(index):
        raise click.ClickException(f"No labelled image of {labels} is in {others}.")
    order = [other.skeleton.names.index(name) for name in names]
    keypoints, other_keypoints = data.keypoints[index], other.keypoints[of_others][:, order]
    errors = keypoint_errors(keypoints, other_keypoints)
    has, other_has = (np.isfinite(values).all(axis=2) for values in (keypoints, other_keypoints))
    click.echo(f"{len(index)} images are labelled in both.")
    click.echo(score_table(errors, names, title="apart in px"))
    n_alone = int((has ^ other_has).sum())
    if n_alone:
        click.echo(f"{n_alone} bodyparts were placed by one of the two only.")
