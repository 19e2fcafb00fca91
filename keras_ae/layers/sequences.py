"""What networks of sequences need beside Keras' own layers."""

from typing import Any

import keras
from keras import ops

from keras_ae.checks import Seed, checked


@keras.saving.register_keras_serializable("keras_ae")
class Observed(keras.layers.Layer):
    """Hides what was not observed: NaN becomes 0, and a step without any value is masked for the layers after it.

    Example:
        >>> x = ops.array([[[1.0, 2.0], [float("nan"), 3.0], [float("nan"), float("nan")]]])
        >>> layer = Observed()
        >>> layer(x).numpy().tolist(), layer.compute_mask(x).numpy().tolist()
        ([[[1.0, 2.0], [0.0, 3.0], [0.0, 0.0]]], [[True, True, False]])
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Any) -> Any:
        return ops.where(ops.isnan(x), ops.zeros_like(x), x)

    def compute_mask(self, x: Any, previous: Any = None) -> Any:
        return ops.any(ops.logical_not(ops.isnan(x)), axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@keras.saving.register_keras_serializable("keras_ae")
class Positions(keras.layers.Layer):
    """Adds a learned vector for each position of a sequence, (batch, steps, units), so that attention can tell them
    apart (Vaswani et al., 2017, arXiv:1706.03762, sec. 3.5).

    Args:
        seed: integer seed of the initial vectors.

    Example:
        >>> Positions()(ops.zeros((2, 5, 8))).shape == (2, 5, 8)
        True
    """

    @checked
    def __init__(self, seed: Seed | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.seed = seed

    def build(self, input_shape: Any) -> None:
        initializer = keras.initializers.RandomNormal(stddev=0.02, seed=self.seed)
        self.vectors = self.add_weight(shape=input_shape[1:], initializer=initializer, name="vectors")

    def call(self, x: Any) -> Any:
        return x + self.vectors

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
