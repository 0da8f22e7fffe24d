"""A set that people label: what the pages ask of it and do to it. Knows nothing of the web."""

from contextlib import suppress
from itertools import count
import json
import os
from pathlib import Path
from threading import Lock
import time
from zlib import crc32

import numpy as np

from skpose._label_formats import WRITTEN
from skpose._palette import bodypart_colors
from skpose.annotate._images import EncodedImages
from skpose.annotate._messages import clean_name
from skpose.datasets import AnnotationEditor
from skpose.skeleton import UNNAMED, Skeleton

__all__ = ["FORMAT", "LabelSession", "Overtaken", "ReadOnly"]

FORMAT = 3  # of the messages; a page that knows another one is told to load anew


class ReadOnly(RuntimeError):
    """Nothing can be changed; the message says why."""


class Overtaken(RuntimeError):
    """Somebody else was faster; the message says with what."""


class LabelSession:
    """One annotation set that is labelled on pages.

    Parameters
    ----------
    path : path-like
        The set's HDF5 file.
    user : str, default=""
        The name of whoever labels, where a page does not tell another one.
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
        self._user = clean_name(user)
        self._idle_since = time.monotonic()
        self._changing_skeleton = Lock()
        self._exporting = Lock()
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
            "is_unnamed": skeleton.names == (UNNAMED,) and not self.count_labelled(),
            "skeleton": self.skeleton_key,
            "parents": [parent if parent >= 0 else None for parent in parents],
            "swaps": [int(partner) for partner in skeleton.swap_index],
            "colours": [_as_hex(color) for color in bodypart_colors(len(skeleton), skeleton)],
            "user": self._user,
            "has_videos": bool(self.editor.video_names),
            "read_only": self.trouble,
            "version": self.version,
        }

    @property
    def skeleton_key(self):
        """str: which skeleton it is, for pages that know an earlier one."""
        table = json.dumps(self.editor.skeleton.to_dict())
        return f"{crc32(table.encode()):08x}"

    def change_skeleton(self, message):
        """Rename bodyparts, add some, connect them; all of it is on the disk when this returns.

        Parameters
        ----------
        message : SkeletonMessage
            What is wanted.

        Raises
        ------
        OSError
            If it cannot be written.
        Overtaken
            If somebody else has changed the skeleton meanwhile.
        ReadOnly
            If nothing can be changed.
        ValueError
            If the skeleton is none, or leaves a bodypart out.
        """
        self.check_writable()
        skeleton = Skeleton(message.names, message.parents, message.swaps)
        for image, keypoint, *_ in message.places:
            if image not in range(len(self.editor)) or keypoint not in range(len(skeleton)):
                raise ValueError(f"There is no bodypart {keypoint!r} in an image {image!r}.")
        with self._changing_skeleton:
            if skeleton != self.editor.skeleton:  # else it was changed, but not the places written
                if message.base != self.skeleton_key:
                    raise Overtaken("Somebody else has changed the bodyparts meanwhile.")
                self.editor.change_skeleton(skeleton)
                self.n_edits += 1
            edits = [
                [image, keypoint, "placed", x, y]
                for image, keypoint, x, y in message.places
                if self.editor.keypoints_of(image)[keypoint][0] in ("empty", "guess")
            ]
            if edits:
                self.editor.edit(edits, by=f"{self._user}/{message.client}")

    def check_writable(self):
        """Raise ReadOnly if nothing can be changed."""
        if self.trouble is not None:
            raise ReadOnly(self.trouble)

    def frames(self, since=None):
        """Return how far the images are, a letter for each, and how sure guesses are.

        Parameters
        ----------
        since : int, default=None
            Only those that have changed since the set had this version.

        Returns
        -------
        dict
            ``version``; ``states``, a text with "d" for an image that is done, "b" begun, "g"
            guessed, "e" empty; ``sure``, the mean confidence of an image's guesses in percent, -1
            for none; and with `since` ``frames``, their numbers.
        """
        version = self.version
        if since is None:
            return {"version": version, **self._describe(None)}
        frames = self.editor.changed_since(since)
        return {"version": version, "frames": frames.tolist(), **self._describe(frames)}

    def _describe(self, frames):
        confidence = self.editor.mean_confidence(frames)
        sure = np.where(np.isnan(confidence), -1, np.nan_to_num(100 * confidence)).round()
        return {"states": self._letters(frames), "sure": sure.astype(int).tolist()}

    def _letters(self, frames):
        counts = self.editor.count_states(frames)
        n_done = counts[:, 2:].sum(axis=1)
        letters = np.select(
            [n_done == counts.sum(axis=1), n_done > 0, counts[:, 1] > 0], ["d", "b", "g"], "e"
        )
        return "".join(letters)

    def frame(self, index):
        """Return what is known of an image: ``version``, ``keypoints``, and who labelled them.

        Raises
        ------
        ValueError
            If there is no such image.
        """
        self.check_index(index)
        version = self.version  # before the keypoints: what comes between is told again
        return {
            "version": version,
            "keypoints": self.editor.keypoints_of(index),
            "by": self.editor.annotators_of(index),
        }

    def check_index(self, index):
        """Raise ValueError if there is no such image."""
        if not 0 <= index < len(self.editor):
            raise ValueError(f"There are the images 0 to {len(self.editor) - 1}, but not {index}.")

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
        self.check_writable()
        done = []
        for edit in edits:
            key = f"{client}:{edit.key}"
            by = f"{edit.user or self._user}/{client}"
            edited = self.editor.edit(edit.set, base=edit.base, by=by, key=key)
            self.n_edits += 1
            self._idle_since = time.monotonic()
            done.append({"key": edit.key, "version": edited.version, "conflicts": edited.conflicts})
        return done

    def count_labelled(self):
        """Return in how many images something is labelled."""
        counts = self.editor.count_states()
        return int((counts[:, 2:4].sum(axis=1) > 0).sum())

    def find_suspects(self):
        """Return which labels look wrong: for each its image, bodyparts, and why, in words."""
        from skpose.datasets import find_suspects

        labels = self.editor.labelled_keypoints()
        index = np.flatnonzero(np.isfinite(labels).any(axis=(1, 2)))
        if not len(index):
            return []
        images = self.editor.images.select(index)
        skeleton = self.editor.skeleton
        return [
            {
                "frame": int(index[suspect.image]),
                "bodyparts": list(suspect.bodyparts),
                "why": suspect.message,
            }
            for suspect in find_suspects(images, labels[index], skeleton=skeleton, numbers=index)
        ]

    def export(self, format):
        """Write what is labelled beside the set, in the format of another program.

        Parameters
        ----------
        format : str
            As `skpose.datasets.write_labels` takes it.

        Returns
        -------
        dict
            ``path``, where it is, and ``n_images``.

        Raises
        ------
        OSError
            If it cannot be written.
        Overtaken
            If somebody else does so now.
        ValueError
            If nothing is labelled, or a library is missing.
        """
        from skpose.datasets import read_annotations, write_labels

        if not self._exporting.acquire(blocking=False):
            raise Overtaken("Somebody else exports the labels now. Try again in a moment.")
        try:
            labels = read_annotations(self.path)
            path = self._free_path(format)
            write_labels(path, labels, format=format)
        except ImportError as error:
            raise ValueError(str(error)) from error
        finally:
            self._exporting.release()
        return {"path": str(path), "n_images": len(labels.images)}

    def _free_path(self, format):
        """Return a name beside the set under which nothing is written yet."""
        from skpose.datasets import check_labels_path

        for number in count(1):
            ending = f"{'' if number == 1 else f'_{number}'}{WRITTEN[format]}"
            path = self.path.with_name(f"{self.path.stem}_{format}{ending}")
            with suppress(FileExistsError):
                check_labels_path(path, format=format)
                return path

    def guess(self, images, keypoints, model):
        """Write what a model finds in images, where nobody has labelled anything.

        Raises
        ------
        OSError
            If it cannot be written.
        ReadOnly
            If nothing can be changed.
        ValueError
            If it does not fit the set.
        """
        self.check_writable()
        self.n_edits += 1
        self.editor.guess(images, keypoints, model=model)

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


def _as_hex(color):
    return "#" + "".join(f"{round(255 * value):02x}" for value in color)
