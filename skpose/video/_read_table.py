"""Tables of poses, read back."""

from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skpose.skeleton import number_names

__all__ = ["read_predictions"]

_LEVELS = "scorer", "bodyparts", "coords"
_COORDS = "x", "y", "likelihood"


def read_predictions(path):
    """Read poses that `predict_video` or `individuals.write_individuals` wrote, or DeepLabCut.

    Parameters
    ----------
    path : str or path-like
        ``.csv`` or ``.h5``: a table with DeepLabCut's columns, of one animal or of several.
        ``.npz``: the arrays ``keypoints``, ``confidence`` and, where there are such, ``names``,
        ``frames`` and ``ids``.

    Returns
    -------
    Bunch
        - ``keypoints`` : ndarray of shape (n_samples, n_keypoints, 2), or (n_samples,
          n_individuals, n_keypoints, 2) from a table of several animals; (x, y) in pixels, NaN
          where there is none
        - ``confidence`` : ndarray of shape (n_samples, n_keypoints), or (n_samples,
          n_individuals, n_keypoints); NaN where the table does not tell it
        - ``names`` : list of the bodyparts' names
        - ``frames`` : ndarray of shape (n_samples,), the number or the file of each sample
        - ``ids`` : list of the individuals' names, or None from a table of one animal

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If an ``.h5`` file is in a layout that needs PyTables, and it is not installed.
    ValueError
        If the file is no table of poses.

    Notes
    -----
    The ``.h5`` files that skpose writes are read as plain numbers. Those of DeepLabCut contain
    pickled objects, which can run code when they are read: read only files that you trust.

    Examples
    --------
    >>> from skpose.video import read_predictions
    >>> poses = read_predictions("flies.csv")  # doctest: +SKIP
    >>> poses.keypoints.shape, poses.names  # doctest: +SKIP
    """
    path = Path(path)
    read = {".csv": _read_csv, ".h5": _read_hdf5, ".npz": _read_npz}.get(path.suffix)
    if read is None:
        raise ValueError(f"Poses are read from .csv, .h5 or .npz, but {path} ends otherwise.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    return read(path)


def _read_npz(path):
    with np.load(path) as file:
        if missing := {"keypoints", "confidence"} - set(file.files):
            raise ValueError(f"{path} has no poses: it lacks {' and '.join(sorted(missing))}.")
        arrays = {name: file[name] for name in file.files}
    keypoints = arrays["keypoints"]
    names = arrays.get("names", number_names(keypoints.shape[-2]))
    ids = arrays.get("ids")
    return Bunch(
        keypoints=keypoints,
        confidence=arrays["confidence"],
        names=[str(name) for name in names],
        frames=arrays.get("frames", np.arange(len(keypoints))),
        ids=None if ids is None else [str(name) for name in ids],
    )


def _read_csv(path):
    import pandas as pd

    with path.open(encoding="utf-8-sig") as file:
        levels = [file.readline().partition(",")[0].strip() for _ in range(4)]
    n_levels = levels.index("coords") + 1 if "coords" in levels else 0
    if n_levels not in (3, 4):
        raise _not_poses(path, levels)
    table = pd.read_csv(path, header=list(range(n_levels)), index_col=0)
    table.columns.names = levels[:n_levels]
    return _from_table(table, path)


def _read_hdf5(path):
    import h5py
    import pandas as pd

    with h5py.File(path) as file:
        groups = [group for group in file.values() if "block0_values" in group]
        if groups:
            return _from_table(_fixed_table(groups[0]), path)
    try:
        import tables  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{path} is in a layout that needs PyTables. Install it with "
            "`pip install 'skpose[dlc]'`, or read the .csv file that DeepLabCut writes too.",
            name="tables",
        ) from error
    return _from_table(pd.read_hdf(path), path)


def _fixed_table(group):
    """Give the table that pandas wrote with ``format="fixed"``, without its pickled parts."""
    import pandas as pd

    levels, codes, names = [], [], []
    for i in range(int(group.attrs["axis0_nlevels"])):
        level = group[f"axis0_level{i}"]
        levels.append([value.decode("utf-8") for value in level[()]])
        codes.append(group[f"axis0_label{i}"][()])
        name = level.attrs["name"]
        names.append(name.decode("utf-8") if isinstance(name, bytes) else str(name))
    index = group["axis1"][()]
    if index.dtype.kind == "S":
        index = np.char.decode(index, "utf-8")
    columns = pd.MultiIndex(levels=levels, codes=codes, names=names)
    return pd.DataFrame(group["block0_values"][()], index=index, columns=columns)


def _from_table(table, path):
    import pandas as pd

    levels = list(table.columns.names)
    if levels != list(_LEVELS) and levels != [_LEVELS[0], "individuals", *_LEVELS[1:]]:
        raise _not_poses(path, levels)
    places = [list(table.columns.unique(level)) for level in levels[1:-1]]
    columns = pd.MultiIndex.from_product([[table.columns[0][0]], *places, _COORDS])
    if not set(_COORDS[:2]) <= set(table.columns.unique("coords")):
        raise ValueError(f"{path} has no columns x and y for the bodyparts.")
    values = table.reindex(columns=columns).to_numpy(dtype=np.float32)
    values = values.reshape(len(table), *(len(names) for names in places), 3)
    return Bunch(
        keypoints=values[..., :2],
        confidence=values[..., 2],
        names=places[-1],
        frames=table.index.to_numpy(),
        ids=places[0] if len(places) == 2 else None,
    )


def _not_poses(path, levels):
    return ValueError(
        f"{path} is no table of poses: its rows of column names must be scorer, (individuals,) "
        f"bodyparts and coords, but are {', '.join(str(level) for level in levels)}."
    )
