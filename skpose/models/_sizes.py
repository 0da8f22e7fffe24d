"""How often a network halves its images."""

from math import log2


def count_transitions(image_shape, n_transitions, downsample_factor):
    """Number of times that an encoder halves images of this size.

    Parameters
    ----------
    image_shape : tuple of int (height, width, n_channels)
        Shape of the images, in pixels.
    n_transitions : int
        The number itself where positive. -1 is the largest number that leaves the smaller side at
        least 3 cells, ``floor(log2(min(height, width) / 3))``; -2 one less, and so on. What is
        chosen so is at least ``downsample_factor + 1``.
    downsample_factor : int
        Maps are smaller than images by ``2 ** downsample_factor``.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If a positive `n_transitions` does not exceed `downsample_factor`, or halves the images
        below one cell.
    """
    lowest = downsample_factor + 1
    if n_transitions < 0:
        largest = int(log2(max(min(image_shape[:2]), 3) / 3))
        return max(largest + 1 + n_transitions, lowest)
    if n_transitions < lowest:
        raise ValueError(
            f"n_transitions={n_transitions} must exceed downsample_factor={downsample_factor}: the "
            "network goes on below the size of its maps. Increase n_transitions, or use -1."
        )
    sides = [side for side in image_shape[:2] if side is not None]
    if sides and n_transitions > lowest and 2**n_transitions > min(sides):
        raise ValueError(
            f"n_transitions={n_transitions} divides the sides by {2**n_transitions}, but images "
            f"are {image_shape[0]} x {image_shape[1]} pixels. Decrease n_transitions, or use -1."
        )
    return n_transitions
