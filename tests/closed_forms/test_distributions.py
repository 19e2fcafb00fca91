"""Densities, divergences and sampling against SciPy, numeric integration and Monte Carlo."""

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf
from keras import ops

from keras_ae import divergences
from keras_ae.distributions import DiagonalNormal, FullNormal, StandardNormal, bound
from keras_ae.distributions.likelihoods import MIN_VARIANCE, Bernoulli, Categorical, Normal
from keras_ae.layers import Sampling


def full_normal(rng, batch=3, dim=4):
    parameters = [rng.normal(size=(batch, size)).astype("float32") for size in (dim, dim, dim * (dim - 1) // 2)]
    return FullNormal.from_parameters(*map(ops.convert_to_tensor, parameters)), parameters


def diagonal_normal(rng, batch=3, dim=4):
    mean, log_var = rng.normal(size=(2, batch, dim)).astype("float32")
    return DiagonalNormal(ops.convert_to_tensor(mean), ops.convert_to_tensor(log_var)), (mean, log_var)


def test_the_cholesky_factor_is_filled_row_by_row():
    q = FullNormal.from_parameters(ops.zeros((1, 3)), ops.log(ops.array([[4.0, 9.0, 16.0]])), ops.array([[1.0, 2, 3]]))
    np.testing.assert_allclose(q.scale_tril[0], [[2, 0, 0], [1, 3, 0], [2, 3, 4]], rtol=1e-6)


@pytest.mark.parametrize("samples", [(), (5,)])
def test_densities_equal_scipys(rng, samples):
    z = rng.normal(size=(*samples, 3, 4)).astype("float32")
    q, (mean, log_var) = diagonal_normal(rng)
    expected = scipy.stats.norm.logpdf(z, mean, np.exp(log_var / 2)).sum(-1)
    np.testing.assert_allclose(q.log_prob(ops.convert_to_tensor(z)), expected, rtol=1e-4)
    q, _ = full_normal(rng)
    covariance = np.einsum("bij,bkj->bik", q.scale_tril, q.scale_tril)
    expected = np.stack(
        [scipy.stats.multivariate_normal(q.mean[b], covariance[b]).logpdf(z[..., b, :]) for b in range(3)], -1
    )
    np.testing.assert_allclose(q.log_prob(ops.convert_to_tensor(z)), expected, rtol=2e-4)
    expected = scipy.stats.norm.logpdf(z).sum(-1)
    np.testing.assert_allclose(StandardNormal((4,)).log_prob(ops.convert_to_tensor(z)), expected, rtol=1e-5)


@pytest.mark.parametrize("make", [diagonal_normal, full_normal])
def test_samples_have_the_mean_and_the_covariance(rng, make):
    q, _ = make(rng)
    z = np.asarray(q.rsample(ops.convert_to_tensor(rng.normal(size=(200_000, 3, 4)).astype("float32"))))
    np.testing.assert_allclose(z.mean(0), q.mean, atol=0.03)
    np.testing.assert_allclose(z.var(0), q.variance(), rtol=0.02)


@pytest.mark.parametrize("make", [diagonal_normal, full_normal])
def test_kl_equals_its_monte_carlo_value(rng, make):
    q, _ = make(rng)
    prior = StandardNormal((4,))
    z = q.rsample(ops.convert_to_tensor(rng.normal(size=(100_000, 3, 4)).astype("float32")))
    draws = np.asarray(divergences.kl_sample(q, prior, z), "float64")
    error = draws.std(0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(0) - np.asarray(divergences.kl(q, prior))) < 5 * error).all()


def test_kl_equals_the_integral():
    mean, log_var = 0.7, -1.3
    q = scipy.stats.norm(mean, np.exp(log_var / 2))
    expected = scipy.integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - scipy.stats.norm.logpdf(z)), -8, 8)[0]
    found = divergences.kl(DiagonalNormal(ops.array([[mean]]), ops.array([[log_var]])), StandardNormal((1,)))
    assert float(found[0]) == pytest.approx(expected, rel=1e-5)


def test_kl_is_summed_over_every_axis_of_the_code():
    q = DiagonalNormal(ops.ones((2, 3, 4)), ops.zeros((2, 3, 4)))
    np.testing.assert_allclose(divergences.kl(q, StandardNormal((3, 4))), [6, 6])


def test_bernoulli(rng):
    logits = rng.normal(size=(2, 3, 3, 1)).astype("float32") * 5
    x = rng.integers(0, 2, (2, 3, 3, 1)).astype("float32")
    expected = scipy.stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-logits))).sum((1, 2, 3))
    np.testing.assert_allclose(Bernoulli().log_prob(x, logits), expected, rtol=1e-4)
    assert np.isfinite(Bernoulli().log_prob(ops.zeros((1, 1)), ops.array([[500.0]]))).all()
    total = sum(np.exp(Bernoulli().log_prob(ops.array([[v]]), ops.array([[0.3]])))[0] for v in (0.0, 1.0))
    assert total == pytest.approx(1)


