"""The animal's bodyparts, and how they hang together."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
import csv
from typing import TYPE_CHECKING, Any, Self
import warnings

import numpy as np
from numpy.typing import NDArray

from skpose._files import begins_with, check_output, reading, replacing
from skpose._text_tables import NOTHING, read_named_rows
from skpose._types import PathLike

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Skeleton"]

UNNAMED = "bodypart_1"  # stands alone in a set whose bodyparts are still to be named
_N_TOLD = 30  # names that a message lists at most
_SIDES = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"), ("L", "R"), ("l", "r"))


def number_names(n_keypoints):
    """Name bodyparts that have none: keypoint_0, keypoint_1, and so on."""
    return tuple(f"keypoint_{i}" for i in range(n_keypoints))


def find_roots(parents):
    """Return the position of the root that each bodypart hangs on, an ndarray (n_keypoints,)."""
    parents = np.asarray(parents).tolist()
    n_keypoints = len(parents)
    if any(parent >= n_keypoints for parent in parents):
        raise ValueError(f"parents are positions below {n_keypoints}, or -1, but are {parents}.")
    roots = [i if parent < 0 else -1 for i, parent in enumerate(parents)]
    for i in range(n_keypoints):
        path = []
        while roots[i] < 0:
            if len(path) == n_keypoints:
                raise ValueError(f"The parents {parents} form a cycle.")
            path.append(i)
            i = parents[i]
        for j in path:
            roots[j] = roots[i]
    return np.array(roots, dtype=np.int32)


class Skeleton:
    """Names of the bodyparts, a parent for each and a left/right partner for each.

    A skeleton is a forest: any number of bodyparts may be roots, anywhere in the order. It is
    immutable, so estimators may share one.

    Parameters
    ----------
    names : sequence of str
        Names of the bodyparts, in the order of the keypoints; all different.
    parents : sequence of (str, int or None), default=None
        The parent of each bodypart, by name or by position; None, -1 or "" for a root. None: every
        bodypart is a root.
    swaps : sequence of (str, int or None), default=None
        The bodypart that each one becomes in a mirror image, by name or by position; None, -1 or ""
        where it becomes itself. None: no bodypart has a partner.

    Attributes
    ----------
    names : tuple of str
        Names of the bodyparts.
    parents : ndarray of shape (n_keypoints,)
        Position of each one's parent, -1 for a root.
    swap_index : ndarray of shape (n_keypoints,)
        Position of each one's mirror partner, its own position where it has none, so that
        ``keypoints[:, swap_index]`` renames the keypoints of a mirrored image.

    Raises
    ------
    ValueError
        If a name occurs twice, a parent or partner is unknown, the parents form a cycle or a
        partner is named by one side alone. The message names the row.

    Examples
    --------
    >>> from skpose import Skeleton
    >>> fly = Skeleton(["head", "wingL", "wingR"], ["", "head", "head"], ["", "wingR", "wingL"])
    >>> fly.edges.tolist()
    [[0, 1], [0, 2]]
    >>> fly.swap_index.tolist()
    [0, 2, 1]
    """

    def __init__(
        self,
        names: Sequence[str],
        parents: Sequence[str | int | None] | NDArray[np.integer] | None = None,
        swaps: Sequence[str | int | None] | NDArray[np.integer] | None = None,
    ) -> None:
        self._names = tuple(str(name) for name in names)
        if not self._names:
            raise ValueError("A skeleton needs at least one bodypart, but `names` is empty.")
        numbers = {}
        for i, name in enumerate(self._names):
            if not name or name in numbers:
                raise ValueError(
                    f"Row {i}: bodypart name {name!r} is empty or occurs twice; "
                    "bodyparts need different names."
                )
            numbers[name] = i
        self._numbers = numbers
        self._parents = self._positions(parents, "parent")
        self._check_forest()
        self._swaps = self._positions(swaps, "swap")
        self._check_swaps()

    def _positions(self, values, what):
        n_keypoints = len(self._names)
        values = [None] * n_keypoints if values is None else list(values)
        if len(values) != n_keypoints:
            raise ValueError(
                f"{n_keypoints} bodyparts need as many {what}s, but got {len(values)}."
            )
        positions = np.full(n_keypoints, -1, dtype=np.int32)
        for i, value in enumerate(values):
            positions[i] = self._position(i, value, what)
        positions.flags.writeable = False
        return positions

    def _position(self, i, value, what):
        if _is_none(value):
            return -1
        if isinstance(value, str):
            if value not in self._numbers:
                n_more = len(self) - _N_TOLD
                raise ValueError(
                    f"Row {i} ({self._names[i]!r}): {what} {value!r} is not a bodypart; bodyparts "
                    f"are {', '.join(self._names[:_N_TOLD])}"
                    f"{f' and {n_more} more' if n_more > 0 else ''}."
                )
            position = self._numbers[value]
        else:
            position = int(value)
            if not 0 <= position < len(self._names):
                raise ValueError(
                    f"Row {i} ({self._names[i]!r}): {what} {position} is out of range; "
                    f"there are {len(self._names)} bodyparts. Use -1 for none."
                )
        if position == i:
            raise ValueError(
                f"Row {i} ({self._names[i]!r}): a bodypart cannot be its own {what}; "
                "leave it empty."
            )
        return position

    def _check_forest(self):
        parents, reaches_root = self._parents.tolist(), set()
        for i, name in enumerate(self._names):
            path, at = {}, i  # a dict for its order
            while at >= 0 and at not in reaches_root:
                if at in path:
                    cycle = " -> ".join(self._names[k] for k in [*path, at][-_N_TOLD:])
                    raise ValueError(f"Row {i} ({name!r}): the parents form a cycle: {cycle}.")
                path[at] = None
                at = parents[at]
            reaches_root.update(path)

    def _check_swaps(self):
        for i, j in enumerate(self._swaps):
            if j >= 0 and self._swaps[j] != i:
                back = self._swaps[j]
                named = repr(self._names[back]) if back >= 0 else "none"
                raise ValueError(
                    f"Row {i} ({self._names[i]!r}) swaps with {self._names[j]!r}, but row {j} "
                    f"({self._names[j]!r}) swaps with {named}; partners must name each other."
                )

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    @property
    def parents(self) -> NDArray[np.int32]:
        return self._parents

    @property
    def swap_index(self) -> NDArray[np.intp]:
        return np.where(self._swaps < 0, np.arange(len(self._names)), self._swaps)

    @property
    def has_swaps(self) -> bool:
        """Whether any bodypart has a left/right partner."""
        return bool((self._swaps >= 0).any())

    @property
    def sides(self) -> NDArray[np.int8]:
        """ndarray of shape (n_keypoints,): -1 for the left, 1 for the right, 0 without a partner.

        Where names do not tell, the partner that comes first counts as the left one.
        """
        sides = np.zeros(len(self), dtype=np.int8)
        for i, partner in enumerate(self.swap_index):
            if partner > i:
                is_swapped = _is_right_of(self.names[i], self.names[partner])
                sides[[i, partner]] = (1, -1) if is_swapped else (-1, 1)
        return sides

    @property
    def edges(self) -> NDArray[np.int32]:
        """ndarray of shape (n_edges, 2): positions of (parent, child), ordered by child."""
        children = np.flatnonzero(self._parents >= 0)
        return np.stack([self._parents[children], children], axis=1).astype(np.int32)

    @property
    def roots(self) -> NDArray[np.intp]:
        """ndarray of shape (n_roots,): positions of the bodyparts without a parent."""
        return np.flatnonzero(self._parents < 0)

    @property
    def limbs(self) -> NDArray[np.int32]:
        """ndarray of shape (n_keypoints,): the connected component of each bodypart, from 0.

        Components are numbered in the order of their roots.
        """
        return np.searchsorted(self.roots, find_roots(self._parents)).astype(np.int32)

    @classmethod
    def from_names(cls, names: Sequence[str], *, guess_swaps: bool = False) -> Self:
        """Build a skeleton without edges.

        Parameters
        ----------
        names : sequence of str
            Names of the bodyparts.
        guess_swaps : bool, default=False
            Take bodyparts whose names differ only in "left" and "right", or in one "L" and "R",
            for partners.

        Returns
        -------
        Skeleton
        """
        names = [str(name) for name in names]
        known = set(names)
        swaps = [_mirror_name(name, known) for name in names] if guess_swaps else None
        return cls(names, None, swaps)

    @classmethod
    def from_csv(cls, path: PathLike) -> Self:
        """Read a skeleton from a table with the columns name, parent and swap, as in DeepPoseKit.

        An empty cell, NaN or NA means no parent, or no partner.

        Partners that contradict each other are repaired where just one pairing agrees with what
        the rows say, with a warning that names the rows.

        Parameters
        ----------
        path : str or path-like
            The CSV file.

        Returns
        -------
        Skeleton

        Raises
        ------
        ValueError
            If it is no such table in UTF-8 with commas, or its rows contradict each other.
        """
        with reading(path, "a skeleton"):
            columns, rows = read_named_rows(path)
            if not rows or not {"name", "parent"} <= set(columns):
                raise ValueError(
                    f"{path} is not a skeleton table: it needs a header with the columns "
                    "name, parent and (optionally) swap, and a row for each bodypart."
                )
            names = [row["name"] for row in rows]
            none = set(NOTHING) - set(names)  # a bodypart may be called NA
            table = {
                key: ["" if row.get(key, "") in none else row[key] for row in rows]
                for key in ("parent", "swap")
            }
            return cls.from_dict({"name": names, **table})

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Self:
        """Build a skeleton from a pandas.DataFrame with the columns name, parent and swap.

        Parameters
        ----------
        frame : pandas.DataFrame
            A row for each bodypart.

        Returns
        -------
        Skeleton
        """
        frame = frame.astype(object).where(frame.notna(), "")
        return cls.from_dict({key: list(frame[key]) for key in frame.columns})

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Self:
        """Build a skeleton from lists, as `to_dict` gives them.

        Parameters
        ----------
        table : dict
            Lists under the keys "name", "parent" and (optionally) "swap".

        Returns
        -------
        Skeleton
        """
        unknown = {"name", "parent"} - set(table)
        if unknown:
            raise ValueError(f"A skeleton table needs the column(s) {', '.join(sorted(unknown))}.")
        skeleton = cls(table["name"], table["parent"])
        claims = skeleton._positions(table.get("swap"), "swap")
        return cls(skeleton.names, skeleton.parents, _agree(claims, skeleton.names))

    def to_dict(self) -> dict[str, list[str]]:
        """Return the table as lists under "name", "parent" and "swap", with "" for none."""
        return {
            "name": list(self._names),
            "parent": [self._names[j] if j >= 0 else "" for j in self._parents],
            "swap": [self._names[j] if j >= 0 else "" for j in self._swaps],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas.DataFrame with the columns name, parent and swap."""
        import pandas as pd

        return pd.DataFrame(self.to_dict())

    def to_csv(self, path: PathLike, *, overwrite: bool = False) -> None:
        """Write the table that `from_csv` reads.

        Parameters
        ----------
        path : str or path-like
            The CSV file. It appears when it is complete.
        overwrite : bool, default=False
            Whether it may exist, and is replaced.
        """
        table = self.to_dict()
        is_table = begins_with(b"name,", b"\xef\xbb\xbfname,")
        check_output(path, what="Skeletons", overwrite=overwrite, is_same=is_table)
        with (
            replacing(path, overwrite=overwrite) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(table)
            writer.writerows(zip(*table.values(), strict=True))

    def __len__(self) -> int:
        return len(self._names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Skeleton) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self._names, self._parents.tobytes(), self._swaps.tobytes()))

    def __reduce__(self) -> tuple[Any, ...]:
        return Skeleton, (self._names, self._parents.tolist(), self._swaps.tolist())

    def __repr__(self) -> str:
        return (
            f"<Skeleton of {len(self)} bodyparts, {len(self.edges)} edges, "
            f"{int((self._swaps >= 0).sum()) // 2} left/right pairs>"
        )


