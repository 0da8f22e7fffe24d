from itertools import islice

import numpy as np
import pytest

from skpose.datasets._body_plans import generic_plan, mouse_plan
from skpose.datasets._make_poses import _draw_images, make_poses
from skpose.datasets._painting import paint, smooth_noise
from skpose.skeleton import Skeleton

FROM_ABOVE = np.array([0, 0, 1], dtype=np.float32)

INSECT = Skeleton(
    [
        "legL2",
        "abdomen",
        "legL1",
        "thorax",
        "eyeL",
        "eyeR",
        "head",
        "legR1",
        "legR2",
        "midR",
        "midL",
    ],
    ["legL1", "thorax", "", "head", "head", "head", "", "", "legR1", "", ""],
    ["legR2", "", "legR1", "", "eyeR", "eyeL", "", "legL1", "legL2", "midL", "midR"],
)
SKELETONS = {
    "mouse": None,
    "several roots": INSECT,
    "one bodypart": Skeleton(["animal"]),
    "one pair": Skeleton(["left", "right"], None, ["right", "left"]),
    "names only": Skeleton.from_names([f"part{i}" for i in range(20)]),
    "root at a leg": Skeleton(["toe", "body", "tail"], ["", "toe", "body"]),
    "branches": Skeleton(list("abcdefg"), ["", "a", "a", "a", "b", "b", "e"]),
}


def centroid(image):
    rows, columns = np.indices(image.shape)
    return np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()


def scene(shape=(96, 96), sample=0):
    return next(islice(_draw_images(mouse_plan(), shape, 1, 0), sample, None))


def draw(ends, radii, shape=(40, 40)):
    canvas = np.zeros((*shape, 1), dtype=np.float32)
    white, flat = np.ones(1, dtype=np.float32), np.ones(shape, dtype=np.float32)
    paint(canvas, np.asarray(ends), np.asarray(radii), white, FROM_ABOVE, flat)
    return canvas[..., 0]


@pytest.mark.parametrize(("radius", "atol"), [(0.6, 0.15), (1.0, 0.08), (2.0, 0.03), (5.3, 0.02)])
def test_disc_is_centred_on_its_point(radius, atol):
    points = 20 + np.random.default_rng(0).random((50, 2))
    errors = [centroid(draw([[p], [p]], [[radius], [radius]])) - p for p in points]
    assert np.abs(errors).max() < atol
    np.testing.assert_allclose(np.mean(errors, axis=0), 0, atol=0.02)


def test_disc_off_the_canvas_paints_nothing():
    assert not draw([[(-9, 5)], [(-9, 5)]], [[3], [3]]).any()


def test_shifted_animal_shifts_the_image():
    shift = np.array([2.37, -1.61])
    first, second = np.zeros((2, 96, 96), dtype=np.float32)
    for ends, radii, _ in scene()._shapes(0.5 * scene().joints + 20, 0.5 * scene().scale):
        first = np.maximum(first, draw(ends, radii, (96, 96)))
        second = np.maximum(second, draw(ends + shift, radii, (96, 96)))
    np.testing.assert_allclose(centroid(second) - centroid(first), shift, atol=0.05)


@pytest.mark.parametrize("sample", range(5))
def test_ears_are_drawn_at_their_keypoints(sample):
    mouse = scene(sample=sample)
    black = np.zeros(1, dtype=np.float32)
    materials = dict.fromkeys(mouse.look.materials, black) | {"inner": black + 1}
    mouse.look = mouse.look._replace(floor=black, materials=materials, light=FROM_ABOVE)
    image = mouse.render(0, 0)[..., 0].astype(float)
    names = mouse.plan.skeleton.names
    for ear in ("left_ear", "right_ear"):
        x, y = mouse.keypoints[names.index(ear)]
        left, top = int(np.rint(x)) - 4, int(np.rint(y)) - 4
        found = centroid(image[top : top + 9, left : left + 9]) + (left, top)
        np.testing.assert_allclose(found, (x, y), atol=0.1)


@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize(("image_size", "shape"), [(32, (32, 32)), ((24, 40), (24, 40))])
def test_shapes_and_types(image_size, shape, n_channels):
    X, y = make_poses(3, image_size, n_channels, random_state=0)
    assert X.shape == (3, *shape, n_channels)
    assert X.dtype == np.uint8
    assert y.shape == (3, 13, 2)
    assert y.dtype == np.float64


