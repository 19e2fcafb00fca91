"""The terms of the bound against closed forms."""

import math

import numpy as np
import pytest

import keras_ae
from keras_ae.distributions.likelihoods import Normal
from keras_ae.evaluation import elbo
from tests.linear import linear_vae


@pytest.mark.parametrize("latent_dim", [2, 20])
def test_distortion_and_rate(latent_dim):
    """log p(x) - ELBO = KL(q || p(z|x)) = (d (c - 1 - log c) + s^T P s) / 2: c times the covariance P^-1, shift s."""
    model, x, exact = linear_vae(latent_dim, widen=1.5, shift=0.2)
    found = elbo(model, x, samples=2000)
    w = np.asarray(model.output_head.kernel, "float64").T
    precision = np.eye(latent_dim) + w.T @ w / 0.5
    kl = 0.5 * (latent_dim * (0.5 - math.log(1.5)) + 0.04 * precision.sum())
    np.testing.assert_allclose(exact - found.elbo, kl, atol=0.4)
    assert (exact - found.elbo).mean() == pytest.approx(kl, abs=0.05)
    evaluated = model.evaluate(np.repeat(x, 20, axis=0), return_dict=True, verbose=0)
    assert found.rate.mean() == pytest.approx(evaluated["kl"], rel=1e-5)
    assert found.distortion.mean() == pytest.approx(evaluated["reconstruction"], rel=0.02)


def separated(full, scale=10.0, log_var=-2.0):
    """A model whose code of x in {-1, 1}^2 is N(scale x, exp(log_var) I)."""
    options = {"network_options": {"hidden": ()}, "posterior": "full" if full else "diagonal"}
    model = keras_ae.create("vae", (2,), 2, seed=0, likelihood=Normal(1.0), **options)
    model.mean_head.kernel.assign(scale * np.eye(2))
    model.log_var_head.kernel.assign(np.zeros((2, 2)))
    model.log_var_head.bias.assign(np.full(2, log_var / math.sqrt(1 - (log_var / 20) ** 2)))
    if full:
        model.lower_head.kernel.assign(np.zeros((2, 1)))
    return model


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    "x, information, correlation",
    [
        ([[1, 1], [1, -1], [-1, 1], [-1, -1]], math.log(4), 0.0),  # the dimensions are independent
        ([[1, 1], [-1, -1]], math.log(2), math.log(2)),  # each tells the other
        ([[1, 1], [1, 1]], 0.0, 0.0),  # one code
    ],
)
def test_the_split_of_the_rate(x, information, correlation, full):
    x = np.repeat(np.array(x, "float32"), 50, axis=0)
    found = elbo(separated(full), x)
    assert found.mutual_information == pytest.approx(information, abs=0.2)
    assert found.total_correlation == pytest.approx(correlation, abs=1e-6)
    parts = found.mutual_information + found.total_correlation + found.dimension_wise_kl.sum()
    assert parts == pytest.approx(found.rate.mean(), rel=1e-5)
    # Of a mixture of two separated normals in each dimension (of one, in the last case).
    entropy = 0.5 * (math.log(2 * math.pi) + 1 - 2.0) + (math.log(2) if information else 0.0)
    cross_entropy = 0.5 * (math.log(2 * math.pi) + 100 + math.exp(-2.0))
    np.testing.assert_allclose(found.dimension_wise_kl, cross_entropy - entropy, atol=0.2)


def test_fewer_draws_than_examples_split_the_same_rate():
    model, x, _ = linear_vae(3)
    all_draws, few = elbo(model, x), elbo(model, x, draws=10)
    np.testing.assert_array_equal(all_draws.rate, few.rate)
    assert few.mutual_information + few.total_correlation + few.dimension_wise_kl.sum() == pytest.approx(
        few.rate.mean(), rel=1e-5
    )
    assert few.mutual_information != all_draws.mutual_information


def test_a_prior_that_depends_on_the_condition_has_no_split(rng):
    options = {"condition_dim": 3, "network_options": {"hidden": (8,)}, "seed": 0}
    x, y = rng.integers(0, 2, (6, 6)).astype("float32"), np.arange(6) % 3
    learned = elbo(keras_ae.create("conditional_vae", (6,), 2, learned_prior=True, **options), x, condition=y)
    assert learned.mutual_information is learned.total_correlation is learned.dimension_wise_kl is None
    assert learned.elbo.shape == (6,)
    fixed = elbo(keras_ae.create("conditional_vae", (6,), 2, **options), x, condition=y)
    assert fixed.mutual_information is not None


def test_bad_arguments():
    model, x, _ = linear_vae(2)
    with pytest.raises(keras_ae.InputError, match="AE is deterministic"):
        elbo(keras_ae.create("ae", (12,), 2), x)
    for name in ("samples", "rows", "draws"):
        with pytest.raises(keras_ae.InputError, match=f"{name} must be"):
            elbo(model, x, **{name: 0})
