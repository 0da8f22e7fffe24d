"""What has changed, found and told to all open pages."""

import asyncio
import json
import time

from skpose.annotate._presence import Presence

__all__ = ["Events"]

_HEARTBEAT = 5.0  # seconds
_OUTSIDE = 0.5  # seconds between two looks at what other programs have changed
_GLANCE = 0.05  # seconds between two looks at whether there is something to tell
_IDLE = 60.0  # seconds without an edit after which a long journal is folded


class Events:
    """A stream of events for each page that asks.

    An event holds the numbers of the images that have changed since the page was told last, so one
    that reads slowly gets fewer and longer ones, and takes no memory.

    Parameters
    ----------
    session : LabelSession
        What changes.
    jobs : Jobs
        What is at work.

    Attributes
    ----------
    presence : Presence
        Who is there.
    """

    def __init__(self, session, jobs):
        self.presence = Presence()
        self._session = session
        self._jobs = jobs
        self._closed = False

    def close(self):
        """End all streams."""
        self._closed = True

    async def watch(self):
        """Look after the set until it is cancelled: what others change, and a long journal."""
        while True:
            await asyncio.to_thread(self._session.look_outside)
            await asyncio.to_thread(self._session.fold_if_idle, _IDLE)
            await asyncio.sleep(_OUTSIDE)

    async def stream(self, since, client):
        """Return the events as the text of server-sent events.

        Parameters
        ----------
        since : int
            The version that the page knows.
        client : str
            Which page it is; it is present until the stream ends.

        Yields
        ------
        str
        """
        self.presence.arrive(client)
        try:
            async for events in self._tell(since):
                yield events
        finally:
            self.presence.leave(client)

    async def _tell(self, since):
        told = time.monotonic()
        said = {"set": {"read_only": None}, "presence": {"pages": []}}  # as far as the page knows
        yield "retry: 500\n\n"
        while not self._closed:
            since, said, events = await asyncio.to_thread(self._look, since, said)
            if events:
                told = time.monotonic()
                yield events
            elif time.monotonic() - told > _HEARTBEAT:
                told = time.monotonic()
                yield ": \n\n"
            await self._wait(since)

    async def _wait(self, version):
        """Wait until there may be something to tell."""
        end = time.monotonic() + _OUTSIDE
        while self._session.version == version and time.monotonic() < end and not self._closed:
            await asyncio.sleep(_GLANCE)

    def _look(self, since, said):
        version, frames = self._session.changed_since(since)
        now = {
            "set": {"read_only": self._session.trouble},
            "skeleton": {"skeleton": self._session.skeleton_key},
            "job": self._jobs.about,
            "presence": {"pages": self.presence.about},
        }
        events = []
        if frames:
            events.append(_event("edit", {"version": version, "frames": frames}, version))
        for kind, data in now.items():
            if data != said.get(kind):
                events.append(_event(kind, data, version))
        return version, now, "".join(events)


def _event(kind, data, version):
    text = json.dumps(data, separators=(",", ":"))
    return f"event: {kind}\nid: {version}\ndata: {text}\n\n"
