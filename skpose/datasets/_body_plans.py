"""Body plans: where an animal's bodyparts are at rest, how they turn, and what is drawn.

Positions are complex numbers: the real axis points forwards, the imaginary axis to the animal's
left, and the unit is the length of the body.
"""

from collections import deque
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from skpose.skeleton import Skeleton

__all__ = ["MOUSE", "BodyPlan", "Shape", "generic_plan", "mouse_plan"]

# name, parent, swap, position at rest, the joint that it turns about, the largest turn (radians)
_MOUSE_PARTS = (
    ("snout", "head", "", 0.52, "head", 0.15),
    ("head", "neck", "", 0.35, "neck", 0.4),
    ("left_ear", "head", "right_ear", 0.265 + 0.115j, "head", 0.08),
    ("right_ear", "head", "left_ear", 0.265 - 0.115j, "head", 0.08),
    ("neck", "centre", "", 0.19, "centre", 0.35),
    ("left_forepaw", "neck", "right_forepaw", 0.13 + 0.24j, "neck", 0.25),
    ("right_forepaw", "neck", "left_forepaw", 0.13 - 0.24j, "neck", 0.25),
    ("centre", "", "", -0.03, "", 0.0),
    ("left_hindpaw", "tailbase", "right_hindpaw", -0.19 + 0.27j, "hips", 0.2),
    ("right_hindpaw", "tailbase", "left_hindpaw", -0.19 - 0.27j, "hips", 0.2),
    ("tailbase", "centre", "", -0.48, "hips", 0.25),
    ("tailmid", "tailbase", "", -0.78, "tailbase", 0.75),
    ("tailtip", "tailmid", "", -1.06, "tailmid", 0.85),
)
# joints that are no keypoints
_MOUSE_JOINTS = (
    ("shoulders", "", "", 0.11, "centre", 0.3),
    ("hips", "", "", -0.27, "centre", 0.4),
    ("left_heel", "", "", -0.3 + 0.21j, "left_hindpaw", 0.0),
    ("right_heel", "", "", -0.3 - 0.21j, "right_hindpaw", 0.0),
    ("left_eye", "", "", 0.405 + 0.058j, "head", 0.0),
    ("right_eye", "", "", 0.405 - 0.058j, "head", 0.0),
)
_MOUSE_TORSO = {
    "snout": 0.03,
    "head": 0.095,
    "neck": 0.105,
    "centre": 0.165,
    "hips": 0.185,
    "tailbase": 0.045,
}

MOUSE = Skeleton(*zip(*(part[:3] for part in _MOUSE_PARTS), strict=True))

# half the width of any other animal, from its front end (0) to its rear end (1)
_GIRTH_AT = (0.0, 0.1, 0.22, 0.42, 0.65, 0.85, 1.0)
_GIRTH = (0.06, 0.105, 0.085, 0.15, 0.165, 0.1, 0.03)
_LONG_SPINE = 8


@dataclass(frozen=True)
class Shape:
    """A union of tapered segments whose ends are linear in the joints.

    Attributes
    ----------
    weights : ndarray of shape (2, n_segments, n_joints)
        The start and the end of each segment's axis.
    radii : ndarray of shape (2, n_segments)
        Half the width there.
    material : {"coat", "skin", "inner", "eye"}
    shadow : bool
        Whether it casts a shadow on the floor.
    """

    weights: np.ndarray
    radii: np.ndarray
    material: str
    shadow: bool = False

    @classmethod
    def join(cls, chains, material, **options):
        """Make a shape of chains of stations, each a tuple (weights, radii) as `curve` gives."""
        chains = [_segments(*chain) for chain in chains]
        weights = np.concatenate([weights for weights, _ in chains], axis=1)
        return cls(
            weights, np.concatenate([radii for _, radii in chains], axis=1), material, **options
        )


def _segments(weights, radii):
    if len(radii) == 1:
        return np.stack([weights, weights]), np.stack([radii, radii])
    return np.stack([weights[:-1], weights[1:]]), np.stack([radii[:-1], radii[1:]])


