"""SLEAP's files, opened through sleap-io."""

from skpose._hdf5 import check_sound, open_hdf5
from skpose.skeleton import Skeleton

__all__ = ["import_sleap_io", "load_sleap", "skeleton_of_sleap"]


def import_sleap_io():
    """Give the module `sleap_io`.

    Raises
    ------
    ImportError
        If it is not installed. The message says what to install.
    """
    try:
        import sleap_io
    except ImportError as error:
        raise ImportError(
            "SLEAP's files are read by sleap-io: pip install 'skpose[sleap]'.", name="sleap_io"
        ) from error
    return sleap_io


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
