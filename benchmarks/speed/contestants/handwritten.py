"""A loop written by hand: one `tf.function` call a step, which gathers the batch from the array by shuffled rows.

The optimiser is `keras.optimizers.Adam`, whose update is not fused.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from contestants.plain_keras import networks


def train(images: np.ndarray, case: Any, epochs: int, clock: Any) -> int:
    encoder, decoder = networks(case, images.shape[1:])
    variables = [*encoder.trainable_variables, *decoder.trainable_variables]
    if case.model == "contractive_ae":
        unused = {id(variable) for variable in encoder.layers[-1].trainable_variables}  # of the log-variance
        variables = [variable for variable in variables if id(variable) not in unused]
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(variables)
    data = tf.constant(images)
    random = np.random.default_rng(0)
    objective = {"vae": _vae, "contractive_ae": _contractive}[case.model]

    @tf.function(reduce_retracing=True)
    def step(rows: tf.Tensor) -> tf.Tensor:
        x = tf.gather(data, rows)
        with tf.GradientTape() as tape:
            loss = objective(encoder, decoder, x)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    for _ in range(epochs):
        clock.epoch_begins()
        order = tf.constant(random.permutation(len(images)))
        losses = []
        for start in range(0, len(images), case.batch_size):
            losses.append(step(order[start : start + case.batch_size]))
            clock.call_ends()
        clock.epoch_ends(float(tf.add_n(losses)) / len(losses))
    return sum(math.prod(variable.shape) for variable in variables)


def _crossentropy(x: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(x, logits), axis=(1, 2, 3)))


def _vae(encoder: keras.Model, decoder: keras.Model, x: tf.Tensor) -> tf.Tensor:
    mean, log_var = encoder(x)
    logits = decoder(mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean)))
    kl = -0.5 * tf.reduce_sum(1 + log_var - tf.square(mean) - tf.exp(log_var), axis=1)
    return _crossentropy(x, logits) + tf.reduce_mean(kl)


def _contractive(encoder: keras.Model, decoder: keras.Model, x: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as inner:
        inner.watch(x)
        code = encoder(x)[0]
    jacobian = inner.batch_jacobian(code, x)
    penalty = tf.reduce_mean(tf.reduce_sum(tf.square(jacobian), axis=(1, 2, 3, 4)))
    return _crossentropy(x, decoder(code)) + 0.1 * penalty


def uses(images: np.ndarray, case: Any) -> dict[str, Callable]:
    """Requests to a bare `tf.function` of the encoder."""
    encoder, _ = networks(case, images.shape[1:])
    encode = tf.function(lambda x: encoder(x)[0], input_signature=[tf.TensorSpec((None, *images.shape[1:]))])
    requests = tf.split(tf.constant(images), len(images) // case.batch_size)
    return {"serve": lambda: [encode(request).numpy() for request in requests]}
