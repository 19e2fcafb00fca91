"""The architecture of keras_ae's VAE in plain Keras, for the other contestants."""

import keras
from keras import layers


def networks(model_name: str, latent_dim: int = 16) -> tuple[keras.Model, keras.Model]:
    """Encoder, (batch, 28, 28, 1) -> (mean, log-variance), and decoder, code -> logits (batch, 28, 28, 1)."""
    return {"mlp": _mlp, "conv": _conv}[model_name](latent_dim)


def _mlp(latent_dim: int) -> tuple[keras.Model, keras.Model]:
    x = keras.Input((28, 28, 1))
    features = layers.Flatten()(x)
    features = layers.Dense(512, "relu")(features)
    features = layers.Dense(256, "relu")(features)
    encoder = keras.Model(x, [layers.Dense(latent_dim)(features), layers.Dense(latent_dim)(features)])

    z = keras.Input((latent_dim,))
    values = layers.Dense(256, "relu")(z)
    values = layers.Dense(512, "relu")(values)
    logits = layers.Reshape((28, 28, 1))(layers.Dense(784)(values))
    return encoder, keras.Model(z, logits)


def _conv(latent_dim: int) -> tuple[keras.Model, keras.Model]:
    x = keras.Input((28, 28, 1))
    features = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)
    features = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(features)
    features = layers.Dense(256, "relu")(layers.Flatten()(features))
    encoder = keras.Model(x, [layers.Dense(latent_dim)(features), layers.Dense(latent_dim)(features)])

    z = keras.Input((latent_dim,))
    values = layers.Dense(256, "relu")(z)
    values = layers.Reshape((7, 7, 64))(layers.Dense(7 * 7 * 64, "relu")(values))
    values = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(values)
    values = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(values)
    return encoder, keras.Model(z, layers.Conv2D(1, 1)(values))
