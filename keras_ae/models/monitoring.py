"""What is watched during training: the terms of the loss."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
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


def non_finite_weights(model: keras.Model) -> list[str]:
    """Returns the paths of the weights that are infinite, not a number, or so large that their squares are infinite:
    no product with these is a number."""
    weights = [weight for weight in model.weights if keras.backend.is_float_dtype(weight.dtype)]
    squares = [ops.sum(ops.square(ops.cast(weight, "float32"))) for weight in weights]
    finite = np.isfinite(ops.convert_to_numpy(ops.stack(squares)))  # one transfer, whatever the device
    return [weight.path for weight, is_finite in zip(weights, finite, strict=True) if not is_finite]


def check_weights(model: keras.Model) -> None:
    """Raises InputError where a weight is not finite: such a model is not worth a file."""
    if bad := non_finite_weights(model):
        raise errors.InputError(
            f"The weights of this {type(model).__name__} are no longer finite ({bad[0]}), so it is not written. Its "
            "training diverged: load the last checkpoint, or train again with a lower learning rate."
        )


class StopOnNonFinite(keras.callbacks.Callback):
    """Stops the training with an error when a term, or after an epoch a weight, is infinite or not a number; metrics of
    the user may be."""

    async_safe = True  # Keras need not wait for an accelerator: the error comes a few calls late, before the epoch ends

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._check(logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._check(logs)
        if bad := non_finite_weights(self.model):  # the terms are those before the last step
            raise diverged(epoch + 1, f"the weight {bad[0]}")

    def _check(self, logs: dict | None) -> None:
        of_model = self._model.term_means.names  # `self.model` would put JAX's state back into the model
        named = {prefix + name for name in ("loss", *of_model) for prefix in ("", "val_")}
        bad = [name for name, value in (logs or {}).items() if name in named and not math.isfinite(value)]
        terms = [name for name in bad if name.removeprefix("val_") != "loss"] or bad
        if terms:
            raise diverged(self.epoch + 1, ", ".join(terms))


def diverged(epoch: int, what: str) -> errors.TrainingDivergedError:
    """Returns the error of a training in whose epoch, counted from 1, something became infinite or not a number."""
    return errors.TrainingDivergedError(
        f"Training diverged in epoch {epoch}: {what} is no longer finite. Lower the learning rate, scale the data to "
        "about [0, 1], or clip gradients (the optimizer's clipnorm=1.0). The weights are lost: continue from a "
        "checkpoint."
    )


class SetEpoch(keras.callbacks.Callback):
    """Tells the batches which epoch it is."""

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.batches.set_epoch(epoch)
