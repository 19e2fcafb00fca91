"""What every observation model p(x | z) has."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ae.distributions.normal import sum_event


class Likelihood(keras.layers.Layer):
    """Base of the observation models.

    A Keras layer, so that what it learns (a variance, say) is trained and saved with the model that holds it.
    `event_log_prob(x, params)` is all that a new one has to give, beside `mean` and `sample`.
    """

    discrete = False  # whether log_prob is a probability, so that bits per dimension make sense
    parameters = 1  # parameters per value of x

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.built = True

    def param_shape(self, event_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the parameters of one example."""
        return (*event_shape[:-1], event_shape[-1] * self.parameters)

    def encoder_input(self, x: Any) -> Any:
        """x as the encoder sees it."""
        return x

    def log_prob(self, x: Any, params: Any, mask: Any = None) -> Any:
        """log p(x | params) in nats per example.

        Args:
            x: (batch, *event).
            params: (..., batch, *param_shape).
            mask: (batch, *event), true where x was observed; the others do not count.
        """
        x = ops.cast(x, "float32")
        values = self.event_log_prob(x, ops.cast(params, "float32"))
        if mask is not None:
            values = ops.where(mask, values, 0.0)
        return sum_event(values, ops.ndim(x) - 1)

    def event_log_prob(self, x: Any, params: Any) -> Any:
        """log p of every value of x, in nats."""
        raise NotImplementedError

    def mean(self, params: Any) -> Any:
        """E[x | params]."""
        raise NotImplementedError

    def sample(self, params: Any, seed: keras.random.SeedGenerator) -> Any:
        """One draw of x for every set of parameters."""
        raise NotImplementedError

    def probabilities(self, params: Any) -> Any:
        """Of discrete data: the probability of every level of every value, (..., *event, levels)."""
        raise NotImplementedError

    def check(self, x: np.ndarray, name: str) -> None:
        """Raises InputError where x lies outside of what this likelihood can explain. NaN stands for missing."""

    def _split(self, params: Any) -> Any:
        """Parameters as (..., values, parameters)."""
        shape = ops.shape(params)
        return ops.reshape(params, (*shape[:-1], shape[-1] // self.parameters, self.parameters))
