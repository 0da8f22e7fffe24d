"""Names for types that stand in many signatures."""

from collections.abc import Sequence
import os
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike


class Rows(Protocol):
    """An array that may stay on disk, read a few rows at a time: `ImageFiles`, `h5py.Dataset`."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    def __len__(self) -> int: ...
    def __getitem__(self, key: Any, /) -> Any: ...


Images = Rows | Sequence[ArrayLike]  # (n_samples, height, width, n_channels)
PathLike = str | os.PathLike[str]
Video = PathLike | Images  # a file, or its frames

ImageSize = int | Sequence[int]  # of a square, or (height, width)
Region = Sequence[int]  # (x, y, width, height) in pixels
Border = Literal["constant", "reflect", "replicate"]  # what is seen beyond an image's edges

RandomState = int | np.random.RandomState | None  # what sklearn.utils.check_random_state takes
