"""What is found in a part of the images, by an estimator that has not been trained on it."""

import os

from sklearn.utils.validation import check_memory

from skpose._digests import digest_rows
from skpose._messages import tell
from skpose._meta_estimators import fit_or_stop, take_options
from skpose._predictor import Predictor
from skpose.conformal._clues import predict_with_clues

__all__ = ["KeptFolds", "look_at"]


def look_at(estimator, X, use_maps):
    """Return keypoints, clues, and how many of the images the estimator was trained on."""
    roles = Predictor(estimator).image_roles(X)
    n_seen = 0 if roles is None else int((roles == "training").sum())
    return *predict_with_clues(estimator, X, use_maps), n_seen


class KeptFolds:
    """Trains without a fold and looks at it, or reads what came out of that before.

    Parameters
    ----------
    memory : None, str, path-like or joblib.Memory
        Where what comes out is kept. None: nowhere.
    batch : ImageBatch
        All images. Those on disk are known again by their pixels, not by their place alone.
    verbose : int
        1: say which fold is trained.
    """

    def __init__(self, memory, batch, verbose):
        if isinstance(memory, os.PathLike):  # of which scikit-learn's check knows nothing
            memory = os.fspath(memory)
        self._cached = check_memory(memory).cache(_train_and_look)
        self._digests = None if memory is None else digest_rows(batch.source)
        self._batch, self._verbose = batch, verbose

    def __call__(self, name, estimator, y, options, split, use_maps):
        """Return what `look_at` returns of a fold, after training without it.

        Parameters
        ----------
        name : str
            What messages call the fold.
        estimator : estimator
            Not fitted.
        y : ndarray of shape (n_samples, n_keypoints, 2)
            Keypoints of all images.
        options : dict
            Options of `fit` for all images.
        split : tuple of (ndarray of int, ndarray of int)
            Rows to train on, and rows to look at.
        use_maps : bool
            As `ConformalPoseEstimator` takes it.
        """
        given = (estimator, self._batch, self._digests, y, options, split, use_maps)
        kept = self._digests is not None and self._cached.check_call_in_cache(*given)
        n_training, n_here = map(len, split)
        does = "known from before" if kept else f"{n_training} images to train on, {n_here} kept"
        tell(f"{name}: {does}.", self._verbose)
        return self._cached(*given)


def _train_and_look(estimator, batch, digests, y, options, split, use_maps):
    """Train on the rows of a split, and look at the others; `digests` tell calls apart."""
    train, test = split
    estimator = fit_or_stop(estimator, batch[train], y[train], take_options(options, train))
    return look_at(estimator, batch[test], use_maps)
