"""``skpose sample`` and ``skpose initialize``: what to label, and guesses to start from."""

from pathlib import Path

import click
import numpy as np

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
    "--skeleton",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Skeleton table (.csv: name, parent, swap). Not needed with --model or --append.",
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
@click.option("--grey", is_flag=True, help="Make the images grey.")
@click.option("--seed", type=int, default=None, help="Makes the choice reproducible.")
@click.option("--append", is_flag=True, help="Add to the set; none of its frames is taken again.")
@click.option("--overwrite", is_flag=True, help="Replace the set if it exists.")
def sample(videos, out, n_frames, append, overwrite, **options):
    """Choose frames of VIDEO... that are worth labelling, and make an annotation set of them.

    The set is labelled with any annotator for DeepPoseKit's files, and is what `skpose train`
    takes. Once there is a model, `skpose sample --append --model MODEL` adds what it finds hard.
    """
    from skpose.datasets import read_sources
    from skpose.preprocessing import ImageBatch

    _check_output(out, append, overwrite)
    if append:
        refuse({"--skeleton", "--grey"}, "with --append: the set has its own already")
    estimators = _load(options["models"], options["by"])
    skeleton, n_channels = _look_of_set(out if append else None, estimators, options)
    frames = [_open(video, n_channels, options["step"]) for video in videos]
    _check_sizes(frames, videos)
    sampler = _make_sampler(estimators, options)
    seen = read_sources(out) if append else {}
    parts = []
    for video, X, share in zip(videos, frames, _shares(n_frames, len(videos)), strict=True):
        if share:
            name = _name_in_set(video)
            exclude = _exclude(X, seen.get(name, ()))
            index = sampler.set_params(n_frames=share).select(X, exclude=exclude)
            source = {"videos": [name] * len(index), "frame_numbers": X.frame_numbers[index]}
            parts.append((ImageBatch.wrap(X)[index], source))
    if not any(len(images) for images, _ in parts):
        raise click.ClickException("No frame was chosen, and nothing was written.")
    _write(out, parts, skeleton, append=append, overwrite=overwrite)
    n_images = sum(len(images) for images, _ in parts)
    click.echo(f"{n_images} frames of {len(parts)} video(s) are in {out}")


@click.command()
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("labels", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--batch-size", type=click.IntRange(1), help="Images to predict at a time.")
def initialize(model_file, labels, batch_size):
    """Write the guesses of MODEL_FILE into the annotation set LABELS, to be corrected there.

    Keypoints that are marked as annotated stay as they are.
    """
    import skpose
    from skpose._predictor import Predictor
    from skpose.datasets import read_annotations
    from skpose.sampling import initialize_annotations

    estimator = skpose.load(model_file)
    index = initialize_annotations(estimator, labels, batch_size=batch_size)
    if not len(index):
        click.echo(f"All keypoints in {labels} are annotated; nothing was changed.")
        return
    skeleton = Predictor(estimator).skeleton
    data = read_annotations(labels, skeleton=skeleton, labelled="all", frames="all")
    confidence = data.confidence[~np.isnan(data.confidence)]
    told = f", mean confidence {confidence.mean():.2f}" if len(confidence) else ""
    click.echo(f"{len(index)} of {len(data.images)} images in {labels} have guesses now{told}")


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


def _look_of_set(path, estimators, options):
    """Return the skeleton (None: the set has one already) and number of channels of the images."""
    from skpose import Skeleton
    from skpose._predictor import Predictor
    from skpose.datasets import HDF5Images

    if path is not None:
        return None, HDF5Images(path).shape[3]
    n_channels, skeleton = (1 if options["grey"] else 3), None
    if estimators:
        refuse({"--grey"}, "with --model, whose images the set's are like")
        predictor = Predictor(estimators[0])
        n_channels, skeleton = predictor.n_channels, predictor.skeleton
    if options["skeleton"] is not None:
        skeleton = Skeleton.from_csv(options["skeleton"])
    if skeleton is None:
        raise click.UsageError("A new set needs bodyparts: --skeleton TABLE.csv.")
    return skeleton, n_channels


def _open(video, n_channels, step):
    from skpose.video import VideoFrames

    return VideoFrames(video, n_channels=n_channels, step=step)


def _check_sizes(frames, videos):
    for X, video in zip(frames, videos, strict=True):
        if X.shape[1:] != frames[0].shape[1:]:
            height, width = X.shape[1:3]
            raise ValueError(
                f"The frames of {video} are {height} x {width} pixels, but those of {videos[0]} "
                f"{frames[0].shape[1]} x {frames[0].shape[2]}. A set has images of one size: make "
                "one for each."
            )


def _make_sampler(estimators, options):
    from skpose import sampling

    settings = {"random_state": options["seed"]}
    if options["min_separation"] is not None:
        settings["min_separation"] = -(-options["min_separation"] // options["step"])
    by = options["by"] or ("confidence" if estimators else "kmeans")
    name, n_models = _SAMPLERS[by]
    models = [] if not n_models else [estimators[0] if n_models == 1 else estimators]
    return getattr(sampling, name)(*models, **settings)


def _shares(n_frames, n_videos):
    return [n_frames // n_videos + (i < n_frames % n_videos) for i in range(n_videos)]


def _name_in_set(video):
    """Return what a video is known by in a set, also when it is moved."""
    return f"{video.name}, {video.stat().st_size} bytes"


def _exclude(X, seen):
    """Return the index of frames that are in the set already, or of those next to them."""
    return np.unique(np.searchsorted(X.frame_numbers, list(seen))).clip(max=len(X) - 1)


def _write(path, parts, skeleton, *, append, overwrite):
    """Make the set, or add to it; it changes from one moment to the next, or not at all."""
    from skpose._lazy_array import join_rows
    from skpose.datasets import append_images, write_annotations

    images = join_rows([images for images, _ in parts])
    source = {
        key: np.concatenate([source[key] for _, source in parts])
        for key in ("videos", "frame_numbers")
    }
    if append:
        append_images(path, images, **source)
    else:
        write_annotations(path, images, skeleton=skeleton, overwrite=overwrite, **source)
