"""The default augmentation: DeepPoseKit's, in one interpolation an image."""

from numbers import Integral, Real
from typing import Literal, NamedTuple

import numpy as np

from skpose._types import Border, RandomState
from skpose.augment import _geometric, _photometric
from skpose.augment._base import BaseAugmenter
from skpose.augment._pose_spread import PoseSpread, measure_spread
from skpose.base import Interval, StrOptions, check_keypoints
from skpose.preprocessing._warp import apply_affine
from skpose.skeleton import Skeleton

__all__ = ["Augmenter"]


class _Rule(NamedTuple):
    """What the number or the pair given for a parameter means."""

    unit: str
    neutral: float  # the value that changes nothing
    spread: str  # what a number r stands for: "around" neutral - r to neutral + r, "from" 0 to r
    low: float = 0.0
    high: float = np.inf
    is_closed: bool = True  # whether `low` and `high` themselves will do


_RULES = {
    "rotation": _Rule("degrees", 0, "around", -np.inf),
    "scale": _Rule("a factor", 1, "around", is_closed=False),
    "translation": _Rule("a fraction of the sides", 0, "around", -np.inf),
    "shear": _Rule("degrees", 0, "around", -90, 90, is_closed=False),
    "contrast": _Rule("a factor", 1, "around"),
    "brightness": _Rule("grey levels", 0, "around", -255, 255),
    "blur": _Rule("pixels", 0, "from"),
    "sharpen": _Rule("an amount", 0, "from"),
    "noise": _Rule("grey levels", 0, "from"),
    "dropout": _Rule("a probability", 0, "from", 0, 0.95),
    "block_dropout": _Rule("a probability", 0, "from", 0, 0.95),
    "block_size": _Rule("a fraction of the shorter side", 0, "just", 0, 1),
}
_NUMBER = Interval(Real, 0, None, closed="left")
_PROBABILITY = Interval(Real, 0, 1, closed="both")

_AUTO = StrOptions({"auto"})
_FROM_LABELS = ("fliplr", "flipud", "rotation", "scale", "translation")

_Range = float | tuple[float, float] | None  # of magnitudes
_RangeOrAuto = _Range | Literal["auto"]


