"""A loop written by hand in JAX: one jitted call a step, which gathers the batch from the array by shuffled rows."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from contestants.plain_keras import networks


def train(images: np.ndarray, case: Any, epochs: int, clock: Any) -> int:
    encoder, decoder = networks(case, images.shape[1:])
    parts = [[variable.value for variable in part.trainable_variables] for part in (encoder, decoder)]
    data = jnp.asarray(images)
    random = np.random.default_rng(0)

    def loss(parts: Any, x: Any, key: Any) -> Any:
        (mean, log_var), _ = encoder.stateless_call(parts[0], [], x)
        logits, _ = decoder.stateless_call(
            parts[1], [], mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape)
        )
        crossentropy = jnp.maximum(logits, 0) - x * logits + jnp.log1p(jnp.exp(-jnp.abs(logits)))
        kl = -0.5 * (1 + log_var - jnp.square(mean) - jnp.exp(log_var))
        return jnp.mean(jnp.sum(crossentropy, axis=(1, 2, 3))) + jnp.mean(jnp.sum(kl, axis=1))

    @partial(jax.jit, donate_argnums=(0, 1))
    def step(parts: Any, moments: Any, count: Any, rows: Any) -> tuple:
        key = jax.random.fold_in(jax.random.key(0), count)
        value, gradients = jax.value_and_grad(loss)(parts, data[rows], key)
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], gradients)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, moments[1], gradients)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        parts = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), parts, first, second)
        return parts, (first, second), value

    parts = jax.tree.map(jnp.array, parts)
    moments, count = (jax.tree.map(jnp.zeros_like, parts), jax.tree.map(jnp.zeros_like, parts)), 0
    for _ in range(epochs):
        clock.epoch_begins()
        order = jnp.asarray(random.permutation(len(images)))
        losses = []
        for start in range(0, len(images), case.batch_size):
            count += 1
            parts, moments, value = step(parts, moments, jnp.float32(count), order[start : start + case.batch_size])
            losses.append(value)
            clock.call_ends()
        clock.epoch_ends(float(sum(losses)) / len(losses))
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(parts))
