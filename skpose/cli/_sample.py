"""``skpose sample`` and ``skpose initialize``: what to label, and guesses to start from."""

import json
from pathlib import Path

import click
import numpy as np

from skpose.cli._chosen_frames import choose_skeleton, looks_grey, open_videos, put_frames
from skpose.cli._shared import refuse

# How to choose: the class in skpose.sampling, and how many models it needs.
_SAMPLERS = {
    "kmeans": ("KMeansSampler", 0),
    "random": ("RandomSampler", 0),
    "confidence": ("ConfidenceSampler", 1),
    "entropy": ("EntropySampler", 1),
    "motion": ("MotionSampler", 1),
    "autoregressive": ("AutoregressiveSampler", 1),
    "ensemble": ("EnsembleSampler", 2),
}


@click.command()
@click.argument(
    "videos",
    metavar="VIDEO...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The annotation set (.h5).",
)
@click.option(
    "--n", "n_frames", type=click.IntRange(1), default=100, show_default=True, help="Frames in all."
)
@click.option(
    "--bodyparts",
    metavar="NAME,NAME,...",
    help="What to label, such as nose,left_ear,right_ear,tail. Names that differ only in left and "
    "right are partners. Not needed with --model or --append.",
)
@click.option(
    "--skeleton",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The same as a table (.csv: name, parent, swap), which knows edges too.",
)
@click.option(
    "--by",
    type=click.Choice(list(_SAMPLERS)),
    default=None,
    help="How to choose: frames that look different (kmeans), by chance (random), or such as "
    "--model is in doubt about. Default: kmeans, or confidence with --model.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A trained model; given twice or more with --by ensemble.",
)
@click.option(
    "--min-separation",
    type=click.IntRange(1),
    default=None,
    help="Least distance of two chosen frames, in frames of the video.",
)
@click.option(
    "--step",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Look at every so many frames only, for long videos.",
)
@click.option(
    "--grey/--colour",
    default=None,
    help="Make the images grey or coloured. Default: as the video looks.",
)
@click.option("--seed", type=int, default=None, help="Makes the choice reproducible.")
@click.option("--append", is_flag=True, help="Add to the set; none of its frames is taken again.")
@click.option("--overwrite", is_flag=True, help="Replace the set if it exists.")
def sample(videos, out, n_frames, append, overwrite, **options):
    """Choose frames of VIDEO... that are worth labelling, and make an annotation set of them.

    The set is labelled with any annotator for DeepPoseKit's files, and is what `skpose train`
    takes. Once there is a model, `skpose sample --append --model MODEL` adds what it finds hard.
    """
    _check_output(out, append, overwrite)
    if append:
        own = {"--bodyparts", "--skeleton", "--grey"}
        refuse(own, "with --append: the set has its own already")
    estimators = _load(options["models"], options["by"])
    skeleton = None if append else _skeleton_of_set(estimators, options)
    n_channels = _channels_of_set(out if append else None, estimators, options["grey"], videos)
    frames = open_videos(videos, n_channels, options["step"])
    sampler = _make_sampler(estimators, options)
    put_frames(
        out,
        videos,
        frames,
        sampler,
        n_frames=n_frames,
        skeleton=skeleton,
        overwrite=overwrite,
        n_passes=max(len(estimators), 1),
    )
    click.echo(f"Label them: skpose label {out}")


@click.command()
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("labels", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--batch-size", type=click.IntRange(1), help="Images to predict at a time.")
@click.option(
    "--stream",
    is_flag=True,
    help="Write guesses to standard output as they come, for programs: lines of JSON with images, "
    "and for each its keypoints, [x, y, confidence]. The set is not changed.",
)
def initialize(model_file, labels, batch_size, stream):
    """Write the guesses of MODEL_FILE into the annotation set LABELS, to be corrected there.

    Keypoints that are marked as annotated stay as they are.
    """
    import skpose
    from skpose._predictor import Predictor
    from skpose.datasets import read_annotations
    from skpose.sampling import initialize_annotations

    estimator = skpose.load(model_file)
    if stream:
        _stream(estimator, labels, batch_size)
        return
    index = initialize_annotations(estimator, labels, batch_size=batch_size, verbose=1)
    if not len(index):
        click.echo(f"All keypoints in {labels} are annotated; nothing was changed.")
        return
    skeleton = Predictor(estimator).skeleton
    data = read_annotations(labels, skeleton=skeleton, labelled="all", frames="all")
    confidence = data.confidence[~np.isnan(data.confidence)]
    told = f", mean confidence {confidence.mean():.2f}" if len(confidence) else ""
    click.echo(f"{len(index)} of {len(data.images)} images in {labels} have guesses now{told}")


def _stream(estimator, labels, batch_size):
    from skpose.sampling import iterate_guesses

    options = {} if batch_size is None else {"batch_size": batch_size}
    for index, keypoints, confidence in iterate_guesses(estimator, labels, **options):
        found = keypoints if confidence is None else np.dstack([keypoints, confidence])
        line = {"images": index.tolist(), "keypoints": found.round(3).tolist()}
        click.echo(json.dumps(line, allow_nan=False))


def _check_output(out, append, overwrite):
    if append and overwrite:
        raise click.UsageError("Give --append or --overwrite, not both.")
    if append and not out.exists():
        raise click.ClickException(f"{out} does not exist, so there is nothing to --append to.")
    if out.exists() and not (append or overwrite):
        raise click.ClickException(
            f"{out} exists. Use --append to add frames to it, or --overwrite to replace it."
        )


def _load(models, by):
    import skpose

    n_needed = _SAMPLERS[by][1] if by else min(len(models), 1)
    if len(models) < n_needed:
        kind = "two trained models or more" if n_needed > 1 else "a trained model"
        raise click.UsageError(f"--by {by} needs {kind}: --model MODEL.")
    if len(models) > 1 and n_needed < 2:
        raise click.UsageError("More than one --model is for --by ensemble only.")
    return [skpose.load(model) for model in models]


def _skeleton_of_set(estimators, options):
    """Return the skeleton of a new set."""
    from skpose._predictor import Predictor

    skeleton = choose_skeleton(options["bodyparts"], options["skeleton"])
    if skeleton is None and estimators:
        skeleton = Predictor(estimators[0]).skeleton
    if skeleton is None:
        raise click.UsageError(
            "A new set needs bodyparts, such as --bodyparts nose,left_ear,right_ear,tail."
        )
    return skeleton


def _channels_of_set(path, estimators, grey, videos):
    """Return the number of channels of the set's images: as those it has, or as what it is for."""
    from skpose._predictor import Predictor
    from skpose.datasets import HDF5Images

    if path is not None:
        return HDF5Images(path).shape[3]
    if estimators:
        refuse({"--grey"}, "with --model, whose images the set's are like")
        return Predictor(estimators[0]).n_channels
    if grey is None:
        grey = all(looks_grey(video) for video in videos)
        if grey:
            click.echo("The video is grey, and so are the images.")
    return 1 if grey else 3


def _make_sampler(estimators, options):
    from skpose import sampling

    settings = {"random_state": options["seed"]}
    if options["min_separation"] is not None:
        settings["min_separation"] = -(-options["min_separation"] // options["step"])
    by = options["by"] or ("confidence" if estimators else "kmeans")
    name, n_models = _SAMPLERS[by]
    models = [] if not n_models else [estimators[0] if n_models == 1 else estimators]
    return getattr(sampling, name)(*models, **settings)
