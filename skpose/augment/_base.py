"""What augmenters share: the side that scikit-learn sees, and left and right in mirror images."""

from typing import Any, Self
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from skpose._types import Images, RandomState
from skpose.base import ImageInputMixin, check_images, check_keypoints, fit_context
from skpose.preprocessing._image_batch import ImageBatch

_PASSING = ("_has_warned", "_checked")


class BaseAugmenter(ImageInputMixin, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Base of augmenters.

    A subclass has the parameters `skeleton` and `random_state`, and

    - ``_learn(images, y)`` takes from what `fit` is given what it needs, if anything;
    - ``_check()`` raises if a parameter is no good, and tells whether images may be mirrored, as
      far as that is known in advance;
    - ``_augment(images, keypoints, rng)`` gives new images, new keypoints under the names of
      before, and which images have been mirrored.
    """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Images, y: Any = None) -> Self:
        """Check the parameters, and read off the labels what is "auto".

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            The images.
        y : array-like of shape (n_samples, n_keypoints, 2), default=None
            (x, y) in pixels of the user's images; NaN: not labelled.

        Returns
        -------
        self : object
        """
        self._learn(ImageBatch.wrap(X), y)
        may_mirror = self._check()
        self.__dict__.pop("_has_warned", None)
        if may_mirror and self.skeleton is not None and not self.skeleton.has_swaps:
            self._warn_of_mirrors(stacklevel=4)
        return self

    def _learn(self, images, y):
        pass

    def transform(self, X: Images) -> ImageBatch:
        """Hand on the images as they are: nothing is augmented in prediction.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            The images.

        Returns
        -------
        ImageBatch
        """
        return ImageBatch.wrap(X)

    def fit_transform(self, X: Images, y: Any = None) -> ImageBatch:
        """Hand on the images with the order to augment them, afresh each time they are learnt from.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            The images.
        y : array-like of shape (n_samples, n_keypoints, 2), default=None
            As in `fit`.

        Returns
        -------
        ImageBatch
        """
        return self.fit(X, y).transform(X).with_augmenter(self)

    def set_output(self, *, transform: Any = None) -> Self:
        """Do nothing: images are no table, whatever container is asked for.

        Parameters
        ----------
        transform : ignored

        Returns
        -------
        self : object
        """
        return self

    def augment(
        self,
        images: Images,
        keypoints: ArrayLike,
        *,
        random_state: RandomState | np.random.Generator = None,
        swap_index: ArrayLike | None = None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Augment a mini-batch: move images and keypoints alike. Threads may call it at once.

        Parameters
        ----------
        images : array-like of shape (n_samples, height, width, n_channels), uint8
            The images.
        keypoints : array-like of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of the images; NaN: not labelled.
        random_state : int, Generator, RandomState or None, default=None
            What the changes are drawn from, and nothing else is. A generator is advanced, so give
            each thread its own. None: the augmenter's `random_state`.
        swap_index : array-like of int of shape (n_keypoints,), default=None
            For each keypoint the one that it becomes in a mirror image, its own position for none.
            None: that of the augmenter's `skeleton`.

        Returns
        -------
        images : ndarray of shape (n_samples, height, width, n_channels), uint8
            New images of the same size.
        keypoints : ndarray of shape (n_samples, n_keypoints, 2), float64
            (x, y) in pixels of the new images, also where they lie outside of them; NaN where it
            was NaN.

        Raises
        ------
        ValueError
            If a parameter is no good, `images` and `keypoints` differ in number, or `swap_index`
            does not fit the keypoints or swaps A with B but B with something else.
        """
        self._check()
        images = np.asarray(check_images(images, name="images"))
        keypoints = check_keypoints(keypoints, n_samples=len(images), name="keypoints")
        partners = self._find_partners(swap_index, keypoints.shape[1])
        if random_state is None:
            random_state = self.random_state
        images, keypoints, is_mirrored = self._augment(
            images, keypoints, _as_generator(random_state)
        )
        if partners is not None:
            keypoints[is_mirrored] = keypoints[is_mirrored][:, partners]
        elif is_mirrored.any():
            self._warn_of_mirrors(stacklevel=3)
        return images, keypoints

    def _find_partners(self, swap_index, n_keypoints):
        """Return the checked swap_index, None where nobody has named partners."""
        if swap_index is not None:
            return _check_swap_index(swap_index, n_keypoints)
        if self.skeleton is None:
            return None
        index = _check_swap_index(self.skeleton.swap_index, n_keypoints, "The skeleton")
        return index if self.skeleton.has_swaps else None

    def _warn_of_mirrors(self, stacklevel):
        said = object()
        if self.__dict__.setdefault("_has_warned", said) is not said:  # atomic: one thread warns
            return
        warnings.warn(
            "Images are mirrored, but no bodypart has a left/right partner. Assumed: each bodypart "
            "lies on the midline, or keeps its name in a mirror image. Otherwise give a skeleton "
            f"with partners, Skeleton(names, swaps=...), or {self._NO_MIRRORS}.",
            UserWarning,
            stacklevel=stacklevel,
        )

    def __getstate__(self) -> dict[str, Any]:
        # What was checked or warned of must not change the hash that a Pipeline's memory goes by.
        state = super().__getstate__()
        return {key: value for key, value in state.items() if key not in _PASSING}

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def _check_swap_index(swap_index, n_keypoints, name="swap_index"):
    """Check that partners name each other.

    Parameters
    ----------
    swap_index : array-like of int of shape (n_keypoints,)
        Position of each keypoint's partner.
    n_keypoints : int
        Number of keypoints that it is for.
    name : str, default="swap_index"
        What the message calls it.

    Returns
    -------
    ndarray of int of shape (n_keypoints,)

    Raises
    ------
    ValueError
        If it has another length, is not of whole numbers, or is not undone by doing it twice.
    """
    index = np.asarray(swap_index)
    if index.shape != (n_keypoints,):
        found = f"{len(index)} entries" if index.ndim == 1 else f"shape {index.shape}"
        raise ValueError(
            f"{name} must have one entry for each of the {n_keypoints} keypoints, but has {found}."
        )
    if index.dtype.kind not in "iu" or index.min() < 0 or index.max() >= n_keypoints:
        raise ValueError(
            f"{name} must be whole numbers from 0 to {n_keypoints - 1}, but is {index.tolist()}. A "
            "keypoint without a partner has its own position."
        )
    wrong = np.flatnonzero(index[index] != np.arange(n_keypoints))
    if len(wrong):
        i, j = wrong[0], index[wrong[0]]
        raise ValueError(
            f"{name} must name partners mutually, but keypoint {i} becomes {j}, and {j} becomes "
            f"{index[j]}."
        )
    return index.astype(np.intp, copy=False)


def _as_generator(random_state):
    """Return the Generator that a `random_state` stands for."""
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(0, 2**32, size=4, dtype=np.uint32)
    return np.random.default_rng(random_state)
