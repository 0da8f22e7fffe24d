"""How labelled poses lie in their images: turned how far, how large, where, or mirrored."""

from typing import NamedTuple

import numpy as np

__all__ = ["PoseSpread", "measure_spread"]

_N_ROUNDS = 10
_LIKE = 0.25  # of a pose's extent may differ from the mean pose, for it to have a direction
_CHANCE = 0.001  # that poses turned anyhow would lie as close together as these
_MARGIN = 5.0  # degrees beyond what the labels show
_FEW = 60.0  # degrees more, over the number of poses
_LEAST = 10.0  # degrees either way
_BEYOND = 15.0  # degrees at most beyond directions that are labelled
_NEARLY_ALL = 150.0  # degrees either way that are as well all the way round
_MANY = 45.0  # degrees that few poses may hold and still be of an animal that turns
_BETTER = 0.5  # of what is left unexplained, where half of the poses are mirrored first
_ROUNDING = 1e-6, 0.01  # parts of an extent, of one pose and of most, that tell nothing
_SHAPED = 3  # keypoints without which a pose has no shape that a mirror would change
_DIRECTED = 3  # poses without which their directions tell nothing
_SIZES = 0.1, 0.3  # least and most change of the magnification
_SHIFTS = 0.05, 0.1  # least and most shift


class PoseSpread(NamedTuple):
    """What labels show, with a margin.

    Attributes
    ----------
    n_poses : int
        Labelled poses with a direction.
    seen : float
        Degrees of the smallest sector that holds all their directions.
    widest_gap : float
        The most degrees between two neighbouring directions of those that animals turn to.
    is_all_round : bool
        Whether poses may lie all round, for all that can be told from these.
    rotation : float
        Degrees to turn images either way, 180 for all the way round.
    scale : float
        Change of the magnification.
    is_turning : bool
        Whether they lie in many directions, for all that few poses can tell.
    translation : float
        Shift as a fraction of the images' sides.
    mirrors : tuple of bool
        Whether poses mirrored left to right, and top to bottom, are like labelled ones.
    """

    n_poses: int
    seen: float
    widest_gap: float
    is_all_round: bool
    rotation: float
    scale: float
    is_turning: bool
    translation: float
    mirrors: tuple[bool, bool]


class _Fit(NamedTuple):
    """How poses are turned and magnified from a mean pose."""

    factors: np.ndarray  # (n,), complex; NaN for a pose without a direction
    rest: np.ndarray  # (n,), what of its extent is not explained, 0..1


def measure_spread(keypoints, image_size, swap_index=None):
    """Read off labels what images of this kind look like.

    Each pose is aligned to the mean pose (Procrustes analysis without reflection): by how much it
    is turned and magnified for that is its direction and its size.

    Parameters
    ----------
    keypoints : ndarray of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels; NaN: not labelled.
    image_size : tuple of int
        (height, width) in pixels.
    swap_index : ndarray of int of shape (n_keypoints,), default=None
        Left/right partners. None: there are none.

    Returns
    -------
    PoseSpread
    """
    poses = keypoints[..., 0] + 1j * keypoints[..., 1]
    swapped = poses if swap_index is None else poses[:, swap_index]
    across = -np.conj(swapped)  # mirrored left to right
    has_shape = (~np.isnan(poses)).sum(axis=1) >= _SHAPED
    mean, fit = _align(poses)
    goes_both_ways = False
    if has_shape.any():
        either, fit_either = _align(poses[has_shape], across[has_shape])
        rest = _rest(_fit(poses[has_shape], mean))
        goes_both_ways = rest > _ROUNDING[1] and _rest(fit_either) < _BETTER * rest
        if goes_both_ways:
            mean, fit = either, fit_either
    angles = np.degrees(np.angle(fit.factors[fit.rest < _LIKE]))
    have_directions = len(angles) >= max(_DIRECTED, np.isfinite(fit.rest).sum() / 2)
    seen, widest_gap, is_all_round, rotation = 360.0, 360.0, True, 180.0
    if have_directions:
        seen, widest_gap, is_all_round = _sector(angles)
        rotation = _rotation(angles, widest_gap)
    reach = 180.0 if is_all_round else max(rotation, seen / 2)
    mirrors = False, False
    if swap_index is not None and has_shape.any():
        shaped = fit if goes_both_ways else _fit(poses[has_shape], mean)
        left_to_right, top_to_bottom = (
            _are_alike(shaped, _fit(side[has_shape], mean), reach) for side in (across, -across)
        )
        mirrors = bool(left_to_right or goes_both_ways), top_to_bottom
    return PoseSpread(
        n_poses=len(angles),
        seen=seen,
        widest_gap=widest_gap,
        is_all_round=is_all_round,
        rotation=rotation,
        scale=_scale(fit),
        is_turning=bool(have_directions and seen > _MANY),
        translation=_translation(keypoints, image_size),
        mirrors=mirrors,
    )


