import json

import h5py
from helpers import run, write_video
import numpy as np
import pytest

import skpose
from skpose import Skeleton
from skpose.datasets import make_poses, read_annotations, update_annotations, write_annotations
from skpose.video import VideoFrames

pytest.importorskip("av")

N_FRAMES = 40
SMALL = ["--set", "model__filters=4", "--set", "augmenter=None"]


def read(path):
    data = read_annotations(path, labelled="all", frames="all")
    data.frames = {}
    for video, number in zip(data.videos.tolist(), data.frame_numbers.tolist(), strict=True):
        data.frames.setdefault(video, []).append(number)
    return data


@pytest.fixture(scope="module")
def poses():
    return make_poses(N_FRAMES, image_size=32, random_state=0, return_bunch=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, poses):
    folder = tmp_path_factory.mktemp("label")
    # Nothing is lost in the compression: every frame can be told from its pixels.
    write_video(folder / "mouse.mkv", poses.images, codec="ffv1", pix_fmt="gray")
    poses.skeleton.to_csv(folder / "skeleton.csv")
    return folder


def sample(folder, out, *arguments, ok=True):
    of_new_sets = [] if "--append" in arguments else ["--skeleton", folder / "skeleton.csv"]
    return run(
        "sample",
        folder / "mouse.mkv",
        "-o",
        out,
        *of_new_sets,
        "--seed",
        0,
        *arguments,
        ok=ok,
    )


def label(path, poses, n_frames=None):
    """Give frames of the set the keypoints that they have, as a person would."""
    data = read(path)
    (numbers,) = data.frames.values()
    index = np.flatnonzero(~data.annotated.any(axis=1))[:n_frames]
    update_annotations(path, index, poses.keypoints[np.array(numbers)[index]])


@pytest.mark.parametrize("by", ["kmeans", "random"])
def test_sample_makes_a_set_of_the_frames_that_it_names(by, folder, poses, tmp_path):
    out = tmp_path / "set.h5"
    assert "8 frames of 1 video(s)" in sample(folder, out, "--n", 8, "--by", by)
    data = read(out)
    (numbers,) = data.frames.values()
    assert data.skeleton == poses.skeleton
    assert len(set(numbers)) == 8
    np.testing.assert_array_equal(np.asarray(data.images), poses.images[numbers])
    assert not data.annotated.any()
    assert np.isnan(data.keypoints).all()


def test_sample_is_reproducible_and_keeps_its_distance(folder, tmp_path):
    for name in ("a.h5", "b.h5"):
        sample(folder, tmp_path / name, "--n", 5, "--min-separation", 4)
    first, second = (read(tmp_path / name).frames for name in ("a.h5", "b.h5"))
    assert first == second
    (numbers,) = first.values()
    assert np.diff(numbers).min() >= 4


def test_append_takes_no_frame_twice_and_keeps_labels(folder, poses, tmp_path):
    out = tmp_path / "set.h5"
    sample(folder, out, "--n", 8)
    label(out, poses, 3)
    before = read(out)
    sample(folder, out, "--n", 32, "--append")
    after = read(out)
    (numbers,) = after.frames.values()
    assert sorted(numbers) == list(range(N_FRAMES))
    np.testing.assert_array_equal(np.asarray(after.images), poses.images[numbers])
    np.testing.assert_array_equal(after.keypoints[:8], before.keypoints)
    assert after.annotated.sum() == before.annotated.sum()


def test_step_looks_at_some_frames_only(folder, tmp_path):
    sample(folder, tmp_path / "set.h5", "--n", 4, "--step", 10)
    sample(folder, tmp_path / "more.h5", "--n", 3, "--step", 7)
    (numbers,) = read(tmp_path / "set.h5").frames.values()
    assert numbers == [0, 10, 20, 30]
    sample(folder, tmp_path / "more.h5", "--n", 2, "--step", 5, "--append")
    (numbers,) = read(tmp_path / "more.h5").frames.values()
    assert len(set(numbers)) == 5


