"""Fully connected networks."""

from collections.abc import Sequence

import keras

from keras_ae.checks import Activation, Count, Dropout, Seed, Shape, checked
from keras_ae.networks import common


@checked
def dense(
    input_shape: Shape,
    latent_dim: Count,
    hidden: Sequence[Count] = (512, 256),
    activation: Activation = "relu",
    input_dropout: Dropout = 0.0,
    condition_dim: Count | None = None,
    seed: Seed | None = None,
) -> tuple[keras.Model, keras.Model]:
    """Multilayer perceptrons: x -> hidden[0] -> ... -> hidden[-1] and z -> hidden[-1] -> ... -> hidden[0].

    Args:
        input_shape: shape of one example; anything but a vector is flattened.
        latent_dim: number of dimensions of the code.
        hidden: units of the encoder's hidden layers; the decoder mirrors them. Empty for linear models.
        activation: of every hidden layer.
        input_dropout: share of the values of x that the encoder does not see in training, which keeps its posterior of
            unseen examples from being overconfident (Shu et al., 2018, arXiv:1805.08913).
        condition_dim: size of the condition of a conditional model, given to both networks as their second input.
        seed: integer; the same seed gives the same initial weights.

    Returns:
        (encoder, decoder): features of x, (batch, hidden[-1]), and features of a code, (batch, hidden[0]).

    Example:
        >>> encoder, decoder = dense((28, 28, 1), latent_dim=16, seed=0)
        >>> encoder.output_shape, decoder.output_shape
        ((None, 256), (None, 512))
    """
    input_shape = common.shape_of("input_shape", input_shape, ranks=(1, 2, 3, 4))
    initializers = common.initializers(seed)

    def layer(size: int) -> keras.layers.Layer:
        return keras.layers.Dense(size, activation, kernel_initializer=next(initializers))

    x = keras.Input(input_shape, name="x")
    condition = common.conditions(condition_dim)
    values = common.flat(x)
    if input_dropout:
        values = keras.layers.Dropout(input_dropout, seed=seed)(values)
    features = common.with_vector(values, condition)
    for size in hidden:
        features = layer(size)(features)
    z = keras.Input((latent_dim,), name="z")
    values = common.with_vector(z, condition) if hidden or condition else keras.layers.Identity()(z)
    for size in reversed(hidden):
        values = layer(size)(values)
    return common.pair([x, *condition], features, [z, *condition], values)
