"""Estimators as plain values and arrays, and back."""

import json
from pathlib import Path
import sys
from typing import Any
import warnings

import numpy as np
from sklearn.base import BaseEstimator

from skpose.saving._registry import class_of, name_of, never_saved
from skpose.skeleton import Skeleton

__all__ = ["check_savable", "decode", "encode"]

# Of what is learnt, these of scikit-learn's say nothing that a file of ours needs: its version, and
# the training that a Pipeline's last step is in.
_NOT_LEARNT = {"_sklearn_version", "_parent_callback_ctx"}


def encode(estimator):
    """Describe an estimator by what JSON holds, and arrays.

    Parameters
    ----------
    estimator : BaseEstimator
        Of a class that a file may name.

    Returns
    -------
    tree : dict
        What `decode` takes.
    arrays : list of ndarray
        The arrays, to which the tree refers by their number.

    Raises
    ------
    TypeError
        If its class is not known.

    Warns
    -----
    UserWarning
        Of each parameter that a file cannot hold.
    """
    check_savable(estimator)
    encoder = _Encoder()
    return encoder.encode(estimator, ""), encoder.arrays


def check_savable(estimator: Any) -> None:
    """Raise a TypeError unless a file can hold an estimator of this class.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.

    Raises
    ------
    TypeError
        If its class is neither skpose's, nor a Pipeline, nor registered.

    See Also
    --------
    register : Let a file hold a class of yours.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skpose.baseline import MeanPoseRegressor
    >>> from skpose.saving import check_savable
    >>> check_savable(MeanPoseRegressor())
    >>> check_savable(Ridge())
    Traceback (most recent call last):
        ...
    TypeError: A Ridge cannot be saved: ...
    """
    cls = type(estimator)
    if not isinstance(estimator, BaseEstimator) or name_of(cls) is None:
        raise TypeError(
            f"A {cls.__name__} cannot be saved: files hold estimators of skpose's, Pipelines of "
            "them, and classes that are registered with skpose.saving.register. Of a search, save "
            "its best_estimator_."
        )


