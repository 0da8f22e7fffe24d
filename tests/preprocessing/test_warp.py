import numpy as np
import pytest

from skpose.preprocessing._warp import (
    apply_affine,
    compose,
    cut_box,
    invert,
    resize_image,
    resize_matrix,
    warp_image,
)


def affine(angle=0.0, scale=(1.0, 1.0), shift=(0.0, 0.0), about=(16, 16)):
    """Scale, turn and shift about a point."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag(scale)
    return np.column_stack([linear, np.add(about, shift) - linear @ about])


CASES = {
    "subpixel shift": affine(shift=(0.3, -0.7)),
    "turn": affine(angle=0.7),
    "turn by a right angle": affine(angle=np.pi / 2),
    "mirror": affine(scale=(-1, 1)),
    "enlarge": affine(scale=(1.6, 1.6)),
    "shrink": affine(scale=(0.55, 0.55)),
    "shrink and shift": affine(scale=(0.55, 0.55), shift=(0.2, 1.1)),
    "shrink and turn": affine(angle=-0.4, scale=(0.5, 0.5)),
    "shrink a little and turn": affine(angle=0.4, scale=(0.8, 0.8)),
    "shrink one side and turn": affine(angle=0.4, scale=(0.5, 1.0)),
    "shrink one side and enlarge the other": affine(scale=(0.6, 1.3)),
    "shear": np.array([[1, 0.3, -4], [0, 1, 0]]),
}


@pytest.mark.parametrize("matrix", CASES.values(), ids=CASES)
def test_pixels_move_as_points_do(matrix, draw_blobs, find_blobs):
    points = np.array([[14.3, 17.6], [18.0, 13.2], [15.5, 16.1]])
    warped = [warp_image(image, matrix, (32, 32)) for image in draw_blobs(points)]
    expected = apply_affine(matrix[None], points[None])[0]
    np.testing.assert_allclose(find_blobs(warped), expected, atol=0.05)


@pytest.mark.parametrize("scale", [0.25, 0.4, 0.5, 0.8, 1.5, 2, 3])
def test_resizing_moves_pixels_as_points(scale, draw_blobs, find_blobs):
    points = np.array([[14.3, 17.6], [18.0, 13.2]])
    new_size = (round(40 * scale), round(32 * scale))
    matrix = resize_matrix((40, 32), new_size)
    resized = [warp_image(image, matrix, new_size) for image in draw_blobs(points, (40, 32))]
    ratio = np.array(new_size[::-1]) / (32, 40)
    np.testing.assert_allclose(find_blobs(resized), points * ratio + (ratio - 1) / 2, atol=0.05)


def test_halving_averages_blocks(noise):
    image = noise[0]
    blocks = image.reshape(6, 2, 8, 2, 3).mean(axis=(1, 3))
    halved = warp_image(image, resize_matrix((12, 16), (6, 8)), (6, 8))
    np.testing.assert_allclose(halved, blocks, atol=0.5)


@pytest.mark.parametrize("angle", [0, 0.3, np.pi / 4])
@pytest.mark.parametrize("scale", [0.2, 0.35, 0.5])
def test_shrinking_leaves_no_aliases(angle, scale):
    checkerboard = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None]
    matrix = affine(angle, (scale, scale), about=(31.5, 31.5))
    size = 64 * scale / 2
    shift = compose(np.array([[1, 0, size / 2 - 32], [0, 1, size / 2 - 32]]), matrix)
    warped = warp_image(checkerboard, shift, (int(size), int(size)))
    assert warped.std() < 12  # 127.5 before
    np.testing.assert_allclose(warped.mean(), 127.5, atol=3)


@pytest.mark.parametrize("matrix", CASES.values(), ids=CASES)
def test_edges_are_not_darkened(matrix):
    # Whatever shows the source at all shows its value, whatever does not shows the border's.
    warped = warp_image(np.full((32, 32, 1), 200, np.uint8), matrix, (32, 32), border_value=10)
    cols, rows = np.meshgrid(np.arange(32.0), np.arange(32.0))
    seen = apply_affine(invert(matrix)[None], np.stack([cols, rows], -1).reshape(1, -1, 2))
    inside = (np.abs(seen[0] - 15.5) <= 16).all(axis=1).reshape(32, 32)
    doubtful = (np.abs(np.abs(seen[0] - 15.5) - 16) < 0.5).any(axis=1).reshape(32, 32)
    assert set(np.unique(warped)) <= {10, 200}
    np.testing.assert_array_equal((warped[..., 0] == 200)[~doubtful], inside[~doubtful])


@pytest.mark.parametrize("border", ["replicate", "reflect"])
def test_boxes_over_the_edge_are_as_numpy_pads(border, noise):
    mode = {"replicate": "edge", "reflect": "reflect"}[border]
    padded = np.pad(noise[0], ((3, 4), (5, 2), (0, 0)), mode=mode)
    np.testing.assert_array_equal(cut_box(noise[0], (-3, -5, 19, 23), border=border), padded)
    shift = np.array([[1.0, 0, 5], [0, 1, 3]])
    np.testing.assert_array_equal(warp_image(noise[0], shift, (19, 23), border=border), padded)


def test_constant_border_has_its_value(noise):
    padded = np.pad(noise[0], ((3, 0), (0, 2), (0, 0)), constant_values=7)[:10, 4:]
    np.testing.assert_array_equal(cut_box(noise[0], (-3, 4, 10, 14), border_value=7), padded)


def test_box_far_outside_is_all_border(noise):
    assert (cut_box(noise[0], (100, 100, 4, 4), border_value=7) == 7).all()


def test_box_inside_is_not_copied(noise):
    assert np.shares_memory(cut_box(noise[0], (1, 2, 5, 6)), noise)


def test_footprint_does_not_show_in_the_result(draw_blobs):
    # A small window on a large image is the same as that window of the whole turned image.
    image = draw_blobs([(70.2, 50.7)], (96, 128), sigma=4)[0]
    matrix = affine(0.5, (0.5, 0.5), about=(70, 50))
    whole = warp_image(image, matrix, (96, 128))
    window = warp_image(image, compose([[1, 0, -60], [0, 1, -40]], matrix), (20, 20))
    np.testing.assert_allclose(window, whole[40:60, 60:80].astype(float), atol=6)


@pytest.mark.parametrize("scale", [0.3, 0.7])
def test_part_of_a_resized_image_is_as_in_the_whole(scale):
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    small = resize_image(image, (int(60 * scale), int(80 * scale)))
    matrix = resize_matrix((60, 80), small.shape[:2])
    for left, top in ((0, 0), (4, 7), (13, 5)):
        shift = np.array([[1, 0, -left], [0, 1, -top]])
        part = warp_image(image, compose(shift, matrix), (8, 9))
        np.testing.assert_array_equal(part, small[top : top + 8, left : left + 9])


def test_resize_of_one_side_up_and_one_down(noise):
    resized = resize_image(noise[0], (6, 32))
    assert resized.shape == (6, 32, 3)
    columns = noise[0].astype(float).reshape(6, 2, 16, 3).mean(axis=1)
    np.testing.assert_allclose(resized[:, 0], columns[:, 0], atol=1)


def test_inverse_undoes():
    matrices = np.stack([affine(0.3, (0.5, 2)), affine(2, (1, -1), (4, 5))])
    np.testing.assert_allclose(
        compose(invert(matrices), matrices), np.tile(np.eye(2, 3), (2, 1, 1)), atol=1e-12
    )


def test_other_dtypes_are_refused():
    with pytest.raises(TypeError, match="int64 cannot be warped"):
        warp_image(np.zeros((4, 4, 1), np.int64), affine(0.1), (4, 4))
