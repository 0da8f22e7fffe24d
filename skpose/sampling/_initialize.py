"""A model's guesses in an annotation set, to be corrected in place of labelled from nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skpose._batching import batch_slices
from skpose._predictor import Predictor
from skpose._progress import CountedImages, Progress
from skpose._types import PathLike
from skpose.datasets import read_annotations, write_guesses


def initialize_annotations(
    estimator: Any, path: PathLike, *, batch_size: int | None = None, verbose: int = 0
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
    verbose : int, default=0
        1: show images a second and the time that is left.

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
    before, index = _find_unlabelled(predictor, path)
    if not len(index):
        return index
    with Progress(len(index), Path(path).name, unit="images", verbose=verbose) as progress:
        images = CountedImages(before.images.select(index), progress)
        keypoints, confidence = predictor.predict(images, batch_size)
    now = _read(path, predictor)
    if now.images.shape[1:] != before.images.shape[1:] or len(now.images) < len(before.images):
        raise ValueError(f"{path} was replaced by another set while its poses were predicted.")
    write_guesses(path, index, keypoints, confidence)  # not where someone has labelled meanwhile
    return index


def iterate_guesses(
    estimator: Any, path: PathLike, *, batch_size: int = 16
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64] | None]]:
    """Predict the images of an annotation set that are not labelled yet, some at a time.

    For programs that show guesses as they come; nothing is written.

    Parameters
    ----------
    estimator : estimator
        Fitted, with the bodyparts of the set.
    path : path-like
        The annotation set, an HDF5 file.
    batch_size : int, default=16
        How many images to predict at a time.

    Yields
    ------
    index : ndarray of shape (n_images,)
        Where the images are in the file.
    keypoints : ndarray of shape (n_images, n_keypoints, 2)
        (x, y) in pixels; of the first bodyparts of the set, where the estimator knows no more.
    confidence : ndarray of shape (n_images, n_keypoints) or None
        0 to 1; None: the estimator does not tell.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole annotation set, or the bodyparts or images do not fit the estimator.

    See Also
    --------
    initialize_annotations : Write guesses into the set.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skpose import Skeleton
    >>> from skpose.datasets import write_annotations
    >>> from skpose.sampling import iterate_guesses
    >>> class Centre:
    ...     def predict(self, X):
    ...         return np.full((len(X), 1, 2), 4.0)
    >>> with TemporaryDirectory() as folder:
    ...     X = np.zeros((3, 9, 9, 1), dtype=np.uint8)
    ...     write_annotations(f"{folder}/set.h5", X, skeleton=Skeleton(["head"]))
    ...     guesses = iterate_guesses(Centre(), f"{folder}/set.h5", batch_size=2)
    ...     print([index.tolist() for index, _, _ in guesses])
    [[0, 1], [2]]
    """
    predictor = Predictor(estimator)
    data, index = _find_unlabelled(predictor, path, may_have_more=True)
    for part in batch_slices(len(index), batch_size):
        keypoints, confidence = predictor.predict(data.images.select(index[part]))
        yield index[part], keypoints, confidence


def _find_unlabelled(predictor, path, *, may_have_more=False):
    """Read a set for an estimator; return it, and where images are that have more to label.

    With `may_have_more` it may have got more bodyparts since the estimator was trained.
    """
    data = _read(path, predictor, is_checked=not may_have_more)
    n_needed = len(data.skeleton)
    own = predictor.skeleton
    if may_have_more and own is not None and own.names == data.skeleton.names[: len(own)]:
        n_needed = len(own)
    if predictor.n_keypoints not in (None, n_needed):
        raise ValueError(
            f"The estimator finds {predictor.n_keypoints} bodyparts, but {path} has {n_needed}. "
            "Train it on this set, or on one with the same skeleton."
        )
    return data, np.flatnonzero(~data.annotated.all(axis=1))


def _read(path, predictor, *, is_checked=True):
    return read_annotations(
        path,
        skeleton=predictor.skeleton if is_checked else None,
        labelled="all",
        frames="all",
        n_channels=predictor.n_channels_fitted,
    )
