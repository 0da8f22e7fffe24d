"""Bodyparts of formats that know names and edges only, and no parents or partners."""

import warnings

from skpose.skeleton import Skeleton

__all__ = ["places_among", "skeleton_of_edges"]


def places_among(wanted, names, path):
    """Return where bodyparts are among those of a file; one that is not there is an error."""
    if unknown := [name for name in wanted if name not in names]:
        raise ValueError(
            f"skeleton has the bodyparts {', '.join(unknown)}, which {path} does not have; there "
            f"are {', '.join(names)}."
        )
    return [names.index(name) for name in wanted]


def skeleton_of_edges(names, edges, *, guess_swaps):
    """Return the skeleton of bodyparts that edges connect.

    Parameters
    ----------
    names : sequence of str
        The bodyparts.
    edges : list of (int, int)
        Pairs of positions among the names; which end is the parent, files do not agree upon.
    guess_swaps : bool
        Whether bodyparts whose names differ only in left and right are partners.

    Returns
    -------
    Skeleton

    Warns
    -----
    UserWarning
        If edges form a cycle, as parents cannot, so that some are left out.
    """
    swaps = Skeleton.from_names(names, guess_swaps=guess_swaps).swap_index
    swaps = [None if i == j else j for i, j in enumerate(swaps)]
    for pairs in (edges, [edge[::-1] for edge in edges]):
        parents = dict(pairs)
        if len(parents) == len(pairs) and not _has_cycle(parents):
            return Skeleton(names, [parents.get(i) for i in range(len(names))], swaps)
    return Skeleton(names, _spanning_parents(edges, len(names)), swaps)


def _has_cycle(parents):
    for i in parents:
        for _ in parents:
            i = parents.get(i, -1)
        if i >= 0:
            return True
    return False


def _spanning_parents(edges, n_keypoints):
    """Parents that follow the edges from the first bodypart on, once to each bodypart."""
    parents = [-1] * n_keypoints
    n_used, seen = 0, set()
    for root in range(n_keypoints):
        waiting = [] if root in seen else [root]
        seen.add(root)
        for i in waiting:  # grows while it is walked
            for j in (b if a == i else a for a, b in edges if i in (a, b)):
                if j not in seen:
                    parents[j] = i
                    seen.add(j)
                    waiting.append(j)
                    n_used += 1
    if n_used < len(set(map(frozenset, edges))):
        warnings.warn(
            f"The edges of the file form a cycle, but a bodypart has one parent: only {n_used} of "
            f"{len(edges)} edges are kept.",
            UserWarning,
            stacklevel=5,
        )
    return parents
