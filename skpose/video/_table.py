"""Tables of poses as files that other programs read."""

from pathlib import Path
import zipfile

import numpy as np

from skpose._files import replacing

__all__ = ["ENDINGS", "check_table_path", "write_table"]

ENDINGS = (".csv", ".h5", ".npz")

_SCORER = "skpose"
_COORDS = ("x", "y", "likelihood")
_BLOCK = 4096  # frames that are converted at a time


def check_table_path(path, *, overwrite=False):
    """Check that poses can be written to a file, before any work starts.

    Parameters
    ----------
    path : str or path-like
        The file; its ending chooses the format.
    overwrite : bool, default=False
        Whether it may exist.

    Returns
    -------
    pathlib.Path
        The file.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise ValueError(
            f"Poses are written as {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}, but {path} ends in "
            f"{path.suffix!r}."
        )
    if not path.resolve().parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: its folder does not exist.")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists already. Give another name, or overwrite=True (--overwrite) to "
            "replace it."
        )
    return path


def write_table(path, poses, *, names, frames=None, overwrite=False):
    """Write poses to a file, a part at a time.

    Parameters
    ----------
    path : str or path-like
        ``.csv`` or ``.h5``: a table with DeepLabCut's columns (scorer, bodyparts, coords: x, y,
        likelihood), which most programs for poses read; HDF5 in the layout of
        ``pandas.DataFrame.to_hdf``. ``.npz``: the arrays ``keypoints``, ``confidence``, ``names``
        and ``frames``.
    poses : array-like of shape (n_samples, n_keypoints, 3)
        (x, y, confidence); anything that can be sliced.
    names : sequence of str
        Names of the bodyparts.
    frames : sequence, default=None
        What each sample is: the number of its frame, or its file. None: numbers from 0.
    overwrite : bool, default=False
        Whether the file may exist.
    """
    path = check_table_path(path, overwrite=overwrite)
    frames = np.asarray(np.arange(len(poses)) if frames is None else frames)
    write = {".csv": _write_csv, ".h5": _write_hdf5, ".npz": _write_npz}[path.suffix]
    with replacing(path, overwrite=overwrite) as temporary:
        write(temporary, poses, list(names), frames)


def _blocks(poses):
    for start in range(0, len(poses), _BLOCK):
        yield slice(start, start + _BLOCK), np.asarray(poses[start : start + _BLOCK])


def _write_csv(path, poses, names, frames):
    import pandas as pd

    columns = pd.MultiIndex.from_product(
        [[_SCORER], names, _COORDS], names=["scorer", "bodyparts", "coords"]
    )
    with path.open("w", newline="", encoding="utf-8") as file:
        pd.DataFrame(columns=columns).to_csv(file)
        for part, block in _blocks(poses):
            rows = pd.DataFrame(block.reshape(len(block), -1), index=frames[part])
            rows.to_csv(file, header=False)


def _write_npz(path, poses, names, frames):
    n_keypoints = len(names)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part, shape in (
            ("keypoints", slice(0, 2), (len(poses), n_keypoints, 2)),
            ("confidence", 2, (len(poses), n_keypoints)),
        ):
            dtype = np.dtype(poses.dtype)
            head = {"descr": dtype.str, "fortran_order": False, "shape": shape}
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array_header_2_0(file, head)
                for _, block in _blocks(poses):
                    file.write(np.ascontiguousarray(block[..., part]).tobytes())
        for name, array in (("names", np.array(names)), ("frames", frames)):
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _write_hdf5(path, poses, names, frames):
    """Write what ``DataFrame.to_hdf(..., format="fixed")`` writes, without needing PyTables."""
    import h5py

    with h5py.File(path, "w") as file:
        _set(file, CLASS="GROUP", PYTABLES_FORMAT_VERSION="2.1", TITLE="", VERSION="1.0")
        group = file.create_group("df_with_missing")  # the name that DeepLabCut gives
        _set(group, CLASS="GROUP", TITLE="", VERSION="1.0", pandas_type="frame")
        _set(group, encoding="UTF-8", errors="strict", ndim=2, nblocks=1)
        for axis in ("axis0", "block0_items"):
            _set(group, **{f"{axis}_variety": "multi", f"{axis}_nlevels": 3})
            _write_columns(group, axis, names)
        _set(group, axis1_variety="regular")
        is_text = frames.dtype.kind not in "iu"
        index = np.char.encode(frames.astype(str), "utf-8") if is_text else frames.astype(np.int64)
        kind = "string" if is_text else "integer"
        _set(_array(group, "axis1", index), kind=kind, **({"nan_rep": ""} if is_text else {}))
        shape = (len(poses), 3 * len(names))
        values = _array(group, "block0_values", None, shape=shape, dtype=poses.dtype)
        for part, block in _blocks(poses):
            values[part] = block.reshape(len(block), -1)


def _write_columns(group, axis, names):
    """Write the three rows of column names: for each, its values, and which one each column has."""
    codes = np.indices((1, len(names), len(_COORDS))).reshape(3, -1)
    levels = zip(
        ("scorer", "bodyparts", "coords"), ((_SCORER,), names, _COORDS), codes, strict=True
    )
    for i, (level, values, code) in enumerate(levels):
        values = _array(group, f"{axis}_level{i}", np.char.encode(list(values), "utf-8"))
        _set(values, kind="string", name=level, nan_rep="", **{f"{axis}_name{level}": level})
        _array(group, f"{axis}_label{i}", code.astype(np.int64))


def _array(group, name, data, **options):
    dataset = group.create_dataset(name, data=data, **options)
    _set(dataset, CLASS="ARRAY", FLAVOR="numpy", TITLE="", VERSION="2.4")
    dataset.attrs["transposed"] = np.uint8(1)
    return dataset


def _set(node, **attributes):
    """Give attributes as PyTables does: numbers of 8 bytes, texts of fixed length in UTF-8."""
    import h5py

    for name, value in attributes.items():
        if isinstance(value, str):
            encoded = value.encode("utf-8")
            dtype = h5py.string_dtype("utf-8", max(len(encoded), 1))
            value = np.array(encoded, dtype=dtype) if encoded else h5py.Empty(dtype)
        else:
            value = np.int64(value)
        node.attrs[name] = value
