"""Linear models have exact answers: PCA, probabilistic PCA, and log p(x) of a linear Gaussian model."""

import keras
import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from sklearn.decomposition import PCA

import keras_ae
from keras_ae.backend import KeyedSeed
from keras_ae.distributions.likelihoods import Bernoulli, Normal
from keras_ae.errors import InputError
from keras_ae.evaluation import baselines, evaluate, log_likelihood
from keras_ae.optimizers import Adam

LINEAR = {"network_options": {"hidden": ()}}


@pytest.mark.parametrize("tied", [False, True])
def test_linear_autoencoder_is_pca(grey_digits, tied):
    x = grey_digits[0]
    flat = x.reshape(len(x), -1)
    model = keras_ae.LinearAE((8, 8, 1), 4, tied=tied, seed=0)
    epochs, batch_size = 300, 256
    steps = epochs * -(-len(x) // batch_size)
    model.compile(Adam(keras.optimizers.schedules.CosineDecay(0.03, steps)))
    history = model.fit(x, epochs=epochs, batch_size=batch_size, verbose=0).history
    pca = PCA(4).fit(flat)
    components, variances = model.components(x)
    angles = scipy.linalg.subspace_angles(components.reshape(4, -1).T, pca.components_.T)
    assert np.degrees(angles.max()) < 1
    np.testing.assert_allclose(variances, pca.explained_variance_, rtol=0.01)
    np.testing.assert_allclose(components.reshape(4, -1) @ components.reshape(4, -1).T, np.eye(4), atol=1e-5)
    residual = np.square(flat - pca.inverse_transform(pca.transform(flat))).sum(1).mean()
    assert history["loss"][-1] == pytest.approx(residual, rel=0.01)


def test_without_data_the_components_are_an_orthonormal_basis():
    model = keras_ae.LinearAE((6,), 3, seed=0)
    components, variances = model.components()
    assert variances is None
    np.testing.assert_allclose(components @ components.T, np.eye(3), atol=1e-6)
    decoder = np.asarray(model.decoder_matrix())
    np.testing.assert_allclose(decoder @ components.T @ components, decoder, atol=1e-5)


@pytest.mark.parametrize("posterior", ["diagonal", "full"])
def test_linear_vae_reaches_the_evidence_of_probabilistic_pca(posterior):
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(2000, 3)) * [2.0, 1.5, 1.0]
    x = (factors @ rng.normal(size=(3, 10)) / 2 + rng.normal(size=(2000, 10)) * 0.5 + 1).astype("float32")
    model = keras_ae.create("vae", (10,), 3, likelihood=Normal("learned"), posterior=posterior, seed=0, **LINEAR)
    model.compile(Adam(keras.optimizers.schedules.CosineDecay(0.02, 200 * 10)))
    model.fit(x, epochs=200, batch_size=200, verbose=0)
    evidence = PCA(3).fit(x).score(x)
    estimate = log_likelihood(model, x, samples=100)
    assert estimate.log_prob.mean() == pytest.approx(evidence, abs=0.5)
    assert -model.evaluate(x, verbose=0, return_dict=True)["loss"] == pytest.approx(evidence, abs=0.5)


