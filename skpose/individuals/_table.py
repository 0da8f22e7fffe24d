"""Poses of several individuals as files that other programs read."""

from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skpose._files import replacing

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
    """
    check_individuals_path(path, overwrite=overwrite)
    n_keypoints = poses.keypoints.shape[2]
    names = poses.get("names") or [f"keypoint_{i}" for i in range(n_keypoints)]
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


def read_individuals(path):
    """Read the poses that `write_individuals` wrote, or DeepLabCut's CSV of several animals.

    Parameters
    ----------
    path : str or path-like
        ``.csv`` or ``.npz``.

    Returns
    -------
    Bunch
        ``keypoints`` of shape (n_frames, n_individuals, n_keypoints, 2), float32, NaN where there
        is none; ``confidence`` of shape (n_frames, n_individuals, n_keypoints); ``ids`` and
        ``names``, lists of str.

    Raises
    ------
    ValueError
        If it is another table, or a bodypart of an individual is missing from it.
    """
    path = Path(path)
    if path.suffix == ".npz":
        with np.load(path) as file:
            arrays = {key: file[key] for key in ("keypoints", "confidence", "ids", "names")}
        return Bunch(
            keypoints=arrays["keypoints"],
            confidence=arrays["confidence"],
            ids=arrays["ids"].tolist(),
            names=arrays["names"].tolist(),
        )
    if path.suffix != ".csv":
        raise ValueError(
            f"Poses are read from {' or '.join(_ENDINGS)}, not {path.suffix!r}: {path}"
        )
    return _from_table(path)


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


def _from_table(path):
    import pandas as pd

    table = pd.read_csv(path, header=[0, 1, 2, 3], index_col=0, dtype=None)
    if list(table.columns.names) != _LEVELS:
        raise ValueError(
            f"{path} is no table of poses of several animals: its first four rows must be "
            f"{', '.join(_LEVELS)}."
        )
    ids, names = (list(table.columns.unique(level)) for level in _LEVELS[1:3])
    scorer = table.columns[0][0]
    wanted = pd.MultiIndex.from_product([[scorer], ids, names, _COORDS])
    if missing := set(wanted) - set(table.columns):
        raise ValueError(f"{path} lacks {len(missing)} columns, such as {sorted(missing)[0]}.")
    values = table[wanted].to_numpy(dtype=np.float32)
    values = values.reshape(len(table), len(ids), len(names), 3)
    return Bunch(keypoints=values[..., :2], confidence=values[..., 2], ids=ids, names=names)
