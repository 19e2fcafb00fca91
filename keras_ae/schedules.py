"""Weights that change during training, as serialisable functions of the number of training steps.

Every weight of every model (beta, the penalty of a penalised autoencoder, ...) is a number or such a function: one of
these, or any `keras.optimizers.schedules.LearningRateSchedule`. It is evaluated inside the compiled step, so it is
exact under many steps a call and goes on where a resumed training stopped; a callback is neither.
"""

import ast
from typing import Annotated, Any

import keras
from keras import ops

from keras_ae import errors
from keras_ae.checks import Count, NotNegative, checked

__all__ = ["Cyclical", "Linear", "parse"]


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

    @checked
    def __init__(self, start: NotNegative = 0.0, end: NotNegative = 1.0, steps: Count = 1000) -> None:
        self.start, self.end, self.steps = start, end, steps

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

    @checked
    def __init__(
        self,
        start: NotNegative = 0.0,
        end: NotNegative = 1.0,
        period: Count = 1000,
        ratio: Annotated[float, "(0, 1]"] = 0.5,
    ) -> None:
        self.start, self.end, self.period, self.ratio = start, end, period, ratio

    def __call__(self, step: Any) -> Any:
        phase = ops.cast(ops.mod(step, self.period), "float32") / self.period
        return self.start + (self.end - self.start) * ops.minimum(phase / self.ratio, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end, "period": self.period, "ratio": self.ratio}


NAMES = {"linear": Linear, "cyclical": Cyclical}


@checked
def parse(text: str) -> Any:
    """The schedule that a text describes, for the command line and for settings in files.

    >>> parse("linear(0, 1, steps=5000)").get_config()
    {'start': 0, 'end': 1, 'steps': 5000}
    """
    return _parsed("text", text)


def _parsed(name: str, text: str) -> Any:
    """The schedule that an argument's text describes."""
    try:
        call = ast.parse(text, mode="eval").body
        kind, arguments = call.func.id, [ast.literal_eval(value) for value in call.args]  # type: ignore[attr-defined]
        named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}  # type: ignore[attr-defined]
        return NAMES[kind](*arguments, **named)
    except (AttributeError, KeyError, SyntaxError, TypeError, ValueError) as error:
        why = f" {error}" if isinstance(error, errors.InputError) else ""
        what = "a schedule, such as 'linear(0, 1, steps=5000)' or 'cyclical(0, 1, period=5000, ratio=0.5)'"
        raise errors.InputError(f"{errors.wrong(name, what, text)}{why}") from error


def check(name: str, value: Any) -> Any:
    """`value`, or an error that names the argument when it is neither a number of at least 0 nor a schedule (or the
    text of one)."""
    if isinstance(value, str):
        return _parsed(name, value)
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        return value
    return errors.number(name, value, "[0, inf)", "a schedule of keras_ae.schedules or a number")


Weight = Annotated[Any, check]


def at(value: Any, step: Any) -> Any:
    """The value of a number or a schedule at a step."""
    return value(step) if isinstance(value, keras.optimizers.schedules.LearningRateSchedule) else value
