"""What the maps of a posture graph show, and which of them are drawn together."""

from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

from skpose.skeleton import find_roots

__all__ = ["LimbGroup", "PostureGraph"]


class LimbGroup(NamedTuple):
    """Limbs that all have the same number of segments, and the order in which they are drawn.

    Several segments are drawn at a time, in an order in which the maps of a limb are beside each
    other: to pick single maps out of many would take longer.
    """

    parts: list  # slices of the graph's segments
    by_limb: bool  # each part is a limb; else the first segments of all limbs, the second ones, ...


class PostureGraph:
    """The four levels of maps that a posture graph adds to the keypoints' own.

    Segments are the edges of the skeleton; a limb is a connected component that has an edge; the
    graph is all limbs; the last map is the graph with all keypoints. A skeleton without edges adds
    no maps.

    Parameters
    ----------
    parents : sequence of int
        Position of each bodypart's parent, -1 for a root.

    Attributes
    ----------
    children, parents : ndarray of shape (n_edges,)
        Positions of the two ends of each segment.
    groups : list of LimbGroup
        How segments make limbs, in the order of both; longer limbs come first.
    n_limbs : int
        Number of limbs.
    n_maps : int
        Number of maps that the graph adds to those of the keypoints.
    contents : ndarray of shape (n_keypoints, n_keypoints + n_maps)
        1 where a map shows a bodypart, else 0.
    """

    def __init__(self, parents):
        parents = np.asarray(parents, dtype=np.int32)
        limbs = sorted(_find_limbs(parents), key=len, reverse=True)
        self.groups, children = [], []
        for _, limbs_of_a_length in groupby(limbs, key=len):
            parts, by_limb = _divide(list(limbs_of_a_length))
            ends = len(children) + np.cumsum([0, *map(len, parts)])
            slices = [slice(start, end) for start, end in pairwise(ends.tolist())]
            self.groups.append(LimbGroup(slices, by_limb))
            children += sum(parts, [])
        self.children = np.array(children, dtype=np.int32)
        self.parents = parents[self.children]
        self.n_limbs = len(limbs)
        self.n_maps = len(children) + len(limbs) + 2 if limbs else 0
        self.contents = self._find_contents(parents, limbs)

    def _find_contents(self, parents, limbs):
        n_keypoints = len(parents)
        keypoints = np.eye(n_keypoints, dtype=np.float32)
        if not limbs:
            return keypoints
        segments = keypoints[self.children] + keypoints[self.parents]
        members = [np.union1d(limb, parents[limb]) for limb in limbs]
        limbs = [keypoints[limb].sum(axis=0) for limb in members]
        graph, everything = np.sum(limbs, axis=0), np.ones(n_keypoints, np.float32)
        return np.vstack([keypoints, segments, *limbs, graph, everything]).T


def _find_limbs(parents):
    """Group the children of all edges by the root that they hang on."""
    limbs, roots = {}, find_roots(parents).tolist()
    for child in np.flatnonzero(parents >= 0).tolist():
        limbs.setdefault(roots[child], []).append(child)
    return limbs.values()


def _divide(limbs):
    """Divide limbs of equal length into as few parts as can be: the limbs, or the limbs' layers."""
    by_limb = len(limbs) < len(limbs[0])
    return (limbs if by_limb else [list(layer) for layer in zip(*limbs, strict=True)]), by_limb
