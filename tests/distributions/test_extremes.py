"""Values that float32 squares to infinity, or whose exponential it takes for 0, give no NaN.

On TensorFlow; on JAX by tests/jax_program.py.
"""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

import keras_ae
from keras_ae import backend, divergences, evaluation
from keras_ae.distributions import DiagonalNormal, FullNormal, NormalMixture, StandardNormal, bound, likelihoods

VALUES = (0.0, 1e-30, 1.0, -1e4, 1e10, -1e19, 1e25, -1e30)
FAR = np.array([[0.0] * 4, [1e20] * 4, [0.0] * 4], "float32")  # every density of the second example underflows


def grid(n):
    """Every combination of n of the values: n tensors of shape (len(VALUES)^n, 1)."""
    columns = np.array(list(itertools.product(VALUES, repeat=n)), "float32").T
    return [ops.convert_to_tensor(column[:, None]) for column in columns]


def normal(mean, raw):
    return DiagonalNormal(mean, bound(raw))


def pair(x):
    return ops.concatenate([x, x], axis=-1)


def full_normal(mean, raw):
    return FullNormal.from_parameters(pair(mean), bound(pair(raw)), ops.ones_like(mean))


def mixture(first):
    return NormalMixture(ops.zeros(2), DiagonalNormal(ops.convert_to_tensor([[first], [first + 1]]), ops.zeros((2, 1))))


def of_levels(likelihood):
    """Of every level, and of parameters among three extremes."""
    params = np.array([*itertools.product((0.0, 1e10, -1e25), repeat=likelihood.parameters)], "float32")
    x = np.repeat(np.arange(getattr(likelihood, "levels", 2), dtype="float32"), len(params))[:, None]
    return likelihood.log_prob(*map(ops.convert_to_tensor, (x, np.tile(params, (len(x) // len(params), 1)))))


def mmd(kernel, scale):
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    return divergences.mmd(*map(ops.convert_to_tensor, (x[0] * scale, x[1])), kernel)


OF_LEVELS = {
    "bernoulli": likelihoods.Bernoulli(),
    **{name: kind(4) for name, kind in likelihoods.OF_LEVELS.items() if name != "discretized_logistic_mixture"},
    "discretized_logistic_mixture": likelihoods.DiscretizedLogistic(4, components=2),
}
TABLE = {
    "bound": lambda: bound(grid(1)[0]),
    "DiagonalNormal": lambda: (lambda x, mean, raw: normal(mean, raw).log_prob(x))(*grid(3)),
    "FullNormal": lambda: (lambda x, mean, raw: full_normal(mean, raw).log_prob(pair(x)))(*grid(3)),
    "StandardNormal": lambda: StandardNormal((1,)).log_prob(grid(1)[0]),
    "NormalMixture.log_prob": lambda: mixture(0.0).log_prob(grid(1)[0]),
    "NormalMixture.posterior": lambda: mixture(0.0).posterior(grid(1)[0]),
    "NormalMixture.posterior, far": lambda: mixture(1e20).posterior(grid(1)[0]),
    "kl": lambda: (lambda a, b, c, d: divergences.kl(normal(a, b), normal(c, d)))(*grid(4)),
    "kl to N(0, I)": lambda: (lambda a, b: divergences.kl(normal(a, b), StandardNormal((1,))))(*grid(2)),
    "kl_sample": lambda: (lambda a, b, z: divergences.kl_sample(normal(a, b), StandardNormal((1,)), z))(*grid(3)),
    "wasserstein2": lambda: (lambda a, b, c, d: divergences.wasserstein2(normal(a, b), normal(c, d)))(*grid(4)),
    **{f"mmd {k} {s}": lambda k=k, s=s: mmd(k, s) for k in divergences.KERNELS for s in (1e19, 1e30)},
    "Normal": lambda: (lambda x, mean: likelihoods.Normal().log_prob(x, mean))(*grid(2)),
    "Normal of little variance": lambda: (lambda x, mean: likelihoods.Normal(1e-30).log_prob(x, mean))(*grid(2)),
    "Normal per value": lambda: (
        lambda x, mean, raw: likelihoods.Normal("per_value").log_prob(x, ops.concatenate([mean, raw], -1))
    )(*grid(3)),
    **{name: lambda one=one: of_levels(one) for name, one in OF_LEVELS.items()},
}


def has_nan(name):
    return bool(np.isnan(ops.convert_to_numpy(TABLE[name]())).any())


def slope_of_bound(x):
    """The derivative of `bound` at some values."""
    x = ops.convert_to_tensor(np.float32(x))
    return np.asarray(backend.vjp(keras.Model(), bound, x)[1](ops.ones_like(x)))


def estimates():
    """Estimator -> its log p(x), or bound on it, of `FAR`."""
    model = keras_ae.create("vae", (4,), 2, seed=0, likelihood="normal", network_options={"hidden": (4,)})
    found = {
        method: evaluation.log_likelihood(model, FAR, method, samples=3, steps=4).log_prob
        for method in ("importance", "prior", "ais")
    }
    best = evaluation.optimise_posterior(model, FAR, steps=2)
    return found | {"elbo": evaluation.elbo(model, FAR).elbo, "best": best.elbo, "start": best.elbo_at_start}


@pytest.mark.parametrize("name", TABLE)
def test_there_is_no_nan(name):
    assert not has_nan(name)


def test_what_is_bounded_is_the_limit_however_large():
    np.testing.assert_array_equal(bound(np.float32([1e6, 1e19, 1e25, -1e38, np.inf])), [20, 20, 20, -20, 20])
    assert np.isfinite(slope_of_bound([0.0, 1.0, 1e19, 1e25, -1e38])).all()
    assert slope_of_bound(30.0) > 0.1


def test_a_density_far_away_is_that_of_scipy():
    """Whose square alone would be infinite."""
    found = DiagonalNormal(np.zeros((1, 1), "float32"), np.full((1, 1), 20.0, "float32")).log_prob(np.float32([[1e20]]))
    np.testing.assert_allclose(found, stats.norm(0, np.exp(10.0)).logpdf([1e20]), rtol=1e-5)


@pytest.fixture
def eager():
    """Compiling takes most of the time."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_log_p_is_minus_infinity_where_every_weight_is_zero(eager):
    for name, values in estimates().items():
        assert np.isneginf(values[1]) and np.isfinite(values[[0, 2]]).all(), name


def test_weights_that_are_all_zero():
    total = evaluation.likelihood._Total(3)
    for chunk in ([[-np.inf, -np.inf, 1.0]], [[-np.inf, 2.0, -np.inf], [-np.inf, 2.0, 1.0]]):
        total.add(np.array(chunk))
    found = total.result(3)
    np.testing.assert_allclose(found.log_prob, [-np.inf, 2 + np.log(2 / 3), 1 + np.log(2 / 3)])
    np.testing.assert_allclose(found.effective_sample_size, [0, 2, 2])
    assert np.isnan(found.standard_error[0]) and np.isfinite(found.standard_error[1:]).all()
