import numpy as np
import pytest

from skpose.targets._drawing import ABSENT, draw_maps
from skpose.targets._posture_graph import PostureGraph

pytestmark = pytest.mark.backend


def test_map_is_one_at_a_keypoint_on_a_cell_and_falls_off_as_a_gaussian():
    maps, known = draw_maps(np.array([[[3.0, 2.0]]]), (5, 7), sigma=2.0, stride=1)
    assert maps[0, 2, 3, 0] == pytest.approx(1)
    assert maps[0, 2, 5, 0] == pytest.approx(np.exp(-0.5))
    assert maps[0, 4, 3, 0] == pytest.approx(np.exp(-0.5))
    assert known.tolist() == [[1]]


def test_cells_are_centred_on_their_squares_of_pixels():
    maps, _ = draw_maps(np.array([[[1.5 + 4 * 3, 1.5 + 4 * 2]]]), (5, 7), sigma=4.0, stride=4)
    assert np.unravel_index(maps[0, :, :, 0].argmax(), (5, 7)) == (2, 3)
    assert maps[0, 2, 3, 0] == pytest.approx(1)


def test_segment_has_the_exact_distance_to_the_segment():
    keypoints = np.array([[[2.0, 3.0], [7.0, 3.0]]])
    maps, _ = draw_maps(keypoints, (8, 12), sigma=1.5, stride=1, graph=PostureGraph([-1, 0]))
    segment = maps[0, :, :, 2]
    np.testing.assert_allclose(segment[3, 2:8], 1, atol=1e-6)  # on the segment
    assert segment[5, 4] == pytest.approx(np.exp(-4 / 4.5))  # two cells beside it
    assert segment[3, 10] == pytest.approx(np.exp(-9 / 4.5))  # three cells beyond its end


def test_levels_are_segments_then_limbs_then_graph_then_graph_with_keypoints():
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0, 15, (2, 5, 2))
    graph = PostureGraph([1, -1, 1, -1, 3])  # limb 1-0, 1-2 and limb 3-4; no root comes first
    maps, _ = draw_maps(keypoints, (16, 16), sigma=2.0, stride=1, graph=graph)
    assert maps.shape[-1] == 5 + graph.n_maps == 5 + 3 + 2 + 1 + 1
    assert graph.children.tolist() == [0, 2, 4]  # the segments of the longer limb come first
    np.testing.assert_allclose(maps[..., 8], maps[..., [5, 6]].max(-1))
    np.testing.assert_allclose(maps[..., 9], maps[..., 7])
    np.testing.assert_allclose(maps[..., 10], maps[..., 8:10].max(-1))
    np.testing.assert_allclose(maps[..., 11], maps[..., [0, 1, 2, 3, 4, 10]].max(-1))


def test_limbs_of_any_number_and_length_are_the_maximum_of_their_segments():
    # Three limbs of two segments, drawn by layers; two of three, drawn by limbs; one of one; none.
    parents = [-1, 0, 1, -1, 3, 3, -1, 6, 7, -1, 9, 10, 11, -1, 13, 14, 13, -1, 17, -1]
    roots = np.arange(20)
    for _ in range(3):
        roots = np.where(np.array(parents)[roots] < 0, roots, np.array(parents)[roots])
    graph = PostureGraph(parents)
    assert sorted(graph.children.tolist()) == [i for i in range(20) if parents[i] >= 0]
    keypoints = np.random.default_rng(0).uniform(0, 31, (2, 20, 2))
    keypoints[1, 4] = np.nan
    maps, known = draw_maps(keypoints, (32, 32), sigma=2.0, stride=1, graph=graph)
    segments, segments_known = maps[..., 20:33], known[:, 20:33]
    limbs = maps[..., 33:-2]
    order = [9, 13, 0, 3, 6, 17]  # roots, of longer limbs first
    assert limbs.shape[-1] == graph.n_limbs == len(order)
    for i, root in enumerate(order):
        members = roots[graph.children] == root
        np.testing.assert_allclose(limbs[..., i], segments[..., members].max(-1))
        np.testing.assert_array_equal(known[:, 33 + i], segments_known[:, members].min(-1))
    np.testing.assert_allclose(maps[..., -2], limbs.max(-1))
    assert known[0].all()
    assert not known[1, -2:].any()


def test_graph_scale_is_the_height_of_the_graph_alone():
    keypoints = np.array([[[2.0, 3.0], [7.0, 3.0]]])
    graph = PostureGraph([-1, 0])
    maps, _ = draw_maps(keypoints, (8, 12), sigma=1.5, stride=1, graph=graph, graph_scale=0.25)
    np.testing.assert_allclose(maps.max(axis=(0, 1, 2)), [1, 1] + [0.25] * 4, atol=1e-6)


