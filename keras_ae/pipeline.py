"""Arrays as a stream of batches, the same on every backend, fast, and a function of (seed, epoch).

Stock Keras slices arrays example by example and builds its pipeline anew twice an epoch, which stalls training. Here
whole batches are gathered by rows of a shuffled index.
"""

import copy
import mmap
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_ae import backend, errors
from keras_ae.checks import Count, Natural, Seed, Size, checked, numbers

__all__ = ["Batches"]

AT_ONCE = 2**23  # values of a memory map that are checked at once
ROWS = 256  # of a memory map that are read until all that was is let go: the system maps what is beside them, too


def as_it_is(x: Any) -> np.ndarray:
    """x as an array; a memory map stays one, so that its rows are read from the file when they are needed."""
    return x if isinstance(x, np.memmap) else np.asarray(x)


def on_disk(array: np.ndarray) -> bool:
    """Whether an array is a memory map, or a part of one."""
    return isinstance(array, np.memmap) and getattr(array, "_mmap", None) is not None


def parts(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """An array in parts that fit into the memory, with the index of their first rows; one part unless it is on disk."""
    if not on_disk(array):
        yield 0, array
        return
    rows = max(AT_ONCE // max(array[:1].size, 1), 1)
    for start in range(0, len(array), rows):
        yield start, np.asarray(array[start : start + rows])
        let_go(array)


def let_go(array: Any) -> None:
    """Takes what was read of a memory map out of the memory, where all of it would come together in time."""
    if hasattr(mmap, "MADV_DONTNEED") and array.mode != "c":  # changes of a copy are in the memory alone
        array._mmap.madvise(mmap.MADV_DONTNEED)


class Rows:
    """Rows of a memory map: `Rows(array)[indices]`, an array."""

    def __init__(self, array: Any) -> None:
        self.array, self.dtype, self.read = array, array.dtype.newbyteorder("="), 0

    def __getitem__(self, rows: Any) -> np.ndarray:
        found = np.asarray(self.array[rows], self.dtype)
        self.read += len(found)
        if self.read >= ROWS:
            let_go(self.array)
            self.read = 0
        return found


class Batches:
    """Batches of arrays, for `fit` and `evaluate`.

    The order of epoch e is a function of (seed, e) alone, so that a resumed run sees what the uninterrupted one sees.

    Args:
        arrays: tuple (x,), (x, y) or (x, y, sample_weight); each a NumPy array or a dict of arrays of equal length.
        batch_size: examples per batch; the last batch of an epoch may be smaller.
        shuffle: whether each epoch has an order of its own.
        seed: integer seed of the orders.
        transform: function (x, seed) -> x applied to each batch of x, with a new seed for every batch and epoch.
        repeats: how often an epoch shows each example.

    Memory maps stay on disk: the rows of each batch are read when it is their turn.

    Example:
        >>> batches = Batches((np.arange(5.0),), batch_size=2, shuffle=True, seed=0)
        >>> len(batches), sorted(batches.order(epoch=3).tolist())
        (3, [0, 1, 2, 3, 4])
    """

    @checked
    def __init__(
        self,
        arrays: tuple,
        batch_size: Count = 32,
        shuffle: bool = False,
        seed: Seed = 0,
        transform: Callable | None = None,
        repeats: Count = 1,
    ) -> None:
        self.arrays = tuple(_numbers(f"arrays[{i}]", array) for i, array in enumerate(arrays))
        lengths = {array.shape[:1] for array in tree.flatten(self.arrays)}
        if len(lengths) != 1 or lengths & {(), (0,)}:
            raise errors.wrong("arrays", "arrays of as many examples, at least one", arrays)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.transform = transform
        self.repeats = repeats
        self.epoch = 0
        self.steps = -(-self.size * repeats // batch_size)
        self._listeners: list[Callable[[int], None]] = []

    @property
    def size(self) -> int:
        """Number of examples."""
        return len(tree.flatten(self.arrays)[0])

    def __len__(self) -> int:
        return self.steps

    def limited(self, steps: int | None) -> "Batches":
        """The same with only the first `steps` batches of each epoch's order; None for all."""
        if steps is None:
            return self
        if errors.whole_number("steps", steps) > len(self):
            raise errors.InputError(f"steps must be at most the number of batches, {len(self)}. Received: {steps}.")
        part = copy.copy(self)
        part.steps, part._listeners = steps, []
        return part

    @checked
    def order(self, epoch: Natural) -> np.ndarray:
        """The order of the examples in an epoch."""
        shown = self.size * self.repeats
        if not self.shuffle:
            return np.arange(shown) % self.size
        return np.random.default_rng((self.seed, epoch)).permutation(shown) % self.size

    @checked
    def set_epoch(self, epoch: Natural) -> None:
        """Makes the batches those of `epoch`."""
        if epoch != self.epoch:
            self.epoch = epoch
            for listener in self._listeners:
                listener(epoch)

    @checked
    def key(self, epoch: Size, step: Any) -> Any:
        """The seed of one batch's transform."""
        return (self.seed % 2**11) * 2**20 + epoch * len(self) + step

    def for_keras(self) -> Any:
        """What Keras iterates over: a `tf.data.Dataset` on TensorFlow, a `PyDataset` elsewhere."""
        return _tensorflow_dataset(self) if keras.backend.backend() == "tensorflow" else _Gathered(self)


def _numbers(name: str, value: Any) -> Any:
    """An array of numbers, or a dict of them."""
    if isinstance(value, dict):
        return {key: numbers(f"{name}[{key!r}]", array) for key, array in value.items()}
    return numbers(name, value)


def _as_float(x: Any, cast: Callable) -> Any:
    """Pixels kept as small integers become floats only in the batch."""
    return cast(x, keras.config.floatx())


class _Gathered(keras.utils.PyDataset):
    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches
        self.rows = batches.order(batches.epoch)
        self.x, *self.others = tree.map_structure(lambda a: Rows(a) if on_disk(a) else a, batches.arrays)
        self.gather = self._gather
        if not isinstance(self.x, Rows) and backend.fits_on_accelerator(self.x):  # copied once, not batch by batch
            import jax

            self.x, self.gather = jax.device_put(self.x), jax.jit(self._gather)
        batches._listeners.append(self._reorder)

    def _reorder(self, epoch: int) -> None:
        self.rows = self.batches.order(epoch)

    def _gather(self, x: Any, rows: Any, key: Any) -> Any:
        x = x[rows]
        x = _as_float(x, partial(np.ndarray.astype, copy=False) if isinstance(x, np.ndarray) else ops.cast)
        return self.batches.transform(x, backend.KeyedSeed(key)) if self.batches.transform else x

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, step: int) -> tuple:
        size = self.batches.batch_size
        rows = self.rows[step * size : (step + 1) * size]
        x = self.gather(self.x, rows, np.uint32(self.batches.key(self.batches.epoch, step)))
        return (x, *tree.map_structure(lambda array: array[rows], self.others))


def _tensorflow_dataset(batches: Batches) -> Any:
    import tensorflow as tf

    with tf.device("CPU:0"):
        arrays = tree.map_structure(lambda a: Rows(a) if on_disk(a) else tf.convert_to_tensor(a), batches.arrays)
        rows = tf.Variable(batches.order(batches.epoch), trainable=False)
        current = tf.Variable(batches.epoch, dtype="int64", trainable=False)

    def reorder(epoch: int) -> None:
        rows.assign(batches.order(epoch))
        current.assign(epoch)

    def rows_of(array: Any, index: Any) -> Any:
        if not isinstance(array, Rows):
            return tf.gather(array, index)
        found = tf.numpy_function(array.__getitem__, [index], array.dtype)
        found.set_shape((None, *array.array.shape[1:]))
        return found

    def gather(step: Any) -> tuple:
        index = rows[step * batches.batch_size : (step + 1) * batches.batch_size]
        x, *others = tree.map_structure(lambda array: rows_of(array, index), arrays)
        x = _as_float(x, tf.cast)
        if batches.transform:
            x = batches.transform(x, backend.KeyedSeed(batches.key(current, step)))
        return (x, *others)

    batches._listeners.append(reorder)
    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.range(len(batches)).map(gather).prefetch(2).with_options(options)
