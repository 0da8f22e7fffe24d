"""The journal of an annotation set: edits that are not yet in its HDF5 file, a line each.

``<set>.h5.journal`` is text in UTF-8. A line is a JSON object, a tab, and the CRC-32 of the set's
id and the object, as 8 hexadecimal digits::

    {"journal": 1, "id": "9f3c52d07ab1e864", "after": 40, "begun_on": 2774516032}
    {"seq": 41, "t": "2026-11-27T12:00:01.123+00:00", "set": [[12, 3, "placed", 88.25, 41.5]]}

The first line says whose journal it is, and up to which edit the HDF5 file had them when it was
begun, with a checksum of its labels then. An edit is [image, keypoint, state] or [image, keypoint,
state, x, y], a guess with its confidence behind. ``by`` says who made it, and ``key`` what the
sender knows it by, where they are known. The HDF5 file says in its attribute ``journal`` which set
it is and which edit is the last that it holds, so nothing is lost or done twice, wherever a process
is killed.
"""

from datetime import UTC, datetime
import json
import math
from pathlib import Path
import shutil
from typing import NamedTuple
from uuid import uuid4
import warnings
from zlib import crc32

import numpy as np

from skpose._files import check_regular, flush, reading, sync

_VERSION = 1
MODEL = "model:"  # with which the name of a model begins, in place of a person's
_LONG = 5000, 2**22  # edits and bytes from which on it takes a reader long


class Mark(NamedTuple):
    """Which set an HDF5 file is, and the last edit of the journal that is in it."""

    id: str
    seq: int

    @classmethod
    def new(cls):
        """Return the mark of a set that is made now."""
        return cls(uuid4().hex[:16], 0)

    def next(self):
        """Return the mark after a change of the HDF5 file itself, which counts as an edit."""
        return self._replace(seq=self.seq + 1)

    @classmethod
    def parse(cls, text):
        """Return the mark that an HDF5 file has, None if it has none that can be one."""
        id, _, seq = text.partition(":")
        return cls(id, int(seq)) if seq.isdecimal() else None

    def __str__(self):
        return f"{self.id}:{self.seq:012d}"


class Journal(NamedTuple):
    """The edits that belong to an HDF5 file and are not in it."""

    edits: dict  # of (image, keypoint): (state, *numbers), the last one of each
    after: int  # number of the last edit that is in the HDF5 file
    seq: int  # number of the last edit
    damaged: list  # numbers of lines, from 1, whose checksum is wrong
    authors: dict  # of (image, keypoint): (number of the last edit, who made it or None)
    keys: dict  # of what senders know edits by: number of the edit
    begun_on: int  # checksum of the labels that the HDF5 file had then; None: not known
    is_ours: bool  # whether it belongs to the set

    @classmethod
    def of(cls, edits, after=0, is_ours=True, authors=None):
        """Return a journal that says nothing but these edits."""
        return cls(edits, after, after, [], authors or {}, {}, None, is_ours)


def journal_of(path):
    """Return the path of an annotation set's journal, whether there is one or not."""
    target = Path(path).resolve()
    return target.with_name(f"{target.name}.journal")


def read_lines(path):
    """Return the lines that are in the journal of an annotation set now; empty if there is none.

    A last line without an end is left out: a process was killed before it had finished it. One that
    has zeros is damaged otherwise, and stays.

    To be called before the HDF5 file is opened: edits go from the journal into the file, so what
    left the journal meanwhile is found in the file, but not the other way round.
    """
    try:
        check_regular(journal_of(path))
        content = journal_of(path).read_bytes()
    except FileNotFoundError:
        return b""
    length = content.rfind(b"\n") + 1
    return content if b"\0" in content[length:] else content[:length]


def parse_journal(content, mark, path):
    """Return the edits that an annotation set has beyond those in its HDF5 file.

    Parameters
    ----------
    content : bytes
        What `read_lines` returned.
    mark : Mark or None
        Which set the HDF5 file is. None: it is of a program that knows no journals.
    path : path-like
        The HDF5 file, for messages.

    Returns
    -------
    Journal

    Raises
    ------
    ValueError
        If the journal is of a later version, or says what no journal says.

    Warns
    -----
    UserWarning
        If it belongs to another set, and is not used; or lines in its middle are damaged.
    """
    none = Journal.of({}, mark.seq if mark else 0, is_ours=not content)
    if not content:
        return none
    if not _belongs(content, mark, path):
        warnings.warn(
            f"{journal_of(path)} is not used: it holds edits of another annotation set than {path} "
            "is now. Put it beside that set, or delete it.",
            UserWarning,
            stacklevel=2,
        )
        return none
    lines = content.removesuffix(b"\n").split(b"\n")
    edits, seq, damaged, authors, keys = {}, mark.seq, [], {}, {}
    with reading(journal_of(path), "a journal of edits"):
        for number, line in enumerate(lines, start=1):
            said = _check_line(line, mark.id)
            if said is None:
                damaged.append(number)
                continue
            if said.get("key") is not None:
                keys[said["key"]] = said.get("seq", 0)
            if said.get("seq", 0) > seq:
                seq = said["seq"]
                read = _read_edits(said, number)
                edits.update(read)
                authors.update(dict.fromkeys(read, (seq, said.get("by"))))
    if damaged:
        warnings.warn(
            f"{journal_of(path)} is damaged: the edits in its lines "
            f"{', '.join(map(str, damaged))} are lost. All others are used.",
            UserWarning,
            stacklevel=2,
        )
    head = _read_head(lines[0], path)
    begun_on = head and head.get("begun_on")
    return Journal(edits, mark.seq, seq, damaged, authors, keys, begun_on, is_ours=True)


