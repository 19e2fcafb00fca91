"""A few labels of many."""

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_ae import errors
from keras_ae.checks import Count, Examples, Labels, Seed, checked

if TYPE_CHECKING:
    import tensorflow as tf

UNKNOWN = -1


@checked
def balanced(y: Labels, count: Count, seed: Any) -> np.ndarray:
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
    rng = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(errors.seed(seed))
    y = np.asarray(y)
    names, sizes = np.unique(y, return_counts=True)
    wanted = count // len(names) + (np.arange(len(names)) < count % len(names))
    if (sizes < wanted).any():
        scarce = np.argmax(sizes < wanted)
        raise errors.InputError(
            f"{count} examples (count) are {wanted[scarce]} of each class, but class {names[scarce]} has "
            f"{sizes[scarce]}. Ask for fewer, or for all: None."
        )
    chosen = [rng.permutation(np.flatnonzero(y == name))[:size] for name, size in zip(names, wanted, strict=True)]
    return np.concatenate(chosen)


@checked
def keep_labels(y: Labels, count: Count, seed: Any) -> np.ndarray:
    """y with `count` labels, drawn by `balanced`, and -1, unknown, in place of all others.

    Raises:
        InputError: there are fewer labels than classes, or a class has too few examples.

    Example:
        >>> keep_labels(np.array([0, 0, 0, 1, 1, 1]), 2, seed=0)
        array([-1, -1,  0, -1, -1,  1])
    """
    rows, classes = balanced(y, count, seed), len(np.unique(y))
    if count < classes:
        raise errors.InputError(
            f"{count} labels (count) leave a class without one: there are {classes} classes. Ask for more."
        )
    kept = np.full(len(y), UNKNOWN, dtype="int64")
    kept[rows] = np.asarray(y)[rows]
    return kept


@checked
def semi_supervised_batches(
    x: Examples, y: Labels, unlabelled: Count = 200, labelled: Count = 50, seed: Seed | None = None
) -> "tf.data.Dataset":
    """Batches of (x, y, weight) in which labels are not rare: some examples without one, and some with one.

    Of few labels, a batch drawn from all examples would hold one or none. An epoch shows each example without a label
    once, and those with a label as often as it takes; their weight makes up for it, so that the mean loss has the
    terms of the examples of x in their own proportions.

    Args:
        x: (n, *event).
        y: (n,) classes, -1 where there is no label.
        unlabelled: examples without a label in a batch.
        labelled: examples with a label in a batch.
        seed: integer, of the order.

    Raises:
        InputError: x and y differ in length, there are no labels, or fewer examples without a label than a batch has.

    Example:
        >>> x, y = np.zeros((1000, 3), "float32"), np.array([0, 1] + 998 * [-1])
        >>> batches = semi_supervised_batches(x, y, unlabelled=100, labelled=25, seed=0)
        >>> [tuple(part.shape) for part in next(iter(batches))], len(batches)
        ([(125, 3), (125,), (125,)], 9)
    """
    import tensorflow as tf

    x, y, seed = np.asarray(x), np.asarray(y), seed
    if y.shape != x.shape[:1]:
        raise errors.InputError(f"y must hold one class for each of the {len(x)} examples. Received: shape {y.shape}.")
    counts = unlabelled, labelled
    parts = [np.flatnonzero(y == UNKNOWN), np.flatnonzero(y != UNKNOWN)]
    if len(parts[0]) < counts[0] or not len(parts[1]):
        raise errors.InputError(
            f"Batches of {counts[0]} examples without a label (-1) beside labelled ones need as many of the former and "
            f"at least one of the latter. Received: {len(parts[0])} and {len(parts[1])}. Lower `unlabelled`, or pass "
            "the arrays themselves to `fit`."
        )
    sizes = [len(part) for part in parts]
    weight = sizes[1] / sizes[0] * counts[0] / counts[1]
    weights = tf.constant(np.repeat([1.0, weight], counts).astype("float32"))
    without, known = (tf.data.Dataset.from_tensor_slices(rows).shuffle(len(rows), seed=seed) for rows in parts)
    pairs = tf.data.Dataset.zip(without.batch(counts[0], drop_remainder=True), known.repeat().batch(counts[1]))
    x, y = tf.constant(x), tf.constant(y)

    def batch(*rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        chosen = tf.concat(rows, 0)
        return tf.gather(x, chosen), tf.gather(y, chosen), weights

    return pairs.map(batch).prefetch(4)
