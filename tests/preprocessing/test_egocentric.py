import h5py
import numpy as np
import pytest
from sklearn import config_context
from sklearn.pipeline import make_pipeline

from skpose import Skeleton
from skpose.baseline import MeanPoseRegressor
from skpose.preprocessing import EgocentricAligner, ImageBatch, ImageResizer, body_axes

ANGLES = np.array([0.0, 0.5, np.pi / 2, np.pi, -2.2])
CENTERS = np.array([[16.0, 15.0], [14.2, 16.7], [15.5, 15.5], [18.1, 14.0], [16.6, 17.3]])
FORM = np.array([[6.0, 0.0], [-6.0, 0.0], [2.0, 3.0]])  # front, back, a right hand


@pytest.fixture
def y():
    """Poses of one form, turned by ANGLES about CENTERS."""
    cos, sin = np.cos(ANGLES), np.sin(ANGLES)
    turns = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)
    return np.einsum("nij,kj->nki", turns, FORM) + CENTERS[:, None]


@pytest.fixture
def X(y, draw_blobs):
    """Images with a blob at the hand."""
    return draw_blobs(y[:, 2], sigma=2)


def test_axes_from_keypoints(y):
    centers, angles = body_axes(y, 0, 1)
    np.testing.assert_allclose(centers, CENTERS)
    np.testing.assert_allclose(np.exp(1j * angles), np.exp(1j * ANGLES))


def test_axes_without_a_direction_are_not_known():
    nan = np.nan
    centers, angles = body_axes([[[1, 1], [1, 1]], [[nan, nan], [1, 1]]], 0, 1)
    np.testing.assert_array_equal(centers, [[1, 1], [nan, nan]])
    assert np.isnan(angles).all()


