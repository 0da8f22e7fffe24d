"""Predictions as files that other programs read."""

from pathlib import Path

import numpy as np

from skpose._files import replacing

__all__ = ["check_predictions_path", "write_predictions"]

_SCORER = "skpose"
_ENDINGS = (".csv", ".npz")


def check_predictions_path(path, *, overwrite=False):
    """Check that predictions can be written to `path`, before any work starts.

    Parameters
    ----------
    path : str or path-like
        The file; its ending chooses the format.
    overwrite : bool, default=False
        Whether it may exist.
    """
    path = Path(path)
    if path.suffix not in _ENDINGS:
        raise ValueError(
            f"Predictions are written as {' or '.join(_ENDINGS)}, but {path} ends in "
            f"{path.suffix!r}."
        )
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists already. Use overwrite to replace it.")


def write_predictions(path, keypoints, confidence, *, names, frames=None, overwrite=False):
    """Write predictions to a file.

    Parameters
    ----------
    path : str or path-like
        ``.csv``: a table with DeepLabCut's three rows of column names (scorer, bodyparts, coords:
        x, y, likelihood), which most programs for poses read. ``.npz``: the arrays ``keypoints``,
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
    check_predictions_path(path, overwrite=overwrite)
    frames = np.arange(len(keypoints)) if frames is None else frames
    with replacing(path, overwrite=overwrite) as temporary:
        if Path(path).suffix == ".npz":
            with temporary.open("wb") as file:
                np.savez_compressed(
                    file,
                    keypoints=keypoints,
                    confidence=confidence,
                    names=np.array(names),
                    frames=np.array(frames),
                )
        else:
            _table(keypoints, confidence, names, frames).to_csv(temporary)


def _table(keypoints, confidence, names, frames):
    import pandas as pd

    columns = pd.MultiIndex.from_product(
        [[_SCORER], list(names), ["x", "y", "likelihood"]], names=["scorer", "bodyparts", "coords"]
    )
    values = np.concatenate([keypoints, confidence[..., None]], axis=2)
    return pd.DataFrame(values.reshape(len(keypoints), -1), index=list(frames), columns=columns)
