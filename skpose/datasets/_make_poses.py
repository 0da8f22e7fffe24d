"""Synthetic animals in an arena, whose keypoints are known exactly."""

from itertools import count, islice
from numbers import Integral, Real
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skpose._types import ImageSize, RandomState
from skpose.datasets._body_plans import MOUSE, generic_plan, mouse_plan
from skpose.datasets._painting import (
    add_shadow,
    depth,
    floor_texture,
    illumination,
    paint,
    smooth_noise,
)
from skpose.datasets._walking import Walk
from skpose.skeleton import Skeleton

__all__ = ["make_poses"]

Camera = Literal["fixed", "following"] | None

_MIN_SIDE = 8
_ARENA = 3  # sides of the image that the sides of an arena have through which a camera follows
_LAG = 0.1  # part of the way to the animal that the camera goes in a frame
_LUMINANCE = np.array([0.299, 0.587, 0.114])
# coat, skin (tail, paws, limbs) and the inside of the ears
_ANIMALS = (
    ((0.13, 0.12, 0.12), (0.36, 0.29, 0.28), (0.46, 0.36, 0.34)),
    ((0.27, 0.20, 0.14), (0.42, 0.33, 0.29), (0.52, 0.40, 0.36)),
    ((0.31, 0.31, 0.33), (0.45, 0.38, 0.37), (0.55, 0.45, 0.44)),
    ((0.74, 0.64, 0.50), (0.74, 0.55, 0.48), (0.66, 0.44, 0.40)),
    ((0.86, 0.84, 0.81), (0.78, 0.60, 0.56), (0.68, 0.48, 0.45)),
)
_FLOOR_TINTS = ((1.0, 1.0, 1.0), (1.08, 1.0, 0.86), (0.94, 1.0, 1.06), (1.12, 0.98, 0.8))
_FLOOR_LEVELS = np.linspace(0.12, 0.8, 40)


class _Look(NamedTuple):
    """How everything in an image looks, but for its geometry."""

    floor: np.ndarray  # (n_channels,)
    materials: dict  # name -> (n_channels,)
    light: np.ndarray  # unit vector towards the light
    girth: float  # factor of the radii
    shadow: float  # darkness of the shadows
    brightness: float
    gamma: float


@overload
def make_poses(
    n_samples: int = 100,
    image_size: ImageSize = (96, 96),
    n_channels: int = 1,
    *,
    skeleton: Skeleton | None = None,
    noise: float = 3.0,
    occlusion: float = 0.0,
    n_distractors: int = 0,
    camera: Camera = None,
    return_bunch: Literal[False] = False,
    random_state: RandomState | np.random.Generator = None,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]: ...


@overload
def make_poses(
    n_samples: int = 100,
    image_size: ImageSize = (96, 96),
    n_channels: int = 1,
    *,
    skeleton: Skeleton | None = None,
    noise: float = 3.0,
    occlusion: float = 0.0,
    n_distractors: int = 0,
    camera: Camera = None,
    return_bunch: Literal[True],
    random_state: RandomState | np.random.Generator = None,
) -> Bunch: ...


