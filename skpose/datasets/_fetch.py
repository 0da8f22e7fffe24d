"""The sets of the DeepPoseKit paper: downloaded when they are asked for, and kept."""

from hashlib import sha1
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skpose._files import replacing
from skpose._types import PathLike, Rows
from skpose.datasets._annotation_set import read_annotations
from skpose.skeleton import Skeleton

__all__ = ["fetch_deepposekit"]

_HOME = "https://raw.githubusercontent.com/jgraving/DeepPoseKit-Data/master/datasets"
_LABELS, _SKELETON = "annotation_data_release.h5", "skeleton.csv"
# What Git calls the content of each file, or how that begins: the same from whatever server.
_IDS = {
    "fly": {_LABELS: "adc1d1b1904e", _SKELETON: "9d1373a905c46e8f71b8bacb3006c676a50cb2f0"},
    "locust": {_LABELS: "b08851c583c6", _SKELETON: "34df5a73d1f731be395e916e25fb286e8b597c07"},
    "zebra": {_LABELS: "ac942482201b", _SKELETON: "3619748a865546d83982a2f2487fbdaeef2849d5"},
}
_ABOUT = {
    "fly": "Fruit flies, cut out and turned the same way, labelled with 32 bodyparts. The images "
    "are those of Pereira, T. D. et al. Fast animal pose estimation using deep neural networks. "
    "Nature Methods 16, 117-125 (2019).",
    "locust": "Desert locusts in a laboratory, seen from above and cut out, labelled with 35 "
    "bodyparts.",
    "zebra": "Grevy's zebras in the wild, filmed from a drone and cut out, labelled with 9 "
    "bodyparts.",
}
_SOURCE = """

From the repository jgraving/DeepPoseKit-Data, under the Apache License 2.0. Please cite:

Graving, J. M. et al. DeepPoseKit, a software toolkit for fast and robust animal pose estimation
using deep learning. eLife 8, e47994 (2019).
"""


@overload
def fetch_deepposekit(
    name: Literal["fly", "locust", "zebra"],
    *,
    data_home: PathLike | None = None,
    mirror: str | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[False] = False,
) -> Bunch: ...


@overload
def fetch_deepposekit(
    name: Literal["fly", "locust", "zebra"],
    *,
    data_home: PathLike | None = None,
    mirror: str | None = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
) -> tuple[Rows, NDArray[np.float64]]: ...


def fetch_deepposekit(
    name: Literal["fly", "locust", "zebra"],
    *,
    data_home: PathLike | None = None,
    mirror: str | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[Rows, NDArray[np.float64]]:
    """Load a set of the DeepPoseKit paper; it is downloaded when it is first asked for.

    Parameters
    ----------
    name : {"fly", "locust", "zebra"}
        Fruit flies with 32 bodyparts, locusts with 35, or zebras, filmed from a drone, with 9.
    data_home : path-like, default=None
        The folder to keep the sets in, one folder for each. None: "skpose" among the user's
        caches, where the system has them.
    mirror : str, default=None
        Where else to download from: an address below which the sets are as in the folder
        "datasets" of the original repository. None: from there, on GitHub.
    download_if_missing : bool, default=True
        False: a set that is not there is an error.
    return_X_y : bool, default=False
        Give ``(images, keypoints)`` in place of a Bunch.

    Returns
    -------
    Bunch
        What `read_annotations` gives, whose images stay on disk, and

        DESCR : str
            What it is, its licence, and what to cite.

    Raises
    ------
    FileNotFoundError
        If it is not there and `download_if_missing` is False.
    ImportError
        If pooch is needed, to download or to find the caches, and is not installed.
    OSError
        If it cannot be downloaded; the message says how to put the file there by hand.
    ValueError
        If there is no such set, or a file is not what it should be: what Git calls its content is
        compared each time.

    See Also
    --------
    make_poses : Draw images, for which nothing is downloaded.

    References
    ----------
    Graving, J. M. et al. DeepPoseKit, a software toolkit for fast and robust animal pose estimation
    using deep learning. eLife 8, e47994 (2019). Data: https://github.com/jgraving/DeepPoseKit-Data

    Examples
    --------
    >>> from skpose.datasets import fetch_deepposekit
    >>> fetch_deepposekit("fly", data_home="sets", download_if_missing=False)
    Traceback (most recent call last):
    ...
    FileNotFoundError: ...annotation_data_release.h5 is not there. Download https://raw.githubusercontent.com/...
    """
    if name not in _IDS:
        raise ValueError(f"name must be one of {', '.join(_IDS)}, but was {name!r}.")
    folder = Path(data_home or _import_pooch().os_cache("skpose"), name)
    mirror = (mirror or _HOME).rstrip("/")
    for file, git_id in _IDS[name].items():
        _provide(folder / file, f"{mirror}/{name}/{file}", git_id, download_if_missing)
    data = read_annotations(folder / _LABELS, skeleton=Skeleton.from_csv(folder / _SKELETON))
    if return_X_y:
        return data.images, data.keypoints
    return Bunch(**data, DESCR=_ABOUT[name] + _SOURCE)


def _import_pooch():
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            "Downloads need pooch: pip install 'skpose[fetch]'. A set that is there already is "
            "found without it where data_home is given."
        ) from error
    return pooch


def _provide(path, url, git_id, download_if_missing):
    """See that a file is there, and is what it should be."""
    if path.exists():
        if not _is_called(path, git_id):
            raise ValueError(f"{path} is not what {url} was. Remove it, to download it anew.")
        return
    by_hand = f"Download {url} and put it there by hand, or give a mirror."
    if not download_if_missing:
        raise FileNotFoundError(f"{path} is not there. {by_hand}")
    download = _import_pooch().downloaders.choose_downloader(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, overwrite=True) as temporary:
        try:
            download(url, str(temporary), None)
        except (OSError, ValueError) as error:
            raise OSError(f"{path} could not be downloaded: {error}. {by_hand}") from error
        if not _is_called(temporary, git_id):
            raise OSError(f"{url} sent something else than it should, which is not kept. {by_hand}")


def _is_called(path, git_id):
    """Tell whether Git's id of a file begins so."""
    digest = sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest().startswith(git_id)
