"""The linear layer between a network's features and the parameters of a distribution."""

import math
from typing import Any

import keras
from keras import ops

from keras_ae.checks import Activation, Seed, Shape, checked


@keras.saving.register_keras_serializable("keras_ae")
class Head(keras.layers.Layer):
    """A linear map of features to a tensor of `shape`, in float32.

    Features that already have the leading axes of `shape` (an image of the right height and width) are mapped on their
    last axis; others are flattened first.

    Args:
        shape: shape of the output of one example.
        activation: name or function applied to the output.
        seed: integer seed of the kernel's Glorot-uniform initialiser.

    Example:
        >>> Head((8, 8, 1))(ops.zeros((2, 32))).shape == (2, 8, 8, 1)
        True
    """

    @checked
    def __init__(self, shape: Shape, activation: Activation = None, seed: Seed | None = None, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.shape = tuple(shape)
        self.activation = keras.activations.get(activation)
        self.seed = seed

    def build(self, features_shape: Any) -> None:
        event = tuple(features_shape[1:])
        self.last_axis_only = event[:-1] == self.shape[:-1]
        units = self.shape[-1] if self.last_axis_only else math.prod(self.shape)
        inputs = event[-1] if self.last_axis_only else math.prod(event)
        self.kernel = self.add_weight(
            shape=(inputs, units), initializer=keras.initializers.GlorotUniform(self.seed), name="kernel"
        )
        self.bias = self.add_weight(shape=(units,), initializer="zeros", name="bias")

    def call(self, features: Any) -> Any:
        rows = ops.reshape(features, (-1, self.kernel.shape[0]))  # one matrix product: faster than one an image
        return self.activation(ops.reshape(ops.matmul(rows, self.kernel) + self.bias, (-1, *self.shape)))

    def compute_output_shape(self, features_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (features_shape[0], *self.shape)

    def get_config(self) -> dict[str, Any]:
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "shape": self.shape, "activation": activation, "seed": self.seed}
