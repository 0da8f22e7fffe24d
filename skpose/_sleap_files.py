"""SLEAP's files, opened through sleap-io."""

import json

from skpose._files import holds_hdf5
from skpose._hdf5 import check_sound, open_hdf5
from skpose.skeleton import Skeleton

__all__ = [
    "holds_training",
    "import_sleap_io",
    "is_analysis",
    "is_own",
    "load_nwb_labels",
    "load_sleap",
    "mark_as_own",
    "skeleton_of_sleap",
]

_OWN = "skpose"


def import_sleap_io():
    """Return the module `sleap_io`.

    Raises
    ------
    ImportError
        If it is not installed. The message says what to install.
    """
    try:
        import sleap_io
    except ImportError as error:
        raise ImportError(
            "SLEAP's files are read by sleap-io: pip install 'skpose[formats]'.", name="sleap_io"
        ) from error
    return sleap_io


def is_analysis(file):
    """Whether an open HDF5 file is what SLEAP exports for analysis, which is predictions."""
    return {"tracks", "node_names"} <= set(file)


def mark_as_own(labels, what):
    """Note in sleap-io's labels that skpose has written them, so that they may be replaced."""
    labels.provenance[_OWN] = what


def is_own(what):
    """Return a function that tells whether skpose has written a SLEAP file, and as what."""

    def says(file):
        about = json.loads(file["metadata"].attrs["json"])
        return about.get("provenance", {}).get(_OWN) == what

    return holds_hdf5(says)


def load_sleap(path):
    """Load a SLEAP file, once it is sound; its videos are not opened.

    Parameters
    ----------
    path : path-like
        The file, ``.slp`` or ``.pkg.slp``.

    Returns
    -------
    sleap_io.Labels
    """
    sleap_io = import_sleap_io()
    check_sound(path, what="a SLEAP file")
    with open_hdf5(path, what="a SLEAP file"):  # checks sizes, and that its data are its own
        pass
    return sleap_io.load_slp(str(path), open_videos=False)


def load_nwb_labels(path):
    """Load the labels in an NWB file, once it is sound; their videos are not opened.

    Parameters
    ----------
    path : path-like
        The file, with ndx-pose's ``PoseTraining``.

    Returns
    -------
    sleap_io.Labels
    """
    sleap_io = import_sleap_io()
    check_sound(path, what="an NWB file")
    with open_hdf5(path, what="an NWB file") as file:
        if not holds_training(file):
            raise ValueError(f"{path} has no container PoseTraining, so no labels.")
    return sleap_io.load_nwb(str(path))


def holds_training(file):
    """Whether an open NWB file has labels, as ndx-pose keeps them, and not only poses."""
    return "PoseTraining" in file.get("processing/behavior", ())


def skeleton_of_sleap(skeleton):
    """Return a skeleton of sleap-io's as one of skpose's.

    Left/right partners are guessed from the names if it has none. Of a bodypart with several
    parents the first is kept.
    """
    names = list(skeleton.node_names)
    parents = [None] * len(names)
    for parent, child in skeleton.edge_inds:
        if parents[child] is None:
            parents[child] = int(parent)
    if not skeleton.symmetries:
        guessed = Skeleton.from_names(names, guess_swaps=True)
        return Skeleton(names, parents, guessed.to_dict()["swap"])
    swaps = [None] * len(names)
    for one, other in skeleton.symmetry_inds:
        swaps[one], swaps[other] = int(other), int(one)
    return Skeleton(names, parents, swaps)
