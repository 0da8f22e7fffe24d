"""Detections linked from frame to frame, so that each individual keeps its id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skpose._types import Video
from skpose.individuals._blobs import Ellipse
from skpose.individuals._detect import BlobDetector, iterate_frames
from skpose.individuals._orientation import resolve_angles
from skpose.individuals._tracks import keep_long
from skpose.video import open_video

if TYPE_CHECKING:
    import pandas as pd

_GAINS = 1.0, 0.5  # how much of a surprise goes into the position and into the velocity
_GAINS_OF_PARTS = 0.3, 0.05
_COASTING = 3  # frames for which an individual that is not seen is taken to move on


def track_individuals(
    video: Video,
    n_individuals: int | None = None,
    *,
    detector: BlobDetector | None = None,
    max_distance: float | None = None,
    max_absence: int | None = None,
    min_length: int = 1,
) -> pd.DataFrame:
    """Find the individuals of a video and follow them.

    For videos without tracks: simple and quick, for few animals before an even or steady ground. It
    knows individuals by where they are, so that ids may be exchanged where animals lie over each
    other; dedicated trackers do better.

    Parameters
    ----------
    video : str, path-like or array-like of shape (n_frames, height, width, n_channels)
        The video: a file, which is read in grey, or its frames.
    n_individuals : int, default=None
        How many individuals there are, if that is known and the same throughout.
    detector : BlobDetector, default=None
        What finds the individuals. One that is not fitted is fitted to the video, as a copy. None:
        ``BlobDetector(n_individuals)``.
    max_distance, max_absence : default=None
        See `link_detections`.
    min_length : int, default=1
        Leave out individuals that are seen in fewer frames.

    Returns
    -------
    pandas.DataFrame
        Tracks: a row for each individual in each frame where it was found, with the columns frame,
        id, x, y, angle (radians; towards the end that the individual moves to, see
        `resolve_angles`).

    Raises
    ------
    FileNotFoundError
        If there is no such video.
    TypeError
        If the frames are an `ImageBatch`, or images of another type.
    ValueError
        If the video cannot be read or has no frames, a parameter of the detector is out of its
        range, or it was fitted to frames of another size.

    See Also
    --------
    interpolate_tracks : Fill the gaps.
    predict_individuals : Give the poses of all individuals.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.individuals import track_individuals
    >>> X = np.zeros((9, 24, 32, 1), dtype=np.uint8)
    >>> for i in range(9):  # one walks to the right, the other to the left
    ...     X[i, 4:7, 2 * i : 2 * i + 5] = 200
    ...     X[i, 15:18, 20 - 2 * i : 25 - 2 * i] = 200
    >>> tracks = track_individuals(X, 2)
    >>> tracks.loc[tracks["frame"] == 8, ["frame", "id", "x", "y"]].round(1)
        frame  id     x     y
    16      8   0  18.0   5.0
    17      8   1   6.0  16.0
    """
    X = open_video(video, n_channels=1)
    detector = BlobDetector(n_individuals) if detector is None else detector
    try:
        check_is_fitted(detector)
    except NotFittedError:
        detector = clone(detector).fit(X)
    if n_individuals is None:
        detections = detector.detect(X)
        tracks = link_detections(detections, max_distance=max_distance, max_absence=max_absence)
    else:
        tracks = _follow(X, detector, Linker(n_individuals, max_distance, max_absence))
    tracks = resolve_angles(keep_long(tracks, min_length))
    return tracks[["frame", "id", "x", "y", "angle"]]


def link_detections(
    detections: pd.DataFrame,
    n_individuals: int | None = None,
    *,
    max_distance: float | None = None,
    max_absence: int | None = None,
) -> pd.DataFrame:
    """Give detections the id of the individual that they show.

    In each frame, individuals are assigned to detections so that the distances between where they
    should be and where they were found have the smallest sum. Where an individual should be follows
    from its last position and velocity, so that ids are kept where paths cross.

    Parameters
    ----------
    detections : pandas.DataFrame
        The columns frame, x and y (pixels); any others are kept.
    n_individuals : int, default=None
        How many individuals there are at most; later detections that fit none are left out. None:
        each of them is a new individual.
    max_distance : float, default=None
        The farthest that a detection may be from where its individual should be, in pixels for each
        frame since it was last seen. None: no limit with `n_individuals`, else three times the
        median distance between detections and their nearest in the frame before, at least 5.
    max_absence : int, default=None
        Frames that an individual may not be seen for. After that, it is another one. None: any
        number with `n_individuals`, else 10.

    Returns
    -------
    pandas.DataFrame
        The detections with an id, ordered by frame, with the column id (from 0) after frame.

    Raises
    ------
    ValueError
        If frame, x or y is missing, or positions are no numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from skpose.individuals import link_detections
    >>> found = pd.DataFrame({"frame": [0, 0, 1, 1], "x": [1.0, 9.0, 8.0, 2.0], "y": 0.0})
    >>> link_detections(found, 2)["id"].tolist()
    [0, 1, 1, 0]
    """
    missing = {"frame", "x", "y"} - set(getattr(detections, "columns", ()))
    if missing:
        raise ValueError(
            f"detections must be a table with the columns frame, x and y, but lacks "
            f"{', '.join(sorted(missing))}."
        )
    detections = detections.drop(columns="id", errors="ignore")
    detections = detections.sort_values("frame", kind="stable").reset_index(drop=True)
    frames = detections["frame"].to_numpy()
    positions = detections[["x", "y"]].to_numpy(dtype=np.float64)
    if max_distance is None and n_individuals is None:
        max_distance = _usual_distance(frames, positions)
    linker = Linker(n_individuals, max_distance, max_absence)
    ids = np.full(len(frames), -1)
    for frame, start, stop in _groups(frames):
        ids[start:stop] = linker.see(frame, positions[start:stop])
    detections.insert(1, "id", ids)
    return detections[detections["id"] >= 0].reset_index(drop=True)


def _follow(X, detector, linker):
    """Find and link in one go, so that those who touch are split where they should be by now."""
    import pandas as pd

    rows = []
    for frame, image in iterate_frames(detector, X):
        blobs = detector.find(image, linker.expect(frame))
        ids = linker.see(frame, np.array([blob.center for blob in blobs]).reshape(-1, 2), blobs)
        rows += [(frame, i, *blob.describe()[:3]) for i, blob in zip(ids, blobs, strict=True)]
    tracks = pd.DataFrame(rows, columns=["frame", "id", "x", "y", "angle"])
    return tracks[tracks["id"] >= 0].sort_values(["frame", "id"]).reset_index(drop=True)


class Linker:
    """Knows individuals from one frame to the next by where they should be.

    Parameters
    ----------
    n_individuals : int or None
        How many there are at most.
    max_distance : float or None
        See `link_detections`; None: no limit.
    max_absence : int or None
        See `link_detections`.
    """

    def __init__(self, n_individuals, max_distance, max_absence):
        if max_absence is None:
            max_absence = 10 if n_individuals is None else np.inf
        self.n_individuals = np.inf if n_individuals is None else n_individuals
        self.max_distance = np.inf if max_distance is None else max_distance
        self.max_absence = max_absence
        self._individuals = []
        self._n_seen = 0

    def expect(self, frame):
        """Return the ellipses where the individuals should be in a frame, if they were blobs."""
        return [
            Ellipse(one.expect(frame), one.covariance)
            for one in self._individuals
            if one.covariance is not None
        ]

    def see(self, frame, positions, blobs=None):
        """Return the number of each detection's individual, -1 for none.

        Parameters
        ----------
        frame : int
            Greater than in the call before.
        positions : ndarray of shape (n_detections, 2)
            (x, y) in pixels.
        blobs : sequence of Blob, default=None
            The same as blobs, if they are.
        """
        blobs = [None] * len(positions) if blobs is None else blobs
        ids = np.full(len(positions), -1)
        self._individuals = [
            one for one in self._individuals if frame - one.frame - 1 <= self.max_absence
        ]
        for one, i in _assign(self._individuals, frame, positions, self.max_distance):
            ids[i] = one.number
            one.see(frame, positions[i], blobs[i])
        for i in np.flatnonzero(ids < 0):
            if self._n_seen < self.n_individuals:
                ids[i] = self._n_seen
                self._individuals.append(_Individual(self._n_seen, frame, positions[i], blobs[i]))
                self._n_seen += 1
        return ids


class _Individual:
    """Where an individual is, and how it moves.

    A blob of its own tells its position. Where several individuals touch, and make one blob that is
    divided among them, a part tells little: there it is expected to move on as before. Otherwise
    two that pass each other would seem to turn round.
    """

    def __init__(self, number, frame, position, blob):
        self.number = number
        self.frame = frame
        self.position = position
        self.velocity = np.zeros(2)
        self.covariance = None if blob is None else blob.covariance

    def expect(self, frame):
        return self.position + self.velocity * min(frame - self.frame, _COASTING)

    def see(self, frame, position, blob):
        is_part = blob is not None and blob.is_part
        gain, velocity_gain = _GAINS_OF_PARTS if is_part else _GAINS
        expected = self.expect(frame)
        surprise = position - expected
        self.velocity = self.velocity + velocity_gain * surprise / (frame - self.frame)
        self.frame, self.position = frame, expected + gain * surprise
        if blob is not None and not is_part:
            self.covariance = blob.covariance


def _groups(frames):
    """Return (frame, start, stop) of the rows of each frame."""
    values, starts = np.unique(frames, return_index=True)
    stops = np.append(starts, len(frames))[1:]
    return zip(values.tolist(), starts.tolist(), stops.tolist(), strict=True)


def _assign(individuals, frame, positions, max_distance):
    """Return pairs of individuals and positions of detections: as many as possible, and near."""
    from scipy.optimize import linear_sum_assignment

    if not individuals:
        return []
    expected = np.stack([one.expect(frame) for one in individuals])
    distances = np.linalg.norm(expected[:, None] - positions, axis=2)
    elapsed = np.array([frame - one.frame for one in individuals])
    allowed = distances <= max_distance * elapsed[:, None]
    never = 1 + distances.sum()  # one such pair costs more than all others together
    pairs = zip(*linear_sum_assignment(np.where(allowed, distances, never)), strict=True)
    return [(individuals[one], i) for one, i in pairs if allowed[one, i]]


def _usual_distance(frames, positions):
    """Return a limit from the way that detections move from one frame to the next."""
    steps, before = [], None
    for frame, start, stop in _groups(frames):
        here = positions[start:stop]
        if before is not None and before[0] == frame - 1:
            steps.append(np.linalg.norm(here[:, None] - before[1], axis=2).min(axis=1))
        before = frame, here
    return max(5.0, 3 * float(np.median(np.concatenate(steps)))) if steps else np.inf
