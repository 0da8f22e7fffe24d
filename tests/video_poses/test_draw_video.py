from click.testing import CliRunner
import numpy as np
import pandas as pd
import pytest

from skpose import Skeleton
from skpose._palette import bodypart_colors
from skpose.cli import main

av = pytest.importorskip("av")
pytest.importorskip("cv2")

from skpose.poses import from_numpy  # noqa: E402
from skpose.video import VideoFrames  # noqa: E402
from skpose.video._encoder import write_mp4  # noqa: E402
from skpose.video_poses import draw_video  # noqa: E402
from skpose.video_poses._overlay import PoseOverlay  # noqa: E402

N_FRAMES, HEIGHT, WIDTH = 8, 24, 32
GREY = 90
COORDS = ["x", "y", "likelihood"]
PAIR = Skeleton(["nose", "tail"], ["", "nose"])


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A grey video of 25 frames a second."""
    path = tmp_path_factory.mktemp("video") / "grey.mp4"
    with write_mp4(path, (HEIGHT, WIDTH), 25) as write:
        for _ in range(N_FRAMES):
            write(np.full((HEIGHT, WIDTH, 3), GREY, dtype=np.uint8))
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "labelled.mp4"


def poses(x=10.0, y=12.0, n_frames=N_FRAMES):
    """One keypoint that stays where it is."""
    return np.tile([x, y], (n_frames, 1, 1))


def draw(video, keypoints, confidence=None, *, frames=None, **options):
    return draw_video(video, from_numpy(keypoints, confidence, frames=frames), **options)


def changed(path, frame=0):
    """How far the pixels of a frame are from the grey that they were."""
    return np.abs(VideoFrames(path)[frame].astype(float) - GREY).max(axis=2)


def centre(weights):
    rows, columns = np.indices(weights.shape)
    weights = np.where(weights > 8, weights, 0)  # not what compression did
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


def overlay(image_size=(40, 40), *, edges=(), n_keypoints=1, radius=3.0, **options):
    white = np.full((n_keypoints, 3), 255)
    overlay = PoseOverlay(image_size, white, edges, radius=radius, **options)
    overlay._outline = 0
    return overlay


@pytest.mark.parametrize("radius", [1.5, 2, 3, 6])
@pytest.mark.parametrize("x", [20.0, 20.3, 20.75])
def test_dots_have_their_radius_and_lie_between_pixels(radius, x):
    frame = np.zeros((40, 40, 3), dtype=np.uint8)
    overlay(radius=radius).draw(frame, np.array([[[x, 19.5]]]), np.ones((1, 1)))
    assert frame[..., 0].sum() / 255 == pytest.approx(np.pi * radius**2, rel=0.15)
    np.testing.assert_allclose(centre(frame[..., 0]), [x, 19.5], atol=0.1)


@pytest.mark.parametrize("width", [2.0, 3.5, 6.0])
@pytest.mark.parametrize("slope", [0, 0.5])
def test_lines_have_their_width(width, slope):
    frame = np.zeros((40, 40, 3), dtype=np.uint8)
    painter = overlay(edges=[[0, 1]], n_keypoints=2, radius=width / 0.7)
    painter.draw(
        frame, np.array([[[-20, 20 - 40 * slope], [60, 20 + 40 * slope]]]), np.ones((1, 2))
    )
    across = frame[:, 20, 0].sum() / 255 * np.cos(np.arctan(slope))
    assert across == pytest.approx(width, abs=0.5)


def test_half_opaque_dots_show_half_of_the_image():
    frame = np.full((20, 20, 3), 100, dtype=np.uint8)
    overlay((20, 20)).draw(frame, np.array([[[10.0, 10.0]]]), np.full((1, 1), 0.5))
    assert frame[10, 10].tolist() == [178, 178, 178]  # (100 + 255) / 2


def test_nothing_remains_of_the_frame_before():
    painter = overlay((20, 20))
    painter.draw(np.zeros((20, 20, 3), np.uint8), np.array([[[5.0, 5.0]]]), np.ones((1, 1)))
    frame = np.zeros((20, 20, 3), dtype=np.uint8)
    painter.draw(frame, np.full((1, 1, 2), np.nan), np.ones((1, 1)))
    assert not frame.any()


@pytest.mark.parametrize("far", [-1e9, 1e9, 1e30])
def test_keypoints_far_outside_do_no_harm(far):
    frame = np.zeros((20, 20, 3), dtype=np.uint8)
    painter = overlay((20, 20), edges=[[0, 1]], n_keypoints=2)
    painter.draw(frame, np.array([[[far, 5.0], [5.0, far]]]), np.ones((1, 2)))
    assert not frame.any()


def test_browsers_play_it(video, out):
    assert draw(video, poses(), out=out) == out
    with av.open(str(out)) as file:
        (stream,) = file.streams
        assert "mp4" in file.format.name
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == 25
        assert sum(1 for _ in file.decode(stream)) == N_FRAMES
    content = out.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # the index comes first


@pytest.mark.parametrize("color", [(255, 0, 0), (0, 200, 60), (20, 40, 250), (230, 160, 0)])
def test_colours_are_those_that_were_drawn(tmp_path, color):
    image = np.tile(np.uint8(color), (16, 16, 1))
    with write_mp4(tmp_path / "a.mp4", (16, 16), 25) as write:
        write(image)
    np.testing.assert_allclose(VideoFrames(tmp_path / "a.mp4")[0], image, atol=6)


@pytest.mark.parametrize("frame_rate", [25, 30000 / 1001, 15, 7.5])
def test_frame_rate_is_kept(tmp_path, frame_rate):
    with write_mp4(tmp_path / "a.mp4", (16, 16), frame_rate) as write:
        for _ in range(4):
            write(np.zeros((16, 16, 3), dtype=np.uint8))
    draw(tmp_path / "a.mp4", poses(n_frames=4), out=tmp_path / "b.mp4")
    assert VideoFrames(tmp_path / "b.mp4").frame_rate == pytest.approx(frame_rate, rel=1e-4)


@pytest.mark.parametrize("scale", [1, 4, 0.5, 1.55])
def test_dots_are_where_keypoints_are(video, out, scale):
    draw(video, poses(10.25, 12.0), out=out, scale=scale, radius=3)
    expected = scale * np.array([10.25, 12.0]) + (scale - 1) / 2
    np.testing.assert_allclose(centre(changed(out)), expected, atol=0.3)


def test_region_is_cut_out_with_its_poses(video, out):
    draw(video, poses(10, 12), out=out, region=(4, 6, 15, 13), radius=3)
    assert VideoFrames(out).shape[1:3] == (14, 16)  # even sides
    np.testing.assert_allclose(centre(changed(out)), [6, 6], atol=0.3)


def test_what_is_nan_or_not_confident_is_not_drawn(video, out):
    keypoints = np.full((N_FRAMES, 3, 2), 12.0)
    keypoints[:, 0] = np.nan
    confidence = np.tile([1.0, 0.1, np.nan], (N_FRAMES, 1))
    with pytest.warns(UserWarning, match="so none is drawn"):
        draw(video, keypoints, confidence, out=out)
    assert changed(out).max() < 8
    draw(video, keypoints, confidence, out=out, min_confidence=0.05, overwrite=True)
    assert changed(out).max() > 20


def test_confidence_that_is_not_known_hides_nothing(video, out):
    draw(video, poses(10, 12), np.full((N_FRAMES, 1), np.nan), out=out, radius=3)
    np.testing.assert_allclose(centre(changed(out)), [10, 12], atol=0.3)


def test_what_is_less_confident_is_paler(video, out):
    keypoints = np.tile([[8.0, 12.0], [24.0, 12.0]], (N_FRAMES, 1, 1))
    draw(video, keypoints, np.tile([1.0, 0.3], (N_FRAMES, 1)), out=out, cmap="Reds", radius=4)
    pixels = VideoFrames(out)[0].astype(int)
    paler = np.abs(pixels[12, 24] - GREY).max()
    assert 20 < paler < 0.8 * np.abs(pixels[12, 8] - GREY).max()


def test_only_the_given_frames_are_written_at_their_own_pace(video, out):
    keypoints = np.stack([poses(x)[0] for x in (6, 12, 18)])
    draw(video, keypoints, out=out, frames=[1, 4, 7], radius=3)
    frames = VideoFrames(out)
    assert len(frames) == 3
    assert frames.frame_rate == pytest.approx(25 / 3, rel=1e-3)
    for i, x in enumerate((6, 12, 18)):
        np.testing.assert_allclose(centre(changed(out, i)), [x, 12], atol=0.4)


def test_frames_can_be_given_in_place_of_a_file(video, out):
    X = np.asarray(VideoFrames(video, n_channels=1))
    draw_video(X, from_numpy(poses(10, 12), frame_rate=10), out=out, radius=3)
    assert VideoFrames(out).frame_rate == pytest.approx(10, rel=1e-3)
    np.testing.assert_allclose(centre(changed(out)), [10, 12], atol=0.3)


def test_poses_are_drawn_over_the_frames_that_they_are_of(numbered, video, out, tmp_path):
    path = numbered.write(tmp_path / "numbered.mp4", 20)
    X = VideoFrames(path, step=3)
    nowhere = from_numpy(np.full((3, 1, 2), np.nan), frames=[3, 9, 12])
    draw_video(X, nowhere, out=out)
    assert numbered.numbers(VideoFrames(out)) == [3, 9, 12]
    with pytest.raises(ValueError, match="not all of them"):
        draw_video(X, from_numpy(np.zeros((1, 1, 2)), frames=[4]), out=out, overwrite=True)


def test_trails_show_where_keypoints_came_from(video, out):
    keypoints = np.stack([poses(4 + 3 * i)[0] for i in range(N_FRAMES)])
    draw(video, keypoints, out=out, scale=2, radius=2)
    assert changed(out, 7)[24:26, : 2 * 20].max() < 25
    draw(video, keypoints, out=out, scale=2, radius=2, trail=5, overwrite=True)
    row = changed(out, 7)[24:26].max(axis=0)
    old, new = row[2 * 12 : 2 * 14].mean(), row[2 * 20 : 2 * 22].mean()
    assert 10 < old < new  # it fades
    assert row[: 2 * 9].max() < 25  # older than five frames


def test_lines_connect_what_the_skeleton_connects(video, out):
    keypoints = np.tile([[4.0, 12.0], [28.0, 12.0]], (N_FRAMES, 1, 1))
    draw(video, keypoints, out=out)
    assert changed(out)[12, 16] < 10
    draw(video, keypoints, out=out, skeleton=PAIR, overwrite=True)
    assert changed(out)[12, 16] > 30


def test_individuals_are_told_by_the_colour_of_their_lines(video, out):
    pair = np.array([[[4.0, 6.0], [28.0, 6.0]], [[4.0, 18.0], [28.0, 18.0]]])
    keypoints = np.tile(pair, (N_FRAMES, 1, 1, 1))
    keypoints[3, 1] = np.nan  # seen in all frames but one
    draw(video, keypoints, out=out, skeleton=PAIR, scale=4, radius=8)
    frames = VideoFrames(out)
    colors = 255 * bodypart_colors(2, PAIR)
    for row, color in zip((6, 18), colors, strict=True):
        np.testing.assert_allclose(frames[0][4 * row + 1, 64], color, atol=30)
    assert changed(out, 3)[4 * 18 + 1, 64] < 10


def test_frames_far_apart_do_not_stand_for_seconds(tmp_path, out):
    with write_mp4(tmp_path / "long.mp4", (HEIGHT, WIDTH), 25) as write:
        for _ in range(41):
            write(np.full((HEIGHT, WIDTH, 3), GREY, dtype=np.uint8))
    draw(tmp_path / "long.mp4", poses(n_frames=3), out=out, frames=[0, 20, 40])
    assert VideoFrames(out).frame_rate == pytest.approx(5, rel=1e-3)


def test_progress_is_told(video, out, capsys):
    draw(video, poses(), out=out, verbose=1)
    assert f"{N_FRAMES}/{N_FRAMES}" in capsys.readouterr().err


def test_a_video_is_not_overwritten_unless_told(video, out):
    out.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        draw(video, poses(), out=out)
    with pytest.raises(ValueError, match="something else than labelled videos"):
        draw(video, poses(), out=out, overwrite=True)
    assert out.read_bytes() == b"precious"
    out.write_bytes(video.read_bytes())
    draw(video, poses(), out=out, overwrite=True)
    assert len(VideoFrames(out)) == N_FRAMES


def test_a_failure_leaves_nothing_behind(video, out, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("disk")

    monkeypatch.setattr(PoseOverlay, "draw", fail)
    with pytest.raises(RuntimeError, match="disk"):
        draw(video, poses(), out=out)
    assert not list(out.parent.iterdir())


@pytest.mark.parametrize(
    ("keypoints", "options", "message"),
    [
        (poses(n_frames=9), {}, "from 0 to 8, but the video has 8, from 0 to 7"),
        (poses()[:2], {"frames": [3, 8]}, "the video has 8"),
        (poses()[:2], {"frames": [3, 2]}, "must increase"),
        (poses()[:2], {"frames": ["a.png", "b.png"]}, "not of the numbered frames"),
        (poses()[:, :0], {}, "are empty"),
        (poses(), {"skeleton": PAIR}, "2 bodyparts"),
        (poses(), {"out": "poses.avi"}, "end in .mp4, but poses.avi"),
        (poses(), {"trail": -1}, "trail must be"),
        (poses(), {"scale": 0}, "scale must be"),
        (poses(), {"radius": 0}, "radius must be"),
        (poses(), {"min_confidence": 2}, "min_confidence must be"),
        (poses(), {"region": (0, 0, 99, 9)}, "region"),
    ],
)
def test_mistakes(video, tmp_path, monkeypatch, keypoints, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        draw(video, keypoints, **({"out": "labelled.mp4"} | options))
    assert not list(tmp_path.iterdir())


def test_poses_must_be_poses(video, out):
    with pytest.raises(TypeError, match="poses must be an xarray.Dataset"):
        draw_video(video, poses(), out=out)


def test_the_video_itself_is_never_replaced(video):
    with pytest.raises(ValueError, match="replace the video itself"):
        draw(video, poses(), out=video, overwrite=True)


def test_a_missing_video_is_told(out):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        draw("nowhere.mp4", poses(), out=out)


def write_csv(path, keypoints, frames, names, ids=None):
    """Write a table with DeepLabCut's columns; confidence is 0.9."""
    levels = {"scorer": ["net"], "individuals": ids, "bodyparts": names, "coords": COORDS}
    levels = {key: values for key, values in levels.items() if values}
    columns = pd.MultiIndex.from_product(levels.values(), names=levels)
    values = np.concatenate([keypoints, np.full((*keypoints.shape[:-1], 1), 0.9)], axis=-1)
    pd.DataFrame(values.reshape(len(values), -1), index=frames, columns=columns).to_csv(path)