def check_skeleton(skeleton, n_keypoints):
    """Check that a skeleton is one, and has as many bodyparts as there are keypoints."""
    if skeleton is None:
        return
    if not isinstance(skeleton, Skeleton):
        raise TypeError(
            f"skeleton must be a skpose.Skeleton or None, but was {type(skeleton).__name__}. "
            "Skeleton.from_names makes one from a list of names."
        )
    if len(skeleton) != n_keypoints:
        raise ValueError(
            f"skeleton has {len(skeleton)} bodyparts, but there are {n_keypoints} keypoints an "
            "image."
        )


def _is_none(value):
    if value is None or value == "":
        return True
    return not isinstance(value, str) and (value != value or value < 0)  # NaN, or -1


def _mirror_name(name, names):
    """Return the name of the other side among `names`, None if there is none."""
    return _mirror(name, names)[0]


def _is_right_of(name, partner):
    """Whether the names tell that `name` is the right one of two partners."""
    return _mirror(name, {partner})[1]


def _mirror(name, names):
    """Return the name of the other side among `names`, and whether `name` is the right one."""
    for pair in _SIDES:
        for this, other in (pair, pair[::-1]):
            for i in range(len(name)):
                mirrored = name[:i] + other + name[i + len(this) :]
                if name.startswith(this, i) and mirrored in names:
                    return mirrored, this == pair[1]
    return None, False


