"""Estimators of log p(x)."""

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_ae import backend, errors
from keras_ae.checks import Count, Seed, checked
from keras_ae.distributions import DiagonalNormal, FullNormal
from keras_ae.distributions.normal import log_ratio
from keras_ae.evaluation import ais
from keras_ae.evaluation.common import ROWS, VariationalModel, key_of
from keras_ae.models import Batch, Variational, inputs


class LogLikelihood(NamedTuple):
    """Estimates of log p(x), one value per example.

    Args:
        log_prob: in nats; a lower bound in expectation. -inf where every w is 0 in float32.
        standard_error: of log_prob, in nats, by the delta method; not a number for one sample, or where log_prob is
            -inf.
        effective_sample_size: (sum w)^2 / sum w^2, between 1 and the number of samples; 0 where every w is 0. Where it
            is small, both other values are optimistic.
    """

    log_prob: np.ndarray
    standard_error: np.ndarray
    effective_sample_size: np.ndarray


def importance(model: Variational, batch: Batch, samples: int, seed: Any, q: Any = None) -> Any:
    """log w = log p(x, z) - log q(z|x) with z ~ q(z|x): (samples, batch)."""
    if q is None:
        z, log_q = model.propose(batch, samples, seed)
    else:
        z = q.rsample(keras.random.normal((samples, *ops.shape(q.mean)), dtype="float32", seed=seed))
        log_q = q.log_prob(z)
    return log_ratio(model.log_joint(batch, z), log_q)


def prior(model: Variational, batch: Batch, samples: int, seed: Any, q: Any = None) -> Any:
    """log w = log p(x|z) with z ~ p(z): (samples, batch)."""
    return model.log_conditional(batch, model.propose_from_prior(batch, samples, seed))


SAMPLERS: dict[str, Callable] = {"importance": importance, "prior": prior}
METHODS = (*SAMPLERS, "ais")


@checked
def log_likelihood(
    model: VariationalModel,
    x: Any,
    method: str = "importance",
    samples: Count = 100,
    seed: Seed = 0,
    rows: Count = ROWS,
    condition: Any = None,
    steps: Count = 500,
    proposal: DiagonalNormal | FullNormal | None = None,
) -> LogLikelihood:
    """log p(x) of each example by `samples` weighted samples.

        log p(x) ~ log 1/K sum_k w_k,    E[w_k] = p(x)

    Each method is unbiased for p(x), so that its logarithm is a lower bound on log p(x) in expectation, not decreasing
    in K, and log p(x) in the limit; they differ in how wide w_k is.

    - `"importance"`: w_k = p(x, z_k) / q(z_k|x), z_k ~ q(z|x): the importance-weighted bound (Burda et al., 2016,
      arXiv:1509.00519, eq. 8), for K = 1 the ELBO.
    - `"prior"`: w_k = p(x|z_k), z_k ~ p(z): naive Monte Carlo. Hardly any z explains x, so in more than a few
      dimensions its effective sample size is near 1, and the value far too low.
    - `"ais"`: annealed importance sampling from p(z) to p(z|x) through `steps` temperatures with Hamiltonian Monte
      Carlo (Wu et al., 2017, arXiv:1611.04273); K chains an example. The slowest, and the one that does not depend on
      the encoder. `keras_ae.evaluation.bidirectional` bounds its error.

    Memory is flat in the number of examples and of samples. Where it runs out all the same, the chunk is halved, with
    a warning.

    Args:
        model: a variational model.
        x: (n, *event).
        method: `"importance"`, `"prior"` or `"ais"`.
        samples: K.
        seed: integer; the same seed gives the same estimates.
        rows: codes decoded at once, which bounds the memory: three such batches are under way at a time.
        condition: of each example, for a conditional model: the result is then log p(x | condition).
        steps: temperatures of `"ais"`.
        proposal: of `"importance"`, instead of the encoder's q(z|x): a distribution of arrays with one set of
            parameters an example, such as `optimise_posterior(model, x).distribution`.

    Raises:
        InputError: the model has no likelihood of x, or an argument does not fit.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("vae", input_shape=(4,), latent_dim=2, seed=0)
        >>> log_likelihood(model, np.ones((3, 4)), samples=5).log_prob.shape
        (3,)
    """
    if method not in METHODS:
        raise errors.unknown("method", method, METHODS)
    x = inputs.check_x(model, x)
    condition = inputs.check_condition(model, condition, len(x))
    if proposal is not None and (method != "importance" or len(proposal.mean) != len(x)):
        raise errors.InputError(
            f"A proposal serves method='importance' and has parameters for each of the {len(x)} examples. Received: "
            f"method={method!r}, parameters for {len(proposal.mean)}."
        )
    arrays = [x] if condition is None else [x, condition]
    while True:
        try:
            if method == "ais":
                return summary(ais.log_weights(model, arrays, samples, steps, seed, rows))
            return _by_chunks(model, arrays, proposal, method, samples, seed, rows)
        except Exception as error:
            if rows < 2 or not backend.is_out_of_memory(error):
                raise
            rows //= 2
            warnings.warn(f"Memory ran out: log_likelihood goes on with rows={rows}.", RuntimeWarning, stacklevel=2)