def linear_gaussian(dim, latent, variance=0.5):
    """A VAE with p(x|z) = N(W z + b, variance I), and its exact log p(x)."""
    model = keras_ae.create("vae", (dim,), latent, likelihood=Normal(variance), posterior="full", seed=0, **LINEAR)
    rng = np.random.default_rng(1)
    w, b = rng.normal(size=(latent, dim)) / np.sqrt(latent), rng.normal(size=dim)
    model.output_head.kernel.assign(w)
    model.output_head.bias.assign(b)
    exact = scipy.stats.multivariate_normal(b, w.T @ w + variance * np.eye(dim))
    # q(z|x): the exact posterior's mean, and a covariance that is a little too wide
    precision = np.eye(latent) + w @ w.T / variance
    gain = w.T @ np.linalg.inv(precision) / variance
    model.mean_head.kernel.assign(gain)
    model.mean_head.bias.assign(-b @ gain)
    scale = np.linalg.cholesky(np.linalg.inv(precision))
    model.log_var_head.kernel.assign(np.zeros((dim, latent)))
    model.log_var_head.bias.assign(2 * np.log(np.diag(scale)) + 0.2)
    model.lower_head.kernel.assign(np.zeros((dim, latent * (latent - 1) // 2)))
    model.lower_head.bias.assign(scale[np.tril_indices(latent, -1)])
    return model, exact.rvs(200, random_state=2).astype("float32"), exact


@pytest.mark.parametrize(("dim", "latent"), [(4, 2), (50, 20)])
def test_the_importance_bound_meets_the_exact_evidence(dim, latent):
    model, x, exact = linear_gaussian(dim, latent)
    truth = exact.logpdf(x)
    previous = None
    for samples in (1, 10, 100, 1000):
        found = log_likelihood(model, x, samples=samples, seed=3)
        mean, error = found.log_prob.mean(), found.log_prob.std() / np.sqrt(len(x))
        if previous is not None:
            assert mean >= previous - 0.1 * error
        previous = mean
    assert (np.abs(found.log_prob - truth) < 6 * found.standard_error + 1e-3).all()
    assert np.abs(found.log_prob - truth).mean() < 0.1
    assert (found.effective_sample_size > 1).all() and (found.effective_sample_size <= 1000).all()


def test_one_sample_is_the_sampled_elbo():
    model, x, _ = linear_gaussian(4, 2)
    batch = model.pack((x,))
    z, log_q = model.propose(batch, 1, KeyedSeed(7))
    by_hand = scipy.stats.norm.logpdf(x, np.asarray(model.decode_mean(z[0])), np.sqrt(0.5)).sum(1)
    by_hand += scipy.stats.norm.logpdf(np.asarray(z[0])).sum(1) - np.asarray(log_q[0])
    np.testing.assert_allclose(-np.asarray(model.score(x, KeyedSeed(7), 1)), by_hand, rtol=1e-4)
    one = log_likelihood(model, x, samples=1, seed=0)
    many = np.mean([log_likelihood(model, x, samples=1, seed=seed).log_prob.mean() for seed in range(30)])
    model.compile()
    assert many == pytest.approx(-model.evaluate(x, verbose=0, return_dict=True)["loss"], abs=0.1)
    assert np.isnan(one.standard_error).all() and (one.effective_sample_size == 1).all()


def test_the_standard_error_is_what_repetitions_show():
    model, x, _ = linear_gaussian(4, 2)
    runs = [log_likelihood(model, x[:50], samples=200, seed=seed) for seed in range(40)]
    spread = np.std([run.log_prob for run in runs], axis=0)
    stated = np.mean([run.standard_error for run in runs], axis=0)
    assert 0.8 < (spread / stated).mean() < 1.2


def test_the_size_of_the_chunks_does_not_matter():
    model, x, exact = linear_gaussian(4, 2)
    for rows in (7, 500, 100_000):
        found = log_likelihood(model, x[:20], samples=333, rows=rows)
        np.testing.assert_allclose(found.log_prob, exact.logpdf(x[:20]), atol=0.3)


def test_deterministic_models_have_no_likelihood():
    with pytest.raises(InputError, match="deterministic"):
        log_likelihood(keras_ae.create("ae", (4,), 2), np.ones((3, 4)))


def test_baselines_are_what_they_say(rng):
    train, test = (rng.normal(size=(n, 6)) @ rng.normal(size=(6, 6)) for n in (300, 100))
    pca, independent = baselines(train, test, 2, Normal())
    fitted = PCA(2).fit(train)
    expected = np.square(test - fitted.inverse_transform(fitted.transform(test))).sum(1).mean()
    assert pca["squared_error"] == pytest.approx(expected)
    assert pca["log_prob"] == pytest.approx(fitted.score(test))
    normal = scipy.stats.norm(train.mean(0), train.std(0)).logpdf(test).sum(1).mean()
    assert independent["log_prob"] == pytest.approx(normal)
    binary_train, binary_test = (train > 0) * 1.0, (test > 0) * 1.0
    p = (binary_train.sum(0) + 1) / 302
    expected = scipy.stats.bernoulli.logpmf(binary_test, p).sum(1).mean()
    assert baselines(binary_train, binary_test, 2, Bernoulli())[1]["log_prob"] == pytest.approx(expected)


def test_bits_per_dimension_are_for_probabilities_alone(digits, grey_digits):
    model = keras_ae.create("vae", (8, 8, 1), 2, seed=0)
    model.compile()
    discrete = evaluate(model, digits[1], samples=5)
    assert discrete.bits_per_dimension == pytest.approx(-discrete.bound / 64 / np.log(2))
    grey = evaluate(model, grey_digits[1], samples=5)
    assert grey.quantity == "cross-entropy" and grey.bits_per_dimension is None
