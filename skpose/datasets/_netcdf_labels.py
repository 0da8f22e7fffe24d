"""Poses over time as labels of a video's frames."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from sklearn.utils import Bunch

from skpose._files import name_with_size
from skpose._lazy_array import select_rows
from skpose._types import PathLike
from skpose.datasets._bodyparts import places_among
from skpose.skeleton import Skeleton
from skpose.video import VideoFrames

__all__ = ["read_netcdf_labels"]

_OF_POSES = (".csv", ".h5", ".nc", ".npz", ".nwb", ".slp")


def read_netcdf_labels(
    path: PathLike,
    *,
    video: PathLike | None = None,
    individuals: str = "error",
    skeleton: Skeleton | None = None,
    guess_swaps: bool = True,
    n_channels: Literal[1, 3] | None = None,
) -> Bunch:
    """Read poses in a netCDF file, as skpose and movement write it, as labels of a video's frames.

    Parameters
    ----------
    path : path-like
        The file.
    video : path-like, default=None
        The video that the poses are of. None: the one that the file names.
    individuals : str, default="error"
        What becomes of files with several animals. "error": they are refused. "each": a sample is
        an animal in a frame, so a frame occurs as often as it has animals. Else the name of the one
        to read.
    skeleton : Skeleton, default=None
        The skeleton; its names choose the bodyparts and their order. None: all of the file, without
        edges.
    guess_swaps : bool, default=True
        If `skeleton` is None, take bodyparts whose names differ only in "left" and "right", or in
        one "L" and "R", for left/right partners.
    n_channels : {1, 3}, default=None
        The channels to read: 1 makes colour images grey. None: 3.

    Returns
    -------
    Bunch
        With the fields

        images : array of shape (n_samples, height, width, n_channels)
            The frames in which anything has a place, read when they are indexed.
        keypoints : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels; NaN where there is no pose.
        visibility : ndarray of shape (n_samples, n_keypoints), int8
            2 where there is a place, 0 elsewhere.
        skeleton : Skeleton
            The bodyparts.
        groups, videos : ndarray of shape (n_samples,), str
            The video, and the video with its size, as annotation sets know it.
        frame_numbers : ndarray of shape (n_samples,), int
            Which frame of the video each sample is.
        individuals : ndarray of shape (n_samples,), str
            The animal of each sample; "" if there is one.

    Raises
    ------
    FileNotFoundError
        If there is no such file or video.
    ValueError
        If it has no poses, those of several animals, or of frames that the video does not have.

    See Also
    --------
    skpose.poses.read_poses : Read poses over time.

    Notes
    -----
    Nothing in such a file tells what a person placed from what a network guessed: all that has a
    place counts as labelled. Take out what is wrong first, as movement's filters do. In files of
    other programs, which tell times and not frames, a pose is of the frame that is nearest in time.

    Examples
    --------
    >>> import av
    >>> import numpy as np
    >>> from skpose.datasets import read_netcdf_labels
    >>> from skpose.poses import from_numpy, write_poses
    >>> with av.open("fly.mp4", "w") as file:
    ...     stream = file.add_stream("libx264", rate=25, width=32, height=16)
    ...     for _ in range(3):
    ...         frame = av.VideoFrame.from_ndarray(np.zeros((16, 32, 3), np.uint8))
    ...         file.mux(stream.encode(frame))
    ...     file.mux(stream.encode())
    >>> keypoints = [[[1.0, 2.0]], [[np.nan, np.nan]], [[3.0, 4.0]]]
    >>> _ = write_poses("fly.nc", from_numpy(keypoints, names=["head"], frame_rate=25))
    >>> labels = read_netcdf_labels("fly.nc", video="fly.mp4")
    >>> labels.frame_numbers.tolist(), labels.keypoints.tolist()
    ([0, 2], [[[1.0, 2.0]], [[3.0, 4.0]]])
    """
    from skpose.poses import read_poses

    path = Path(path)
    poses = read_poses(path)
    keypoints = poses["position"].values.transpose(0, 3, 2, 1).astype(np.float64)
    animals = [str(name) for name in poses["individual"].values]
    names = [str(name) for name in poses["keypoint"].values]
    if skeleton is None:
        skeleton = Skeleton.from_names(names, guess_swaps=guess_swaps)
    keypoints = keypoints[:, :, places_among(skeleton.names, names, path)]
    keypoints[np.isnan(keypoints).any(axis=3)] = np.nan
    rows, chosen = _choose(keypoints, animals, individuals, path)
    file = _video_of(poses, path, video)
    images = VideoFrames(file, n_channels=n_channels or 3)
    numbers = _frame_numbers(poses, rows, images, path)
    placed = keypoints[rows, chosen]
    return Bunch(
        images=select_rows(images, numbers),
        keypoints=placed,
        visibility=np.where(np.isnan(placed).any(axis=2), 0, 2).astype(np.int8),
        skeleton=skeleton,
        groups=np.full(len(rows), file.name),
        videos=np.full(len(rows), name_with_size(file)),
        frame_numbers=numbers,
        individuals=np.array([animals[k] if len(animals) > 1 else "" for k in chosen]),
    )


def _choose(keypoints, animals, individuals, path):
    """Return the frames in which an animal has a place, and which animal that is."""
    is_placed = np.isfinite(keypoints).any(axis=(2, 3))
    if individuals not in ("error", "each", *animals):
        raise ValueError(f"{path} has no individual {individuals!r}; there are {_text(animals)}.")
    if individuals == "error" and len(animals) > 1:
        raise ValueError(
            f"{path} is of several individuals, but a pose is estimated for one. "
            f'individuals="each" makes a sample of each of {_text(animals)}, and the name of one '
            "reads that one."
        )
    if individuals in animals:
        is_placed &= np.array([name == individuals for name in animals])
    if not is_placed.any():
        raise ValueError(f"{path} has no pose in any frame.")
    return np.nonzero(is_placed)


def _text(animals):
    return ", ".join(animals)


def _video_of(poses, path, video):
    """Return the video of poses; of movement's, "source_file" is that of the poses."""
    named = poses.attrs.get("source_file") if video is None else video
    if named is not None and video is None and Path(str(named)).suffix.lower() in _OF_POSES:
        named = None
    if named is None:
        raise ValueError(f"{path} does not tell which video it is of: give it as video.")
    places = [Path(str(named)), path.parent / str(named), path.parent / Path(str(named)).name]
    if (found := next((place for place in places if place.is_file()), None)) is not None:
        return found
    raise FileNotFoundError(f"{path} is of the video {named}, which is not there: give video.")


