"""What all estimators share that find keypoints in images."""

import numpy as np
from sklearn.base import RegressorMixin

from skpose.base import ImageInputMixin, batch_slices, check_keypoints
from skpose.metrics import mean_keypoint_error

__all__ = ["KeypointRegressorMixin", "find_in_batches"]


def find_in_batches(find, batch, n_keypoints, *, batch_size):
    """Find the keypoints of images, a mini-batch at a time.

    Parameters
    ----------
    find : callable
        Takes uint8 images (n, height, width, n_channels), gives x, y and confidence,
        (n, n_keypoints, 3), in pixels of these.
    batch : ImageBatch
        The images.
    n_keypoints : int
        Number of keypoints.
    batch_size : int or None
        How many images to give at a time. None: a number that is fast.

    Returns
    -------
    keypoints : ndarray of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels of the user's images.
    confidence : ndarray of shape (n_samples, n_keypoints)
    """
    peaks = np.empty((len(batch), n_keypoints, 3))
    for part in batch_slices(len(batch), batch_size):
        peaks[part] = find(np.ascontiguousarray(batch[part]))
    return batch.to_user(peaks[..., :2]), peaks[..., 2]


class KeypointRegressorMixin(ImageInputMixin, RegressorMixin):
    """Tags and score of an estimator that finds the keypoints of images."""

    def score(self, X, y, sample_weight=None):
        """Give the negative mean distance between predicted and labelled keypoints.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images.
        y : array-like of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of X; NaN: not labelled, which does not count.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each image.

        Returns
        -------
        score : float
            Pixels; greater is better.
        """
        y = check_keypoints(y, n_samples=len(X))
        return -mean_keypoint_error(y, self.predict(X), sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        tags.target_tags.required = True
        tags.regressor_tags.poor_score = True
        return tags
