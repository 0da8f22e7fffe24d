"""An annotation set that is changed a keypoint at a time, by several people at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
import math
from numbers import Integral, Real
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skpose._batching import batch_slices
from skpose._files import identity, locked
from skpose._hdf5 import open_hdf5
from skpose._types import PathLike
from skpose.datasets import _annotation_journal as journals
from skpose.datasets._annotation_changes import fold_annotations, rewrite
from skpose.datasets._annotation_edits import change_skeleton
from skpose.datasets._annotation_layout import (
    Labels,
    read_checksum,
    read_mark,
    read_stored,
)
from skpose.datasets._annotation_set import images_of, skeleton_of

if TYPE_CHECKING:
    from skpose.datasets._hdf5_images import HDF5Images
    from skpose.skeleton import Skeleton

__all__ = ["AnnotationEditor", "Edited"]

_COUNTED = 4096  # images at a time: states are texts, which take memory


class Edited(NamedTuple):
    """What became of edits."""

    version: int  # number of the last edit of the set
    conflicts: list[list[Any]]  # what was not done, as edits that would make it what it is now


class AnnotationEditor:
    """Change an annotation set a keypoint at a time, while others change it too.

    For programs in which people label, as a page in the browser. The labels are in memory; a change
    is in the set's journal, on the disk, before `edit` returns, and takes the same few milliseconds
    whatever the size of the set. What other programs have changed meanwhile is taken in before each
    change. Can be shared by threads.

    Each keypoint is in one of five states: "empty"; a "guess" of a model; "placed" by a person;
    "hidden", placed by a person where it cannot be seen; or "absent", looked for in vain.

    Parameters
    ----------
    path : path-like
        The set's HDF5 file.

    Attributes
    ----------
    images : HDF5Images of shape (n_images, height, width, n_channels)
        The images, which stay on disk.
    skeleton : Skeleton
        The bodyparts.
    version : int
        Number of the last edit. It grows by one with every call of `edit` that changes something,
        over restarts too.
    is_long : bool
        Whether the journal has grown so long that `fold` should be called when there is time.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole annotation set.

    See Also
    --------
    update_annotations : Change whole images, once.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import AnnotationEditor, read_annotations, write_annotations
    >>> X = np.zeros((3, 8, 8, 1), dtype=np.uint8)
    >>> with TemporaryDirectory() as folder:
    ...     write_annotations(f"{folder}/set.h5", X, skeleton=Skeleton(["head", "tail"]))
    ...     editor = AnnotationEditor(f"{folder}/set.h5")
    ...     edited = editor.edit([[1, 0, "placed", 2.0, 3.0], [1, 1, "absent"]])
    ...     print(edited.version, editor.keypoints_of(1))
    ...     print(read_annotations(f"{folder}/set.h5").keypoints[0].tolist())
    1 [['placed', 2.0, 3.0], ['absent']]
    [[2.0, 3.0], [nan, nan]]
    """

    images: HDF5Images
    skeleton: Skeleton
    version: int

    def __init__(self, path: PathLike) -> None:
        self.path = path
        self.is_long = False
        self._lock = RLock()
        self._stamp = self._read_stamp()
        self._keys: dict[str, int] = {}
        stored = read_stored(path)
        self._take(stored)
        # Of what is in the HDF5 file it is not known when it was changed: in the end, perhaps.
        self._touched = np.full(self._labels.annotated.shape, stored.journal.after, np.int64)
        self._authors: dict[tuple[int, int], str | None] = {}
        self._note_authors(stored.journal)

    def __len__(self) -> int:
        return len(self._labels.annotated)

    @property
    def states(self) -> NDArray[np.str_]:
        """ndarray of shape (n_images, n_keypoints), str: the state of each keypoint."""
        with self._lock:
            return journals.states_of(self._labels)

    @property
    def id(self) -> str:
        """str: which set it is; of one without an identity, as none of skpose's, which file."""
        return self._id or "-".join(str(number) for number in self._stamp[0])

    def count_states(self, images: ArrayLike | None = None) -> NDArray[np.intp]:
        """Count the keypoints of images that are in each state.

        Parameters
        ----------
        images : array-like of int, default=None
            Which images. None: all.

        Returns
        -------
        ndarray of shape (n_images, 5), int
            How many are "empty", "guess", "placed", "hidden" and "absent".
        """
        with self._lock:
            index = np.arange(len(self)) if images is None else np.asarray(images, dtype=np.intp)
            counts = np.zeros((len(index), len(journals.N_NUMBERS)), dtype=np.intp)
            for part in batch_slices(len(index), _COUNTED):
                states = journals.states_of(Labels(*(v[index[part]] for v in self._labels)))
                for column, state in enumerate(journals.N_NUMBERS):
                    counts[part, column] = (states == state).sum(axis=1)
        return counts

    @property
    def video_names(self) -> list[str]:
        """list of str: what the videos are known by whose frames, with numbers, are in the set."""
        with self._lock:
            videos = self._labels.videos[self._labels.frame_numbers >= 0]
        return [name for name in dict.fromkeys(videos.tolist()) if name]

    def source_of(self, image: int) -> tuple[str, int]:
        """Return what the video of an image is known by, "" for none, and which frame it is."""
        with self._lock:
            return str(self._labels.videos[image]), int(self._labels.frame_numbers[image])

    def frames_of(self, video: str) -> NDArray[np.intp]:
        """Return the numbers of the frames of a video that are in the set, in its order."""
        with self._lock:
            return self._labels.frame_numbers[self._labels.videos == video]

    def find_frame(self, video: str, number: int) -> int | None:
        """Return which image is a frame of a video, None if none is."""
        with self._lock:
            is_it = (self._labels.videos == video) & (self._labels.frame_numbers == number)
        return int(np.flatnonzero(is_it)[0]) if is_it.any() else None

    def labelled_keypoints(self) -> NDArray[np.float64]:
        """Return what people have labelled, (n_images, n_keypoints, 2); NaN: nothing, or absent."""
        with self._lock:
            coordinates = self._labels.coordinates.astype(float)  # a copy
            is_label = self._labels.annotated & (coordinates != -1).any(axis=2)
        coordinates[~is_label] = np.nan
        return coordinates

    def mean_confidence(self, images: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return how sure models are of their guesses in images.

        Parameters
        ----------
        images : array-like of int, default=None
            Which images. None: all.

        Returns
        -------
        ndarray of shape (n_images,)
            The mean confidence, 0 to 1; NaN where no guess has one.
        """
        with self._lock:
            index = slice(None) if images is None else np.asarray(images, dtype=np.intp)
            confidence = self._labels.confidence[index]
            is_guess = ~np.isnan(confidence) & ~self._labels.annotated[index]
        n_guesses = is_guess.sum(axis=1)
        sums = np.where(is_guess, confidence, 0).sum(axis=1)
        return np.where(n_guesses > 0, sums / np.maximum(n_guesses, 1), np.nan)

    def keypoints_of(self, image: int) -> list[list[Any]]:
        """Return what is known of an image's keypoints.

        Parameters
        ----------
        image : int
            Which image.

        Returns
        -------
        list of list
            For each keypoint ``[state, x, y]``, with the confidence behind if it is a model's
            guess, or ``[state]`` if it has no position.
        """
        with self._lock:
            labels = Labels(*(values[[image]] for values in self._labels))
        return [edit[2:] for edit in journals.edits_of(np.array([image]), labels)]

    def annotators_of(self, image: int) -> list[str]:
        """Return who has labelled each keypoint of an image, "" for nobody, or not known."""
        with self._lock:
            return [str(name) for name in self._labels.annotators[image]]

    def edit(
        self,
        edits: Iterable[Sequence[Any]],
        *,
        base: int | None = None,
        by: str | None = None,
        key: str | None = None,
    ) -> Edited:
        """Change keypoints; all of it is on the disk when this returns.

        Parameters
        ----------
        edits : sequence of sequences
            For each keypoint to change ``[image, keypoint, state, x, y]``, with the numbers of the
            image and the keypoint; without x and y where the state is "empty" or "absent", and with
            a confidence behind, if it is known, for a "guess". Each keypoint once.
        base : int, default=None
            The `version` that the sender knew. A keypoint that somebody else has changed since is
            left as it is. None: nothing is looked at.
        by : str, default=None
            Who changes them: a person's name, or ``name/page`` for one of several pages. What the
            same one has changed is no conflict; the name is kept with what is labelled
            (``annotators`` of `read_annotations`).
        key : str, default=None
            What the sender knows this call by. If one with the same key was done before, the call
            is taken for a repetition, as after an answer was lost, and changes nothing. Forgotten
            when the journal was folded and the editor is made anew.

        Returns
        -------
        Edited
            With the fields `version`, the new one, and `conflicts`: of the keypoints that were left
            as they are, the edits that would make them so.

        Raises
        ------
        OSError
            If it cannot be written, as where the disk is full; nothing is changed then.
        ValueError
            If an edit is none, or the file is another set now.
        """
        with self._lock:
            edits = _check_edits(edits, self._labels.annotated.shape)
            if edits:
                self._need_identity()
            with locked(self.path):
                self._take_in()
                if key is not None and key in self._keys:
                    return Edited(self.version, self._differing(edits, by))
                base = self.version if base is None else base
                conflicts = self._differing(edits, by, base)
                kept = {(image, keypoint) for image, keypoint, *_ in conflicts}
                edits = [edit for edit in edits if (edit[0], edit[1]) not in kept]
                if edits:
                    self._write(edits, by, key)
            return Edited(self.version, conflicts)

    def guess(
        self, images: ArrayLike, keypoints: ArrayLike, *, model: str = ""
    ) -> NDArray[np.intp]:
        """Write a model's guesses; what a person has labelled stays as it is.

        Parameters
        ----------
        images : array-like of shape (n_images,), int
            Which images; each once.
        keypoints : array-like of shape (n_images, n_keypoints, 2 or 3)
            (x, y) in pixels, with the confidence behind if it is known. Of a set that has got more
            bodyparts since, those of the first ones.
        model : str, default=""
            The model's name.

        Returns
        -------
        ndarray of int
            The images that have changed.

        Raises
        ------
        OSError
            If it cannot be written; nothing is changed then.
        ValueError
            If the guesses do not fit the set, or the file is another set now.
        """
        index, keypoints = np.asarray(images, dtype=np.intp), np.asarray(keypoints, dtype=float)
        with self._lock:
            if keypoints.ndim != 3 or len(keypoints) != len(index):
                raise ValueError(
                    f"keypoints must have shape ({len(index)}, {len(self.skeleton)}, 2 or 3), but "
                    f"have {keypoints.shape}."
                )
            edits = [
                [image, k, "guess", *place]
                for image, pose in zip(index.tolist(), keypoints.tolist(), strict=True)
                for k, place in enumerate(pose)
            ]
            edits = _check_edits(edits, self._labels.annotated.shape)
            if edits:
                self._need_identity()
            with locked(self.path):
                self._take_in()
                edits = [edit for edit in edits if not self._labels.annotated[edit[0], edit[1]]]
                if edits:
                    self._write(edits, f"{journals.MODEL}{model}", None)
            return np.unique([edit[0] for edit in edits]).astype(np.intp)

    def refresh(self) -> NDArray[np.intp]:
        """Take in what other programs have changed.

        Returns
        -------
        ndarray of int
            The images that have changed.

        Raises
        ------
        ValueError
            If the file is another set now; nothing is taken in then.
        """
        with self._lock:
            before = self.version
            self._take_in()
            return self.changed_since(before)

    def changed_since(self, version: int) -> NDArray[np.intp]:
        """Return the images that have changed since the set had a version."""
        with self._lock:
            return np.flatnonzero((self._touched > version).any(axis=1))

    def fold(self) -> None:
        """Bring the journal into the HDF5 file, as `fold_annotations` does."""
        with self._lock:
            fold_annotations(self.path)
            self.is_long = False
            self.refresh()

    def change_skeleton(self, skeleton: Skeleton) -> None:
        """Give the set another skeleton, as `skpose.datasets.change_skeleton` does.

        Its first bodyparts are those of the set, in their order; no edit is lost.
        """
        with self._lock:
            self._need_identity()
            self._take_in()  # so that it is known again whatever its names are
            change_skeleton(self.path, skeleton)
            self._take_in()

    def _need_identity(self):
        """Give a set of another program what a journal knows it by."""
        if self._id is None:
            rewrite(self.path)

    def _read_stamp(self):
        """Return what tells whether somebody has changed the set."""
        stamps = []
        for path in (self.path, journals.journal_of(self.path)):
            try:
                stamps.append(identity(path))
            except FileNotFoundError:
                stamps.append(None)
        return stamps

    def _take(self, stored):
        stored.coordinates[stored.is_missing] = -1.0  # DeepPoseKit's (0, 0) is none either
        self._labels = Labels.of(stored)
        self._keys.update(stored.journal.keys)  # a fold empties the journal
        self._names, self._id = stored.names, stored.mark and stored.mark.id
        self.version = stored.journal.seq
        self.images = images_of(stored)
        self.skeleton = skeleton_of(stored)

    def _take_in(self):
        """Read the set again if somebody else has changed it."""
        stamp = self._read_stamp()
        if stamp == self._stamp:
            return
        stored = read_stored(self.path)
        self._check_is_same(stored)
        n_more = stored.annotated.shape[1] - self._labels.annotated.shape[1]
        old, n_old, version = self._labels.with_more_keypoints(n_more), len(self), self.version
        skeleton = self.skeleton
        self._take(stored)
        new = Labels(*(values[:n_old] for values in self._labels))
        # Confidences change with the coordinates, or in the last digit, when they are folded.
        is_changed = (old.coordinates != new.coordinates).any(axis=2)
        for name in ("annotated", "occluded"):
            is_changed |= getattr(old, name) != getattr(new, name)
        n_new = len(self) - n_old
        is_other = bool(is_changed.any() or n_new or skeleton != self.skeleton)
        # A program that knows no journal has not counted what it changed.
        self.version = max(self.version, version + is_other)
        more = ((0, n_new), (0, n_more))
        self._touched = np.pad(self._touched, more, constant_values=self.version)
        self._touched[:n_old][is_changed] = self.version
        for place in zip(*np.nonzero(is_changed), strict=True):
            self._authors.pop((int(place[0]), int(place[1])), None)
        self._note_authors(stored.journal, after=version)
        self._stamp = stamp

    def _check_is_same(self, stored):
        is_same_set = self._id is None or (stored.mark is not None and stored.mark.id == self._id)
        n_images, n_keypoints = self._labels.annotated.shape
        has_all = stored.annotated.shape[0] >= n_images and stored.annotated.shape[1] >= n_keypoints
        if not is_same_set or not has_all or (self._id is None and stored.names != self._names):
            raise ValueError(
                f"{self.path} is another annotation set than the one that was opened, or has fewer "
                "images or bodyparts. Nothing was changed; open it anew."
            )

    def _note_authors(self, journal, after=-1):
        for place, (seq, by) in journal.authors.items():
            if seq > after:
                self._touched[place] = seq
                self._authors[place] = by

    def _differing(self, edits, by, base=-1):
        """Return what others have made of keypoints since, where an edit would change it."""
        differing = []
        for image, keypoint, *wanted in edits:
            is_others = by is None or _page_of(self._authors.get((image, keypoint))) != _page_of(by)
            is_news = self._touched[image, keypoint] > base and is_others
            if is_news and not self._is_guessed(image, keypoint):
                now = self.keypoints_of(image)[keypoint]
                if now != wanted:
                    differing.append([image, keypoint, *now])
        return differing

    def _is_guessed(self, image, keypoint):
        """Whether what is there now is a model's, and no person's: it gives way to any person."""
        author = self._authors.get((image, keypoint))
        is_persons = author is not None and not author.startswith(journals.MODEL)
        return not (is_persons or self._labels.annotated[image, keypoint])

    def _write(self, edits, by, key):
        about = {name: value for name, value in (("by", by), ("key", key)) if value is not None}
        with open_hdf5(self.path, is_known=True) as file:
            seq, self.is_long = journals.append_edits(
                self.path, read_mark(file), edits, lambda: read_checksum(file), **about
            )
        self.version = max(seq, self.version + 1)
        self._stamp = self._read_stamp()
        places = {(image, keypoint): tuple(rest) for image, keypoint, *rest in edits}
        authors = dict.fromkeys(places, (self.version, by))
        journals.apply_edits(journals.Journal.of(places, authors=authors), self._labels, self.path)
        for place in places:
            self._touched[place], self._authors[place] = self.version, by
        if key is not None:
            self._keys[key] = self.version


def _page_of(by):
    """Return the page in who made an edit, whose name may change; without one, that name."""
    return by if by is None else by.rpartition("/")[2]


def _check_edits(edits, shape):
    """Return edits as lists of plain numbers, once they are ones."""
    checked = [_check_edit(list(edit), shape) for edit in edits]
    if len({(image, keypoint) for image, keypoint, *_ in checked}) < len(checked):
        raise ValueError("edits must have each keypoint of an image once.")
    return checked


def _check_edit(edit, shape):
    image, keypoint, state, *numbers = edit + [None] * (3 - len(edit))
    for name, value, end in zip(("image", "keypoint"), (image, keypoint), shape, strict=True):
        is_number = isinstance(value, Integral) and not isinstance(value, bool)
        if not is_number or not 0 <= value < end:
            raise ValueError(f"The {name} of an edit must be 0 to {end - 1}, but was {value!r}.")
    if not isinstance(state, str) or state not in journals.N_NUMBERS:
        raise ValueError(
            f"The state of a keypoint must be {', '.join(journals.N_NUMBERS)}, but was {state!r}."
        )
    are_numbers = all(isinstance(x, Real) and not isinstance(x, bool) for x in numbers)
    if len(numbers) not in journals.N_NUMBERS[state] or not (
        are_numbers and all(map(math.isfinite, numbers))
    ):
        needed = "no numbers" if state in ("empty", "absent") else "x and y, finite numbers"
        raise ValueError(f"A keypoint that is {state!r} needs {needed}, but had {numbers!r}.")
    return [int(image), int(keypoint), state, *map(float, numbers)]
