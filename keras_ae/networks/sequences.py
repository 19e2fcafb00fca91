"""Networks of sequences: recurrent, and with attention.

The encoder maps a sequence x to a vector of features. The decoder maps a code z and the sequence so far, `previous`
(x moved by one step, so that step t holds x_{t-1}), to features of each step, which depend on no later step.

A sequence has `steps` steps of a token each, (batch, steps), or of numbers of any shape, (batch, steps, ...). Token 0
and steps whose numbers are all NaN are padding: they are masked, and the features are those of the sequence without it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import keras

from keras_ae import errors, layers
from keras_ae.checks import Count, Seed, Shape, checked
from keras_ae.networks import common


@checked
def recurrent(
    input_shape: Shape,
    latent_dim: Count,
    tokens: Count | None = None,
    units: Count = 128,
    embedding_dim: Count = 64,
    seed: Seed | None = None,
) -> tuple[keras.Model, keras.Model]:
    """Gated recurrent units, in both directions in the encoder (Bowman et al., 2016, arXiv:1511.06349, fig. 1).

    Args:
        input_shape: (steps,) for tokens, (steps, channels) or (steps, ...) for numbers.
        latent_dim: number of dimensions of the code, which is the decoder's first state and part of each of its inputs.
        tokens: size of the vocabulary, with 0 for padding; None for numbers.
        units: of each recurrent layer.
        embedding_dim: size of a token's vector.
        seed: integer; the same seed gives the same initial weights.

    Returns:
        (encoder, decoder): features of x, (batch, 2 units), and features of each step, (batch, steps, units).

    Example:
        >>> encoder, decoder = recurrent((20,), latent_dim=16, tokens=30, seed=0)
        >>> encoder.output_shape, decoder.output_shape
        ((None, 256), (None, 20, 128))
    """
    initializers = common.initializers(seed)

    def gru(**options: Any) -> keras.layers.Layer:
        recurrent = keras.initializers.Orthogonal(seed=next(initializers).seed)
        return keras.layers.GRU(
            units,
            kernel_initializer=next(initializers),
            recurrent_initializer=recurrent,
            **options,
        )

    x, values = _steps("x", input_shape, tokens, embedding_dim, initializers, masked=True)
    features = keras.layers.Bidirectional(gru(), backward_layer=gru(go_backwards=True))(values)
    z = keras.Input((latent_dim,), name="z")
    previous, values = _steps("previous", input_shape, tokens, embedding_dim, initializers)
    state = keras.layers.Dense(units, "tanh", kernel_initializer=next(initializers))(z)
    with_code = keras.layers.Concatenate()([values, keras.layers.RepeatVector(values.shape[1])(z)])
    return common.pair([x], features, [z, previous], gru(return_sequences=True)(with_code, initial_state=state))


@checked
def transformer(
    input_shape: Shape,
    latent_dim: Count,
    tokens: Count | None = None,
    units: Count = 64,
    heads: Count = 4,
    blocks: Count = 2,
    seed: Seed | None = None,
) -> tuple[keras.Model, keras.Model]:
    """Small transformers with the normalisation first (Vaswani et al., 2017, arXiv:1706.03762; Xiong et al., 2020,
    arXiv:2002.04745). The encoder's features are the mean over the steps; the code is added to each of the decoder's.

    Args:
        input_shape: (steps,) for tokens, (steps, channels) or (steps, ...) for numbers.
        latent_dim: number of dimensions of the code.
        tokens: size of the vocabulary, with 0 for padding; None for numbers.
        units: size of each step's vector, a multiple of `heads`.
        heads: of each attention layer.
        blocks: of attention and a hidden layer of 4 `units`, in each network.
        seed: integer; the same seed gives the same initial weights.

    Returns:
        (encoder, decoder): features of x, (batch, units), and features of each step, (batch, steps, units).

    Example:
        >>> encoder, decoder = transformer((20, 3), latent_dim=16, units=32, seed=0)
        >>> encoder.output_shape, decoder.output_shape
        ((None, 32), (None, 20, 32))
    """
    initializers = common.initializers(seed)
    if units % heads:
        raise errors.InputError(f"units must be a multiple of heads. Received: units={units}, heads={heads}.")

    def dense(size: int, activation: Any = None) -> keras.layers.Layer:
        return keras.layers.Dense(size, activation, kernel_initializer=next(initializers))

    def attend(values: Any, causal: bool) -> Any:
        for _ in range(blocks):
            normal = keras.layers.LayerNormalization()(values)
            attention = keras.layers.MultiHeadAttention(heads, units // heads, kernel_initializer=next(initializers))
            values = keras.layers.Add()([values, attention(normal, normal, use_causal_mask=causal)])
            hidden = dense(4 * units, "gelu")(keras.layers.LayerNormalization()(values))
            values = keras.layers.Add()([values, dense(units)(hidden)])
        return keras.layers.LayerNormalization()(values)

    def positions(values: Any) -> Any:
        values = values if tokens else dense(units)(values)
        return layers.Positions(seed=next(initializers).seed)(values)

    x, values = _steps("x", input_shape, tokens, units, initializers, masked=True)
    features = keras.layers.GlobalAveragePooling1D(**common.CHANNELS)(attend(positions(values), causal=False))
    z = keras.Input((latent_dim,), name="z")
    previous, values = _steps("previous", input_shape, tokens, units, initializers)
    with_code = keras.layers.Add()([positions(values), keras.layers.RepeatVector(values.shape[1])(dense(units)(z))])
    return common.pair([x], features, [z, previous], attend(with_code, causal=True))


def _steps(
    name: str,
    input_shape: Sequence[int],
    tokens: int | None,
    size: int,
    initializers: Iterator[Any],
    masked: bool = False,
) -> tuple[Any, Any]:
    """An input and a vector for each of its steps, (batch, steps, size); without padding if `masked`."""
    if bool(tokens) != (len(input_shape) == 1):
        raise errors.InputError(
            "input_shape must be (steps,) for tokens, with their number as `tokens` and a Categorical likelihood, and "
            f"(steps, channels) for numbers. Received: input_shape={tuple(input_shape)}, tokens={tokens}."
        )
    shape = common.shape_of("input_shape", input_shape, ranks=(1, 2, 3, 4))
    x = keras.Input(shape, name=name)
    if tokens:
        seed = next(initializers).seed
        uniform = keras.initializers.RandomUniform(seed=seed)
        return x, keras.layers.Embedding(tokens, size, uniform, mask_zero=masked)(x)
    values = keras.layers.Reshape((shape[0], -1))(x)
    return x, layers.Observed()(values) if masked else values
