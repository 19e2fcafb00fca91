"""Data sets and generators: every batch is checked before a model sees it."""

import contextlib
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import tree

from keras_ae import errors
from keras_ae.models import inputs


class Door:
    """Where the batches of a data set are checked, on their way to Keras.

    Args:
        check: function (x, y, sample_weight, name) of one batch, which raises InputError.
        name: of the data, for errors.

    Attributes:
        error: the first error of a batch, which TensorFlow would hide in one of its own.
    """

    def __init__(self, check: Callable, name: str) -> None:
        self._check, self.name = check, name
        self.error: errors.InputError | None = None

    def check(self, batch: Any, which: str) -> None:
        """Raises InputError where a batch does not fit the model."""
        try:
            self._check(*keras.utils.unpack_x_y_sample_weight(batch), f"{self.name} ({which})")
        except errors.InputError as error:
            self.error = self.error or error
            raise

    def through(self, data: Any) -> Any:
        """The same data, checked batch by batch while they are read, and the first one at once. A generator is not
        read before it is needed, and what is none of the kinds that `inputs.is_data_set` knows is left as it is."""
        if isinstance(data, types.GeneratorType):
            return self._generator(data)
        if isinstance(data, keras.utils.PyDataset):
            self.check(data[0], "its first batch")
            return _Sequence(data, self)
        if not inputs.is_data_set(data):
            return data
        check_spec(data.element_spec, self.name)
        first = next(iter(data.take(1)), None) if hasattr(data, "take") else ()
        if first is None:
            raise errors.InputError(f"{self.name} is an empty data set.")
        if first == ():  # distributed by a strategy
            return data
        self.check(tree.map_structure(np.asarray, first), "its first batch")
        return self._tensorflow(data)

    def _generator(self, data: Iterator) -> Iterator[tuple]:
        for i, batch in enumerate(data):
            batch = batch if isinstance(batch, tuple) else (batch,)
            self.check(batch, f"batch {i}")
            yield batch

    def _tensorflow(self, data: Any) -> Any:
        import tensorflow as tf

        def check(i: Any, *values: Any) -> np.bool_:
            self.check(tree.pack_sequence_as(data.element_spec, values), f"batch {int(i)}")
            return np.True_

        def checked(i: Any, batch: Any) -> Any:
            done = tf.numpy_function(check, [i, *tree.flatten(batch)], tf.bool)
            with tf.control_dependencies([done]):
                return tree.map_structure(tf.identity, batch)

        return data.enumerate().map(checked)


class _Sequence(keras.utils.PyDataset):
    """A `PyDataset` whose batches go through a door."""

    def __init__(self, data: keras.utils.PyDataset, door: Door) -> None:
        super().__init__(data.workers, data.use_multiprocessing, data.max_queue_size)
        self._data, self._door = data, door

    @property
    def num_batches(self) -> int | None:
        return self._data.num_batches

    def __getitem__(self, index: int) -> Any:
        batch = self._data[index]
        self._door.check(batch, f"batch {index}")
        return batch

    def on_epoch_begin(self) -> None:
        self._data.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._data.on_epoch_end()


@contextlib.contextmanager
def opened(doors: Sequence[Door]) -> Iterator[None]:
    """Within, an error of a batch is raised as what it is."""
    try:
        yield
    except Exception:
        for door in doors:
            if door.error:
                raise door.error from None
        raise


def check_spec(spec: Any, name: str) -> None:
    """Raises InputError where the elements of a `tf.data.Dataset` cannot be batches."""
    x = keras.utils.unpack_x_y_sample_weight(spec)[0]
    if isinstance(x, dict) and "x" not in x:
        raise errors.InputError(
            inputs.dictionary(name, x) + f" For instance {name}.map(lambda d: d[{next(iter(x))!r}])."
        )
    for kind, advice in (
        ("SparseTensorSpec", "Make them dense: data.map(tf.sparse.to_dense)."),
        ("RaggedTensorSpec", "Pad them to one length: data.map(lambda x: x.to_tensor(shape=(None, steps)))."),
    ):
        if any(type(leaf).__name__ == kind for leaf in tree.flatten(spec)):
            raise errors.InputError(f"{name} is a data set of {kind[:-10].lower()} tensors. {advice}")


def batches(data: Any) -> Iterator[tuple]:
    """(x, y) of every batch of a data set, as arrays."""
    if isinstance(data, keras.utils.PyDataset):
        if data.num_batches is None:
            raise errors.InputError("x is an endless PyDataset. Give its batches a number: num_batches.")
        data = map(data.__getitem__, range(data.num_batches))
    elif hasattr(data, "element_spec"):
        check_spec(data.element_spec, "x")
        if hasattr(data, "cardinality") and int(data.cardinality()) == -1:
            raise errors.InputError("x is an endless data set. Take a number of its batches: x.take(100).")
        data = data.as_numpy_iterator()
    for batch in data:
        yield keras.utils.unpack_x_y_sample_weight(batch)[:2]


def given(model: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """x and the condition of a batch whose y is of no other use."""
    x, inside = inputs.apart(model, x, None, "x")
    y = y if inside is None else inside
    return x, y.get("condition") if isinstance(y, dict) else y if model.conditional else None
