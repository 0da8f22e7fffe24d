"""Files that are made or replaced: checked before any work, and written whole or not at all."""

from contextlib import contextmanager, suppress
import errno
import os
from pathlib import Path
import platform
import re
import shutil
import sys
import time
from uuid import uuid4
from zlib import crc32

try:
    import resource
except ImportError:  # Windows has no limits of this kind
    resource = None  # type: ignore[assignment]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what the system says of a full disk
_NO_ROOM = "so nothing is changed; make room and try again"
_SPARE = 2**14  # bytes that formats need beside the data
_SMALL = 2**26  # bytes that may be declared, whatever is stored of them
_MOST_COMPRESSED = 1100  # times, that the usual kinds of compression reach on zeros
_SHORT = 5.0  # seconds to wait for whoever reads a file that is to be replaced
_PATIENCE = 60.0  # seconds to wait for another process that changes the same file


def check_output(path, *, what, endings=(), overwrite=False, is_same=None):
    """Check that a file can be made, before any work starts.

    Parameters
    ----------
    path : str or path-like
        The file.
    what : str
        What is written, to begin the messages with: "Poses", say.
    endings : sequence of str, default=()
        The endings that its name may have. None given: any.
    overwrite : bool, default=False
        Whether it may exist.
    is_same : callable, default=None
        Takes the path of a file that exists, and returns whether it holds what is written. What
        holds something else is not replaced, whatever `overwrite` is. None: that is not looked at.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    FileExistsError
        If it exists, and `overwrite` is False.
    FileNotFoundError
        If its folder does not exist.
    IsADirectoryError
        If it is a folder.
    PermissionError
        If it is read-only, or no file but a device or a pipe.
    ValueError
        If its name ends otherwise, or it holds something else.
    """
    path = Path(path)
    if endings and path.suffix.lower() not in endings:
        *most, last = endings
        allowed = f"{', '.join(most)} or {last}" if most else last
        found = f"ends in {path.suffix!r}" if path.suffix else "has no ending"
        raise ValueError(f"{what} are written to files that end in {allowed}, but {path} {found}.")
    _check_place(path.resolve(), path)
    if not overwrite:
        _check_free(path.resolve())
    elif is_same is not None and path.exists() and path.stat().st_size and not is_same(path):
        raise ValueError(
            f"{path} is not replaced, since it holds something else than {what.lower()}. Choose "
            "another name, or delete it yourself."
        )
    return path


def begins_with(*starts):
    """Return a function that tells whether a file begins with one of these bytes."""

    def is_same(path):
        with path.open("rb") as file:
            return file.read(max(map(len, starts))).startswith(starts)

    return is_same


def holds_hdf5(has):
    """Return a function that tells whether a file is HDF5 of which `has`, a function, is true."""

    def is_same(path):
        import h5py

        try:
            with h5py.File(path, "r") as file:
                return bool(has(file))
        except (OSError, RuntimeError, KeyError, ValueError):
            return False

    return is_same


@contextmanager
def reading(path, what):
    """Let no error of a library leave a reader without the name of the file.

    Parameters
    ----------
    path : path-like
        The file.
    what : str
        What it is read as, for the message.

    Raises
    ------
    ValueError
        In place of any error that does not name the file, but those of the system, of imports and
        of memory; and if it is a device or a pipe, which may have no end.
    """
    check_regular(path)
    try:
        yield
    except (ImportError, MemoryError, Warning):
        raise
    except Exception as error:
        is_ours = isinstance(error, ValueError) and str(path) in str(error)
        # EINVAL: of a place in the file that there is not, to which a damaged one leads.
        if is_ours or getattr(error, "errno", None) not in (None, errno.EINVAL):
            raise
        said = str(error).rstrip(".") or "no more is known"
        said = said if isinstance(error, ValueError) else f"{type(error).__name__}, {said}"
        raise ValueError(f"{path} cannot be read as {what}: {said}.") from error


def is_beyond_compression(declared, stored):
    """Whether a file declares more bytes than those that it stores can be unpacked to."""
    return declared > max(_SMALL, _MOST_COMPRESSED * stored)


