"""Weights that change during training, as serialisable functions of the number of training steps.

Every weight of every model (beta, the penalty of a penalised autoencoder, ...) is a number or such a function: one of
these, or any `keras.optimizers.schedules.LearningRateSchedule`. It is evaluated inside the compiled step, so it is
exact under many steps a call and goes on where a resumed training stopped; a callback is neither.
"""

import ast
from typing import Any

import keras
from keras import ops

from keras_ae import errors


@keras.saving.register_keras_serializable("keras_ae")
class Linear(keras.optimizers.schedules.LearningRateSchedule):
    """From `start` to `end` in equal steps, then `end` for ever (warm-up: Bowman et al., 2016, arXiv:1511.06349).

        w(t) = start + (end - start) min(t / steps, 1)

    Args:
        start, end: first and last value, at least 0.
        steps: training steps (batches, not epochs) of the way.

    Example:
        >>> [float(Linear(0.0, 1.0, steps=4)(t)) for t in (0, 2, 4, 9)]
        [0.0, 0.5, 1.0, 1.0]
    """

    def __init__(self, start: float = 0.0, end: float = 1.0, steps: int = 1000) -> None:
        self.start, self.end = (errors.number(*each, "[0, inf)") for each in (("start", start), ("end", end)))
        self.steps = errors.whole_number("steps", steps)

    def __call__(self, step: Any) -> Any:
        done = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        return self.start + (self.end - self.start) * done

    def get_config(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end, "steps": self.steps}


@keras.saving.register_keras_serializable("keras_ae")
class Cyclical(keras.optimizers.schedules.LearningRateSchedule):
    """Rises again and again from `start` to `end` (Fu et al., 2019, arXiv:1903.10145, eq. 6).

        w(t) = start + (end - start) min(tau / ratio, 1),    tau = (t mod period) / period

    Args:
        start, end: lowest and highest value, at least 0.
        period: training steps of one cycle.
        ratio: share of the cycle that it rises for; the rest it stays at `end`.

    Example:
        >>> [float(Cyclical(period=4, ratio=0.5)(t)) for t in range(6)]
        [0.0, 0.5, 1.0, 1.0, 0.0, 0.5]
    """

    def __init__(self, start: float = 0.0, end: float = 1.0, period: int = 1000, ratio: float = 0.5) -> None:
        self.start, self.end = (errors.number(*each, "[0, inf)") for each in (("start", start), ("end", end)))
        self.period = errors.whole_number("period", period)
        self.ratio = errors.number("ratio", ratio, "(0, 1]")

    def __call__(self, step: Any) -> Any:
        phase = ops.cast(ops.mod(step, self.period), "float32") / self.period
        return self.start + (self.end - self.start) * ops.minimum(phase / self.ratio, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end, "period": self.period, "ratio": self.ratio}


NAMES = {"linear": Linear, "cyclical": Cyclical}


def parse(text: str) -> Any:
    """The schedule that a text describes, for the command line and for settings in files.

    >>> parse("linear(0, 1, steps=5000)").get_config()
    {'start': 0, 'end': 1, 'steps': 5000}
    """
    try:
        call = ast.parse(text, mode="eval").body
        name, arguments = call.func.id, [ast.literal_eval(value) for value in call.args]  # type: ignore[attr-defined]
        named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}  # type: ignore[attr-defined]
        return NAMES[name](*arguments, **named)
    except (AttributeError, KeyError, SyntaxError, TypeError, ValueError) as error:
        if isinstance(error, errors.InputError):
            raise
        raise errors.InputError(
            "A schedule is written as 'linear(0, 1, steps=5000)' or 'cyclical(0, 1, period=5000, ratio=0.5)'. "
            f"Received: {text!r}."
        ) from error


def check(name: str, value: Any) -> Any:
    """`value`, or an error that names the argument when it is neither a number of at least 0 nor a schedule (or the
    text of one)."""
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        return value
    return errors.number(name, value, "[0, inf)", "a schedule of keras_ae.schedules or a number")


def at(value: Any, step: Any) -> Any:
    """The value of a number or a schedule at a step."""
    return value(step) if isinstance(value, keras.optimizers.schedules.LearningRateSchedule) else value