def make_poses(
    n_samples: int = 100,
    image_size: ImageSize = (96, 96),
    n_channels: int = 1,
    *,
    skeleton: Skeleton | None = None,
    noise: float = 3.0,
    occlusion: float = 0.0,
    n_distractors: int = 0,
    camera: Camera = None,
    return_bunch: bool = False,
    random_state: RandomState | np.random.Generator = None,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]] | Bunch:
    """Make images of an animal in an arena, and keypoints that are exact to a part of a pixel.

    The animal is drawn from above, in any direction, posture and size, on a textured floor under
    uneven light. Its left is told from its right by its shape and direction only. All keypoints lie
    inside the image.

    Parameters
    ----------
    n_samples : int, default=100
        Number of images.
    image_size : int or tuple (height, width), default=(96, 96)
        Size of the images in pixels, at least 8. An int gives square ones.
    n_channels : {1, 3}, default=1
        1 for grey images, 3 for colour (RGB).
    skeleton : Skeleton, default=None
        Bodyparts of the animal. None: a mouse with 13 bodyparts. Any other skeleton gives an
        animal that is made up from it: bodyparts without a left/right partner form the spine from
        front to rear, the others its limbs. Limbs without an edge to the spine start at the flanks.
    noise : float, default=3.0
        Standard deviation of the sensor's noise, in grey levels (0 to 255).
    occlusion : float, default=0.0
        Probability that a bodypart is covered by an object. Its keypoint is then NaN, and so is any
        other that the object happens to cover; objects are small enough to avoid that where
        bodyparts are more than a few pixels apart.
    n_distractors : int, default=0
        Number of further animals, which are cut off by the image's border and have no keypoints.
        They lie under the labelled animal.
    camera : {"fixed", "following"} or None, default=None
        None: each image is of another animal in another arena. "fixed": the images are the frames
        of a video, in their order, of one animal that walks about a large arena and is a fourth of
        the image's shorter side long. "following": the same in an arena nine times as large, in
        which the camera stays near the animal.
    return_bunch : bool, default=False
        Return a Bunch in place of the tuple ``(X, y)``.
    random_state : int, numpy.random.RandomState, numpy.random.Generator or None, default=None
        Determines the images; a generator is advanced. None: different ones at each call. NumPy's
        global generator is neither read nor changed. Sample ``i`` is the same whatever `n_samples`
        is, and the animal is where it is whatever `n_channels`, `noise`, `occlusion` and
        `n_distractors` are.

    Returns
    -------
    X : ndarray of shape (n_samples, height, width, n_channels)
        Images, uint8.
    y : ndarray of shape (n_samples, n_keypoints, 2)
        Keypoints (x, y) in pixels, pixel centres at whole numbers. NaN: covered by an object.
    bunch : sklearn.utils.Bunch
        In place of both, if `return_bunch`, with the fields

        - ``images`` : `X`
        - ``keypoints`` : `y`
        - ``complete_keypoints`` : as `y`, with the covered keypoints where they are
        - ``skeleton`` : the Skeleton

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If an argument is out of its range, or there are distractors in a video.

    Examples
    --------
    >>> from skpose.datasets import make_poses
    >>> X, y = make_poses(10, (48, 64), random_state=0)
    >>> X.shape, X.dtype, y.shape
    ((10, 48, 64, 1), dtype('uint8'), (10, 13, 2))
    >>> bunch = make_poses(1, return_bunch=True, random_state=0)
    >>> bunch.skeleton
    <Skeleton of 13 bodyparts, 12 edges, 3 left/right pairs>
    """
    n_samples = _check_number("n_samples", n_samples, Integral, low=1)
    shape = _check_size(image_size)
    if n_channels not in (1, 3):
        raise ValueError(f"n_channels must be 1 (grey) or 3 (RGB), but got {n_channels!r}.")
    noise = _check_number("noise", noise, Real, low=0)
    occlusion = _check_number("occlusion", occlusion, Real, low=0, high=1)
    n_distractors = _check_number("n_distractors", n_distractors, Integral, low=0)
    if camera is not None and not (isinstance(camera, str) and camera in ("fixed", "following")):
        raise ValueError(f"camera must be 'fixed', 'following' or None, but got {camera!r}.")
    if camera is not None and n_distractors:
        raise ValueError("n_distractors must be 0 in a video: the others do not move.")
    plan = _plan(skeleton)
    seed = _seed(random_state)

    images = np.empty((n_samples, *shape, n_channels), dtype=np.uint8)
    complete = np.empty((n_samples, len(plan.skeleton), 2))
    covered = np.empty(complete.shape[:2], dtype=bool)
    scenes = (
        _draw_images(plan, shape, n_channels, seed)
        if camera is None
        else _film(plan, shape, n_channels, seed, camera)
    )
    for i, scene in enumerate(islice(scenes, n_samples)):
        complete[i] = scene.keypoints
        covered[i] = scene.hide(occlusion)
        images[i] = scene.render(n_distractors, noise)
    keypoints = np.where(covered[..., None], np.nan, complete)
    if not return_bunch:
        return images, keypoints
    return Bunch(
        images=images,
        keypoints=keypoints,
        complete_keypoints=complete,
        skeleton=plan.skeleton,
    )