def _agree(claims, names):
    """Pair the bodyparts so that each pair is claimed by at least one of the two.

    Where one bodypart names a partner that names nobody, nothing is changed, and `Skeleton` refuses
    it. Where several contradict each other, those at the ends of the chain are paired first, since
    they can have one partner only. If a bodypart is left over then, there is no pairing, or more
    than one, and nothing is changed.
    """
    swaps = np.full_like(claims, -1)
    neighbours = {i: set() for i in range(len(claims))}
    for i, j in enumerate(claims):
        if j >= 0:
            neighbours[i].add(int(j))
            neighbours[int(j)].add(i)
    contradicted = [i for i, j in enumerate(claims) if j >= 0 and claims[j] != i]
    if not any(claims[claims[i]] >= 0 for i in contradicted):
        return claims
    involved = [i for i, others in neighbours.items() if others]
    ends = deque(i for i, others in neighbours.items() if len(others) == 1)
    while ends:
        end = ends.popleft()
        if len(neighbours.get(end, ())) != 1:  # paired meanwhile
            continue
        (partner,) = neighbours[end]
        swaps[end], swaps[partner] = partner, end
        for other in neighbours.pop(partner):
            neighbours[other].discard(partner)
            if len(neighbours[other]) == 1:
                ends.append(other)
    if (swaps[involved] < 0).any():
        return claims
    changed = np.flatnonzero(swaps != claims)
    said = "; ".join(
        f"row {i} ({names[i]!r}) swaps with {names[claims[i]]!r}" for i in contradicted[:_N_TOLD]
    )
    assumed = "; ".join(f"{names[i]!r} with {names[swaps[i]]!r}" for i in changed[:_N_TOLD])
    warnings.warn(
        f"The left/right partners contradict each other: {said}. Assumed: {assumed}.",
        UserWarning,
        stacklevel=4,
    )
    return swaps