def _belongs(content, mark, path):
    """Whether a journal continues the state that the HDF5 file is in."""
    head, _, rest = content.partition(b"\n")
    said = _read_head(head, path)
    if mark is None:
        return False
    if said is None:  # a damaged first line; the checksum of each other knows the set
        return any(_check_line(line, mark.id) is not None for line in rest.split(b"\n"))
    return said["id"] == mark.id and said["after"] <= mark.seq


def _read_head(line, path):
    """Return what the first line says, None if it is damaged."""
    try:
        said = json.loads(line.rpartition(b"\t")[0])
        is_whole = _check_line(line, said["id"]) is not None
    except (ValueError, KeyError, TypeError, UnicodeError):
        return None
    if is_whole and said.get("journal") != _VERSION:
        raise ValueError(
            f"{journal_of(path)} was written by a later version of skpose (journal "
            f"{said.get('journal')!r}, this one knows {_VERSION}). Read the set with that version."
        )
    return said if is_whole and isinstance(said.get("after"), int) else None


def _format_line(said, id):
    text = json.dumps(said, ensure_ascii=False, allow_nan=False).encode()
    return b"%b\t%08x\n" % (text, _checksum(text, id))


def _check_line(line, id):
    """Return what a line says, None if it is damaged or of another set."""
    text, _, checksum = line.rpartition(b"\t")
    if b"%08x" % _checksum(text, id) != checksum:
        return None
    return json.loads(text)


def _checksum(text, id):
    return crc32(text, crc32(str(id).encode()))


N_NUMBERS = {"empty": {0}, "guess": {2, 3}, "placed": {2}, "hidden": {2}, "absent": {0}}


def _read_edits(said, line_number):
    edits = {(image, keypoint): state for image, keypoint, *state in said["set"]}
    for (image, keypoint), (state, *numbers) in edits.items():
        is_known = len(numbers) in N_NUMBERS.get(state, ()) and all(map(math.isfinite, numbers))
        if not is_known or not (isinstance(image, int) and isinstance(keypoint, int)):
            raise ValueError(
                f"line {line_number} gives keypoint {keypoint!r} of image {image!r} the state "
                f"{state!r} with {len(numbers)} numbers, which this version of skpose does not know"
            )
    return edits


def apply_edits(journal, labels, path):
    """Change labels as the journal says.

    Parameters
    ----------
    journal : Journal
        The edits.
    labels : object with `coordinates`, `annotated`, `occluded`, `annotators` and `confidence`
        Arrays of shape (n_samples, n_keypoints), that of the coordinates (..., 2). They are
        changed in place.
    path : path-like
        The HDF5 file, for messages.

    Raises
    ------
    ValueError
        If an edit is of an image or keypoint that the set does not have.
    """
    if not journal.edits:
        return
    where = np.array(list(journal.edits))
    n_samples, n_keypoints = labels.annotated.shape
    if (where < 0).any() or (where >= (n_samples, n_keypoints)).any():
        raise ValueError(
            f"{journal_of(path)} has edits of images or keypoints that {path} does not have: it "
            f"holds {n_samples} images of {n_keypoints} keypoints. Another program has changed the "
            "set. Move the journal away to read the set without it."
        )
    names = np.array([state for state, *_ in journal.edits.values()])
    numbers = np.full((len(where), 3), np.nan)
    for row, (_, *values) in zip(numbers, journal.edits.values(), strict=True):
        row[: len(values)] = values
    numbers[:, :2] = as_stored(numbers[:, :2])
    where = tuple(where.T)
    is_label, is_hidden = np.isin(names, ["placed", "hidden", "absent"]), names == "hidden"
    is_same = (labels.coordinates[where] == numbers[:, :2]).all(axis=1)
    is_same &= (labels.annotated[where] == is_label) & (labels.occluded[where] == is_hidden)
    people = [person_of(journal.authors.get(place, (0, None))[1]) for place in journal.edits]
    people = np.array(people, dtype=object)
    people = np.where(is_same & (people == ""), labels.annotators[where], people)
    labels.annotators[where] = np.where(is_label, people, "")
    labels.coordinates[where], labels.confidence[where] = numbers[:, :2], numbers[:, 2]
    labels.annotated[where], labels.occluded[where] = is_label, is_hidden


