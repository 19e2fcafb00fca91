"""The mixture of normals as prior."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import stats
from scipy.special import logsumexp

import keras_ae
from keras_ae import evaluation
from keras_ae.backend import KeyedSeed
from keras_ae.distributions import NormalMixture
from keras_ae.distributions.likelihoods import Normal
from keras_ae.errors import InputError
from keras_ae.optimizers import Adam

RNG = np.random.default_rng(0)
K, DIM = 3, 2
LOGITS, MEANS, LOG_VARS = RNG.normal(size=K), RNG.normal(size=(K, DIM)), RNG.normal(size=(K, DIM))
PI = np.exp(LOGITS) / np.exp(LOGITS).sum()


def tensors(*arrays):
    return [ops.convert_to_tensor(np.asarray(array, "float32")) for array in arrays]


def mixture():
    return NormalMixture(*tensors(LOGITS, MEANS, LOG_VARS))


def densities(z):
    """log p(z, c) by SciPy."""
    parts = [stats.norm(m, np.exp(0.5 * v)).logpdf(z).sum(axis=-1) for m, v in zip(MEANS, LOG_VARS, strict=True)]
    return np.stack(parts, axis=-1) + np.log(PI)


@pytest.mark.parametrize("shape", [(5, DIM), (4, 5, DIM)])
def test_densities_of_a_mixture(shape):
    z = RNG.normal(size=shape)
    expected = densities(z)
    found = mixture().log_prob(*tensors(z))
    np.testing.assert_allclose(found, logsumexp(expected, axis=-1), rtol=1e-4, atol=1e-5)
    posterior = np.exp(expected - logsumexp(expected, axis=-1, keepdims=True))
    np.testing.assert_allclose(mixture().posterior(*tensors(z)), posterior, rtol=1e-3, atol=1e-6)


def test_codes_of_a_grid():
    """A code of shape (2, 1) has the density of the same code as a vector."""
    z = RNG.normal(size=(5, 2, 1))
    grid = NormalMixture(*tensors(LOGITS, MEANS[..., None], LOG_VARS[..., None]))
    np.testing.assert_allclose(grid.log_prob(*tensors(z)), mixture().log_prob(*tensors(z[..., 0])), rtol=1e-5)


def test_draws_and_moments_of_a_mixture():
    n = 40_000
    draws = np.asarray(mixture().sample(n, KeyedSeed(0)), "float64")
    mean, variance = np.asarray(mixture().mean), np.asarray(mixture().variance())
    assert mean.shape == variance.shape == (1, DIM)
    assert (np.abs(draws.mean(axis=0) - mean[0]) < 5 * np.sqrt(variance[0] / n)).all()
    np.testing.assert_allclose(draws.var(axis=0), variance[0], rtol=0.05)
    entropy = -np.asarray(mixture().log_prob(*tensors(draws)), "float64")
    other = RNG.choice(K, size=n, p=PI)
    exact = MEANS[other] + np.exp(0.5 * LOG_VARS[other]) * RNG.normal(size=(n, DIM))
    assert entropy.mean() == pytest.approx(-logsumexp(densities(exact), axis=-1).mean(), abs=0.04)


def make(**options):
    options = {"clusters": K, "network_options": {"hidden": (16,)}, "likelihood": Normal(0.1), **options}
    model = keras_ae.create("gaussian_mixture_vae", (6,), DIM, seed=0, **options)
    model.compile(Adam(1e-2))
    return model


def blobs(n=300):
    """Three clusters that a straight line tells apart."""
    y = np.arange(n) % K
    return (4 * np.eye(K, 6)[y] + 0.3 * RNG.normal(size=(n, 6))).astype("float32"), y


def test_before_there_are_clusters_it_is_a_vae():
    x, _ = blobs(20)
    model, vae = make(), keras_ae.create("vae", (6,), DIM, seed=0, likelihood=Normal(0.1), kl="sample")
    z = RNG.normal(size=(4, DIM))
    np.testing.assert_allclose(
        model.prior_given(None).log_prob(*tensors(z)), vae.prior.log_prob(*tensors(z)), rtol=1e-5
    )
    with pytest.raises(InputError, match=r"no clusters yet: `fit` finds them after its first 10 epochs"):
        model.cluster(x)


def test_clusters_are_found_after_the_pretraining():
    x, y = blobs()
    model = make(pretraining=20)
    model.fit(x, epochs=20, verbose=0)
    assert float(model.found) == 0
    model.fit(x, epochs=30, initial_epoch=20, verbose=0)
    assert float(model.found) == 1
    assert evaluation.clustering(y, model.cluster(x)).accuracy > 0.98
    before = np.asarray(model.means)
    model.fit(x, epochs=21, initial_epoch=20, verbose=0)
    assert 0 < np.abs(np.asarray(model.means) - before).max() < 0.2  # trained on, not found anew


def test_the_rate_and_the_likelihood_know_the_mixture():
    x, _ = blobs(60)
    model = make(pretraining=0)
    model.fit(x, epochs=20, verbose=0)
    model.find_clusters(x)
    terms = evaluation.elbo(model, x, samples=400)
    evidence = evaluation.log_likelihood(model, x, samples=2000)
    naive = evaluation.log_likelihood(model, x, samples=20000, method="prior")
    assert terms.mutual_information is None
    assert (terms.elbo < evidence.log_prob + 5 * evidence.standard_error + 0.1).all()
    assert evidence.log_prob.mean() == pytest.approx(naive.log_prob.mean(), abs=0.1)
    losses = [model.evaluate(x, verbose=0, return_dict=True) for _ in range(100)]
    assert np.mean([found["kl"] for found in losses]) == pytest.approx(terms.rate.mean(), abs=0.1)


def test_data_that_is_not_in_arrays():
    x, y = blobs()
    model = make(pretraining=20)
    model.fit(tf.data.Dataset.from_tensor_slices(x).batch(30), epochs=25, shuffle=False, verbose=0)
    assert evaluation.clustering(y, model.cluster(x)).accuracy > 0.98
    with pytest.raises(InputError, match=r"a generator gives its examples once only.* model\.find_clusters"):
        make(pretraining=2).fit((batch for batch in [x]), verbose=0)


def test_too_few_examples():
    with pytest.raises(InputError, match=r"3 clusters need as many examples at least\. Received: 2"):
        make().find_clusters(blobs(2)[0])


def test_an_export_tells_the_clusters(tmp_path):
    model, (x, _) = make(), blobs(60)
    model.find_clusters(x)
    exported = tf.saved_model.load(keras_ae.export(model, tmp_path))
    found = exported.signatures["cluster_probabilities"](x=tf.constant(x))["probabilities"]
    np.testing.assert_allclose(found, model.cluster_probabilities(x), atol=1e-6)
