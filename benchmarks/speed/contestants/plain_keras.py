"""The architectures of keras_ae in plain Keras, for the other contestants."""

import math

import keras
from keras import layers


def networks(case: object, shape: tuple[int, int, int]) -> tuple[keras.Model, keras.Model]:
    """Encoder, x -> (mean, log-variance), and decoder, code -> logits of the shape of x."""
    return {"mlp": _mlp, "conv": _conv, "dcgan": _dcgan}[case.network](shape, case.latent_dim)


def _pair(x: keras.KerasTensor, features: keras.KerasTensor, z: keras.KerasTensor, logits: keras.KerasTensor) -> tuple:
    heads = [layers.Dense(z.shape[1])(features) for _ in ("mean", "log_var")]
    return keras.Model(x, heads), keras.Model(z, logits)


def _mlp(shape: tuple[int, int, int], latent_dim: int) -> tuple[keras.Model, keras.Model]:
    x = keras.Input(shape)
    features = layers.Flatten()(x)
    features = layers.Dense(512, "relu")(features)
    features = layers.Dense(256, "relu")(features)
    z = keras.Input((latent_dim,))
    values = layers.Dense(256, "relu")(z)
    values = layers.Dense(512, "relu")(values)
    return _pair(x, features, z, layers.Reshape(shape)(layers.Dense(math.prod(shape))(values)))


def _conv(shape: tuple[int, int, int], latent_dim: int) -> tuple[keras.Model, keras.Model]:
    x = keras.Input(shape)
    features = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)
    features = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(features)
    smallest = features.shape[1:]
    features = layers.Dense(256, "relu")(layers.Flatten()(features))
    z = keras.Input((latent_dim,))
    values = layers.Dense(256, "relu")(z)
    values = layers.Reshape(smallest)(layers.Dense(math.prod(smallest), "relu")(values))
    values = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(values)
    values = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(values)
    return _pair(x, features, z, layers.Conv2D(shape[-1], 1)(values))


def _dcgan(shape: tuple[int, int, int], latent_dim: int) -> tuple[keras.Model, keras.Model]:
    strided = {"kernel_size": 5, "strides": 2, "padding": "same"}
    x = features = keras.Input(shape)
    for number, width in enumerate((64, 128, 256, 512)):
        features = layers.Conv2D(width, use_bias=not number, **strided)(features)
        features = layers.LeakyReLU(0.2)(layers.BatchNormalization()(features) if number else features)
    smallest = features.shape[1:]
    z = keras.Input((latent_dim,))
    values = layers.Reshape(smallest)(layers.Dense(math.prod(smallest), use_bias=False)(z))
    for width in (256, 128, 64):
        values = layers.ReLU()(layers.BatchNormalization()(values))
        values = layers.Conv2DTranspose(width, use_bias=False, **strided)(values)
    values = layers.ReLU()(layers.BatchNormalization()(values))
    return _pair(x, layers.Flatten()(features), z, layers.Conv2DTranspose(shape[-1], **strided)(values))
