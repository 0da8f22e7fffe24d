"""Pictures that commands write."""

from matplotlib.figure import Figure

from skpose._files import replacing
from skpose.plot import PoseDisplay

__all__ = ["N_DRAWN", "draw_frames", "write_figure"]

N_DRAWN = 12  # frames of a picture


def draw_frames(path, poses, *, overwrite=False, **drawing):
    """Draw frames with what is known of them into one picture.

    Parameters
    ----------
    path : path-like
        The .png file.
    poses : dict
        What `PoseDisplay` is made of.
    overwrite : bool, default=False
        Replace the file if it exists.
    drawing : dict
        What `PoseDisplay.plot` takes.
    """
    figure = Figure(figsize=(12, 9), layout="constrained")
    PoseDisplay(**poses).plot(figure.add_subplot(), **drawing)
    write_figure(path, figure, overwrite=overwrite)


def write_figure(path, figure, *, overwrite):
    """Write a figure to a .png file, whole or not at all."""
    with replacing(path, overwrite=overwrite) as temporary:
        figure.savefig(temporary, dpi=150, format="png")
