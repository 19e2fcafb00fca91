"""A few labels of many."""

from typing import Any

import numpy as np

from keras_ae import errors

UNKNOWN = -1


def balanced(y: Any, count: int, seed: Any) -> np.ndarray:
    """Indices of `count` examples drawn at random, as many of each class (or one more of the first ones).

    Args:
        y: (n,) classes.
        count: how many.
        seed: integer, or a NumPy generator.

    Raises:
        InputError: a class has too few examples.

    Example:
        >>> y = np.array([0, 0, 0, 0, 1, 1, 1])
        >>> y[balanced(y, 5, seed=0)]
        array([0, 0, 0, 1, 1])
    """
    y, rng = np.asarray(y), np.random.default_rng(seed)
    names, sizes = np.unique(y, return_counts=True)
    wanted = errors.whole_number("labels", count) // len(names) + (np.arange(len(names)) < count % len(names))
    if (sizes < wanted).any():
        scarce = np.argmax(sizes < wanted)
        raise errors.InputError(
            f"labels={count} are {wanted[scarce]} of each class, but class {names[scarce]} has {sizes[scarce]} "
            "examples. Ask for fewer, or for all: None."
        )
    chosen = [rng.permutation(np.flatnonzero(y == name))[:size] for name, size in zip(names, wanted, strict=True)]
    return np.concatenate(chosen)


def keep_labels(y: Any, count: int, seed: Any) -> np.ndarray:
    """y with `count` labels, drawn by `balanced`, and -1, unknown, in place of all others.

    Raises:
        InputError: there are fewer labels than classes, or a class has too few examples.

    Example:
        >>> keep_labels(np.array([0, 0, 0, 1, 1, 1]), 2, seed=0)
        array([-1, -1,  0, -1, -1,  1])
    """
    rows, classes = balanced(y, count, seed), len(np.unique(y))
    if count < classes:
        raise errors.InputError(f"labels={count} leave a class without one: there are {classes}. Ask for more.")
    kept = np.full(len(y), UNKNOWN, dtype="int64")
    kept[rows] = np.asarray(y)[rows]
    return kept
