"""Distributions of codes before any data is seen."""

from typing import Any

import keras
from keras import ops

from keras_ae import backend
from keras_ae.distributions.normal import LOG_2PI, sum_event


class StandardNormal:
    """N(0, I) over codes of shape `event_shape`.

    Example:
        >>> float(StandardNormal((2,)).log_prob(ops.zeros((1, 2)))[0]) < 0
        True
    """

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        self.event_shape = tuple(event_shape)

    def log_prob(self, z: Any) -> Any:
        """log p(z) in nats, summed over the event axes."""
        return sum_event(-0.5 * (LOG_2PI + ops.square(z)), len(self.event_shape))

    def sample(self, n: Any, seed: keras.random.SeedGenerator) -> Any:
        """`n` independent codes, shape (n, *event_shape)."""
        return backend.normal_noise((n, *self.event_shape), seed)
