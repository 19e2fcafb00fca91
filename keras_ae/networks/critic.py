"""The network that tells codes from draws of the prior."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_ae import errors
from keras_ae.networks import common


def critic(
    latent_dim: int | Sequence[int],
    hidden: Sequence[int] = (256, 256),
    activation: Any = "relu",
    seed: int | None = None,
) -> keras.Model:
    """A multilayer perceptron from a code to one logit, of being a draw of the prior.

    Args:
        latent_dim: dimensions of the code, or its shape.
        hidden: units of the hidden layers.
        activation: of the hidden layers.
        seed: integer; the same seed gives the same initial weights.

    Example:
        >>> critic(8, hidden=(16,), seed=0).output_shape
        (None, 1)
    """
    initializers = common.initializers(seed)
    z = keras.Input(common.shape_of("latent_dim", latent_dim, ranks=(1, 2, 3, 4)), name="z")
    values = keras.layers.Flatten()(z)
    for i, size in enumerate(hidden):
        units = errors.whole_number(f"hidden[{i}]", size)
        values = keras.layers.Dense(units, activation, kernel_initializer=next(initializers))(values)
    logit = keras.layers.Dense(1, kernel_initializer=next(initializers), dtype="float32")(values)
    return keras.Model(z, logit, name="critic")