class Augmenter(BaseAugmenter):
    """Mirror, turn, scale and shift images with their keypoints, and disturb their pixels.

    Everything is drawn anew for each image. A number r for `rotation`, `scale`, `translation`,
    `shear`, `contrast` or `brightness` stands for the range from -r to r around no change; for the
    others, for the range from 0 to r. A tuple (low, high) is that range itself. 0 or None switches
    a change off. "auto" is read off the labels that `fit` is given: images are changed as far as
    most labelled poses differ, and a little more.

    Parameters
    ----------
    skeleton : Skeleton, default=None
        Names the left/right partners, which change places in mirror images. An estimator gives its
        own skeleton's.
    fliplr : float or "auto", default="auto"
        Probability to mirror left and right. "auto": 0.5 if the skeleton names partners and
        mirrored poses are like labelled ones, else 0.
    flipud : float or "auto", default="auto"
        Probability to mirror top and bottom; "auto" as for `fliplr`.
    rotation : float, (float, float), "auto" or None, default="auto"
        Rotation about the middle of the image, in degrees, clockwise as seen. 180: from -180 to
        180. "auto": half of the widest gap between the directions of labelled poses, and 5 degrees
        more, or 15 where only six are labelled, so that every direction is shown that animals turn
        to; at least 10, or 15 where poses vary. 180 where too few are labelled to tell.
    scale : float, (float, float), "auto" or None, default="auto"
        Change of the factor of magnification. 0.1 is the same as (0.9, 1.1). "auto": as far as the
        sizes of most poses differ, 0.1 to 0.3.
    translation : float, (float, float), "auto" or None, default="auto"
        Shift, as a fraction of the image's width and of its height, drawn for each of the two.
        "auto": half as far as the middles of nine of ten poses are apart, 0.05 to 0.1.
    shear : float, (float, float) or None, default=0
        Angle by which upright lines are slanted, in degrees.
    border : {"constant", "reflect", "replicate"}, default="replicate"
        What is seen beyond the edges of the image that was given.
    border_value : int, default=0
        The grey level seen there with "constant".
    p : float, default=0.5
        Probability of each of the changes of pixels that follow, for each image.
    contrast : float, (float, float) or None, default=0.3
        Change of the factor of contrast about the middle grey. 0.3 is the same as (0.7, 1.3).
    brightness : float, (float, float) or None, default=0
        Shift of all grey levels (of 255). It comes with the contrast.
    blur : float, (float, float) or None, default=1.0
        Standard deviation of a Gaussian blur, in pixels.
    sharpen : float, (float, float) or None, default=0.3
        How many times the differences of a pixel to its 8 neighbours are added to it. An image is
        either blurred or sharpened, never both.
    noise : float, (float, float) or None, default=10.0
        Standard deviation of Gaussian noise, in grey levels (of 255), independent in each pixel and
        channel.
    dropout : float, (float, float) or None, default=0.05
        Probability of a pixel to become as the mean of its image.
    block_dropout : float, (float, float) or None, default=0.1
        Probability of a pixel to lie under one of the square blocks that are as the mean.
    block_size : float or (float, float), default=(0.05, 0.15)
        Side of those blocks, as a fraction of the image's shorter side.
    random_state : int, Generator, RandomState or None, default=None
        What the changes are drawn from, where the caller of `augment` does not say. Estimators do.

    Attributes
    ----------
    fliplr_, flipud_, rotation_, scale_, translation_ : float, tuple or None
        What the parameters of these names stand for, after `fit`.
    choice_ : str
        What was read off the labels and why, in a sentence; empty if nothing was.

    Raises
    ------
    ValueError
        By `fit` and by `augment`, if a range is out of bounds or the wrong way round.

    Warns
    -----
    UserWarning
        Once per `fit`, if images are mirrored and no bodypart has a left/right partner.

    See Also
    --------
    ImgaugAugmenter : The same for any pipeline of imgaug.

    Notes
    -----
    Mirrors, shear, scale, rotation and translation are one affine matrix for each image,

    ``(x, y) -> scale * R @ S @ M @ ((x, y) - centre) + centre + translation * (width, height)``,

    with the rotation R, the shear S, the mirrors M and centre ``((width - 1) / 2, (height - 1) /
    2)``, so that pixels are interpolated once and keypoints move with them exactly. Keypoints that
    leave the image keep their coordinates: the flank of their confidence map may still be inside.

    Beyond the edges the outermost pixels are repeated by default. Reflection would show bodyparts a
    second time, at places where the confidence maps say that there are none; a constant would put
    hard edges into every turned image that no image shows in prediction.

    The directions of poses are those that align them to their mean (Procrustes analysis). A video
    may show what the labels do not: an animal that is labelled upright and climbs later, say. Then
    give `rotation` yourself.

    Dropped pixels and blocks take the mean of their image. In DeepPoseKit they are black, and on a
    bright floor a black block is like a dark animal: in the first minutes a network learns little
    else than to overlook these.

    The pixels are changed in the order of the parameters. Without labels, "auto" stands for the
    geometry of DeepPoseKit: mirrors, where the skeleton names partners, a rotation of 180, a scale
    of 0.1 and a translation of 0.05. It names the other changes, but not their strength.

    References
    ----------
    Graving, J. M. et al. DeepPoseKit, a software toolkit for fast and robust animal pose estimation
    using deep learning. eLife 8:e47994 (2019).

    Examples
    --------
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.augment import Augmenter
    >>> fly = Skeleton(["head", "wingL", "wingR"], swaps=["", "wingR", "wingL"])
    >>> mirror = Augmenter(fly, fliplr=1, flipud=0, rotation=0, scale=0, translation=0, p=0)
    >>> images = np.arange(5, dtype=np.uint8).reshape(1, 1, 5, 1)
    >>> keypoints = [[[2, 0], [0, 0], [3, 0]]]
    >>> images, keypoints = mirror.augment(images, keypoints, random_state=0)
    >>> images.ravel().tolist()
    [4, 3, 2, 1, 0]
    >>> keypoints.tolist()
    [[[2.0, 0.0], [1.0, 0.0], [4.0, 0.0]]]
    """

    _parameter_constraints = {
        "skeleton": [Skeleton, None],
        "fliplr": [_PROBABILITY, _AUTO, None],
        "flipud": [_PROBABILITY, _AUTO, None],
        **{name: [_NUMBER, tuple, None] for name in _RULES},
        **{name: [_NUMBER, tuple, _AUTO, None] for name in ("rotation", "scale", "translation")},
        "border": [StrOptions(set(_geometric.BORDERS))],
        "border_value": [Interval(Integral, 0, 255, closed="both")],
        "p": [_PROBABILITY, None],
        "block_size": [Interval(Real, 0, 1, closed="right"), tuple],
        "random_state": ["random_state", np.random.Generator],
    }
    _NO_MIRRORS = "turn the mirrors off with fliplr=0, flipud=0"

    def __init__(
        self,
        skeleton: Skeleton | None = None,
        *,
        fliplr: float | Literal["auto"] = "auto",
        flipud: float | Literal["auto"] = "auto",
        rotation: _RangeOrAuto = "auto",
        scale: _RangeOrAuto = "auto",
        translation: _RangeOrAuto = "auto",
        shear: _Range = 0,
        border: Border = "replicate",
        border_value: int = 0,
        p: float = 0.5,
        contrast: _Range = 0.3,
        brightness: _Range = 0,
        blur: _Range = 1.0,
        sharpen: _Range = 0.3,
        noise: _Range = 10.0,
        dropout: _Range = 0.05,
        block_dropout: _Range = 0.1,
        block_size: float | tuple[float, float] = (0.05, 0.15),
        random_state: RandomState | np.random.Generator = None,
    ) -> None:
        self.skeleton = skeleton
        self.fliplr = fliplr
        self.flipud = flipud
        self.rotation = rotation
        self.scale = scale
        self.translation = translation
        self.shear = shear
        self.border = border
        self.border_value = border_value
        self.p = p
        self.contrast = contrast
        self.brightness = brightness
        self.blur = blur
        self.sharpen = sharpen
        self.noise = noise
        self.dropout = dropout
        self.block_dropout = block_dropout
        self.block_size = block_size
        self.random_state = random_state

    def _learn(self, images, y):
        self.__dict__.pop("_checked", None)
        unset = [name for name in _FROM_LABELS if isinstance(getattr(self, name), str)]
        chosen, self.choice_ = self._defaults(), ""
        if unset and y is not None:
            keypoints = images.to_batch(check_keypoints(y, n_samples=len(images)))
            if np.isfinite(keypoints).any():
                swap_index = self._find_partners(None, keypoints.shape[1])
                spread = measure_spread(keypoints, images.image_size, swap_index)
                chosen = _choose(spread)
                self.choice_ = _tell(unset, chosen, spread)
        for name in _FROM_LABELS:
            given = getattr(self, name)
            setattr(self, f"{name}_", chosen[name] if isinstance(given, str) else given)

    def _defaults(self):
        """Return DeepPoseKit's geometry; without partners, a mirror would call a left leg right."""
        mirrored = 0.5 if self.skeleton is not None and self.skeleton.has_swaps else 0.0
        return {
            "fliplr": mirrored,
            "flipud": mirrored,
            "rotation": 180,
            "scale": 0.1,
            "translation": 0.05,
        }

    def _check(self):
        policy = self._policy()
        return policy["fliplr"] > 0 or policy["flipud"] > 0

    def _policy(self):
        """Return the ranges that the parameters stand for; checked once, until one is changed."""
        given = [getattr(self, name) for name in self._parameter_constraints]
        last, policy = self.__dict__.get("_checked", ((), None))
        if len(last) != len(given) or any(a is not b for a, b in zip(given, last, strict=True)):
            self._validate_params()
            values = {name: self._value(name) for name in self._parameter_constraints}
            policy = {name: _find_range(name, values[name]) for name in _RULES}
            policy |= {name: values[name] or 0.0 for name in ("fliplr", "flipud", "p")}
            self._checked = given, policy
        return policy

    def _value(self, name):
        """Return what a parameter stands for."""
        value = getattr(self, name)
        if not isinstance(value, str) or name not in _FROM_LABELS:
            return value
        return vars(self).get(f"{name}_", self._defaults()[name])

    def _augment(self, images, keypoints, rng):
        policy = self._policy()
        image_size = images.shape[1:3]
        matrices, is_mirrored = _geometric.draw_matrices(rng, len(images), image_size, policy)
        images = _geometric.warp_images(
            images, matrices, border=self.border, border_value=self.border_value
        )
        _photometric.change_pixels(images, rng, policy)
        return images, apply_affine(matrices, keypoints), is_mirrored


