"""What is in a file, what looks wrong in labels, and sets that are changed as a whole."""

from hashlib import sha256
import json

from helpers import run
import numpy as np
import pytest

import skpose
from skpose import Skeleton
from skpose.datasets import make_poses, read_annotations, update_annotations, write_annotations

SMALL = ["--set", "model__filters=4", "--set", "augmenter=None", "--seed", 0]


@pytest.fixture(scope="module")
def poses():
    poses = make_poses(20, image_size=(32, 40), random_state=0, return_bunch=True)
    poses.keypoints[4, 3:] = np.nan
    return poses


@pytest.fixture(scope="module")
def folder(tmp_path_factory, poses):
    folder = tmp_path_factory.mktemp("info")
    write_annotations(
        folder / "set.h5",
        poses.images,
        poses.keypoints,
        skeleton=poses.skeleton,
        videos=["a.mp4, 7 bytes"] * 10 + ["b.mp4, 8 bytes"] * 10,
        frame_numbers=np.arange(20),
    )
    run("train", folder / "set.h5", folder / "m.skpose", "--epochs", 2, *SMALL)
    run("predict", folder / "m.skpose", folder / "set.h5", "--out", folder / "poses.csv")
    return folder


def flat(text):
    return " ".join(text.split())


def test_info_of_a_model(folder, poses):
    path = folder / "m.skpose"
    output = run("info", path)
    model = skpose.load(path)
    assert output.startswith(f"{path}: PoseEstimator, ")
    for part in (
        "network ResidualUNet(filters=4), float32",
        f"trained 2 epochs, {model.minutes_:.1f} minutes; kept is epoch",
        f"error of {model.history_['val_keypoint_error'][-1]:.2f} px in the images kept back",
        "trained on 10 images, 10 kept back",  # one of two videos
        "network sees 32 x 40 pixels, grey",
        f"bodyparts 13: {', '.join(poses.skeleton.names)}; partners are left_ear and right_ear,",
        "max_epochs=2",
        f"skpose {skpose.__version__}, keras ",
        f"sha256 {sha256(path.read_bytes()).hexdigest()}",
    ):
        assert part in flat(output)
    assert max(map(len, output.splitlines()[1:])) <= 82


def test_info_of_a_set_and_of_poses(folder, tmp_path):
    output = flat(run("info", folder / "set.h5"))
    assert "annotation set, " in output
    assert "images 20, 32 x 40 pixels, grey" in output
    assert "labelled 20 images, 250 of 260 keypoints sha" not in output
    assert "labelled 20 images, 250 of 260 keypoints" in output
    assert "videos 2: a.mp4, 7 bytes, b.mp4, 8 bytes" in output
    output = flat(run("info", folder / "poses.csv"))
    assert "poses, " in output
    assert "frames 20, from 0 to 19" in output
    assert "found 100.0% of the keypoints" in output
    run("predict", folder / "m.skpose", folder / "set.h5", "--out", tmp_path / "poses.h5")
    assert "frames 20, from 0 to 19" in flat(run("info", tmp_path / "poses.h5"))
    (tmp_path / "text.txt").write_text("nothing")
    assert "text.txt" in run("info", tmp_path / "text.txt", ok=False)