def test_several_videos_share_the_frames(folder, poses, tmp_path):
    other = tmp_path / "other.mkv"
    write_video(other, poses.images[:10])
    out = tmp_path / "set.h5"
    skeleton = ["--skeleton", folder / "skeleton.csv"]
    run("sample", folder / "mouse.mkv", other, "-o", out, "--n", 7, *skeleton, "--seed", 0)
    data = read(out)
    assert [len(numbers) for numbers in data.frames.values()] == [4, 3]
    assert data.images.shape == (7, 32, 32, 1)


def test_videos_of_different_sizes_make_no_set(folder, poses, tmp_path):
    other = tmp_path / "other.mkv"
    write_video(other, poses.images[:5, :16])
    arguments = [folder / "mouse.mkv", other, "-o", tmp_path / "set.h5"]
    output = run("sample", *arguments, "--skeleton", folder / "skeleton.csv", ok=False)
    assert "16 x 32 pixels" in output
    assert not (tmp_path / "set.h5").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--by", "confidence"], "needs a trained model"),
        (["--by", "ensemble"], "needs two trained models"),
        (["--append"], "does not exist"),
        (["--append", "--overwrite"], "not both"),
        (["--by", "mean"], "is not one of"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments, message, folder, tmp_path):
    assert message in sample(folder, tmp_path / "set.h5", *arguments, ok=False)


def test_options_that_do_not_apply_are_refused(folder, tmp_path):
    sample(folder, tmp_path / "set.h5", "--n", 2)
    for option in (
        ["--skeleton", folder / "skeleton.csv"],
        ["--bodyparts", "nose,tail"],
        ["--grey"],
    ):
        output = sample(folder, tmp_path / "set.h5", "--append", *option, ok=False)
        assert f"{option[0]} does not apply with --append" in output


def test_a_set_is_made_from_nothing_but_names(folder, poses, tmp_path):
    out = tmp_path / "set.h5"
    arguments = ["sample", folder / "mouse.mkv", "-o", out, "--n", 4]
    assert "such as --bodyparts nose,left_ear,right_ear,tail" in run(*arguments, ok=False)
    assert not out.exists()
    output = run(*arguments, "--bodyparts", "nose, left_ear,right_ear,tail")
    assert "4 bodyparts; partners in a mirror are left_ear and right_ear." in output
    assert f"Label them: skpose label {out}" in output
    data = read(out)
    assert data.skeleton.names == ("nose", "left_ear", "right_ear", "tail")
    assert data.skeleton.swap_index.tolist() == [0, 2, 1, 3]
    more = run("sample", folder / "mouse.mkv", "-o", out, "--n", 3, "--append")
    assert f"3 frames of 1 video(s) were added to {out}, of 7" in more
    assert f"Label some: skpose label {out}" in run("train", out, tmp_path / "m", ok=False)


@pytest.mark.parametrize(
    ("pix_fmt", "tinted", "option", "n_channels"),
    [
        ("gray", False, [], 1),
        ("yuv420p", False, [], 1),
        ("yuv420p", True, [], 3),
        ("yuv420p", True, ["--grey"], 1),
        ("gray", False, ["--colour"], 3),
    ],
)
def test_images_are_grey_where_the_video_is(poses, tmp_path, pix_fmt, tinted, option, n_channels):
    frames = np.repeat(poses.images[:12], 3, axis=3)
    if tinted:
        frames[..., 0] //= 2
    write_video(tmp_path / "v.mp4", frames, pix_fmt=pix_fmt, codec="libx264")
    out = tmp_path / "set.h5"
    run("sample", tmp_path / "v.mp4", "-o", out, "--n", 2, "--bodyparts", "a,b", *option)
    assert read(out).images.shape[3] == n_channels


def test_frames_know_their_video(folder, poses, tmp_path):
    other = tmp_path / "other.mkv"
    write_video(other, poses.images[:10])
    out = tmp_path / "set.h5"
    run(
        "sample",
        folder / "mouse.mkv",
        other,
        "-o",
        out,
        "--n",
        6,
        "--seed",
        0,
        "--skeleton",
        folder / "skeleton.csv",
    )
    run("sample", other, "-o", out, "--n", 2, "--append")
    data = read_annotations(out, frames="all")
    size = (folder / "mouse.mkv").stat().st_size
    assert data.videos.tolist()[:3] == [f"mouse.mkv, {size} bytes"] * 3
    assert set(data.videos[3:]) == {f"other.mkv, {other.stat().st_size} bytes"}
    assert data.groups.tolist() == data.videos.tolist()
    for image, video, number in zip(data.images, data.videos, data.frame_numbers, strict=True):
        name = video.partition(",")[0]
        path = folder / name if name == "mouse.mkv" else other
        X = VideoFrames(path, n_channels=1)
        np.testing.assert_array_equal(image, X[int(number)])


