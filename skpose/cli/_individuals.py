"""``skpose track`` and ``skpose predict-individuals``."""

from pathlib import Path

import click


@click.command()
@click.argument("video", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--n", "n_individuals", type=click.IntRange(1), help="How many animals there are.")
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table of tracks (.csv): frame, id, x, y, angle.",
)
@click.option(
    "--polarity",
    type=click.Choice(["any", "bright", "dark"]),
    default="any",
    show_default=True,
    help="Whether animals are brighter or darker than the background.",
)
@click.option("--threshold", type=float, help="Grey levels by which they differ at least.")
@click.option(
    "--quantile",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Quantile of the frames that is the background; 0.1 for bright animals that rest.",
)
@click.option("--min-area", type=click.FloatRange(0), help="Square pixels; smaller is dirt.")
@click.option("--max-distance", type=click.FloatRange(0), help="Pixels an animal moves a frame.")
@click.option(
    "--min-length",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Leave out what is seen in fewer frames.",
)
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
def track(video, n_individuals, out, max_distance, min_length, overwrite, **options):
    """Find the animals of VIDEO by their difference from the background, and follow them.

    For a camera that stands still, or an even ground. Angles are in radians, towards the end that
    an animal moves to.
    """
    from skpose.individuals import BlobDetector, track_individuals, write_tracks
    from skpose.individuals._track_files import check_tracks_path
    from skpose.video import VideoFrames

    check_tracks_path(out, overwrite=overwrite)
    X = VideoFrames(video, n_channels=1)
    tracks = track_individuals(
        X,
        n_individuals,
        detector=BlobDetector(n_individuals, **options),
        max_distance=max_distance,
        min_length=min_length,
    )
    write_tracks(out, tracks, overwrite=overwrite)
    lengths = tracks["id"].value_counts()
    seen = f", seen in {lengths.min()} to {lengths.max()}" if len(lengths) else ""
    click.echo(f"{len(lengths)} individuals in {len(X)} frames{seen}, are in {out}")


@click.command("predict-individuals")
@click.argument("model_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("video", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--tracks",
    "tracks_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Table (.csv: frame, id, x, y[, angle]), or a SLEAP file (.slp).",
)
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table in DeepLabCut's columns for several animals (.csv, .h5) or arrays (.npz).",
)
@click.option(
    "--box-size", type=click.IntRange(1), help="Side of the crops in pixels, if not as in training."
)
@click.option("--align", is_flag=True, help="Turn animals to the right, if so in training.")
@click.option(
    "--max-gap",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Fill gaps in tracks of at most so many frames.",
)
@click.option(
    "--min-length",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Leave out tracks of fewer frames.",
)
@click.option("--anchor", help="Bodypart of a SLEAP file to crop around; else the mean of all.")
@click.option("--front", help="Bodypart of a SLEAP file at the front, for --align.")
@click.option("--back", help="Bodypart of a SLEAP file at the back, for --align.")
@click.option("--batch-size", type=click.IntRange(1), help="Crops at a time.")
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
def predict_individuals(
    model_file,
    video,
    tracks_file,
    out,
    anchor,
    front,
    back,
    min_length,
    overwrite,
    **options,
):
    """Find the bodyparts of each animal of VIDEO with MODEL_FILE, in crops around its track.

    The model must be trained on such crops, or have two stages, of which the second one is used.
    """
    import numpy as np

    import skpose
    from skpose import individuals
    from skpose.poses import check_poses_path, write_poses

    check_poses_path(out, overwrite=overwrite)
    tracks = individuals.read_tracks(
        tracks_file, anchor=anchor, front=front, back=back, min_length=min_length
    )
    estimator = skpose.load(model_file)
    poses = individuals.predict_individuals(estimator, video, tracks, verbose=1, **options)
    write_poses(out, poses, overwrite=overwrite)
    confidence = float(poses["confidence"].mean())
    told = "" if np.isnan(confidence) else f", mean confidence {confidence:.2f}"
    click.echo(
        f"{poses.sizes['individual']} individuals in {poses.sizes['time']} frames{told}, are in "
        f"{out}"
    )
