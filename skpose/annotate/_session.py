"""A set that people label: what the pages ask of it and do to it. Knows nothing of the web."""

import os
from pathlib import Path
import time

import numpy as np

from skpose.annotate._images import EncodedImages
from skpose.datasets import AnnotationEditor

__all__ = ["FORMAT", "LabelSession", "ReadOnly"]

FORMAT = 1  # of the messages; a page that knows another one is told to load anew


class ReadOnly(RuntimeError):
    """Nothing can be changed; the message says why."""


class LabelSession:
    """One annotation set that is labelled on pages.

    Parameters
    ----------
    path : path-like
        The set's HDF5 file.
    user : str, default=""
        The name of whoever labels, which the journal keeps.
    read_only : bool, default=False
        Whether it can only be looked at.

    Attributes
    ----------
    path : pathlib.Path
        The file; of a link, the one that it leads to.
    images : EncodedImages
        The images as the pages show them.
    stamp : str
        Which set it is, for the caches and the waiting edits of a browser.
    trouble : str or None
        Why nothing can be changed; None where it can.
    n_edits : int
        How often something was changed here.
    """

    def __init__(self, path, *, user="", read_only=False):
        self.path = Path(path).resolve()
        self.editor = AnnotationEditor(self.path)
        if not len(self.editor):
            raise ValueError(f"{path} has no images that could be labelled.")
        self.images = EncodedImages(lambda: self.editor.images)
        # A set without an identity gets one with its first edit; the pages keep what they know.
        self.stamp = self.editor.id
        self.n_edits = 0
        self._user = user
        self._idle_since = time.monotonic()
        self._fixed_trouble = "It was opened to be looked at." if read_only else self._forbidden()
        self.trouble = self._fixed_trouble

    def _forbidden(self):
        for path, what in ((self.path, "file"), (self.path.parent, "folder")):
            if not os.access(path, os.W_OK):
                return f"You may not write into the {what} {path}."
        return None

    @property
    def version(self):
        """int: the number of the last edit."""
        return self.editor.version

    def about(self):
        """Return what a page needs to know at first, as JSON can hold it."""
        n_images, height, width, n_channels = self.editor.images.shape
        skeleton = self.editor.skeleton
        parents = [int(parent) for parent in skeleton.parents]
        return {
            "format": FORMAT,
            "set": self.stamp,
            "name": self.path.name,
            "n_images": n_images,
            "height": height,
            "width": width,
            "n_channels": n_channels,
            "is_exact": self.images.is_exact,
            "most_cropped": self.images.most_cropped,
            "names": list(skeleton.names),
            "parents": [parent if parent >= 0 else None for parent in parents],
            "swaps": [int(partner) for partner in skeleton.swap_index],
            "read_only": self.trouble,
            "version": self.version,
        }

    def frames(self, since=None):
        """Return how far the images are, a letter for each.

        Parameters
        ----------
        since : int, default=None
            Only those that have changed since the set had this version.

        Returns
        -------
        dict
            ``version``; ``states``, a text with "d" for an image that is done, "b" begun, "g"
            guessed, "e" empty; and with `since` ``frames``, their numbers.
        """
        version = self.version
        if since is None:
            return {"version": version, "states": self._letters(None)}
        frames = self.editor.changed_since(since)
        return {"version": version, "frames": frames.tolist(), "states": self._letters(frames)}

    def _letters(self, frames):
        counts = self.editor.count_states(frames)
        n_done = counts[:, 2:].sum(axis=1)
        letters = np.select(
            [n_done == counts.sum(axis=1), n_done > 0, counts[:, 1] > 0], ["d", "b", "g"], "e"
        )
        return "".join(letters)

    def frame(self, index):
        """Return what is known of an image: ``version`` and ``keypoints``.

        Raises
        ------
        ValueError
            If there is no such image.
        """
        if not 0 <= index < len(self.editor):
            raise ValueError(f"There are the images 0 to {len(self.editor) - 1}, but not {index}.")
        version = self.version  # before the keypoints: what comes between is told again
        return {"version": version, "keypoints": self.editor.keypoints_of(index)}

    def edit(self, client, edits):
        """Do what a page says; all of it is on the disk when this returns.

        Parameters
        ----------
        client : str
            Which page it is.
        edits : list of EditMessage
            What to do, in this order.

        Returns
        -------
        list of dict
            For each edit its ``key``, the ``version`` of the set after it, and ``conflicts``, what
            others have made of keypoints meanwhile, which was left.

        Raises
        ------
        OSError
            If it cannot be written. Edits before the one that failed are done; all can be repeated.
        ReadOnly
            If nothing can be changed.
        ValueError
            If an edit is none.
        """
        if self.trouble is not None:
            raise ReadOnly(self.trouble)
        done = []
        for edit in edits:
            key = f"{client}:{edit.key}"
            by = f"{self._user}/{client}"
            edited = self.editor.edit(edit.set, base=edit.base, by=by, key=key)
            self.n_edits += 1
            self._idle_since = time.monotonic()
            done.append({"key": edit.key, "version": edited.version, "conflicts": edited.conflicts})
        return done

    def look_outside(self):
        """Take in what other programs have changed, or note what is wrong with the set."""
        try:
            self.editor.refresh()
        except Exception as error:  # whatever it is, the pages are told, and looking goes on
            self.trouble = str(error)
        else:
            self.trouble = self._fixed_trouble

    def changed_since(self, version):
        """Return the version of now, and the numbers of the images changed since another one."""
        now = self.version
        return now, self.editor.changed_since(version).tolist() if now > version else []

    def fold_if_idle(self, seconds):
        """Bring a long journal into the HDF5 file, if nothing was changed for some time."""
        is_idle = time.monotonic() - self._idle_since > seconds
        if is_idle and self.editor.is_long and self.trouble is None:
            try:
                self.fold()
            except (OSError, ValueError):  # as on a full disk: the journal has all of it
                self._idle_since = time.monotonic()

    def fold(self):
        """Bring the journal into the HDF5 file, for programs that know no journal.

        Raises
        ------
        OSError
            If it cannot be written. All labels are in the journal then, as before.
        """
        self.editor.fold()