def test_info_of_coco(tmp_path, poses):
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), poses.images[0])
    row = np.column_stack([poses.keypoints[0], np.full(13, 2)]).ravel().tolist()
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "height": 32, "width": 40}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": row}],
        "categories": [{"id": 1, "name": "mouse", "keypoints": list(poses.skeleton.names)}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    output = flat(run("info", tmp_path / "coco.json"))
    assert "coco.json: labels, " in output
    assert "labelled 1 images, 13 of 13 keypoints" in output


def test_check_says_what_looks_wrong(folder, poses, tmp_path):
    output = run("check", folder / "set.h5")
    assert "swapped" not in output
    assert "of 20 labelled images should be looked at." in output
    path = tmp_path / "wrong.h5"
    images, keypoints = poses.images.copy(), poses.keypoints.copy()
    images[19] = images[0]
    keypoints[6, [2, 3]] = keypoints[6, [3, 2]]
    keypoints[1] = np.nan  # so that images are not counted as in the file
    write_annotations(path, images, keypoints, skeleton=poses.skeleton)
    output = run("check", path)
    assert "image 6: left_ear and right_ear look swapped\n" in output
    assert "image 19: is the same image as 0\n" in output
    assert "of 19 labelled images should be looked at." in output


def test_check_knows_the_two_sides_of_a_training(folder, poses, tmp_path):
    kept = skpose.load(folder / "m.skpose").validation_indices_
    others = np.setdiff1d(np.arange(20), kept)
    path = tmp_path / "doubled.h5"
    images = poses.images[[others[0], kept[0], kept[0]]].copy()
    images[1] = images[0]
    images[1, 0, 0] ^= 1
    write_annotations(path, images, poses.keypoints[:3], skeleton=poses.skeleton)
    assert "watched the other" not in run("check", path, "--model", folder / "m.skpose")
    model = skpose.load(folder / "m.skpose")
    from skpose._digests import digest_images

    model.validation_digests_ = np.union1d(model.validation_digests_, digest_images(images[1:2]))
    model.save(tmp_path / "m.skpose")
    output = run("check", path, "--model", tmp_path / "m.skpose")
    assert "image 1: is nearly the same image as 0, and the model was trained on one and" in output


def test_sets_are_edited_and_split(folder, poses, tmp_path):
    path = tmp_path / "set.h5"
    path.write_bytes((folder / "set.h5").read_bytes())
    assert "Give --remove or --rename" in run("edit", path, ok=False)
    for numbers in ("1,x", "7-3"):
        assert "not a list of numbers" in run("edit", path, "--remove", numbers, ok=False)
    run("edit", path, "--rename", "snout=nose", "--remove", "20", ok=False)
    assert read_annotations(path).skeleton.names[0] == "snout"
    assert "no bodypart 'tooth'" in run("edit", path, "--rename", "tooth=nose", ok=False)
    output = run("edit", path, "--remove", "0,5-7", "--rename", "snout=nose")
    assert "has 16 images now" in output
    data = read_annotations(path)
    assert data.skeleton.names[0] == "nose"
    kept = np.setdiff1d(np.arange(20), [0, 5, 6, 7])
    np.testing.assert_array_equal(np.asarray(data.images), poses.images[kept])
    parts = tmp_path / "train.h5", tmp_path / "test.h5"
    output = run("split", path, *parts, "--test-size", 0.5, "--seed", 0)
    sizes = [len(read_annotations(part).images) for part in parts]
    assert sum(sizes) == 16
    assert f"{sizes[0]} images are in {parts[0]}" in output
    assert "exists" in run("split", path, *parts, ok=False)


def test_training_begins_with_another_model(folder, poses, tmp_path):
    path = tmp_path / "few.h5"
    few = poses.skeleton.from_names(["nose", "rump"])
    write_annotations(path, poses.images, poses.keypoints[:, [0, 10]], skeleton=few)
    arguments = ["train", path, tmp_path / "m.skpose", "--from", folder / "m.skpose"]
    run(*arguments, "--epochs", 1, "--set", "learning_rate=1e-12")
    model, first = (skpose.load(name / "m.skpose") for name in (tmp_path, folder))
    assert model.skeleton.names == ("nose", "rump")
    assert (model.architecture_.filters, model.n_iter_, model.augmenter) == (4, 1, None)
    ours, theirs = (m.model_.network.get_weights() for m in (model, first))
    pairs = [pair for pair in zip(ours, theirs, strict=True) if pair[0].shape == pair[1].shape]
    assert np.mean([np.allclose(*pair, atol=1e-6) for pair in pairs]) > 0.7
    assert "--from does not apply" in run(*arguments, "--resume", ok=False)
    output = run(*arguments, "--overwrite", "--set", "model__filters=8", ok=False)
    assert "model__filters" in output


def test_labels_in_the_journal_are_counted(folder, tmp_path, poses):
    path = tmp_path / "set.h5"
    write_annotations(path, poses.images, skeleton=poses.skeleton)
    assert "labelled 0 images, 0 of 260 keypoints" in flat(run("info", path))
    update_annotations(path, [3], poses.keypoints[3:4])
    assert "labelled 1 images, 13 of 260 keypoints" in flat(run("info", path))


def test_labels_of_two_people_are_compared(folder, poses, tmp_path):
    one, two = tmp_path / "one.h5", tmp_path / "two.h5"
    order = np.random.default_rng(0).permutation(20)[:12]
    theirs = poses.keypoints[order] + [3, 4]
    theirs[0, 2] = np.nan
    reverse = poses.skeleton.names[::-1]
    write_annotations(one, poses.images, poses.keypoints, skeleton=poses.skeleton)
    write_annotations(two, poses.images[order], theirs[:, ::-1], skeleton=Skeleton(list(reverse)))
    output = run("compare", one, two)
    n_both = int(np.isfinite(poses.keypoints[order][..., 0]).sum()) - 1
    assert output.startswith("12 images are labelled in both.\napart in px")
    (line,) = [line for line in output.splitlines() if line.startswith("all bodyparts")]
    assert line.split()[2:] == [str(n_both), "5.00", "5.00", "5.00"]
    assert "1 bodyparts were placed by one of the two only." in output
    write_annotations(two, poses.images[order] ^ 1, theirs, skeleton=poses.skeleton, overwrite=True)
    assert "No labelled image" in run("compare", one, two, ok=False)
    other = Skeleton(["a"])
    write_annotations(two, poses.images, poses.keypoints[:, :1], skeleton=other, overwrite=True)
    assert "has the bodyparts snout" in run("compare", one, two, ok=False)