@pytest.mark.parametrize("image_size", [(8, 8), (32, 32), (32, 90), (64, 17)])
@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_keypoints_lie_inside_the_image(skeleton, image_size):
    _, y = make_poses(20, image_size, skeleton=skeleton, random_state=0)
    height, width = image_size
    assert np.isfinite(y).all()
    assert (y >= 0).all()
    assert (y <= (width - 1, height - 1)).all()


def test_animals_head_in_all_directions_and_vary_in_size_and_place():
    bunch = make_poses(200, 32, return_bunch=True, random_state=0)
    at = {name: bunch.keypoints[:, i] for i, name in enumerate(bunch.skeleton.names)}
    body = at["snout"] - at["tailbase"]
    heading, length = np.arctan2(body[:, 1], body[:, 0]), np.linalg.norm(body, axis=1)
    counts, _ = np.histogram(heading, bins=8, range=(-np.pi, np.pi))
    assert counts.min() > 10
    assert length.max() > 1.4 * length.min()
    assert (np.ptp(at["centre"], axis=0) > 8).all()


def test_left_is_left_of_the_animal():
    bunch = make_poses(100, 32, return_bunch=True, random_state=0)
    at = {name: bunch.keypoints[:, i] for i, name in enumerate(bunch.skeleton.names)}
    for front, rear, limb in [("snout", "neck", "ear"), ("neck", "tailbase", "hindpaw")]:
        ahead = at[front] - at[rear]
        to_the_left = np.stack([ahead[:, 1], -ahead[:, 0]], axis=1)  # y points down
        across = at[f"left_{limb}"] - at[f"right_{limb}"]
        assert ((across * to_the_left).sum(axis=1) > 0).all()


@pytest.mark.parametrize("plan", [mouse_plan(), generic_plan(INSECT)], ids=["mouse", "generic"])
def test_animal_at_rest_is_symmetric(plan):
    rest = plan.rest[: len(plan.skeleton)]
    np.testing.assert_allclose(rest[plan.skeleton.swap_index], rest.conj(), atol=1e-12)


@pytest.mark.parametrize("skeleton", list(SKELETONS.values())[1:], ids=list(SKELETONS)[1:])
def test_bodyparts_of_a_custom_skeleton_are_apart(skeleton):
    plan = generic_plan(skeleton)
    rest = plan.rest[: len(skeleton)]
    gaps = np.abs(rest[:, None] - rest) + 9 * np.eye(len(rest))
    assert plan.skeleton is skeleton
    assert gaps.min() > 0.02


def test_custom_skeleton_changes_the_animal_only():
    options = {"image_size": 32, "noise": 0, "return_bunch": True, "random_state": 0}
    mouse, insect = make_poses(2, **options), make_poses(2, skeleton=INSECT, **options)
    assert insect.keypoints.shape == (2, 11, 2)
    assert insect.skeleton is INSECT
    same = (mouse.images == insect.images).mean()
    assert 0.3 < same < 1


def test_skeleton_of_the_bunch_gives_the_same_animal():
    bunch = make_poses(2, 32, return_bunch=True, random_state=0)
    X, y = make_poses(2, 32, skeleton=bunch.skeleton, random_state=0)
    np.testing.assert_array_equal(X, bunch.images)
    np.testing.assert_array_equal(y, bunch.keypoints)


def test_animal_stands_out_from_the_floor():
    X, y = make_poses(50, 64, noise=0, random_state=0)
    rows, columns = np.rint(y[:, 7, ::-1]).astype(int).T  # the centre
    inside = X[np.arange(50), rows, columns, 0].astype(float)
    background = np.median(X, axis=(1, 2))[:, 0]
    assert (np.abs(inside - background) > 20).all()


