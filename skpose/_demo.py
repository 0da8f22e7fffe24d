"""The demonstration of the command line: from nothing to predictions in a minute or two."""

from skpose.datasets import make_poses
from skpose.estimator import PoseEstimator
from skpose.metrics import keypoint_errors
from skpose.models import StackedDenseNet
from skpose.plot import PoseDisplay
from skpose.targets import ConfidenceMaps

__all__ = ["run_demo"]


def run_demo(seed=0, *, n_samples=400, max_epochs=25):
    """Train a small network on synthetic animals and try it on others.

    Parameters
    ----------
    seed : int, default=0
        Seed of the animals and of the training.
    n_samples : int, default=400
        Number of images to train on.
    max_epochs : int, default=25
        Number of epochs.

    Returns
    -------
    errors : ndarray of shape (60, n_keypoints)
        Distances of predicted from true keypoints in images not trained on, in pixels.
    skeleton : Skeleton
        The bodyparts.
    figure : matplotlib.figure.Figure
        Predictions over some of these images.
    """
    from matplotlib.figure import Figure

    animals = make_poses(n_samples, image_size=64, random_state=seed, return_bunch=True)
    estimator = PoseEstimator(
        StackedDenseNet(n_stacks=1, growth_rate=24),
        skeleton=animals.skeleton,
        targets=ConfidenceMaps(sigma=3.0),
        learning_rate=3e-3,
        batch_size=16,
        max_epochs=max_epochs,
        random_state=seed,
        verbose=1,
    ).fit(animals.images, animals.keypoints)
    X, y = make_poses(60, image_size=64, random_state=seed + 1)
    figure = Figure(figsize=(9, 7), layout="constrained")
    PoseDisplay.from_estimator(estimator, X, y, ax=figure.add_subplot())
    return keypoint_errors(y, estimator.predict(X)), animals.skeleton, figure
