"""Labels in NWB files."""

from __future__ import annotations

from typing import Literal

from sklearn.utils import Bunch

from skpose._sleap_files import load_nwb_labels
from skpose._types import PathLike
from skpose.datasets._sleap import read_sleap_io
from skpose.skeleton import Skeleton

__all__ = ["read_nwb_labels"]


def read_nwb_labels(
    path: PathLike,
    *,
    individuals: str = "error",
    video_dir: PathLike | None = None,
    skeleton: Skeleton | None = None,
    n_channels: Literal[1, 3] | None = None,
) -> Bunch:
    """Read the labelled frames in an NWB file with ndx-pose; the images stay on disk.

    Parameters
    ----------
    path : path-like
        The file, with ``PoseTraining`` in its module "behavior", as sleap-io writes it. The videos
        are files of their own; lists of images sleap-io does not read.
    individuals : {"error", "each"}, default="error"
        What becomes of frames with several animals. "error": they are refused. "each": a sample is
        an animal in a frame, so an image occurs as often as it has animals.
    video_dir : path-like, default=None
        Where videos are that have been moved. They are looked for where the file says, beside the
        file, and there.
    skeleton : Skeleton, default=None
        The skeleton; its names choose the bodyparts and their order. None: the file's.
    n_channels : {1, 3}, default=None
        The channels to read: 1 makes colour images grey. None: 3.

    Returns
    -------
    Bunch
        As `read_sleap_labels` returns it.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or a video is missing.
    ImportError
        If sleap-io is not installed (``pip install 'skpose[formats]'``).
    ValueError
        If it is no such file or damaged, or nothing is labelled.

    See Also
    --------
    read_labels : Read labels of any format.
    skpose.poses.read_poses : Read poses over time, of NWB files too.

    Notes
    -----
    Coordinates are taken as they are: whole numbers are the centres of pixels.

    References
    ----------
    https://github.com/rly/ndx-pose

    Examples
    --------
    >>> import av
    >>> import numpy as np
    >>> import sleap_io
    >>> from skpose.datasets import read_nwb_labels
    >>> with av.open("fly.mp4", "w") as file:
    ...     stream = file.add_stream("libx264", rate=25, width=32, height=16)
    ...     for _ in range(3):
    ...         frame = av.VideoFrame.from_ndarray(np.zeros((16, 32, 3), np.uint8))
    ...         file.mux(stream.encode(frame))
    ...     file.mux(stream.encode())
    >>> fly = sleap_io.Skeleton(["head", "tail"])
    >>> video = sleap_io.Video.from_filename("fly.mp4")
    >>> places = sleap_io.Instance.from_numpy(np.array([[1.0, 2.0], [3.0, 4.0]]), skeleton=fly)
    >>> frame = sleap_io.LabeledFrame(video=video, frame_idx=2, instances=[places])
    >>> sleap_io.save_nwb(sleap_io.Labels([frame]), "fly.nwb")
    >>> labels = read_nwb_labels("fly.nwb")
    >>> labels.frame_numbers.tolist(), labels.keypoints.tolist()
    ([2], [[[1.0, 2.0], [3.0, 4.0]]])
    """
    return read_sleap_io(
        path,
        load_nwb_labels,
        what="an NWB file",
        labelled="annotated",
        individuals=individuals,
        video_dir=video_dir,
        skeleton=skeleton,
        n_channels=n_channels,
    )