def curve(joints, radii, n_joints, *, between=3, before=None):
    """Stations on a smooth curve (Catmull-Rom) through joints.

    Parameters
    ----------
    joints : sequence of int
        The joints on the curve, in order; a single one gives a single station.
    radii : sequence of float
        Half the width at each of them.
    n_joints : int
        Number of joints in the body plan.
    between : int, default=3
        Number of segments from one joint to the next.
    before : int, default=None
        The joint that the curve comes from, which gives its direction at the start.

    Returns
    -------
    weights : ndarray of shape (n_stations, n_joints)
        Each station as a combination of joints.
    radii : ndarray of shape (n_stations,)
        Half the width at each station.
    """
    points, radii = np.eye(n_joints)[list(joints)], np.asarray(radii, dtype=float)
    if len(points) == 1:
        return points, radii
    first = 2 * points[0] - points[1] if before is None else np.eye(n_joints)[before]
    p = np.vstack([first, points, 2 * points[-1] - points[-2]])
    at = np.linspace(0, len(radii) - 1, between * (len(radii) - 1) + 1)
    i = np.minimum(at.astype(int), len(radii) - 2)
    t = (at - i)[:, None]
    weights = p[i] * (-t + 2 * t**2 - t**3) + p[i + 1] * (2 - 5 * t**2 + 3 * t**3)
    weights += p[i + 2] * (t + 4 * t**2 - 3 * t**3) + p[i + 3] * (t**3 - t**2)
    ease = (t * t * (3 - 2 * t))[:, 0]
    return weights / 2, radii[i] + (radii[i + 1] - radii[i]) * ease


@dataclass(frozen=True)
class BodyPlan:
    """Joints, the first of which are the keypoints, and the shapes that draw them.

    Attributes
    ----------
    skeleton : Skeleton
    rest : ndarray of shape (n_joints,)
        Complex positions at rest.
    hinges : ndarray of shape (n_joints,)
        The joint that each one turns about, -1 for the one that carries the body.
    turns : ndarray of shape (n_joints,)
        The largest turn about the hinge to either side, in radians.
    shapes : tuple of Shape
        From bottom to top.
    """

    skeleton: Skeleton
    rest: np.ndarray
    hinges: np.ndarray
    turns: np.ndarray
    shapes: tuple

    @cached_property
    def extent(self):
        """Largest distance between two joints at rest."""
        return float(np.abs(self.rest[:, None] - self.rest).max())

    @cached_property
    def thickness(self):
        """ndarray of shape (n_joints,): the largest radius that is drawn at each joint."""
        thickness = np.zeros(len(self.rest))
        for shape in self.shapes:
            at_joint = np.where(shape.weights > 0.999, shape.radii[..., None], 0)
            np.maximum(thickness, at_joint.max(axis=(0, 1)), out=thickness)
        return thickness

    @cached_property
    def _movers(self):
        """(n_joints, n_joints), 1 where the column's joint moves the row's, itself included."""
        movers = np.eye(len(self.rest))
        for i in range(len(self.rest)):
            j = self.hinges[i]
            while j >= 0:
                movers[i, j] = 1
                j = self.hinges[j]
        return movers

    def pose(self, rng):
        """Draw a posture of an animal that heads along the real axis.

        Parameters
        ----------
        rng : numpy.random.Generator

        Returns
        -------
        ndarray of shape (n_joints,)
            Complex positions.
        """
        lengths = rng.uniform(0.94, 1.06, len(self.rest))
        return self.bend(lengths, rng.uniform(-1, 1, len(self.rest)))

    def bend(self, lengths, bends):
        """Return a posture of an animal that heads along the real axis.

        Parameters
        ----------
        lengths : ndarray of shape (n_joints,)
            Factors of the distances from the joints to their hinges.
        bends : ndarray of shape (n_joints,)
            Turns about the hinges, -1 to 1 times the largest.

        Returns
        -------
        ndarray of shape (n_joints,)
            Complex positions.
        """
        bones = self.rest - np.where(self.hinges < 0, 0, self.rest[self.hinges])
        turns = self._movers @ (self.turns * bends)
        return self._movers @ (bones * lengths * np.exp(1j * turns))


