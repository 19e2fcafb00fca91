"""One measurement in this process: `python measure.py CASE CONTESTANT`. Prints what it took, as JSON."""

import time

START = time.perf_counter()

import importlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from cases import CASES, CONTESTANTS, GROWN, PARTS, Case  # noqa: E402

REPEATS = 5  # calls of what is not a training; the first one, which compiles, is apart
IMAGES = Path("../../runs/speed/mnist.npy")


class Clock:
    """Notes when the epochs of a training, and the calls of its step, begin and end."""

    def __init__(self) -> None:
        self.begin: list[float] = []
        self.end: list[float] = []
        self.calls: list[list[float]] = []
        self.cpu: list[float] = []
        self.loss = float("nan")

    def epoch_begins(self) -> None:
        self.begin.append(time.perf_counter())
        self.cpu.append(time.process_time())
        self.calls.append([])

    def call_ends(self) -> None:
        self.calls[-1].append(time.perf_counter())

    def epoch_ends(self, loss: float) -> None:
        self.end.append(time.perf_counter())
        self.loss = loss


def images(case: Case) -> np.ndarray:
    """Black and white images: MNIST, or noise of another size; repeated where more are wanted than there are."""
    if case.size == (28, 28, 1):
        found = np.load(IMAGES)
        return np.tile(found, (-(-case.rows // len(found)), 1, 1, 1))[: case.rows].astype("float32")
    return np.random.default_rng(0).integers(0, 2, (case.rows, *case.size)).astype("float32")


def training(module: Any, case: Case) -> list[dict[str, Any]]:
    """The epochs after the first, which compiles and is timed apart."""
    clock = Clock()
    parameters = module.train(images(case), case, 1 + case.epochs, clock)
    seconds = (clock.end[-1] - clock.begin[1]) / case.epochs
    found = {
        "seconds": seconds,
        "images_per_s": case.rows / seconds,
        "cpu_s": (time.process_time() - clock.cpu[1]) / case.epochs,
        "first_call_s": clock.calls[0][0] - START,
        "loss": clock.loss,
        "parameters": parameters,
    }
    return [found]


def using(module: Any, case: Case) -> list[dict[str, Any]]:
    """Each part of a use of a model."""
    functions = module.uses(images(case), case)
    return [calls(functions[part], case) for part in PARTS.get(case.what, (case.what,))]


def calls(function: Callable, case: Case) -> dict[str, Any]:
    """The median of a few calls after the first."""
    function()
    seconds, cpu = [], []
    for _ in range(REPEATS if case.epochs > 1 else 1):
        begin, busy = time.perf_counter(), time.process_time()
        function()
        seconds.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - busy)
    median = statistics.median(seconds)
    return {"seconds": median, "images_per_s": case.rows / median, "cpu_s": statistics.median(cpu)}


def importing() -> list[dict[str, Any]]:
    """What `import keras_ae` takes once Keras is there."""
    import keras  # noqa: F401

    begin, busy = time.perf_counter(), time.process_time()
    import keras_ae  # noqa: F401

    return [{"seconds": time.perf_counter() - begin, "cpu_s": time.process_time() - busy}]


def measure(case: Case, contestant: str) -> list[dict[str, Any]]:
    """A row of results for each part."""
    if case.what == "import":
        found = importing()
    else:
        of = CONTESTANTS[contestant]
        module = importlib.import_module(f"contestants.{of.module}")
        found = (training if case.what == "train" else using)(module, case._replace(settings=of.settings))
    return [row | {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024} for row in found]


if __name__ == "__main__":
    chosen = (CASES | GROWN)[sys.argv[1]]
    if chosen.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: chosen.cores])
    print(json.dumps(measure(chosen, sys.argv[2])))