def _frame_numbers(poses, rows, images, path):
    """Return which frame of a video each row of the poses is."""
    numbers = poses["frame"].values
    if numbers.dtype.kind not in "iu":
        raise ValueError(f"{path} has poses of images in files, but frames of a video are read.")
    numbers = numbers[rows].astype(np.int64)
    is_ours = poses.attrs.get("source_software") == "skpose"
    if not is_ours and poses.attrs.get("time_unit") == "seconds":
        numbers = _frames_at(poses["time"].values[rows], images, path)
    if numbers.min() < 0 or numbers.max() >= len(images):
        wrong = numbers.min() if numbers.min() < 0 else numbers.max()
        raise ValueError(
            f"{path} has poses of frame {wrong}, but {images.path} has {len(images)} frames. Is it "
            "another video?"
        )
    return numbers


def _frames_at(times, images, path):
    """Return the frames at some times: other programs' files do not tell their numbers."""
    middles = (images.times[1:] + images.times[:-1]) / 2
    numbers = np.searchsorted(middles, times)
    away = np.abs(images.times[numbers] - times)
    if (away > 0.5 / images.frame_rate).any():
        time = float(times[away.argmax()])
        raise ValueError(
            f"{path} has a pose at {time:g} s, but {images.path} has no frame then. Is it another "
            "video, or are its times counted from elsewhere?"
        )
    return numbers
