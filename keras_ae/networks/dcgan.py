"""The networks of DCGAN as an encoder and a decoder."""

import math
from functools import partial

import keras

from keras_ae import errors
from keras_ae.checks import Count, Seed, Shape, checked
from keras_ae.layers import FusedBatchNormalization, StridedConv2D, StridedConv2DTranspose
from keras_ae.networks import common


@checked
def dcgan(
    input_shape: Shape,
    latent_dim: Count,
    filters: Count = 64,
    parameters: Count = 1,
    condition_dim: Count | None = None,
    seed: Seed | None = None,
) -> tuple[keras.Model, keras.Model]:
    """Strided and fractionally strided convolutions, after Radford et al. (2016, arXiv:1511.06434, sec. 3).

    The encoder is their discriminator without its output: kernels of 5x5 with stride 2, leaky ReLU of slope 0.2, batch
    normalisation but in the first layer. The decoder is their generator: a projection to an image of about 4x4,
    fractionally strided convolutions, batch normalisation and ReLU. Its last convolution has neither and yields the
    likelihood's parameters, so that the model is made with `output_layer="given"`.

    Args:
        input_shape: (height, width, channels), at least 16 pixels high and wide; meant for 32, 64 and more.
        latent_dim: number of dimensions of the code.
        filters: channels of the widest layer at full resolution; each halving of the image doubles them.
        parameters: the likelihood's parameters per value (1 for Bernoulli and Normal, 2 for Normal("per_value")).
        condition_dim: size of the condition of a conditional model, given to both networks as their second input.
        seed: integer; the same seed gives the same initial weights.

    Returns:
        (encoder, decoder): features of x, and parameters (batch, height, width, channels * parameters).

    Example:
        >>> encoder, decoder = dcgan((64, 64, 3), latent_dim=32, filters=8, seed=0)
        >>> decoder.output_shape
        (None, 64, 64, 3)
    """
    height, width, channels = common.shape_of("input_shape", input_shape, ranks=(3,))
    if min(height, width) < 16:
        raise errors.InputError(
            f"dcgan needs images of at least 16x16 pixels. Received: input_shape={tuple(input_shape)!r}. "
            "Use the network 'conv' or 'dense'."
        )
    stages = max(round(math.log2(min(height, width) / 4)), 2)
    widths = [filters * 2**stage for stage in range(stages)]
    sizes = common.sizes((height, width), [2] * stages)
    initializers = common.initializers(seed, partial(keras.initializers.RandomNormal, stddev=0.02))
    strided = {"kernel_size": 5, "strides": 2, "padding": "same", **common.CHANNELS}

    x = keras.Input((height, width, channels), name="x")
    condition = common.conditions(condition_dim)
    features = common.with_plane(x, condition, initializers)
    for stage, count in enumerate(widths):
        normalised = stage > 0
        features = StridedConv2D(count, use_bias=not normalised, kernel_initializer=next(initializers), **strided)(
            features
        )
        if normalised:
            features = FusedBatchNormalization()(features)
        features = keras.layers.LeakyReLU(0.2)(features)
    features = common.flat(features)

    z = keras.Input((latent_dim,), name="z")
    smallest = (*sizes[-1], widths[-1])
    values = keras.layers.Dense(math.prod(smallest), use_bias=False, kernel_initializer=next(initializers))(
        common.with_vector(z, condition)
    )
    values = keras.layers.Reshape(smallest)(values)
    for count, size in zip(widths[-2::-1], sizes[-2:0:-1], strict=True):
        values = keras.layers.ReLU()(FusedBatchNormalization()(values))
        values = StridedConv2DTranspose(count, use_bias=False, kernel_initializer=next(initializers), **strided)(values)
        values = common.crop(values, size)
    values = keras.layers.ReLU()(FusedBatchNormalization()(values))
    values = StridedConv2DTranspose(
        channels * parameters, kernel_initializer=next(initializers), dtype="float32", name="parameters", **strided
    )(values)
    values = common.crop(values, (height, width))
    return common.pair([x, *condition], features, [z, *condition], values)
