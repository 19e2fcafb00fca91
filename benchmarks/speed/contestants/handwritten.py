"""A loop written by hand: one `tf.function` call a step, which gathers the batch from the array by shuffled rows.

The optimiser is `keras.optimizers.Adam`, whose update is not fused.
"""

import math

import keras
import numpy as np
import tensorflow as tf
from plain_keras import networks


def train(images: np.ndarray, model_name: str, batch_size: int, epochs: int, clock: keras.callbacks.Callback) -> int:
    """Trains the model; returns its number of trainable parameters."""
    encoder, decoder = networks(model_name)
    variables = encoder.trainable_variables + decoder.trainable_variables
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(variables)
    data = tf.constant(images)
    random = np.random.default_rng(0)

    @tf.function(reduce_retracing=True)
    def step(rows: tf.Tensor) -> tf.Tensor:
        x = tf.gather(data, rows)
        with tf.GradientTape() as tape:
            mean, log_var = encoder(x)
            logits = decoder(mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean)))
            crossentropy = tf.nn.sigmoid_cross_entropy_with_logits(x, logits)
            reconstruction = tf.reduce_mean(tf.reduce_sum(crossentropy, axis=(1, 2, 3)))
            kl = -0.5 * tf.reduce_sum(1 + log_var - tf.square(mean) - tf.exp(log_var), axis=1)
            loss = reconstruction + tf.reduce_mean(kl)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    for epoch in range(epochs):
        clock.on_epoch_begin(epoch)
        order = tf.constant(random.permutation(len(images)))
        total = 0.0
        for batch, start in enumerate(range(0, len(images), batch_size)):
            total += step(order[start : start + batch_size])
            clock.on_train_batch_end(batch)
        clock.on_epoch_end(epoch, {"loss": float(total) / (batch + 1)})
    return sum(math.prod(variable.shape) for variable in variables)