class _Ground(NamedTuple):
    """What the floor and the light of an arena look like, each of shape (height, width)."""

    texture: np.ndarray
    fur: np.ndarray
    light: np.ndarray

    @classmethod
    def draw(cls, shape, scale, brightness, rng):
        texture = floor_texture(shape, rng)
        fur = 1 + np.float32(0.07) * smooth_noise(shape, max(0.012 * scale, 1.5), rng)
        return cls(texture, fur, illumination(shape, rng) * np.float32(brightness))

    def cut(self, left, top, shape):
        """Return a part of it."""
        return _Ground(*(v[top : top + shape[0], left : left + shape[1]] for v in self))


def _draw_images(plan, shape, n_channels, seed):
    """Yield scenes that have nothing to do with each other."""
    for i in count():
        # A generator each, so that none of them depends on another's parameters.
        children = np.random.SeedSequence([seed, i]).spawn(6)
        pose, look, floor, *others = (np.random.default_rng(child) for child in children)
        joints, scale = _pose_in_image(plan, shape, pose)
        look = _draw_look(look, n_channels)
        ground = _Ground.draw(shape, scale, look.brightness, floor)
        yield _Scene(plan, joints, scale, look, ground, others)


def _film(plan, shape, n_channels, seed, camera):
    """Yield the scenes of a video."""
    arena = shape if camera == "fixed" else tuple(_ARENA * side for side in shape)
    children = np.random.SeedSequence([seed]).spawn(3)
    walk_rng, look_rng, floor_rng = (np.random.default_rng(child) for child in children)
    look = _draw_look(look_rng, n_channels)
    walk = Walk(plan, arena, min(shape), walk_rng)
    ground = _Ground.draw(arena, walk.scale, look.brightness, floor_rng)
    corner = None
    for i, joints in enumerate(walk):
        corner = _follow(corner, joints, plan, arena, shape)
        left, top = np.rint(corner).astype(int)
        part = ground.cut(left, top, shape)
        others = np.random.SeedSequence([seed, i + 1]).spawn(3)  # (seed, 0) is as seed alone
        others = [np.random.default_rng(child) for child in others]
        yield _Scene(plan, joints - (left, top), walk.scale, look, part, others)


def _follow(corner, joints, plan, arena, shape):
    """Return where the image's corner is in the arena, (x, y), with the animal in the image."""
    size, room = (np.array(sides[::-1], dtype=float) for sides in (shape, arena))
    wanted = joints.mean(axis=0) - size / 2
    corner = wanted if corner is None else corner + _LAG * (wanted - corner)
    keypoints = joints[: len(plan.skeleton)]
    low, high = keypoints.max(axis=0) - size + 2, keypoints.min(axis=0) - 1
    return np.clip(np.clip(corner, low, high), 0, room - size)