def _find_range(name, value):
    """Return the (low, high) that a parameter stands for."""
    rule = _RULES[name]
    if isinstance(value, tuple):
        if len(value) != 2 or not all(isinstance(end, Real) for end in value):
            raise ValueError(f"{name} must be a number or a pair (low, high), but is {value!r}.")
        low, high = value
    else:
        value = value or 0
        low = {"around": rule.neutral - value, "from": rule.neutral, "just": value}[rule.spread]
        high = rule.neutral + value
    is_inside = rule.low <= low and high <= rule.high
    if not rule.is_closed:
        is_inside = rule.low < low and high < rule.high
    if not (is_inside and low <= high and np.isfinite([low, high]).all()):
        raise ValueError(
            f"{name}={value!r} stands for {rule.unit} from {low:g} to {high:g}, but the range must "
            f"run upwards and stay within {rule.low:g} and {rule.high:g}"
            f"{'' if rule.is_closed else ', both excluded'}. Give a smaller number, or (low, high)."
        )
    return float(low), float(high)


def _choose(spread: PoseSpread) -> dict[str, float]:
    """Return what the parameters that are read off the labels stand for."""
    return {
        "fliplr": 0.5 * spread.mirrors[0],
        "flipud": 0.5 * spread.mirrors[1],
        "rotation": spread.rotation,
        "scale": spread.scale,
        "translation": spread.translation,
    }