@pytest.mark.parametrize("box_size", [24, (21, 28)])
def test_individuals_face_right_in_the_middle(X, y, box_size, find_blobs):
    batch = EgocentricAligner(front=0, back=1, box_size=box_size).fit_transform(X, y)
    middle = (np.array(batch.image_size[::-1]) - 1) / 2
    np.testing.assert_allclose(batch.to_batch(y), np.tile(FORM + middle, (5, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(find_blobs(batch), np.tile(FORM[2] + middle, (5, 1)), atol=0.05)
    np.testing.assert_allclose(batch.to_user(batch.to_batch(y)), y, atol=1e-9)


def test_prediction_takes_centers_and_angles(X, y):
    aligner = EgocentricAligner(front=0, back=1, box_size=24)
    trained = aligner.fit_transform(X, y)
    predicted = aligner.transform(X, centers=CENTERS, angles=ANGLES)
    np.testing.assert_allclose(predicted.matrices, trained.matrices, atol=1e-9)


def test_given_angles_win_over_keypoints(X, y):
    aligner = EgocentricAligner(front=0, back=1, box_size=24)
    batch = aligner.fit_transform(X, y, angles=np.zeros(5))
    expected = aligner.transform(X, centers=CENTERS, angles=np.zeros(5))
    np.testing.assert_allclose(batch.matrices, expected.matrices, atol=1e-9)


def test_names_of_bodyparts(X, y):
    skeleton = Skeleton(["head", "tail", "hand"])
    named = EgocentricAligner(front="head", back="tail", box_size=24, skeleton=skeleton)
    placed = EgocentricAligner(front=0, back=1, box_size=24)
    np.testing.assert_array_equal(
        named.fit_transform(X, y).matrices, placed.fit_transform(X, y).matrices
    )


@pytest.mark.parametrize("size", [(64, 64), (16, 16), (48, 64)])
def test_after_a_resizer(X, y, size, find_blobs):
    # A body that is turned by the same angle stays so where both axes are scaled alike; where they
    # are not, it is the stretched body that faces right.
    resized = ImageResizer(image_size=size).transform(X)
    batch = EgocentricAligner(front=0, back=1, box_size=40).fit_transform(resized, y)
    keypoints = batch.to_batch(y)
    np.testing.assert_allclose(keypoints[:, 0, 1], 19.5)
    np.testing.assert_allclose(keypoints[:, :2].mean(axis=1), 19.5)
    assert (keypoints[:, 0, 0] > 19.5).all()
    np.testing.assert_allclose(find_blobs(batch), keypoints[:, 2], atol=0.05)


def test_before_a_resizer(X, y, find_blobs):
    aligned = EgocentricAligner(front=0, back=1, box_size=24).fit_transform(X, y)
    batch = ImageResizer(scale=0.5).transform(aligned)
    np.testing.assert_allclose(find_blobs(batch), batch.to_batch(y)[:, 2], atol=0.05)


def test_mean_pose_is_exact_once_aligned(X, y):
    pipeline = make_pipeline(EgocentricAligner(front=0, back=1, box_size=24), MeanPoseRegressor())
    given = {"centers": CENTERS, "angles": ANGLES}
    with config_context(enable_metadata_routing=True):
        np.testing.assert_allclose(pipeline.fit(X, y).predict(X, **given), y)
        assert pipeline.score(X, y, **given) == pytest.approx(0, abs=1e-9)


def test_pending_augmenters_are_kept(X, y):
    batch = ImageBatch(X).with_augmenter("mirror")
    aligned = EgocentricAligner(front=0, back=1, box_size=24).fit_transform(batch, y)
    assert aligned.augmenters == ("mirror",)


@pytest.mark.parametrize("given", [{}, {"centers": CENTERS}, {"angles": ANGLES}])
def test_prediction_needs_both(X, given):
    with pytest.raises(ValueError, match="needs to know where the individuals are"):
        EgocentricAligner(front=0, back=1, box_size=24).transform(X, **given)


def test_axes_not_labelled_are_refused(X, y):
    y[[1, 4], 0] = np.nan
    with pytest.raises(ValueError, match=r"2 of 5 images are not known \(NaN, at 1, 4\)"):
        EgocentricAligner(front=0, back=1, box_size=24).fit_transform(X, y)


def test_lost_keypoints_warn(X, y):
    with pytest.warns(UserWarning, match="10 of 15 labelled keypoints") as caught:
        EgocentricAligner(front=0, back=1, box_size=10).fit_transform(X, y)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("angle", [0, np.pi / 4])
def test_turned_boxes_outside_are_refused(X, angle):
    # The corner of a box turned by 45 degrees reaches 8 * sqrt(2) = 11.3 px from its centre.
    aligner = EgocentricAligner(front=0, back=1, box_size=16)
    angles = np.full(5, angle)
    reach = 8 * (np.cos(angle) + np.sin(angle))
    centers = np.tile([-0.4 - reach, 16.0], (5, 1))
    aligner.transform(X, centers=centers, angles=angles)
    centers[2, 0] -= 0.2
    with pytest.raises(ValueError, match=r"1 of 5 boxes .*\(at 2\)"):
        aligner.transform(X, centers=centers, angles=angles)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"front": "head", "back": 1}, "needs a skeleton"),
        ({"front": "nose", "back": 1, "skeleton": Skeleton(["head"])}, "bodyparts are head"),
        ({"front": 0, "back": 3}, "back=3 is out of range"),
    ],
)
def test_bad_bodyparts_are_refused(X, y, arguments, message):
    with pytest.raises(ValueError, match=message):
        EgocentricAligner(box_size=24, **arguments).fit_transform(X, y)


@pytest.mark.data
def test_aligned_flies_are_alike(data_dir):
    with h5py.File(data_dir / "fly" / "annotation_set.h5") as file:
        X, y = file["images"][:], file["annotations"][:]
    aligner = EgocentricAligner(front=0, back=5, box_size=192)  # head, abdomen
    aligned = aligner.fit_transform(X, y)
    errors = [-MeanPoseRegressor().fit(images, y).score(images, y) for images in (X, aligned)]
    assert errors[1] < errors[0] / 4
    spread = np.asarray(aligned).astype(float).std(axis=0).mean()
    assert spread < 0.6 * X.astype(float).std(axis=0).mean()
