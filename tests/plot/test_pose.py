from matplotlib.colors import to_rgba
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skpose import Skeleton
from skpose.baseline import MeanPoseRegressor
from skpose.datasets import make_poses, read_annotations
from skpose.metrics import neg_mean_keypoint_error_scorer
from skpose.plot import PoseDisplay
from skpose.preprocessing import ImageResizer

NAN = np.nan
FISH = Skeleton(["head", "tail", "fin"], ["", "head", "head"])
X = np.random.default_rng(0).integers(0, 256, size=(5, 12, 16, 1), dtype=np.uint8)
Y = np.random.default_rng(1).uniform(0, 11, size=(5, 3, 2))


class TrueKeypoints(BaseEstimator):
    """Predicts keypoints by the mean grey level of the image, and a confidence of 0.5."""

    def __init__(self, skeleton=FISH):
        self.skeleton = skeleton

    def fit(self, X, y):
        self.means_, self.keypoints_ = np.asarray(X).mean(axis=(1, 2, 3)), np.asarray(y)
        return self

    def predict(self, X, *, return_confidence=False):
        distance = np.abs(np.asarray(X).mean(axis=(1, 2, 3))[:, None] - self.means_)
        keypoints = self.keypoints_[distance.argmin(axis=1)]
        return (keypoints, np.full(keypoints.shape[:2], 0.5)) if return_confidence else keypoints


def offsets(collections):
    return [np.asarray(collection.get_offsets()) for collection in collections]


def some_missing():
    keypoints = Y.copy()
    keypoints[0, 0] = NAN
    keypoints[3] = NAN
    return keypoints


@pytest.mark.parametrize("keypoints", [Y, some_missing()])
def test_a_dot_for_each_keypoint_that_is_not_nan(keypoints):
    display = PoseDisplay.from_predictions(X, keypoints)
    for found, expected in zip(offsets(display.points_), keypoints, strict=True):
        np.testing.assert_array_equal(found, expected[~np.isnan(expected[:, 0])])


def test_half_of_a_keypoint_is_not_drawn():
    keypoints = Y.copy()
    keypoints[0, 1, 0] = NAN
    display = PoseDisplay.from_predictions(X, keypoints)
    np.testing.assert_array_equal(offsets(display.points_)[0], Y[0, [0, 2]])


def test_a_ring_for_each_labelled_keypoint():
    display = PoseDisplay.from_predictions(X, Y, y_true=some_missing())
    assert [len(rings) for rings in offsets(display.labels_)] == [2, 3, 3, 0, 3]
    assert [len(points) for points in offsets(display.points_)] == [3] * 5
    assert all(len(rings.get_facecolor()) == 0 for rings in display.labels_)


def test_edges_join_parent_and_child():
    display = PoseDisplay.from_predictions(X, Y, skeleton=FISH)
    for edges, keypoints in zip(display.edges_, Y, strict=True):
        np.testing.assert_array_equal(edges.get_segments(), keypoints[[[0, 1], [0, 2]]])


def test_edges_of_missing_keypoints_are_not_drawn():
    display = PoseDisplay.from_predictions(X, some_missing(), skeleton=FISH)
    assert [len(edges.get_segments()) for edges in display.edges_] == [0, 2, 2, 0, 2]


def test_no_skeleton_no_edges():
    display = PoseDisplay.from_predictions(X, Y)
    assert display.edges_ == []
    assert display.labels_ == []
    assert display.figure_.legends == []


@pytest.mark.parametrize(("min_confidence", "n_drawn"), [(0.0, 4), (0.3, 3), (0.31, 2), (1.0, 1)])
def test_unlikely_keypoints_are_not_drawn(min_confidence, n_drawn):
    keypoints = np.arange(8.0).reshape(1, 4, 2)
    confidence = [[0.3, 1.0, NAN, 0.6]]
    display = PoseDisplay.from_predictions(
        X[:1], keypoints, confidence=confidence, min_confidence=min_confidence
    )
    assert len(offsets(display.points_)[0]) == n_drawn


def test_unlikely_keypoints_and_their_edges_are_paler():
    confidence = np.tile([0.9, 0.1, 0.8], (5, 1))
    display = PoseDisplay.from_predictions(X, Y, confidence=confidence, skeleton=FISH)
    head, tail, fin = display.points_[0].get_facecolor()[:, 3]
    assert head > fin > tail > 0
    np.testing.assert_allclose(display.edges_[0].get_color()[:, 3], [tail, fin])


