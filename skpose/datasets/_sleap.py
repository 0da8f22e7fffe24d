"""Labels in SLEAP's files."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath
import re
from typing import Literal, NamedTuple

import numpy as np
from sklearn.utils import Bunch

from skpose._files import name_with_size, reading
from skpose._hdf5 import check_sound
from skpose._lazy_array import LazyArray, join_rows, select_rows
from skpose._opencv import with_channels
from skpose._sleap_files import import_sleap_io, load_sleap, skeleton_of_sleap
from skpose._types import PathLike
from skpose.datasets._bodyparts import places_among
from skpose.datasets._image_files import ImageFiles
from skpose.datasets._moved_files import check_apart
from skpose.skeleton import Skeleton
from skpose.video import VideoFrames

__all__ = ["read_sleap_io", "read_sleap_labels"]

_NUMBERED = re.compile(r"img(\d+)")  # what DeepLabCut, and skpose, call a frame of a video


def read_sleap_labels(
    path: PathLike,
    *,
    labelled: Literal["annotated", "all"] = "annotated",
    individuals: str = "error",
    video_dir: PathLike | None = None,
    skeleton: Skeleton | None = None,
    n_channels: Literal[1, 3] | None = None,
) -> Bunch:
    """Read the labelled frames of a SLEAP project; the images stay on disk.

    Parameters
    ----------
    path : path-like
        The file: ``.slp``, whose videos are opened, or ``.pkg.slp``, which has the images in it.
    labelled : {"annotated", "all"}, default="annotated"
        Which instances count as labels: those that a person made, or also predictions in frames
        that have no other.
    individuals : str, default="error"
        What becomes of frames with several animals. "error": they are refused. "each": a sample is
        an animal in a frame, so an image occurs as often as it has animals. Else the name of the
        track to read.
    video_dir : path-like, default=None
        Where videos are that have been moved. They are looked for where the file says, beside the
        file, and there.
    skeleton : Skeleton, default=None
        The skeleton; its names choose the bodyparts and their order. None: the file's.
    n_channels : {1, 3}, default=None
        The channels to read: 1 makes colour images grey. None: 3 for videos, and for images in the
        file as they are.

    Returns
    -------
    Bunch
        With the fields

        images : array of shape (n_samples, height, width, n_channels)
            Images that are read when they are indexed. Where videos differ in size, smaller frames
            are filled up with black at the bottom and right, where it moves no keypoint.
        keypoints : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels; NaN where not labelled.
        visibility : ndarray of shape (n_samples, n_keypoints), int8
            2 where labelled, 0 elsewhere.
        skeleton : Skeleton
            The bodyparts; partners are guessed from their names if the file has none.
        groups : ndarray of shape (n_samples,), str
            The video of each sample, to keep a video's frames together when data are split.
        videos : ndarray of shape (n_samples,), str
            The same, with the size of the file, as annotation sets know a video.
        frame_numbers : ndarray of shape (n_samples,), int
            Which frame of its video each sample is; of images in files what is behind "img" in
            their names, or -1.
        individuals : ndarray of shape (n_samples,), str
            The track of each sample; "" without one.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or a video is missing.
    ImportError
        If sleap-io is not installed (``pip install 'skpose[formats]'``).
    ValueError
        If it is no SLEAP file or damaged, nothing is labelled, or instances have several skeletons.

    See Also
    --------
    skpose.individuals.read_sleap : Read SLEAP's tracks.

    Notes
    -----
    Files before SLEAP 1.1 count from the corner of the first pixel: they are shifted by half a
    pixel, so that whole numbers are the centres of pixels everywhere.

    Examples
    --------
    >>> from skpose.datasets import make_poses, read_sleap_labels, write_labels
    >>> mice = make_poses(3, image_size=32, random_state=0, return_bunch=True)
    >>> labels = read_sleap_labels(write_labels("mice.pkg.slp", mice))
    >>> labels.images.shape, bool((labels.keypoints == mice.keypoints).all())
    ((3, 32, 32, 1), True)
    """
    return read_sleap_io(
        path,
        load_sleap,
        what="a SLEAP file",
        labelled=labelled,
        individuals=individuals,
        video_dir=video_dir,
        skeleton=skeleton,
        n_channels=n_channels,
    )


def read_sleap_io(path, load, *, what, labelled, individuals, video_dir, skeleton, n_channels):
    """Read labels that sleap-io loads.

    Parameters
    ----------
    path : path-like
        The file.
    load : callable
        Takes the path, and returns sleap-io's labels.
    what : str
        What the file is read as, for messages.
    labelled, individuals, video_dir, skeleton, n_channels
        As in `read_sleap_labels`.

    Returns
    -------
    Bunch
        That of `read_sleap_labels`.
    """
    if labelled not in ("annotated", "all"):
        raise ValueError(f"labelled must be 'annotated' or 'all', but was {labelled!r}.")
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    with reading(path, what):
        labels = load(path)
        samples = _collect(labels, labelled, individuals)
        names = list(samples[0].instance.skeleton.node_names)
        own = skeleton_of_sleap(samples[0].instance.skeleton)
        keypoints = np.stack([sample.points(names) for sample in samples])
    if skeleton is not None:
        keypoints = keypoints[:, places_among(skeleton.names, names, path)]
    images, groups, videos, numbers = _open(labels, samples, path, video_dir, n_channels)
    return Bunch(
        images=images,
        keypoints=keypoints,
        visibility=np.where(np.isnan(keypoints).any(axis=2), 0, 2).astype(np.int8),
        skeleton=own if skeleton is None else skeleton,
        groups=groups,
        videos=videos,
        frame_numbers=numbers,
        individuals=np.array([sample.track for sample in samples]),
    )


class _Sample:
    """One animal in one frame."""

    def __init__(self, video, frame, instance):
        self.video, self.frame, self.instance = video, int(frame), instance
        self.track = "" if instance.track is None else str(instance.track.name)

    def points(self, names):
        found = list(self.instance.skeleton.node_names)
        if found != names:
            raise ValueError(
                f"it has instances of different skeletons, {', '.join(names)} and "
                f"{', '.join(found)}, which cannot be read together"
            )
        points = np.array(self.instance.numpy(), dtype=np.float64)
        points[np.isnan(points).any(axis=1)] = np.nan
        return points


def _collect(labels, labelled, individuals):
    """List the samples, in the order of the videos and frames."""
    samples, n_predicted = [], 0
    for found in labels.labeled_frames:
        instances = found.user_instances
        if not instances:
            n_predicted += len(found.predicted_instances)
            instances = found.predicted_instances if labelled == "all" else []
        place = labels.videos.index(found.video)
        samples += [_Sample(place, found.frame_idx, instance) for instance in instances]
    samples.sort(key=lambda sample: (sample.video, sample.frame))
    if not samples:
        more = (
            f", but {n_predicted} are predicted: labelled='all' reads them" if n_predicted else ""
        )
        raise ValueError(f"no person has labelled anything in it{more}")
    return _choose(samples, individuals)


def _choose(samples, individuals):
    if individuals == "each":
        return samples
    if individuals == "error":
        places = [(sample.video, sample.frame) for sample in samples]
        n_shared = len(places) - len(set(places))
        if n_shared:
            raise ValueError(
                "it has frames with several animals, but a pose is estimated for one. "
                'individuals="each" makes a sample of each animal, and the name of a track reads '
                f"that one; there are {_tracks_text(samples)}"
            )
        return samples
    chosen = [sample for sample in samples if sample.track == individuals]
    if not chosen:
        raise ValueError(f"it has no track {individuals!r}; there are {_tracks_text(samples)}")
    return chosen


def _tracks_text(samples):
    tracks = sorted({sample.track for sample in samples} - {""})
    return f"the tracks {', '.join(tracks)}" if tracks else "no tracks"


def _open(labels, samples, path, video_dir, n_channels):
    """Return samples' images, not read yet, and what their videos are called, and known by."""
    used = sorted({sample.video for sample in samples})
    videos = {
        place: _open_video(labels.videos[place], path, video_dir, n_channels) for place in used
    }
    sources = [video.images for video in videos.values()]
    files = {
        labels.videos[place].filename: Path(video.images.path)
        for place, video in videos.items()
        if isinstance(video.images, VideoFrames | _HDF5Video)
    }
    check_apart(files, path, "video_dir")
    sizes = [images.shape[1:] for images in sources]
    shape = tuple(max(lengths) for lengths in zip(*sizes, strict=True))
    starts = dict(zip(used, np.cumsum([0, *map(len, sources[:-1])]), strict=True))
    rows = [
        starts[sample.video] + _row_of(sample.frame, videos[sample.video], path)
        for sample in samples
    ]
    images = select_rows(join_rows([_filled(images, shape) for images in sources]), np.array(rows))
    groups, known_by = (
        _apart({place: getattr(video, name) for place, video in videos.items()})
        for name in ("name", "known_by")
    )
    return (
        images,
        np.array([groups[sample.video] for sample in samples]),
        np.array([known_by[sample.video] for sample in samples]),
        np.array([_number_of(sample.frame, videos[sample.video]) for sample in samples]),
    )


