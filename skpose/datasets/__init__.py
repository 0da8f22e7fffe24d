"""Images and keypoints: made, or read from files and written to them."""

from skpose.datasets._annotation_changes import (
    append_images,
    fold_annotations,
    merge_annotations,
    update_annotations,
    write_annotations,
    write_guesses,
)
from skpose.datasets._annotation_editor import AnnotationEditor
from skpose.datasets._annotation_set import read_annotations, read_sources
from skpose.datasets._coco import read_coco
from skpose.datasets._deeplabcut import read_deeplabcut
from skpose.datasets._hdf5_images import HDF5Images
from skpose.datasets._image_files import ImageFiles
from skpose.datasets._make_poses import make_poses
from skpose.datasets._read_labels import read_labels

__all__ = [
    "AnnotationEditor",
    "HDF5Images",
    "ImageFiles",
    "append_images",
    "fold_annotations",
    "make_poses",
    "merge_annotations",
    "read_annotations",
    "read_coco",
    "read_deeplabcut",
    "read_labels",
    "read_sources",
    "update_annotations",
    "write_annotations",
    "write_guesses",
]
