"""An estimator as one HDF5 file: its tree as JSON, its arrays, and a checksum over all of it."""

from collections.abc import Mapping
from contextlib import suppress
import hashlib
from importlib.metadata import PackageNotFoundError, version as version_of
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skpose._files import check_output, holds_hdf5, reading, replacing
from skpose._types import PathLike
from skpose.saving._format_1 import upgrade
from skpose.saving._tree import decode, encode

__all__ = ["check_model_path", "read", "save", "versions_of"]

_FORMAT = 2
_HINT = "The file is not a skpose model, or was cut short or changed; save it again."


def check_model_path(path: PathLike, *, overwrite: bool = False) -> None:
    """Check that an estimator can be saved to a file of this name, before any work starts.

    Parameters
    ----------
    path : path-like
        The file; see `save`.
    overwrite : bool, default=False
        Whether it may exist.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    FileNotFoundError
        If its folder does not exist.
    IsADirectoryError
        If it is a folder.
    PermissionError
        If it is read-only, or no file but a device or a pipe.
    ValueError
        If `path` ends in ``.onnx``, as exported estimators do, or the file holds something else
        than an estimator.

    Examples
    --------
    >>> from skpose.saving import check_model_path
    >>> check_model_path("new.skpose")
    >>> check_model_path("new.onnx")
    Traceback (most recent call last):
        ...
    ValueError: new.onnx ends as an exported estimator does. ...
    """
    if Path(path).suffix == ".onnx":
        raise ValueError(
            f"{path} ends as an exported estimator does. Choose another ending, such as .skpose, "
            "to save one, or export it."
        )
    is_model = holds_hdf5(lambda file: "skpose_format" in file.attrs)
    check_output(path, what="Estimators", overwrite=overwrite, is_same=is_model)


def save(estimator: Any, path: PathLike, *, overwrite: bool = False) -> None:
    """Write a fitted estimator to one file, which `skpose.load` reads.

    The file is HDF5 without pickled objects. It holds the parameters, the weights and all else that
    was learnt: of a `PoseEstimator` also the state of the optimizer, the validation split and the
    history, so that training can go on. It does not hold callbacks.

    Parameters
    ----------
    estimator : estimator
        A fitted `PoseEstimator`, a Pipeline of skpose's transformers that ends in one, an estimator
        around one, or anything that consists of classes of skpose's and of registered ones (see
        `skpose.saving.register`). Of a search, its ``best_estimator_``.
    path : str or path-like
        The file. It appears when it is complete.
    overwrite : bool, default=False
        Whether it may exist, and is replaced.

    Raises
    ------
    FileExistsError
        If there is such a file, and `overwrite` is False.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If a file cannot hold an estimator of that class.
    ValueError
        If `path` ends in ``.onnx``, as exported estimators do.

    Warns
    -----
    UserWarning
        Of each parameter that a file cannot hold, such as a network of your own; it is given to
        `skpose.load`.

    Examples
    --------
    >>> import skpose
    >>> from sklearn.pipeline import make_pipeline
    >>> from skpose.baseline import MeanPoseRegressor
    >>> from skpose.datasets import make_poses
    >>> from skpose.preprocessing import ImageResizer
    >>> X, y = make_poses(8, image_size=32, random_state=0)
    >>> pipeline = make_pipeline(ImageResizer(scale=0.5), MeanPoseRegressor()).fit(X, y)
    >>> skpose.save(pipeline, "mean.skpose")
    >>> skpose.load("mean.skpose").score(X, y) == pipeline.score(X, y)
    True
    """
    from skpose._hdf5 import create_hdf5

    check_model_path(path, overwrite=overwrite)
    tree, arrays = encode(estimator)
    check_is_fitted(estimator)
    header = json.dumps(tree)
    n_bytes = sum(np.asarray(array).nbytes for array in arrays)
    with replacing(path, overwrite=overwrite) as new, create_hdf5(new, n_bytes) as file:
        file.attrs["skpose_format"] = _FORMAT
        file["header"] = header
        for i, array in enumerate(arrays):
            file[f"arrays/{i}"] = array
        file.attrs["digest"] = digest(file)
        file.attrs["versions"] = json.dumps(_versions())


