from functools import partial
import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys

import helpers
from helpers import control_c_heeded, interrupt_at, small_estimator, tiny_estimator
import keras
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline

import skpose
from skpose.augment import Augmenter
from skpose.estimator import Checkpoint, EpochReport
from skpose.estimator._batches import PoseBatches
from skpose.estimator._split import extend_validation, split_validation
from skpose.preprocessing import ImageBatch, ImageResizer


class _Forget(keras.callbacks.Callback):
    """Spoils the weights in an epoch, so that the best one comes before."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            network = self.model.network
            network.set_weights([np.zeros_like(w) for w in network.get_weights()])


def test_history_has_an_entry_for_each_epoch(fitted):
    assert fitted.n_iter_ == 2
    names = {"loss", "keypoint_error", "val_loss", "val_keypoint_error", "learning_rate"}
    assert set(fitted.history_) == names
    assert all(len(values) == 2 for values in fitted.history_.values())


@pytest.mark.slow
def test_the_best_epoch_is_kept(blobs):
    X, y = blobs
    settings = {"lr_schedule": "plateau", "learning_rate": 1e-12}
    estimator = small_estimator(max_epochs=3, callbacks=[_Forget(2)], **settings).fit(X, y)
    errors = estimator.history_["val_keypoint_error"]
    assert estimator.best_epoch_ == int(np.argmin(errors)) < 2
    kept = estimator.validation_indices_
    assert -estimator.score(X[kept], y[kept]) == pytest.approx(min(errors), rel=1e-3)


@pytest.mark.slow
def test_training_stops_and_slows_down_without_improvement(blobs):
    X, y = blobs
    # Nothing improves by 100 px, so that the first epoch is the only one that counts.
    settings = {"lr_schedule": "plateau", "n_iter_no_change": 4, "lr_patience": 2}
    estimator = small_estimator(max_epochs=30, tol=100, **settings).fit(X, y)
    assert estimator.n_iter_ == 5
    rates = estimator.history_["learning_rate"]
    assert rates[-1] == pytest.approx(0.2 * rates[0], rel=1e-3)


@pytest.mark.slow
def test_without_early_stopping_every_sample_is_trained_on(blobs):
    X, y = blobs
    estimator = small_estimator(early_stopping=False).fit(X, y)
    assert len(estimator.validation_indices_) == 0
    assert "val_loss" not in estimator.history_
    assert estimator.best_epoch_ is None


@pytest.mark.slow
def test_given_validation_data_are_watched(blobs):
    X, y = blobs
    estimator = small_estimator().fit(X, y, validation_data=(X[:3], y[:3]))
    assert len(estimator.validation_indices_) == 0
    assert len(estimator.history_["val_keypoint_error"]) == 2


def test_split_keeps_groups_together_and_depends_on_the_random_state_alone():
    groups = np.repeat(list("abcdef"), 5)
    training, validation = split_validation(30, 0.3, groups=groups, random_state=3)
    assert not set(groups[training]) & set(groups[validation])
    assert len(set(groups[validation])) == 2
    again = split_validation(30, 0.3, groups=groups, random_state=3)
    assert_array_equal(again[1], validation)
    assert len(split_validation(30, 0.3, random_state=3)[1]) == 9


@pytest.mark.slow
def test_warm_start_goes_on_from_the_weights_and_keeps_the_split(blobs):
    X, y = blobs
    estimator = small_estimator(warm_start=True, random_state=None).fit(X, y)
    kept, loss = estimator.validation_indices_, estimator.history_["loss"]
    estimator.fit(X, y)
    assert estimator.n_iter_ == 4
    assert_array_equal(estimator.validation_indices_, kept)
    assert estimator.history_["loss"][:2] == loss
    assert estimator.history_["loss"][2] < loss[0]


def test_what_is_added_to_a_split_leaves_the_old_on_their_side():
    roles = np.array(["training"] * 9 + ["validation"] + ["new"] * 10)
    training, validation = extend_validation(roles, 0.2, random_state=0)
    assert_array_equal(np.sort([*training, *validation]), np.arange(20))
    assert 9 in validation
    assert len(validation) == 4
    assert not set(validation) & set(range(9))
    many = np.array(["training"] * 9 + ["validation"] * 9 + ["new"])
    assert_array_equal(extend_validation(many, 0.1)[1], np.arange(9, 18))


def test_new_samples_go_where_their_group_is():
    roles = np.array(["training", "new", "validation", "new", "new", "new", "new", "new"])
    groups = np.array(list("aabbcdef"))
    training, validation = extend_validation(roles, 0.34, groups=groups, random_state=0)
    assert {0, 1} <= set(training)
    assert {2, 3} <= set(validation)
    assert len(set(groups[validation])) == 2


def test_of_a_second_video_a_part_is_kept_back_not_all():
    roles = np.array(["training"] * 18 + ["validation"] * 2 + ["new"] * 40)
    groups = np.array(["a"] * 20 + ["b"] * 40)  # the first one was divided by its frames
    _, validation = extend_validation(roles, 0.1, groups=groups, random_state=0)
    assert {18, 19} <= set(validation)
    assert len(validation) == 6
    roles = np.array(["training"] * 5 + ["validation"] + ["new"] * 6)
    training, _ = extend_validation(roles, 0.9, groups=np.repeat(list("abcd"), [5, 1, 3, 3]))
    assert len(training) == 5 + 3  # one of the two new groups
    with pytest.raises(ValueError, match="groups has 3 entries, but there are 12 samples"):
        extend_validation(roles, 0.1, groups=list("abc"))


@pytest.mark.slow
def test_images_in_another_order_keep_their_side(blobs):
    X, y = blobs
    estimator = small_estimator(warm_start=True, max_epochs=1).fit(X, y)
    kept = X[estimator.validation_indices_]
    estimator.fit(X[::-1], y[::-1])
    now = X[::-1][estimator.validation_indices_]
    assert len(now) == len(kept)
    assert all((now == image).all(axis=(1, 2, 3)).any() for image in kept)


@pytest.mark.slow
def test_a_stopped_training_that_gets_more_images_begins_with_a_new_budget(blobs):
    X, y = blobs
    estimator = small_estimator(max_epochs=4, callbacks=[interrupt_at(1)], warm_start=True)
    with pytest.warns(UserWarning, match="interrupted"):
        estimator.fit(X[:10], y[:10])
    estimator.set_params(callbacks=None)
    assert estimator.fit(X, y).n_iter_ == 1 + 4


@pytest.mark.slow
def test_what_was_kept_back_stays_so_when_there_are_more_images(blobs):
    X, y = blobs
    estimator = small_estimator(warm_start=True, max_epochs=1, validation_fraction=0.25)
    estimator.fit(X[:8], y[:8])
    kept = X[:8][estimator.validation_indices_]
    order = np.random.default_rng(1).permutation(len(X))
    estimator.fit(X[order], y[order])
    now = X[order][estimator.validation_indices_]
    assert len(now) == round(0.25 * len(X))
    assert all((now == image).all(axis=(1, 2, 3)).any() for image in kept)
    assert not np.isin(estimator.training_digests_, estimator.validation_digests_).any()


@pytest.mark.slow
def test_partial_fit_trains_one_epoch_at_a_time(blobs):
    X, y = blobs
    estimator = small_estimator()
    for _ in range(3):
        estimator.partial_fit(X, y)
    assert estimator.n_iter_ == 3
    assert estimator.history_["loss"][2] < estimator.history_["loss"][0]


@pytest.mark.slow
def test_sample_weight_zero_is_as_good_as_absent(blobs):
    X, y = blobs
    y = y.copy()
    y[8:] = 0.0  # wrong labels, which must not count
    weight = np.r_[np.ones(8), np.zeros(8)]
    settings = {"early_stopping": False, "batch_size": 16, "max_epochs": 1}
    weighted = small_estimator(**settings).fit(X, y, sample_weight=weight)
    without = small_estimator(**settings).fit(X[:8], y[:8])
    assert weighted.history_["loss"][0] == pytest.approx(without.history_["loss"][0], rel=1e-3)


@pytest.mark.slow
def test_interrupt_keeps_the_best_weights_and_training_can_go_on(blobs):
    X, y = blobs
    estimator = small_estimator(max_epochs=5, callbacks=[interrupt_at(2)], warm_start=True)
    with pytest.warns(UserWarning, match="interrupted.*can be used"):
        estimator.fit(X, y)
    assert estimator.n_iter_ == 2
    assert np.isfinite(estimator.predict(X)).all()
    estimator.set_params(callbacks=None).fit(X, y)
    assert estimator.n_iter_ == 5


def test_interrupt_before_the_first_epoch_leaves_an_estimator(blobs):
    X, y = blobs
    with pytest.warns(UserWarning, match="no epoch was finished"):
        estimator = small_estimator(callbacks=[interrupt_at(0)]).fit(X, y)
    assert estimator.predict(X).shape == y.shape


def test_an_interrupt_waits_for_the_end_of_a_mini_batch(blobs):
    X, y = blobs
    seen = []

    class Press(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append("begin")
            signal.raise_signal(signal.SIGINT)

        def on_train_batch_end(self, batch, logs=None):
            seen.append("end")

    with control_c_heeded(), pytest.warns(UserWarning, match="no epoch was finished"):
        small_estimator(callbacks=[Press()]).fit(X, y)
    assert seen == ["begin", "end"]


@pytest.mark.slow
def test_checkpoint_is_a_model_that_training_goes_on_from(blobs, tmp_path):
    X, y = blobs
    path = tmp_path / "model.skpose"
    checkpoint = Checkpoint(path, interval=0)
    estimator = small_estimator(max_epochs=4, callbacks=[checkpoint, interrupt_at(3)])
    with pytest.warns(UserWarning, match="interrupted"):
        estimator.fit(X, y)
    revived = skpose.load(path)
    assert revived.n_iter_ == 3
    assert_array_equal(revived.predict(X), estimator.predict(X))
    revived.set_params(warm_start=True).fit(X, y)
    assert revived.n_iter_ == 4
    assert_array_equal(revived.validation_indices_, estimator.validation_indices_)


@pytest.mark.slow
def test_checkpoint_keeps_the_steps_before_the_estimator(blobs, tmp_path):
    X, y = blobs
    resizer = ImageResizer(scale=0.5).fit(X)
    checkpoint = Checkpoint(
        tmp_path / "model.skpose", interval=0, within=partial(make_pipeline, resizer)
    )
    estimator = small_estimator(max_epochs=1, callbacks=[checkpoint])
    estimator.fit(resizer.transform(X), y)
    revived = skpose.load(tmp_path / "model.skpose")
    assert_array_equal(revived.predict(X), make_pipeline(resizer, estimator).predict(X))


def test_a_checkpoint_that_cannot_be_written_costs_no_training(tmp_path):
    checkpoint = Checkpoint(tmp_path / "model.skpose", interval=0)

    def fail(path):
        raise OSError(28, "No space left on device", str(path))

    checkpoint.set_save(fail)
    with pytest.warns(UserWarning, match=r"goes on, but could not be saved: .*model\.skpose"):
        checkpoint.on_epoch_end(0)
    saved = []
    checkpoint.set_save(saved.append)
    checkpoint.on_epoch_end(1)
    assert saved == [tmp_path / "model.skpose"]


@pytest.mark.clock
@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.slow
def test_control_c_in_a_terminal_leaves_a_usable_estimator(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(helpers.__file__).parent)!r})\n"
        "from helpers import small_estimator\n"
        "from skpose.datasets import make_poses\n"
        "X, y = make_poses(64, image_size=32, random_state=0)\n"
        "e = small_estimator(max_epochs=10000, verbose=1, n_iter_no_change=10000).fit(X, y)\n"
        "print('usable', e.predict(X).shape, 0 < e.n_iter_ < 10000, flush=True)\n"
    )
    with control_c_heeded():
        run = subprocess.Popen(
            [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    for line in run.stderr:
        if line.startswith("epoch") and not line.startswith("epoch 1/"):
            break
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=120)
    assert "usable (64, 13, 2) True" in out, err
    assert "interrupted" in err


@pytest.mark.slow
def test_progress_goes_to_a_log_as_lines_and_quiet_is_quiet(blobs, capfd):
    X, y = blobs
    small_estimator(max_epochs=2, verbose=1).fit(X, y)
    captured = capfd.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("epoch")]
    assert lines[0] == "epoch 1/2"  # at once
    assert re.fullmatch(r"epoch 2/2  error \S+, kept back \S+, best \S+ px", lines[-1])
    assert captured.out == ""
    small_estimator(max_epochs=1).fit(X, y)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_gives_finite_maps_in_float32(blobs, precision):
    X, y = blobs
    estimator = small_estimator(precision=precision).fit(X, y)
    maps = estimator.predict_maps(X)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()


@pytest.mark.slow
def test_an_optimizer_object_is_copied_not_used(blobs):
    X, y = blobs
    optimizer = keras.optimizers.SGD(1e-6, momentum=0.9)
    estimator = small_estimator(optimizer=optimizer, max_epochs=1).fit(X, y)
    assert not optimizer.built
    assert isinstance(estimator.model_.optimizer, keras.optimizers.SGD)


class _MoveOut(Augmenter):
    """Moves the first keypoint far out of the image."""

    def augment(self, images, keypoints, *, random_state, swap_index):
        return images, np.where(np.arange(keypoints.shape[1])[:, None] == 0, 1e4, keypoints)


@pytest.mark.slow
def test_keypoints_that_augmentation_moves_out_do_not_count_in_the_error(blobs):
    X, y = blobs
    y = np.repeat(y[:, :1], 2, axis=1)
    estimator = small_estimator(augmenter=_MoveOut(), max_epochs=1, early_stopping=False)
    estimator.fit(X, y)
    assert 0 < estimator.history_["keypoint_error"][0] < np.hypot(*X.shape[1:3])


class _Recorder:
    def augment(self, images, keypoints, *, random_state, swap_index=None):
        return images, keypoints + random_state.integers(1000)


def test_batches_are_a_function_of_seed_epoch_and_place_alone(blobs):
    X, y = blobs

    def read(order):
        batches = PoseBatches(ImageBatch.wrap(X), y, batch_size=5, augmenters=[_Recorder()], seed=1)
        return {i: batches[i][1] for i in order}

    forwards, backwards = read([0, 1, 2, 3]), read([3, 2, 1, 0])
    for i in range(4):
        assert_array_equal(forwards[i], backwards[i])
    assert len(forwards[3]) == 1  # 16 samples in batches of 5


def test_each_epoch_has_every_sample_once_in_another_order(blobs):
    X, y = blobs
    batches = PoseBatches(ImageBatch.wrap(X), y, batch_size=5, seed=1)
    orders = []
    for _ in range(2):
        orders.append(np.concatenate([batches[i][1] for i in range(len(batches))]))
        batches.on_epoch_end()
    assert not np.array_equal(orders[0], orders[1])
    for order in orders:
        assert_array_equal(np.sort(order[:, 0, 0]), np.sort(y[:, 0, 0]).astype(np.float32))


@pytest.mark.slow
def test_bodyparts_that_are_absent_are_not_seen_any_more(blobs):
    X, y = blobs
    others = (40 + 0.6 * (X - 40.0)).astype(np.uint8)  # less bright
    X, y = np.concatenate([X, others]), np.concatenate([y, np.full_like(y, np.nan)])
    visibility = np.where(np.isnan(y[..., 0]), -1, 2)
    shares = {}
    for absent in ("silence", "ignore"):
        estimator = small_estimator(max_epochs=25, absent=absent)
        estimator.fit(X, y, visibility=visibility)
        heights = estimator.predict(X, return_confidence=True)[1][:, 0]
        shares[absent] = heights[16:].mean() / heights[:16].mean()
    assert shares["silence"] < 0.1 < shares["ignore"]
    hidden = tiny_estimator(occluded="ignore")
    with pytest.raises(ValueError, match="no labelled keypoint"):
        hidden.fit(X[:16], y[:16], visibility=np.ones((16, 1)))


@pytest.mark.slow
def test_visibility_is_taken_by_fit_and_routed_by_pipelines(blobs):
    X, y = blobs
    visibility = np.where(np.arange(16) % 2, 1, 2)[:, np.newaxis]
    with_it = tiny_estimator().fit(X, y, visibility=visibility)
    without = tiny_estimator().fit(X, y)
    assert_allclose(with_it.predict(X), without.predict(X), atol=1e-3)
    with pytest.raises(ValueError, match="visibility contradicts y for 16 keypoints"):
        tiny_estimator().fit(X, y, visibility=np.zeros((16, 1)))
    pipeline = make_pipeline(ImageResizer(scale=1), tiny_estimator())
    with pytest.raises(ValueError, match="contradicts"):
        pipeline.fit(X, y, poseestimator__visibility=np.zeros((16, 1)))
    with config_context(enable_metadata_routing=True):
        estimator = tiny_estimator().set_fit_request(visibility=True)
        estimator.set_score_request(sample_weight=False)
        params = {"visibility": visibility}
        cross_validate(estimator, X, y, cv=2, params=params, error_score="raise")
        params = {"visibility": visibility * 0}
        with pytest.raises(ValueError, match="contradicts y for 8 keypoints"):  # half of them
            cross_validate(estimator, X, y, cv=2, params=params, error_score="raise")


@pytest.mark.slow
def test_a_training_that_diverges_is_told(blobs):
    X, y = blobs
    estimator = small_estimator(early_stopping=False, learning_rate=1e30, max_epochs=3)
    with pytest.raises(
        RuntimeError, match="diverged in epoch 1: .* Lower learning_rate, .*1e\\+30"
    ):
        estimator.fit(X, y)
    with pytest.warns(UserWarning, match="keypoints are NaN: its training has diverged"):
        estimator.predict(X)


@pytest.mark.slow
def test_the_best_epoch_before_a_training_diverged_is_kept(blobs):
    class Explode(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                weights = self.model.network.get_weights()
                self.model.network.set_weights([np.full_like(w, np.inf) for w in weights])

    X, y = blobs
    estimator = small_estimator(callbacks=[Explode()], max_epochs=4)
    with pytest.warns(UserWarning, match="diverged in epoch 2: .* has the weights of epoch 1"):
        estimator.fit(X, y)
    assert estimator.n_iter_ == 2
    assert np.isfinite(estimator.predict(X)).all()


def test_reports_of_epochs_go_where_they_are_wanted(blobs, tmp_path):
    X, y = blobs
    with open(tmp_path / "log.jsonl", "w") as file:
        estimator = clone(tiny_estimator(max_epochs=2, callbacks=[EpochReport(file)]))
        estimator.fit(X, y)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert lines[0]["n_kept_back"] == 0
    assert lines[1]["keypoint_error"] == pytest.approx(estimator.history_["keypoint_error"][1])
