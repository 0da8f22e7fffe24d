from concurrent.futures import ThreadPoolExecutor
import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from skpose import Skeleton
from skpose.augment import ImgaugAugmenter, import_imgaug
from skpose.preprocessing import ImageBatch

iaa = import_imgaug().augmenters

FLY = Skeleton(["head", "wingL", "wingR"], ["", "head", "head"], ["", "wingR", "wingL"])
MARGIN = 9


def make_data(n=6, n_channels=1):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, 24, 30, n_channels), dtype=np.uint8)
    return images, rng.uniform(0, 24, (n, 3, 2))


def make_pipeline():
    return iaa.Sequential(
        [
            iaa.Fliplr(0.5),
            iaa.Sometimes(0.7, iaa.Affine(rotate=(-180, 180), scale=(0.9, 1.1), mode="edge")),
            iaa.SomeOf((0, 2), [iaa.AdditiveGaussianNoise(scale=10), iaa.CoarseDropout(0.1, 5)]),
        ],
        random_order=True,
    )


def run(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize(
    ("make", "tolerance"),
    [
        (lambda: iaa.Fliplr(0.5), 0.05),
        (lambda: [iaa.Fliplr(0.5), iaa.Flipud(0.5)], 0.05),
        (lambda: iaa.Affine(rotate=(-180, 180)), 0.05),
        (lambda: iaa.Affine(rotate=(-180, 180), scale=(0.8, 1.2), shear=(-9, 9)), 0.05),
        (lambda: iaa.Affine(translate_percent=(-0.1, 0.1)), 0.05),
        # imgaug resizes with OpenCV's INTER_AREA, which shifts details to and fro
        (lambda: iaa.Crop(percent=(0, 0.1)), 0.25),
        (lambda: iaa.Rot90((0, 3)), 0.25),
        (lambda: iaa.PerspectiveTransform((0.02, 0.08)), 0.25),
    ],
)
@pytest.mark.parametrize("image_size", [(40, 40), (40, 56)])
@pytest.mark.filterwarnings("ignore:Images are mirrored")
def test_keypoint_stays_on_its_blob(make, tolerance, image_size):
    rng, (height, width) = np.random.default_rng(0), image_size
    keypoints = rng.uniform([12, 12], [width - 13, height - 13], (64, 1, 2))
    rows, cols = np.indices(image_size)
    x, y = keypoints[:, 0].T[..., None, None]
    blobs = 250 * np.exp(-((cols - x) ** 2 + (rows - y) ** 2) / (2 * 1.5**2))
    images = np.rint(blobs).astype(np.uint8)[..., None]
    images, keypoints = ImgaugAugmenter(make()).augment(images, keypoints, random_state=0)
    light = images[..., 0].astype(float)
    centroids = [(light * a).sum(axis=(1, 2)) / light.sum(axis=(1, 2)) for a in (cols, rows)]
    errors = np.stack(centroids, axis=1) - keypoints[:, 0]
    limit = np.array([width, height]) - 1 - MARGIN
    inside = ((keypoints[:, 0] >= MARGIN) & (keypoints[:, 0] <= limit)).all(axis=1)
    assert inside.sum() > 30
    assert np.abs(errors[inside]).max() < tolerance
    assert np.abs(errors[inside].mean(axis=0)).max() < tolerance / 5


@pytest.mark.parametrize(
    ("make", "is_mirrored"),
    [
        (lambda: iaa.Fliplr(1.0), True),
        (lambda: iaa.Flipud(1.0), True),
        (lambda: [iaa.Fliplr(1.0), iaa.Flipud(1.0)], False),
        (lambda: [iaa.Fliplr(1.0), iaa.Affine(rotate=(-180, 180))], True),
        (lambda: iaa.Sequential([iaa.Sometimes(1.0, iaa.Fliplr(1.0)), iaa.Fliplr(1.0)]), False),
        (lambda: [iaa.Flipud(1.0), iaa.PerspectiveTransform(0.05), iaa.Rot90(1)], True),
        (lambda: iaa.Affine(rotate=180, scale=0.5, shear=20), False),
        (lambda: iaa.Identity(), False),
    ],
)
def test_mirrors_are_known_for_what_they_are(make, is_mirrored):
    images, keypoints = make_data()
    named, unnamed = (
        ImgaugAugmenter(make(), skeleton=skeleton).augment(
            images, keypoints, random_state=0, swap_index=swap_index
        )[1]
        for skeleton, swap_index in [(FLY, None), (None, [0, 1, 2])]
    )
    order = [0, 2, 1] if is_mirrored else [0, 1, 2]
    np.testing.assert_array_equal(named, unnamed[:, order])


def test_each_image_is_mirrored_or_not_for_itself():
    images, keypoints = make_data(40)
    augmenter = ImgaugAugmenter(iaa.Fliplr(0.5), skeleton=FLY)
    new_images, moved = augmenter.augment(images, keypoints, random_state=0)
    is_mirrored = (new_images == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert 8 < is_mirrored.sum() < 32
    mirrored = keypoints[:, [0, 2, 1]] * [-1, 1] + [29, 0]
    expected = np.where(is_mirrored[:, None, None], mirrored, keypoints)
    np.testing.assert_allclose(moved, expected, atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: iaa.PerspectiveTransform(0.1),
        lambda: iaa.Affine(rotate=(-30, 30)),
        lambda: iaa.Crop(percent=(0, 0.1)),
        lambda: iaa.Fliplr(1.0),
    ],
)
def test_nan_stays_nan(make):
    images, keypoints = make_data()
    keypoints[:3, 1] = np.nan
    keypoints[4] = np.nan
    _, moved = ImgaugAugmenter(make()).augment(
        images, keypoints, random_state=0, swap_index=[0, 1, 2]
    )
    np.testing.assert_array_equal(np.isnan(moved), np.isnan(keypoints))


def test_random_state_alone_decides():
    data, pipeline = make_data(), make_pipeline()
    first = ImgaugAugmenter(pipeline, skeleton=FLY).augment(*data, random_state=3)
    import_imgaug().seed(99)
    pipeline(images=data[0])  # a used pipeline, and one built anew, do the same
    for other in (pipeline, make_pipeline()):
        again = ImgaugAugmenter(other, skeleton=FLY).augment(*data, random_state=3)
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_array_equal(first[1], again[1])
    other = ImgaugAugmenter(pipeline, skeleton=FLY).augment(*data, random_state=4)
    assert (first[1] != other[1]).any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: iaa.Sometimes(0.5, iaa.SomeOf(1, [iaa.Fliplr(1.0), iaa.Affine(rotate=(0, 90))])),
        lambda: iaa.Sometimes(
            0.5,
            iaa.Sequential([iaa.Crop(percent=0.1), iaa.Affine(rotate=(0, 90))], random_order=True),
            iaa.OneOf([iaa.Fliplr(1.0), iaa.Flipud(1.0)]),
        ),
        lambda: iaa.BlendAlpha((0.0, 1.0), iaa.SomeOf((0, 2), [iaa.Add(9), iaa.Multiply(2.0)])),
        lambda: [iaa.OneOf([iaa.Fliplr(1.0), iaa.Sequential([iaa.Flipud(0.5)])])],
    ],
)
def test_global_generator_of_imgaug_is_not_used(make):
    data = make_data(12)
    rng = import_imgaug().random.get_global_rng()
    results = []
    for seed in (1, 2):
        import_imgaug().seed(seed)
        before = str(rng.state)
        augmenter = ImgaugAugmenter(make(), skeleton=FLY)
        results.append(augmenter.augment(*data, random_state=0))
        assert str(rng.state) == before
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_random_state_of_the_augmenter_is_used_where_the_call_has_none():
    data = make_data()
    expected = ImgaugAugmenter(make_pipeline(), skeleton=FLY).augment(*data, random_state=7)[1]
    augmenter = ImgaugAugmenter(make_pipeline(), skeleton=FLY, random_state=7)
    np.testing.assert_array_equal(augmenter.augment(*data)[1], expected)