def _apart(names):
    """Return names by place, with the place behind those that occur twice."""
    all_names = list(names.values())
    return {
        place: name if all_names.count(name) == 1 else f"{name} ({place})"
        for place, name in names.items()
    }


def _number_of(frame, video):
    """Return which frame of its video an image is; of images in files what their names tell."""
    if video.files is None:
        return frame
    found = _NUMBERED.fullmatch(PureWindowsPath(video.files[frame]).stem)
    return int(found[1]) if found else -1


class _Video(NamedTuple):
    """The frames of a video that can be read."""

    images: LazyArray
    places: dict | None  # of frames that are there, by their numbers; None: all, from 0
    name: str
    known_by: str  # its name and size in annotation sets; of images that are no video, the name
    files: list | None = None  # of images in files, or that were, their names


def _row_of(frame, video, path):
    places = range(len(video.images)) if video.places is None else video.places
    if frame not in places:
        raise ValueError(
            f"{path} has labels of frame {frame} of {video.name}, of which {len(places)} frames "
            "are there. Is it another video of that name?"
        )
    return places[frame]


def _open_video(video, path, video_dir, n_channels):
    """Open what SLEAP calls a video: a file, a list of images, or images in the labels' file."""
    name, about = video.filename, video.backend_metadata or {}
    dataset = about.get("dataset")
    if isinstance(name, list):
        files = [_find(file, path, video_dir) for file in name]
        check_apart(dict(zip(name, files, strict=True)), path, "video_dir")
        images = ImageFiles(files, n_channels=n_channels, image_size="largest")
        return _Video(images, None, files[0].parent.name, files[0].parent.name, name)
    if dataset and Path(name).resolve() == path.resolve():
        return _open_embedded(video, path, n_channels, about)
    file = _find(name, path, video_dir)
    if dataset:
        check_sound(file, what="a video in HDF5")
        images = _HDF5Video(file, dataset, n_channels, about)
        return _Video(images, None, file.name, name_with_size(file))
    images = VideoFrames(file, n_channels=n_channels or 3)
    return _Video(images, None, file.name, name_with_size(file))


