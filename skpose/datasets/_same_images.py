"""Images that are in two sets, whoever labelled them."""

import numpy as np
from numpy.typing import NDArray

from skpose._checks import check_images
from skpose._digests import digest_rows
from skpose._types import Images


def match_images(images: Images, others: Images) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the images of one set in another, by their pixels.

    So labels of two people can be compared that were made in a copy each, whatever was added,
    removed or shuffled in one of them.

    Parameters
    ----------
    images, others : array-like of shape (n_samples, height, width, n_channels)
        uint8 images; they are read once, some at a time.

    Returns
    -------
    index, index_of_others : ndarray of int of shape (n_same,)
        Where they are in either, in the order of `images`. Of images that are in a set twice, the
        first counts.

    Raises
    ------
    TypeError
        If the images are of another type.
    ValueError
        If their shape is another, or floats have NaN or a value that is not a grey level.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.datasets import match_images
    >>> X = np.arange(4, dtype=np.uint8)[:, None, None, None].repeat(8, axis=1).repeat(8, axis=2)
    >>> index, index_of_others = match_images(X, X[[3, 1]])
    >>> index.tolist(), index_of_others.tolist()
    ([1, 3], [1, 0])
    """
    digests, of_others = (
        digest_rows(check_images(part, name=name))
        for part, name in ((images, "images"), (others, "others"))
    )
    values, index = np.unique(digests, return_index=True)
    values_of_others, index_of_others = np.unique(of_others, return_index=True)
    _, places, places_of_others = np.intersect1d(values, values_of_others, return_indices=True)
    order = np.argsort(index[places])
    return index[places][order], index_of_others[places_of_others][order]
