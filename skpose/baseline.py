"""What can be had without looking at the images."""

from typing import Self
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skpose._predictor import KeypointRegressorMixin
from skpose._types import Images
from skpose.base import check_keypoints, check_sample_weight, fit_context
from skpose.preprocessing import ImageBatch

__all__ = ["MeanPoseRegressor"]


class MeanPoseRegressor(KeypointRegressorMixin, BaseEstimator):
    """Predict the mean pose of the training set for every image.

    An estimator that learns something from the images does better than this. After a step that
    crops or turns the images, the mean is that of the poses in the crops: what is won by knowing
    where the individual is.

    Attributes
    ----------
    pose_ : ndarray of shape (n_keypoints, 2)
        Mean (x, y) of each keypoint over the samples where it is labelled, in pixels of the images
        as they reach this estimator.
    n_keypoints_ : int
        Number of keypoints.

    Raises
    ------
    ValueError
        By `fit`, if no keypoint is labelled, or images, keypoints and weights do not fit together.

    See Also
    --------
    skpose.PoseEstimator : Looks at the images.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.baseline import MeanPoseRegressor
    >>> X = np.zeros((2, 8, 8, 1), dtype=np.uint8)
    >>> y = np.array([[[1.0, 2.0]], [[3.0, 2.0]]])
    >>> baseline = MeanPoseRegressor().fit(X, y)
    >>> baseline.predict(X).tolist()
    [[[2.0, 2.0]], [[2.0, 2.0]]]
    >>> baseline.score(X, y)
    -1.0
    """

    _parameter_constraints: dict = {}

    @property
    def n_keypoints_(self) -> int:
        """int: number of keypoints."""
        return len(self.pose_)

    def __init__(self) -> None:
        pass

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Images, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the mean pose.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            Images.
        y : array-like of shape (n_samples, n_keypoints, 2)
            Keypoints (x, y) in pixels of the user's images; NaN: not labelled.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample. None: 1.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If no keypoint is labelled.

        Warns
        -----
        UserWarning
            If a keypoint is labelled in no sample. It is predicted in the middle of the others.
        """
        batch = ImageBatch.wrap(X)
        keypoints = batch.to_batch(check_keypoints(y, n_samples=len(batch)))
        weights = (~np.isnan(keypoints)).astype(np.float64)
        if sample_weight is not None:
            weights *= check_sample_weight(sample_weight, len(batch))[:, None, None]
        totals = weights.sum(axis=0)
        if not totals.any():
            raise ValueError(
                "y has no labelled keypoint (all NaN, or of weight 0): no pose to learn."
            )
        sums = (np.nan_to_num(keypoints) * weights).sum(axis=0)
        known = totals.all(axis=1)
        self.pose_ = np.empty_like(sums)
        self.pose_[known] = sums[known] / totals[known]
        self.pose_[~known] = self.pose_[known].mean(axis=0)
        if not known.all():
            warnings.warn(
                f"keypoints {np.flatnonzero(~known).tolist()} are labelled in no sample. They will "
                "be predicted in the middle of the others.",
                UserWarning,
                stacklevel=3,
            )
        return self

    def predict(self, X: Images) -> NDArray[np.float64]:
        """Return the mean pose for each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            Images.

        Returns
        -------
        ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of the user's images.
        """
        check_is_fitted(self)
        batch = ImageBatch.wrap(X)
        return batch.to_user(np.tile(self.pose_, (len(batch), 1, 1)))
