"""A clock inside Keras' `fit`."""

from typing import Any

import keras


class InFit(keras.callbacks.Callback):
    """Tells a `measure.Clock` what happens."""

    async_safe = True  # reads no logs within an epoch, so that Keras need not wait for them

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self.clock = clock

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.clock.epoch_begins()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.clock.call_ends()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.clock.epoch_ends(float((logs or {})["loss"]))