class _Encoder:
    def __init__(self):
        self.arrays = []

    def encode(self, value, path):
        """Describe a value; `path` is that of a parameter, as in get_params, or None."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        for kind, describe in _DESCRIPTIONS:
            if isinstance(value, kind) and (description := describe(self, value, path)) is not None:
                return description
        if _is_keras_optimizer(value):
            return {"keras_optimizer": _serialize_optimizer(value)}
        if path is not None:
            _warn_left_out(value, path)
        return {"left_out": type(value).__name__}

    def list(self, values, path):
        return [self.encode(value, _step_path(value, path)) for value in values]

    def tuple(self, values, path):
        return {"tuple": [self.encode(value, path) for value in values]}

    def dict(self, values, path):
        return {"dict": [[self.encode(k, path), self.encode(v, path)] for k, v in values.items()]}

    def array(self, value, path):
        if isinstance(value, np.ma.MaskedArray):
            return None
        if value.dtype.kind == "U":
            return {"texts": [list(value.shape), value.ravel().tolist()]}
        if value.dtype.name == "bfloat16":
            value = value.astype(np.float32)
        if value.dtype.kind not in "fiubc":
            return None
        self.arrays.append(value)
        return {"array": len(self.arrays) - 1}

    def scalar(self, value, path):
        return {"numpy": [value.dtype.str, value.item()]} if value.dtype.kind in "fiubU" else None

    def bytes(self, value, path):
        return {"bytes": self.array(np.frombuffer(value, dtype=np.uint8), path)["array"]}

    def path(self, value, path):
        return {"path": str(value)}

    def skeleton(self, value, path):
        return {"skeleton": value.to_dict()}

    def random_state(self, value, path):
        return {"random_state": self.tuple(value.get_state(legacy=True), path)}

    def estimator(self, value, path):
        cls = type(value)
        if name_of(cls) is None:
            return None
        params = value.get_params(deep=False)
        learnt = value.__getstate__()
        node = {
            "estimator": name_of(cls),
            "params": {
                key: self.param(value, key, item, path)
                for key, item in params.items()
                if key not in never_saved(cls)
            },
            "learnt": {
                key: self.learnt(cls, key, item, path)
                for key, item in learnt.items()
                if key not in params and key not in _NOT_LEARNT
            },
        }
        # What was learnt by a part that is not all there is of no use.
        return {"left_out": cls.__name__} if path is None and _lacks(node["params"]) else node

    def param(self, owner, key, value, path):
        node = self.encode(value, _join(path, key))
        if key in getattr(owner, "_only_for_training", ()) and _lacks(node):
            return {"left_out": type(value).__name__}
        return node

    def learnt(self, cls, key, value, path):
        node = self.encode(value, _path_of_learnt(cls, key, path))
        if _lacks(node) and not cls.__module__.startswith("skpose."):
            raise TypeError(
                f"A {cls.__name__} cannot be saved: a file cannot hold its attribute {key}. Make "
                "it of numbers, texts, arrays and registered estimators, or leave it out of "
                "__getstate__."
            )
        return node


def _path_of_learnt(cls, key, path):
    """Return the path of the parameter that a fitted estimator is a clone of; None for all else.

    What a file cannot hold of it is given to `skpose.load` as what it cannot hold of the parameter.
    """
    parameter = getattr(cls, "_clones", {}).get(key)
    return None if parameter is None else _join(path, parameter)


def _lacks(node):
    """Whether something was left out of a description."""
    if isinstance(node, dict):
        return "left_out" in node or any(map(_lacks, node.values()))
    return isinstance(node, list) and any(map(_lacks, node))


_DESCRIPTIONS = (
    (np.generic, _Encoder.scalar),
    (np.ndarray, _Encoder.array),
    (list, _Encoder.list),
    (tuple, _Encoder.tuple),
    (dict, _Encoder.dict),
    (bytes, _Encoder.bytes),
    (Path, _Encoder.path),
    (Skeleton, _Encoder.skeleton),
    (np.random.RandomState, _Encoder.random_state),
    (BaseEstimator, _Encoder.estimator),
)


def _join(path, name):
    return None if path is None else f"{path}__{name}" if path else name


def _step_path(value, path):
    """Return the path of an item of a list: that of a Pipeline's step has the step's name."""
    is_step = isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)
    if path is None or not is_step:
        return path
    return _join(path.rpartition("__")[0], value[0])


def _warn_left_out(value, path):
    warnings.warn(
        f"A model file cannot hold the {path} {type(value).__name__}; give it to "
        f"skpose.load(path, custom_objects={{{path!r}: ...}}) when you load it.",
        UserWarning,
        stacklevel=2,
    )


def _is_keras_optimizer(value):
    keras = sys.modules.get("keras")  # there is no such value where Keras was never imported
    if keras is None or not isinstance(value, keras.optimizers.Optimizer):
        return False
    rate = getattr(value, "_learning_rate", None)
    schedules = keras.optimizers.schedules
    is_own_schedule = not isinstance(rate, schedules.LearningRateSchedule) or (
        getattr(schedules, type(rate).__name__, None) is type(rate)
    )
    inner = getattr(value, "inner_optimizer", None)
    is_own = getattr(keras.optimizers, type(value).__name__, None) is type(value)
    return is_own and is_own_schedule and (inner is None or _is_keras_optimizer(inner))


def _serialize_optimizer(optimizer):
    import keras

    return json.loads(json.dumps(keras.optimizers.serialize(optimizer)))


def decode(tree, arrays, custom):
    """Make the estimator that `encode` described.

    Parameters
    ----------
    tree : dict
        The description.
    arrays : list of ndarray
        Its arrays.
    custom : dict
        Parameters by their path, in place of what the tree says of them.

    Returns
    -------
    BaseEstimator

    Raises
    ------
    ValueError
        If the tree names a class that is not known, lacks a parameter that is not in `custom`, or
        knows nothing of one that is.
    """
    decoder = _Decoder(arrays, custom)
    estimator = decoder.estimator(tree, "")
    unused = sorted(set(custom) - decoder.used)
    if unused:
        raise ValueError(
            f"custom_objects has {', '.join(map(repr, unused))}, which is no parameter of what the "
            f"file holds, a {type(estimator).__name__}."
        )
    return estimator


class _Decoder:
    def __init__(self, arrays, custom):
        self.arrays = arrays
        self.custom = custom
        self.used = set()
        self.is_only_for_training = False

    def decode(self, node, path):
        if path and path in self.custom:
            self.used.add(path)
            return self.custom[path]
        if isinstance(node, list):
            return self.list(node, path)
        if not isinstance(node, dict):
            return node
        if "estimator" in node:
            return self.estimator(node, path)
        ((kind, content),) = node.items()
        return _MAKERS[kind](self, content, path)

    def list(self, nodes, path):
        return [self._item(node, path) for node in nodes]

    def _item(self, node, path):
        items = node.get("tuple") if isinstance(node, dict) else None
        if path is None or not items or len(items) != 2 or not isinstance(items[0], str):
            return self.decode(node, path)
        step = _join(path.rpartition("__")[0], items[0])
        return items[0], self.decode(items[1], step)

    def estimator(self, node, path):
        cls = class_of(node["estimator"])
        params = dict(getattr(cls, "_older_params", {}))
        for name in set(cls._get_param_names()):
            key = _join(path, name)
            is_told = name in node["params"] and name not in never_saved(cls)
            if is_told or key in self.custom:
                self.is_only_for_training = name in getattr(cls, "_only_for_training", ())
                params[name] = self.decode(node["params"].get(name), key)
                self.is_only_for_training = False
        unknown = sorted(set(node["params"]) - set(params) - set(never_saved(cls)))
        if unknown:
            raise ValueError(
                f"It gives {cls.__name__} the parameters {', '.join(unknown)}, which this version "
                "does not have. It was written by a newer one."
            )
        estimator = cls(**params)
        if node["learnt"]:
            learnt = {
                key: self.decode(item, _path_of_learnt(cls, key, path))
                for key, item in node["learnt"].items()
            }
            estimator.__setstate__(learnt)
        return estimator

    def left_out(self, content, path):
        if path is None or self.is_only_for_training:
            return None
        raise ValueError(
            f"The file does not hold the {path} ({content}) of this estimator. Give it to "
            f"skpose.load(path, custom_objects={{{path!r}: ...}})."
        )

    def random_state(self, content, path):
        random = np.random.RandomState()
        random.set_state(self.decode(content, path))
        return random


_MAKERS = {
    "array": lambda self, content, path: np.asarray(self.arrays[content]),
    "bytes": lambda self, content, path: self.arrays[content].tobytes(),
    "dict": lambda self, content, path: {
        self.decode(key, path): self.decode(item, path) for key, item in content
    },
    "keras_optimizer": lambda self, content, path: _make_optimizer(content, path),
    "left_out": _Decoder.left_out,
    "numpy": lambda self, content, path: np.dtype(content[0]).type(content[1]),
    "path": lambda self, content, path: Path(content),
    "random_state": _Decoder.random_state,
    "skeleton": lambda self, content, path: Skeleton.from_dict(content),
    "texts": lambda self, content, path: np.array(content[1], dtype=str).reshape(content[0]),
    "tuple": lambda self, content, path: tuple(self.decode(item, path) for item in content),
}


def _make_optimizer(config, path):
    """Make an optimizer of Keras' own, whose learning rate is a number or a schedule of Keras'."""
    import keras

    cls = getattr(keras.optimizers, str(config["class_name"]), None)
    if not (isinstance(cls, type) and issubclass(cls, keras.optimizers.Optimizer)):
        if path is None:  # of a training, which the parameter stands for
            return None
        raise ValueError(f"It names the optimizer {config['class_name']!r}, which Keras lacks.")
    settings = dict(config["config"])
    if isinstance(settings.get("learning_rate"), dict):
        settings["learning_rate"] = _make_schedule(settings["learning_rate"])
    if "inner_optimizer" in settings:
        inner = _make_optimizer(settings.pop("inner_optimizer"), path)
        return cls(inner, **settings)
    return cls.from_config(settings)


def _make_schedule(config):
    from keras.optimizers import schedules

    cls = getattr(schedules, str(config.get("class_name")), None)
    if not (isinstance(cls, type) and issubclass(cls, schedules.LearningRateSchedule)):
        raise ValueError(f"It names the schedule {config.get('class_name')!r}, which Keras lacks.")
    return cls.from_config(config["config"])