def test_input_and_pipeline_are_not_changed():
    images, keypoints = make_data(n_channels=3)
    before, pipeline = (images.copy(), keypoints.copy()), make_pipeline()
    states = joblib.hash(pipeline)
    images.flags.writeable = keypoints.flags.writeable = False
    augmenter = ImgaugAugmenter(pipeline, skeleton=FLY)
    new_images, moved = augmenter.augment(images, keypoints, random_state=0)
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(keypoints, before[1])
    assert joblib.hash(pipeline) == states
    assert augmenter.pipeline is pipeline
    assert (new_images.shape, new_images.dtype) == (images.shape, np.uint8)
    assert (moved.shape, moved.dtype) == (keypoints.shape, np.float64)


def test_no_images():
    images, keypoints = ImgaugAugmenter(iaa.Fliplr(1.0)).augment(
        np.zeros((0, 4, 5, 1), dtype=np.uint8), np.zeros((0, 2, 2)), random_state=0
    )
    assert (images.shape, keypoints.shape) == ((0, 4, 5, 1), (0, 2, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: iaa.Resize(12), r"shape \(24, 30, 1\) into \(12, 12, 1\)"),
        (lambda: iaa.Rot90(1, keep_size=False), r"into \(30, 24, 1\), but .* must keep their size"),
        (lambda: iaa.Sometimes(0.5, iaa.CropToFixedSize(8, 8)), r"\(8, 8, 1\) and \(24, 30, 1\)"),
        (lambda: iaa.RemoveCBAsByOutOfImageFraction(0.1), "removes keypoints"),
    ],
)
def test_pipeline_that_changes_sizes_or_numbers(make, message):
    images, keypoints = make_data()
    keypoints[0, 0] = -5
    with pytest.raises(ValueError, match=message):
        ImgaugAugmenter(make()).augment(images, keypoints, random_state=0)