def _tell(unset, chosen, spread: PoseSpread) -> str:
    """Say what was read off the labels, and why."""
    is_turned = chosen["rotation"] < 180
    words = {
        "rotation": f"turned by up to {chosen['rotation']:g} degrees",
        "fliplr": "mirrored left to right" if chosen["fliplr"] else "",
        "flipud": "mirrored top to bottom" if chosen["flipud"] else "",
        "scale": f"magnified by {1 - chosen['scale']:g} to {1 + chosen['scale']:g}",
        "translation": f"shifted by up to {100 * chosen['translation']:.0f} %",
    }
    told = [word for name, word in words.items() if name in unset and word]
    if not told:
        return ""
    said = f"Images are {', '.join(told)}"
    if "rotation" not in unset:
        return f"{said}."
    if not is_turned and not spread.is_turning:
        why = "too few, or too unlike, to tell in which directions they lie"
        return f"{said}: labelled poses are {why}."
    if spread.is_all_round:
        said += f": the {spread.n_poses} labelled poses lie in many directions"
        return f"{said}, with gaps of up to {spread.widest_gap:.0f} degrees."
    return (
        f"{said}: the {spread.n_poses} labelled poses lie within {spread.seen:.0f} degrees. If the "
        "animal turns further in other frames, set rotation=180."
    )