class _Scene:
    """An animal in an arena, to be drawn into one image."""

    def __init__(self, plan, joints, scale, look, ground, generators):
        self.plan, self.joints, self.scale, self.look = plan, joints, scale, look
        self.ground, self.shape = ground, ground.texture.shape
        self.hide_rng, self.noise_rng, self.distractor_rng = generators
        self.objects = []

    @property
    def keypoints(self):
        return self.joints[: len(self.plan.skeleton)]

    def hide(self, probability):
        """Cover each bodypart with a probability; return which keypoints are covered."""
        points, rng = self.keypoints, self.hide_rng
        chosen = rng.random(len(points)) < probability
        draws = rng.random((len(points), 12))
        covered = chosen.copy()
        for point, draw in zip(points[chosen], draws[chosen], strict=True):
            gap = np.linalg.norm(points[~chosen] - point, axis=1).min(initial=np.inf)
            radius = min(self.scale * (0.09 + 0.07 * draw[0]), gap - 1.5)
            ends, radii = _lump(point, max(radius, 1.5), draw[2:])
            self.objects.append((ends, radii, np.float32(0.5 + 0.8 * draw[1])))
            covered |= depth(ends, radii, points) > 0
        return covered

    def render(self, n_distractors, noise):
        """Draw the image, uint8 of shape (height, width, n_channels)."""
        look = self.look
        texture, fur, light = self.ground
        animals = [self._distractor() for _ in range(n_distractors)]
        animals.append(self._shapes(self.joints, self.scale))
        canvas = (texture * self._shadows(animals))[..., None] * look.floor
        for shapes in animals:
            for ends, radii, shape in shapes:
                paint(canvas, ends, radii, look.materials[shape.material], look.light, fur)
        for ends, radii, tone in self.objects:
            paint(canvas, ends, radii, look.floor * tone, look.light, texture)
        canvas *= light[..., None]
        return _expose(canvas, look.gamma, noise, self.noise_rng)

    def _shapes(self, joints, scale):
        """List (ends, radii, shape) of an animal, in pixels."""
        thickness = scale * self.look.girth
        return [
            (shape.weights @ joints, np.maximum(shape.radii * thickness, 0.5), shape)
            for shape in self.plan.shapes
        ]

    def _shadows(self, animals):
        """Brightness of the floor under the animals' shadows."""
        shadow = np.zeros(self.shape, dtype=np.float32)
        shift = -0.07 * self.scale * self.look.light[:2] / self.look.light[2]
        for shapes in animals:
            for ends, radii, shape in shapes:
                if shape.shadow:
                    add_shadow(shadow, ends + shift, radii, max(0.04 * self.scale, 1.0))
        return 1 - np.float32(self.look.shadow) * shadow

    def _distractor(self):
        """Shapes of an animal across the border, at the place farthest from the labelled one."""
        rng = self.distractor_rng
        scale = self.scale * rng.uniform(0.9, 1.1)
        joints = scale * _turned(self.plan.pose(rng), rng)
        joints -= joints[: len(self.plan.skeleton)].mean(axis=0)
        places = _places_on_border(self.shape, rng.random(12))
        gaps = [
            np.linalg.norm((joints + place)[:, None] - self.keypoints, axis=2).min()
            for place in places
        ]
        return self._shapes(joints + places[np.argmax(gaps)], scale)


def _turned(positions, rng):
    """Turn complex positions to any direction: (x, y) in an image, where y points down."""
    positions = positions * np.exp(2j * np.pi * rng.random())
    return np.stack([positions.real, -positions.imag], axis=1)


def _pose_in_image(plan, shape, rng):
    """Draw joints (n_joints, 2) in pixels, all inside, and the pixels per body length."""
    size = np.array(shape[::-1], dtype=float)
    margin = 0.02 * size.min()
    room = size - 1 - 2 * margin
    fill, place = rng.uniform(0.7, 1), rng.random(2)
    joints = _turned(plan.pose(rng), rng)
    around = plan.thickness[:, None]
    low, high = (joints - around).min(axis=0), (joints + around).max(axis=0)
    scale = min(fill * room.min() / plan.extent, (room / (high - low)).min())
    return margin + place * (room - scale * (high - low)) + scale * (joints - low), scale


def _expose(canvas, gamma, noise, rng):
    """Turn brightness into grey levels, with the sensor's noise."""
    levels = 255 * np.minimum(np.maximum(canvas, 0), 1) ** np.float32(gamma)
    if noise:
        levels += np.float32(noise) * rng.standard_normal(levels.shape, dtype=np.float32)
    return np.rint(np.minimum(np.maximum(levels, 0), 255)).astype(np.uint8)


