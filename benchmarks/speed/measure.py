"""Trains one contestant in this process and prints what it took: `python measure.py CONTESTANT MODEL IMAGES EPOCHS`."""

import importlib
import json
import resource
import statistics
import sys
import time

import keras
import numpy as np

BATCH_SIZE = 128


class Clock(keras.callbacks.Callback):
    """Notes the time of what happens in `fit`; a loop of one's own calls the same methods."""

    async_safe = True  # reads no logs, so that Keras need not wait for them

    def __init__(self) -> None:
        super().__init__()
        self.begin: list[float] = []
        self.end: list[float] = []
        self.calls: list[list[float]] = []  # ends of the calls of the compiled step, for every epoch
        self.cpu: list[float] = []
        self.loss = float("nan")

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.begin.append(time.perf_counter())
        self.cpu.append(time.process_time())
        self.calls.append([])

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.calls[-1].append(time.perf_counter())

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.end.append(time.perf_counter())
        self.loss = float((logs or {})["loss"])

    def idle(self) -> float:
        """The longest pause between epochs: from the last call of one to the first of the next, less a median call."""
        pauses = []
        for before, after in zip(self.calls[1:], self.calls[2:], strict=False):
            steps = np.diff(after)
            pauses.append(after[0] - before[-1] - (statistics.median(steps) if len(steps) else 0.0))
        return max((0.0, *pauses))


def measure(contestant: str, model: str, images: np.ndarray, epochs: int) -> dict[str, float]:
    """One row of results; the first epoch, which compiles, is timed apart."""
    clock = Clock()
    start = time.perf_counter()
    parameters = importlib.import_module(f"contestants.{contestant}").train(
        images, model, BATCH_SIZE, 1 + epochs, clock
    )
    cpu = time.process_time() - clock.cpu[1]
    return {
        "images_per_s": round(epochs * len(images) / (clock.end[-1] - clock.begin[1]), 1),
        "first_epoch_s": round(clock.end[0] - start, 3),
        "cpu_s": round(cpu, 3),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "gap_s": round(clock.idle(), 3),
        "loss": round(clock.loss, 2),
        "parameters": parameters,
    }


if __name__ == "__main__":
    name, model_name, path, count = sys.argv[1:]
    print(json.dumps(measure(name, model_name, np.load(path), int(count))))
