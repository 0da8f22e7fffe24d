"""Lightning Pose projects."""

from pathlib import Path

from sklearn.utils import Bunch

from skpose._types import ImageSize, PathLike
from skpose.datasets._deeplabcut import read_tables
from skpose.skeleton import Skeleton

__all__ = ["find_tables", "read_lightning_pose"]


def read_lightning_pose(
    path: PathLike,
    *,
    skeleton: Skeleton | None = None,
    guess_swaps: bool = True,
    n_channels: int | None = None,
    image_size: ImageSize | None = None,
) -> Bunch:
    """Read the labelled frames of a Lightning Pose project; the images stay on disk.

    Parameters
    ----------
    path : path-like
        The project's folder, with ``CollectedData.csv`` and ``labeled-data`` in it; or that table
        itself. Of a project with several views, which has a table of each, the table of one.
    skeleton : Skeleton, default=None
        The skeleton; its names choose the bodyparts and their order. None: all bodyparts in the
        order of the table, without edges.
    guess_swaps : bool, default=True
        If `skeleton` is None, take bodyparts whose names differ only in "left" and "right", or in
        one "L" and "R", for left/right partners.
    n_channels : {1, 3}, default=None
        Channels to read, as in `ImageFiles`: 1 for grey images, also where they are stored as RGB.
    image_size : int or tuple of (height, width), default=None
        Size in pixels to fill up smaller images to, as in `ImageFiles`. None: that of the largest
        image, where videos differ.

    Returns
    -------
    Bunch
        As `read_deeplabcut` returns it.

    Raises
    ------
    FileNotFoundError
        If there are no labels, or images are missing.
    ValueError
        If there are tables of several views, or one is damaged.

    See Also
    --------
    read_deeplabcut : Read a DeepLabCut project, whose tables are the same.

    Notes
    -----
    Coordinates are taken as they are: whole numbers are the centres of pixels.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import cv2
    >>> import numpy as np
    >>> from skpose.datasets import read_lightning_pose
    >>> with TemporaryDirectory() as folder:
    ...     video = Path(folder, "labeled-data", "day1")
    ...     video.mkdir(parents=True)
    ...     _ = cv2.imwrite(str(video / "img0.png"), np.zeros((4, 6), np.uint8))
    ...     _ = Path(folder, "CollectedData.csv").write_text(
    ...         "scorer,Ann,Ann\\nbodyparts,snout,snout\\ncoords,x,y\\n"
    ...         "labeled-data/day1/img0.png,2.5,1.0\\n"
    ...     )
    ...     project = read_lightning_pose(folder)
    >>> project.keypoints.tolist(), project.groups.tolist()
    ([[[2.5, 1.0]]], ['day1'])
    """
    path = Path(path)
    tables = [path] if path.is_file() else find_tables(path)
    if not tables:
        raise FileNotFoundError(f"{path} has no table CollectedData.csv, as Lightning Pose has it.")
    if len(tables) > 1:
        names = ", ".join(table.name for table in tables)
        raise ValueError(f"{path} has tables of several views, {names}. Give the one to read.")
    return read_tables(
        tables,
        path,
        config=None,
        individuals="error",
        skeleton=skeleton,
        guess_swaps=guess_swaps,
        n_channels=n_channels,
        image_size=image_size,
    )


def find_tables(folder):
    """Return the tables of labels in the root of a project: one, or one of each view."""
    return sorted(folder.glob("CollectedData*.csv"))
