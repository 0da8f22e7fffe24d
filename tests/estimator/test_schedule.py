"""Budgets of epochs and minutes, and the learning rate over them."""

import time
from types import SimpleNamespace

from helpers import Clock, interrupt_at, small_estimator, tiny_estimator
import keras
import numpy as np
from numpy.testing import assert_array_equal
import pytest

import skpose
from skpose.estimator import _budget
from skpose.estimator._budget import Budget
from skpose.estimator._callbacks import BestEpoch


class _Slow(keras.callbacks.Callback):
    """Makes every step take some seconds of a clock that only this moves."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.clock, self.seconds, self.rates = clock, seconds, []

    def on_train_batch_begin(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))
        self.clock.now += self.seconds


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(_budget, "time", clock := Clock())
    return clock


def test_what_is_used_up_first_counts(clock):
    budget = Budget(10, 2.0)
    clock.now += 30
    assert budget.share_used(1) == pytest.approx(0.25)  # of the minutes
    assert budget.share_used(5) == pytest.approx(0.5)  # of the epochs
    assert not budget.is_out_of_time
    clock.now += 100
    assert budget.share_used(1) == 1
    assert budget.is_out_of_time


def test_what_went_before_counts(clock):
    budget = Budget(10, 2.0, epochs_before=4, minutes_before=1.5)
    assert budget.n_epochs_left == 6
    assert budget.share_used(0) == pytest.approx(0.75)
    clock.now += 30
    assert budget.is_out_of_time
    assert budget.minutes_used == pytest.approx(2)


@pytest.mark.backend
def test_the_learning_rate_falls_along_a_cosine(blobs):
    X, y = blobs
    estimator = tiny_estimator(max_epochs=4, learning_rate=0.01).fit(X, y)
    n_steps = -(-len(X) // estimator.batch_size)
    last_steps = np.arange(1, 5) - 1 / n_steps
    expected = 0.01 * (1 + np.cos(np.pi * last_steps / 4)) / 2
    if keras.backend.backend() == "jax":  # falls from epoch to epoch
        expected = 0.01 * (1 + np.cos(np.pi * np.arange(4) / 4)) / 2
    assert estimator.history_["learning_rate"] == pytest.approx(np.maximum(expected, 1e-4))
    assert float(estimator.model_.optimizer.learning_rate) == pytest.approx(0.01)


def test_plateaus_are_the_other_schedule(blobs):
    X, y = blobs
    estimator = tiny_estimator(max_epochs=3, lr_schedule="plateau", lr_patience=1, tol=1e9)
    rates = estimator.fit(X, y).history_["learning_rate"]
    assert rates == pytest.approx(1e-3 * np.array([1, 1, 0.2]))


def test_partial_fit_keeps_the_learning_rate(blobs):
    X, y = blobs
    estimator = tiny_estimator(max_epochs=2).fit(X, y).partial_fit(X, y).partial_fit(X, y)
    assert estimator.history_["learning_rate"][2:] == pytest.approx([1e-3, 1e-3])


def test_an_optimizer_keeps_its_own_schedule(blobs):
    X, y = blobs
    rate = keras.optimizers.schedules.PolynomialDecay(0.01, 100, 0.001)
    for schedule in ("cosine", "plateau"):
        estimator = tiny_estimator(
            max_epochs=3, optimizer=keras.optimizers.SGD(rate), lr_schedule=schedule, lr_patience=1
        ).fit(X, y)
        n_steps = int(estimator.model_.optimizer.iterations.numpy())
        assert float(estimator.model_.optimizer.learning_rate) == pytest.approx(
            0.01 - 0.009 * n_steps / 100
        )


@pytest.mark.backend
def test_minutes_end_a_training_in_the_middle_of_an_epoch(blobs, clock):
    X, y = blobs
    slow = _Slow(clock, 12)
    estimator = tiny_estimator(
        batch_size=1, max_epochs=None, max_minutes=1, learning_rate=0.01, callbacks=[slow]
    ).fit(X, y)
    assert len(slow.rates) == 5 < len(X)
    assert estimator.n_iter_ == len(estimator.history_["loss"]) == 1
    assert estimator.minutes_ == pytest.approx(1)
    if keras.backend.backend() != "jax":
        expected = 0.01 * (1 + np.cos(np.pi * np.arange(5) / 5)) / 2
        assert slow.rates == pytest.approx(expected)
    assert estimator.predict(X).shape == y.shape


def test_minutes_without_epochs_take_as_many_as_there_is_time_for(blobs, clock):
    X, y = blobs
    estimator = tiny_estimator(
        batch_size=100, max_epochs=None, max_minutes=5, callbacks=[_Slow(clock, 1)]
    )
    assert estimator.fit(X, y).n_iter_ == 300
    assert estimator.set_params(max_minutes=None, max_epochs=3).fit(X, y).n_iter_ == 3


def test_the_number_of_epochs_without_a_budget(blobs, monkeypatch):
    X, y = blobs
    monkeypatch.setattr("skpose.estimator._estimator._N_EPOCHS", 2)
    assert tiny_estimator(max_epochs=None).fit(X, y).n_iter_ == 2


def test_minutes_before_an_interruption_count(blobs, clock, tmp_path):
    X, y = blobs
    settings = {"batch_size": 100, "max_epochs": None, "max_minutes": 5}
    slow = _Slow(clock, 60)
    estimator = small_estimator(**settings, callbacks=[slow, interrupt_at(2)])
    with pytest.warns(UserWarning, match="interrupted"):
        estimator.fit(X, y)
    assert estimator.minutes_ == pytest.approx(2)
    estimator.set_params(callbacks=None).save(tmp_path / "model.skpose")
    clock.now += 1e6  # days later
    revived = skpose.load(tmp_path / "model.skpose")
    again = _Slow(clock, 60)
    revived.set_params(warm_start=True, callbacks=[again]).fit(X, y)
    assert (revived.n_iter_, revived.minutes_) == (5, pytest.approx(5))
    if keras.backend.backend() != "jax":
        assert again.rates[0] == pytest.approx(1e-3 * (1 + np.cos(np.pi * 2 / 5)) / 2)
    revived.fit(X, y)  # it was finished, so this is a training of its own
    assert (revived.n_iter_, revived.minutes_) == (10, pytest.approx(5))


def test_the_clock_runs_from_the_call(blobs):
    X, y = blobs
    start = time.monotonic()
    estimator = tiny_estimator(max_epochs=None, max_minutes=0.05).fit(X, y)
    assert 3 <= (time.monotonic() - start) < 30  # compilation included
    assert estimator.n_iter_ >= 1


def test_early_stopping_with_a_cosine_goes_on_to_the_end_unless_told_otherwise(blobs):
    X, y = blobs
    settings = {"max_epochs": 60, "tol": 1e9, "early_stopping": True}
    assert tiny_estimator(**settings).fit(X, y).n_iter_ == 60
    assert tiny_estimator(**settings, n_iter_no_change=3).fit(X, y).n_iter_ == 4
    assert tiny_estimator(**settings, lr_schedule="plateau").fit(X, y).n_iter_ == 51


@pytest.mark.parametrize("minutes", [0, -1, np.nan])
def test_minutes_that_are_none(blobs, minutes):
    with pytest.raises(ValueError, match="max_minutes"):
        tiny_estimator(max_minutes=minutes).fit(*blobs)


def test_the_same_seed_gives_the_same_network(blobs):
    X, y = blobs
    one, other = (
        tiny_estimator(max_epochs=2, max_minutes=1000).fit(X, y).predict(X) for _ in range(2)
    )
    assert_array_equal(one, other)


@pytest.mark.backend
def test_a_callback_with_a_schedule_of_its_own_is_left_alone(blobs):
    X, y = blobs
    own = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 1e-5 / (epoch + 1))
    for schedule in ("cosine", "plateau"):
        estimator = tiny_estimator(max_epochs=3, callbacks=[own], lr_schedule=schedule)
        rates = estimator.set_params(optimizer="sgd").fit(X, y).history_["learning_rate"]
        assert rates == pytest.approx([1e-5, 5e-6, 1e-5 / 3])


def test_an_optimizer_that_scales_the_loss_has_a_schedule_too(blobs):
    X, y = blobs
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01))
    rates = tiny_estimator(max_epochs=4, optimizer=optimizer).fit(X, y).history_["learning_rate"]
    assert rates[-1] < rates[0] / 2


@pytest.mark.backend
def test_only_what_an_interrupted_training_took_itself_counts(blobs):
    X, y = blobs
    settings = {"batch_size": 100, "max_epochs": 6, "warm_start": True}
    estimator = tiny_estimator(**settings).fit(X, y).partial_fit(X, y)
    assert estimator.n_iter_ == 7
    with pytest.warns(UserWarning, match="interrupted"):
        estimator.set_params(callbacks=[interrupt_at(9)]).fit(X, y)
    assert estimator.n_iter_ == 9
    estimator.set_params(callbacks=None).fit(X, y)
    assert estimator.n_iter_ == 13
    expected = 1e-3 * (1 + np.cos(np.pi * np.arange(6) / 6)) / 2  # a step an epoch
    assert estimator.history_["learning_rate"][7:] == pytest.approx(np.maximum(expected, 1e-5))


def test_partial_fit_after_an_interruption_has_the_whole_learning_rate(blobs):
    X, y = blobs
    estimator = tiny_estimator(max_epochs=4, callbacks=[interrupt_at(3)])
    with pytest.warns(UserWarning, match="interrupted"):
        estimator.fit(X, y)
    estimator.set_params(callbacks=None).partial_fit(X, y)
    assert estimator.history_["learning_rate"][-1] == pytest.approx(1e-3)


def test_the_best_epoch_is_that_of_the_least_mean_of_some():
    values = [9.0] * 30 + [5.0, 1.0] + [5.0] * 30 + [3.0] * 38  # 1.0 is luck
    best = BestEpoch("error")
    best.set_model(SimpleNamespace(network=SimpleNamespace(get_weights=lambda: len(kept))))
    kept = []
    for epoch, value in enumerate(values):
        kept.append(epoch)
        best.on_epoch_end(epoch, {"error": value})
    assert 62 < best.epoch < 72  # the first of whose mean all are 3
    assert (best.value, best.weights) == (3.0, best.epoch + 1)
    few = BestEpoch("error")
    few.set_model(best.model)
    for epoch, value in enumerate([3.0, 1.0, 2.0]):
        few.on_epoch_end(epoch, {"error": value})
    assert few.epoch == 1


def test_an_older_file_goes_on_with_plateaus(fitted):
    state = fitted.__getstate__()
    older = skpose.PoseEstimator.__new__(skpose.PoseEstimator)
    new = ("lr_schedule", "max_minutes", "pretrained", "minutes_", "_first_epoch")
    older.__setstate__({name: value for name, value in state.items() if name not in new})
    assert (older.lr_schedule, older.max_minutes, older.minutes_) == ("plateau", None, 0)
    assert older.get_params()["pretrained"] is None


def test_the_last_epoch_of_a_cosine_is_kept_and_the_best_of_one_that_is_not_done(blobs):
    X, y = blobs
    settings = {"max_epochs": 6, "early_stopping": True, "learning_rate": 1e-12, "tol": 0}
    done = tiny_estimator(**settings).fit(X, y)
    assert done.best_epoch_ == 5
    stopped = tiny_estimator(**settings, callbacks=[interrupt_at(4)])
    with pytest.warns(UserWarning, match="interrupted"):
        stopped.fit(X, y)
    assert stopped.best_epoch_ == int(np.argmin(stopped.history_["val_keypoint_error"]))
    plateaus = tiny_estimator(**settings, lr_schedule="plateau").fit(X, y)
    assert plateaus.best_epoch_ == int(np.argmin(plateaus.history_["val_keypoint_error"]))
