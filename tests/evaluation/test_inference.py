"""Inference for each example against the exact posterior of linear models."""

import math

import keras
import numpy as np
import pytest

import keras_ae
from keras_ae.evaluation import elbo, inference_gap, optimise_posterior
from tests.conformance.table import weights
from tests.linear import VARIANCE, linear_vae


def precision_of(model):
    """Of the exact posterior."""
    w = np.asarray(model.output_head.kernel, "float64").T
    return np.eye(w.shape[1]) + w.T @ w / VARIANCE


def loss_of_diagonal(model):
    """KL of the best diagonal normal, of variances 1 / P_jj, to the exact posterior of precision P."""
    precision = precision_of(model)
    return 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])


@pytest.mark.parametrize("start", ["encoder", "prior"])
def test_a_full_posterior_reaches_the_exact_one(start):
    model, x, exact = linear_vae(3, widen=2.0, shift=0.3)
    before = weights(model)
    found = optimise_posterior(model, x, steps=400, family="full", start=start)
    np.testing.assert_allclose(found.elbo, exact, atol=0.1)
    assert found.elbo.mean() == pytest.approx(exact.mean(), abs=0.02)
    covariance = np.einsum("bij,bkj->bik", found.distribution.scale_tril, found.distribution.scale_tril)
    np.testing.assert_allclose(
        covariance, np.broadcast_to(np.linalg.inv(precision_of(model)), covariance.shape), atol=0.05
    )
    assert (found.elbo >= found.elbo_at_start - 1e-6).all()
    assert found.history[-20:].mean() > found.history[:20].mean()
    if start == "encoder":
        np.testing.assert_allclose(found.elbo_at_start.mean(), elbo(model, x, samples=2000).elbo.mean(), atol=0.3)
    assert all(np.array_equal(a, b) for a, b in zip(before, weights(model), strict=True))


def test_a_diagonal_posterior_reaches_the_best_of_its_family():
    """Variances 1 / P_jj at the exact mean; it loses (sum_j log P_jj - log det P) / 2 nats."""
    model, x, exact = linear_vae(6)
    found = optimise_posterior(model, x, steps=400)
    precision, loss = precision_of(model), loss_of_diagonal(model)
    np.testing.assert_allclose(exact - found.elbo, loss, atol=0.5)
    assert (exact - found.elbo).mean() == pytest.approx(loss, abs=0.05)
    np.testing.assert_allclose(np.exp(found.distribution.log_var).mean(axis=0), 1 / np.diag(precision), rtol=0.15)


def test_the_gap_and_its_parts():
    """The encoder's posterior has the right family and c times the right covariance: all of its gap is amortisation."""
    model, x, exact = linear_vae(3, widen=2.0, shift=0.2)
    gap = inference_gap(model, x, steps=400, samples=200)
    np.testing.assert_allclose(gap.log_prob, exact, atol=0.02)
    assert gap.estimator == "importance from optimised posteriors, K=200"
    total = 0.5 * (3 * (1 - math.log(2)) + 0.04 * precision_of(model).sum())
    assert gap.total.mean() == pytest.approx(total, abs=0.15)
    assert gap.approximation.mean() == pytest.approx(0, abs=0.02)
    assert gap.amortisation.mean() == pytest.approx(total, abs=0.15)
    np.testing.assert_allclose(gap.approximation + gap.amortisation, gap.total, atol=1e-9)
    assert (gap.amortisation >= -1e-6).all() and (gap.approximation > -0.1).all()


def test_the_gap_of_another_family():
    model, x, exact = linear_vae(6)
    gap = inference_gap(model, x, steps=300, family="diagonal", samples=200, temperatures=20, chains=4)
    np.testing.assert_allclose(gap.log_prob, exact, atol=0.1)
    assert loss_of_diagonal(model) > 0.3
    assert gap.approximation.mean() == pytest.approx(loss_of_diagonal(model), abs=0.1)


@pytest.mark.parametrize("family", ["diagonal", "full"])
def test_it_goes_on_from_what_it_found(family):
    model, x, _ = linear_vae(3, shift=1.0)
    first = optimise_posterior(model, x, steps=30, family=family)
    second = optimise_posterior(model, x, steps=1, family=family, start=first.distribution, learning_rate=1e-9)
    for found, expected in zip(second.distribution, first.distribution, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(keras_ae.InputError, match=r"shape \(30, 3\).*\(4, 3\)"):
        optimise_posterior(model, x, start=type(first.distribution)(*(value[:4] for value in first.distribution)))


def test_chunks_and_conditions(rng):
    options = {"condition_dim": 3, "network_options": {"hidden": (8,)}, "seed": 0, "learned_prior": True}
    model = keras_ae.create("conditional_vae", (6,), 2, **options)
    x, y = rng.integers(0, 2, (7, 6)).astype("float32"), np.arange(7) % 3
    found = optimise_posterior(model, x, steps=50, condition=y, rows=12, samples=4)
    assert found.elbo.shape == (7,) and found.distribution.mean.shape == (7, 2)
    assert found.elbo.mean() > found.elbo_at_start.mean()
    flat = [keras.Sequential([keras.Input(shape), keras.layers.Flatten()]) for shape in ((4, 4, 1), (2, 2, 1))]
    grid = keras_ae.VAE(*flat, (2, 2, 1), seed=0)
    assert optimise_posterior(grid, np.ones((3, 4, 4, 1)), steps=5).distribution.mean.shape == (3, 2, 2, 1)
    with pytest.raises(keras_ae.InputError, match="integer latent_dim"):
        optimise_posterior(grid, np.ones((3, 4, 4, 1)), family="full")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"steps": 0}, "steps must be"),
        ({"samples": 0}, "samples must be"),
        ({"family": "ful"}, "'ful'.*'full'"),
        ({"start": "encode"}, "start must be 'encoder' or 'prior'.*'encode'"),
        ({"learning_rate": 0}, "learning_rate must be"),
    ],
)
def test_bad_arguments(arguments, message):
    model, x, _ = linear_vae(2)
    with pytest.raises(keras_ae.InputError, match=message):
        optimise_posterior(model, x, **arguments)


def test_deterministic_models():
    for function in (optimise_posterior, inference_gap):
        with pytest.raises(keras_ae.InputError, match="AE is deterministic"):
            function(keras_ae.create("ae", (4,), 2), np.ones((3, 4)))
