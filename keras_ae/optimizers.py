"""Keras' Adam, faster."""

from typing import Any

import keras
from keras import ops

from keras_ae import backend


@keras.saving.register_keras_serializable("keras_ae")
class Adam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` whose update is one fused operation per variable on TensorFlow.

    Same arguments, state and results. Keras' own update is dozens of small operations, which take over a quarter of the
    step of a small model. On other backends, with `amsgrad` and under a strategy it is Keras' own.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if keras.backend.backend() != "tensorflow" or self.amsgrad or backend.replicas() > 1:
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        index = self._get_variable_index(variable)
        dtype = variable.dtype
        step = ops.cast(self.iterations + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=ops.power(ops.cast(self.beta_1, dtype), step),
            beta2_power=ops.power(ops.cast(self.beta_2, dtype), step),
            lr=ops.cast(learning_rate, dtype),
            beta1=ops.cast(self.beta_1, dtype),
            beta2=ops.cast(self.beta_2, dtype),
            epsilon=ops.cast(self.epsilon, dtype),
            grad=ops.cast(tf.convert_to_tensor(gradient), dtype),
        )


def _handle(variable: Any) -> Any:
    """The TensorFlow resource of a Keras or a TensorFlow variable."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
