"""An animal that walks about an arena: where its joints are, frame after frame."""

import numpy as np

__all__ = ["Walk"]

_LENGTH = (
    0.25  # of the arena's shorter side that the animal takes, from its snout to its tail's tip
)
_SPEED = 0.06  # of its length that it goes in a frame, at most
_STRIDE = 0.25  # of its length for each turn of its legs to and fro
_TURN = 0.12  # radians that it turns in a frame, at most; twice as much more at a wall
_SLOW, _QUICK = 0.02, 0.08  # part of a new posture, of a new course, that comes with each frame
_EASE = 0.15  # part of the way to a new posture that it goes in a frame
_WALL = 0.2  # of the arena's shorter side from which on it turns away from a wall
_MARGIN = 0.02  # of the same that stays free


class Walk:
    """The walk of an animal through an arena, an endless iterator over frames.

    What it does changes smoothly: it goes and stops, turns, bends and looks about; its limbs move
    to and fro as it goes, those of the left against those of the right.

    Parameters
    ----------
    plan : BodyPlan
        The animal.
    shape : tuple of int
        (height, width) of the arena in pixels.
    side : int
        Pixels of the shorter side that the animal's size goes by.
    rng : numpy.random.Generator
        What it does; advanced by the same number of draws in each frame.

    Attributes
    ----------
    scale : float
        Pixels per body length.
    """

    def __init__(self, plan, shape, side, rng):
        self._plan, self._rng = plan, rng
        self._size = np.array(shape[::-1], dtype=float)
        self._side = side
        self.scale = _LENGTH * side / plan.extent
        n_joints = len(plan.rest)
        self._lengths = rng.uniform(0.94, 1.06, n_joints)
        self._aims = rng.normal(size=n_joints)
        self._bends = self._aims
        self._offsets = rng.uniform(0, 2 * np.pi, n_joints)
        self._is_limb, is_right = _find_limbs(plan)
        self._offsets[is_right] = self._offsets[plan.skeleton.swap_index[is_right]] + np.pi
        self._place = rng.uniform(0.3, 0.7, 2) * self._size
        self._heading = rng.uniform(0, 2 * np.pi)
        self._course, self._wish = rng.normal(size=2)
        self._steps = 0.0

    def __iter__(self):
        return self

    def __next__(self):
        """Return the joints in the next frame, (n_joints, 2), (x, y) in pixels of the arena."""
        joints = self._joints()
        self._go_on()
        return joints

    def _joints(self):
        bends = np.tanh(self._bends)
        stepping = np.sin(2 * np.pi * self._steps + self._offsets)
        bends[self._is_limb] = stepping[self._is_limb]
        positions = self._plan.bend(self._lengths, bends) * np.exp(1j * self._heading)
        joints = self._place + self.scale * np.stack([positions.real, -positions.imag], axis=1)
        return joints + self._into_the_arena(joints)

    def _into_the_arena(self, joints):
        """Return the shift that keeps an animal at a wall inside."""
        around = self.scale * self._plan.thickness[:, None]
        margin = _MARGIN * self._side
        low, high = (joints - around).min(axis=0), (joints + around).max(axis=0)
        return np.maximum(margin - low, 0) + np.minimum(self._size - 1 - margin - high, 0)

    def _go_on(self):
        course, wish, *aims = self._rng.normal(size=2 + len(self._aims))
        self._course = _drift(self._course, course, _QUICK)
        self._wish = _drift(self._wish, wish, _QUICK)
        self._aims = _drift(self._aims, np.array(aims), _SLOW)
        self._bends = self._bends + _EASE * (self._aims - self._bends)
        speed = _SPEED * np.clip(0.5 + self._wish, 0, 1)  # it stops now and then
        self._heading += _TURN * (np.tanh(self._course) if speed else 0) + self._away_from_walls()
        direction = np.array([np.cos(self._heading), -np.sin(self._heading)])
        self._place = self._place + speed * self.scale * direction
        self._place = np.clip(self._place, 0, self._size - 1)
        self._steps += speed / _STRIDE

    def _away_from_walls(self):
        """Return by how much it turns towards the middle, the more the nearer a wall is."""
        near = np.minimum(self._place, self._size - 1 - self._place).min() / self._side
        if near > _WALL:
            return 0.0
        to_middle = self._size / 2 - self._place
        wanted = np.angle(np.exp(1j * (np.arctan2(-to_middle[1], to_middle[0]) - self._heading)))
        return 2 * _TURN * (1 - near / _WALL) * float(np.tanh(wanted))


def _drift(value, new, part):
    """Return a value that has moved towards a new one, and varies as much as before."""
    return np.sqrt(1 - part) * value + np.sqrt(part) * new


def _find_limbs(plan):
    """Return which joints are bodyparts with a partner, and which of the two come second."""
    swap_index = plan.skeleton.swap_index
    order = np.arange(len(swap_index))
    is_limb = np.zeros(len(plan.rest), dtype=bool)
    is_limb[: len(swap_index)] = swap_index != order
    return is_limb, np.flatnonzero(swap_index < order)
