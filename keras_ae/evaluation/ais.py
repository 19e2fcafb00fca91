"""Annealed importance sampling of log p(x), and what bounds its error."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_ae import backend
from keras_ae.checks import Count, Seed, checked
from keras_ae.evaluation.common import ROWS, VariationalModel
from keras_ae.models import Batch, Variational, inputs

LEAPFROG_STEPS = 10
ACCEPTANCE = 0.65  # the best rate of Hamiltonian Monte Carlo in many dimensions (Beskos et al., 2013)
ADAPTATION = 0.1  # of the logarithm of the step size, per unit of missed acceptance
FIRST_STEP_SIZE = 0.2
PILOT_CHAINS, PILOT_SHARE = 4, 4  # the pilot has at least so many chains, and one in so many temperatures


def sigmoid_schedule(steps: int) -> np.ndarray:
    """beta_0 = 0, ..., beta_steps = 1, dense at both ends (Wu et al., 2017, sec. 5).

    >>> sigmoid_schedule(2)
    array([0. , 0.5, 1. ])
    """
    beta = 1 / (1 + np.exp(-np.linspace(-4, 4, steps + 1)))
    return (beta - beta[0]) / (beta[-1] - beta[0])


def refined(betas: np.ndarray, spread: np.ndarray, steps: int) -> np.ndarray:
    """The schedule whose steps are equally long in the metric of the path, int sd_beta(log p(x|z)) dbeta.

    It minimises the variance of thermodynamic integration (Gelman and Meng, 1998, Statistical Science 13, sec. 4.3).

    Args:
        betas: (t + 1,) temperatures of a pilot run.
        spread: (t,) standard deviation of log p(x|z) over chains at the first t of them.
        steps: of the new schedule.
    """
    length = np.concatenate([[0], np.cumsum(np.maximum(spread, 1e-6) * np.diff(betas))])
    return np.interp(np.linspace(0, length[-1], steps + 1), length, betas)


def transition(model: Variational, batch: Batch, z: Any, beta: Any, step_size: Any, seed: Any) -> tuple[Any, Any]:
    """One step of Hamiltonian Monte Carlo (Neal, 2011, arXiv:1206.1901, fig. 2) that leaves p(z) p(x|z)^beta invariant.

    Args:
        z: (chains, batch, *latent).
        beta: scalar.
        step_size: (batch,) of the leapfrog steps.
        seed: for `keras.random`.

    Returns:
        The next z, and which chains accepted, (chains, batch), as 0 or 1.
    """
    given = model.prior_given(batch.condition)
    latent_axes = tuple(range(2, ops.ndim(z)))
    epsilon = ops.reshape(step_size, (1, -1, *[1] * len(latent_axes)))

    def with_gradient(z: Any) -> tuple[Any, Any]:
        log_density, pull = backend.vjp(
            model, lambda z: given.log_prob(z) + beta * model.log_conditional(batch, z), ops.stop_gradient(z)
        )
        return log_density, pull(ops.ones_like(log_density))

    def leapfrog(_: Any, state: tuple) -> tuple:
        z, momentum, _, gradient = state
        momentum = momentum + 0.5 * epsilon * gradient
        z = z + epsilon * momentum
        log_density, gradient = with_gradient(z)
        return z, momentum + 0.5 * epsilon * gradient, log_density, gradient

    momentum = keras.random.normal(ops.shape(z), dtype="float32", seed=seed)
    log_density, gradient = with_gradient(z)
    new_z, new_momentum, new_log_density, _ = ops.fori_loop(
        0, LEAPFROG_STEPS, leapfrog, (z, momentum, log_density, gradient)
    )
    kinetic, new_kinetic = (0.5 * ops.sum(ops.square(p), axis=latent_axes) for p in (momentum, new_momentum))
    log_ratio = new_log_density - new_kinetic - log_density + kinetic
    log_uniform = ops.log(keras.random.uniform(ops.shape(log_ratio), dtype="float32", seed=seed))
    accepted = ops.logical_and(ops.isfinite(log_ratio), log_uniform < log_ratio)
    new_z = ops.where(ops.reshape(accepted, (*ops.shape(accepted), *[1] * len(latent_axes))), new_z, z)
    return new_z, ops.cast(accepted, "float32")


def anneal(
    model: Variational, batch: Batch, z: Any, betas: Any, step_sizes: Any, key: Any, adapt: bool, reverse: bool
) -> tuple[Any, Any, Any]:
    """Chains from beta_0 to beta_t, with log w = sum_i (beta_i+1 - beta_i) log p(x|z_i) (Neal, 2001, eq. 12).

    Args:
        z: (chains, batch, *latent) from the distribution at beta_0.
        betas: (t + 1,), from 0 to 1; with `reverse` from 1 to 0.
        step_sizes: (t, batch); of those only the first, if `adapt`.
        key: of the random numbers.
        adapt: whether step sizes follow the acceptance. Then log w is no longer unbiased: for a pilot.
        reverse: whether the transition comes before the weight, as it must for a chain that undoes another one.

    Returns:
        log w (chains, batch); the standard deviation of log p(x|z) over the chains at each temperature, and the step
        sizes used, both (t, batch).
    """

    steps = betas.shape[0] - 1

    def step(i: Any, state: tuple) -> tuple:
        z, log_w, step_size, spread, used = state
        row = ops.one_hot(i, steps, dtype="float32")[:, None]
        start, end = ops.take(betas, i), ops.take(betas, i + 1)
        step_size = step_size if adapt else ops.sum(row * step_sizes, axis=0)
        seed, accepted = backend.KeyedSeed(key, 10 * (i + 1)), ops.ones_like(log_w)
        if reverse:
            z, accepted = transition(model, batch, z, start, step_size, seed)
        log_conditional = model.log_conditional(batch, z)
        log_w = log_w + ops.where(end == start, 0.0, (end - start) * log_conditional)  # it may be -inf
        if not reverse:
            z, accepted = transition(model, batch, z, end, step_size, seed)
        known = ops.all(ops.isfinite(log_conditional), axis=0)
        spread = spread + row * ops.std(ops.where(known, log_conditional, 0.0), axis=0)
        used = used + row * step_size
        step_size = step_size * ops.exp(ADAPTATION * (ops.mean(accepted, axis=0) - ACCEPTANCE))
        return z, log_w, step_size, spread, used

    zeros = ops.zeros_like(step_sizes)
    log_w = ops.zeros((ops.shape(z)[0], ops.shape(z)[1]))
    _, log_w, _, spread, used = ops.fori_loop(0, steps, step, (z, log_w, step_sizes[0], zeros, zeros))
    return log_w, spread, used


class Annealer:
    """Annealed importance sampling of a few examples at a time, with a schedule and step sizes from a pilot run.

    The pilot adapts them and is thrown away, so that the weights of the run itself stay unbiased.

    Args:
        model: a variational model.
        samples: chains an example.
        steps: temperatures.
    """

    def __init__(self, model: Variational, samples: int, steps: int) -> None:
        self.model, self.samples, self.steps = model, samples, steps
        self.pilot_samples, self.pilot_steps = max(samples, PILOT_CHAINS), max(steps // PILOT_SHARE, min(steps, 50))

    def tune(self, arrays: list[Any], key: int) -> tuple[np.ndarray, np.ndarray]:
        """Schedule (steps + 1,) and step sizes (steps, examples) for some examples."""
        betas = sigmoid_schedule(self.pilot_steps)
        first = np.full((self.pilot_steps, len(arrays[0])), FIRST_STEP_SIZE)
        run = self._compiled("pilot", arrays, self.pilot_samples, self.pilot_steps, adapt=True)
        _, spread, used = run(_key(key), _float(betas), _float(first), *arrays)
        spread, used = (ops.convert_to_numpy(values).astype("float64") for values in (spread, used))
        new_betas = refined(betas, np.sqrt(np.square(spread).mean(axis=1)), self.steps)
        sizes = [np.interp(new_betas[1:], betas[1:], used[:, i]) for i in range(used.shape[1])]
        return new_betas, np.stack(sizes, axis=1)

    def forward(self, arrays: list[Any], betas: np.ndarray, step_sizes: np.ndarray, key: int) -> np.ndarray:
        """Log-weights from p(z) to p(z|x): (samples, examples)."""
        run = self._compiled("forward", arrays, self.samples, self.steps)
        return ops.convert_to_numpy(run(_key(key), _float(betas), _float(step_sizes), *arrays)[0])

    def backward(
        self, arrays: list[Any], codes: np.ndarray, betas: np.ndarray, step_sizes: np.ndarray, key: int
    ) -> np.ndarray:
        """Log-weights from codes of p(z|x), (examples, *latent), to p(z): (samples, examples)."""
        run = self._compiled("backward", [codes, *arrays], self.samples, self.steps, reverse=True)
        values = _float(betas[::-1].copy()), _float(step_sizes[::-1].copy())
        return ops.convert_to_numpy(run(_key(key), *values, _float(codes), *arrays)[0])

    def _compiled(
        self, name: str, arrays: list[Any], samples: int, steps: int, adapt: bool = False, reverse: bool = False
    ) -> Any:
        model = self.model

        def run(key: Any, betas: Any, step_sizes: Any, *tensors: Any) -> Any:
            codes, x, condition = (*([] if reverse else [None]), *tensors, None)[:3]
            batch = model.pack((x,))._replace(condition=condition)
            z = (
                ops.tile(codes[None], (samples, *[1] * ops.ndim(codes)))
                if reverse
                else model.propose_from_prior(batch, samples, backend.KeyedSeed(key))
            )
            return anneal(model, batch, z, betas, step_sizes, key, adapt, reverse)

        signature = [keras.KerasTensor(shape, dtype) for shape, dtype in _shapes(steps, arrays)]
        return model.compiled_once(f"ais_{name}_{samples}_{steps}", run, *signature)


def _shapes(steps: int, arrays: list[Any]) -> list[tuple]:
    """Shapes and dtypes of key, temperatures, step sizes and arrays."""
    rows = [((None, *array.shape[1:]), "float32") for array in arrays]
    return [((), "int32"), ((steps + 1,), "float32"), ((steps, None), "float32"), *rows]


def _key(key: int) -> Any:
    return ops.convert_to_tensor(key, "int32")


def _float(values: np.ndarray) -> Any:
    return ops.convert_to_tensor(values, "float32")


def log_weights(
    model: Variational, arrays: list[np.ndarray], samples: int, steps: int, seed: int, rows: int
) -> np.ndarray:
    """Log-weights of annealed importance sampling, (samples, examples), for x (and the conditions)."""
    annealer, found = Annealer(model, samples, steps), []
    size = max(rows // samples, 1)
    for part, start in enumerate(range(0, len(arrays[0]), size)):
        values = [_float(array[start : start + size]) for array in arrays]
        pilot, run = np.random.SeedSequence((seed, part)).generate_state(2) >> 1
        betas, step_sizes = annealer.tune(values, int(pilot))
        found.append(annealer.forward(values, betas, step_sizes, int(run)))
    return np.concatenate(found, axis=1)


class Bidirectional(NamedTuple):
    """Bounds on log p(x) of simulated examples, in nats; the truth is between them, up to their noise.

    Args:
        lower: (n,), from chains p(z) -> p(z|x): what `log_likelihood(..., method="ais")` gives.
        upper: (n,), from chains p(z|x) -> p(z).
    """

    lower: np.ndarray
    upper: np.ndarray

    @property
    def gap(self) -> float:
        """The mean of upper - lower: how far annealed importance sampling may be off, on average."""
        return float((self.upper - self.lower).mean())


@checked
def bidirectional(
    model: VariationalModel,
    n: Count = 100,
    samples: Count = 16,
    steps: Count = 500,
    seed: Seed = 0,
    rows: Count = ROWS,
    condition: Any = None,
) -> Bidirectional:
    """Bidirectional Monte Carlo (Grosse et al., 2015, arXiv:1511.02543): the error of annealed importance sampling.

    Of an x that the model itself simulates, x ~ p(x|z), z ~ p(z), an exact draw of p(z|x) is known: z. Chains that
    start there and are annealed to p(z) give E[1 / w] = 1 / p(x), so an upper bound on log p(x) in expectation, where
    the usual ones give a lower bound. Both are tight when the chains are long enough.

    Args:
        model: a variational model.
        n: simulated examples.
        samples, steps, rows: as for `log_likelihood(..., method="ais")`.
        seed: integer.
        condition: of a conditional model: one for all examples, or one for each.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("vae", input_shape=(4,), latent_dim=2, seed=0)
        >>> bool(abs(bidirectional(model, n=3, samples=4, steps=20).gap) < 1)
        True
    """
    generator = keras.random.SeedGenerator(seed)
    condition = inputs.check_condition(model, condition, n)
    codes = model.draw_codes(n, generator, condition)
    x = model.observe(codes, generator, condition=condition)
    arrays = [x] if condition is None else [x, condition]
    codes = ops.convert_to_numpy(codes)

    annealer, lower, upper = Annealer(model, samples, steps), [], []
    size = max(rows // samples, 1)
    for part, start in enumerate(range(0, n, size)):
        values = [_float(array[start : start + size]) for array in arrays]
        keys = [int(key) for key in np.random.SeedSequence((seed, part)).generate_state(3) >> 1]
        tuned = annealer.tune(values, keys[0])
        lower.append(annealer.forward(values, *tuned, keys[1]))
        upper.append(-annealer.backward(values, codes[start : start + size], *tuned, keys[2]))
    return Bidirectional(_log_mean_exp(np.concatenate(lower, 1)), -_log_mean_exp(-np.concatenate(upper, 1)))


def _log_mean_exp(log_w: np.ndarray) -> np.ndarray:
    """log 1/K sum_k exp(log_w_k) over the first axis."""
    return np.logaddexp.reduce(log_w.astype("float64"), axis=0) - np.log(len(log_w))
