"""An estimator as one HDF5 file: parameters as JSON, weights as arrays, no pickled objects."""

import hashlib
import json
from pathlib import Path
import warnings

import numpy as np

from skpose._files import replacing
from skpose.augment import Augmenter
from skpose.models import ARCHITECTURES
from skpose.skeleton import Skeleton
from skpose.targets import ConfidenceMaps

__all__ = ["HINT", "check_model_path", "decode", "read_model", "write_model"]

_FORMAT = 1
# Objects that a file may name. Loading makes these from plain parameters, and nothing else.
_CLASSES = {cls.__name__: cls for cls in (Augmenter, ConfidenceMaps, *ARCHITECTURES.values())}
_FITTED = ("n_keypoints_", "n_iter_", "best_epoch_", "history_", "subpixel_")
_PRIVATE = ("_pixel_size", "_n_samples", "_unfinished")
HINT = "The file is not a skpose model, or was cut short or changed; save it again."


def check_model_path(path):
    """Check that `load` will read a file of this name as a saved estimator."""
    if Path(path).suffix == ".onnx":
        raise ValueError(
            f"{path} ends as an exported estimator does. Choose another ending, such as .skpose, "
            "to save one, or export it."
        )


def write_model(path, estimator, network):
    """Write a fitted estimator.

    Parameters
    ----------
    path : str or path-like
        The file; replaced as a whole.
    estimator : PoseEstimator
        Fitted.
    network : dict of str to list of ndarray
        "weights" and the state of the "optimizer".
    """
    import h5py

    check_model_path(path)
    header = json.dumps(_describe(estimator))
    arrays = {f"{name}/{i}": value for name in network for i, value in enumerate(network[name])}
    arrays["validation_indices"] = np.asarray(estimator.validation_indices_, dtype=np.int64)
    with replacing(path, overwrite=True) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["skpose_format"] = _FORMAT
        file["header"] = header
        for name, value in arrays.items():
            file[name] = _storable(value)
        file.attrs["digest"] = _digest(file)


def read_model(path):
    """Read what `write_model` wrote.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    header : dict
        The description of the estimator, for `decode`.
    network : dict of str to list of ndarray
        "weights" and the state of the "optimizer".
    validation_indices : ndarray of int
        The samples that were kept back.
    """
    import h5py

    if not path.is_file():
        raise FileNotFoundError(f"There is no model file {path}.")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("skpose_format") != _FORMAT:
                raise ValueError(f"{path} has no skpose model of format {_FORMAT}. {HINT}")
            if file.attrs.get("digest") != _digest(file):
                raise ValueError(f"{path}: the contents do not match their checksum. {HINT}")
            header = json.loads(file["header"][()])
            network = {name: _read_list(file, name) for name in ("weights", "optimizer")}
            return header, network, file["validation_indices"][()]
    except (OSError, KeyError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} cannot be read as a model ({error}). {HINT}") from error


def _read_list(file, name):
    group = file.get(name, {})
    return [group[str(i)][()] for i in range(len(group))]


def _digest(file):
    digest = hashlib.sha256()

    def add(name, item):
        if hasattr(item, "dtype"):
            digest.update(f"{name} {item.shape} {item.dtype}".encode())
            value = item[()]
            digest.update(value if isinstance(value, bytes) else np.ascontiguousarray(value))

    file.visititems(add)
    return digest.hexdigest()


def _storable(value):
    value = np.asarray(value)
    return value if value.dtype.kind in "fiub" else value.astype(np.float32)  # bfloat16


def _describe(estimator):
    params = estimator.get_params(deep=False)
    for name in ("callbacks", "random_state"):
        if not isinstance(params[name], int | None):
            params[name] = None
    return {
        "params": {name: _encode(value, name) for name, value in params.items()},
        "architecture": _encode(estimator.architecture_, "model"),
        "targets": _encode(estimator.targets_, "targets"),
        "image_shape": list(estimator.image_shape_),
        "fitted": {name: _encode(getattr(estimator, name), name) for name in _FITTED + _PRIVATE},
    }


def _encode(value, name):
    """Give `value` as something that JSON holds."""
    if isinstance(value, Skeleton):
        return {"skeleton": value.to_dict()}
    if type(value) in _CLASSES.values():
        params = value.get_params(deep=False)
        return {
            "class": type(value).__name__,
            "params": {key: _encode(item, f"{name}__{key}") for key, item in params.items()},
        }
    if isinstance(value, dict):
        return {"dict": {key: _encode(item, name) for key, item in value.items()}}
    if isinstance(value, tuple | list):
        items = [_encode(item, name) for item in value]
        return {"tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return _leave_out(value, name)


def _leave_out(value, name):
    if name == "optimizer":
        import keras

        return {"keras_optimizer": json.loads(json.dumps(keras.optimizers.serialize(value)))}
    warnings.warn(
        f"A model file cannot hold the {name} {type(value).__name__}; give it to "
        f"skpose.load(path, custom_objects={{{name!r}: ...}}) when you load it.",
        UserWarning,
        stacklevel=2,
    )
    return {"left_out": type(value).__name__}


def decode(header, custom):
    """Make the objects that a header describes.

    Parameters
    ----------
    header : dict
        From `read_model`.
    custom : dict
        Parameters that are not to be made, since the user gives them.

    Returns
    -------
    params : dict
        Parameters of the estimator that are not in `custom`.
    fitted : dict
        Its fitted attributes; ``architecture_`` only where the model is not in `custom`.
    """
    params = {
        name: _decode(value, name) for name, value in header["params"].items() if name not in custom
    }
    fitted = {name: _decode(header["fitted"][name], name) for name in _FITTED + _PRIVATE}
    fitted["image_shape_"] = tuple(header["image_shape"])
    fitted["targets_"] = _decode(header["targets"], "targets")
    if "model" not in custom:
        fitted["architecture_"] = _decode(header["architecture"], "model")
    return params, fitted


def _decode(value, name):
    if isinstance(value, list):
        return [_decode(item, name) for item in value]
    if not isinstance(value, dict):
        return value
    if "class" in value:
        if value["class"] not in _CLASSES:
            raise ValueError(f"A model file names the unknown class {value['class']!r}. {HINT}")
        params = {key: _decode(item, key) for key, item in value["params"].items()}
        return _CLASSES[value["class"]](**params)
    ((kind, content),) = value.items()
    if kind == "left_out" and name != "augmenter":
        raise ValueError(
            f"The file does not hold the {name} ({content}) of this estimator. Give it to "
            f"skpose.load(path, custom_objects={{{name!r}: ...}})."
        )
    readers = {
        "skeleton": Skeleton.from_dict,
        "dict": lambda items: {key: _decode(item, name) for key, item in items.items()},
        "tuple": lambda items: tuple(_decode(item, name) for item in items),
        "keras_optimizer": _decode_optimizer,
        "left_out": lambda _: None,
    }
    return readers[kind](content)


def _decode_optimizer(config):
    import keras

    optimizer = getattr(keras.optimizers, config["class_name"])
    return optimizer.from_config(config["config"])
