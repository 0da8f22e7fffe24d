"""Who looks at which image, so that two people need not label the same one."""

from threading import Lock

__all__ = ["Presence"]


class Presence:
    """The open pages, and where each of them is.

    A page is present as long as it has a stream of events. One that connects again may have two for
    a moment, so they are counted.
    """

    def __init__(self):
        self._lock = Lock()
        self._n_streams = {}
        self._places = {}

    def arrive(self, client):
        """Note a stream of a page."""
        with self._lock:
            self._n_streams[client] = self._n_streams.get(client, 0) + 1

    def leave(self, client):
        """Forget a page with its last stream."""
        with self._lock:
            self._n_streams[client] -= 1
            if not self._n_streams[client]:
                del self._n_streams[client]
                self._places.pop(client, None)

    def move(self, client, user, frame):
        """Note at which image a page is, and who sits there, if it has a stream."""
        with self._lock:
            if client in self._n_streams:
                self._places[client] = {"client": client, "user": user, "frame": frame}

    @property
    def about(self):
        """list of dict: of each page its ``client``, ``user`` and ``frame``."""
        with self._lock:
            return list(self._places.values())
