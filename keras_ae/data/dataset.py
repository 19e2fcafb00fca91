"""What `load` returns: arrays, and what their values mean."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from keras_ae.checks import Seed, checked
from keras_ae.data.tokenizer import Tokenizer

Pixels = Literal["grey", "threshold", "fixed", "dynamic", "levels", "binary", "values", "tokens"]


class Raw(NamedTuple):
    """A data set as its source stores it.

    Args:
        x: examples (n, *shape), integers or floats.
        y: labels (n,), or None.
        label_names: name of each class; empty when the source has none.
        top: the integer that means white, for images of integers; None for all other data.
        tokenizer: of text, whose token numbers x holds; None for all other data.
    """

    x: np.ndarray
    y: np.ndarray | None = None
    label_names: tuple[str, ...] = ()
    top: int | None = None
    tokenizer: Tokenizer | None = None


def bernoulli(x: Any, seed: Any) -> Any:
    """Draws each value of a batch as 1 with the probability given by its grey level, else 0.

    Args:
        x: tensor with values in [0, 1].
        seed: a `keras.random.SeedGenerator`.

    Returns:
        float32 tensor of the shape of x.
    """
    import keras

    return keras.ops.cast(keras.random.uniform(keras.ops.shape(x), dtype="float32", seed=seed) < x, "float32")


def draw(x: np.ndarray, seed: int | list[int]) -> np.ndarray:
    """The same as `bernoulli` for a whole array, with NumPy and an integer seed."""
    return (np.random.default_rng(seed).random(x.shape, dtype=np.float32) < x).astype(np.float32)


def limits(x: np.ndarray) -> tuple[float, float]:
    """Smallest and largest value, missing ones (NaN) left out."""
    return float(np.fmin.reduce(x, axis=None)), float(np.fmax.reduce(x, axis=None))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples in memory, and what their values mean.

    Args:
        x: float32 examples (n, *shape).
        y: labels (n,), or None.
        name: data set or path that was loaded.
        split: which part of it.
        pixels: "grey" levels in [0, 1]; binarised by "threshold", by one "fixed" random draw, or in a "dynamic" way (x
            is grey, see `transform`); integer "levels" 0, 1, ...; data that is "binary" already; or, what are not
            pixels, "values" and the "tokens" of text.
        levels: number of levels when pixels is "levels" or "tokens", else None.
        label_names: name of each class; empty when the source has none.
        tokenizer: of text, else None.

    Example:
        >>> from keras_ae.data import load
        >>> digits = load("digits", "test")
        >>> len(digits), digits.shape, digits.range, digits.num_classes
        (360, (8, 8, 1), (0.0, 1.0), 10)
    """

    x: np.ndarray = field(repr=False)
    y: np.ndarray | None = field(repr=False)
    name: str
    split: str
    pixels: Pixels
    levels: int | None = None
    label_names: tuple[str, ...] = ()
    tokenizer: Tokenizer | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.x.shape[1:]

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest value possible; for "values", the smallest and largest that occur."""
        if self.pixels == "values":
            return limits(self.x)
        return 0.0, float(self.levels - 1) if self.levels else 1.0

    @property
    def num_classes(self) -> int | None:
        """Number of classes; None without labels, or with labels that are not whole numbers."""
        if self.label_names:
            return len(self.label_names)
        if self.y is None or self.y.dtype.kind != "i":
            return None
        return int(self.y.max()) + 1

    @property
    def is_discrete(self) -> bool:
        """Whether targets are {0, 1} or integers, so that a likelihood in bits per dimension has a meaning."""
        return self.pixels not in ("grey", "values")

    @property
    def transform(self) -> Callable[[Any, Any], Any] | None:
        """Function (x, seed) -> x that every batch goes through; None unless pixels are "dynamic"."""
        return bernoulli if self.pixels == "dynamic" else None

    @checked
    def sample(self, seed: Seed) -> np.ndarray:
        """The targets of evaluation: for "dynamic" pixels one random draw of the whole set, otherwise x itself.

        Args:
            seed: whole number of at least 0; the same seed gives the same draw.

        Returns:
            float32 array of the shape of x.
        """
        return draw(self.x, seed) if self.pixels == "dynamic" else self.x

    def describe(self) -> str:
        """One line for people.

        Example:
            >>> from keras_ae.data import load
            >>> print(load("digits", binarize="dynamic").describe())
            digits, train: 1,437 examples of shape (8, 8, 1), dynamic pixels in [0, 1], 10 classes
        """
        low, high = self.range
        kinds = {"values": "values", "tokens": "tokens", "levels": "integer levels"}
        what = kinds.get(self.pixels, f"{self.pixels} pixels")
        classes = "no labels" if self.y is None else f"{self.num_classes} classes" if self.num_classes else "labels"
        return (
            f"{self.name}, {self.split}: {len(self):,} examples of shape {self.shape}, "
            f"{what} in [{low:g}, {high:g}], {classes}"
        )
