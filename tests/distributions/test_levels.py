"""Likelihoods of grey levels against SciPy and against themselves."""

import itertools

import numpy as np
import pytest
from keras import ops
from scipy import stats

import keras_ae
from keras_ae.distributions import likelihoods
from keras_ae.errors import InputError

ALL = likelihoods.OF_LEVELS


def parameters(likelihood, spread, seed=0):
    return np.random.default_rng(seed).normal(size=(5, 3, likelihood.parameters), scale=spread).astype("float32")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("spread", [0.5, 5.0, 50.0])
def test_probabilities_sum_to_one(name, levels, spread):
    likelihood = ALL[name](levels)
    params = parameters(likelihood, spread)
    p = ops.convert_to_numpy(likelihood.probabilities(params))
    assert p.shape == (5, 3, 1, levels)
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, atol=2e-3)
    for level in (0, levels // 2, levels - 1):
        found = likelihood.log_prob(np.full((5, 3, 1), level), params)
        assert np.isfinite(found).all()
        expected = np.log(np.maximum(p[..., 0, level], 1e-30)).sum(axis=-1)
        seen = expected > -60
        np.testing.assert_allclose(ops.convert_to_numpy(found)[seen], expected[seen], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", ALL)
def test_mean_and_samples_are_those_of_the_probabilities(name):
    likelihood = ALL[name](9)
    params = parameters(likelihood, 1.0)
    p = ops.convert_to_numpy(likelihood.probabilities(params))
    np.testing.assert_allclose(likelihood.mean(params), p @ np.arange(9.0), rtol=1e-4, atol=1e-4)
    many = np.repeat(params[:1], 20_000, axis=0)
    x = ops.convert_to_numpy(likelihood.sample(many, keras_ae.backend.KeyedSeed(1)))
    shares = np.stack([(x == level).mean(axis=0) for level in range(9)], axis=-1)
    np.testing.assert_allclose(shares, p[0], atol=0.02)


@pytest.mark.parametrize("name", ["discretized_logistic", "discretized_logistic_mixture", "quantized_normal"])
def test_masses_are_sums_of_probabilities(name):
    likelihood, edges = ALL[name](17), np.array([0, 5, 6, 12, 17, 17], "float32")
    params = parameters(likelihood, 3.0)
    p = ops.convert_to_numpy(likelihood.probabilities(params))
    expected = np.stack([p[..., int(a) : int(b)].sum(axis=-1) for a, b in itertools.pairwise(edges)], axis=-1)
    np.testing.assert_allclose(likelihood.masses(params, edges), expected, rtol=1e-4, atol=1e-6)


def test_quantized_normal_is_scipys():
    likelihood = likelihoods.QuantizedNormal(5)
    p = ops.convert_to_numpy(likelihood.probabilities(np.array([[0.25, -0.5]], "float32")))[0, 0]
    location, scale = 2 + 2 * 0.25, 2 * np.exp(-7 + np.log1p(np.exp(6.5)))
    edges = stats.norm.cdf([-np.inf, 0.5, 1.5, 2.5, 3.5, np.inf], location, scale)
    np.testing.assert_allclose(p, (1 - 1e-5) * np.diff(edges) + 1e-5 / 5, rtol=1e-3)


def test_discretized_logistic_is_scipys():
    likelihood = likelihoods.DiscretizedLogistic(5)
    p = ops.convert_to_numpy(likelihood.probabilities(np.array([[0.25, -0.5]], "float32")))[0, 0]
    location, scale = 2 + 2 * 0.25, 2 * np.exp(-7 + np.log1p(np.exp(6.5)))
    edges = stats.logistic.cdf([-np.inf, 0.5, 1.5, 2.5, 3.5, np.inf], location, scale)
    np.testing.assert_allclose(p, np.diff(edges), rtol=1e-3)


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("location", [-0.9, 0.0, 0.9])
def test_probabilities_of_logistics_are_exact_in_both_tails(components, location):
    likelihood = likelihoods.DiscretizedLogistic(256, components)
    params = np.repeat([location, -4.0, 0.0], components)[None, : likelihood.parameters].astype("float32")
    p = np.asarray(likelihood.probabilities(params), "float64")[0, 0]
    levels = np.arange(256.0)[:, None]
    log_p = np.asarray(likelihood.log_prob(levels, np.repeat(params, 256, axis=0)))
    seen = log_p > -80  # above the smallest float32
    assert seen.sum() > 150
    np.testing.assert_allclose(np.log(p[seen]), log_p[seen], atol=1e-3)


def test_beta_binomial_is_scipys():
    p = ops.convert_to_numpy(likelihoods.BetaBinomial(5).probabilities(np.array([[1.0, -0.5]], "float32")))[0, 0]
    a, b = (np.exp(raw / np.sqrt(1 + (raw / 7) ** 2)) for raw in (1.0, -0.5))
    np.testing.assert_allclose(p, stats.betabinom.pmf(np.arange(5), 4, a, b), rtol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_a_model_of_levels_trains(name):
    data = keras_ae.data.load("digits", "train", levels=True)
    model = keras_ae.create("vae", data.shape, latent_dim=2, likelihood=ALL[name](17), seed=0)
    model.compile("adam")
    losses = model.fit(data.x[:256], epochs=3, batch_size=64, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert set(np.unique(model.sample(3, seed=0, observation="sample"))) <= set(range(17))


def test_levels_outside_are_refused():
    model = keras_ae.create("vae", (2,), latent_dim=1, likelihood=likelihoods.BetaBinomial(4), seed=0)
    with pytest.raises(InputError, match=r"whole numbers from 0 to 3 for BetaBinomial\(levels=4\)"):
        model.encode(np.array([[0.0, 4.0]]))