def test_sets_that_only_tell_the_frames_that_were_taken_are_gone_on_with(folder, poses, tmp_path):
    out = tmp_path / "set.h5"
    video = folder / "mouse.mkv"
    name = f"mouse.mkv, {video.stat().st_size} bytes"
    write_annotations(out, poses.images[[3, 9]], skeleton=poses.skeleton)
    with h5py.File(out, "r+") as file:  # as sets were before each image told its own frame
        file["sources"] = json.dumps({name: [3, 9]})
    assert read(out).frame_numbers.tolist() == [3, 9]
    sample(folder, out, "--n", N_FRAMES - 2, "--append")
    data = read(out)
    assert sorted(data.frame_numbers.tolist()) == list(range(N_FRAMES))
    assert set(data.videos) == {name}


def test_a_set_is_not_overwritten_unless_told(folder, tmp_path):
    out = tmp_path / "set.h5"
    sample(folder, out, "--n", 3)
    before = out.read_bytes()
    assert "--overwrite" in sample(folder, out, "--n", 4, ok=False)
    assert out.read_bytes() == before
    sample(folder, out, "--n", 4, "--overwrite")
    assert len(read(out).images) == 4


def test_initialize_says_that_all_is_labelled(tmp_path, poses, monkeypatch):
    out, model = tmp_path / "set.h5", tmp_path / "model"
    write_annotations(out, poses.images, poses.keypoints, skeleton=poses.skeleton)
    model.touch()

    class Estimator:
        skeleton = poses.skeleton

    monkeypatch.setattr(skpose, "load", lambda path: Estimator(), raising=False)
    assert "nothing was changed" in run("initialize", model, out)
    Estimator.skeleton = Skeleton(["head"])
    assert "skeleton has 1 bodyparts" in run("initialize", model, out, ok=False)


@pytest.mark.slow
def test_once_round_the_loop(folder, poses, tmp_path):
    out, model = tmp_path / "set.h5", tmp_path / "model.skpose"
    sample(folder, out, "--n", 8)
    label(out, poses, 5)
    run("train", out, model, "--epochs", 1, "--batch-size", 4, "--seed", 0, *SMALL)

    assert "3 of 8 images" in run("initialize", model, out)
    data = read(out)
    assert data.annotated.sum() == 5 * len(poses.skeleton)
    assert np.isfinite(data.keypoints).all()
    assert np.isfinite(data.confidence[5:]).all()

    label(out, poses)  # correct the guesses
    run(
        *["sample", folder / "mouse.mkv", "-o", out, "--append", "--n", 4],
        *["--model", model, "--min-separation", 2],
    )
    label(out, poses)
    (numbers,) = read(out).frames.values()
    np.testing.assert_allclose(read_annotations(out).keypoints, poses.keypoints[numbers])
    run("train", out, model, "--resume", "--epochs", 1)
    assert skpose.load(model).n_iter_ == 2


def test_guesses_are_streamed_for_programs(folder, tmp_path):
    out, model = tmp_path / "set.h5", tmp_path / "m.skpose"
    sample(folder, out, "--n", 6)
    poses = make_poses(12, image_size=32, random_state=0, return_bunch=True)
    write_annotations(tmp_path / "t.h5", poses.images, poses.keypoints, skeleton=poses.skeleton)
    run("train", tmp_path / "t.h5", model, "--epochs", 1, *SMALL)
    before = out.read_bytes()
    lines = run("initialize", model, out, "--stream", "--batch-size", 4).splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert [line["images"] for line in told] == [[0, 1, 2, 3], [4, 5]]
    assert np.shape(told[1]["keypoints"]) == (2, 13, 3)
    assert out.read_bytes() == before
