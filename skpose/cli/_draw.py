"""``skpose draw``."""

from pathlib import Path

import click
import numpy as np

from skpose.cli._shared import REGION, check_free, refuse

_OF_VIDEOS = {"--trail", "--region", "--scale", "--radius", "--max-radius"}


@click.command()
@click.argument("video", type=click.Path(exists=True, path_type=Path))
@click.argument("poses", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The labelled video (.mp4); of an annotation set, a picture (.png).",
)
@click.option(
    "--skeleton",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Which bodyparts lines connect: a table (.csv: name, parent, swap) or a model file.",
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="Keypoints of a lower confidence are not drawn.",
)
@click.option(
    "--max-radius",
    type=click.FloatRange(0, min_open=True),
    help="Keypoints of a larger radius are not drawn, in pixels of the video; see predict "
    "--with-radius.",
)
@click.option(
    "--trail",
    type=click.IntRange(0),
    default=0,
    help="Frames over which a line that fades shows where keypoints came from.",
)
@click.option("--start", type=click.IntRange(0), help="Number of the first frame to draw.")
@click.option("--stop", type=click.IntRange(1), help="Number of the frame to stop before.")
@click.option("--region", type=REGION, help="The part of the video to write, in pixels.")
@click.option(
    "--scale",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Size of the labelled video, in that of the original.",
)
@click.option(
    "--radius", type=click.FloatRange(0, min_open=True), help="Of the dots, in pixels as written."
)
@click.option("--cmap", help="Colours of the bodyparts: the name of a matplotlib colormap.")
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
def draw(video, poses, out, skeleton, start, stop, **options):
    """Draw POSES over VIDEO.

    POSES is what `skpose predict` wrote of the same video (.csv, .h5, .npz or .nc), or a table
    of DeepLabCut's. Only frames that have poses are written. Radii are drawn as rings.

    VIDEO may also be the annotation set (.h5) that was predicted. Then twelve of its images are
    drawn, with labels as rings, into one picture.
    """
    check_free(out, options["overwrite"])
    from skpose.poses import read_poses
    from skpose.video_poses import draw_video

    is_set = video.suffix.lower() in (".h5", ".hdf5")
    if is_set:
        refuse(_OF_VIDEOS, "to an annotation set, only to a video")
    if is_set != (out.suffix.lower() == ".png"):
        raise click.UsageError(
            f"{video} is {'an annotation set' if is_set else 'a video'}: --out must end in "
            f"{'.png' if is_set else '.mp4'}, but is {out}."
        )
    table = read_poses(poses)
    frames = table["frame"].values
    if not np.issubdtype(frames.dtype, np.integer) or not len(frames):
        raise click.ClickException(
            f"{poses} has poses of images, not of the numbered frames of a video."
        )
    first = 0 if start is None else start
    is_asked = (frames >= first) & (frames < (np.inf if stop is None else stop))
    if not is_asked.any():
        raise click.ClickException(
            f"{poses} has no frame from --start to --stop: its frames are from {frames.min()} to "
            f"{frames.max()}."
        )
    table = table.isel(time=is_asked)
    skeleton = _read_skeleton(skeleton, table["keypoint"].values.tolist())
    if is_set:
        n_drawn = _draw_set(video, table, out, skeleton, options)
        click.echo(f"{n_drawn} of {is_asked.sum()} images are in {out}")
        return
    draw_video(video, table, out=out, skeleton=skeleton, verbose=1, **options)
    click.echo(f"{is_asked.sum()} labelled frames are in {out}")


def _draw_set(path, table, out, skeleton, options):
    """Draw poses and labels over images of an annotation set; return how many."""
    from skpose.cli._pictures import N_DRAWN, draw_frames
    from skpose.datasets import read_annotations
    from skpose.poses import to_numpy

    data = read_annotations(path, frames="all")
    frames = table["frame"].values
    if frames.max() >= len(data.images):
        raise click.ClickException(
            f"The poses go up to frame {frames.max()}, but {path} has {len(data.images)} images."
        )
    names = table["keypoint"].values.tolist()
    if set(names) != set(data.skeleton.names):
        raise click.ClickException(
            f"The poses are of {', '.join(names)}, but {path} has {', '.join(data.skeleton.names)}."
        )
    order = [data.skeleton.names.index(name) for name in names]
    keypoints, confidence = to_numpy(table)
    rows = np.unique(np.linspace(0, len(frames) - 1, N_DRAWN).astype(int))
    has_confidence = np.isfinite(confidence).any()
    poses = {
        "images": data.images[frames[rows]],
        "keypoints": keypoints[rows],
        "y_true": data.keypoints[frames[rows]][:, order],
        "confidence": confidence[rows] if has_confidence else None,
        "skeleton": data.skeleton if skeleton is None and order == sorted(order) else skeleton,
        "indices": frames[rows],
    }
    min_confidence = options["min_confidence"] if has_confidence else 0.0
    draw_frames(
        out,
        poses,
        overwrite=options["overwrite"],
        cmap=options["cmap"],
        min_confidence=min_confidence,
    )
    return len(rows)


def _read_skeleton(path, names):
    """Return the skeleton with its bodyparts in the order of the table."""
    if path is None:
        return None
    import skpose
    from skpose._predictor import Predictor

    if path.suffix == ".csv":
        skeleton = skpose.Skeleton.from_csv(path)
    else:
        skeleton = Predictor(skpose.load(path)).skeleton
    if skeleton is None or set(skeleton.names) != set(names):
        found = "none" if skeleton is None else ", ".join(skeleton.names)
        raise click.ClickException(
            f"The skeleton of {path} must have the bodyparts of the poses, {', '.join(names)}, but "
            f"has {found}."
        )
    rows = {name: i for i, name in enumerate(skeleton.names)}
    table = skeleton.to_dict()
    order = [rows[name] for name in names]
    return skpose.Skeleton.from_dict(
        {key: [column[i] for i in order] for key, column in table.items()}
    )
