"""How a network is put together and trained."""

from contextlib import contextmanager
import random
import warnings

import keras
import numpy as np

from skpose._interrupts import interrupts_held
from skpose.estimator._backend import expect_compilation, free_memory, jit_compile
from skpose.estimator._callbacks import BestEpoch, HeedInterrupts, ShowProgress
from skpose.estimator._network import PoseNetwork
from skpose.estimator._schedule import FallAlongCosine, StopInTime
from skpose.layers import ConfidenceMapDrawing, Maxima, SubpixelMaxima
from skpose.models import rebuild

__all__ = [
    "TrainingRun",
    "build_network",
    "compile_network",
    "restore_optimizer",
    "weight_shapes",
]


def build_network(settings, *, seed, load_weights=True):
    """Put the network, its targets and its peak finder together.

    Parameters
    ----------
    settings : NetworkSettings
        What to build it from.
    seed : int
        Seed of the first weights.
    load_weights : bool, default=True
        Whether a pretrained encoder gets its weights; False if others are about to be set.

    Returns
    -------
    PoseNetwork
    """
    architecture, targets, image_shape = settings[:3]
    factor = targets.downsample_factor
    with _unchanged_random():
        network = architecture.build(
            image_shape, targets.n_maps_, factor, load_weights=load_weights
        )
        network = rebuild(
            network,
            dtype_policy=settings.precision,
            random_state=np.random.default_rng(seed),
            pretrained=architecture.encoder_layers(network) if load_weights else False,
        )
    draw = ConfidenceMapDrawing(
        targets.image_size_,
        sigma=targets.sigma,
        downsample_factor=factor,
        parents=targets.skeleton.parents if targets.use_graph and targets.skeleton else None,
        graph_scale=targets.graph_scale,
        missing=targets.missing,
        dtype="float32",
    )
    common = {"downsample_factor": factor, "n_keypoints": targets.n_keypoints_, "dtype": "float32"}
    find = SubpixelMaxima(sigma=targets.sigma, **common) if settings.subpixel else Maxima(**common)
    model = PoseNetwork(
        network,
        draw,
        find,
        divisor=architecture.size_divisor(image_shape, factor),
        stride=targets.stride,
        pixel_size=settings.pixel_size,
        dtype=settings.precision,
    )
    model.build((None, *image_shape))  # its weights exist, so it can be counted and summed up
    return model


def weight_shapes(settings, n_maps):
    """Return the shapes of a network's weights, as they would be with so many maps.

    Parameters
    ----------
    settings : NetworkSettings
        What to build it from.
    n_maps : int
        The number of confidence maps.

    Returns
    -------
    list of tuple of int
    """
    factor = settings.targets.downsample_factor
    with _unchanged_random():
        network = settings.architecture.build(
            settings.image_shape, n_maps, factor, load_weights=False
        )
    return [weight.shape for weight in network.weights]


