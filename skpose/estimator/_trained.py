"""What was trained: a network, what it was built from, and the state of its training."""

import json
from threading import RLock
from typing import NamedTuple

import joblib
import numpy as np
from sklearn.base import BaseEstimator, clone

from skpose.models import Architecture, get_architecture
from skpose.targets import ConfidenceMaps

__all__ = ["NetworkSettings", "TrainedNetwork"]


class NetworkSettings(NamedTuple):
    """What a network is built from.

    Parameters
    ----------
    architecture : Architecture
        Builds the layers.
    targets : ConfidenceMaps
        Fitted: what the network draws.
    image_shape : tuple of (height, width, n_channels)
        Shape of the images that it is trained on.
    subpixel : bool
        Whether peaks are found between the cells of the maps.
    precision : str
        Keras dtype policy.
    pixel_size : float
        Size of these images' pixels in pixels of the user's images.
    optimizer : str or keras.optimizers.Optimizer
        The optimizer: a name, or an object whose settings are copied.
    learning_rate : float
        Learning rate at the start, where `optimizer` is a name.
    """

    architecture: Architecture
    targets: ConfidenceMaps
    image_shape: tuple
    subpixel: bool
    precision: str
    pixel_size: float
    optimizer: object
    learning_rate: float

    def as_deep_as(self, other):
        """Return settings whose depth, where the images' size would choose it, is of another."""
        if self.architecture.get_params(deep=False).get("n_transitions", 1) > 0:
            return self
        depth = other.get_params(deep=False).get("n_transitions", -1)
        return self._replace(architecture=clone(self.architecture).set_params(n_transitions=depth))

    def architecture_differences(self, other):
        """Name the parameters in which an architecture differs from another."""
        return _differences(self.architecture, other, "model")

    def differences(self, other):
        """Name the parameters of an estimator by which another network would be built.

        Parameters
        ----------
        other : NetworkSettings
            Settings for images of the same shape.

        Returns
        -------
        list of str
            Names as in `get_params`, such as ``"model__filters"``.
        """
        names = {
            "architecture": "model",
            "targets": "targets",
            "subpixel": "subpixel",
            "precision": "precision",
            "optimizer": "optimizer",
        }
        return [
            difference
            for name, parameter in names.items()
            for difference in _differences(getattr(self, name), getattr(other, name), parameter)
        ]


def _differences(one, other, name):
    """Name the parameters in which two values differ, down to the innermost."""
    if isinstance(one, BaseEstimator) and type(one) is type(other):
        params, others = one.get_params(deep=False), other.get_params(deep=False)
        return [
            difference
            for key in params
            for difference in _differences(params[key], others[key], f"{name}__{key}")
        ]
    return [] if _is_same(one, other) else [name]


def _is_same(one, other):
    """Whether two parameters say the same; copies of an object do."""
    if one is other:
        return True
    if hasattr(one, "get_config") and type(one) is type(other):  # an optimizer or network of Keras'
        return _as_text(one.get_config()) == _as_text(other.get_config())
    if isinstance(one, tuple | list | np.ndarray):
        return np.array_equal(np.asarray(one, dtype=object), np.asarray(other, dtype=object))
    if callable(one) and type(one) is type(other):  # copies have no equality of their own
        try:
            return joblib.hash(one) == joblib.hash(other)
        except Exception:  # what cannot be pickled raises anything
            return True
    return bool(one == other)


def _as_text(config):
    """Write a config in one way; the names of objects are counted, and say nothing."""
    return json.dumps({**config, "name": ""}, sort_keys=True, default=str)