def test_what_is_not_labelled_is_not_drawn_and_not_known():
    keypoints = np.array([[[2.0, 2.0], [np.nan, np.nan], [12.0, 2.0], [12.0, 12.0]]])
    graph = PostureGraph([-1, 0, 1, -1])
    maps, known = draw_maps(keypoints, (16, 16), sigma=1.0, stride=1, graph=graph)
    assert np.isfinite(maps).all()
    assert known[0].tolist() == [1, 0, 1, 1] + [0, 0] + [0] + [0, 0]
    assert not maps[..., [1, 4, 5, 6, 7]].any()
    assert maps[0, 12, 12, 8] == pytest.approx(1)  # the last map still has the other keypoints


@pytest.mark.parametrize("scale", [0.5, 1.0, -3.0])  # of an augmentation
def test_what_is_absent_is_not_drawn_but_known(scale):
    absent = [scale * ABSENT] * 2
    keypoints = np.array([[[2.0, 2.0], [8.0, 2.0], absent, [12.0, 12.0]]], dtype=np.float32)
    graph = PostureGraph([-1, 0, 1, 2])  # one limb: 0-1-2-3
    maps, known = draw_maps(keypoints, (16, 16), sigma=1.0, stride=1, graph=graph)
    assert known.tolist() == [[1] * maps.shape[-1]]
    assert np.isfinite(maps).all()
    assert not maps[..., [2, 5, 6]].any()  # the keypoint, and the segments that end there
    segment = maps[..., 4]
    assert segment.max() == pytest.approx(1)
    np.testing.assert_array_equal(maps[..., 7], segment)  # the limb, and the graph
    np.testing.assert_array_equal(maps[..., 8], segment)


@pytest.mark.parametrize("place", [[np.nan, 2.0], [2.0, np.nan]])
def test_one_unknown_coordinate_makes_a_keypoint_unlabelled(place):
    maps, known = draw_maps(np.array([[[4.0, 4.0], place]]), (8, 8), sigma=1.0, stride=1)
    assert known.tolist() == [[1, 0]]
    assert not maps[..., 1].any()


def test_what_lacks_several_keypoints_is_as_unknown_as_what_lacks_one():
    keypoints = np.full((1, 3, 2), np.nan)
    _, known = draw_maps(keypoints, (8, 8), sigma=1.0, stride=1, graph=PostureGraph([-1, 0, 1]))
    assert known.tolist() == [[0] * 8]


def test_a_mirror_image_has_mirrored_maps():
    keypoints = np.random.default_rng(1).uniform(0, 15, (1, 3, 2))
    mirrored = np.stack([15 - keypoints[..., 0], keypoints[..., 1]], axis=-1)
    settings = {"sigma": 3.0, "stride": 4, "graph": PostureGraph([-1, 0, 1])}
    maps, _ = draw_maps(keypoints, (4, 4), **settings)
    flipped, _ = draw_maps(mirrored, (4, 4), **settings)
    np.testing.assert_allclose(flipped[:, :, ::-1], maps, atol=1e-6)


def test_a_skeleton_without_edges_adds_nothing():
    assert PostureGraph([-1, -1]).n_maps == 0
    maps, _ = draw_maps(np.ones((1, 2, 2)), (4, 4), sigma=1, stride=1, graph=PostureGraph([-1, -1]))
    assert maps.shape == (1, 4, 4, 2)


def test_a_segment_of_no_length_is_a_point():
    keypoints = np.full((1, 2, 2), 3.0)
    maps, _ = draw_maps(keypoints, (8, 8), sigma=1.0, stride=1, graph=PostureGraph([-1, 0]))
    np.testing.assert_allclose(maps[..., 2], maps[..., 0], atol=1e-6)


def test_a_segment_shorter_than_a_pixel_has_its_direction():
    keypoints = np.array([[[3.0, 3.0], [3.0, 3.5]]])
    maps, _ = draw_maps(keypoints, (8, 8), sigma=1.5, stride=1, graph=PostureGraph([-1, 0]))
    assert maps[0, 5, 3, 2] == pytest.approx(np.exp(-(1.5**2) / 4.5))  # beyond its end
    assert maps[0, 1, 3, 2] == pytest.approx(np.exp(-4 / 4.5))  # before its start
    assert maps[0, 3, 5, 2] == pytest.approx(np.exp(-4 / 4.5))  # beside it
