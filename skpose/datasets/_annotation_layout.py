"""The datasets of DeepPoseKit's HDF5 file, as they lie in it."""

import json
from typing import NamedTuple
import warnings
from zlib import crc32

import h5py
import numpy as np

from skpose._batching import batch_slices
from skpose._files import reading
from skpose._hdf5 import open_hdf5
from skpose.datasets import _annotation_journal as journals
from skpose.skeleton import Skeleton

_BYTES_AT_ONCE = 2**22  # of images that are held in memory while they are copied
_CUT_AT = 10  # bytes to which DeepPoseKit cut names
_LABELS = ("annotations", "annotated", "skeleton")
_FOR_EACH_KEYPOINT = ("annotated", "confidence", "occluded")
_FOR_EACH_IMAGE = ("images", "annotations", *_FOR_EACH_KEYPOINT, "annotator", "frame_source")
_REPLACED = (*_FOR_EACH_IMAGE, "annotator_names", "source_videos")
_FOR_EACH_BODYPART = ("skeleton", "skeleton_names")


class StoredLabels(NamedTuple):
    """What an annotation set holds besides images, not interpreted."""

    path: object  # path-like
    coordinates: np.ndarray  # (n_samples, n_keypoints, 2)
    annotated: np.ndarray  # (n_samples, n_keypoints)
    table: np.ndarray  # (n_keypoints, 2): parent, partner; -1 for none
    names: list  # of bytes; None: the file has none
    confidence: np.ndarray  # (n_samples, n_keypoints), NaN: no model's
    occluded: np.ndarray  # (n_samples, n_keypoints): a person placed it, but could not see it
    annotators: np.ndarray  # (n_samples, n_keypoints), object: name of that person, "": not known
    videos: np.ndarray  # (n_samples,), str: what the image's video is known by, "": not known
    frame_numbers: np.ndarray  # (n_samples,): which frame of it, -1: not known
    seen: dict  # of video: list of the frames that were taken, which may say more than the above
    mark: journals.Mark  # which set it is, with the last edit; None: its program knows no journals
    journal: journals.Journal  # what was in the journal, which is in the above

    @property
    def is_missing(self):
        """ndarray of shape (n_samples, n_keypoints), bool: where there are no coordinates."""
        nowhere = ~np.isfinite(self.coordinates).all(axis=2) | (self.coordinates == -1).all(axis=2)
        return nowhere | ((self.coordinates == 0).all(axis=2) & ~self.annotated)


def read_stored(path):
    """Read all but the images of an annotation set, with the edits in its journal.

    Parameters
    ----------
    path : path-like
        The HDF5 file.

    Returns
    -------
    StoredLabels

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole HDF5 file, or a dataset is missing or does not fit the others.
    """
    edits = journals.read_lines(path)
    with reading(path, "an annotation set"), open_hdf5(path) as file:
        check_is_set(file, path)
        mark = read_mark(file)
        coordinates, annotated, table = (file[name][...] for name in _LABELS)
        names = None
        if "skeleton_names" in file:
            names = np.asarray(file["skeleton_names"][...], dtype=bytes).tolist()
        extra = ("confidence", "occluded", "annotator")
        optional = {name: file[name][...] for name in extra if name in file}
        people = _read_names(file, "annotator_names")
        source, videos = _read_source(file)
        seen = json.loads(file["sources"].asstr()[()]) if "sources" in file else {}
    if source is not None and not (source.ndim == 2 and _are_numbers_of(source[:, 0], videos)):
        raise ValueError(f"{path} is damaged: its frame_source names videos that it does not have.")
    if source is not None:
        optional["frame_source"] = source
    annotator = optional.get("annotator", np.full(annotated.shape, -1))
    if not _are_numbers_of(annotator, people):
        raise ValueError(f"{path} is damaged: its annotator numbers people that it does not name.")
    _check_shapes(path, coordinates, annotated, table, names, optional)
    if source is None:
        source, videos = _source_from_seen(seen, len(coordinates))
    index, numbers = source.T
    coordinates, annotated = coordinates.astype(float), annotated.astype(bool)
    unknown = np.full(annotated.shape, np.nan)
    journal = journals.parse_journal(edits, mark, path)
    stored = StoredLabels(
        path,
        coordinates,
        annotated,
        table,
        names,
        optional.get("confidence", unknown).astype(np.float32),
        optional.get("occluded", np.zeros(annotated.shape)).astype(bool),
        np.array([*people, ""], dtype=object)[np.maximum(annotator, -1)],
        np.array([*videos, ""])[np.maximum(index, -1)],
        np.where(index < 0, -1, numbers),
        seen,
        mark and mark._replace(seq=journal.seq),
        journal,
    )
    if journal.edits and journal.begun_on not in (None, _checksum(coordinates, annotated)):
        warnings.warn(
            f"Labels in {path} were changed by another program while others were in its journal. "
            "Where both changed a keypoint, that in the journal is used. Use fold_annotations "
            "before other programs open the set.",
            UserWarning,
            stacklevel=3,
        )
    journals.apply_edits(journal, stored, path)
    return stored


