"""What the network functions share."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_ae import backend, errors

CHANNELS = {"data_format": "channels_last"}  # of every layer: Keras' own setting may be another


def initializers(seed: int | None, kind: Any = keras.initializers.GlorotUniform) -> Iterator[Any]:
    """An endless sequence of initialisers, one for each layer, that is a function of `seed`."""
    generator = np.random.default_rng(backend.seed_of(seed))
    while True:
        yield kind(seed=int(generator.integers(2**31)))


def shape_of(name: str, shape: Any, ranks: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` as a tuple of positive integers of one of the ranks."""
    values = tuple(shape) if isinstance(shape, list | tuple) or np.ndim(shape) else (shape,)
    if len(values) not in ranks or not values:
        expected = " or ".join(map(str, ranks))
        raise errors.InputError(
            f"{name} must have {expected} axes, without the batch's: (height, width, channels) for images. "
            f"Received: {name}={shape!r}."
        )
    return tuple(errors.whole_number(f"{name}[{i}]", value) for i, value in enumerate(values))


def sizes(size: Sequence[int], strides: Sequence[int]) -> list[tuple[int, ...]]:
    """Height and width before and after each strided convolution with "same" padding.

    >>> sizes((45, 37), (2, 2))
    [(45, 37), (23, 19), (12, 10)]
    """
    found = [tuple(size)]
    for stride in strides:
        found.append(tuple(-(-length // stride) for length in found[-1]))
    return found


def filters(counts: Sequence[int]) -> list[int]:
    """The channels of each resolution, one at least."""
    found = [errors.whole_number(f"filters[{i}]", count) for i, count in enumerate(counts)]
    if not found:
        raise errors.InputError(f"filters must name the channels of one resolution or more. Received: {counts!r}.")
    return found


def crop(images: Any, size: Sequence[int]) -> Any:
    """Cuts off the rows and columns that a strided transposed convolution made too many."""
    extra = [have - want for have, want in zip(images.shape[1:3], size, strict=True)]
    if not any(extra):
        return images
    return keras.layers.Cropping2D([(more // 2, more - more // 2) for more in extra], **CHANNELS)(images)


def conditions(condition_dim: int | None) -> list:
    """The second input of a conditional network, if there is one."""
    return (
        [keras.Input((errors.whole_number("condition_dim", condition_dim),), name="condition")]
        if condition_dim is not None
        else []
    )


def with_plane(x: Any, condition: list, initializers: Iterator[Any]) -> Any:
    """An image with one more channel, a linear function of the condition, if there is one."""
    if not condition:
        return x
    height, width = x.shape[1:3]
    plane = keras.layers.Dense(height * width, kernel_initializer=next(initializers))(condition[0])
    return keras.layers.Concatenate()([x, keras.layers.Reshape((height, width, 1))(plane)])


def with_vector(values: Any, condition: list) -> Any:
    """A vector followed by the condition, if there is one."""
    return keras.layers.Concatenate()([values, *condition]) if condition else values


def flat(values: Any) -> Any:
    """Each example as a vector, the channels of a pixel side by side."""
    return keras.layers.Flatten(**CHANNELS)(values)


def pair(x: list, features: Any, z: list, values: Any) -> tuple[keras.Model, keras.Model]:
    """Encoder and decoder as Keras models; a list of one input is that input."""
    encoder, decoder = ((inputs if len(inputs) > 1 else inputs[0]) for inputs in (x, z))
    return keras.Model(encoder, features, name="encoder"), keras.Model(decoder, values, name="decoder")