def _by_chunks(
    model: Variational, arrays: list[np.ndarray], proposal: Any, method: str, samples: int, seed: int, rows: int
) -> LogLikelihood:
    """Independent samples, a few of a few examples at a time."""
    given = len(arrays)
    arrays = [*arrays, *(np.asarray(values) for values in proposal or ())]
    per_call = min(samples, max(rows // 64, 1))
    size = min(len(arrays[0]), max(rows // per_call, 1))

    def weights_for(count: int) -> Callable:
        def log_weights(seed: Any, *values: Any) -> Any:
            x, condition = (*values[:given], None)[:2]
            batch = model.pack((x,))._replace(condition=condition)
            q = type(proposal)(*values[given:]) if proposal else None
            return SAMPLERS[method](model, batch, count, backend.KeyedSeed(seed), q)

        signature = [keras.KerasTensor((None, *array.shape[1:]), "float32") for array in arrays]
        name = f"{method}_{type(proposal).__name__}_{count}"
        return model.compiled_once(name, log_weights, keras.KerasTensor((), "int32"), *signature)

    functions = {count: weights_for(count) for count in {per_call, samples % per_call} - {0}}
    counts = [per_call] * (samples // per_call) + [samples % per_call] * (samples % per_call > 0)

    def estimate(start: int) -> LogLikelihood:
        values = [ops.cast(array[start : start + size], "float32") for array in arrays]
        total = _Total(len(values[0]))
        for chunk, count in enumerate(counts):
            key = ops.convert_to_tensor(key_of(seed, start // size, chunk), "int32")
            total.add(ops.convert_to_numpy(functions[count](key, *values)))
        return total.result(samples)

    results = backend.in_parallel(estimate, range(0, len(arrays[0]), size))
    return LogLikelihood(*(np.concatenate(values) for values in zip(*results, strict=True)))


def summary(log_w: np.ndarray) -> LogLikelihood:
    """The estimates that log-weights, (samples, examples), give."""
    total = _Total(log_w.shape[1])
    total.add(log_w)
    return total.result(len(log_w))


class _Total:
    """Running sums of w and w^2, kept relative to the largest log w so far."""

    def __init__(self, examples: int) -> None:
        self.largest = np.full(examples, -np.inf)
        self.sums = np.zeros((2, examples))

    def add(self, log_w: np.ndarray) -> None:
        log_w = log_w.astype("float64")
        largest = np.maximum(self.largest, log_w.max(axis=0))
        scale = np.where(np.isneginf(largest), 0.0, largest)  # where every w is 0 so far, exp(log_w) is
        shrink, w = np.exp(self.largest - scale), np.exp(log_w - scale)
        self.sums = self.sums * [shrink, shrink**2] + [w.sum(axis=0), np.square(w).sum(axis=0)]
        self.largest = largest

    def result(self, samples: int) -> LogLikelihood:
        first, second = self.sums
        none = first == 0
        effective = first**2 / np.where(none, 1.0, second)
        log_prob = np.where(none, -np.inf, self.largest + np.log(np.where(none, 1.0, first)) - math.log(samples))
        relative_variance = np.maximum(samples / np.where(none, np.nan, effective) - 1, 0)
        error = np.sqrt(relative_variance / (samples - 1)) if samples > 1 else np.full_like(log_prob, np.nan)
        return LogLikelihood(log_prob, error, effective)
