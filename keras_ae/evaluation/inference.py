"""Variational inference for each example by itself, and what an encoder loses against it."""

from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_ae import backend, errors
from keras_ae.checks import Count, Natural, Positive, Seed, checked
from keras_ae.distributions import DiagonalNormal, FullNormal, bound
from keras_ae.distributions.normal import LOG_VAR_BOUND, log_ratio
from keras_ae.evaluation.common import ROWS, VariationalModel, key_of
from keras_ae.evaluation.likelihood import LogLikelihood, log_likelihood
from keras_ae.models import Batch, Variational, inputs

FAMILIES = ("diagonal", "full")
STARTS = ("encoder", "prior")
SAMPLES_TO_JUDGE = 100


@dataclass(frozen=True)
class Posterior:
    """A normal distribution of codes for each example.

    Args:
        distribution: a `DiagonalNormal` or `FullNormal` of arrays; a proposal for `log_likelihood`.
        elbo: (n,) its evidence lower bound in nats.
        elbo_at_start: (n,) that of the distribution from which it was optimised, for the same noise.
        history: (steps,) mean over examples of the noisy bound at each step.
    """

    distribution: DiagonalNormal | FullNormal
    elbo: np.ndarray
    elbo_at_start: np.ndarray
    history: np.ndarray


@checked
def optimise_posterior(
    model: VariationalModel,
    x: Any,
    steps: Count = 300,
    family: Literal["diagonal", "full"] = "diagonal",
    start: Literal["encoder", "prior"] | DiagonalNormal | FullNormal = "encoder",
    samples: Count = 4,
    learning_rate: Positive = 0.05,
    seed: Seed = 0,
    rows: Count = ROWS,
    condition: Any = None,
) -> Posterior:
    """Variational inference for each example: gradient ascent on its own ELBO (Kim et al., 2018, arXiv:1802.02550).

        max over m, S of E_z~N(m, S)[log p(x, z) - log N(z; m, S)]

    with Adam, a learning rate that falls to zero along a cosine, and the path derivative of the bound (Roeder et al.,
    2017, arXiv:1703.09194), whose variance vanishes at the exact posterior. All examples of a chunk are optimised at
    once. An example whose bound came out lower than at the start keeps its start.

    Args:
        model: a variational model; it is not changed.
        x: (n, *event).
        steps: of Adam.
        family: `"diagonal"` or `"full"` covariance S.
        start: `"encoder"`, its q(z|x); `"prior"`, N(0, I); or the distribution that an earlier call found.
        samples: codes per example and step.
        learning_rate: at the first step.
        seed: integer of the noise.
        rows: codes decoded at once.
        condition: of each example, for a conditional model.

    Raises:
        InputError: the model is deterministic, or an argument does not fit.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("vae", input_shape=(4,), latent_dim=2, seed=0)
        >>> found = optimise_posterior(model, np.ones((3, 4)), steps=20)
        >>> bool((found.elbo.mean() >= found.elbo_at_start.mean() - 0.01))
        True
    """
    if family not in FAMILIES:
        raise errors.unknown("family", family, FAMILIES)
    if isinstance(start, str) and start not in STARTS:
        raise errors.unknown("start", start, STARTS)
    if family == "full" and len(model.latent_shape) != 1:
        raise errors.InputError(f"family='full' needs an integer latent_dim. Received: {model.latent_dim!r}.")
    size = max(rows // samples, 1)
    x = inputs.check_x(model, x)
    condition = inputs.check_condition(model, condition, len(x))
    if not isinstance(start, str) and tuple(start.mean.shape) != (len(x), *model.latent_shape):
        raise errors.InputError(
            f"start must have means of shape {(len(x), *model.latent_shape)}. Received: {tuple(start.mean.shape)}."
        )
    arrays = [x] if condition is None else [x, condition]

    def optimise(key: Any, params: Any, x: Any, condition: Any = None) -> tuple[Any, Any]:
        batch = model.pack((x,))._replace(condition=condition)
        return _ascend(model, batch, params, family, steps, samples, learning_rate, key)

    signature = [keras.KerasTensor((None, *array.shape[1:]), "float32") for array in arrays]
    first = _start(model, x, condition, family, start)
    compiled = model.compiled_once(
        f"optimise_{family}_{steps}_{samples}_{learning_rate}",
        optimise,
        keras.KerasTensor((), "int32"),
        keras.KerasTensor((None, first.shape[1]), "float32"),
        *signature,
    )
    last, history = np.empty_like(first), np.zeros(steps)
    for part, begin in enumerate(range(0, len(x), size)):
        rows_of = slice(begin, begin + size)
        key = ops.convert_to_tensor(key_of(seed, part), "int32")
        values = [ops.convert_to_tensor(array[rows_of], "float32") for array in (first, *arrays)]
        params, bounds = compiled(key, *values)
        last[rows_of] = ops.convert_to_numpy(params)
        history += ops.convert_to_numpy(bounds) * len(first[rows_of]) / len(x)

    before, after = (_bounds(model, arrays, params, family, seed + 1, rows) for params in (first, last))
    better = np.isfinite(after) & (after > before)
    kept = np.where(better[:, None], last, first)
    before, after = (_bounds(model, arrays, params, family, seed + 2, rows) for params in (first, kept))
    q = _distribution(ops.convert_to_tensor(kept), model.latent_shape, family)
    return Posterior(type(q)(*map(ops.convert_to_numpy, q)), after, before, history)


def _distribution(params: Any, latent_shape: tuple[int, ...], family: str) -> DiagonalNormal | FullNormal:
    """Parameters of all examples, (n, p): means, unbounded log-variances and for "full" entries below the diagonal."""
    dim = int(np.prod(latent_shape))
    mean, log_var = (ops.reshape(params[:, i * dim : (i + 1) * dim], (-1, *latent_shape)) for i in range(2))
    if family == "diagonal" or dim == 1:
        return DiagonalNormal(mean, bound(log_var))
    return FullNormal.from_parameters(mean, bound(log_var), params[:, 2 * dim :])


def _start(model: Variational, x: np.ndarray, condition: Any, family: str, start: Any) -> np.ndarray:
    """The parameters that the optimisation begins with."""
    dim = int(np.prod(model.latent_shape))
    below = np.zeros((len(x), dim * (dim - 1) // 2 if family == "full" else 0), "float32")
    if isinstance(start, str) and start == "prior":
        return np.concatenate([np.zeros((len(x), 2 * dim), "float32"), below], axis=1)
    q = model.over_batches("posterior", x, condition=condition) if isinstance(start, str) else start
    mean, variance = q.mean.reshape(len(x), -1), q.variance() if isinstance(q, FullNormal) else np.exp(q.log_var)
    if isinstance(q, FullNormal) and family == "full":
        variance = np.square(np.diagonal(q.scale_tril, axis1=1, axis2=2))
        below = q.scale_tril[:, *np.tril_indices(dim, -1)]
    log_var = np.log(np.asarray(variance, "float64")).reshape(len(x), -1)
    log_var = np.clip(log_var, -0.999 * LOG_VAR_BOUND, 0.999 * LOG_VAR_BOUND)
    unbounded = log_var / np.sqrt(1 - np.square(log_var / LOG_VAR_BOUND))
    return np.concatenate([mean, unbounded, below], axis=1).astype("float32")


def _ascend(
    model: Variational, batch: Batch, params: Any, family: str, steps: int, samples: int, rate: float, key: Any
) -> tuple[Any, Any]:
    """The parameters after Adam (Kingma and Ba, 2015, arXiv:1412.6980, algorithm 1); the mean bound of each step."""

    def step(t: Any, state: tuple) -> tuple:
        params, first, second, history = state
        seed = backend.KeyedSeed(key, t + 1)
        noise_shape = (samples, ops.shape(params)[0], *model.latent_shape)
        noise = keras.random.normal(noise_shape, dtype="float32", seed=seed)

        def bounds(params: Any) -> Any:
            q = _distribution(params, model.latent_shape, family)
            fixed_q = type(q)(*map(ops.stop_gradient, q))
            z = q.rsample(noise)
            return ops.mean(log_ratio(model.log_joint(batch, z), fixed_q.log_prob(z)), axis=0)

        value, pull = backend.vjp(model, bounds, ops.stop_gradient(params))
        gradient = pull(ops.ones_like(value))
        gradient = ops.where(ops.isfinite(gradient), gradient, 0.0)  # an example that overflows stays where it is
        count = ops.cast(t, "float32") + 1
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * ops.square(gradient)
        speed = rate * 0.5 * (1 + ops.cos(np.pi * (count - 1) / steps)) / (1 - ops.power(0.9, count))
        params = params + speed * first / (ops.sqrt(second / (1 - ops.power(0.999, count))) + 1e-8)
        return params, first, second, history + ops.one_hot(t, steps, dtype="float32") * ops.mean(value)

    zeros = ops.zeros_like(params)
    params, _, _, history = ops.fori_loop(0, steps, step, (params, zeros, zeros, ops.zeros((steps,))))
    return params, history


def _bounds(
    model: Variational, arrays: list[np.ndarray], params: np.ndarray, family: str, seed: int, rows: int
) -> np.ndarray:
    """The ELBO of each example for given parameters of its posterior."""

    def bounds(key: Any, params: Any, x: Any, condition: Any = None) -> Any:
        batch = model.pack((x,))._replace(condition=condition)
        q = _distribution(params, model.latent_shape, family)
        noise_shape = (SAMPLES_TO_JUDGE, ops.shape(params)[0], *model.latent_shape)
        z = q.rsample(keras.random.normal(noise_shape, dtype="float32", seed=backend.KeyedSeed(key)))
        return ops.mean(log_ratio(model.log_joint(batch, z), q.log_prob(z)), axis=0)

    signature = [keras.KerasTensor((None, *array.shape[1:]), "float32") for array in (params, *arrays)]
    compiled = model.compiled_once(f"bounds_{family}", bounds, keras.KerasTensor((), "int32"), *signature)
    size, found = max(rows // SAMPLES_TO_JUDGE, 1), []
    for part, start in enumerate(range(0, len(params), size)):
        key = ops.convert_to_tensor(key_of(seed, part), "int32")
        values = [ops.convert_to_tensor(array[start : start + size], "float32") for array in (params, *arrays)]
        found.append(ops.convert_to_numpy(compiled(key, *values)).astype("float64"))
    return np.concatenate(found)


@dataclass(frozen=True)
class InferenceGap:
    """log p(x) - ELBO of each example, in nats, in its two parts.

    Args:
        log_prob: (n,) the best estimate of log p(x).
        estimator: which one that was.
        elbo: (n,) the encoder's ELBO.
        best_elbo: (n,) the ELBO of the example's own best posterior of the family.
    """

    log_prob: np.ndarray
    estimator: str
    elbo: np.ndarray
    best_elbo: np.ndarray

    @property
    def approximation(self) -> np.ndarray:
        """(n,) what the family of posteriors loses: log p(x) - best ELBO."""
        return self.log_prob - self.best_elbo

    @property
    def amortisation(self) -> np.ndarray:
        """(n,) what the encoder loses within the family: best ELBO - ELBO."""
        return self.best_elbo - self.elbo

    @property
    def total(self) -> np.ndarray:
        """(n,) log p(x) - ELBO = KL(q(z|x) || p(z|x))."""
        return self.log_prob - self.elbo


@checked
def inference_gap(
    model: VariationalModel,
    x: Any,
    steps: Count = 300,
    family: Literal["diagonal", "full"] | None = None,
    samples: Count = 1000,
    temperatures: Natural = 0,
    chains: Count = 16,
    seed: Seed = 0,
    rows: Count = ROWS,
    condition: Any = None,
) -> InferenceGap:
    """The gap between log p(x) and the ELBO, and where it comes from (Cremer et al., 2018, arXiv:1801.03558, eq. 5).

        log p(x) - ELBO(q) = [log p(x) - ELBO(q*)] + [ELBO(q*) - ELBO(q)] = approximation gap + amortisation gap

    q is the encoder's posterior and q* the example's own best one of its family. log p(x) is the largest on average of
    several estimates, all lower bounds in expectation: importance sampling from q, from q*, and from q* with a full
    covariance; and, with `temperatures`, annealed importance sampling.

    Args:
        model: a variational model.
        x: (n, *event).
        steps: of `optimise_posterior`.
        family: of q*; None for that of the model's posterior.
        samples: of each importance-weighted bound.
        temperatures, chains: of annealed importance sampling; 0 temperatures for none.
        seed: integer.
        rows: codes decoded at once.
        condition: of each example, for a conditional model.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("vae", input_shape=(4,), latent_dim=2, seed=0)
        >>> gap = inference_gap(model, np.ones((3, 4)), steps=20, samples=10)
        >>> bool(np.allclose(gap.total, gap.approximation + gap.amortisation))
        True
    """
    if family is None:
        family = "diagonal" if model.lower_head is None else "full"
    common: dict[str, Any] = {"seed": seed, "rows": rows, "condition": condition}
    best = optimise_posterior(model, x, steps, family, **common)
    estimates: dict[str, LogLikelihood] = {
        f"importance, K={samples}": log_likelihood(model, x, samples=samples, **common),
        f"importance from optimised posteriors, K={samples}": log_likelihood(
            model, x, samples=samples, proposal=best.distribution, **common
        ),
    }
    if family == "diagonal" and len(model.latent_shape) == 1:
        full = optimise_posterior(model, x, steps, "full", **common).distribution
        name = f"importance from optimised full posteriors, K={samples}"
        estimates[name] = log_likelihood(model, x, samples=samples, proposal=full, **common)
    if temperatures:
        name = f"AIS, {chains} chains, {temperatures} temperatures"
        estimates[name] = log_likelihood(model, x, "ais", samples=chains, steps=temperatures, **common)
    name = max(estimates, key=lambda name: estimates[name].log_prob.mean())
    return InferenceGap(estimates[name].log_prob, name, best.elbo_at_start, best.elbo)