def _open_embedded(video, path, n_channels, about):
    dataset = about["dataset"]
    images = _HDF5Video(path, dataset, n_channels, about)
    name = path if video.source_video is None else video.source_video.filename
    files = name if isinstance(name, list) else None
    name = PureWindowsPath(name).name if files is None else PureWindowsPath(files[0]).parent.name
    name = f"{dataset.partition('/')[0]}, {name}"  # videos of one name are told apart
    places = {frame: place for place, frame in enumerate(images.frames)}
    return _Video(images, places, name, name, files)


def _find(name, path, video_dir):
    """Find a video that a file names, which may have been made on another machine.

    Of its folders as many as are there must be the same: cameras call their videos alike.
    """
    parts = PureWindowsPath(name).parts  # which knows both kinds of slashes
    base = parts[-1]
    folders = [path.parent] if video_dir is None else [path.parent, Path(video_dir)]
    tails = [Path(*parts[start:]) for start in range(1, len(parts))] or [Path(base)]
    places = [Path(name), path.parent / name]
    places += [folder / tail for tail in tails for folder in folders]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(
        f"{path} is of the video {name}, which is not there, nor is {base} beside the file"
        f"{f' or in {video_dir}' if video_dir is not None else ''}. video_dir=... says where it is."
    )


class _HDF5Video(LazyArray):
    """Images in an HDF5 file: those that a ``.pkg.slp`` file has in it, or a whole video.

    Parameters
    ----------
    path : path-like
        The file.
    dataset : str
        Where in the file.
    n_channels : {1, 3} or None
        The channels to read.
    about : dict
        What the labels say of it: whether it is grey ("grayscale", or by its "shape"), the order of
        the axes ("input_format"), and whether pixels that are all 0 to 1 are shares of white
        ("convert_range").
    """

    def __init__(self, path, dataset, n_channels, about):
        self.path, self._dataset = str(path), dataset
        self._axes = about.get("input_format") or "channels_last"
        # sleap-io would guess it from the first image, which may be black.
        self._is_grey = about.get("grayscale")
        if self._is_grey is None and about.get("shape"):
            self._is_grey = about["shape"][-1] == 1
        self._may_be_shares = bool(about.get("convert_range"))
        with reading(path, "images of SLEAP"):
            video = self._open()
            numbers = list(video.backend.frame_map) or range(len(video))
            self.frames = [int(frame) for frame in numbers]  # of the video it was
            first = np.asarray(video[self.frames[0]])
        super().__init__(len(self.frames), (*first.shape[:2], n_channels or first.shape[2]))

    def _open(self):
        return import_sleap_io().load_video(
            self.path,
            dataset=self._dataset,
            input_format=self._axes,
            grayscale=self._is_grey,
        )

    def _read(self, positions):
        with reading(self.path, "images of SLEAP"):
            video = self._open()
            frames = [self._as_uint8(np.asarray(video[self.frames[i]])) for i in positions]
            return np.stack([with_channels(frame, self._row_shape[2]) for frame in frames])

    def _as_uint8(self, pixels):
        if pixels.dtype == np.uint8:
            return pixels
        if self._may_be_shares and pixels.max() <= 1:
            pixels = np.rint(255 * pixels)
        if not (np.isin(pixels, np.arange(256))).all():
            raise ValueError("its pixels are no whole numbers from 0 to 255, nor from 0 to 1")
        return pixels.astype(np.uint8)


def _filled(images, shape):
    """Return images of another shape, filled up with black at the bottom and right."""
    return images if images.shape[1:] == shape else _Filled(images, shape)


class _Filled(LazyArray):
    """Images that are filled up with black at the bottom and right."""

    def __init__(self, source, shape):
        self._source = source
        super().__init__(len(source), shape)

    def _read(self, positions):
        images = np.zeros((len(positions), *self._row_shape), dtype=self.dtype)
        found = with_channels(np.asarray(self._source[positions]), self._row_shape[2])
        images[:, : found.shape[1], : found.shape[2]] = found
        return images