def run(*arguments, ok=True):
    result = CliRunner().invoke(main, ["draw", *(str(argument) for argument in arguments)])
    if ok:
        assert result.exit_code == 0, result.output
    return result


def test_command_draws_the_frames_of_a_table(video, out, tmp_path):
    write_csv(tmp_path / "poses.csv", poses(10, 12, n_frames=6), np.arange(2, 8), ["nose"])
    result = run(video, tmp_path / "poses.csv", "-o", out, "--start", 4, "--radius", 3)
    assert "4 labelled frames" in result.output
    assert len(VideoFrames(out)) == 4
    np.testing.assert_allclose(centre(changed(out)), [10, 12], atol=0.4)


def test_command_takes_individuals_skeleton_and_region(video, out, tmp_path):
    pair = np.array([[[28.0, 6.0], [4.0, 6.0]], [[28.0, 18.0], [4.0, 18.0]]])
    keypoints = np.tile(pair, (N_FRAMES, 1, 1, 1))
    table, skeleton = tmp_path / "poses.csv", tmp_path / "skeleton.csv"
    write_csv(table, keypoints, np.arange(N_FRAMES), ["tail", "nose"], ids=["a", "b"])
    PAIR.to_csv(skeleton)  # in another order than the table
    run(video, table, "-o", out, "--skeleton", skeleton, "--region", "0,2,32,20")
    assert VideoFrames(out).shape[1:3] == (20, 32)
    assert changed(out)[[4, 16], 16].min() > 30


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        (["a.png", "b.png"], [], "not of the numbered frames"),
        ([1, 2], ["--start", 3], "its frames are from 1 to 2"),
        ([1, 2], ["--skeleton", "pair.csv"], "must have the bodyparts of the poses, nose"),
        ([1, 2], ["--region", "1,2"], "X,Y,WIDTH,HEIGHT"),
    ],
)
def test_mistakes_of_the_command(video, out, tmp_path, monkeypatch, frames, options, message):
    monkeypatch.chdir(tmp_path)
    PAIR.to_csv("pair.csv")
    write_csv(tmp_path / "poses.csv", poses(n_frames=2), frames, ["nose"])
    result = run(video, tmp_path / "poses.csv", "-o", out, *options, ok=False)
    assert result.exit_code != 0
    assert message in result.output.replace("\n", " ")


@pytest.mark.data
def test_two_flies_are_drawn_over_a_real_video(data_dir, out):
    path = data_dir / "flypair" / "flypair.mp4"
    keypoints = np.random.default_rng(0).uniform(100, 280, (20, 2, 5, 2))
    draw(path, keypoints, out=out, frames=np.arange(100, 120), trail=5)
    drawn, source = VideoFrames(out), VideoFrames(path)
    assert drawn.shape == (20, *source.shape[1:])
    untouched = np.s_[:90, :90]
    difference = drawn[7].astype(int)[untouched] - source[107].astype(int)[untouched]
    assert np.abs(difference).mean() < 4
