import keras
import numpy as np
import pytest

from skpose.estimator._optimizer import make_optimizer

SHAPES = [(3, 3, 2, 4), (4,), (1, 1, 4, 2)]


def train(optimizer, n_steps=5, compiled=False):
    """Return weights after some steps with gradients of many sizes."""
    rng = np.random.default_rng(0)
    weights = [keras.Variable(rng.normal(size=shape).astype("float32")) for shape in SHAPES]
    optimizer.build(weights)
    step = optimizer.apply
    if compiled:
        tensorflow = pytest.importorskip("tensorflow")
        step = tensorflow.function(step, autograph=False)
    for scale in np.geomspace(1e-6, 10, n_steps):
        gradients = [scale * rng.normal(size=shape).astype("float32") for shape in SHAPES]
        step([keras.ops.convert_to_tensor(g) for g in gradients])
    return [keras.ops.convert_to_numpy(w) for w in weights]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"beta_1": 0.5, "epsilon": 1e-3}, {"amsgrad": True}, {"clipnorm": 0.1}]
    + [{"weight_decay": 0.1}, {"use_ema": True}],
)
def test_adam_is_that_of_keras(options, compiled):
    if compiled and keras.backend.backend() != "tensorflow":
        pytest.skip("a function of TensorFlow's")
    expected = train(keras.optimizers.Adam(0.01, **options))
    found = train(make_optimizer(keras.optimizers.Adam(0.01, **options), None), compiled=compiled)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_names_take_the_learning_rate_and_objects_are_copied():
    for name in ("adam", "Adam"):
        optimizer = make_optimizer(name, 0.02)
        assert isinstance(optimizer, keras.optimizers.Adam)
        assert float(optimizer.learning_rate) == pytest.approx(0.02)
    given = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer = make_optimizer(given, 0.02)
    assert type(optimizer) is keras.optimizers.SGD
    assert optimizer is not given
    assert optimizer.get_config() == given.get_config()
    assert type(make_optimizer("adamw", 0.1)) is keras.optimizers.AdamW


def test_adam_has_the_state_that_older_files_keep():
    optimizer, theirs = make_optimizer("adam", 0.01), keras.optimizers.Adam(0.01)
    for each in (optimizer, theirs):
        each.build([keras.Variable(np.zeros(shape, "float32")) for shape in SHAPES])
    assert [v.shape for v in optimizer.variables] == [v.shape for v in theirs.variables]
