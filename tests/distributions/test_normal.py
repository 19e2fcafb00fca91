"""Normal distributions and divergences against SciPy, Monte Carlo and integration."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import integrate, linalg, stats

from keras_ae import divergences
from keras_ae.distributions import DiagonalNormal, FullNormal, StandardNormal, bound

BATCH, DIM, SAMPLES = 4, 3, 20000


@pytest.fixture
def diagonal(rng):
    mean, log_var = rng.normal(size=(2, BATCH, DIM)).astype("float32")
    return DiagonalNormal(ops.array(mean), ops.array(log_var))


@pytest.fixture
def full(rng):
    mean, log_var = rng.normal(size=(2, BATCH, DIM)).astype("float32")
    lower = rng.normal(size=(BATCH, DIM * (DIM - 1) // 2)).astype("float32")
    return FullNormal.from_parameters(*map(ops.array, (mean, log_var, lower)))


@pytest.fixture(params=["diagonal", "full"])
def q(request):
    return request.getfixturevalue(request.param)


def covariance(q, i):
    if isinstance(q, DiagonalNormal):
        return np.diag(np.exp(np.asarray(q.log_var[i], "float64")))
    factor = np.asarray(q.scale_tril[i], "float64")
    return factor @ factor.T


def scipy_log_prob(q, z):
    columns = [stats.multivariate_normal(q.mean[i], covariance(q, i)).logpdf(z[..., i, :]) for i in range(BATCH)]
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("leading", [(), (5,), (2, 5)])
def test_log_prob(q, leading, rng):
    z = rng.normal(size=(*leading, BATCH, DIM)).astype("float32")
    found = np.asarray(q.log_prob(ops.array(z)))
    assert found.shape == (*leading, BATCH)
    np.testing.assert_allclose(found, scipy_log_prob(q, z), rtol=1e-4, atol=1e-4)


def test_log_prob_of_a_grid_of_codes(rng):
    mean, log_var, z = rng.normal(size=(3, BATCH, 2, 3)).astype("float32")
    expected = stats.norm(mean, np.exp(0.5 * log_var)).logpdf(z).sum(axis=(1, 2))
    np.testing.assert_allclose(DiagonalNormal(mean, log_var).log_prob(z), expected, rtol=1e-5)
    np.testing.assert_allclose(StandardNormal((2, 3)).log_prob(z), stats.norm().logpdf(z).sum(axis=(1, 2)), rtol=1e-5)


def test_layout_of_the_full_covariance():
    q = FullNormal.from_parameters(
        ops.zeros((1, 3)), 2 * ops.log(ops.array([[1.0, 2.0, 3.0]])), ops.array([[4.0, 5, 6]])
    )
    np.testing.assert_allclose(q.scale_tril[0], [[1, 0, 0], [4, 2, 0], [5, 6, 3]], rtol=1e-6)
    np.testing.assert_allclose(q.variance()[0], [1, 20, 70], rtol=1e-6)
    np.testing.assert_allclose(q.log_det()[0], np.log(36), rtol=1e-6)


@pytest.mark.parametrize("dim", [1, 2, 3, 8, 21])
def test_inverse_of_the_factor(dim, rng):
    lower = np.tril(rng.normal(size=(BATCH, dim, dim)), -1) + np.eye(dim) * rng.uniform(0.5, 2, (BATCH, 1, dim))
    expected = linalg.inv(lower)
    found = FullNormal(np.zeros((BATCH, dim)), ops.array(lower)).inverse_scale()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_full_covariance_in_one_dimension():
    q = FullNormal.from_parameters(ops.ones((1, 1)), ops.zeros((1, 1)), ops.zeros((1, 0)))
    np.testing.assert_allclose(q.log_prob(ops.ones((1, 1))), stats.norm.logpdf(0), rtol=1e-6)


@pytest.mark.parametrize("leading", [(SAMPLES,), (2, SAMPLES // 2)])
def test_samples_have_the_moments(q, leading, rng):
    z = np.asarray(q.rsample(ops.array(rng.normal(size=(*leading, BATCH, DIM)).astype("float32")))).astype("float64")
    z = z.reshape(SAMPLES, BATCH, DIM)
    for i in range(BATCH):
        expected = covariance(q, i)
        error = np.sqrt(np.diag(expected) / SAMPLES)
        assert (np.abs(z[:, i].mean(axis=0) - q.mean[i]) < 5 * error).all()
        spread = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / SAMPLES)
        assert (np.abs(np.cov(z[:, i].T) - expected) < 5 * spread).all()


def test_kl_against_monte_carlo(q, rng):
    z = q.rsample(ops.array(rng.normal(size=(SAMPLES, BATCH, DIM)).astype("float32")))
    prior = StandardNormal((DIM,))
    draws = np.asarray(divergences.kl_sample(q, prior, z), "float64")
    error = draws.std(axis=0) / np.sqrt(SAMPLES)
    found = np.asarray(divergences.kl(q, prior))
    assert found.shape == (BATCH,)
    assert (np.abs(found - draws.mean(axis=0)) < 5 * error).all()
    assert (error < 0.05).all()


@pytest.mark.parametrize("mean, log_var", [(0.0, 0.0), (1.5, 0.7), (-0.3, -3.0)])
def test_kl_against_integration(mean, log_var):
    q, p = stats.norm(mean, np.exp(0.5 * log_var)), stats.norm()
    expected, _ = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), *q.interval(1 - 1e-14))
    found = divergences.kl(DiagonalNormal(ops.array([[mean]]), ops.array([[log_var]])), StandardNormal((1,)))
    np.testing.assert_allclose(found, [expected], rtol=1e-5, atol=1e-7)


def test_kl_of_both_covariances_agree(diagonal):
    full = FullNormal.from_parameters(*diagonal, ops.zeros((BATCH, DIM * (DIM - 1) // 2)))
    prior = StandardNormal((DIM,))
    np.testing.assert_allclose(divergences.kl(full, prior), divergences.kl(diagonal, prior), rtol=1e-5)


def test_kl_is_sampled_where_there_is_no_closed_form(diagonal, rng):
    class Other(StandardNormal):
        pass

    z = ops.array(rng.normal(size=(BATCH, DIM)).astype("float32"))
    found = divergences.kl(diagonal, Other((DIM,)), z)
    np.testing.assert_allclose(found, diagonal.log_prob(z) - StandardNormal((DIM,)).log_prob(z))


def test_prior_samples(rng):
    z = np.asarray(StandardNormal((2, 3)).sample(SAMPLES, keras.random.SeedGenerator(0)))
    assert z.shape == (SAMPLES, 2, 3)
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(z.reshape(SAMPLES, 6).T) - np.eye(6)).max() < 5 / np.sqrt(SAMPLES)


def test_bound_is_smooth_and_never_flat():
    raw = tf.constant([-1e4, -100.0, -1.0, 0.0, 1.0, 100.0, 1e4])
    with tf.GradientTape() as tape:
        tape.watch(raw)
        values = bound(raw)
    slope = tape.gradient(values, raw).numpy()
    assert (np.abs(values) <= 20).all()
    assert (slope > 0).all()
    assert slope[3] == 1
    np.testing.assert_allclose(values[2:5], [-1, 0, 1], atol=2e-3)
    assert np.isfinite(np.exp(values)).all()