class TrainedNetwork:
    """A network that is trained, finds keypoints, and can be kept.

    Any number of threads may use it. A network that was restored from its state is built when it is
    first needed; if that fails, the state is still there.

    Parameters
    ----------
    settings : NetworkSettings
        What to build it from.
    seed : int
        Seed of the first weights.
    pretrained : Pretrained, default=None
        What to take first weights from.
    """

    def __init__(self, settings, seed, pretrained=None):
        from skpose.estimator._backend import prepare_process
        from skpose.estimator._training import build_network

        prepare_process()
        self._set(settings)
        self._network = build_network(settings, seed=seed, load_weights=pretrained is None)
        if pretrained is not None:
            layers = self._network.network
            layers.set_weights(pretrained.blend(layers.get_weights(), settings))
        self._compile_training()

    def _set(self, settings, kept=None):
        self.settings = settings
        self._kept = kept  # weights and state of the optimizer, until the network is built
        self._network = None
        self._run = None  # the training that goes on
        self._calls = {}
        self._lock = RLock()

    @classmethod
    def from_state(cls, state, *, model, optimizer):
        """Restore what `state` returned, without building the network yet.

        Parameters
        ----------
        state : dict
            The state.
        model, optimizer
            Parameters of the estimator, for a network or an optimizer of the user's own, which no
            file holds.
        """
        settings = NetworkSettings(**state["settings"])
        if settings.architecture is None:
            settings = settings._replace(architecture=clone(get_architecture(model)))
        if settings.optimizer is None:
            settings = settings._replace(optimizer=optimizer)
        trained = cls.__new__(cls)
        trained._set(settings, {name: state[name] for name in ("weights", "optimizer")})
        return trained

    def state(self):
        """Return all that `from_state` needs, in plain types, arrays and parts of an estimator.

        In a training that keeps the best epoch, the weights are those of the best epoch so far.
        """
        return {"settings": self.settings._asdict(), **self._weights_and_optimizer()}

    def _weights_and_optimizer(self):
        with self._lock:
            if self._network is None:
                return dict(self._kept)
            best = None if self._run is None else self._run.best_weights
            return {
                "weights": self._network.network.get_weights() if best is None else best,
                "optimizer": [variable.numpy() for variable in self._network.optimizer.variables],
            }

    def fingerprint(self):
        """Return a text that is the same for networks that predict the same."""
        settings = self.settings
        parts = [settings.precision, settings.subpixel, settings.targets.get_params()]
        return joblib.hash([parts, self._weights_and_optimizer()["weights"]])

    @property
    def network(self):
        """PoseNetwork: the network with its targets, loss and peak finder."""
        from skpose.estimator._backend import check_process, prepare_process

        check_process()
        with self._lock:
            if self._network is None:
                prepare_process()
                self._restore()
            return self._network

    def _restore(self):
        from skpose.estimator._training import build_network, restore_optimizer

        try:
            self._network = build_network(self.settings, seed=0, load_weights=False)
            self._network.network.set_weights(self._kept["weights"])
            self._compile_training()
            restore_optimizer(self._network, self._kept["optimizer"])
        except BaseException:
            self._network = None
            raise
        self._kept = None

    def _compile_training(self):
        from skpose.estimator._training import compile_network

        compile_network(self._network, self.settings.optimizer, self.settings.learning_rate)

    def reset_learning_rate(self, optimizer, learning_rate):
        """Let a training that begins anew start from the learning rate of an optimizer."""
        from skpose.estimator._schedule import initial_learning_rate

        rate = initial_learning_rate(optimizer, learning_rate)
        if rate is not None:
            self.network.optimizer.learning_rate = rate

    def train(self, run, training, validation, **options):
        """Train the network.

        Parameters
        ----------
        run : TrainingRun
            How long, and what is watched.
        training, validation : PoseBatches
            What is trained on, and what is watched (None: nothing).
        **options
            What else `TrainingRun.train` takes.
        """
        from skpose.estimator._callbacks import FreezeEncoder

        network, architecture = self.network, self.settings.architecture
        frozen = FreezeEncoder(
            architecture.encoder_layers(network.network), architecture.freeze_encoder
        )
        self._run = run
        try:
            run.train(network, training, validation, frozen=frozen, **options)
        finally:
            self._run = None
            self._calls.clear()

    def find(self, images):
        """Find x, y and confidence in uint8 images, (n_samples, n_keypoints, 3)."""
        return self._call("find")(images)

    def draw(self, images):
        """Draw the maps of uint8 images, (n_samples, n_rows, n_columns, n_maps)."""
        return self._call("draw")(images)

    def _call(self, name):
        from skpose.estimator._backend import check_process, compile_prediction

        check_process()
        with self._lock:
            if name not in self._calls:
                network = self.network
                functions = {
                    "find": network.find_keypoints,
                    "draw": lambda images: network(images)[-1],
                }
                self._calls[name] = compile_prediction(network, functions[name])
            return self._calls[name]

    def to_onnx(self):
        """Return what `find` does as an ONNX model, in float32: engines choose their precision."""
        from skpose.estimator._backend import convert_to_onnx
        from skpose.estimator._training import build_network

        network = self.network
        if self.settings.precision != "float32":
            settings = self.settings._replace(precision="float32")
            in_float32 = build_network(settings, seed=0, load_weights=False)
            in_float32.network.set_weights(network.network.get_weights())
            network = in_float32
        return convert_to_onnx(network.find_keypoints, self.settings.image_shape)
