"""The recipe of the VAE example on keras.io: a `keras.Model` with a gradient tape in `train_step`, `fit` on the array.

It differs from the example in what would be a difference of models: the decoder yields logits, not probabilities.
"""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from contestants.clock import InFit
from contestants.plain_keras import networks


class Sampling(layers.Layer):
    """Draws a code from (mean, log-variance)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs: Any) -> Any:
        mean, log_var = inputs
        epsilon = keras.random.normal(shape=ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_var) * epsilon


class VAE(keras.Model):
    """The model of the example."""

    def __init__(self, encoder: keras.Model, decoder: keras.Model, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.sampling = Sampling()
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")
        self.reconstruction_loss_tracker = keras.metrics.Mean(name="reconstruction_loss")
        self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self.total_loss_tracker, self.reconstruction_loss_tracker, self.kl_loss_tracker]

    def train_step(self, data: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            mean, log_var = self.encoder(data)
            logits = self.decoder(self.sampling([mean, log_var]))
            crossentropy = keras.losses.binary_crossentropy(data, logits, from_logits=True)
            crossentropy *= data.shape[-1]  # it is the average over the channels
            reconstruction_loss = ops.mean(ops.sum(crossentropy, axis=(1, 2)))
            kl_loss = -0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var))
            kl_loss = ops.mean(ops.sum(kl_loss, axis=1))
            total_loss = reconstruction_loss + kl_loss
        gradients = tape.gradient(total_loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        self.total_loss_tracker.update_state(total_loss)
        self.reconstruction_loss_tracker.update_state(reconstruction_loss)
        self.kl_loss_tracker.update_state(kl_loss)
        return {
            "loss": self.total_loss_tracker.result(),
            "reconstruction_loss": self.reconstruction_loss_tracker.result(),
            "kl_loss": self.kl_loss_tracker.result(),
        }


def train(images: np.ndarray, case: Any, epochs: int, clock: Any) -> int:
    model = VAE(*networks(case, images.shape[1:]))
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    model.fit(images, epochs=epochs, batch_size=case.batch_size, verbose=0, callbacks=[InFit(clock)])
    return sum(math.prod(weight.shape) for weight in model.trainable_variables)
