"""``skpose ensemble``."""

from pathlib import Path

import click

from skpose.cli._shared import check_free, label_options, read_labels


@click.command()
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@click.argument(
    "model_files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The model file of all of them (.skpose).",
)
@label_options
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def ensemble(labels, model_files, out, skeleton, overwrite, **options):
    """Put MODEL_FILES together, so that they predict as one.

    They were trained on the same bodyparts, with another --seed each, or with other networks. The
    pose is their robust mean, and the confidence is low where they disagree. LABELS tell how large
    the animal is.
    """
    check_free(out, overwrite)
    from sklearn.base import clone
    from sklearn.frozen import FrozenEstimator

    import skpose
    from skpose._predictor import Predictor
    from skpose.ensemble import PoseEnsemble
    from skpose.saving import check_model_path

    check_model_path(out, overwrite=overwrite)
    models = [skpose.load(path) for path in model_files]
    _check_names(model_files, [Predictor(model) for model in models])
    data = read_labels(labels, skeleton, options, models[0])
    whole = PoseEnsemble([FrozenEstimator(model) for model in models])
    whole.fit(data.images, data.keypoints)
    whole.set_params(estimator=[clone(model) for model in models])  # what may be trained again
    skpose.save(whole, out, overwrite=overwrite)
    click.echo(f"{len(models)} models are in {out}")


def _check_names(paths, predictors):
    """Check that all models find the same bodyparts, in the same order."""
    first = predictors[0].names()
    for path, predictor in zip(paths, predictors, strict=True):
        if predictor.names() != first:
            raise click.ClickException(
                f"{path} finds {', '.join(predictor.names())}, but {paths[0]} finds "
                f"{', '.join(first)}."
            )
