"""Noise that denoising autoencoders learn to remove."""

from typing import Any

import keras
from keras import ops

from keras_ae import backend
from keras_ae.checks import NotNegative, Seed, Share, checked


class _Corruption(keras.layers.Layer):
    """Noise in training; in inference it does nothing."""

    @checked
    def __init__(self, seed: Seed | None = None, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        return self.corrupted(x) if training else x

    def corrupted(self, x: Any) -> Any:
        """x with noise."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable("keras_ae")
class NormalNoise(_Corruption):
    """Adds normal noise in training: x + s epsilon (Vincent et al., 2010, JMLR 11, sec. 3.3).

    `keras.layers.GaussianNoise` does the same for s up to 1, with the same noise on every replica.

    Args:
        deviation: s, the standard deviation, at least 0.
        seed: integer for noise that repeats in a fresh layer.

    Example:
        >>> tuple(NormalNoise(2.0, seed=0)(ops.zeros((4, 3)), training=True).shape)
        (4, 3)
    """

    @checked
    def __init__(self, deviation: NotNegative, seed: Seed | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.deviation = deviation

    def corrupted(self, x: Any) -> Any:
        return x + self.deviation * backend.normal_noise(ops.shape(x), self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "deviation": self.deviation}


class _Replacement(_Corruption):
    """Replaces a share of the values."""

    @checked
    def __init__(self, rate: Share, seed: Seed | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = rate

    def corrupted(self, x: Any) -> Any:
        chosen = backend.uniform_noise(ops.shape(x), self.seed_generator) < self.rate
        return ops.where(chosen, self.replacement(x), x)

    def replacement(self, x: Any) -> Any:
        """What the chosen values become."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable("keras_ae")
class MaskingNoise(_Replacement):
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
class SaltAndPepperNoise(_Replacement):
    """Sets a random share of the values to `low` or to `high`, by a fair coin, in training (Vincent et al., 2010).

    Args:
        rate: share of the values, in [0, 1].
        low, high: the least and the greatest value of the data.
        seed: integer for noise that repeats in a fresh layer.

    Example:
        >>> sorted(set(SaltAndPepperNoise(1.0, seed=0)(ops.full((9,), 0.5), training=True).numpy().tolist()))
        [0.0, 1.0]
    """

    @checked
    def __init__(self, rate: Share, low: float = 0.0, high: float = 1.0, **kwargs: Any) -> None:
        super().__init__(rate, **kwargs)
        self.low, self.high = low, high

    def replacement(self, x: Any) -> Any:
        salt = backend.uniform_noise(ops.shape(x), self.seed_generator) < 0.5
        return ops.where(salt, ops.cast(self.high, x.dtype), ops.cast(self.low, x.dtype))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "low": self.low, "high": self.high}
