"""Residual networks for images of any size."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from keras_ae.checks import Activation, Count, Dropout, Natural, Seed, Shape, checked
from keras_ae.networks import common


@checked
def resnet(
    input_shape: Shape,
    latent_dim: Count,
    filters: Sequence[Count] = (32, 64),
    blocks: Natural = 1,
    units: Count = 256,
    activation: Activation = "elu",
    input_dropout: Dropout = 0.0,
    parameters: Count = 1,
    condition_dim: Count | None = None,
    seed: Seed | None = None,
) -> tuple[keras.Model, keras.Model]:
    """Residual blocks between strided convolutions; the decoder doubles its images by depth to space.

    A block is x + conv(act(conv(x))), a residual block (He et al., 2016, arXiv:1512.03385, eq. 1) without
    normalisation and without an activation outside (Lim et al., 2017, arXiv:1707.02921, fig. 2c). Instead of a
    transposed convolution the decoder has one of stride 1 with four times the channels, whose output is rearranged to
    twice the height and width (Shi et al., 2016, arXiv:1609.05158, eq. 3 and 4). Nothing is computed at full
    resolution: the last convolution yields the likelihood's parameters of four pixels at once, so the model is made
    with `output_layer="given"`.

    Args:
        input_shape: (height, width, channels) of any size: what the strides do not divide is padded and cut.
        latent_dim: number of dimensions of the code.
        filters: channels of each resolution; each halves height and width.
        blocks: residual blocks at each resolution.
        units: units of the dense layer next to the code.
        activation: of the blocks, the layers between resolutions and the dense layers.
        input_dropout: share of the values of x that the encoder does not see in training, which keeps its posterior of
            unseen examples from being overconfident (Shu et al., 2018, arXiv:1805.08913).
        parameters: the likelihood's parameters per value (1 for Bernoulli and Normal, 2 for Normal("per_value")).
        condition_dim: size of the condition of a conditional model, given to both networks as their second input.
        seed: integer; the same seed gives the same initial weights.

    Returns:
        (encoder, decoder): features of x, (batch, units), and parameters (batch, height, width, channels * parameters).

    Example:
        >>> encoder, decoder = resnet((45, 37, 3), latent_dim=8, filters=(8, 16), seed=0)
        >>> decoder.output_shape
        (None, 45, 37, 3)
    """
    height, width, channels = common.shape_of("input_shape", input_shape, ranks=(3,))
    filters = common.filters(filters)
    sizes = common.sizes((height, width), [2] * len(filters))
    initializers = common.initializers(seed)

    def convolution(count: int, **options: Any) -> keras.layers.Layer:
        options = {"padding": "same", "kernel_initializer": next(initializers), **common.CHANNELS, **options}
        return keras.layers.Conv2D(count, 3, **options)

    def dense(count: int) -> keras.layers.Layer:
        return keras.layers.Dense(count, activation=activation, kernel_initializer=next(initializers))

    def residual(values: Any, count: int) -> Any:
        for _ in range(blocks):
            inner = convolution(count, activation=activation)(values)
            values = keras.layers.Add()([values, convolution(count)(inner)])
        return values

    def doubled(values: Any, count: int, size: Sequence[int], **options: Any) -> Any:
        return common.crop(keras.ops.depth_to_space(convolution(4 * count, **options)(values), 2), size)

    x = keras.Input((height, width, channels), name="x")
    condition = common.conditions(condition_dim)
    seen = keras.layers.Dropout(input_dropout, seed=seed)(x) if input_dropout else x
    features = common.with_plane(seen, condition, initializers)
    for count in filters:
        features = residual(convolution(count, strides=2, activation=activation)(features), count)
    features = dense(units)(common.flat(features))

    z = keras.Input((latent_dim,), name="z")
    smallest = (*sizes[-1], filters[-1])
    values = dense(units)(common.with_vector(z, condition))
    values = residual(keras.layers.Reshape(smallest)(dense(math.prod(smallest))(values)), filters[-1])
    for count, size in zip(filters[-2::-1], sizes[-2:0:-1], strict=True):
        values = residual(doubled(values, count, size, activation=activation), count)
    values = doubled(values, channels * parameters, (height, width), dtype="float32", name="parameters")
    return common.pair([x, *condition], features, [z, *condition], values)