def read_checksum(file):
    """Return a checksum of the labels in an open annotation set, to tell whether they change."""
    return _checksum(file["annotations"][...].astype(float), file["annotated"][...].astype(bool))


def checksum_of(stored):
    """Return the same of what `read_stored` returned."""
    return _checksum(stored.coordinates, stored.annotated)


def _checksum(coordinates, annotated):
    return crc32(annotated.tobytes(), crc32(coordinates.tobytes()))


def check_is_set(file, path):
    """Raise ValueError if an open HDF5 file is not an annotation set."""
    missing = [name for name in _LABELS if not isinstance(file.get(name), h5py.Dataset)]
    if missing:
        raise ValueError(
            f"{path} is not an annotation set: it has no dataset {' or '.join(missing)}, but "
            f"{', '.join(sorted(file)) or 'nothing'}."
        )


def read_mark(file):
    """Return which set an open HDF5 file is, None if it is of a program without journals."""
    return journals.Mark.parse(np.bytes_(file.attrs.get("journal", b"")).decode())


def _read_source(file):
    """Return the number of each image's video and of its frame, and what the videos are called."""
    if "frame_source" not in file or "source_videos" not in file:
        return None, []
    return file["frame_source"][...], _read_names(file, "source_videos")


def _read_names(file, dataset):
    return [str(name) for name in file[dataset].asstr()[...]] if dataset in file else []


def _are_numbers_of(numbers, names):
    """Whether all are positions in a list of names, or negative for none."""
    return numbers.dtype.kind in "iu" and (numbers < len(names)).all()


def _source_from_seen(seen, n_samples):
    """Fill in where frames come from, for sets that only tell which frames were taken of a video.

    With several videos, which image is which cannot be told any more.
    """
    source = np.full((n_samples, 2), -1)
    if len(seen) == 1:
        ((_, numbers),) = seen.items()
        if len(numbers) == n_samples:
            source = np.stack([np.zeros(n_samples, dtype=int), np.asarray(numbers)], axis=1)
    return source, list(seen)


def _check_shapes(path, coordinates, annotated, table, names, optional):
    n_keypoints = len(np.atleast_1d(table))
    n_samples = len(np.atleast_1d(coordinates))
    expected = {
        "skeleton": (table.shape, (n_keypoints, 2)),
        "annotations": (coordinates.shape, (n_samples, n_keypoints, 2)),
        "annotated": (annotated.shape, (n_samples, n_keypoints)),
        "skeleton_names": ((n_keypoints,) if names is None else np.shape(names), (n_keypoints,)),
    }
    for name, values in optional.items():
        needed = (n_samples, 2 if name == "frame_source" else n_keypoints)
        expected[name] = (values.shape, needed)
    for name, (shape, needed) in expected.items():
        if shape != needed:
            raise ValueError(
                f"{path} is not an annotation set: its dataset {name!r} has shape {shape}, but "
                f"{needed} is needed for {n_keypoints} bodyparts and {n_samples} images."
            )


