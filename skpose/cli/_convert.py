"""``skpose convert``: labels and poses in the formats of other programs."""

from pathlib import Path

import click
import numpy as np

from skpose._label_formats import WRITTEN
from skpose.cli._info import kind_of
from skpose.cli._shared import LABEL_OPTIONS, label_options, read_labels, refuse

_OF_LABELS = {"--format", "--skeleton", *(f"--{name.replace('_', '-')}" for name in LABEL_OPTIONS)}


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--format",
    type=click.Choice(WRITTEN),
    help="Of labels: what OUT becomes. Default: by its ending; a folder is a DeepLabCut project.",
)
@click.option("--frame-rate", type=float, help="Of poses that do not tell times: frames a second.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it is a file that exists.")
@label_options
def convert(source, out, format, frame_rate, overwrite, skeleton, **options):
    """Write the labels or poses in SOURCE to OUT, in the format of another program.

    Labels, of any format that `skpose train` reads, become an annotation set (.h5), a DeepLabCut or
    Lightning Pose project (a folder), COCO (.json, with its images beside it), a SLEAP package
    (.pkg.slp) or a dataset of YOLO-pose (a folder). Poses become a table as DeepLabCut has it
    (.csv, .h5), NumPy's arrays (.npz), netCDF (.nc), NWB (.nwb), SLEAP's predictions (.slp,
    .analysis.h5) or COCO's results (.json). With --video, poses in netCDF are taken for labels.
    """
    is_poses = kind_of(source) == "poses" and options["video"] is None
    if is_poses or _wants_predictions(source, out):
        refuse(_OF_LABELS, "to poses")
        _convert_poses(source, out, frame_rate, overwrite)
    else:
        refuse({"--frame-rate"}, "to labels")
        _convert_labels(source, out, format, overwrite, skeleton, options)


def _wants_predictions(source, out):
    """Whether a SLEAP file, which may hold both, is to become what only poses become."""
    from skpose.poses import ending_of

    return source.suffix == ".slp" and ending_of(out) not in ("", ".h5", ".json", ".slp")


def _convert_labels(source, out, format, overwrite, skeleton, options):
    from skpose.datasets import check_labels_path, write_labels

    format = check_labels_path(out, format=format, overwrite=overwrite)
    labels = read_labels(source, skeleton, options)
    write_labels(out, labels, format=format, overwrite=overwrite)
    is_placed = np.isfinite(labels.keypoints).all(axis=2)
    groups = labels.get("groups")
    videos = "" if groups is None else f" of {len(set(groups.tolist()))} video(s)"
    click.echo(
        f"{len(labels.images)} frames{videos} with {len(labels.skeleton)} bodyparts are in {out} "
        f"({format}): {is_placed.sum()} keypoints, {(~is_placed).sum()} not labelled."
    )


def _convert_poses(source, out, frame_rate, overwrite):
    from skpose.poses import check_poses_path, read_poses, write_poses

    check_poses_path(out, overwrite=overwrite)
    poses = read_poses(source, frame_rate=frame_rate)
    write_poses(out, poses, overwrite=overwrite)
    found = np.isfinite(poses["position"].values).all(axis=1)
    click.echo(
        f"{poses.sizes['time']} frames of {poses.sizes['individual']} animal(s) with "
        f"{poses.sizes['keypoint']} bodyparts are in {out}: {found.sum()} keypoints, "
        f"{(~found).sum()} missing."
    )
