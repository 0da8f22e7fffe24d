"""``skpose sample`` and ``skpose initialize``: what to label, and guesses to start from."""

import json
from pathlib import Path
import shutil

import click
import numpy as np

_WITH_MODEL = ("confidence", "entropy", "motion", "autoregressive", "ensemble")
_CHOICES = ("kmeans", "random", *_WITH_MODEL)


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
    type=click.Choice(_CHOICES),
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
    from skpose.preprocessing import ImageBatch

    _check_output(out, append, overwrite)
    estimators = _load(options["models"], options["by"])
    skeleton, n_channels = _look_of_set(out if append else None, estimators, options)
    frames = [_open(video, n_channels, options["step"]) for video in videos]
    _check_sizes(frames, videos)
    sampler = _make_sampler(estimators, options)
    sources = _read_sources(out) if append else {}
    images = []
    for video, X, share in zip(videos, frames, _shares(n_frames, len(videos)), strict=True):
        if share:
            seen = sources.setdefault(_fingerprint(video), [])
            index = sampler.set_params(n_frames=share).select(X, exclude=_exclude(X, seen))
            seen.extend(X.frame_numbers[index].tolist())
            images.append(ImageBatch.wrap(X)[index])
    _write(out, images, skeleton, sources, append=append, overwrite=overwrite)
    click.echo(f"{sum(map(len, images))} frames of {len(images)} video(s) are in {out}")


@click.command()
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("labels", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--batch-size", type=click.IntRange(1), help="Images to predict at a time.")
def initialize(model_file, labels, batch_size):
    """Write the guesses of MODEL_FILE into the annotation set LABELS, to be corrected there.

    Keypoints that are marked as annotated stay as they are.
    """
    import skpose
    from skpose.datasets import read_annotations
    from skpose.sampling import initialize_annotations

    estimator = skpose.load(model_file)
    index = initialize_annotations(estimator, labels, batch_size=batch_size)
    if not len(index):
        click.echo(f"All keypoints in {labels} are annotated; nothing was changed.")
        return
    data = read_annotations(labels, skeleton=estimator.skeleton, labelled="all", frames="all")
    confidence = data.confidence[~np.isnan(data.confidence)]
    click.echo(
        f"{len(index)} of {len(data.images)} images in {labels} have guesses now, mean confidence "
        f"{confidence.mean():.2f}"
    )


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

    if by in _WITH_MODEL and not models:
        raise click.UsageError(f"--by {by} needs a trained model: --model MODEL.")
    if by == "ensemble" and len(models) < 2:
        raise click.UsageError("--by ensemble needs two models or more: repeat --model.")
    if len(models) > 1 and by != "ensemble":
        raise click.UsageError("More than one --model is for --by ensemble only.")
    return [skpose.load(model) for model in models]


def _look_of_set(path, estimators, options):
    """Give the skeleton (None: the set has one already) and number of channels of the images."""
    from skpose import Skeleton
    from skpose.datasets import HDF5Images

    if path is not None:
        return None, HDF5Images(path).shape[3]
    n_channels = estimators[0].image_shape_[2] if estimators else 1 if options["grey"] else 3
    if options["skeleton"] is not None:
        return Skeleton.from_csv(options["skeleton"]), n_channels
    if estimators and estimators[0].skeleton is not None:
        return estimators[0].skeleton, n_channels
    raise click.UsageError("A new set needs bodyparts: --skeleton TABLE.csv.")


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
    sampler = getattr(sampling, f"{'KMeans' if by == 'kmeans' else by.capitalize()}Sampler")
    if by in _WITH_MODEL:
        return sampler(estimators if by == "ensemble" else estimators[0], **settings)
    return sampler(**settings)


def _shares(n_frames, n_videos):
    return [n_frames // n_videos + (i < n_frames % n_videos) for i in range(n_videos)]


def _fingerprint(video):
    """What a video is known by in a set, also when it is moved."""
    return f"{video.name}, {video.stat().st_size} bytes"


def _exclude(X, seen):
    """Give the index of frames that are in the set already, or of those that come next to them."""
    return np.unique(np.searchsorted(X.frame_numbers, seen)).clip(max=len(X) - 1)


def _read_sources(path):
    """Give the frames that an annotation set already has of each video."""
    import h5py

    with h5py.File(path, "r") as file:
        return json.loads(file["sources"].asstr()[()]) if "sources" in file else {}


def _write(path, images, skeleton, sources, *, append, overwrite):
    """Make the set, or add to it; it changes from one moment to the next, or not at all."""
    import h5py

    from skpose._files import replacing
    from skpose.datasets import append_images, write_annotations

    with replacing(path, overwrite=append or overwrite) as new:
        if append:
            shutil.copyfile(path, new)
        else:
            write_annotations(new, images[0], skeleton=skeleton)
        for part in images if append else images[1:]:
            append_images(new, part)
        with h5py.File(new, "r+") as file:
            if "sources" in file:
                del file["sources"]
            file["sources"] = json.dumps(sources)
