"""``skpose draw``."""

from pathlib import Path

import click
import numpy as np

from skpose.cli._shared import REGION, check_free


@click.command()
@click.argument("video", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("poses", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The labelled video (.mp4).",
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

    POSES is what `skpose predict` wrote of the same video (.csv, .h5 or .npz), or a table of
    DeepLabCut's. Only frames that have poses are written.
    """
    check_free(out, options["overwrite"])
    from skpose.poses import read_poses
    from skpose.video_poses import draw_video

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
    draw_video(
        video,
        table.isel(time=is_asked),
        out=out,
        skeleton=_read_skeleton(skeleton, table["keypoint"].values.tolist()),
        verbose=1,
        **options,
    )
    click.echo(f"{is_asked.sum()} labelled frames are in {out}")


def _read_skeleton(path, names):
    """Give the skeleton with its bodyparts in the order of the table."""
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
