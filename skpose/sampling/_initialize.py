"""A model's guesses in an annotation set, to be corrected in place of labelled from nothing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skpose._predictor import Predictor
from skpose._types import PathLike
from skpose.datasets import read_annotations, write_guesses


def initialize_annotations(
    estimator: Any, path: PathLike, *, batch_size: int | None = None
) -> NDArray[np.intp]:
    """Write predictions into an annotation set where nothing is labelled yet.

    Keypoints that are marked as annotated stay as they are, also in images where others are not.
    All others become the estimator's guesses, in place of earlier ones; they are not marked, so
    they are no labels until someone has looked at them.

    Parameters
    ----------
    estimator : estimator
        Fitted, with the bodyparts of the set; may be a Pipeline or a search that holds one.
    path : path-like
        The annotation set, an HDF5 file as `skpose.datasets.write_annotations` makes it.
    batch_size : int, default=None
        How many images to predict at a time. None: a number that is fast.

    Returns
    -------
    index : ndarray of shape (n_images,)
        Where the images are in the file that were given guesses.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole annotation set, or the bodyparts or images do not fit the estimator.

    See Also
    --------
    skpose.datasets.read_annotations : Read guesses with ``labelled="all"``, and confidences.
    ConfidenceSampler : Choose frames to put into the set.

    Notes
    -----
    The file changes when all is predicted, from one moment to the next; a process that is killed
    leaves it as it was. What an annotator marks while the network is at work is kept. Confidences
    are in the dataset ``confidence``, (n_samples, n_keypoints), NaN for annotated keypoints.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import read_annotations, write_annotations
    >>> from skpose.sampling import initialize_annotations
    >>> class Centre:
    ...     def predict(self, X, *, return_confidence=False):
    ...         return np.full((len(X), 1, 2), 4.0), np.full((len(X), 1), 0.5)
    >>> X, y = np.zeros((2, 9, 9, 1), dtype=np.uint8), np.array([[[1.0, 2.0]], [[np.nan, np.nan]]])
    >>> with TemporaryDirectory() as folder:
    ...     write_annotations(f"{folder}/set.h5", X, y, skeleton=Skeleton(["head"]))
    ...     index = initialize_annotations(Centre(), f"{folder}/set.h5")
    ...     guesses = read_annotations(f"{folder}/set.h5", labelled="all")
    >>> index.tolist(), guesses.keypoints.tolist(), guesses.annotated.tolist()
    ([1], [[[1.0, 2.0]], [[4.0, 4.0]]], [[True], [False]])
    """
    predictor = Predictor(estimator)
    skeleton = predictor.skeleton
    before = _read(path, skeleton)
    _check_number(predictor.n_keypoints, len(before.skeleton), path)
    index = np.flatnonzero(~before.annotated.all(axis=1))
    if not len(index):
        return index
    keypoints, confidence = predictor.predict(before.images.select(index), batch_size)
    now = _read(path, skeleton)
    if now.images.shape[1:] != before.images.shape[1:] or len(now.images) < len(before.images):
        raise ValueError(f"{path} was replaced by another set while its poses were predicted.")
    write_guesses(path, index, keypoints, confidence)  # not where someone has labelled meanwhile
    return index


def _read(path, skeleton):
    return read_annotations(path, skeleton=skeleton, labelled="all", frames="all")


def _check_number(n_keypoints, n_needed, path):
    if n_keypoints not in (None, n_needed):
        raise ValueError(
            f"The estimator finds {n_keypoints} bodyparts, but {path} has {n_needed}. Train it on "
            "this set, or on one with the same skeleton."
        )