def check_regular(path):
    """Raise ValueError if something is there that is no file or folder."""
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(f"{path} cannot be read: it is no file, but a device or a pipe.")


@contextmanager
def replacing(path, *, overwrite):
    """Yield the name of a new file that takes the place of `path` when it is complete.

    The new file is written beside the old one and renamed at the end, so that whoever opens `path`
    finds the old content or the new one, never a part, also when the process is killed or the power
    fails. An exception removes the new file; that of a killed process is removed by the next who
    writes `path` on the same machine.

    Parameters
    ----------
    path : path-like
        The file to replace or to make. Of a link, the file that it leads to.
    overwrite : bool
        Whether it may exist already.

    Yields
    ------
    pathlib.Path
        Where to write; no such file exists yet.

    Raises
    ------
    FileExistsError
        If `path` exists and `overwrite` is False.
    FileNotFoundError
        If its folder does not exist.
    """
    target = Path(path).resolve()
    _check_place(target, path)
    if not overwrite:
        _check_free(target)
    _clear(target)
    temporary = _temporary(target)
    try:
        yield temporary
        flush(temporary)
        if not overwrite:
            _check_free(target)  # another process may have been quicker
        elif target.exists():
            shutil.copymode(target, temporary)
        _replace(temporary, target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        _tell_full(error, path)
        raise
    flush(target.parent)


@contextmanager
def making_folder(path):
    """Yield the name of a new folder that becomes `path` when it is complete.

    An exception removes it; that of a killed process is removed by the next who makes `path`.

    Parameters
    ----------
    path : path-like
        The folder, which must not exist, or be empty.

    Yields
    ------
    pathlib.Path
        A folder that is empty.

    Raises
    ------
    FileExistsError
        If something is there already.
    FileNotFoundError
        If the folder does not exist that it is made in.
    """
    target = Path(path).resolve()
    check_no_folder(path)
    _clear(target)
    temporary = _temporary(target)
    temporary.mkdir()
    try:
        yield temporary
        check_no_folder(path)  # another process may have been quicker
        if target.is_dir():
            target.rmdir()
        _replace(temporary, target)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        _tell_full(error, path)
        raise
    flush(target.parent)


@contextmanager
def with_ending(path, ending):
    """Yield a name beside a file, ending as a library wants; what is there becomes the file."""
    path = Path(path)
    named = path.with_name(f"{path.name}{ending}")
    try:
        yield named
        _replace(named, path)
    finally:
        named.unlink(missing_ok=True)


def check_no_folder(path):
    """Raise OSError if a folder cannot be made: something is there, or no folder to make it in."""
    target = Path(path).resolve()
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be made: there is no folder {target.parent}.")
    is_free = not target.exists() or (target.is_dir() and not any(target.iterdir()))
    if not is_free:
        raise FileExistsError(
            f"{path} exists already. A folder is never replaced: choose another name, or delete it "
            "yourself."
        )


def _temporary(target):
    """Return a name beside a file that tells which process it is of."""
    return target.with_name(f".{target.name}.{_process(os.getpid())}-{uuid4().hex[:8]}.tmp")


def _tell_full(error, path):
    """Say of an error that the disk was full, if it was that, and what became of a file."""
    if getattr(error, "errno", None) in FULL:
        raise OSError(error.errno, f"{os.strerror(error.errno)}, {_NO_ROOM}", str(path)) from error


def _replace(temporary, target):
    """Rename a file; Windows refuses that as long as anybody reads the one that is replaced."""
    end = time.monotonic() + _SHORT
    while True:
        try:
            return os.replace(temporary, target)
        except PermissionError as error:
            if os.name == "posix":
                raise
            if time.monotonic() > end:
                raise PermissionError(
                    error.errno,
                    "It is open in another program, and cannot be replaced",
                    str(target),
                ) from error
            time.sleep(0.05)


def check_room(path, n_bytes):
    """Raise OSError if there is no room for so many bytes more beside a file, or in one."""
    free = shutil.disk_usage(Path(path).parent).free
    if n_bytes > free:
        said = f"{n_bytes / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free"
        raise OSError(errno.ENOSPC, said, os.fspath(path))
    if resource is not None:
        most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if most != resource.RLIM_INFINITY and n_bytes + _SPARE > most:
            raise OSError(errno.EFBIG, f"files may have {most} bytes here", os.fspath(path))


@contextmanager
def changing(path, *, done=None):
    """Hold a file while it is read, changed and replaced; yield the name of the new file.

    Processes that change one file so wait for each other, by a lock on ``<path>.lock``, a file that
    stays. The new file takes the old one's place as in `replacing`, unless a program that knows
    nothing of the lock has changed the old one meanwhile.

    Parameters
    ----------
    path : path-like
        The file.
    done : callable, default=None
        Called without arguments when the file is replaced, before others may change it.

    Yields
    ------
    pathlib.Path
        Where to write; no such file exists yet.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If it was changed meanwhile; nothing is written then.
    TimeoutError
        If another process holds it for a minute.
    """
    with locked(path) as target:
        before = identity(target)
        with replacing(target, overwrite=True) as temporary:
            yield temporary
            if identity(target) != before:
                raise OSError(
                    f"{path} was changed by another program while this one was about to change it. "
                    "Nothing was written; try again."
                )
        if done is not None:
            done()


@contextmanager
def locked(path):
    """Let no other process change a file meanwhile, by a lock on ``<path>.lock``.

    Parameters
    ----------
    path : path-like
        The file.

    Yields
    ------
    pathlib.Path
        The file; of a link, the one that it leads to.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    PermissionError
        If it is read-only.
    TimeoutError
        If another process holds it for a minute.
    """
    from filelock import FileLock, Timeout

    target = Path(path).resolve()
    if not target.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    _check_place(target, path)
    lock = FileLock(f"{target}.lock", timeout=_PATIENCE, poll_interval=0.01)
    try:
        lock.acquire()
    except Timeout as error:
        raise TimeoutError(
            f"{target} is being changed by another process, which holds {target}.lock. Try again "
            "when it is done."
        ) from error
    except NotImplementedError:  # a file system without locks: the file's identity has to do
        yield target
        return
    try:
        yield target
    finally:
        lock.release()


def _process(pid):
    """Return what a process of this machine is known by in the names of its temporary files."""
    machine = platform.node()
    with suppress(OSError):  # processes are numbered by namespace in containers
        machine += str(os.stat("/proc/self/ns/pid").st_ino)
    return f"{crc32(machine.encode()):08x}-{pid}"


def _clear(target):
    """Remove what killed processes left of files that were to take a file's place."""
    if os.name != "posix":  # elsewhere, asking for a process may end it
        return
    pattern = re.compile(re.escape(f".{target.name}.") + r"(\w{8}-(\d+))-\w{8}\.tmp[\w.]*")
    for name in os.listdir(target.parent):
        match = pattern.fullmatch(name)
        if match and match[1] == _process(match[2]) and not _is_alive(int(match[2])):
            left = target.with_name(name)
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def name_with_size(path):
    """Return what a video is known by in an annotation set, also when it is moved."""
    path = Path(path)
    return f"{path.name}, {path.stat().st_size} bytes"


def name_without_size(name):
    """Return the file's name of what `name_with_size` returned."""
    return re.sub(r", \d+ bytes$", "", name)


def identity(path):
    """Return what changes when a file is replaced or written to, as far as its folder tells."""
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns


def _check_place(target, path):
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {target.parent}.")
    if target.is_dir():
        raise IsADirectoryError(f"{path} cannot be written: it is a folder.")
    if target.exists() and not target.is_file():
        raise PermissionError(f"{path} cannot be written: it is no file, but a device or a pipe.")
    if target.exists() and not target.stat().st_mode & 0o222:
        raise PermissionError(f"{path} is read-only, and is not replaced.")


def _check_free(target):
    if target.exists():
        raise FileExistsError(f"{target} exists already. Give overwrite=True to replace it.")


def flush(path):
    """Wait until a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name != "posix":
        return  # Windows does that by itself
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def sync(descriptor):
    """Wait until what was written to an open file is on the disk, and not in the disk's cache."""
    if sys.platform == "darwin":  # where fsync stops at the cache
        import fcntl

        with suppress(OSError):  # a file system that does not know this
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)
