"""Images and keypoints: made, or read from files and written to them.

Names are loaded when they are first used, since some need scikit-learn, which takes seconds.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

_HOMES = {
    "AnnotationEditor": "_annotation_editor",
    "HDF5Images": "_hdf5_images",
    "ImageFiles": "_image_files",
    "append_images": "_annotation_changes",
    "change_skeleton": "_annotation_edits",
    "check_labels_path": "_write_labels",
    "fetch_deepposekit": "_fetch",
    "find_format": "_read_labels",
    "find_suspects": "_suspects",
    "fold_annotations": "_annotation_changes",
    "make_poses": "_make_poses",
    "match_images": "_same_images",
    "merge_annotations": "_annotation_changes",
    "read_annotations": "_annotation_set",
    "read_coco": "_coco",
    "read_deeplabcut": "_deeplabcut",
    "read_label_studio": "_label_studio",
    "read_labels": "_read_labels",
    "read_lightning_pose": "_lightning_pose",
    "read_netcdf_labels": "_netcdf_labels",
    "read_nwb_labels": "_nwb_labels",
    "read_sleap_labels": "_sleap",
    "read_sources": "_annotation_set",
    "read_yolo": "_yolo",
    "remove_images": "_annotation_edits",
    "rename_bodyparts": "_annotation_edits",
    "split_annotations": "_annotation_edits",
    "take_images": "_annotation_edits",
    "update_annotations": "_annotation_changes",
    "write_annotations": "_annotation_changes",
    "write_guesses": "_annotation_changes",
    "write_labels": "_write_labels",
}

__all__ = sorted(_HOMES)

if TYPE_CHECKING:
    from skpose.datasets._annotation_changes import (
        append_images as append_images,
        fold_annotations as fold_annotations,
        merge_annotations as merge_annotations,
        update_annotations as update_annotations,
        write_annotations as write_annotations,
        write_guesses as write_guesses,
    )
    from skpose.datasets._annotation_editor import AnnotationEditor as AnnotationEditor
    from skpose.datasets._annotation_edits import (
        change_skeleton as change_skeleton,
        remove_images as remove_images,
        rename_bodyparts as rename_bodyparts,
        split_annotations as split_annotations,
        take_images as take_images,
    )
    from skpose.datasets._annotation_set import (
        read_annotations as read_annotations,
        read_sources as read_sources,
    )
    from skpose.datasets._coco import read_coco as read_coco
    from skpose.datasets._deeplabcut import read_deeplabcut as read_deeplabcut
    from skpose.datasets._fetch import fetch_deepposekit as fetch_deepposekit
    from skpose.datasets._hdf5_images import HDF5Images as HDF5Images
    from skpose.datasets._image_files import ImageFiles as ImageFiles
    from skpose.datasets._label_studio import read_label_studio as read_label_studio
    from skpose.datasets._lightning_pose import read_lightning_pose as read_lightning_pose
    from skpose.datasets._make_poses import make_poses as make_poses
    from skpose.datasets._netcdf_labels import read_netcdf_labels as read_netcdf_labels
    from skpose.datasets._nwb_labels import read_nwb_labels as read_nwb_labels
    from skpose.datasets._read_labels import (
        find_format as find_format,
        read_labels as read_labels,
    )
    from skpose.datasets._same_images import match_images as match_images
    from skpose.datasets._sleap import read_sleap_labels as read_sleap_labels
    from skpose.datasets._suspects import find_suspects as find_suspects
    from skpose.datasets._write_labels import (
        check_labels_path as check_labels_path,
        write_labels as write_labels,
    )
    from skpose.datasets._yolo import read_yolo as read_yolo
else:

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module 'skpose.datasets' has no attribute {name!r}")
        return getattr(_import_module(f"skpose.datasets.{_HOMES[name]}"), name)


def __dir__():
    return __all__
