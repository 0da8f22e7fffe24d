"""HDF5 files: whole ones, whose data lie in themselves, and files that survive a full disk."""

from contextlib import contextmanager, suppress
import errno
import math
import os
import subprocess
import sys

import h5py

from skpose._files import check_regular, check_room, is_beyond_compression

_PATIENCE = 10.0  # seconds in which a small file is read, on a machine that is busy too
_SLOW = 10e6  # bytes a second that a network's file system gives at least


@contextmanager
def open_hdf5(path, *, what="HDF5", is_known=False):
    """Open an HDF5 file for reading.

    Parameters
    ----------
    path : path-like
        The file.
    what : str, default="HDF5"
        What it is read as, for the message.
    is_known : bool, default=False
        Whether it was opened before. What it takes from other files, and sizes, are then not looked
        at, which takes longer than to read a few images.

    Yields
    ------
    h5py.File

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no HDF5 file, or not a whole one, takes data from other files, or declares data of
        a size that it cannot hold.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(errno.ENOENT, "There is no such file", os.fspath(path))
    check_regular(path)
    try:
        with h5py.File(path, "r") as file:
            if not is_known:
                _check_content(file, path)
            yield file
    except (OSError, RuntimeError, KeyError, UnicodeDecodeError) as error:
        if getattr(error, "errno", None) is not None:  # a folder, locked, not permitted, ...
            raise
        raise ValueError(
            f"{path} cannot be read as {what}: it is another kind of file, or damaged or cut short "
            f"({error})."
        ) from error


@contextmanager
def create_hdf5(path, n_bytes, *, mode="x"):
    """Open a new HDF5 file, or a copy of one, for writing.

    HDF5's library crashes the process if the disk is full when it closes a file. So there must be
    room before, and what there is of the file is dropped if it is used up meanwhile.

    Parameters
    ----------
    path : path-like
        The file, which is thrown away if writing fails.
    n_bytes : int
        How many bytes are written, about.
    mode : {"x", "r+"}, default="x"
        Whether it is new.

    Yields
    ------
    h5py.File

    Raises
    ------
    OSError
        If the disk is full.
    """
    check_room(path, n_bytes)
    file = h5py.File(path, mode)
    try:
        yield file
        file.flush()
    except BaseException:
        with suppress(OSError, RuntimeError):
            os.truncate(path, 0)  # makes room for what closing writes; Windows does not let us
        with suppress(OSError, RuntimeError):
            file.close()
        raise
    file.close()


def check_sound(path, *, what):
    """Raise ValueError if reading a whole HDF5 file crashes a process, for which one is started.

    HDF5's own library crashes on some damaged files, spoils the memory, or never ends. This takes a
    quarter of a second, which files of other programs are worth that are read once.
    """
    command = [sys.executable, "-I", "-c", _READ_ALL, os.fspath(path)]
    seconds = _PATIENCE + os.path.getsize(path) / _SLOW
    try:
        run = subprocess.run(command, capture_output=True, check=False, timeout=seconds)
        is_sound = run.returncode == 0
    except subprocess.TimeoutExpired:
        is_sound = False
    if not is_sound:
        raise ValueError(f"{path} cannot be read as {what}: it is damaged, or no HDF5 file.")


_READ_ALL = """
import gc, sys
import h5py

def read(name, item):
    if isinstance(item, h5py.Dataset) and item.nbytes < 2**26:  # others are images
        item[()]
    dict(item.attrs)

with h5py.File(sys.argv[1], "r") as file:
    dict(file.attrs)
    file.visititems(read)
gc.collect()
"""


def _check_content(file, path):
    n_bytes = os.path.getsize(path)

    def check(name, item):
        _check_own(name, item, path)
        _check_size(name, item, path, n_bytes)

    check("", file)
    file.visititems(check)


def _check_own(name, item, path):
    """Refuse data of other files: from strangers, they would read any file of this machine."""
    if isinstance(item, h5py.Group):
        links = ((f"{name}/{key}", item.get(key, getlink=True)) for key in item)
        foreign = [key for key, link in links if isinstance(link, h5py.ExternalLink)]
    else:
        is_foreign = isinstance(item, h5py.Dataset) and (item.is_virtual or item.external)
        foreign = [name] if is_foreign else []
    if foreign:
        raise ValueError(
            f"{path} is not read: its {foreign[0].lstrip('/')} lies in another file. Copy it "
            "into one file, with h5repack say."
        )


def _check_size(name, item, path, n_bytes):
    """Refuse what would fill the memory by a size that a damaged, or a forged, file declares."""
    if not isinstance(item, h5py.Dataset) or item.shape is None:
        return
    stored = item.id.get_storage_size()
    declared = item.dtype.itemsize * math.prod(item.shape)
    if stored > n_bytes or is_beyond_compression(declared, stored):
        raise ValueError(
            f"{path} is damaged: its {name} has the shape {item.shape}, which is more than the "
            f"file's {n_bytes} bytes can hold."
        )
