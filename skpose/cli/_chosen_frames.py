"""Frames of videos that are chosen and put into an annotation set."""

import click
import numpy as np

from skpose._files import name_with_size
from skpose.cli._shared import counted, pairs_text, refuse

__all__ = ["choose_skeleton", "looks_grey", "open_videos", "put_frames"]

_N_LOOKED_AT = 100  # frames at the start of a video, which are read soon
_GREY_WITHIN = 1.0  # grey levels between red, green and blue


def put_frames(path, videos, frames, sampler, *, n_frames, skeleton, overwrite=False, n_passes=1):
    """Choose frames of videos, put them into an annotation set, and say how many.

    Parameters
    ----------
    path : pathlib.Path
        The set.
    videos : sequence of pathlib.Path
        Files.
    frames : list of VideoFrames
        What `open_videos` has opened of them.
    sampler : sampler of skpose.sampling
        Chooses.
    n_frames : int
        How many in all.
    skeleton : Skeleton or None
        The bodyparts of a new set. None: frames are added to the set that is there, and none that
        it has of the same video is chosen again.
    overwrite : bool, default=False
        A new set may replace the file.
    n_passes : int, default=1
        How often the sampler goes through a video.
    """
    from skpose.datasets import HDF5Images, read_sources
    from skpose.preprocessing import ImageBatch

    is_new = skeleton is not None
    if not is_new:
        _check_size_of_set(path, frames[0], videos[0])
    seen = {} if is_new else read_sources(path)
    parts = []
    for video, X, share in zip(videos, frames, _shares(n_frames, len(videos)), strict=True):
        if share:
            name = name_with_size(video)
            exclude = _exclude(X, seen.get(name, ()))
            with counted(X, video.name, n_passes) as images:
                index = sampler.set_params(n_frames=share).select(images, exclude=exclude)
            source = {"videos": [name] * len(index), "frame_numbers": X.frame_numbers[index]}
            parts.append((ImageBatch.wrap(X)[index], source))
    n_images = sum(len(images) for images, _ in parts)
    if not n_images:
        raise click.ClickException("No frame was chosen, and nothing was written.")
    _write(path, parts, skeleton, overwrite=overwrite)
    told = f"{n_images} frames of {len(parts)} video(s)"
    if is_new:
        click.echo(f"{told} are in {path}")
    else:
        click.echo(f"{told} were added to {path}, of {len(HDF5Images(path))}")


def choose_skeleton(bodyparts, table):
    """Return the skeleton of names or of a table, and say what was guessed; None without either."""
    from skpose.skeleton import Skeleton

    if bodyparts is not None:
        refuse({"--skeleton"}, "with --bodyparts")
        names = [name.strip() for name in bodyparts.split(",")]
        skeleton = Skeleton.from_names(names, guess_swaps=True)
        pairs = pairs_text(skeleton)
        told = f"partners in a mirror are {pairs}" if pairs else "none are partners"
        click.echo(f"{len(names)} bodyparts; {told}.")
        return skeleton
    return None if table is None else Skeleton.from_csv(table)


def looks_grey(video):
    """Whether red, green and blue are the same in some frames, but for what compression does."""
    X = open_videos([video], 3)[0]
    for i in np.linspace(0, min(len(X), _N_LOOKED_AT) - 1, 4).astype(int):
        frame = X[int(i)].astype(int)
        if np.ptp(frame, axis=2).mean() > _GREY_WITHIN:
            return False
    return True


def open_videos(videos, n_channels, step=1):
    """Open videos whose frames are to be in one set, all of one size."""
    from skpose.video import VideoFrames

    frames = [VideoFrames(video, n_channels=n_channels, step=step) for video in videos]
    _check_sizes(frames, videos)
    return frames


def _check_sizes(frames, videos):
    for X, video in zip(frames, videos, strict=True):
        if X.shape[1:] != frames[0].shape[1:]:
            height, width = X.shape[1:3]
            raise ValueError(
                f"The frames of {video} are {height} x {width} pixels, but those of {videos[0]} "
                f"{frames[0].shape[1]} x {frames[0].shape[2]}. A set has images of one size: make "
                "one for each."
            )


def _check_size_of_set(path, X, video):
    from skpose.datasets import HDF5Images

    (height, width), (of_set_height, of_set_width) = X.shape[1:3], HDF5Images(path).shape[1:3]
    if (height, width) != (of_set_height, of_set_width):
        raise click.ClickException(
            f"The frames of {video} are {height} x {width} pixels, but the images in {path} "
            f"{of_set_height} x {of_set_width}. A set has images of one size: make another one."
        )


def _shares(n_frames, n_videos):
    return [n_frames // n_videos + (i < n_frames % n_videos) for i in range(n_videos)]


def _exclude(X, seen):
    """Return the index of frames that are in the set already, or of those next to them."""
    return np.unique(np.searchsorted(X.frame_numbers, list(seen))).clip(max=len(X) - 1)


def _write(path, parts, skeleton, *, overwrite):
    """Make the set, or add to it; it changes from one moment to the next, or not at all."""
    from skpose._lazy_array import join_rows
    from skpose.datasets import append_images, write_annotations

    images = join_rows([images for images, _ in parts])
    source = {
        key: np.concatenate([source[key] for _, source in parts])
        for key in ("videos", "frame_numbers")
    }
    if skeleton is None:
        append_images(path, images, **source)
    else:
        write_annotations(path, images, skeleton=skeleton, overwrite=overwrite, **source)
