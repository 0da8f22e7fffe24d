"""``skpose check``: which labels look wrong."""

from pathlib import Path

import click

from skpose.cli._shared import label_options, read_labels

_N_LISTED = 12
_BOTH_SIDES = {"training", "validation"}


@click.command()
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@label_options
@click.option(
    "--model",
    "model_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Also say of images that are alike whether this model was trained on one of them and "
    "watched the other.",
)
def check(labels, skeleton, model_file, **options):
    """Look for LABELS that look wrong, and for images that are there twice.

    Whatever is found may be right: look at it, on the page for labelling, say.
    """
    import skpose
    from skpose.datasets import find_suspects

    model = None if model_file is None else skpose.load(model_file)
    data = read_labels(labels, skeleton, options, model)
    numbers = data.get("index", range(len(data.images)))
    suspects = find_suspects(data.images, data.keypoints, skeleton=data.skeleton, numbers=numbers)
    roles = None if model is None else _roles(model, model_file, data.images)
    images_of = {}  # by message
    for suspect in suspects:
        message = suspect.message
        is_pair = roles is not None and suspect.other >= 0
        if is_pair and set(roles[[suspect.image, suspect.other]]) == _BOTH_SIDES:
            message += ", and the model was trained on one and watched the other"
        images_of.setdefault(message, []).append(int(numbers[suspect.image]))
    for message, images in images_of.items():
        click.echo(f"{_list_images(images)}: {message}")
    n_images = len({suspect.image for suspect in suspects})
    click.echo(f"{n_images} of {len(data.images)} labelled images should be looked at.")


def _list_images(numbers):
    listed = ", ".join(map(str, numbers[:_N_LISTED]))
    if len(numbers) == 1:
        return f"image {listed}"
    return f"images {listed}" + (f" and {n} more" if (n := len(numbers) - _N_LISTED) > 0 else "")


def _roles(model, model_file, images):
    from skpose._predictor import Predictor

    roles = Predictor(model).image_roles(images)
    if roles is None:
        raise click.ClickException(f"{model_file} does not know which images it was trained on.")
    return roles
