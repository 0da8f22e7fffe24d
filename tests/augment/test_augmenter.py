from concurrent.futures import ThreadPoolExecutor
import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from skpose import Skeleton
from skpose.augment import Augmenter
from skpose.preprocessing import ImageBatch

FLY = Skeleton(["head", "wingL", "wingR"], ["", "head", "head"], ["", "wingR", "wingL"])
MIDLINE = Skeleton.from_names(["head", "thorax", "tail"])


def make_data(n=6, n_channels=1):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, 24, 30, n_channels), dtype=np.uint8)
    return images, rng.uniform(0, 24, (n, 3, 2))


@pytest.mark.parametrize("n_channels", [1, 3])
def test_random_state_alone_decides(n_channels):
    images, keypoints = make_data(n_channels=n_channels)
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = Augmenter(FLY).augment(images, keypoints, random_state=5)
    again = Augmenter(FLY).augment(images, keypoints, random_state=np.random.default_rng(5))
    other = Augmenter(FLY).augment(images, keypoints, random_state=6)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[1] != other[1]).any()
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_random_state_of_the_augmenter_is_used_where_the_call_has_none():
    data = make_data()
    expected = Augmenter(FLY).augment(*data, random_state=7)[1]
    np.testing.assert_array_equal(Augmenter(FLY, random_state=7).augment(*data)[1], expected)
    legacy = [
        Augmenter(FLY, random_state=np.random.RandomState(seed)).augment(*data)[1]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(legacy[0], legacy[1])
    assert (legacy[0] != legacy[2]).any()
    assert (Augmenter(FLY).augment(*data)[1] != Augmenter(FLY).augment(*data)[1]).any()


def test_generator_is_advanced():
    data, rng = make_data(), np.random.default_rng(0)
    augmenter = Augmenter(FLY)
    first, second = (augmenter.augment(*data, random_state=rng)[1] for _ in range(2))
    assert (first != second).any()


def test_threads_give_what_one_gives():
    data, augmenter = make_data(16), Augmenter(FLY, p=1)
    alone = [augmenter.augment(*data, random_state=seed) for seed in range(24)]
    with ThreadPoolExecutor(8) as pool:
        threaded = list(
            pool.map(lambda seed: augmenter.augment(*data, random_state=seed), range(24))
        )
    for (images, keypoints), (images_2, keypoints_2) in zip(alone, threaded, strict=True):
        np.testing.assert_array_equal(images, images_2)
        np.testing.assert_array_equal(keypoints, keypoints_2)


@pytest.mark.parametrize(
    ("number", "pair"),
    [
        ({"rotation": 30}, {"rotation": (-30, 30)}),
        ({"scale": 0.2}, {"scale": (0.8, 1.2)}),
        ({"translation": 0.1}, {"translation": (-0.1, 0.1)}),
        ({"shear": 8}, {"shear": (-8.0, 8.0)}),
        ({"contrast": 0.5}, {"contrast": (0.5, 1.5)}),
        ({"brightness": 20}, {"brightness": (-20, 20)}),
        ({"blur": 2}, {"blur": (0, 2)}),
        ({"sharpen": 0.5}, {"sharpen": (0, 0.5)}),
        ({"noise": 5}, {"noise": (0, 5)}),
        ({"dropout": 0.1}, {"dropout": (0, 0.1)}),
        ({"block_dropout": 0.1}, {"block_dropout": (0, 0.1)}),
        ({"block_size": 0.1}, {"block_size": (0.1, 0.1)}),
        ({"rotation": 0, "scale": 0}, {"rotation": None, "scale": None}),
        ({"p": 0, "fliplr": 0}, {"p": None, "fliplr": None}),
    ],
    ids=str,
)
def test_number_stands_for_a_pair(number, pair):
    data = make_data()
    results = [Augmenter(FLY, **each).augment(*data, random_state=0) for each in (number, pair)]
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_allclose(results[0][1], results[1][1], atol=1e-9)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rotation": -30}, "rotation"),
        ({"rotation": "30"}, "rotation"),
        ({"rotation": (30, -30)}, r"from 30 to -30, but the range must run upwards"),
        ({"rotation": (1, 2, 3)}, r"rotation must be a number or a pair"),
        ({"rotation": (0, np.nan)}, "rotation"),
        ({"rotation": (0, np.inf)}, "rotation"),
        ({"rotation": np.nan}, "rotation"),
        ({"scale": 1.1}, r"scale=1.1 stands for a factor from -0.1 to 2.1"),
        ({"scale": (0, 1)}, r"stay within 0 and inf, both excluded"),
        ({"shear": 90}, "shear"),
        ({"contrast": (-0.5, 1)}, "contrast"),
        ({"noise": (-1, 1)}, "noise"),
        ({"dropout": 1.0}, r"dropout=1.0 stands for a probability from 0 to 1"),
        ({"block_size": 1.5}, "block_size"),
        ({"block_size": None}, "block_size"),
        ({"fliplr": 1.5}, "fliplr"),
        ({"p": -0.1}, "'p'"),
        ({"border": "wrap"}, "border"),
        ({"border_value": 256}, "border_value"),
        ({"skeleton": ["head"]}, "skeleton"),
        ({"random_state": "0"}, "random_state"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused_by_fit_and_by_augment(parameters, message):
    data = make_data()
    with pytest.raises(ValueError, match=message):
        Augmenter(**parameters).fit(data[0])
    with pytest.raises(ValueError, match=message):
        Augmenter(**parameters).augment(*data, random_state=0)
    changed_later = Augmenter(FLY)
    changed_later.augment(*data, random_state=0)
    with pytest.raises(ValueError, match=message):
        changed_later.set_params(**parameters).augment(*data, random_state=0)


@pytest.mark.parametrize(
    ("swap_index", "message"),
    [
        ([0, 1], "each of the 3 keypoints, but has 2 entries"),
        ([[0, 1, 2]], r"has shape \(1, 3\)"),
        ([1, 2, 0], "keypoint 0 becomes 1, and 1 becomes 2"),
        ([0, 1, 3], "whole numbers from 0 to 2"),
        ([0, 1, -1], "whole numbers from 0 to 2"),
        ([0.0, 1.0, 2.0], "whole numbers"),
    ],
    ids=str,
)
@pytest.mark.parametrize("fliplr", [0, 1])
def test_bad_swap_index(swap_index, message, fliplr):
    augmenter = Augmenter(fliplr=fliplr, flipud=0)
    with pytest.raises(ValueError, match=message):
        augmenter.augment(*make_data(), random_state=0, swap_index=swap_index)


def test_skeleton_of_another_size():
    with pytest.raises(ValueError, match="The skeleton must have one entry for each of the 3"):
        Augmenter(Skeleton.from_names("ab")).augment(*make_data(), random_state=0)


def test_swap_index_wins_over_the_skeleton():
    mirror = {"fliplr": 1, "flipud": 0, "rotation": 0, "scale": 0, "translation": 0, "p": 0}
    images, keypoints = make_data()
    named = Augmenter(FLY, **mirror).augment(images, keypoints, random_state=0)[1]
    given = Augmenter(FLY, **mirror).augment(
        images, keypoints, random_state=0, swap_index=[1, 0, 2]
    )[1]
    np.testing.assert_allclose(named[..., 0], 29 - keypoints[:, [0, 2, 1], 0])
    np.testing.assert_allclose(given[..., 0], 29 - keypoints[:, [1, 0, 2], 0])


@pytest.mark.parametrize(
    ("images", "keypoints", "error", "message"),
    [
        (np.zeros((2, 4, 4), np.uint8), np.zeros((2, 1, 2)), ValueError, "images must have 4 axes"),
        (np.zeros((2, 4, 4, 2), np.uint8), np.zeros((2, 1, 2)), ValueError, "1 .grey. or 3"),
        (np.full((2, 4, 4, 1), 0.5), np.zeros((2, 1, 2)), ValueError, "images is float64"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros((3, 1, 2)), ValueError, "there are 2"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros((2, 2)), ValueError, "keypoints must have"),
    ],
)
def test_bad_data(images, keypoints, error, message):
    with pytest.raises(error, match=message):
        Augmenter(FLY).augment(images, keypoints, random_state=0)


def test_warns_of_mirrors_without_partners_once_per_fit():
    data, augmenter = make_data(32), Augmenter(fliplr=0.5, flipud=0.5)
    with pytest.warns(UserWarning, match="no bodypart has a left/right partner. Assumed") as record:
        augmenter.augment(*data, random_state=0)
    assert record[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        augmenter.augment(*data, random_state=1)
        augmenter.fit(data[0])  # does not know whether an estimator has a skeleton
    with pytest.warns(UserWarning, match="fliplr=0, flipud=0"):
        augmenter.augment(*data, random_state=0)


def test_warns_in_fit_if_the_skeleton_names_no_partners():
    data, augmenter = make_data(), Augmenter(MIDLINE, fliplr=0.5)
    with pytest.warns(UserWarning, match="lies on the midline") as record:
        augmenter.fit_transform(data[0])
    assert len(record) == 1
    augmenter.augment(*data, random_state=0)


@pytest.mark.parametrize(
    ("parameters", "swap_index"),
    [
        ({"skeleton": FLY}, None),
        ({"skeleton": MIDLINE, "fliplr": 0, "flipud": 0}, None),
        ({"fliplr": None, "flipud": 0}, None),
        ({"skeleton": MIDLINE}, None),
        ({"fliplr": 0.5}, [0, 1, 2]),
    ],
    ids=str,
)
def test_does_not_warn_without_need(parameters, swap_index):
    images, keypoints = make_data(32)
    augmenter = Augmenter(**parameters).fit(images)
    augmenter.augment(images, keypoints, random_state=0, swap_index=swap_index)


def test_fit_transform_attaches_itself_and_transform_does_not():
    images, _ = make_data()
    augmenter = Augmenter(FLY)
    training, prediction = augmenter.fit_transform(images), augmenter.transform(images)
    assert isinstance(training, ImageBatch)
    assert training.augmenters == (augmenter,)
    assert prediction.augmenters == ()
    np.testing.assert_array_equal(np.asarray(training), images)
    np.testing.assert_array_equal(np.asarray(prediction), images)
    assert augmenter.transform(prediction) is prediction


def test_steps_of_a_pipeline_add_up_and_outlive_set_output():
    images, _ = make_data()
    steps = make_pipeline(Augmenter(FLY, rotation=90), Augmenter(FLY, rotation=0))
    batch = steps.set_output(transform="pandas").fit_transform(images)
    assert [augmenter.rotation for augmenter in batch.augmenters] == [90, 0]
    assert steps.transform(images).augmenters == ()


def test_fit_refuses_what_is_no_image():
    with pytest.raises(ValueError, match="4 axes"):
        Augmenter().fit(np.zeros((4, 5)))


def test_tags():
    tags = get_tags(Augmenter())
    assert not tags.input_tags.two_d_array
    assert not tags.target_tags.required
    assert not tags.requires_fit
    assert Augmenter().__sklearn_is_fitted__()


@pytest.mark.parametrize("copy", [clone, lambda a: pickle.loads(pickle.dumps(a))])
def test_copies_do_the_same(copy):
    data = make_data()
    augmenter = Augmenter(FLY, rotation=(0, 90), noise=None).fit(data[0])
    other = copy(augmenter)
    assert other.get_params() == augmenter.get_params()
    for a, b in zip(
        augmenter.augment(*data, random_state=0), other.augment(*data, random_state=0), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_hash_depends_on_the_parameters_and_the_labels_alone():
    data = make_data()
    fresh = joblib.hash(Augmenter(fliplr=0.5).fit(data[0]))
    used = Augmenter(fliplr=0.5).fit(data[0])
    with pytest.warns(UserWarning, match="Images are mirrored"):
        used.augment(*data, random_state=0)
    assert joblib.hash(used) == fresh
    fresh = joblib.hash(Augmenter())
    others = [{"rotation": 90}, {"scale": (0.9, 1.1)}, {"skeleton": FLY}, {"random_state": 0}]
    hashes = {joblib.hash(Augmenter(**other)) for other in others}
    assert len(hashes | {fresh}) == len(others) + 1
    batches = {joblib.hash(Augmenter(FLY, rotation=r).fit_transform(data[0])) for r in (0, 90)}
    assert len(batches) == 2


def test_nothing_heavy_is_imported():
    code = (
        "import sys, numpy as np, skpose.augment\n"
        "heavy = {'cv2', 'imgaug', 'tensorflow', 'keras', 'matplotlib', 'skimage'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "images = np.zeros((2, 8, 8, 1), np.uint8)\n"
        "augmenter = skpose.augment.Augmenter(fliplr=0, flipud=0).fit(images)\n"
        "augmenter.augment(images, np.zeros((2, 1, 2)), random_state=0)\n"
        "heavy.remove('cv2')\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.data
def test_left_stays_left_on_flies(data_dir):
    import h5py

    with h5py.File(data_dir / "fly" / "annotation_set.h5") as file:
        images, keypoints = file["images"][:32], file["annotations"][:32]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        skeleton = Skeleton.from_csv(data_dir / "fly" / "skeleton.csv")
    _, moved = Augmenter(skeleton).augment(images, keypoints, random_state=0)
    names = list(skeleton.names)
    left = [i for i, j in enumerate(skeleton.swap_index) if i != j and "L" in names[i]]
    right = skeleton.swap_index[left]

    def sides(y):
        across = y[:, left].mean(axis=1) - y[:, right].mean(axis=1)
        along = y[:, names.index("head")] - y[:, names.index("abdomen")]
        return np.sign(across[:, 0] * along[:, 1] - across[:, 1] * along[:, 0])

    assert (sides(moved) == sides(keypoints)).all()
    assert len(set(sides(keypoints))) == 1
