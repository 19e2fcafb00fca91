"""The networks beside encoder and decoder: one that tells codes from draws of the prior, and one that tells classes."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_ae.checks import Activation, Count, Seed, Shape, checked
from keras_ae.networks import common


@checked
def critic(
    latent_dim: Shape,
    hidden: Sequence[Count] = (256, 256),
    activation: Activation = "relu",
    seed: Seed | None = None,
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
    z = keras.Input(common.shape_of("latent_dim", latent_dim, ranks=(1, 2, 3, 4)), name="z")
    return keras.Model(z, _perceptron(z, hidden, 1, activation, seed), name="critic")


@checked
def classifier(
    input_shape: Shape,
    num_classes: Count,
    hidden: Sequence[Count] = (256, 256),
    activation: Activation = "relu",
    seed: Seed | None = None,
) -> keras.Model:
    """A multilayer perceptron from x to one logit for each class.

    Args:
        input_shape: shape of one example.
        num_classes: how many classes.
        hidden: units of the hidden layers.
        activation: of the hidden layers.
        seed: integer; the same seed gives the same initial weights.

    Example:
        >>> classifier((28, 28, 1), 10, hidden=(16,), seed=0).output_shape
        (None, 10)
    """
    x = keras.Input(common.shape_of("input_shape", input_shape, ranks=(1, 2, 3, 4)), name="x")
    return keras.Model(x, _perceptron(x, hidden, num_classes, activation, seed), name="classifier")


def _perceptron(values: Any, hidden: Sequence[int], outputs: int, activation: Any, seed: int | None) -> Any:
    initializers = common.initializers(seed)
    values = common.flat(values)
    for size in hidden:
        values = keras.layers.Dense(size, activation, kernel_initializer=next(initializers))(values)
    return keras.layers.Dense(outputs, kernel_initializer=next(initializers), dtype="float32")(values)
