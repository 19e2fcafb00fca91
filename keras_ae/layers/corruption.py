"""Noise that denoising autoencoders learn to remove; additive Gaussian noise is `keras.layers.GaussianNoise`."""

from typing import Any

import keras
from keras import ops

from keras_ae import backend, errors


class _Corruption(keras.layers.Layer):
    """Replaces a share of the values in training; in inference it does nothing."""

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise errors.InputError(f"rate must be a share of the values, in [0, 1]. Received: rate={rate!r}.")
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        if not training:
            return x
        chosen = backend.uniform_noise(ops.shape(x), self.seed_generator) < self.rate
        return ops.where(chosen, self.replacement(x), x)

    def replacement(self, x: Any) -> Any:
        """What the chosen values become."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable("keras_ae")
class MaskingNoise(_Corruption):
    """Sets a random share of the values to zero, in training (Vincent et al., 2010, JMLR 11, sec. 3.3).

    Unlike dropout it does not scale up what remains: the values are missing.

    Args:
        rate: share of the values, in [0, 1].
        seed: integer for noise that repeats in a fresh layer.

    Example:
        >>> float(ops.sum(MaskingNoise(1.0)(ops.ones((2, 3)), training=True)))
        0.0
    """

    def replacement(self, x: Any) -> Any:
        return ops.zeros_like(x)


@keras.saving.register_keras_serializable("keras_ae")
class SaltAndPepperNoise(_Corruption):
    """Sets a random share of the values to `low` or to `high`, by a fair coin, in training (Vincent et al., 2010).

    Args:
        rate: share of the values, in [0, 1].
        low, high: the least and the greatest value of the data.
        seed: integer for noise that repeats in a fresh layer.

    Example:
        >>> sorted(set(SaltAndPepperNoise(1.0, seed=0)(ops.full((9,), 0.5), training=True).numpy().tolist()))
        [0.0, 1.0]
    """

    def __init__(self, rate: float, low: float = 0.0, high: float = 1.0, **kwargs: Any) -> None:
        super().__init__(rate, **kwargs)
        self.low, self.high = low, high

    def replacement(self, x: Any) -> Any:
        salt = backend.uniform_noise(ops.shape(x), self.seed_generator) < 0.5
        return ops.where(salt, ops.cast(self.high, x.dtype), ops.cast(self.low, x.dtype))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "low": self.low, "high": self.high}
