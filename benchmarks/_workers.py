"""Processes in other environments that do timed work on request, in turn with ours."""

import json
import os
from pathlib import Path
import subprocess

import numpy as np
from sklearn.model_selection import train_test_split

__all__ = ["Worker", "describe", "take_turns", "write_data"]

WORKERS = Path(__file__).parent / "workers"


class Worker:
    """A script in `workers/`, run by the Python of an environment.

    Parameters
    ----------
    python : path-like
        The interpreter.
    script : str
        Name of the script in `workers/`.
    environment : dict, default=None
        Environment variables to add.
    """

    def __init__(self, python, script, environment=None):
        self.name = script
        self._process = subprocess.Popen(
            [str(python), str(WORKERS / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})},
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, action, **arguments):
        """Have the worker do something; waits for its result."""
        self._process.stdin.write(json.dumps({"do": action, **arguments}, default=str) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with status {self._process.wait()}.")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self.name} failed to {action}: {answer['error']}")
        return answer["result"]

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def write_data(path, images, keypoints, skeleton, test_size):
    """Write images with their keypoints, skeleton and split to an .npz file that all workers read.

    Parameters
    ----------
    path : path-like
        The file.
    images : ndarray of shape (n_samples, height, width, n_channels)
        uint8.
    keypoints : ndarray of shape (n_samples, n_keypoints, 2)
        (x, y) in pixels.
    skeleton : Skeleton
        The bodyparts.
    test_size : float
        Share of the images that is kept back, as in `accuracy.py`.
    """
    train, test = train_test_split(np.arange(len(images)), test_size=test_size, random_state=0)
    own = np.arange(len(skeleton.names))
    np.savez(
        path,
        images=images,
        keypoints=keypoints,
        parents=skeleton.parents,
        swap_index=np.where(skeleton.swap_index == own, -1, skeleton.swap_index),
        train=train,
        test=test,
    )


def take_turns(n_rounds, ours, theirs):
    """Return the values of two functions in rounds, after a first round that does not count.

    Returns
    -------
    ndarray of shape (n_rounds, 2)
    """
    return np.array([(ours(), theirs()) for _ in range(n_rounds + 1)][1:])


def describe(values):
    """Return the median and the quartiles, with four digits."""
    low, median, high = np.percentile(values, [25, 50, 75])
    return {"median": float(f"{median:.4g}"), "quartiles": [float(f"{v:.4g}") for v in (low, high)]}