def test_bodyparts_keep_their_colour_where_others_are_missing():
    display = PoseDisplay.from_predictions(X, some_missing(), cmap="viridis")
    np.testing.assert_array_equal(
        display.points_[0].get_facecolor(), display.points_[1].get_facecolor()[1:]
    )


@pytest.mark.parametrize("n_keypoints", [1, 7, 8, 21])
def test_bodyparts_differ_in_colour(n_keypoints):
    keypoints = np.zeros((1, n_keypoints, 2))
    display = PoseDisplay.from_predictions(X[:1], keypoints)
    assert len(np.unique(display.points_[0].get_facecolor(), axis=0)) == n_keypoints


def test_colours_of_a_list_are_taken_in_turn():
    display = PoseDisplay.from_predictions(X, Y, cmap="tab10")
    expected = [to_rgba(f"C{i}") for i in range(3)]
    np.testing.assert_allclose(display.points_[0].get_facecolor(), expected)


@pytest.mark.parametrize("n_channels", [1, 3])
def test_pixels_are_shown_as_they_are(n_channels):
    images = np.repeat(X, n_channels, axis=3)
    display = PoseDisplay.from_predictions(images, Y)
    for i, ax in enumerate(display.axes_):
        (shown,) = ax.get_images()
        np.testing.assert_array_equal(np.squeeze(shown.get_array()), np.squeeze(images[i]))
        assert shown.get_interpolation() == "nearest"
        assert shown.get_clim() == (0, 255)


def test_axes_end_at_the_borders_of_the_outer_pixels():
    keypoints = Y.copy()
    keypoints[:, 0] = 100, -100  # outside
    display = PoseDisplay.from_predictions(X, keypoints, y_true=Y, skeleton=FISH)
    display.figure_.canvas.draw()
    for ax in display.axes_:
        assert ax.get_xlim() == (-0.5, 15.5)
        assert ax.get_ylim() == (11.5, -0.5)
        assert ax.get_images()[0].get_extent() == [-0.5, 15.5, 11.5, -0.5]


@pytest.mark.parametrize(
    ("n_images", "indices"),
    [(1, [0]), (2, [0, 4]), (3, [0, 2, 4]), (99, range(5)), (None, range(5))],
)
def test_drawn_images_are_spread_evenly(n_images, indices):
    display = PoseDisplay.from_predictions(X, Y, n_images=n_images)
    assert display.indices.tolist() == list(indices)
    assert len(display.axes_) == len(display.figure_.axes) == len(indices)
    np.testing.assert_array_equal(offsets(display.points_), Y[list(indices)])


@pytest.mark.parametrize("image", [X[1], X[1, :, :, 0]])
def test_a_single_image(image):
    display = PoseDisplay.from_predictions(
        image, Y[1], y_true=Y[1] + [3, 4], confidence=[1, 1, 0.2], skeleton=FISH, min_confidence=0.5
    )
    assert len(display.axes_) == 1
    np.testing.assert_array_equal(offsets(display.points_)[0], Y[1, :2])
    assert display.ax_.get_title() == "mean error 5.0 px"


def test_titles_give_number_and_mean_error():
    y_true = some_missing()
    y_true[0, 1] += [0, 0.1]
    display = PoseDisplay.from_predictions(X, Y, y_true=y_true)
    titles = [ax.get_title() for ax in display.axes_]
    assert titles[0] == "#0,  mean error 0.050 px"  # of two keypoints
    assert titles[3] == "#3"
    display.plot(titles=False)
    assert not any(ax.get_title() for ax in display.axes_)


def test_number_of_columns():
    display = PoseDisplay.from_predictions(X, Y, n_columns=2)
    assert display.axes_[0].get_gridspec().ncols == 2
    assert display.axes_[0].get_gridspec().nrows == 3


def test_wide_images_are_stacked_and_high_ones_stand_side_by_side():
    wide = PoseDisplay.from_predictions(np.zeros((3, 8, 80, 1), np.uint8), Y[:3])
    high = PoseDisplay.from_predictions(np.zeros((3, 80, 8, 1), np.uint8), Y[:3])
    assert wide.ax_.get_gridspec().ncols == 1
    assert high.ax_.get_gridspec().nrows == 1


