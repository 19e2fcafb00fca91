"""Estimators of log p(x)."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_ae import backend, errors
from keras_ae.models import Batch, Variational, inputs

ROWS = 8192  # codes decoded at once


class LogLikelihood(NamedTuple):
    """Estimates of log p(x), one value per example.

    Args:
        log_prob: in nats; a lower bound in expectation.
        standard_error: of log_prob, in nats, by the delta method; not a number for one sample.
        effective_sample_size: (sum w)^2 / sum w^2, between 1 and the number of samples. Where it is small, both other
            values are optimistic.
    """

    log_prob: np.ndarray
    standard_error: np.ndarray
    effective_sample_size: np.ndarray


def importance(model: Variational, batch: Batch, samples: int, seed: Any) -> Any:
    """log w = log p(x, z) - log q(z|x) with z ~ q(z|x): (samples, batch)."""
    z, log_q = model.propose(batch, samples, seed)
    return model.log_joint(batch, z) - log_q


METHODS: dict[str, Callable] = {"importance": importance}


def log_likelihood(
    model: Variational,
    x: Any,
    method: str = "importance",
    samples: int = 100,
    seed: int = 0,
    rows: int = ROWS,
    condition: Any = None,
) -> LogLikelihood:
    """log p(x) of each example by `samples` weighted samples.

        log p(x) ~ log 1/K sum_k w_k,    w_k = p(x, z_k) / q(z_k|x),  z_k ~ q(z|x)

    the importance-weighted bound of Burda et al. (2016, arXiv:1509.00519, eq. 8): with K = 1 the ELBO, not decreasing
    in K in expectation, and log p(x) in the limit. Memory is flat in the number of examples and of samples.

    Args:
        model: a variational model.
        x: (n, *event).
        method: `"importance"`.
        samples: K.
        seed: integer; the same seed gives the same estimates.
        rows: codes decoded at once, which bounds the memory.
        condition: of each example, for a conditional model: the result is then log p(x | condition).

    Raises:
        InputError: the model has no likelihood of x, or an argument does not fit.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("vae", input_shape=(4,), latent_dim=2, seed=0)
        >>> log_likelihood(model, np.ones((3, 4)), samples=5).log_prob.shape
        (3,)
    """
    if not isinstance(model, Variational):
        raise errors.InputError(
            f"{type(model).__name__} is deterministic: it has a reconstruction error and no log p(x). Use a "
            "variational model such as VAE."
        )
    if method not in METHODS:
        raise errors.unknown("method", method, METHODS)
    samples = errors.whole_number("samples", samples)
    rows = errors.whole_number("rows", rows)
    x = inputs.check_x(model, x)
    condition = inputs.check_condition(model, condition, len(x))
    arrays = [x] if condition is None else [x, condition]
    per_call = min(samples, max(rows // 64, 1))
    size = min(len(x), max(rows // per_call, 1))

    def weights_for(count: int) -> Callable:
        def log_weights(seed: Any, x: Any, condition: Any = None) -> Any:
            batch = model.pack((x,))._replace(condition=condition)
            return METHODS[method](model, batch, count, backend.KeyedSeed(seed))

        rows = [keras.KerasTensor((None, *array.shape[1:]), "float32") for array in arrays]
        return model.compiled_once(f"{method}_{count}", log_weights, keras.KerasTensor((), "int32"), *rows)

    functions = {count: weights_for(count) for count in {per_call, samples % per_call} - {0}}
    counts = [per_call] * (samples // per_call) + [samples % per_call] * (samples % per_call > 0)
    totals = [_Total(len(x[start : start + size])) for start in range(0, len(x), size)]
    for part, (start, total) in enumerate(zip(range(0, len(x), size), totals, strict=True)):
        values = [ops.cast(array[start : start + size], "float32") for array in arrays]
        for chunk, count in enumerate(counts):
            key = np.random.SeedSequence((seed, part, chunk)).generate_state(1)[0] >> 1
            total.add(ops.convert_to_numpy(functions[count](ops.convert_to_tensor(int(key), "int32"), *values)))
    results = [total.result(samples) for total in totals]
    return LogLikelihood(*(np.concatenate(values) for values in zip(*results, strict=True)))


class _Total:
    """Running sums of w and w^2, kept relative to the largest log w so far."""

    def __init__(self, examples: int) -> None:
        self.largest = np.full(examples, -np.inf)
        self.sums = np.zeros((2, examples))

    def add(self, log_w: np.ndarray) -> None:
        log_w = log_w.astype("float64")
        largest = np.maximum(self.largest, log_w.max(axis=0))
        with np.errstate(invalid="ignore"):  # -inf - -inf before the first chunk
            shrink = np.where(np.isneginf(self.largest), 0.0, np.exp(self.largest - largest))
        w = np.exp(log_w - largest)
        self.sums = self.sums * [shrink, shrink**2] + [w.sum(axis=0), np.square(w).sum(axis=0)]
        self.largest = largest

    def result(self, samples: int) -> LogLikelihood:
        first, second = self.sums
        effective = first**2 / second
        log_prob = self.largest + np.log(first) - math.log(samples)
        relative_variance = np.maximum(samples / effective - 1, 0)
        error = np.sqrt(relative_variance / (samples - 1)) if samples > 1 else np.full_like(log_prob, np.nan)
        return LogLikelihood(log_prob, error, effective)
