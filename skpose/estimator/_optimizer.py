"""The optimizer that a training takes."""

import keras
from keras import ops

from skpose.estimator._backend import adam_step

__all__ = ["make_optimizer"]


def make_optimizer(optimizer, learning_rate):
    """Return an optimizer of a training's own.

    Parameters
    ----------
    optimizer : str or keras.optimizers.Optimizer
        A name, or an object whose settings are copied.
    learning_rate : float
        Used where `optimizer` is a name.

    Returns
    -------
    keras.optimizers.Optimizer
    """
    if isinstance(optimizer, str):
        config = {"class_name": optimizer, "config": {"learning_rate": learning_rate}}
        optimizer = keras.optimizers.get(config)
    kind = type(optimizer)
    if kind is keras.optimizers.Adam and keras.backend.backend() == "tensorflow":
        kind = _AdamInOnePass
    return kind.from_config(optimizer.get_config())


class _AdamInOnePass(keras.optimizers.Adam):
    """Adam by the operation that TensorFlow has for it.

    Keras writes it as ten operations, each of which reads and writes all of the weights.
    """

    def update_step(self, gradient, variable, learning_rate):
        if self.amsgrad:
            return super().update_step(gradient, variable, learning_rate)
        i = self._get_variable_index(variable)
        dtype = variable.dtype
        n_steps = ops.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = (ops.cast(beta, dtype) for beta in (self.beta_1, self.beta_2))
        return adam_step(
            variable,
            self._momentums[i],
            self._velocities[i],
            beta1=beta_1,
            beta2=beta_2,
            beta1_power=ops.power(beta_1, n_steps),
            beta2_power=ops.power(beta_2, n_steps),
            lr=ops.cast(learning_rate, dtype),
            epsilon=ops.cast(self.epsilon, dtype),
            grad=ops.cast(gradient, dtype),
        )
