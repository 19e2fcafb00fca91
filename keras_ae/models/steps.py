"""How many batches one call of the compiled step takes: many, for speed, and never more than were asked for.

Keras counts whole calls: with `steps_per_execution=32` it trains 64 batches where 40 were asked for, and reports batch
63. Here every call takes as many batches as are left, and callbacks are given the number of a batch that exists.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import keras
from keras import ops, tree

from keras_ae import backend

MANY = 32
HOOKS = [f"on_{kind}batch_{moment}" for kind in ("", "train_", "test_") for moment in ("begin", "end")]


def number_of_batches(data: Any) -> int | None:
    """Number of batches of one epoch of some data; None where it is endless or unknown."""
    if hasattr(data, "cardinality"):  # a tf.data.Dataset
        return int(data.cardinality()) if int(data.cardinality()) >= 0 else None
    return data.num_batches if isinstance(data, keras.utils.PyDataset) else None


def limit(data: Any, steps: int | None) -> int | None:
    """Number of batches that an epoch takes: of the data, and at most `steps`; None where it is unknown."""
    return min((n for n in (number_of_batches(data), steps) if n is not None), default=None)


def are_counted(data: Any, steps: int | None) -> bool:
    """Whether many batches a call leave Keras' count of an epoch right: not where the number is unknown, nor where an
    epoch is part of the data and the next one goes on behind it."""
    size = number_of_batches(data)
    return limit(data, steps) is not None and not (steps and size and steps < size)


def sees_batches(callback: Any) -> bool:
    """Whether a callback does something at single batches. Those of Keras do not, unless they are told to."""
    if isinstance(callback, keras.callbacks.CallbackList):
        return any(map(sees_batches, callback.callbacks))
    frequency = getattr(callback, "save_freq", getattr(callback, "update_freq", "epoch"))
    for name in HOOKS:
        method = getattr(callback, name)
        function = getattr(method, "__func__", method)
        ours = function.__module__.startswith(("keras.", "keras_ae.")) and frequency == "epoch"
        if function is not getattr(keras.callbacks.Callback, name) and not ours:
            return True
    return False


class Counted(keras.callbacks.CallbackList):
    """Keras' list of callbacks, which tells the model how many batches are left and callbacks which batch was the last.

    Args:
        callbacks: a callback, a list of them, or None.
        model: whose `steps_per_execution` is set before every call.
        limits: number of batches of an epoch by its kind, `"train"`, `"test"` or `"predict"`; None where it is unknown.
        verbose, epochs: as in `fit`.
        **kwargs: see `keras.callbacks.CallbackList`.
    """

    def __init__(
        self, callbacks: Any, model: Any, limits: dict[str, int | None], verbose: Any, epochs: int = 1, **kwargs: Any
    ) -> None:
        self.limits, self.many = limits, model.steps_per_execution
        steps = next(iter(limits.values()))
        options = {"add_progbar": verbose != 0, "verbose": verbose, "epochs": epochs, "steps": steps, **kwargs}
        super().__init__(flat(callbacks), model=model, **options)

    def _begin(self, kind: str, batch: int) -> None:
        n = self.limits.get(kind)
        self._model.steps_per_execution = self.many if n is None else min(self.many, n - batch)

    def _end(self, kind: str, batch: int) -> int:
        n = self.limits.get(kind)
        self._model.steps_per_execution = self.many
        return batch if n is None else min(batch, n - 1)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._begin("train", batch)
        super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(self._end("train", batch), logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._begin("test", batch)
        super().on_test_batch_begin(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_test_batch_end(self._end("test", batch), logs)

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._begin("predict", batch)
        super().on_predict_batch_begin(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_predict_batch_end(self._end("predict", batch), logs)


def flat(callbacks: Any) -> list:
    """Callbacks as a list; those of a `CallbackList` for it."""
    if callbacks is None:
        return []
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return list(callbacks.callbacks)
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]


def on_tensorflow(model: Any, step: Callable) -> Callable:
    """The function of an iterator that Keras calls on TensorFlow: `model.steps_per_execution` steps, or as many as
    there are batches left, and what the last one gives. Keras' own has that number compiled in."""
    import tensorflow as tf

    one: Any = step if model.run_eagerly else tf.function(step, reduce_retracing=True, jit_compile=model.jit_compile)

    @tf.function(reduce_retracing=True, autograph=False)
    def many(iterator: Any, steps: Any) -> tuple:
        spec = tree.map_structure(_without_optional, iterator.element_spec)
        kinds = one.get_concrete_function(spec).structured_outputs
        nothing = tree.map_structure(lambda kind: tf.zeros(kind.shape, kind.dtype), kinds)

        def next_step(done: Any, _: Any, batch: Any) -> tuple:
            found = one(tree.map_structure(_without_optional, batch.get_value()))
            return done + 1, found, tf.cond(done + 1 < steps, iterator.get_next_as_optional, lambda: batch)

        def is_left(done: Any, _: Any, batch: Any) -> Any:
            return tf.logical_and(done < steps, batch.has_value())

        return tf.while_loop(is_left, next_step, (0, nothing, iterator.get_next_as_optional()))[:2]

    def eagerly(iterator: Any) -> tuple[int, Any]:
        done, found = 0, None
        while done < model.steps_per_execution and (batch := next(iterator, None)) is not None:
            done, found = done + 1, one(tree.map_structure(_without_optional, batch))
        return done, found

    def function(iterator: Any) -> Any:
        compiled = isinstance(iterator, tf.data.Iterator) and not model.run_eagerly
        done, found = many(iterator, tf.constant(model.steps_per_execution)) if compiled else eagerly(iterator)
        if not done:
            raise StopIteration
        return found

    return function


def on_jax(model: Any, step: Callable, concatenate_outputs: bool = False) -> Callable:
    """The same on JAX: a function of the model's state and an iterator. While Keras runs it, the model's variables are
    empty; an error of the data or of the step must not leave them so."""
    if clear := getattr(step, "clear_cache", None):  # it is compiled
        clear()  # JAX takes a method of a model for the one that it traced before, whatever has changed
    together = backend.scanned(step) if clear and not concatenate_outputs and backend.on_accelerator() else None

    def function(state: tuple, iterator: Any) -> tuple:
        found: list[Any] = []
        batches: Iterable = islice(iterator, model.steps_per_execution)
        try:
            if together:
                state, found, batches = together(state, list(batches))
            for batch in batches:
                outputs, state = step(state, batch)
                found = [*found, outputs] if concatenate_outputs else [outputs]
            if not found:
                raise StopIteration
        except BaseException:
            _give_back(model, state)
            raise
        return tree.map_structure(lambda *parts: parts[0] if len(parts) == 1 else ops.concatenate(parts), *found), state

    return function


def _give_back(model: Any, state: tuple) -> None:
    """Assigns the state of a step to the variables that it was taken from."""
    optimizer = [model.optimizer.variables] if len(state) == 4 else []  # a training step's
    metrics = [model.metrics_variables] if len(state) > 2 else []
    parts = [model.trainable_variables, model.non_trainable_variables, *optimizer, *metrics]
    for variables, values in zip(parts, state, strict=True):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    model._jax_state_synced = True


def _without_optional(value: Any) -> Any:
    """A tensor, or None for what a data set does not have."""
    import tensorflow as tf

    return None if isinstance(value, tf.experimental.Optional | tf.OptionalSpec) else value
