"""The importance-weighted bound and its two gradients, on linear models whose log p(x) is known."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import special, stats

import keras_ae
from keras_ae.distributions.likelihoods import Normal
from keras_ae.evaluation import log_likelihood
from keras_ae.models import Batch
from tests.linear import VARIANCE, linear_vae

VALUES, LATENT = 5, 2


def linear_gaussian(name, widen=1.0, shift=0.0, n=6, **arguments):
    """A linear Gaussian model, n examples of it, their exact log p(x), and KL(q(z|x) || p(z|x)), the same for all."""
    model, x, exact = linear_vae(LATENT, widen, shift, VALUES, n, name=name, **arguments)
    model.compile("adam", run_eagerly=True)
    w = np.asarray(model.output_head.kernel)[:LATENT]
    distance = shift**2 * (np.eye(LATENT) + w @ w.T / VARIANCE).sum()
    return model, x, exact, 0.5 * (distance + LATENT * (widen - 1 - np.log(widen)))


def bounds(model, x, repeats=1):
    """The bound of each example, once for each of `repeats` draws of the noise: (repeats, n)."""
    many = tf.constant(np.tile(x, (repeats, 1)))
    terms = model.objective(Batch(many, many), training=False)
    return -np.asarray(terms["negative_bound"], "float64").reshape(repeats, len(x))


@pytest.mark.parametrize("doubly", [False, True])
@pytest.mark.parametrize("samples", [2, 5])
def test_the_exact_posterior_gives_the_exact_value(samples, doubly):
    model, x, exact, gap = linear_gaussian("iwae", samples=samples, doubly_reparameterized=doubly)
    assert gap == 0
    np.testing.assert_allclose(bounds(model, x)[0], exact, atol=1e-4)
    assert model.evaluate(x, verbose=0)[0] == pytest.approx(-exact.mean(), abs=1e-4)


@pytest.mark.parametrize("doubly", [False, True])
def test_the_bound_rises_with_k_and_stays_below_the_exact_value(doubly):
    repeats, means, errors = 3000, [], []
    for samples in (2, 4, 16):
        model, x, exact, gap = linear_gaussian(
            "iwae", widen=2.0, shift=0.5, samples=samples, doubly_reparameterized=doubly
        )
        draws = bounds(model, x, repeats).mean(axis=1)
        means.append(draws.mean())
        errors.append(draws.std() / np.sqrt(repeats))
    assert exact.mean() - gap + 5 * errors[0] < means[0]  # K = 1 is the ELBO
    assert means[0] + 5 * errors[0] < means[1] - 5 * errors[1]
    assert means[1] + 5 * errors[1] < means[2] - 5 * errors[2]
    assert means[2] < exact.mean() - 5 * errors[2]


def test_one_sample_is_the_elbo_in_expectation():
    model, x, exact, gap = linear_gaussian("iwae", widen=2.0, shift=0.5, samples=1)
    draws = bounds(model, x, 4000)
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - (exact - gap)) < 5 * error).all()


@pytest.mark.parametrize("posterior", ["full", "diagonal"])
def test_the_loss_of_given_noise_is_that_computed_by_hand(posterior, rng, monkeypatch):
    options = {"network_options": {"hidden": (4,)}, "posterior": posterior, "likelihood": Normal(VARIANCE)}
    model = keras_ae.create("iwae", (VALUES,), LATENT, seed=1, samples=3, **options)
    x = rng.normal(size=(6, VALUES)).astype("float32")
    noise = rng.normal(size=(3, 6, LATENT)).astype("float32")
    monkeypatch.setattr(model, "sampling", lambda q, samples: q.rsample(noise))
    q = model.posterior(x)
    z = np.asarray(q.rsample(noise), "float64")
    log_w = stats.norm.logpdf(z).sum(axis=2)
    for k, i in np.ndindex(3, 6):
        params = np.asarray(model.decode_params(z[k, i][None].astype("float32")), "float64")
        factor = np.diag(np.exp(0.5 * q.log_var[i])) if posterior == "diagonal" else np.asarray(q.scale_tril[i])
        log_w[k, i] += stats.norm(params, np.sqrt(VARIANCE)).logpdf(x[i]).sum()
        log_w[k, i] -= stats.multivariate_normal(q.mean[i], factor @ factor.T).logpdf(z[k, i])
    expected = special.logsumexp(log_w, axis=0) - np.log(3)
    for doubly in (False, True):
        vars(model)["doubly_reparameterized"] = doubly
        np.testing.assert_allclose(bounds(model, x)[0], expected, rtol=1e-4)


def test_the_loss_is_the_estimate_of_the_evaluation_in_expectation():
    model, x, _, _ = linear_gaussian("iwae", widen=2.0, shift=0.5, samples=3)
    losses = bounds(model, x, 3000)
    estimates = log_likelihood(model, np.tile(x, (3000, 1)), samples=3).log_prob.reshape(3000, -1)
    error = np.sqrt((losses.var(axis=0) + estimates.var(axis=0)) / 3000)
    assert (np.abs(losses.mean(axis=0) - estimates.mean(axis=0)) < 5 * error).all()
    assert (error < 0.05).all()


def gradient_function(model, variables):
    """Compiled: x -> gradients of the mean loss, in a row."""

    @tf.function
    def gradients(x):
        with tf.GradientTape() as tape:
            loss = ops.mean(model.objective(Batch(x, x), training=True)["negative_bound"])
        found = tape.gradient(loss, [variable.value for variable in variables])
        return tf.concat([tf.reshape(gradient, [-1]) for gradient in found], axis=0)

    return gradients


def both_forms(**arguments):
    """The model with either gradient, and x."""
    plain, x, *_ = linear_gaussian("iwae", doubly_reparameterized=False, **arguments)
    doubly, *_ = linear_gaussian("iwae", doubly_reparameterized=True, **arguments)
    return plain, doubly, tf.constant(x)


def test_both_gradients_of_the_encoder_have_the_same_expectation():
    plain, doubly, x = both_forms(widen=1.7, shift=0.3, samples=4)
    x, draws = tf.repeat(x[:2], 500, axis=0), 60
    means, errors = [], []
    for model in (plain, doubly):
        heads = [model.mean_head, model.log_var_head, model.lower_head]
        gradients = gradient_function(model, [weight for head in heads for weight in head.trainable_weights])
        values = np.array([gradients(x) for _ in range(draws)], "float64")
        means.append(values.mean(axis=0))
        errors.append(values.std(axis=0) / np.sqrt(draws))
    error = np.hypot(*errors)
    assert len(error) == (VALUES + 1) * (2 * LATENT + 1)
    assert (np.abs(means[0] - means[1]) < 4.5 * error).all()
    assert np.abs(means[0] / error).max() > 50  # so that a wrong one would be seen
    assert (errors[1] < errors[0]).mean() > 0.8


def test_both_gradients_of_the_decoder_are_the_same_for_the_same_noise():
    plain, doubly, x = both_forms(widen=1.7, shift=0.3, samples=4)
    found = [gradient_function(model, model.output_head.trainable_weights)(x) for model in (plain, doubly)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-5)
    assert np.abs(found[0]).min() > 1e-3


def test_at_the_exact_posterior_the_doubly_reparameterised_gradient_has_no_noise():
    """log w is the same for every z then; the plain gradient is zero in expectation only."""
    plain, doubly, x = both_forms(samples=4)
    weights = [gradient_function(model, model.mean_head.trainable_weights)(x) for model in (plain, doubly)]
    assert np.abs(weights[1]).max() < 1e-4
    assert np.abs(weights[0]).max() > 0.05


def test_the_gradient_reaches_the_encoder_of_a_diagonal_posterior_too(rng):
    x = tf.constant(np.repeat(rng.random((1, VALUES)).astype("float32"), 3000, axis=0))
    means, errors = [], []
    for doubly in (False, True):
        options = {"network_options": {"hidden": (3,)}, "samples": 3, "doubly_reparameterized": doubly}
        model = keras_ae.create("iwae", (VALUES,), LATENT, seed=0, likelihood="normal", **options)
        gradients = gradient_function(model, model.encoder.trainable_weights)
        values = np.array([gradients(x) for _ in range(20)], "float64")
        means.append(values.mean(axis=0))
        errors.append(values.std(axis=0) / np.sqrt(20))
    assert (np.abs(means[0] - means[1]) <= 5 * np.hypot(*errors)).all()
    assert np.abs(means[1]).max() > 20 * errors[1].max()
