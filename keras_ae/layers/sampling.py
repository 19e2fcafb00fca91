"""The sampling layer of variational autoencoders."""

from typing import Any

import keras
from keras import ops

from keras_ae import backend
from keras_ae.checks import Seed, checked
from keras_ae.distributions.normal import DiagonalNormal


@keras.saving.register_keras_serializable("keras_ae")
class Sampling(keras.layers.Layer):
    """Draws z = mean + exp(0.5 log_var) * epsilon with epsilon ~ N(0, I), drawn anew at each call.

    The reparameterisation trick of Kingma and Welling (2014, arXiv:1312.6114, sec. 2.4): gradients pass through mean
    and log_var, dz/dmean = 1 and dz/dlog_var = 0.5 exp(0.5 log_var) epsilon. Always in float32.

    Args:
        seed: integer for a sequence of noise that repeats in a fresh layer; None for a random one.

    Call arguments:
        inputs: `[mean, log_var]`, both (batch, ...), or a distribution with `mean` and `rsample(noise)`.
        samples: None for one z an example, or the number of them.

    Returns:
        z, of the shape of the mean; several samples lie on an axis in front of it.

    Example:
        >>> features = keras.Input((8,))
        >>> mean, log_var = keras.layers.Dense(2)(features), keras.layers.Dense(2)(features)
        >>> z = Sampling(seed=0)([mean, log_var])
        >>> keras.Model(features, z).output_shape
        (None, 2)
    """

    @checked
    def __init__(self, seed: Seed | None = None, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, inputs: Any, samples: int | None = None) -> Any:
        q = inputs if hasattr(inputs, "rsample") else DiagonalNormal(*inputs)
        shape = ops.shape(q.mean) if samples is None else (samples, *ops.shape(q.mean))
        return q.rsample(backend.normal_noise(shape, self.seed_generator))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
