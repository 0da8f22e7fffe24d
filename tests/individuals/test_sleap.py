import sys

import numpy as np
import pytest

from skpose.individuals import read_sleap, read_tracks


@pytest.fixture
def slp(tmp_path):
    """A file of two frames: tracks a and b, a prediction under a person's label, one untracked."""
    sio = pytest.importorskip("sleap_io")
    skeleton = sio.Skeleton(["head", "tail", "legL", "legR"], edges=[("head", "tail")])
    video = sio.Video("nowhere.mp4", open_backend=False)
    a, b = sio.Track("a"), sio.Track("b")

    def predicted(points, track, score=0.5):
        return sio.PredictedInstance.from_numpy(
            np.array(points, dtype=float),
            skeleton=skeleton,
            point_scores=np.full(4, score),
            score=score,
            track=track,
        )

    none = [np.nan, np.nan]
    person = sio.Instance.from_numpy(
        np.array([[4.0, 2], [0, 2], none, none]), skeleton=skeleton, track=a
    )
    frames = [
        sio.LabeledFrame(
            video=video,
            frame_idx=5,
            instances=[
                predicted([[9, 9], [9, 9], [9, 9], [9, 9]], a),
                person,
                predicted([[10, 0], [10, 6], [16, 6], none], b),
            ],
        ),
        sio.LabeledFrame(
            video=video,
            frame_idx=2,
            instances=[
                predicted([none, [3, 1], [5, 1], none], b, 0.75),
                predicted([[1, 1], [1, 1], [1, 1], [1, 1]], None),
            ],
        ),
    ]
    path = tmp_path / "poses.slp"
    sio.Labels(frames, videos=[video], skeletons=[skeleton], tracks=[a, b]).save(
        str(path), embed=False
    )
    return path


def _read(path, **options):
    with pytest.warns(UserWarning, match="1 of 4 instances .* belong to no track"):
        return read_sleap(path, **options)


def test_positions_are_means_of_visible_bodyparts(slp):
    poses = _read(slp)
    assert poses.tracks["frame"].tolist() == [2, 5, 5]
    assert poses.tracks["id"].tolist() == ["b", "a", "b"]
    np.testing.assert_allclose(poses.tracks[["x", "y"]], [[4, 1], [2, 2], [12, 4]])
    assert list(poses.tracks.columns) == ["frame", "id", "x", "y"]


def test_keypoints_are_of_the_same_rows(slp):
    poses = _read(slp)
    np.testing.assert_allclose(poses.keypoints[:, 1], [[3, 1], [0, 2], [10, 6]])
    assert np.isnan(poses.keypoints[1, 2:]).all()  # what a person labelled, not the prediction
    assert poses.confidence[:, 1].tolist() == [0.75, 1, 0.5]


def test_anchor_and_angle(slp):
    tracks = _read(slp, anchor="head", front="head", back="tail").tracks
    np.testing.assert_allclose(tracks[["x", "y"]], [[4, 1], [4, 2], [10, 0]])  # no head in frame 2
    np.testing.assert_allclose(tracks["angle"], [np.nan, 0, -np.pi / 2])  # to the right, and up


def test_skeleton_has_edges_and_guessed_partners(slp):
    skeleton = _read(slp).skeleton
    assert skeleton.names == ("head", "tail", "legL", "legR")
    assert skeleton.parents.tolist() == [-1, 0, -1, -1]
    assert skeleton.swap_index.tolist() == [0, 1, 3, 2]


def test_tracks_alone(slp):
    with pytest.warns(UserWarning, match="no track"):
        tracks = read_tracks(slp, min_length=2, front="head", back="tail")
    assert tracks["id"].tolist() == ["b", "b"]


def test_what_is_not_there_is_told(slp):
    with pytest.warns(UserWarning, match="no track"), pytest.raises(ValueError, match="'nose'"):
        read_sleap(slp, anchor="nose")
    with pytest.warns(UserWarning, match="no track"), pytest.raises(ValueError, match="both front"):
        read_sleap(slp, front="head")
    with pytest.raises(ValueError, match="1 videos, but video is 1"):
        read_sleap(slp, video=1)