def test_legend_names_the_bodyparts_when_they_are_few():
    def names(display):
        return [text.get_text() for legend in display.figure_.legends for text in legend.texts]

    assert names(PoseDisplay.from_predictions(X, Y, skeleton=FISH)) == list(FISH.names)
    with_labels = PoseDisplay.from_predictions(X, Y, y_true=Y, skeleton=FISH)
    assert names(with_labels) == ["predicted", "labelled", *FISH.names]
    assert names(with_labels.plot(legend=False)) == []
    many = Skeleton([f"part {i}" for i in range(40)])
    display = PoseDisplay.from_predictions(X, np.zeros((5, 40, 2)), skeleton=many)
    assert names(display) == []
    display.plot(legend=True)
    assert names(display) == list(many.names)
    display.figure_.canvas.draw()
    box = display.figure_.legends[0].get_window_extent()
    assert box.y0 >= 0
    assert box.y1 <= display.figure_.bbox.height


def test_one_axes_is_divided_among_the_images():
    figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    display = PoseDisplay.from_predictions(X, Y, skeleton=FISH, ax=right)
    figure.canvas.draw()
    assert display.figure_ is figure
    assert len(display.axes_) == 5
    assert all(ax.get_position().x0 >= left.get_position().x1 for ax in display.axes_)


def test_one_axes_shows_one_image():
    _, ax = plt.subplots()
    display = PoseDisplay.from_predictions(X[:1], Y[:1], ax=ax, skeleton=FISH)
    assert display.ax_ is ax
    assert [text.get_text() for text in ax.get_legend().texts] == list(FISH.names)


def test_axes_for_each_image():
    _, axes = plt.subplots(5, 1)
    display = PoseDisplay.from_predictions(X, Y, ax=axes)
    assert list(display.axes_) == list(axes)
    with pytest.raises(ValueError, match="as many as there are images: 2"):
        display.from_predictions(X[:2], Y[:2], ax=axes)


def test_axes_without_a_grid_cannot_be_divided():
    ax = plt.figure().add_axes((0, 0, 1, 1))
    with pytest.raises(ValueError, match="plt.subplots"):
        PoseDisplay.from_predictions(X, Y, ax=ax)


def test_style_of_the_user_goes_before_ours():
    display = PoseDisplay.from_predictions(
        X,
        Y,
        skeleton=FISH,
        scatter_kwargs={"s": 50, "color": "red", "lw": 0},
        line_kwargs={"colors": "blue", "lw": 3},
    )
    points, edges = display.points_[0], display.edges_[0]
    assert points.get_sizes().tolist() == [50]
    np.testing.assert_array_equal(points.get_facecolor(), [to_rgba("red")])
    np.testing.assert_array_equal(edges.get_color(), [to_rgba("blue")])
    assert edges.get_linewidth().tolist() == [3]


def test_images_of_a_batch_are_drawn_in_its_frame():
    batch = ImageResizer(scale=0.5).transform(X)
    display = PoseDisplay.from_predictions(batch, Y)
    np.testing.assert_allclose(offsets(display.points_), 0.5 * Y - 0.25)  # x * s + (s - 1) / 2
    assert display.ax_.get_images()[0].get_array().shape == (6, 8)


def test_only_drawn_images_are_read():
    class Counted:
        shape, dtype, read = X.shape, X.dtype, []

        def __len__(self):
            return len(X)

        def __getitem__(self, key):
            self.read.extend(np.arange(len(X))[key])
            return X[key]

    PoseDisplay.from_predictions(Counted(), Y, n_images=2)
    assert sorted(set(Counted.read)) == [0, 4]


def test_from_estimator_draws_its_predictions():
    estimator = TrueKeypoints().fit(X, Y)
    display = PoseDisplay.from_estimator(estimator, X, Y + [3, 4], n_images=3)
    np.testing.assert_array_equal(offsets(display.points_), Y[::2])
    np.testing.assert_array_equal(offsets(display.labels_), Y[::2] + [3, 4])
    assert display.skeleton is FISH
    assert (display.confidence == 0.5).all()
    assert display.ax_.get_title() == "#0,  mean error 5.0 px"


