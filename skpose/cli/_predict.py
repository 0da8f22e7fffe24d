"""``skpose predict``."""

from pathlib import Path

import click
import numpy as np

from skpose.cli._shared import REGION, refuse

_IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
_SETS = {".h5", ".hdf5"}
_OF_VIDEOS = {"--region", "--step", "--jobs", "--format", "--no-resume", "--members"}


@click.command()
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("inputs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(path_type=Path),
    help="Table in DeepLabCut's columns (.csv, .h5) or arrays (.npz: keypoints, confidence, "
    "names, frames). For several videos a folder.",
)
@click.option(
    "--format",
    "ending",
    type=click.Choice(["csv", "h5", "npz"]),
    default="csv",
    show_default=True,
    help="Format of each file where --out is a folder.",
)
@click.option("--batch-size", type=click.IntRange(1), help="Frames that are predicted at a time.")
@click.option("--step", type=click.IntRange(1), default=1, help="Every step-th frame of a video.")
@click.option(
    "--region",
    type=REGION,
    help="The part of each frame to look at, in pixels. Poses are in those of the whole frame.",
)
@click.option(
    "--with-radius",
    is_flag=True,
    help="Find the radii too that hold a given share of the true positions, with a model that "
    "`skpose calibrate` has made; --out ends in .npz or .nc.",
)
@click.option(
    "--members",
    is_flag=True,
    help="Of an ensemble: a table for each of its models, in the folder --out, as Ensemble Kalman "
    "Smoothing takes them.",
)
@click.option("--jobs", "-j", type=int, help="Number of processes, for several videos.")
@click.option("--no-resume", is_flag=True, help="Start videos anew that a stopped run had begun.")
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
def predict(model_file, inputs, out, ending, batch_size, jobs, no_resume, members, **options):
    """Find the bodyparts in INPUTS with MODEL_FILE.

    INPUTS are videos, image files, or one annotation set (.h5) of which every frame is taken. A run
    over videos that is stopped (Ctrl-C) or killed goes on from there when it is started again.
    """
    endings = {path.suffix.lower() for path in inputs}
    if not endings & (_IMAGES | _SETS):
        options |= {"batch_size": batch_size, "resume": not no_resume}
        work = _predict_members if members else _predict_videos
        work(model_file, inputs, out, f".{ending}", jobs, options)
    elif endings <= _IMAGES or (len(inputs) == 1 and endings <= _SETS):
        refuse(_OF_VIDEOS, "to images, only to videos")
        _predict_images(model_file, inputs, out, batch_size, options)
    else:
        raise click.UsageError("Give videos alone, images alone, or one annotation set.")


def _predict_videos(model_file, paths, out, ending, jobs, options):
    import skpose
    from skpose.poses import check_poses_path
    from skpose.video_poses import predict_video, predict_videos

    is_folder = len(paths) > 1 or out.is_dir() or not out.suffix
    if not is_folder:
        refuse({"--jobs", "--format"}, "to a single video with --out FILE")
        check_poses_path(out, overwrite=options["overwrite"])  # before TensorFlow is loaded
    elif out.suffix and not out.is_dir():
        raise click.UsageError(f"--out must be a folder for {len(paths)} videos, but is {out}.")
    estimator = skpose.load(model_file)
    if is_folder:
        options |= {"ending": ending, "n_jobs": jobs}
        predict_videos(estimator, paths, out=out, verbose=1, **options)
    else:
        predict_video(estimator, paths[0], out=out, verbose=1, **options)
    click.echo(f"The poses are in {out}")


def _predict_members(model_file, paths, out, ending, jobs, options):
    import skpose
    from skpose.ensemble import PoseEnsemble
    from skpose.video_poses import predict_members

    refuse({"--with-radius"}, "to --members")
    ensemble = skpose.load(model_file)
    if not isinstance(ensemble, PoseEnsemble):
        raise click.UsageError(f"{model_file} is a {type(ensemble).__name__}, not an ensemble.")
    del options["with_radius"]
    options |= {"ending": ending, "n_jobs": jobs}
    predict_members(ensemble, paths, out=out, verbose=1, **options)
    click.echo(f"The poses of {len(ensemble.estimators_)} models are in {out}")


def _predict_images(model_file, paths, out, batch_size, options):
    import skpose
    from skpose._predictor import Predictor
    from skpose.datasets import ImageFiles, read_annotations
    from skpose.poses import check_poses_path, from_numpy, write_poses
    from skpose.video_poses import check_radius

    overwrite = options["overwrite"]
    check_poses_path(out, overwrite=overwrite)
    estimator = skpose.load(model_file)
    predictor = Predictor(estimator)
    if options["with_radius"]:
        check_radius(predictor, out)
    if paths[0].suffix.lower() in _SETS:
        n_channels = predictor.n_channels_fitted
        data = read_annotations(paths[0], labelled="all", frames="all", n_channels=n_channels)
        X, frames = data.images, np.arange(len(data.images))
    else:
        X = ImageFiles(paths, n_channels=predictor.n_channels)
        frames = [str(path) for path in paths]
    what = "radius" if options["with_radius"] else None
    keypoints, confidence, radius = predictor.predict_with(what, X, batch_size)
    names = predictor.names(lambda: X[0])
    poses = from_numpy(keypoints, confidence, names=names, frames=frames, radius=radius)
    write_poses(out, poses, overwrite=overwrite)
    click.echo(f"{len(keypoints)} frames{_mean_confidence(confidence)}, are in {out}")


def _mean_confidence(confidence):
    return "" if confidence is None else f", mean confidence {confidence.mean():.2f}"
