"""Images that remember where they came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self, overload

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import ArrayLike, DTypeLike, NDArray

from skpose._lazy_array import (
    find_positions,
    iterate_rows,
    read_rows,
    select_rows,
    split_index,
)
from skpose._types import Border, Images, ImageSize, Rows
from skpose.base import check_image_axes, check_image_size, check_images
from skpose.preprocessing._warp import BORDERS, apply_affine, compose, invert, warp_image


class ImageBatch(NDArrayOperatorsMixin):
    """Images, the frame that they are seen in, and the augmentation still to be done to them.

    A Pipeline hands X from step to step, but not y, so a step that resizes or crops images cannot
    change the keypoints. It returns an ImageBatch instead, which knows how the images were moved.
    The estimator at the end moves the keypoints in the same way to learn them, and moves its
    predictions back to the pixels that the user gave. Other code may treat the batch as an array:
    ``np.asarray(batch)`` gives the pixels.

    Pixels are computed when they are read. Frames compose, so that images which were resized,
    turned and cropped are interpolated once. What an earlier crop cut off is still in the source,
    and is seen again where a later step reaches over the crop's edges.

    Parameters
    ----------
    source : array-like of shape (n_samples, height, width, n_channels)
        The images. Anything with ``shape``, ``dtype``, ``len`` and integer-array indexing.
    matrices : array-like of shape (n_samples, 2, 3) or (2, 3), default=None
        Affine matrices from the (x, y) of the user's images to those of the batch, pixel centres at
        whole numbers. None: identity.
    image_size : tuple of int, default=None
        (height, width) of the batch's images. None: as `source`.
    augmenters : sequence of augmenters, default=()
        What is still to be done to the images, in training only and in this order.
    border : {"constant", "reflect", "replicate"}, default="constant"
        What is seen beyond the edges of the source.
    border_value : int, default=0
        The value seen there with "constant".
    source_matrices : array-like of shape (n_samples, 2, 3), default=None
        Affine matrices from the user's images to `source`. None: `source` is what the user gave.

    Attributes
    ----------
    source : array-like of shape (n_samples, height, width, n_channels)
        The images as given, or the selected rows of them.
    matrices : ndarray of shape (n_samples, 2, 3)
        Affine matrices from the user's (x, y) to the batch's.
    image_size : tuple of int
        (height, width) of the batch's images.
    augmenters : tuple of augmenters
        What is still to be done to the images in training.
    shape, dtype, ndim
        As of the array of the batch's images.

    Raises
    ------
    ValueError
        If the images are not 4-D, or a matrix cannot be undone.

    See Also
    --------
    ImageResizer : Resize images.
    ImageCropper : Crop images around an individual.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.preprocessing import ImageBatch
    >>> X = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    >>> left_by_two = [[1, 0, -2], [0, 1, 0]]
    >>> batch = ImageBatch(X).warped(left_by_two, (4, 2))
    >>> np.asarray(batch)[0, :, :, 0].tolist()
    [[2, 3], [6, 7], [10, 11], [14, 15]]
    >>> batch.to_user([[[0.5, 1.0]]]).tolist()
    [[[2.5, 1.0]]]
    """

    def __init__(
        self,
        source: Images,
        matrices: ArrayLike | None = None,
        image_size: ImageSize | None = None,
        augmenters: Sequence[Any] = (),
        *,
        border: Border = "constant",
        border_value: int = 0,
        source_matrices: ArrayLike | None = None,
    ) -> None:
        self._source = check_image_axes(source, "source")
        n_samples = len(self._source)
        self._source_matrices = None
        if source_matrices is not None:
            self._source_matrices = _check_matrices(source_matrices, n_samples)
        if matrices is None and self._source_matrices is not None:
            matrices = self._source_matrices
        elif matrices is None:
            matrices = np.eye(2, 3)
        self._matrices = _check_matrices(matrices, n_samples)
        self._image_size = check_image_size(
            self._source.shape[1:3] if image_size is None else image_size
        )
        self._augmenters = tuple(augmenters)
        if border not in BORDERS:
            raise ValueError(f"border must be one of {', '.join(BORDERS)}, but was {border!r}.")
        self._border = border
        self._border_value = border_value

    @classmethod
    def wrap(cls, X: Images, *, n_channels: int | None = None, name: str = "X") -> Self:
        """Return images as a batch, once they are checked; a batch is returned as it is.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images of 1 or 3 channels.
        n_channels : int, default=None
            Number of channels to insist on.
        name : str, default="X"
            What the messages call it.

        Returns
        -------
        ImageBatch
        """
        X = check_images(X, n_channels=n_channels, name=name)
        return X if isinstance(X, cls) else cls(X)

    @property
    def source(self) -> Rows:
        return self._source

    @property
    def matrices(self) -> NDArray[np.float64]:
        return self._matrices

    @property
    def source_matrices(self) -> NDArray[np.float64] | None:
        """Affine matrices from the user's (x, y) to the source's; None for identity."""
        return self._source_matrices

    @property
    def image_size(self) -> tuple[int, int]:
        return self._image_size

    @property
    def augmenters(self) -> tuple[Any, ...]:
        return self._augmenters

    @property
    def border(self) -> Border:
        return self._border

    @property
    def border_value(self) -> int:
        return self._border_value

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self._matrices), *self._image_size, int(self._source.shape[3]))

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self._source.dtype)

    @property
    def ndim(self) -> int:
        return 4

    def warped(
        self,
        matrices: ArrayLike,
        image_size: ImageSize,
        *,
        border: Border | None = None,
        border_value: int | None = None,
    ) -> ImageBatch:
        """Return a batch that is warped once more; no pixel is touched yet.

        Parameters
        ----------
        matrices : array-like of shape (n_samples, 2, 3) or (2, 3)
            Affine matrices from this batch's (x, y) to the new one's.
        image_size : tuple of int
            (height, width) of the new batch's images.
        border : {"constant", "reflect", "replicate"}, default=None
            What is seen beyond the edges of the source. None: as before.
        border_value : int, default=None
            The value seen there with "constant". None: as before.

        Returns
        -------
        ImageBatch
        """
        return ImageBatch(
            self._source,
            compose(_check_matrices(matrices, len(self)), self._matrices),
            image_size,
            self._augmenters,
            border=self._border if border is None else border,
            border_value=self._border_value if border_value is None else border_value,
            source_matrices=self._source_matrices,
        )

    def read(self) -> ImageBatch:
        """Return a batch whose source is in memory."""
        return self._replace(_source=np.asarray(self._source))

    def with_augmenter(self, augmenter: Any) -> ImageBatch:
        """Return a batch that `augmenter` is still to be done to, after all others."""
        return self._replace(_augmenters=(*self._augmenters, augmenter))

    def without_augmenters(self) -> ImageBatch:
        """Return a batch that nothing is still to be done to."""
        return self._replace(_augmenters=())

    def with_pixels(self, images: Images) -> ImageBatch:
        """Return a batch of other pixels in the same frame, with the same augmenters.

        For transformers that change pixels but do not move them.

        Parameters
        ----------
        images : array-like of shape (n_samples, height, width, n_channels)
            As many images as the batch has, and of its height and width.

        Returns
        -------
        ImageBatch

        Examples
        --------
        >>> import numpy as np
        >>> from skpose.preprocessing import ImageBatch, ImageResizer
        >>> batch = ImageResizer(scale=0.5).transform(np.zeros((1, 8, 8, 1), np.uint8))
        >>> inverted = batch.with_pixels(255 - np.asarray(batch))
        >>> inverted.to_user([[[0.0, 0.0]]]).tolist()
        [[[0.5, 0.5]]]
        """
        images = check_image_axes(images, "images")
        if tuple(images.shape[:3]) != self.shape[:3]:
            raise ValueError(
                f"images have shape {tuple(images.shape)}, but the batch's have {self.shape}; only "
                "the number of channels may differ. Use `warped` to move pixels."
            )
        return ImageBatch(
            images,
            self._matrices,
            None,
            self._augmenters,
            border=self._border,
            border_value=self._border_value,
            source_matrices=self._matrices,
        )

    def to_batch(self, keypoints: ArrayLike) -> NDArray[np.float64]:
        """Move keypoints from the user's pixels to the batch's.

        Parameters
        ----------
        keypoints : array-like of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of the user's images; NaN stays NaN.

        Returns
        -------
        ndarray of shape (n_samples, n_keypoints, 2), float64
            (x, y) in pixels of the batch's images.
        """
        return apply_affine(self._matrices, self._check_keypoints(keypoints))

    def to_user(self, keypoints: ArrayLike) -> NDArray[np.float64]:
        """Move keypoints from the batch's pixels to the user's.

        Parameters
        ----------
        keypoints : array-like of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of the batch's images; NaN stays NaN.

        Returns
        -------
        ndarray of shape (n_samples, n_keypoints, 2), float64
            (x, y) in pixels of the user's images.
        """
        return apply_affine(invert(self._matrices), self._check_keypoints(keypoints))

    def _check_keypoints(self, keypoints):
        keypoints = np.asarray(keypoints, dtype=np.float64)
        if keypoints.ndim != 3 or keypoints.shape[::2] != (len(self), 2):
            raise ValueError(
                f"keypoints must have shape ({len(self)}, n_keypoints, 2), as the batch has "
                f"{len(self)} images, but have {keypoints.shape}."
            )
        return keypoints

    def _replace(self, **changes):
        batch = object.__new__(ImageBatch)
        batch.__dict__.update(self.__dict__, **changes)
        return batch

    def __len__(self) -> int:
        return len(self._matrices)

    @overload
    def __getitem__(self, key: int) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, key: slice) -> ImageBatch: ...

    @overload
    def __getitem__(self, key: Any) -> ImageBatch | NDArray[Any]: ...

    def __getitem__(self, key: Any) -> ImageBatch | NDArray[Any]:
        key, rest = split_index(key)
        positions = find_positions(key, np.arange(len(self)))
        if positions.ndim == 0:
            return np.asarray(self._select(positions[np.newaxis]))[0][rest]
        batch = self._select(key if isinstance(key, slice) else positions)
        if all(
            part is Ellipsis or (isinstance(part, slice) and part == slice(None)) for part in rest
        ):
            return batch
        return np.asarray(batch)[(slice(None), *rest)]

    def _select(self, key):
        changes = {"_source": select_rows(self._source, key)}
        for name in ("_matrices", "_source_matrices"):
            if (matrices := getattr(self, name)) is not None:
                changes[name] = matrices[key]
        return self._replace(**changes)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        images = self._read()
        is_own = self._is_untouched() and isinstance(self._source, np.ndarray)
        if copy is False and not (is_own and dtype in (None, self.dtype)):
            raise ValueError(
                "The images of a batch are computed: they cannot be had without a copy."
            )
        if dtype is not None and images.dtype != dtype:
            return images.astype(dtype)
        return images.copy() if copy and is_own else images

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Compute on pixels; the result keeps the frame if it is as many images of that size."""
        if "out" in kwargs:
            return NotImplemented
        batches = [value for value in inputs if isinstance(value, ImageBatch)]
        pixels = [np.asarray(value) if isinstance(value, ImageBatch) else value for value in inputs]
        result = getattr(ufunc, method)(*pixels, **kwargs)
        if method != "__call__" or np.shape(result)[:3] != self.shape[:3] or np.ndim(result) != 4:
            return result
        if any(not np.array_equal(other.matrices, batches[0].matrices) for other in batches[1:]):
            raise ValueError(
                "The images come from different frames (resized, cropped or turned differently), "
                "so their pixels do not match. Call np.asarray on each to compute all the same."
            )
        return batches[0].with_pixels(result)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.__dict__,)

    def __repr__(self) -> str:
        height, width = self._image_size
        parts = [f"{len(self)} images of {height} x {width} x {self.shape[3]} {self.dtype}"]
        if not self._is_untouched():
            parts.append(f"from {self._source.shape[1]} x {self._source.shape[2]}")
        parts += [f"to be augmented by {augmenter!r}" for augmenter in self._augmenters]
        return f"<ImageBatch of {', '.join(parts)}>"

    def _pixel_matrices(self):
        """Affine matrices from the source's (x, y) to the batch's."""
        if self._source_matrices is None:
            return self._matrices
        return compose(self._matrices, invert(self._source_matrices))

    def _is_untouched(self):
        return self._image_size == tuple(self._source.shape[1:3]) and bool(
            np.abs(self._pixel_matrices() - np.eye(2, 3)).max(initial=0) < 1e-9
        )

    def _read(self):
        if self._is_untouched():
            return read_rows(self._source)
        result = np.empty(self.shape, dtype=self.dtype)
        edge = {"border": self._border, "border_value": self._border_value}
        for i, (image, matrix) in enumerate(
            zip(iterate_rows(self._source), self._pixel_matrices(), strict=True)
        ):
            result[i] = warp_image(image, matrix, self._image_size, **edge)
        return result


def _restore(state):
    batch = object.__new__(ImageBatch)
    batch.__dict__.update(state)
    return batch


def _check_matrices(matrices, n_samples):
    matrices = np.asarray(matrices, dtype=np.float64)
    if matrices.shape == (2, 3):
        matrices = np.tile(matrices, (n_samples, 1, 1))
    if matrices.shape != (n_samples, 2, 3):
        raise ValueError(
            f"matrices must have shape ({n_samples}, 2, 3), as there are {n_samples} images, or "
            f"(2, 3), but have {matrices.shape}."
        )
    area = matrices[:, 0, 0] * matrices[:, 1, 1] - matrices[:, 0, 1] * matrices[:, 1, 0]
    bad = np.flatnonzero(~((np.abs(area) > 1e-12) & np.isfinite(matrices).all(axis=(1, 2))))
    if len(bad):
        raise ValueError(
            f"{len(bad)} of {n_samples} matrices cannot be undone (at {bad[:10].tolist()}): they "
            "must be finite, with linear parts that are not singular."
        )
    return matrices
