"""Convolutional networks for images of any size."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from keras_ae.checks import Activation, Count, Seed, Shape, checked
from keras_ae.networks import common


@checked
def conv(
    input_shape: Shape,
    latent_dim: Count,
    filters: Sequence[Count] = (32, 64),
    units: Count = 256,
    activation: Activation = "relu",
    condition_dim: Count | None = None,
    seed: Seed | None = None,
) -> tuple[keras.Model, keras.Model]:
    """Convolutions of kernel 3 and stride 2, then a dense layer; the decoder is the mirror image.

    Args:
        input_shape: (height, width, channels) of any size: what the strides do not divide is padded and cut.
        latent_dim: number of dimensions of the code.
        filters: channels of each convolution; each halves height and width.
        units: units of the dense layer.
        activation: of every layer.
        condition_dim: size of the condition of a conditional model, given to both networks as their second input.
        seed: integer; the same seed gives the same initial weights.

    Returns:
        (encoder, decoder): features of x, (batch, units), and features of a code, (batch, height, width, filters[0]).

    Example:
        >>> encoder, decoder = conv((45, 37, 3), latent_dim=8, seed=0)
        >>> decoder.output_shape
        (None, 45, 37, 32)
    """
    height, width, channels = common.shape_of("input_shape", input_shape, ranks=(3,))
    filters = common.filters(filters)
    sizes = common.sizes((height, width), [2] * len(filters))
    initializers = common.initializers(seed)

    def options() -> dict[str, Any]:
        return {"activation": activation, "kernel_initializer": next(initializers)}

    strided = {"kernel_size": 3, "strides": 2, "padding": "same", **common.CHANNELS}

    x = keras.Input((height, width, channels), name="x")
    condition = common.conditions(condition_dim)
    features = common.with_plane(x, condition, initializers)
    for count in filters:
        features = keras.layers.Conv2D(count, **strided, **options())(features)
    features = keras.layers.Dense(units, **options())(common.flat(features))

    z = keras.Input((latent_dim,), name="z")
    smallest = (*sizes[-1], filters[-1])
    values = keras.layers.Dense(units, **options())(common.with_vector(z, condition))
    values = keras.layers.Dense(math.prod(smallest), **options())(values)
    values = keras.layers.Reshape(smallest)(values)
    for count, size in zip([*filters[-2::-1], filters[0]], sizes[-2::-1], strict=True):
        values = keras.layers.Conv2DTranspose(count, **strided, **options())(values)
        values = common.crop(values, size)
    return common.pair([x, *condition], features, [z, *condition], values)