@pytest.mark.parametrize("variance", [0.5, "learned", "per_value"])
def test_normal(rng, variance):
    likelihood = Normal(variance)
    x = rng.normal(size=(2, 3)).astype("float32")
    mean, raw = rng.normal(size=(2, 2, 3)).astype("float32")
    params, log_var = mean, np.log(0.5)
    if variance == "learned":
        likelihood.raw_log_var.assign(-0.7)
        log_var = np.log(np.exp(bound(-0.7)) + MIN_VARIANCE)
    if variance == "per_value":
        params = np.stack([mean, raw], -1).reshape(2, 6)  # mean and log-variance of a value lie side by side
        log_var = np.log(np.exp(bound(raw)) + MIN_VARIANCE)
    expected = scipy.stats.norm.logpdf(x, mean, np.exp(log_var / 2)).sum(-1)
    np.testing.assert_allclose(likelihood.log_prob(x, ops.convert_to_tensor(params)), expected, rtol=1e-4)
    np.testing.assert_allclose(likelihood.mean(ops.convert_to_tensor(params)), mean)
    many = ops.repeat(ops.convert_to_tensor(params)[:1], 50_000, axis=0)
    draws = np.asarray(likelihood.sample(many, keras.random.SeedGenerator(0)))
    np.testing.assert_allclose(draws.mean(0), mean[0], atol=0.05)
    np.testing.assert_allclose(draws.var(0), np.broadcast_to(np.exp(log_var), (2, 3))[0], rtol=0.05)


def test_a_learned_variance_has_a_floor():
    likelihood = Normal("per_value")
    _, log_var = likelihood.mean_and_log_var(ops.array([[0.0, -1e6]]))
    assert float(log_var[0, 0]) == pytest.approx(np.log(MIN_VARIANCE), abs=1e-2)


def test_categorical(rng):
    likelihood = Categorical(levels=5)
    params = rng.normal(size=(2, 3, 2 * 5)).astype("float32")  # images of 3 x 2 values
    logits = params.reshape(2, 3, 2, 5)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    x = rng.integers(0, 5, (2, 3, 2))
    expected = np.log(np.take_along_axis(p, x[..., None], -1)).sum((1, 2, 3))
    np.testing.assert_allclose(likelihood.log_prob(x, params), expected, rtol=1e-5)
    np.testing.assert_allclose(likelihood.mean(params), p @ np.arange(5), rtol=1e-5)
    draws = np.asarray(likelihood.sample(np.repeat(params[:1], 20_000, axis=0), keras.random.SeedGenerator(0)))
    assert draws.shape == (20_000, 3, 2)
    np.testing.assert_allclose((draws == 2).mean(0), p[0, ..., 2], atol=0.02)
    one_hot = Categorical(levels=5, one_hot=True)
    np.testing.assert_allclose(one_hot.log_prob(np.eye(5)[[3]], params[0, :1, :5]), np.log(p[0, 0, :1, 3]), rtol=1e-5)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Normal(2.0), Categorical(3)])
def test_what_is_masked_does_not_count(rng, likelihood):
    params = rng.normal(size=(1, 4 * likelihood.parameters)).astype("float32")
    x = np.array([[0.0, 1, 1, 0]])
    mask = np.array([[True, False, True, True]])
    changed = np.where(mask, x, 1 - x)
    np.testing.assert_array_equal(likelihood.log_prob(x, params, mask), likelihood.log_prob(changed, params, mask))
    single = [likelihood.log_prob(x, params, np.eye(4, dtype=bool)[[i]])[0] for i in range(4)]
    assert float(likelihood.log_prob(x, params)[0]) == pytest.approx(float(sum(single)), rel=1e-5)


def test_the_bound_is_near_the_identity_and_never_flat():
    x = tf.Variable([-1000.0, -2.0, 0.0, 2.0, 1000.0])
    with tf.GradientTape() as tape:
        y = bound(x)
    gradient = tape.gradient(y, x).numpy()
    np.testing.assert_allclose(y[1:4], [-2, 0, 2], atol=0.011)
    assert (np.abs(y) <= 20).all() and (gradient > 1e-6).all()


def test_gradients_of_sampling_are_those_of_the_reparameterisation_trick():
    mean, log_var = tf.Variable([[0.3, -1.0]]), tf.Variable([[0.5, -2.0]])
    with tf.GradientTape(persistent=True) as tape:
        z = Sampling(seed=0)([mean, log_var])
    epsilon = (z - mean) / tf.exp(0.5 * log_var)
    assert (np.abs(epsilon) > 1e-3).all()
    np.testing.assert_allclose(tape.gradient(z, mean), [[1, 1]])
    np.testing.assert_allclose(tape.gradient(z, log_var), 0.5 * tf.exp(0.5 * log_var) * epsilon, rtol=1e-5)


def test_sampling_adds_noise_of_the_right_variance():
    layer = Sampling(seed=0)
    inputs = [ops.ones((100_000, 2)), ops.log(ops.array([[0.25, 9.0]])) + ops.zeros((100_000, 2))]
    z, again = np.asarray(layer(inputs)), np.asarray(layer(inputs))
    np.testing.assert_allclose(z.mean(0), [1, 1], atol=0.05)
    np.testing.assert_allclose(z.var(0), [0.25, 9], rtol=0.03)
    assert abs(np.corrcoef(z[:, 0], again[:, 0])[0, 1]) < 0.02  # drawn anew at each call
    np.testing.assert_array_equal(z, Sampling(seed=0)(inputs))
    assert not np.array_equal(z, Sampling(seed=1)(inputs))


def test_sampling_stays_in_float32_and_serves_a_functional_model(tmp_path):
    x = keras.Input((6,))
    mean, log_var = (keras.layers.Dense(2, dtype="mixed_bfloat16")(x) for _ in range(2))
    z = Sampling(seed=3)([mean, log_var])
    assert z.dtype == "float32"
    model = keras.Model(x, z)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(np.ones((2, 6))), model(np.ones((2, 6))), rtol=1e-2)
