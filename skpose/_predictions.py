"""Predictions for images as files that other programs read."""

import numpy as np

from skpose.video._table import check_table_path, write_table

__all__ = ["check_predictions_path", "write_predictions"]


def check_predictions_path(path, *, overwrite=False):
    """Check that predictions can be written to `path`, before any work starts.

    Parameters
    ----------
    path : str or path-like
        The file; its ending, ``.csv``, ``.h5`` or ``.npz``, chooses the format.
    overwrite : bool, default=False
        Whether it may exist.
    """
    check_table_path(path, overwrite=overwrite)


def write_predictions(path, keypoints, confidence, *, names, frames=None, overwrite=False):
    """Write predictions to a file.

    Parameters
    ----------
    path : str or path-like
        ``.csv`` or ``.h5``: a table with DeepLabCut's columns (scorer, bodyparts, coords: x, y,
        likelihood), which most programs for poses read. ``.npz``: the arrays ``keypoints``,
        ``confidence``, ``names`` and ``frames``.
    keypoints : ndarray of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels.
    confidence : ndarray of shape (n_samples, n_keypoints)
        0..1.
    names : sequence of str
        Names of the bodyparts.
    frames : sequence, default=None
        What each sample is: its number or its file. None: numbers from 0.
    overwrite : bool, default=False
        Whether the file may exist.
    """
    poses = np.concatenate([keypoints, np.asarray(confidence)[..., np.newaxis]], axis=2)
    write_table(path, poses, names=names, frames=frames, overwrite=overwrite)