def test_from_estimator_takes_another_skeleton():
    other = Skeleton(["a", "b", "c"])
    display = PoseDisplay.from_estimator(TrueKeypoints().fit(X, Y), X, skeleton=other)
    assert display.skeleton is other
    assert display.labels_ == []


def test_from_estimator_looks_into_pipelines_and_searches():
    pipeline = make_pipeline(ImageResizer(scale=2), TrueKeypoints())
    search = GridSearchCV(
        pipeline,
        {"imageresizer__scale": [1.0]},
        scoring=neg_mean_keypoint_error_scorer,
        cv=2,
    ).fit(X, Y)
    display = PoseDisplay.from_estimator(search, X)
    np.testing.assert_array_equal(offsets(display.points_), Y)
    assert display.skeleton == FISH
    assert display.confidence.shape == (5, 3)


def test_from_estimator_without_confidence_or_skeleton():
    display = PoseDisplay.from_estimator(MeanPoseRegressor().fit(X, Y), X, Y)
    assert display.confidence is None
    assert display.skeleton is None
    np.testing.assert_allclose(offsets(display.points_), np.tile(Y.mean(axis=0), (5, 1, 1)))


def test_estimator_must_be_fitted():
    with pytest.raises(NotFittedError):
        PoseDisplay.from_estimator(MeanPoseRegressor(), X)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((X, Y[:4]), {}, "keypoints for 4 images, but there are 5"),
        ((X[0], Y), {}, "must have 4 axes"),
        ((X, Y[0]), {}, "belong to one image"),
        ((X, Y[..., :1]), {}, "on its last axis"),
        ((X, Y), {"y_true": Y[:4]}, "y_true has keypoints for 4 images"),
        ((X, Y), {"y_true": Y[:, :2]}, "y_true has 2 keypoints an image, but 3"),
        ((X, Y), {"confidence": np.ones((5, 2))}, r"need \(5, 3\)"),
        ((X, Y), {"skeleton": Skeleton(["a"])}, "skeleton has 1 bodyparts, but there are 3"),
        ((X, Y), {"min_confidence": 0.5}, "return_confidence=True"),
        ((X, Y), {"n_images": 0}, "n_images must be at least 1"),
        ((X, Y), {"n_columns": 0}, "n_columns must be at least 1"),
        ((X, Y), {"legend": "yes"}, "legend must be"),
        ((X[:0], Y[:0]), {}, "no images to draw"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, options, message):
    before = plt.get_fignums()
    with pytest.raises(ValueError, match=message):
        PoseDisplay.from_predictions(*arguments, **options)
    assert plt.get_fignums() == before


def test_labels_that_do_not_fit_the_estimator_are_refused():
    with pytest.raises(ValueError, match="y has 2 keypoints an image, but 3 are needed"):
        PoseDisplay.from_estimator(TrueKeypoints().fit(X, Y), X, Y[:, :2])


def test_names_are_not_a_skeleton():
    with pytest.raises(TypeError, match="Skeleton.from_names"):
        PoseDisplay.from_predictions(X, Y, skeleton=["a", "b", "c"])


def test_draws_the_same_twice():
    def pixels():
        mice = make_poses(3, 24, 3, occlusion=0.2, return_bunch=True, random_state=0)
        display = PoseDisplay.from_predictions(
            mice.images, mice.complete_keypoints, y_true=mice.keypoints, skeleton=mice.skeleton
        )
        display.figure_.canvas.draw()
        return np.asarray(display.figure_.canvas.buffer_rgba())

    np.testing.assert_array_equal(pixels(), pixels())


@pytest.mark.data
def test_images_on_disk(data_dir):
    flies = read_annotations(
        data_dir / "fly" / "annotation_set.h5",
        skeleton=Skeleton([f"part {i}" for i in range(32)]),
        labelled="all",
        frames="all",
    )
    display = PoseDisplay.from_predictions(flies.images, flies.keypoints, n_images=4)
    assert display.indices.tolist() == [0, 33, 66, 99]
    for i, ax, points in zip(display.indices, display.axes_, display.points_, strict=True):
        np.testing.assert_array_equal(points.get_offsets(), flies.keypoints[i])
        np.testing.assert_array_equal(ax.get_images()[0].get_array(), flies.images[i][..., 0])