def read_skeleton(stored):
    """Build the skeleton that is in the file.

    Parameters
    ----------
    stored : StoredLabels
        What the file holds; it must have names.

    Returns
    -------
    Skeleton
    """
    names = [name.decode(errors="replace") for name in stored.names]
    parents, swaps = stored.table.T
    try:
        return Skeleton.from_dict({"name": names, "parent": parents, "swap": swaps})
    except ValueError as error:
        cut = max(map(len, stored.names)) == _CUT_AT
        raise ValueError(
            f"The skeleton in {stored.path} cannot be used: {error}"
            f"{' DeepPoseKit cut names at 10 bytes.' if cut else ''} Give "
            "skeleton=Skeleton.from_csv(...), from the table that the set was made with."
        ) from error


def is_same_name(one, other):
    """Whether two names are the same, but that DeepPoseKit may have cut one of them.

    Parameters
    ----------
    one, other : bytes
        The names, UTF-8.

    Returns
    -------
    bool
    """
    short, long = sorted((one, other), key=len)
    return short == long or (len(short) == _CUT_AT and long.startswith(short))


def create_images(file, sources):
    """Write images, part by part.

    Parameters
    ----------
    file : h5py.File
        Where to.
    sources : list of array-like of shape (n_samples, height, width, n_channels)
        The images, one source after the other.
    """
    image_shape = tuple(sources[0].shape[1:])
    n_at_once = max(1, _BYTES_AT_ONCE // int(np.prod(image_shape)))
    # in one piece: reading single images from chunks takes several times as long
    n_samples = sum(len(source) for source in sources)
    images = file.create_dataset("images", (n_samples, *image_shape), dtype=np.uint8)
    position = 0
    for source in sources:
        for rows in batch_slices(len(source), n_at_once):
            part = np.asarray(source[rows])
            images[position : position + len(part)] = part
            position += len(part)


class Labels(NamedTuple):
    """What is written for each image besides its pixels."""

    coordinates: np.ndarray  # (n_samples, n_keypoints, 2), (x, y) in pixels, -1 for none
    annotated: np.ndarray  # (n_samples, n_keypoints), bool
    confidence: np.ndarray  # (n_samples, n_keypoints), 0..1; NaN: no model's
    occluded: np.ndarray  # (n_samples, n_keypoints), bool
    annotators: np.ndarray  # (n_samples, n_keypoints), str as objects; "": not known
    videos: np.ndarray  # (n_samples,), str; "": not known
    frame_numbers: np.ndarray  # (n_samples,), int; -1: not known

    @classmethod
    def of(cls, stored):
        """Take what `read_stored` read."""
        return cls(*(getattr(stored, name) for name in cls._fields))

    @classmethod
    def join(cls, parts):
        """Put the labels of several sets of images one after the other."""
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def with_more_keypoints(self, n):
        """Return labels with `n` keypoints more of each image, which are empty."""
        more = ((0, 0), (0, n))
        return self._replace(
            coordinates=np.pad(self.coordinates, (*more, (0, 0)), constant_values=-1.0),
            annotated=np.pad(self.annotated, more),
            confidence=np.pad(self.confidence, more, constant_values=np.nan),
            occluded=np.pad(self.occluded, more),
            annotators=np.pad(self.annotators, more, constant_values=""),
        )


def create_labels(file, labels, mark=None):
    """Write labels. What holds nothing but the usual is left out, as DeepPoseKit has none of it.

    Parameters
    ----------
    file : h5py.File
        Where to; datasets that are there are replaced.
    labels : Labels
        What to write.
    mark : Mark, default=None
        Which set it is, and the last edit of its journal that is among the labels. None: a new one.
    """
    # always of one length, so that HDF5 writes it where the old one was
    file.attrs.modify("journal", np.bytes_(str(mark or journals.Mark.new())))
    datasets = {"annotations": labels.coordinates, "annotated": labels.annotated}
    if not np.isnan(labels.confidence).all():
        datasets["confidence"] = labels.confidence.astype(np.float32)
    if labels.occluded.any():
        datasets["occluded"] = labels.occluded
    annotator, people = _numbered(labels.annotators)
    if people:
        datasets["annotator"] = annotator.astype(np.int16)
        datasets["annotator_names"] = np.array(people, dtype=h5py.string_dtype())
    for name in ("annotations", *_FOR_EACH_KEYPOINT, "annotator", "annotator_names"):
        _put(file, name, datasets.get(name))
    if (labels.videos != "").any() and "frame_source" not in file:
        _create_source(file, labels.videos, labels.frame_numbers)


def _put(file, name, values):
    """Write a dataset, or remove it; over the old one where that fits, as HDF5 leaves holes."""
    old = file.get(name)
    if old is not None and (
        values is None or (old.shape, old.dtype) != (values.shape, values.dtype)
    ):
        del file[name]
        old = None
    if old is not None:
        old[...] = values
    elif values is not None:
        file[name] = values


def _create_source(file, videos, frame_numbers):
    index, names = _numbered(videos)
    file["frame_source"] = np.stack([index, frame_numbers], axis=1).astype(np.int32)
    file["source_videos"] = np.array(names, dtype=h5py.string_dtype())


def _numbered(names):
    """Return an array of names as positions in a list of them, -1 for "", and the list."""
    values = names.ravel().tolist()
    known = [name for name in dict.fromkeys(values) if name]
    numbers = {name: i for i, name in enumerate(known)} | {"": -1}
    return np.array([numbers[name] for name in values], dtype=int).reshape(names.shape), known


def table_of(skeleton):
    """Return the parent and the partner of each bodypart, -1 for none, (n_keypoints, 2)."""
    swaps = skeleton.swap_index
    swaps = np.where(swaps == np.arange(len(swaps)), -1, swaps)
    return np.stack([skeleton.parents, swaps], axis=1)


def create_skeleton(file, table, names):
    """Write a skeleton.

    Parameters
    ----------
    file : h5py.File
        Where to; a skeleton that is there is replaced.
    table : ndarray of shape (n_keypoints, 2)
        Parent and partner of each bodypart, -1 for none.
    names : list of bytes or None
        Names of the bodyparts, UTF-8; None writes none.
    """
    _put(file, "skeleton", table.astype(np.int32))
    if names is not None:
        create_names(file, names)


def create_names(file, names):
    """Write the names of the bodyparts, bytes of UTF-8, in place of others."""
    if "skeleton_names" in file:
        del file["skeleton_names"]
    kind = h5py.string_dtype("utf-8", max(map(len, names)))
    file.create_dataset("skeleton_names", data=np.array(names, dtype=kind))


def copy_others(source, file, index=None):
    """Copy what is not written anew where images are added or taken.

    Parameters
    ----------
    source : h5py.File
        Where from.
    file : h5py.File
        Where to: skeleton, names, datasets of other names and the attributes of the file, but
        the one that says which set it is.
    index : ndarray of int of shape (n_taken,), default=None
        The images that are taken. Datasets of other names that have as many rows as there are
        images lose the rows of the rest. None: all is copied whole.
    """
    n_samples = len(source["images"])
    for name in source:
        if name in _REPLACED:
            continue
        dataset = source[name]
        n_rows = (getattr(dataset, "shape", None) or (-1,))[0]
        if index is None or name in _FOR_EACH_BODYPART or n_rows != n_samples:
            source.copy(dataset, file, name)
        else:
            taken = file.create_dataset(name, data=dataset[()][index], dtype=dataset.dtype)
            taken.attrs.update(dataset.attrs)
    for name, value in source.attrs.items():
        if name != "journal":
            file.attrs[name] = value
