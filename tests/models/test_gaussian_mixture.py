"""The mixture of normals as prior."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import stats
from scipy.special import logsumexp

import keras_ae
from keras_ae import evaluation
from keras_ae.backend import KeyedSeed
from keras_ae.distributions import DiagonalNormal, FullNormal, NormalMixture
from keras_ae.distributions.likelihoods import Normal
from keras_ae.errors import InputError
from keras_ae.models import inputs
from keras_ae.models.gaussian_mixture_vae import merged
from keras_ae.optimizers import Adam

RNG = np.random.default_rng(0)
K, DIM = 3, 2
LOGITS, MEANS = RNG.normal(size=K), RNG.normal(size=(K, DIM))
FACTORS = np.tril(RNG.normal(size=(K, DIM, DIM)), -1) + np.exp(0.5 * RNG.normal(size=(K, DIM, 1))) * np.eye(DIM)
PI = np.exp(LOGITS) / np.exp(LOGITS).sum()


def tensors(*arrays):
    return [ops.convert_to_tensor(np.asarray(array, "float32")) for array in arrays]


@pytest.fixture(params=["diagonal", "full"])
def covariances(request):
    """(K, DIM, DIM)."""
    factors = FACTORS if request.param == "full" else FACTORS * np.eye(DIM)
    return factors @ np.swapaxes(factors, 1, 2)


@pytest.fixture
def mixture(covariances):
    logits, means, variances, factors = tensors(
        LOGITS, MEANS, np.diagonal(covariances, axis1=1, axis2=2), np.linalg.cholesky(covariances)
    )
    full = bool(covariances[0, 0, 1])
    return NormalMixture(logits, FullNormal(means, factors) if full else DiagonalNormal(means, ops.log(variances)))


def densities(z, covariances):
    """log p(z, c) by SciPy."""
    parts = [stats.multivariate_normal(*moments).logpdf(z) for moments in zip(MEANS, covariances, strict=True)]
    return np.stack(parts, axis=-1) + np.log(PI)


@pytest.mark.parametrize("shape", [(5, DIM), (4, 5, DIM)])
def test_densities_of_a_mixture(shape, mixture, covariances):
    z = RNG.normal(size=shape)
    expected = densities(z, covariances)
    found = mixture.log_prob(*tensors(z))
    np.testing.assert_allclose(found, logsumexp(expected, axis=-1), rtol=1e-4, atol=1e-5)
    posterior = np.exp(expected - logsumexp(expected, axis=-1, keepdims=True))
    np.testing.assert_allclose(mixture.posterior(*tensors(z)), posterior, rtol=1e-3, atol=1e-6)


def test_codes_of_a_grid():
    """A code of shape (2, 1) has the density of the same code as a vector."""
    z, (logits, *moments) = RNG.normal(size=(5, 2, 1)), tensors(LOGITS, MEANS, MEANS)
    vectors, grid = DiagonalNormal(*moments), DiagonalNormal(*(values[..., None] for values in moments))
    found = NormalMixture(logits, grid).log_prob(*tensors(z))
    np.testing.assert_allclose(found, NormalMixture(logits, vectors).log_prob(*tensors(z[..., 0])), rtol=1e-5)


def test_draws_and_moments_of_a_mixture(mixture, covariances):
    n = 40_000
    draws = np.asarray(mixture.sample(n, KeyedSeed(0)), "float64")
    mean, variance = np.asarray(mixture.mean), np.asarray(mixture.variance())
    assert mean.shape == variance.shape == (1, DIM)
    assert (np.abs(draws.mean(axis=0) - mean[0]) < 5 * np.sqrt(variance[0] / n)).all()
    np.testing.assert_allclose(draws.var(axis=0), variance[0], rtol=0.05)
    entropy = -np.asarray(mixture.log_prob(*tensors(draws)), "float64")
    other, noise = RNG.choice(K, size=n, p=PI), RNG.normal(size=(n, DIM))
    exact = MEANS[other] + np.einsum("nij,nj->ni", np.linalg.cholesky(covariances)[other], noise)
    assert entropy.mean() == pytest.approx(-logsumexp(densities(exact, covariances), axis=-1).mean(), abs=0.04)


def make(latent_dim=DIM, **options):
    options = {"clusters": K, "network_options": {"hidden": (16,)}, "likelihood": Normal(0.1), **options}
    model = keras_ae.create("gaussian_mixture_vae", (6,), latent_dim, seed=0, **options)
    model.compile(Adam(1e-2))
    return model


def blobs(n=300):
    """Three clusters that a straight line tells apart."""
    y, noise = np.arange(n) % K, np.random.default_rng(0).normal(size=(n, 6))
    return (4 * np.eye(K, 6)[y] + 0.3 * noise).astype("float32"), y


def test_before_there_are_clusters_it_is_a_vae():
    x, _ = blobs(20)
    model, vae = make(), keras_ae.create("vae", (6,), DIM, seed=0, likelihood=Normal(0.1), kl="sample")
    z = RNG.normal(size=(4, DIM))
    np.testing.assert_allclose(
        model.prior_given(None).log_prob(*tensors(z)), vae.prior.log_prob(*tensors(z)), rtol=1e-5
    )
    with pytest.raises(InputError, match=r"no clusters yet.* after 10 epochs.* trained for 0\. Train for 10 more"):
        model.cluster(x)
    with pytest.raises(InputError, match=r"no clusters yet.* trained for 0\. Call model\.find_clusters"):
        make(pretraining=0).cluster(x)
    assert "cluster_probabilities" not in model.own_signatures()


@pytest.mark.parametrize("options", [{"covariance": "diagonal"}, {"covariance": "full"}, {"components": 7}])
def test_clusters_are_found_after_the_pretraining(options):
    x, y = blobs()
    model = make(pretraining=20, **options)
    model.fit(x, epochs=19, verbose=0)
    assert float(model.found) == 0
    model.fit(x, epochs=30, initial_epoch=19, verbose=0)
    assert float(model.found) == 1
    assert evaluation.clustering(y, model.cluster(x)).accuracy > 0.98
    before = np.asarray(model.means)
    model.fit(x, epochs=21, initial_epoch=20, verbose=0)
    assert 0 < np.abs(np.asarray(model.means) - before).max() < 0.2  # trained on, not found anew


def eager(pretraining):
    model = make(pretraining=pretraining, network_options={"hidden": (4,)})
    model.compile("adam", run_eagerly=True)
    return model


def found_after(model, epochs, **options):
    """After which epochs of a call of `fit` there are clusters, as callbacks see it, which may save the model."""
    found = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: found.append(bool(float(model.found))))
    model.fit(blobs(40)[0], epochs=epochs, callbacks=[watch, *options.pop("callbacks", [])], verbose=0, **options)
    return found


@pytest.fixture
def found_at_once(monkeypatch):
    """Clusters are found without looking for them: these tests ask when."""
    monkeypatch.setattr(keras_ae.GaussianMixtureVAE, "find_clusters", lambda model, x: model.found.assign(1.0))


def test_epochs_are_counted_over_all_calls(found_at_once):
    """One at a time, from another first one, as many as the pretraining has, and from a file in between."""
    model = eager(pretraining=2)
    assert [found_after(model, 1) for _ in range(3)] == [[False], [True], [True]]
    assert found_after(eager(pretraining=2), 8, initial_epoch=5) == [False, True, True]
    model = eager(pretraining=3)
    assert found_after(model, 2) == [False, False]
    with pytest.raises(InputError, match=r"after 3 epochs.* trained for 2\. Train for 1 more"):
        model.cluster(blobs(40)[0])
    store: dict = {}
    model.save_own_variables(store)
    other = eager(pretraining=3)
    other.load_own_variables(store)
    assert found_after(other, 2) == [True, True]
    del store["epochs_trained"]  # a file of an earlier version
    other.load_own_variables(store)
    assert not float(other.found)


@pytest.mark.parametrize("pretraining", [2, 9])
def test_early_stopping_ends_the_pretraining(pretraining, found_at_once):
    """Within the pretraining; and after it, where it brings back weights from before."""
    model = eager(pretraining)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=2, min_delta=1e3, restore_best_weights=True)
    assert found_after(model, 20, validation_split=0.2, callbacks=[stop])[2:] == [pretraining == 2]
    assert model.cluster(blobs(40)[0]).shape == (40,)


class Sequence(keras.utils.PyDataset):
    """The examples of `blobs`, ten a batch, as often as they are asked for."""

    num_batches = None

    def __getitem__(self, i):
        return blobs()[0][i % 30 * 10 :][:10]


def test_a_py_dataset_is_read_from_its_beginning(found_at_once):
    x = inputs.first_examples(Sequence(), 70)
    np.testing.assert_array_equal(x, blobs()[0][:70])
    model = eager(pretraining=1)
    model.fit(Sequence(), steps_per_epoch=3, epochs=1, shuffle=False, verbose=0)
    assert float(model.found)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_the_rate_and_the_likelihood_know_the_mixture(covariance):
    x, _ = blobs(60)
    model = make(pretraining=0, covariance=covariance)
    model.fit(x, epochs=20, verbose=0)
    model.find_clusters(x)
    model.fit(x, epochs=40, verbose=0)
    terms = evaluation.elbo(model, x, samples=400)
    evidence = evaluation.log_likelihood(model, x, samples=2000)
    naive = evaluation.log_likelihood(model, x, samples=20000, method="prior")
    assert terms.mutual_information is None
    assert (terms.elbo < evidence.log_prob + 5 * evidence.standard_error + 0.1).all()
    assert evidence.log_prob.mean() == pytest.approx(naive.log_prob.mean(), abs=0.1)
    evaluated = model.evaluate(np.tile(x, (100, 1)), verbose=0, return_dict=True)
    assert evaluated["kl"] == pytest.approx(terms.rate.mean(), abs=0.1)


def test_data_that_is_not_in_arrays():
    x, y = blobs()
    model = make(pretraining=20)
    model.fit(tf.data.Dataset.from_tensor_slices(x).batch(30), epochs=25, shuffle=False, verbose=0)
    assert evaluation.clustering(y, model.cluster(x)).accuracy > 0.98
    with pytest.raises(InputError, match=r"a generator gives its examples once only.* model\.find_clusters"):
        make(pretraining=2).fit((batch for batch in [x]), verbose=0)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_the_mixture_is_where_expectation_maximisation_stops(covariance):
    """Each component has the moments of the codes, weighted by its responsibility for them."""
    x, _ = blobs()
    model = make(latent_dim=4, covariance=covariance)
    model.log_var_head.kernel.assign(np.zeros(model.log_var_head.kernel.shape))
    model.log_var_head.bias.assign(np.full(4, -15.0))  # a code is its mean
    model.find_clusters(x)
    prior, z = model.prior_given(None), model.encode(x).astype("float64")
    weights = np.asarray(prior.posterior(z.astype("float32")), "float64")
    np.testing.assert_allclose(ops.softmax(prior.logits), weights.mean(axis=0), rtol=0.05)
    for k in range(K):
        mean, moments = np.average(z, axis=0, weights=weights[:, k]), np.cov(z.T, aweights=weights[:, k], ddof=0)
        np.testing.assert_allclose(prior.components.mean[k], mean, atol=0.02)
        if covariance == "full":
            factor = np.asarray(prior.components.scale_tril[k])
            np.testing.assert_allclose(factor @ factor.T, moments, rtol=0.1, atol=0.005)
        else:
            np.testing.assert_allclose(prior.components.variance()[k], np.diag(moments), rtol=0.1, atol=0.002)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"covariance": "tied"}, r"Unknown covariance: 'tied'"),
        ({"covariance": "full"}, r"covariance='full' needs an integer latent_dim"),
    ],
)
def test_covariances_that_there_are_not(options, message):
    x, z = keras.Input((6,)), keras.Input((2, 1))
    nets = keras.Model(x, keras.layers.Dense(4)(x)), keras.Model(z, keras.layers.Flatten()(z))
    with pytest.raises(InputError, match=message):
        keras_ae.GaussianMixtureVAE(*nets, **{"latent_dim": (2, 1), **options})


def test_too_few_examples():
    with pytest.raises(InputError, match=r"3 components need as many examples at least\. Received: 2"):
        make().find_clusters(blobs(2)[0])


def test_too_few_components():
    with pytest.raises(InputError, match=r"components must be a whole number of at least 3\. Received: components=2"):
        make(components=2)


def test_components_that_overlap_most_are_merged():
    """Components 0 and 1 share few of many draws, 2 and 3 most of few."""
    kinds = np.array([[0.9, 0.1, 0, 0], [0.1, 0.9, 0, 0], [0, 0, 0.5, 0.5], [0, 0, 0.6, 0.4]])
    draws = kinds.repeat([500, 500, 5, 5], axis=0)
    np.testing.assert_array_equal(merged(draws, 4), np.eye(4))
    np.testing.assert_array_equal(merged(draws, 3), [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]])
    np.testing.assert_array_equal(merged(draws, 2), [[1, 0], [1, 0], [0, 1], [0, 1]])
    np.testing.assert_array_equal(merged(draws, 1), np.ones((4, 1)))


@pytest.mark.parametrize("options", [{"covariance": "diagonal"}, {"covariance": "full"}, {"components": 5}])
def test_exports_and_files_tell_the_clusters(tmp_path, options):
    model, (x, _) = make(**options), blobs(60)
    model.find_clusters(x)
    exported = tf.saved_model.load(keras_ae.export(model, tmp_path))
    found = exported.signatures["cluster_probabilities"](x=tf.constant(x))["probabilities"]
    assert found.shape == (60, K)
    np.testing.assert_allclose(found, model.cluster_probabilities(x), atol=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.cluster_probabilities(x), model.cluster_probabilities(x))