@pytest.mark.parametrize("pipeline", [None, "Fliplr", iaa.Fliplr, [iaa.Fliplr(0.5), 3]], ids=repr)
def test_pipeline_of_another_type(pipeline):
    with pytest.raises(TypeError, match="pipeline must be an augmenter of imgaug or a list"):
        ImgaugAugmenter(pipeline).fit(make_data()[0])
    with pytest.raises(TypeError, match=r"import_imgaug\(\).augmenters"):
        ImgaugAugmenter(pipeline).augment(*make_data(), random_state=0)


def test_bad_swap_index():
    with pytest.raises(ValueError, match="keypoint 0 becomes 1, and 1 becomes 2"):
        ImgaugAugmenter(iaa.Identity()).augment(*make_data(), random_state=0, swap_index=[1, 2, 0])


def test_warns_of_mirrors_without_partners_once_per_fit():
    data, augmenter = make_data(16), ImgaugAugmenter(iaa.Fliplr(1.0))
    with pytest.warns(UserWarning, match="leave Fliplr and Flipud out of the pipeline"):
        augmenter.fit(data[0]).augment(*data, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        augmenter.augment(*data, random_state=1)
        ImgaugAugmenter(iaa.Affine(rotate=90)).augment(*data, random_state=0)


def test_threads_give_what_one_gives():
    data, augmenter = make_data(), ImgaugAugmenter(make_pipeline(), skeleton=FLY)
    alone = [augmenter.augment(*data, random_state=seed) for seed in range(12)]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(
            pool.map(lambda seed: augmenter.augment(*data, random_state=seed), range(12))
        )
    for one, other in zip(alone, threaded, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.slow
def test_fresh_workers_give_what_this_process_gives():
    data, augmenter = make_data(), ImgaugAugmenter([make_pipeline()], skeleton=FLY)
    work = joblib.delayed(augmenter.augment)
    results = joblib.Parallel(n_jobs=2)(work(*data, random_state=seed) for seed in range(4))
    for seed, (images, keypoints) in enumerate(results):
        expected = augmenter.augment(*data, random_state=seed)
        np.testing.assert_array_equal(images, expected[0])
        np.testing.assert_array_equal(keypoints, expected[1])


def test_unpickles_where_imgaug_was_not_imported(tmp_path):
    path = tmp_path / "augmenter.pickle"
    path.write_bytes(pickle.dumps(ImgaugAugmenter(make_pipeline(), skeleton=FLY)))
    code = f"import pickle; print(type(pickle.load(open({str(path)!r}, 'rb')).pipeline).__name__)"
    assert run(f"import warnings; warnings.simplefilter('default')\n{code}") == "Sequential\n"


@pytest.mark.parametrize("copy", [clone, lambda a: pickle.loads(pickle.dumps(a))])
@pytest.mark.parametrize("as_list", [False, True])
def test_copies_do_the_same(copy, as_list):
    data, pipeline = make_data(), make_pipeline()
    augmenter = ImgaugAugmenter([pipeline] if as_list else pipeline, skeleton=FLY)
    other = copy(augmenter.fit(data[0]))
    assert other.skeleton == FLY
    first, second = (each.augment(*data, random_state=0) for each in (augmenter, other))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_hash_depends_on_the_parameters_alone():
    data = make_data()
    augmenter = ImgaugAugmenter(make_pipeline(), skeleton=FLY)
    fresh = joblib.hash(augmenter)
    augmenter.fit(data[0]).augment(*data, random_state=0)
    import_imgaug().seed(5)
    assert joblib.hash(augmenter) == fresh
    assert joblib.hash(ImgaugAugmenter(make_pipeline(), skeleton=FLY)) == fresh
    pipelines = [iaa.Affine(rotate=(0, 90)), iaa.Affine(rotate=(0, 91)), [iaa.Fliplr(0.5)]]
    assert len({joblib.hash(ImgaugAugmenter(pipeline)) for pipeline in pipelines} | {fresh}) == 4


def test_fit_transform_attaches_itself_and_transform_does_not():
    images, _ = make_data()
    augmenter = ImgaugAugmenter(iaa.Fliplr(0.5), skeleton=FLY)
    batch = augmenter.set_output(transform="pandas").fit_transform(images)
    assert isinstance(batch, ImageBatch)
    assert batch.augmenters == (augmenter,)
    assert augmenter.transform(images).augmenters == ()


def test_import_leaves_numpy_and_warnings_as_they_were():
    code = (
        "import sys, warnings, numpy as np\n"
        "from skpose.augment import import_imgaug\n"
        "assert 'imgaug' not in sys.modules\n"
        "try:\n"
        "    import imgaug\n"
        "except AttributeError:\n"  # a user's own try before does no harm
        "    pass\n"
        "before = list(warnings.filters)\n"
        "assert import_imgaug().__version__ == '0.4.0'\n"
        "assert not hasattr(np, 'sctypes')\n"
        "added = [f for f in warnings.filters if f not in before]\n"
        "assert all(f[0] == 'ignore' and f[3].pattern.startswith('imgaug') for f in added), added\n"
        "import imgaug\n"
        "assert import_imgaug() is imgaug\n"
        "iaa = imgaug.augmenters\n"
        "image = np.zeros((16, 16, 3), np.uint8)\n"
        "iaa.PiecewiseAffine(0.05)(image=image)\n"  # causes a FutureWarning, which is an error here
    )
    run(code)


def test_threads_may_import_at_once():
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from skpose.augment import import_imgaug\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    modules = list(pool.map(lambda _: import_imgaug().augmenters.Fliplr, range(8)))\n"
        "assert len(set(modules)) == 1\n"
    )
    run(code)