@contextmanager
def _unchanged_random():
    """Leave Python's generator alone, from which Keras seeds initializers that have no seed."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def compile_network(model, optimizer, learning_rate):
    """Give the network an optimizer of its own.

    Parameters
    ----------
    model : PoseNetwork
        The network.
    optimizer : str or keras.optimizers.Optimizer
        A name, or an object whose settings are copied.
    learning_rate : float
        Used where `optimizer` is a name.
    """
    if isinstance(optimizer, str):
        optimizer = {"class_name": optimizer, "config": {"learning_rate": learning_rate}}
        optimizer = keras.optimizers.get(optimizer)
    else:
        optimizer = type(optimizer).from_config(optimizer.get_config())
    model.compile(optimizer=optimizer, jit_compile=jit_compile())
    model.optimizer.build(model.trainable_variables)


def restore_optimizer(model, values):
    """Give the optimizer of a compiled network the state that it had.

    Parameters
    ----------
    model : PoseNetwork
        Compiled.
    values : list of ndarray
        The variables of its optimizer.
    """
    for variable, value in zip(model.optimizer.variables, values, strict=True):
        variable.assign(value)


def _as_callback(callback):
    """Return a callback of Keras for one that does not know Keras."""
    if isinstance(callback, keras.callbacks.Callback):
        return callback
    return keras.callbacks.LambdaCallback(on_epoch_end=callback.on_epoch_end)


class TrainingRun:
    """One training: until the error no longer falls, and the best epoch is kept.

    Parameters
    ----------
    budget : Budget
        How long it may take.
    first_epoch : int
        Number of epochs that went before.
    monitor : str
        The entry of the logs that is watched.
    keep_best : bool
        Stop early, and keep the best epoch rather than the last.
    before : list of float, default=()
        What was watched, in all epochs before.
    start : int, default=0
        The epoch in which the training began that this run goes on with.
    best_epoch : int, default=None
        Its best epoch, whose weights the network has.

    Attributes
    ----------
    history : dict of str to list of float
        What was measured in each epoch.
    best_epoch : int or None
        The epoch whose weights are kept, counted from 0; None: the last.
    interrupted : bool
        Whether the user pressed Ctrl-C.
    """

    def __init__(
        self, *, budget, first_epoch, monitor, keep_best, before=(), start=0, best_epoch=None
    ):
        self.budget = budget
        self.first_epoch = first_epoch
        self.monitor = monitor
        self.interrupted = False
        self._history = keras.callbacks.History()
        self._best = (
            BestEpoch(monitor, before, start=start, epoch=best_epoch) if keep_best else None
        )

    @property
    def history(self):
        """dict of str to list of float: what was measured in each epoch."""
        logs = getattr(self._history, "history", {})
        return {key: [float(value) for value in values] for key, values in logs.items()}

    @property
    def best_epoch(self):
        """int or None: the epoch whose weights are kept."""
        return None if self._best is None else self._best.epoch

    @property
    def best_weights(self):
        """list of ndarray or None: the weights of the best epoch so far."""
        return None if self._best is None else self._best.weights

    def train(
        self,
        model,
        training,
        validation,
        *,
        tol,
        n_iter_no_change,
        learning_rate,
        lr_schedule,
        lr_patience,
        lr_factor,
        frozen,
        callbacks,
        verbose,
        save,
    ):
        """Train a network; see `PoseEstimator` for the settings.

        Parameters
        ----------
        model : PoseNetwork
            Compiled.
        training, validation : PoseBatches
            What is trained on, and what is watched (None: nothing). Released afterwards.
        learning_rate : float or None
            That at the start. None: the optimizer knows itself.
        frozen : FreezeEncoder
            Which layers are left as they are at first.
        save : callable
            Writes the estimator as it is to a path, for callbacks that ask for it.
        """
        watch = {"monitor": self.monitor, "min_delta": tol, "mode": "min"}
        watchers = [StopInTime(self.budget), keras.callbacks.TerminateOnNaN()]
        if learning_rate is not None and lr_schedule == "plateau":
            watchers.append(
                keras.callbacks.ReduceLROnPlateau(factor=lr_factor, patience=lr_patience, **watch)
            )
        elif learning_rate is not None and lr_schedule == "cosine":
            watchers.append(
                FallAlongCosine(self.budget, learning_rate, len(training), self.first_epoch)
            )
        if self._best is not None:
            watchers.append(self._best)
            if n_iter_no_change is not None:
                stop = keras.callbacks.EarlyStopping(patience=n_iter_no_change, **watch)
                watchers.append(stop)
        progress = [ShowProgress(self.budget, len(training), self.first_epoch)] if verbose else []
        for callback in callbacks:
            if hasattr(callback, "set_save"):
                callback.set_save(save)
            if hasattr(callback, "set_training"):
                n_kept_back = 0 if validation is None else len(validation.images)
                callback.set_training(self.budget, n_kept_back)
        callbacks = [_as_callback(callback) for callback in callbacks]
        everyone = [frozen, *watchers, self._history, *progress, *callbacks]
        try:
            self._run(model, training, validation, everyone)
            if self._best is not None and lr_schedule == "cosine" and self._is_complete():
                # It ends at rest. What few images that are watched say of the epochs before, in
                # which weights still go up and down, is chance.
                self._best.take_last()
        finally:
            for callback in progress:
                callback.close()
            for callback in everyone:
                callback.set_model(None)  # what a user keeps of these does not keep the network
            frozen.thaw(model)
            free_memory(model.graphs)
            for batches in (training, validation):
                if batches is not None:
                    batches.release()
        if self._best is not None:
            self._best.restore(model)
        self._check_converged(model)

    def _is_complete(self):
        """Whether the training has used its budget up."""
        losses = self.history.get("loss", ())
        is_used_up = self.budget.share_used(len(losses)) >= 1
        return is_used_up and not self.interrupted and bool(losses) and np.isfinite(losses[-1])

    def _check_converged(self, model):
        """Raise or warn if the loss is no number any more, as where steps are too large."""
        losses = self.history.get("loss", ())
        if not losses or np.isfinite(losses[-1]):
            return
        epoch = self.first_epoch + len(losses)
        rate = float(model.optimizer.learning_rate)
        said = (
            f"Training diverged in epoch {epoch}: the loss is {losses[-1]}. Lower learning_rate, "
            f"which is {rate:.3g} now, or give precision='float32' if it is another."
        )
        if self._best is None or self._best.weights is None:
            raise RuntimeError(f"{said} No epoch before is kept, so the estimator is of no use.")
        warnings.warn(
            f"{said} The estimator has the weights of epoch {self._best.epoch + 1}.",
            UserWarning,
            stacklevel=6,
        )

    def _run(self, model, training, validation, callbacks):
        try:
            with expect_compilation(), interrupts_held() as check_interrupted:
                model.fit(
                    training,
                    validation_data=validation,
                    initial_epoch=self.first_epoch,
                    epochs=self.first_epoch + self.budget.n_epochs_left,
                    shuffle=False,
                    verbose=0,
                    callbacks=[*callbacks, HeedInterrupts(check_interrupted)],
                )
        except KeyboardInterrupt:
            self.interrupted = True
            self._warn_interrupted()

    def _warn_interrupted(self):
        n_done = len(self._history.epoch)
        if not n_done:
            kept = "no epoch was finished, so its weights are hardly trained"
        elif self._best is None or self._best.epoch is None:
            kept = f"it has the weights after {n_done} epochs"
        else:
            kept = (
                f"it has the weights of epoch {self._best.epoch + 1}, "
                f"validation error {self._best.value:.3g} px"
            )
        warnings.warn(
            f"Training was interrupted. The estimator can be used: {kept}. Go on with "
            "set_params(warm_start=True).fit(X, y).",
            UserWarning,
            stacklevel=6,
        )
