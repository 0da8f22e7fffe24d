"""The datasets of DeepPoseKit's HDF5 file, as they lie in it."""

from typing import NamedTuple

import h5py
import numpy as np

from skpose.datasets._hdf5_images import open_hdf5
from skpose.skeleton import Skeleton

_BYTES_AT_ONCE = 2**25  # of images that are held in memory while they are copied
_CUT_AT = 10  # bytes to which DeepPoseKit cut names
_LABELS = ("annotations", "annotated", "skeleton")
_FOR_EACH_IMAGE = ("images", "annotations", "annotated", "confidence")


class StoredLabels(NamedTuple):
    """What an annotation set holds besides images, not interpreted."""

    path: object  # path-like
    coordinates: np.ndarray  # (n_samples, n_keypoints, 2)
    annotated: np.ndarray  # (n_samples, n_keypoints)
    table: np.ndarray  # (n_keypoints, 2): parent, partner; -1 for none
    names: list  # of bytes; None: the file has none
    confidence: np.ndarray  # (n_samples, n_keypoints), NaN: no model's; None: the file has none

    @property
    def known_confidence(self):
        """ndarray of shape (n_samples, n_keypoints): NaN where the file has none."""
        if self.confidence is None:
            return np.full(self.annotated.shape, np.nan, dtype=np.float32)
        return self.confidence

    @property
    def is_missing(self):
        """ndarray of shape (n_samples, n_keypoints), bool: where there are no coordinates."""
        nowhere = ~np.isfinite(self.coordinates).all(axis=2) | (self.coordinates == -1).all(axis=2)
        return nowhere | ((self.coordinates == 0).all(axis=2) & ~self.annotated)


def read_stored(path):
    """Read all but the images of an annotation set.

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
    with open_hdf5(path) as file:
        missing = [name for name in _LABELS if not isinstance(file.get(name), h5py.Dataset)]
        if missing:
            raise ValueError(
                f"{path} is not an annotation set: it has no dataset {' or '.join(missing)}, but "
                f"{', '.join(sorted(file)) or 'nothing'}."
            )
        coordinates, annotated, table = (file[name][...] for name in _LABELS)
        names = confidence = None
        if "skeleton_names" in file:
            names = np.asarray(file["skeleton_names"][...], dtype=bytes).tolist()
        if "confidence" in file:
            confidence = file["confidence"][...].astype(np.float32)
    _check_shapes(path, coordinates, annotated, table, names, confidence)
    return StoredLabels(
        path, coordinates.astype(float), annotated.astype(bool), table, names, confidence
    )


def _check_shapes(path, coordinates, annotated, table, names, confidence):
    n_keypoints = len(np.atleast_1d(table))
    n_samples = len(np.atleast_1d(coordinates))
    expected = {
        "skeleton": (table.shape, (n_keypoints, 2)),
        "annotations": (coordinates.shape, (n_samples, n_keypoints, 2)),
        "annotated": (annotated.shape, (n_samples, n_keypoints)),
        "skeleton_names": ((n_keypoints,) if names is None else np.shape(names), (n_keypoints,)),
    }
    if confidence is not None:
        expected["confidence"] = (confidence.shape, (n_samples, n_keypoints))
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
        for start in range(0, len(source), n_at_once):
            part = np.asarray(source[start : start + n_at_once])
            images[position : position + len(part)] = part
            position += len(part)


def create_labels(file, coordinates, annotated, confidence=None):
    """Write coordinates, which of them are annotated, and how sure a model was of the others.

    Parameters
    ----------
    file : h5py.File
        Where to.
    coordinates : ndarray of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels, -1 for none.
    annotated : ndarray of shape (n_samples, n_keypoints), bool
        Which of them are annotated.
    confidence : ndarray of shape (n_samples, n_keypoints) or None
        0..1; NaN: no model's. None, or nothing but NaN, writes none.
    """
    file.create_dataset("annotations", data=coordinates, dtype=np.float64)
    file.create_dataset("annotated", data=annotated, dtype=bool)
    if confidence is not None and not np.isnan(confidence).all():
        file.create_dataset("confidence", data=confidence, dtype=np.float32)


def create_skeleton(file, table, names):
    """Write a skeleton.

    Parameters
    ----------
    file : h5py.File
        Where to.
    table : ndarray of shape (n_keypoints, 2)
        Parent and partner of each bodypart, -1 for none.
    names : list of bytes or None
        Names of the bodyparts, UTF-8; None writes none.
    """
    file.create_dataset("skeleton", data=table, dtype=np.int32)
    if names is not None:
        kind = h5py.string_dtype("utf-8", max(map(len, names)))
        file.create_dataset("skeleton_names", data=np.array(names, dtype=kind))


def copy_others(source, file):
    """Copy all that has nothing to do with the number of images.

    Parameters
    ----------
    source : h5py.File
        Where from.
    file : h5py.File
        Where to: skeleton, names, datasets of other names and the attributes of the file.
    """
    for name in source:
        if name not in _FOR_EACH_IMAGE:
            source.copy(source[name], file, name)
    for name, value in source.attrs.items():
        file.attrs[name] = value
