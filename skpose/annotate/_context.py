"""Frames of a video around one that is in a set: to look at, and to add."""

from contextlib import suppress
from pathlib import Path
from threading import Lock

from skpose._files import name_with_size, name_without_size
from skpose.annotate._images import EncodedCache, encode_image
from skpose.datasets import append_images

__all__ = ["Context"]

_CACHE = 2**25  # bytes
_AT_ONCE = 8  # frames that are read together: to go to one of a video costs more than to go on


class Context:
    """Gives frames of the videos that a set's images were taken from.

    Videos are known by name and size. They are looked for among those that were given, and beside
    the set.

    Parameters
    ----------
    session : LabelSession
        The set.
    videos : sequence of path-like, default=()
        Where videos are.
    """

    def __init__(self, session, videos=()):
        self._session = session
        self._given = {name_with_size(path): Path(path) for path in videos}
        self._open = {}
        self._cache = EncodedCache(_CACHE)
        self._lock = Lock()

    def about(self, index):
        """Return of which video an image is a frame, as JSON can hold it.

        Parameters
        ----------
        index : int
            Which image.

        Returns
        -------
        dict
            ``video``, its name; ``number`` of the frame in it; ``n_frames``, how many it has; and
            ``in_set``, the numbers of its frames in the set.

        Raises
        ------
        ValueError
            If there is no such image, it is of no video, or that is not found or another one.
        """
        name, number, frames = self._find(index)
        return {
            "video": name_without_size(name),
            "number": number,
            "n_frames": len(frames),
            "in_set": self._session.editor.frames_of(name).tolist(),
        }

    def encode(self, index, offset):
        """Return a frame of an image's video as a file, so many frames after the image.

        Raises
        ------
        ValueError
            If there is none.
        """
        name, number, frames = self._find(index, offset)
        with self._lock:
            encoded = self._cache.get((name, number))
            if encoded is not None:
                return encoded
            first = number - number % _AT_ONCE
            files = [
                encode_image(image, is_exact=False) for image in frames[first : first + _AT_ONCE]
            ]
            for i, file in enumerate(files, first):
                self._cache.keep((name, i), file)
            return files[number - first]

    def add(self, index, offset):
        """Put a frame of an image's video into the set.

        Parameters
        ----------
        index : int
            Which image.
        offset : int
            Frames after it.

        Returns
        -------
        int
            The number of the new image; of a frame that is in the set already, its number.

        Raises
        ------
        OSError
            If it cannot be written.
        ReadOnly
            If nothing can be changed.
        ValueError
            If there is no such frame.
        """
        self._session.check_writable()
        name, number, frames = self._find(index, offset)
        editor = self._session.editor
        with self._lock:
            known = editor.find_frame(name, number)
            if known is not None:
                return known
            image = frames[number : number + 1]
            append_images(self._session.path, image, videos=[name], frame_numbers=[number])
            editor.refresh()
            self._session.n_edits += 1
            return editor.find_frame(name, number)

    def find_videos(self):
        """Return the set's videos, VideoFrames, as far as they are found."""
        found = []
        for name in self._session.editor.video_names:
            with suppress(OSError, ValueError, ImportError):
                found.append(self._open_once(name))
        return found

    def _open_once(self, name):
        with self._lock:
            if name not in self._open:
                self._open[name] = self._open_video(name)
            return self._open[name]

    def _find(self, index, offset=0):
        """Return the name of an image's video, the number of a frame near it, and the video."""
        self._session.check_index(index)
        name, number = self._session.editor.source_of(index)
        if not name:
            raise ValueError("The set does not tell of which video this image is a frame.")
        frames, number = self._open_once(name), number + offset
        if not 0 <= number < len(frames):
            raise ValueError(
                f"{name_without_size(name)} has the frames 0 to {len(frames) - 1}, not {number}."
            )
        return name, number, frames

    def _open_video(self, name):
        from skpose.video import VideoFrames

        folder, file = self._session.path.parent, name_without_size(name)
        path = self._given.get(name, folder / file)
        is_bare = name in self._given or Path(file).name == file  # no way out of the folder
        if not is_bare or not path.is_file():
            raise ValueError(
                f"{file} is not in {folder}. Give it to `skpose label` with the set, or move it "
                "there."
            )
        if name_with_size(path) != name:
            raise ValueError(f"{path} is another video than the one that frames were taken from.")
        images = self._session.editor.images
        frames = VideoFrames(path, n_channels=images.shape[3])
        if frames.shape[1:] != images.shape[1:]:
            raise ValueError(
                f"{path.name} has frames of {frames.shape[1]} x {frames.shape[2]} pixels, but the "
                f"set has images of {images.shape[1]} x {images.shape[2]}."
            )
        return frames
