"""Linear models reach their closed forms: PCA and probabilistic PCA."""

import keras
import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

import keras_ae
from keras_ae.distributions.likelihoods import Normal
from keras_ae.evaluation import log_likelihood

EPOCHS, BATCH = 120, 50
STEPS = 32  # a call: these are long trainings


def schedule(x, rate, epochs=EPOCHS):
    return keras_ae.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(x) // BATCH)))


@pytest.fixture(scope="module", params=[False, True], ids=["free", "tied"])
def trained(request, grey_digits):
    x = grey_digits[0]
    model = keras_ae.create("linear_ae", (8, 8, 1), 4, seed=0, tied=request.param)
    model.compile(schedule(x, 0.01), steps_per_execution=STEPS)
    model.fit(x, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    return model, x, PCA(4).fit(x.reshape(len(x), -1))


def test_a_linear_autoencoder_spans_the_space_of_pca(trained):
    model, _, pca = trained
    components = model.components().components.reshape(4, -1)
    np.testing.assert_allclose(components @ components.T, np.eye(4), atol=1e-5)
    angles = np.degrees(subspace_angles(components.T, pca.components_.T))
    assert angles.max() < 1


def test_its_components_are_those_of_pca(trained):
    model, x, pca = trained
    components, variances = model.components(x)
    np.testing.assert_allclose(variances, pca.explained_variance_, rtol=0.01)
    cosines = np.abs((components.reshape(4, -1) * pca.components_).sum(axis=1))
    assert (cosines > np.cos(np.radians(3))).all()


def test_its_error_is_that_of_pca(trained):
    model, x, pca = trained
    flat = x.reshape(len(x), -1)
    error = np.square(flat - pca.inverse_transform(pca.transform(flat))).sum(axis=1).mean()
    assert model.evaluate(x, verbose=0, return_dict=True)["squared_error"] == pytest.approx(error, rel=0.005)
    assert (model.output_head is None) == model.tied


def test_a_linear_vae_reaches_the_evidence_of_probabilistic_pca():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(1000, 2)) @ rng.normal(size=(2, 10)) + 0.5 * rng.normal(size=(1000, 10)) + 1).astype(
        "float32"
    )
    evidence = PCA(2).fit(x).score(x)
    options = {"network_options": {"hidden": ()}, "likelihood": Normal("learned"), "posterior": "full"}
    model = keras_ae.create("vae", (10,), 2, seed=0, **options)
    model.compile(schedule(x, 0.02), steps_per_execution=STEPS)
    model.fit(x, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    elbo = -np.mean([model.evaluate(x, verbose=0)[0] for _ in range(10)])
    assert evidence - 0.5 < elbo < evidence + 0.05
    bound = log_likelihood(model, x, samples=20).log_prob.mean()
    assert elbo - 0.05 < bound < evidence + 0.05
    variance = np.exp(float(model.likelihood.mean_and_log_var(0.0)[1]))
    assert variance == pytest.approx(PCA(2).fit(x).noise_variance_, rel=0.1)