def as_stored(keypoints):
    """Return keypoints as sets have them, in which (-1, -1) stands for none.

    A keypoint that lies there is moved by the least that a number can be.
    """
    is_there = (keypoints == -1).all(axis=-1, keepdims=True)
    keypoints = np.where(is_there, np.nextafter(-1.0, 0.0), keypoints)
    return np.where(np.isnan(keypoints).any(axis=-1, keepdims=True), -1.0, keypoints)


def person_of(by):
    """Return the name in who made an edit, ``name`` or ``name/page``; "" of a model, or nobody."""
    if by is None or by.startswith(MODEL):
        return ""
    return by.rpartition("/")[0] if "/" in by else by


def edits_of(index, labels):
    """Return the edits that give images these labels, as lists that JSON can hold.

    Parameters
    ----------
    index : ndarray of shape (n_images,), int
        The images.
    labels : object with `coordinates`, `annotated`, `occluded` and `confidence`
        Arrays of shape (n_images, n_keypoints), that of the coordinates (..., 2).

    Returns
    -------
    list of list
    """
    states = states_of(labels)
    edits = []
    for i, j in np.ndindex(states.shape):
        state = str(states[i, j])
        numbers = [] if state in ("absent", "empty") else labels.coordinates[i, j].tolist()
        if state == "guess" and not np.isnan(labels.confidence[i, j]):
            numbers.append(float(labels.confidence[i, j]))
        edits.append([int(index[i]), j, state, *numbers])
    return edits


def states_of(labels):
    """Return the state of each keypoint, ndarray of str of shape (n_images, n_keypoints)."""
    is_empty = (labels.coordinates == -1).all(axis=2)
    return np.select(
        [is_empty & labels.annotated, is_empty, labels.occluded, labels.annotated],
        ["absent", "empty", "hidden", "placed"],
        "guess",
    )


def append_edits(path, mark, edits, read_checksum, **about):
    """Append edits to the journal of a set, as one line that is on the disk when this returns.

    The caller holds the set's lock.

    Parameters
    ----------
    path : path-like
        The HDF5 file.
    mark : Mark
        Which set it is.
    edits : list of list
        What `edits_of` returned. A reader finds all of them or none.
    read_checksum : callable
        Returns a checksum of the labels in the HDF5 file; only called for a new journal.
    **about
        What the line says besides: ``by`` and ``key``.

    Returns
    -------
    seq : int
        The number of the line.
    is_long : bool
        Whether the journal has grown so long that it should go into the HDF5 file.

    Raises
    ------
    OSError
        If it cannot be written; the journal is then as it was.
    """
    journal, content = journal_of(path), read_lines(path)
    if content and not _belongs(content, mark, path):
        journal.replace(_free_name(journal, "of_another_set"))  # kept, out of the way
        content = b""
    length, last = len(content), _last_seq(content, mark.id)
    seq = max(mark.seq, last) + 1
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = _format_line({"seq": seq, "t": now, **about, "set": edits}, mark.id)
    if last <= mark.seq:  # a new one, or all of it is in the HDF5 file
        head = {"journal": _VERSION, "id": mark.id, "after": mark.seq, "begun_on": read_checksum()}
        length, line = 0, _format_line(head, mark.id) + line
    elif not content.endswith(b"\n"):
        line = b"\n" + line
    _append(journal, length, line)
    if not content:
        shutil.copymode(path, journal)  # who may change the set may go on with its journal
        flush(journal.parent)
    return seq, seq - mark.seq >= _LONG[0] or length + len(line) >= _LONG[1]


def _last_seq(content, id):
    for line in reversed(content.split(b"\n")):
        said = _check_line(line, id)
        if said is not None:
            return said.get("seq", 0)
    return 0


def _append(journal, length, line):
    """Write a line behind the first bytes of a file, on to the disk; or leave it as it was."""
    with journal.open("ab", buffering=0) as file:
        file.truncate(length)
        try:
            while line:
                line = line[file.write(line) :]
            sync(file.fileno())
        except BaseException as error:
            file.truncate(length)
            if isinstance(error, OSError):
                error.filename = str(journal)
            raise


def remove_journal(path, journal):
    """Remove the journal when all its edits are in the HDF5 file; keep it if lines are damaged.

    The caller holds the set's lock.

    Parameters
    ----------
    path : path-like
        The HDF5 file.
    journal : Journal
        What was read of it.
    """
    name = journal_of(path)
    if journal.damaged:
        name.replace(_free_name(name, "damaged"))
    elif journal.is_ours:
        name.unlink(missing_ok=True)


def _free_name(path, ending):
    numbers = iter(range(1, 10**6))
    candidate = path.with_name(f"{path.name}.{ending}")
    while candidate.exists():
        candidate = path.with_name(f"{path.name}.{ending}.{next(numbers)}")
    return candidate