def _versions():
    """Return the versions of what trained an estimator, as far as it is installed."""
    versions = {}
    for name in ("skpose", "keras", os.environ.get("KERAS_BACKEND", "tensorflow"), "scikit-learn"):
        with suppress(PackageNotFoundError):
            versions[name] = version_of(name)
    return versions


def versions_of(path: PathLike) -> dict[str, str]:
    """Return the versions of the packages that wrote a model file.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    dict of str to str
        The version of each package, by its name; {} for an older file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no HDF5 file, or not a whole one.

    Examples
    --------
    >>> import numpy as np
    >>> import skpose
    >>> from skpose.baseline import MeanPoseRegressor
    >>> from skpose.saving import save, versions_of
    >>> X, y = np.zeros((2, 8, 8, 1), dtype=np.uint8), [[[1.0, 2.0]], [[3.0, 2.0]]]
    >>> save(MeanPoseRegressor().fit(X, y), "mouse.skpose")
    >>> versions_of("mouse.skpose")["skpose"] == skpose.__version__
    True
    """
    from skpose._hdf5 import open_hdf5

    with reading(path, "a model"), open_hdf5(path, what="a model") as file:
        return json.loads(file.attrs.get("versions", "{}"))


def read(path: PathLike, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Read what `save` wrote; see `skpose.load`.

    Parameters
    ----------
    path : path-like
        The file.
    custom_objects : dict, default=None
        Values of parameters that a file cannot hold, by the parameter's name, as `skpose.load`
        takes them.

    Returns
    -------
    estimator
        What was saved.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a model, was cut short or changed, names a class that is not known, or
        `custom_objects` lack a parameter or have one that it does not know.

    Examples
    --------
    >>> import numpy as np
    >>> from skpose.baseline import MeanPoseRegressor
    >>> from skpose.saving import read, save
    >>> X, y = np.zeros((2, 8, 8, 1), dtype=np.uint8), [[[1.0, 2.0]], [[3.0, 2.0]]]
    >>> save(MeanPoseRegressor().fit(X, y), "fly.skpose")
    >>> read("fly.skpose").pose_.tolist()
    [[2.0, 2.0]]
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no model file {path}.")
    tree, arrays = _read_content(path)
    try:
        return decode(tree, arrays, custom_objects or {})
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError) as error:
        raise ValueError(f"{path}: its description cannot be read ({error!r}). {_HINT}") from error
    except ValueError as error:
        raise ValueError(f"{path} cannot be loaded. {error}") from error


def _read_content(path):
    from skpose._hdf5 import open_hdf5

    with reading(path, "a model"), open_hdf5(path, what="a model") as file:
        version = file.attrs.get("skpose_format")
        if version not in (1, _FORMAT):
            raise ValueError(f"{path} has no skpose model of format {_FORMAT} or 1. {_HINT}")
        if file.attrs.get("digest") != digest(file):
            raise ValueError(f"{path}: the contents do not match their checksum. {_HINT}")
        header = json.loads(file["header"][()])
        if version == 1:
            return upgrade(header, file)
        arrays = file.get("arrays", {})
        return header, [arrays[str(i)][()] for i in range(len(arrays))]


def digest(file):
    """Return a checksum over all that a file holds, names and shapes included."""
    result = hashlib.sha256()

    def add(name, item):
        if hasattr(item, "dtype"):
            result.update(f"{name} {item.shape} {item.dtype}".encode())
            value = item[()]
            result.update(value if isinstance(value, bytes) else np.ascontiguousarray(value))

    file.visititems(add)
    return result.hexdigest()
