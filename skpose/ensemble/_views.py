"""Images turned and mirrored, so that one estimator sees each of them several times."""

import numpy as np

__all__ = ["View", "make_views"]


class View:
    """One way to look at images.

    Parameters
    ----------
    rotation : float
        Degrees, clockwise.
    is_mirrored : bool
        Whether left and right are exchanged before that.
    """

    def __init__(self, rotation, is_mirrored):
        self.rotation = rotation
        self.is_mirrored = is_mirrored

    def predict(self, predictor, batch, batch_size=None):
        """Return keypoints in pixels of the user's images, and confidences or None.

        Parameters
        ----------
        predictor : Predictor
            What finds them.
        batch : ImageBatch
            The images.
        batch_size : int, default=None
            How many go through a network at a time.
        """
        if self.rotation == 0 and not self.is_mirrored:
            return predictor.predict(batch, batch_size)
        view = batch.warped(self._matrix(_middle(batch, predictor.region)), batch.image_size)
        keypoints, confidence = predictor.predict(view, batch_size)
        if self.is_mirrored:
            swap = predictor.skeleton.swap_index
            keypoints = keypoints[:, swap]
            confidence = None if confidence is None else confidence[:, swap]
        return keypoints, confidence

    def _matrix(self, middle):
        """Return the affine matrix, about a place (x, y)."""
        angle = np.deg2rad(self.rotation)
        linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        if self.is_mirrored:
            linear = linear * [-1.0, 1.0]
        return np.column_stack([linear, middle - linear @ middle])


def _middle(batch, region):
    """Return the middle of what is seen of the images: of all, or of a region."""
    if region is None:
        return (np.array(batch.image_size[::-1]) - 1) / 2
    x, y, width, height = region
    return np.array([x + (width - 1) / 2, y + (height - 1) / 2])


def make_views(rotations, mirror):
    """Return every rotation, and every one of them mirrored too."""
    sides = (False, True) if mirror else (False,)
    return [View(float(rotation), side) for side in sides for rotation in rotations]