def mouse_plan():
    """Make the body plan of the default skeleton, a mouse seen from above."""
    parts = _MOUSE_PARTS + _MOUSE_JOINTS
    index = {name: i for i, (name, *_) in enumerate(parts)}

    def chain(radii, **options):
        return curve([index[name] for name in radii], list(radii.values()), len(parts), **options)

    def both(radii):
        sides = ("left", "right")
        return [
            chain({name.replace("*", side): radius for name, radius in radii.items()}, between=1)
            for side in sides
        ]

    legs = both({"shoulders": 0.07, "*_forepaw": 0.027}) + both({"hips": 0.15, "*_heel": 0.045})
    paws = both({"*_forepaw": 0.034}) + both({"*_heel": 0.032, "*_hindpaw": 0.036})
    tail = {"tailbase": 0.03, "tailmid": 0.024, "tailtip": 0.013}
    return BodyPlan(
        skeleton=MOUSE,
        rest=np.array([part[3] for part in parts], dtype=complex),
        hinges=np.array([index.get(part[4], -1) for part in parts]),
        turns=np.array([part[5] for part in parts]),
        shapes=(
            Shape.join(legs, "coat"),
            Shape.join(paws, "skin"),
            Shape.join([chain(tail, between=5, before=index["hips"])], "skin", shadow=True),
            Shape.join([chain(_MOUSE_TORSO)], "coat", shadow=True),
            Shape.join([*both({"*_ear": 0.07}), chain({"snout": 0.024})], "skin"),
            Shape.join(both({"*_ear": 0.042}), "inner"),
            Shape.join(both({"*_eye": 0.018}), "eye"),
        ),
    )


def generic_plan(skeleton):
    """Make a body plan for any skeleton.

    Bodyparts without a partner form the spine, from front to rear in the order of their names; the
    others are limbs at its sides, the alphabetically first of two partners on the left. Limbs
    without an edge to the spine start at the flanks.

    Parameters
    ----------
    skeleton : Skeleton

    Returns
    -------
    BodyPlan
    """
    draft = _Draft(skeleton)
    draft.lay_spine()
    for joint in draft.spine:
        draft.attach_limbs(joint)
    draft.attach_flanks()
    return draft.finish()