def _places_on_border(shape, at):
    """Points (n, 2) on the image's border, at these fractions of its length."""
    height, width = shape
    along = at * 2 * (height + width)
    x = np.clip(np.minimum(along, 2 * width + height - along), 0, width)
    y = np.clip(np.minimum(along - width, 2 * (width + height) - along), 0, height)
    return np.stack([x, y], axis=1) - 0.5


def _lump(point, radius, draws):
    """Ends and radii of an irregular lump over a point, within this radius of it."""
    n_lobes = len(draws) // 2
    angles = 2 * np.pi * (np.arange(n_lobes) + draws[:n_lobes]) / n_lobes
    lobes = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    reach = 0.2 + 0.4 * draws[n_lobes:, None]
    ends = np.stack([np.repeat(point[None], n_lobes, axis=0), point + radius * reach * lobes])
    return ends, np.stack([np.full(n_lobes, 0.6 * radius), np.full(n_lobes, 0.4 * radius)])


def _draw_look(rng, n_channels):
    """Draw colours that are told apart from the floor, and a light."""
    animal = np.array(_ANIMALS[rng.integers(len(_ANIMALS))]) * rng.uniform(0.9, 1.1)
    coat, skin, _ = animal @ _LUMINANCE
    apart = (np.abs(_FLOOR_LEVELS - coat) > 0.22) & (np.abs(_FLOOR_LEVELS - skin) > 0.13)
    tint = np.array(_FLOOR_TINTS[rng.integers(len(_FLOOR_TINTS))])
    floor = rng.choice(_FLOOR_LEVELS[apart]) * tint / (tint @ _LUMINANCE)
    colours = np.stack([*animal, np.full(3, 0.05), floor])
    if n_channels == 1:
        colours = (colours @ _LUMINANCE)[:, None]
    *materials, floor = colours.astype(np.float32)
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(40, 70))
    light = [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth)]
    return _Look(
        floor=floor,
        materials=dict(zip(("coat", "skin", "inner", "eye"), materials, strict=True)),
        light=np.array([*light, np.sin(elevation)], dtype=np.float32),
        girth=rng.uniform(0.88, 1.12),
        shadow=rng.uniform(0.15, 0.5),
        brightness=rng.uniform(0.75, 1.1),
        gamma=rng.uniform(0.75, 1.2),
    )


def _plan(skeleton):
    if skeleton is not None and not isinstance(skeleton, Skeleton):
        raise TypeError(
            f"skeleton must be a skpose.Skeleton or None, but got {type(skeleton).__name__}. "
            "Skeleton.from_csv reads one from a table."
        )
    return mouse_plan() if skeleton is None or skeleton == MOUSE else generic_plan(skeleton)


def _check_number(name, value, kind, *, low, high=np.inf):
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = "an int" if kind is Integral else "a number"
        raise TypeError(f"{name} must be {wanted}, but got {value!r}.")
    if not (low <= value <= high and np.isfinite(value)):
        bounds = f"at least {low}" if high == np.inf else f"between {low} and {high}"
        raise ValueError(f"{name} must be {bounds}, but got {value!r}.")
    return value


def _check_size(image_size):
    try:
        sides = tuple(image_size)
    except TypeError:
        sides = (image_size, image_size)
    if len(sides) != 2:
        raise ValueError(f"image_size must be an int or (height, width), but got {image_size!r}.")
    for side in sides:
        _check_number("image_size", side, Integral, low=_MIN_SIDE)
    return int(sides[0]), int(sides[1])


def _seed(random_state):
    """An int that stands for the random state, which it advances if it is a generator."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**63))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**63))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, Integral):
        return int(_check_number("random_state", random_state, Integral, low=0))
    raise TypeError(
        "random_state must be an int, a numpy.random.Generator, a numpy.random.RandomState or "
        f"None, but got {random_state!r}."
    )
