"""What is watched during training: the terms of the loss."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_ae import errors


class Terms(keras.metrics.Metric):
    """The mean over examples of every term of the loss, all updated in one operation.

    Attributes:
        regularized: whether a last term holds what the networks' layers and regularisers add to the loss.
    """

    def __init__(self, names: Sequence[str], name: str = "terms") -> None:
        super().__init__(name=name)
        self.names = (*names, "regularization")
        self.regularized = False
        self.total = self.add_variable((len(self.names),), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, values: Any, examples: Any) -> None:
        examples = ops.cast(examples, self.dtype)
        self.total.assign_add(ops.cast(values, self.dtype) * examples)
        self.count.assign_add(examples)

    @property
    def shown(self) -> tuple[str, ...]:
        """The names of the terms that there are."""
        return self.names if self.regularized else self.names[:-1]

    def result(self) -> dict[str, Any]:
        means = ops.divide_no_nan(self.total.value, self.count.value)
        return {name: means[i] for i, name in enumerate(self.shown)}


class StopOnNonFinite(keras.callbacks.Callback):
    """Stops the training with an error when a term is infinite or not a number; metrics of the user may be."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._check(logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._check(logs)

    def _check(self, logs: dict | None) -> None:
        named = {prefix + name for name in ("loss", *self.model.term_means.names) for prefix in ("", "val_")}
        bad = [name for name, value in (logs or {}).items() if name in named and not math.isfinite(value)]
        terms = [name for name in bad if name.removeprefix("val_") != "loss"] or bad
        if terms:
            raise errors.TrainingDivergedError(
                f"Training diverged in epoch {self.epoch + 1}: {', '.join(terms)} is no longer finite. Lower the "
                "learning rate, scale the data to about [0, 1], or clip gradients (the optimizer's clipnorm=1.0). The "
                "weights are lost: continue from a checkpoint."
            )


class SetEpoch(keras.callbacks.Callback):
    """Tells the batches which epoch it is."""

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.batches.set_epoch(epoch)