class _Draft:
    """A body plan in the making: joints get a position, a hinge and a largest turn one by one."""

    def __init__(self, skeleton):
        self.skeleton = skeleton
        self.neighbours = [[] for _ in skeleton.names]
        for parent, child in skeleton.edges.tolist():
            self.neighbours[parent].append(child)
            self.neighbours[child].append(parent)
        self.spine = []
        self.limbs = []  # (joints from the spine outwards, radii)
        self.placed = {}  # joint -> (position, hinge, largest turn)

    def place(self, joint, position, hinge, turn):
        self.placed[joint] = (complex(position), hinge, turn)

    def position(self, joint):
        return self.placed[joint][0]

    def lay_spine(self):
        """Put the spine on the long axis; joints that are no keypoints make it at least three."""
        spine, extra = self._longest_midlines(), len(self.skeleton)
        if len(spine) == 2:
            spine.insert(1, extra)
        elif len(spine) < 2:
            spine = [extra, *(spine or [extra + 2]), extra + 1]
        middle = len(spine) // 2
        for k, joint in enumerate(spine):
            towards_middle = spine[k - np.sign(k - middle)]
            self.place(
                joint,
                0.5 - k / (len(spine) - 1),
                hinge=-1 if k == middle else towards_middle,
                turn=0.0 if k == middle else 0.75 / np.sqrt(len(spine)),
            )
        self.spine = spine

    def _longest_midlines(self):
        """Join the longest path without left and right of each limb, until the spine is long."""
        spine, limbs = [], self.skeleton.limbs
        midline = self.skeleton.swap_index == np.arange(len(self.skeleton))
        for limb in range(limbs.max() + 1):
            members = np.flatnonzero((limbs == limb) & midline)
            if len(members) and len(spine) < _LONG_SPINE:
                one_end = self._farthest(int(members[0]), midline)[-1]
                path = self._farthest(one_end, midline)
                spine += path if path[0] < path[-1] else path[::-1]
        return spine

    def _farthest(self, start, midline):
        """Path along the midline to the bodypart that is the most edges away."""
        queue, seen = deque([[start]]), {start}
        while queue:
            path = queue.popleft()
            for j in self.neighbours[path[-1]]:
                if midline[j] and j not in seen:
                    seen.add(j)
                    queue.append([*path, j])
        return path

    def _fan(self, joints):
        """Give each joint a place from front (0) to rear (1) and a side (1 left, -1 right).

        Partners share a place; joints without a partner take sides in turn.
        """
        swap, names = self.skeleton.swap_index, self.skeleton.names
        ranks = {}
        for j in joints:
            ranks.setdefault(min(j, int(swap[j])), len(ranks))
        for j in joints:
            rank = ranks[min(j, int(swap[j]))]
            left = rank % 2 == 0 if swap[j] == j else names[j] < names[swap[j]]
            yield j, (rank + 0.5) / len(ranks), 1 if left else -1

    def attach_limbs(self, joint):
        """Attach the limbs that share an edge with a joint of the spine."""
        if joint >= len(self.skeleton):
            return
        base = self.position(joint)
        reach = np.interp(0.5 - base.real, _GIRTH_AT, _GIRTH) + 0.12
        free = [j for j in self.neighbours[joint] if j not in self.placed]
        for j, at, side in self._fan(free):
            # a lone pair leans away from the middle, so that those of neighbours stay apart
            angle = np.pi / 2 - base.real if len(free) < 3 else np.deg2rad(40 + 100 * at)
            self.place(j, base + reach * np.exp(1j * side * angle), joint, 0.15)
            self._extend([joint, j], angle, side)

    def attach_flanks(self):
        """Attach the limbs that share no edge with the spine to its sides."""
        free = [j for j in self.skeleton.roots.tolist() if j not in self.placed]
        for j, at, side in self._fan(free):
            along, reach = 0.2 + 0.55 * at, 0.03 if self.neighbours[j] else 0.1
            flank = 0.5 - along + 1j * side * (np.interp(along, _GIRTH_AT, _GIRTH) + reach)
            hinge = min(self.spine, key=lambda k: abs(self.position(k) - flank))
            self.place(j, flank, hinge, 0.06)
            self._extend([hinge, j], np.deg2rad(40 + 100 * at), side)

    def _extend(self, path, angle, side):
        """Place what lies beyond the end of a limb's path, zigzag; keep the limb where it ends."""
        free = [j for j in self.neighbours[path[-1]] if j not in self.placed]
        if not free:
            self.limbs.append(
                (path, np.linspace(0.05, 0.035 if len(path) == 2 else 0.02, len(path)))
            )
        knee = (0.45 if len(path) % 2 else -0.45) * (1 if angle < np.pi / 2 else -1)
        for k, j in enumerate(free):
            turned = angle + knee + 0.6 * (k - (len(free) - 1) / 2)
            step = 0.15 * np.exp(1j * side * turned)
            self.place(j, self.position(path[-1]) + step, path[-1], 0.25)
            self._extend([*path, j], turned, side)

    def finish(self):
        """Add eyes, which tell the front from the rear, and give the plan."""
        eyes = [len(self.placed), len(self.placed) + 1]
        for eye, side in zip(eyes, (1, -1), strict=True):
            self.place(eye, 0.44 + 0.055j * side, self.spine[0], 0.0)
        n_joints = len(self.placed)
        weights, _ = curve(self.spine, [1] * len(self.spine), n_joints, between=4)
        girth = np.interp(np.linspace(0, 1, len(weights)), _GIRTH_AT, _GIRTH)
        limbs = [curve(*limb, n_joints, between=1) for limb in self.limbs]
        rest, hinges, turns = zip(*(self.placed[j] for j in range(n_joints)), strict=True)
        return BodyPlan(
            skeleton=self.skeleton,
            rest=np.array(rest),
            hinges=np.array(hinges),
            turns=np.array(turns),
            shapes=(
                *([Shape.join(limbs, "skin")] if limbs else []),
                Shape.join([(weights, girth)], "coat", shadow=True),
                Shape.join([curve([eye], [0.018], n_joints) for eye in eyes], "eye"),
            ),
        )