def _write(path, *frames, edges=()):
    """Write a file of frames: each a list of (points, track, names)."""
    sio = pytest.importorskip("sleap_io")
    video = sio.Video("nowhere.mp4", open_backend=False)
    skeletons = {}
    labelled = []
    for number, content in enumerate(frames):
        instances = []
        for points, track, names in content:
            skeleton = skeletons.setdefault(names, sio.Skeleton(list(names), edges=list(edges)))
            points = np.array(points, dtype=float)
            scores = {"point_scores": np.ones(len(points)), "score": 1.0}
            instances.append(
                sio.PredictedInstance.from_numpy(points, skeleton=skeleton, track=track, **scores)
            )
        labelled.append(sio.LabeledFrame(video=video, frame_idx=number, instances=instances))
    labels = sio.Labels(labelled, videos=[video], skeletons=list(skeletons.values()))
    labels.save(str(path), embed=False)
    return path


POINTS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def test_a_track_twice_in_a_frame_is_refused(tmp_path):
    sio = pytest.importorskip("sleap_io")
    a = sio.Track("a")
    path = _write(tmp_path / "p.slp", [(POINTS, a, "xyz")], [(POINTS, a, "xyz")] * 2)
    with pytest.raises(ValueError, match=r"p\.slp cannot be .* track 'a' is twice in frame 1\. "):
        read_sleap(path)
    other = sio.Track("a")
    path = _write(tmp_path / "q.slp", [(POINTS, a, "xyz"), (POINTS, other, "xyz")])
    with pytest.raises(ValueError, match=r"q\.slp .* track 'a' is twice in frame 0\. Delete one"):
        read_sleap(path)


@pytest.mark.parametrize("names", ["zyx", "xy"])
def test_individuals_of_different_skeletons_are_refused(names, tmp_path):
    sio = pytest.importorskip("sleap_io")
    second = (POINTS[: len(names)], sio.Track("b"), names)
    path = _write(tmp_path / "p.slp", [(POINTS, sio.Track("a"), "xyz"), second])
    with pytest.raises(ValueError, match=rf"p\.slp .* x, y, z and {', '.join(names)}, cannot"):
        read_sleap(path)


def test_skeleton_in_a_circle_is_refused_by_name(tmp_path):
    sio = pytest.importorskip("sleap_io")
    frame = [(POINTS, sio.Track("a"), "xyz")]
    path = _write(tmp_path / "p.slp", frame, edges=["xy", "yz", "zx"])
    with pytest.raises(ValueError, match=r"p\.slp cannot be read as a SLEAP file"):
        read_sleap(path)


def test_damaged_and_missing_files_are_named(slp):
    content = slp.read_bytes()
    slp.write_bytes(content[: len(content) // 2])
    with pytest.raises((ValueError, OSError), match=r"poses\.slp"):
        read_sleap(slp)
    slp.write_bytes(b"frame,id")
    with pytest.raises((ValueError, OSError), match=r"poses\.slp"):
        read_tracks(slp)
    slp.unlink()
    with pytest.raises(FileNotFoundError, match=r"poses\.slp"):
        read_sleap(slp)


def test_without_sleap_io_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sleap_io", None)
    (tmp_path / "poses.slp").touch()
    with pytest.raises(ImportError, match=r"skpose\[formats\]"):
        read_sleap(tmp_path / "poses.slp")


@pytest.mark.data
def test_predictions_of_two_flies(data_dir):
    pytest.importorskip("sleap_io")
    poses = read_sleap(
        data_dir / "flypair" / "flypair_predictions.slp", front="head", back="abdomen"
    )
    assert poses.keypoints.shape == (2274, 24, 2)
    assert poses.skeleton.has_swaps
    lengths = poses.tracks["id"].value_counts()
    assert lengths["1"] == lengths["2"] == 1100
    assert poses.tracks["angle"].notna().mean() > 0.9
