"""Poses of several individuals as files that other programs read."""

from pathlib import Path

import numpy as np

from skpose._files import replacing
from skpose.skeleton import number_names

_SCORER = "skpose"
_ENDINGS = (".csv", ".npz")
_LEVELS = ["scorer", "individuals", "bodyparts", "coords"]
_COORDS = ["x", "y", "likelihood"]


def write_individuals(path, poses, *, overwrite=False):
    """Write the poses of several individuals to a file.

    Parameters
    ----------
    path : str or path-like
        ``.csv``: a table with the four rows of column names of DeepLabCut's projects with several
        animals (scorer, individuals, bodyparts, coords: x, y, likelihood), and a row for each
        frame. ``.npz``: the arrays ``keypoints``, ``confidence``, ``ids`` and ``names``.
    poses : Bunch
        What `predict_individuals` gives: ``keypoints`` of shape (n_frames, n_individuals,
        n_keypoints, 2), ``confidence``, ``ids`` and ``names`` (None: keypoint_0, ...).
    overwrite : bool, default=False
        Whether the file may exist.

    See Also
    --------
    skpose.video.read_predictions : Reads it.
    """
    check_individuals_path(path, overwrite=overwrite)
    names = poses.get("names") or number_names(poses.keypoints.shape[2])
    with replacing(path, overwrite=overwrite) as temporary:
        if Path(path).suffix == ".csv":
            _table(poses, list(names)).to_csv(temporary)
            return
        with temporary.open("wb") as file:
            np.savez_compressed(
                file,
                keypoints=poses.keypoints,
                confidence=poses.confidence,
                ids=np.array([str(name) for name in poses.ids]),
                names=np.array(list(names)),
            )


def check_individuals_path(path, *, overwrite=False):
    """Check that poses can be written to `path`, before any work starts."""
    path = Path(path)
    if path.suffix not in _ENDINGS:
        raise ValueError(
            f"Poses of individuals are written as {' or '.join(_ENDINGS)}, but {path} ends in "
            f"{path.suffix!r}."
        )
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists already. Use overwrite to replace it.")


def _table(poses, names):
    import pandas as pd

    levels = [[_SCORER], [str(name) for name in poses.ids], names, _COORDS]
    columns = pd.MultiIndex.from_product(levels, names=_LEVELS)
    values = np.concatenate([poses.keypoints, poses.confidence[..., None]], axis=3)
    return pd.DataFrame(values.reshape(len(values), -1), columns=columns)