def _fit(poses, mean):
    """Fit the mean pose to poses, each by the keypoints that both have."""
    known = ~np.isnan(poses) & ~np.isnan(mean)
    pose, like = (
        np.where(known, values - _middles(values, known), 0) for values in (poses, mean[None])
    )
    product = (np.conj(like) * pose).sum(axis=1)
    extent, of_pose = ((np.abs(v) ** 2).sum(axis=1) for v in (like, pose))
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = product / extent
        rest = np.maximum(1 - np.abs(product) ** 2 / (extent * of_pose), 0)
    return _Fit(factors, np.where(np.isfinite(rest), rest, np.nan))


def _middles(values, known):
    """Return the means of the values that are known, (n, 1)."""
    total = np.where(known, values, 0).sum(axis=1, keepdims=True)
    return total / np.maximum(known.sum(axis=1, keepdims=True), 1)


def _align(poses, mirrored=None):
    """Return the mean pose, and how each is turned from it.

    Where their mirror images are given, each pose is the one of the two that is more like the mean.
    The mean begins with one pose, since that of poses that go both ways is like neither.
    """
    mean = poses[np.argmax((~np.isnan(poses)).sum(axis=1))]
    best = poses
    for _ in range(_N_ROUNDS):
        if mirrored is not None:
            is_other = _fit(mirrored, mean).rest < _fit(poses, mean).rest - _ROUNDING[0]
            best = np.where(is_other[:, None], mirrored, poses)
        mean = _mean_of(best, mean)
    return mean, _fit(best, mean)


def _mean_of(poses, mean):
    """Return the mean of poses, each moved, turned and magnified to the mean of before."""
    fit = _fit(poses, mean)
    usable = np.isfinite(fit.rest) & (np.abs(fit.factors) > 0)
    if not usable.any():
        return mean
    poses, factors = poses[usable], fit.factors[usable, None]
    known = ~np.isnan(poses) & ~np.isnan(mean)
    moved = (poses - _middles(poses, known)) / factors + _middles(mean[None], known)
    n = (~np.isnan(moved)).sum(axis=0)
    return np.where(n > 0, np.nansum(moved, axis=0) / np.maximum(n, 1), mean)


def _rest(fit):
    rest = fit.rest[np.isfinite(fit.rest)]
    return np.median(rest) if len(rest) else 0.0


def _sector(angles):
    """Return the smallest sector that holds all angles, the widest gap in it, and if that is all.

    Few poses may leave a gap by chance, into which animals turn all the same: they lie all round,
    and that gap is one of theirs.
    """
    angles = np.sort(angles % 360)
    gaps = np.sort(np.diff(np.append(angles, angles[0] + 360)))
    seen = 360 - gaps[-1]
    n_poses = len(angles)
    is_all_round = bool(n_poses * (seen / 360) ** (n_poses - 1) > _CHANCE)
    return float(seen), float(gaps[-1] if is_all_round else gaps[-2]), is_all_round


def _rotation(angles, widest_gap):
    """Return how far to turn images either way, so that they show all directions that poses have.

    Turned over half of the widest gap, they meet. Beyond them, few degrees are enough.
    """
    n_poses = len(angles)
    turns = np.exp(1j * np.radians(angles))
    from_middle = np.degrees(np.abs(np.angle(turns * np.conj(turns.mean()))))
    # As far as directions reach that are spread evenly and vary as much as these: limbs that move
    # let single poses seem turned further than they are.
    reach = np.sqrt(3 * np.mean(from_middle**2)) * (n_poses + 1) / (n_poses - 1)
    margin = _MARGIN + _FEW / n_poses
    beyond = np.clip(reach + margin, _LEAST, _BEYOND)
    rotation = max(beyond, widest_gap / 2 + margin)
    return float(np.ceil(rotation)) if rotation <= _NEARLY_ALL else 180.0


def _are_alike(fit, mirrored, reach):
    """Whether mirrored poses are as like the mean pose, and turned no further, as labelled ones."""
    usable = np.isfinite(fit.rest) & np.isfinite(mirrored.rest)
    if not usable.any():
        return False
    # Half of the mirrors may be no more unlike the mean than one in ten of the labelled poses.
    is_like = np.median(mirrored.rest[usable]) <= np.quantile(fit.rest[usable], 0.9) + 1e-9
    middle = np.angle(np.nansum(fit.factors[usable] / np.abs(fit.factors[usable])))
    turned = np.degrees(np.angle(mirrored.factors[usable] * np.exp(-1j * middle)))
    return bool(is_like and np.median(np.abs(turned)) <= reach)


def _scale(fit):
    sizes = np.log(np.abs(fit.factors[fit.rest < _LIKE]))
    sizes = sizes[np.isfinite(sizes)]
    reach = np.sqrt(3) * np.std(sizes) if len(sizes) > 1 else 0.0
    return float(np.round(np.clip(np.expm1(reach), *_SIZES), 2))


def _translation(keypoints, image_size):
    """Return half of how far the middles of poses are apart, as a fraction of the images' sides."""
    known = np.isfinite(keypoints).all(axis=2)
    some = known.any(axis=1)
    if some.sum() < 2:
        return _SHIFTS[0]
    middles = np.nanmean(keypoints[some], axis=1) / np.array(image_size[::-1])
    low, high = np.quantile(middles, [0.05, 0.95], axis=0)
    return float(np.round(np.clip((high - low).max() / 2, *_SHIFTS), 2))