@pytest.mark.parametrize("kind", [int, np.int64, np.random.RandomState, np.random.default_rng])
def test_random_state_determines_everything(kind):
    options = {"image_size": 32, "occlusion": 0.3, "n_distractors": 1}
    first, second = (make_poses(3, random_state=kind(5), **options) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    other, _ = make_poses(3, random_state=kind(6), **options)
    assert (other != first[0]).any()


@pytest.mark.parametrize("kind", [np.random.RandomState, np.random.default_rng])
def test_generator_advances(kind):
    random_state = kind(0)
    _, first = make_poses(2, 32, random_state=random_state)
    _, second = make_poses(2, 32, random_state=random_state)
    assert (first != second).all()


def test_global_generator_is_neither_read_nor_changed():
    before = np.random.get_state()[1:]  # noqa: NPY002
    first, second = (make_poses(2, 32)[1] for _ in range(2))
    for a, b in zip(before, np.random.get_state()[1:], strict=True):  # noqa: NPY002
        np.testing.assert_array_equal(a, b)
    assert (first != second).all()


def test_sample_does_not_depend_on_n_samples():
    few, many = (make_poses(n, 32, random_state=0) for n in (2, 5))
    for a, b in zip(few, many, strict=True):
        np.testing.assert_array_equal(a, b[:2])


def test_samples_differ():
    X, y = make_poses(5, 32, random_state=0)
    assert len(np.unique(X.reshape(5, -1), axis=0)) == 5
    assert len(np.unique(y.reshape(5, -1), axis=0)) == 5


def test_noise_has_the_given_standard_deviation():
    clean, y_clean = make_poses(20, 32, noise=0, random_state=0)
    noisy, y_noisy = make_poses(20, 32, noise=5, random_state=0)
    far_from_clipping = (clean > 30) & (clean < 225)
    difference = (noisy.astype(float) - clean)[far_from_clipping]
    assert difference.std() == pytest.approx(np.hypot(5, np.sqrt(1 / 12)), rel=0.03)
    np.testing.assert_array_equal(y_clean, y_noisy)


@pytest.mark.parametrize("options", [{"n_distractors": 2}, {"n_channels": 3}])
def test_keypoints_do_not_depend_on(options):
    X, y = make_poses(4, 32, random_state=0)
    X_other, y_other = make_poses(4, 32, random_state=0, **options)
    np.testing.assert_array_equal(y, y_other)
    assert all((X[i] != X_other[i]).any() for i in range(4))


def test_distractors_reach_the_border_and_leave_the_animal_alone():
    alone, y = make_poses(20, 64, noise=0, random_state=0)
    together, _ = make_poses(20, 64, noise=0, n_distractors=1, random_state=0)
    changed = (alone != together)[..., 0]
    border = np.ones((64, 64), dtype=bool)
    border[1:-1, 1:-1] = False
    assert changed[:, border].any(axis=1).all()
    rows, columns = np.rint(y[..., ::-1]).astype(int).transpose(2, 0, 1)
    assert not changed[np.arange(20)[:, None], rows, columns].any()


def test_occluded_keypoints_are_nan():
    _, y = make_poses(200, 64, occlusion=0.3, random_state=0)
    missing = np.isnan(y)
    np.testing.assert_array_equal(missing[..., 0], missing[..., 1])
    # 2600 Bernoulli draws, and a few keypoints that are covered besides
    assert 0.27 < missing.mean() < 0.38


def test_occlusion_covers_the_bodypart_and_little_else():
    options = {"image_size": 64, "noise": 0, "return_bunch": True, "random_state": 0}
    clean, covered = make_poses(20, **options), make_poses(20, occlusion=0.2, **options)
    np.testing.assert_array_equal(covered.complete_keypoints, clean.keypoints)
    rows, columns = np.indices((64, 64))
    for i in range(20):
        hidden = np.isnan(covered.keypoints[i, :, 0])
        x, y = clean.keypoints[i, hidden].T
        distance = np.hypot(columns[..., None] - x, rows[..., None] - y)
        near = distance.min(axis=-1, initial=99) < 10
        changed = (clean.images[i] != covered.images[i])[..., 0]
        assert not (changed & ~near).any()
        assert ((distance < 2) & changed[..., None]).any(axis=(0, 1)).all()


def test_more_occlusion_hides_more():
    hidden = [
        np.isnan(make_poses(20, 32, occlusion=p, random_state=0)[1][..., 0])
        for p in (0, 0.2, 0.5, 1)
    ]
    assert not hidden[0].any()
    assert hidden[-1].all()
    for less, more in zip(hidden[:-1], hidden[1:], strict=True):
        assert not (less & ~more).any()


def film(camera, n_frames=150, **options):
    options = {"noise": 0, "return_bunch": True, "random_state": 0} | options
    return make_poses(n_frames, (64, 96), camera=camera, **options)


@pytest.mark.parametrize("camera", ["fixed", "following"])
@pytest.mark.parametrize("skeleton", list(SKELETONS.values()), ids=list(SKELETONS))
def test_an_animal_in_a_video_walks_and_stays_inside(camera, skeleton):
    y = film(camera, n_frames=60, skeleton=skeleton).keypoints
    assert y.min() > -0.5
    assert (y.max(axis=(0, 1)) < np.array([96, 64]) - 0.5).all()
    steps = np.linalg.norm(np.diff(y, axis=0), axis=2)
    assert steps.max() < 4  # an eighth of the animal
    assert steps.mean() > 0.05


def test_an_animal_in_a_video_keeps_its_size_and_turns_about():
    y = film("fixed", n_frames=600, occlusion=0).keypoints
    neck, centre = y[:, 4], y[:, 7]
    lengths = np.linalg.norm(neck - centre, axis=1)
    np.testing.assert_allclose(lengths, lengths[0])
    headings = np.arctan2(*(neck - centre).T)
    assert np.abs(np.diff(np.unwrap(headings))).max() < 0.5
    assert np.ptp(np.unwrap(headings)) > 3
    assert (np.ptp(centre, axis=0) > 20).all()  # it sees much of the arena
    forwards = np.einsum("ij,ij->i", np.diff(centre, axis=0), (neck - centre)[:-1])
    assert np.mean(forwards > -1e-9) > 0.8


def test_a_fixed_camera_sees_the_same_floor():
    video = film("fixed")
    still = np.median(video.images, axis=0)
    changed = np.abs(video.images - still)[..., 0] > 3
    assert changed.mean() < 0.1
    rows, columns = np.indices((64, 96))
    for frame, y in zip(changed[::10], video.keypoints[::10], strict=True):
        far = np.hypot(columns[frame] - y[7, 0], rows[frame] - y[7, 1])
        assert 0 < far.max() < 25


def test_a_camera_follows_the_animal_over_the_floor():
    fixed, following = film("fixed").keypoints[:, 7], film("following")
    near = np.abs(following.keypoints[:, 7] - [47.5, 31.5]).max()
    assert near < 15 < np.ptp(fixed, axis=0).max()
    corner = following.images[:, :8, :8, 0].astype(float)
    assert corner.std(axis=0).mean() > 0.3


@pytest.mark.parametrize("camera", ["fixed", "following"])
def test_frames_of_a_video_do_not_depend_on_their_number(camera):
    short, long = (film(camera, n, noise=3, occlusion=0.2) for n in (3, 6))
    np.testing.assert_array_equal(short.images, long.images[:3])
    np.testing.assert_array_equal(short.keypoints, long.keypoints[:3])
    np.testing.assert_array_equal(
        film(camera, 3, n_channels=3).complete_keypoints, short.complete_keypoints
    )
    assert (film(camera, 3, random_state=1).keypoints != short.complete_keypoints).any()


def test_smooth_noise_has_unit_variance_everywhere():
    rng = np.random.default_rng(0)
    noise = np.stack([smooth_noise((7, 9), 4, rng) for _ in range(3000)])
    np.testing.assert_allclose(noise.std(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.08)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"n_samples": 0}, ValueError, "n_samples must be at least 1"),
        ({"n_samples": 2.5}, TypeError, "n_samples must be an int"),
        ({"image_size": 4}, ValueError, "image_size must be at least 8"),
        ({"image_size": 32.0}, TypeError, "image_size must be an int"),
        ({"image_size": (32, 32, 1)}, ValueError, r"an int or \(height, width\)"),
        ({"n_channels": 2}, ValueError, "n_channels must be 1"),
        ({"skeleton": ["head"]}, TypeError, "skeleton must be a skpose.Skeleton"),
        ({"noise": -1}, ValueError, "noise must be at least 0"),
        ({"noise": np.nan}, ValueError, "noise must be"),
        ({"occlusion": 1.5}, ValueError, "occlusion must be between 0 and 1"),
        ({"occlusion": True}, TypeError, "occlusion must be a number"),
        ({"n_distractors": -1}, ValueError, "n_distractors must be at least 0"),
        ({"camera": "moving"}, ValueError, "camera must be 'fixed', 'following' or None"),
        ({"camera": "fixed", "n_distractors": 1}, ValueError, "n_distractors must be 0"),
        ({"random_state": -1}, ValueError, "random_state must be at least 0"),
        ({"random_state": "0"}, TypeError, "random_state must be an int"),
    ],
)
def test_bad_parameters_raise(options, error, match):
    with pytest.raises(error, match=match):
        make_poses(**({"n_samples": 1, "image_size": 32} | options))
