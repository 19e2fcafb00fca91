"""The transformer does what scikit-learn expects, and what the model does."""

import pickle

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import keras_ae
from keras_ae.tasks import AutoencoderTransformer
from tests.tasks.estimators import passed_checks

X = load_iris().data


def made(model="ae", **options):
    return AutoencoderTransformer(
        model, **{"latent_dim": 2, "hidden": (16,), "epochs": 2, "random_state": 0, **options}
    )


@pytest.fixture(scope="module")
def fitted():
    """An autoencoder of the iris table."""
    return made(epochs=50, learning_rate=0.01).fit(X)


def test_it_is_a_scikit_learn_estimator():
    assert passed_checks(made(hidden=(4,), epochs=1)) > 40


def test_it_learns_in_the_units_of_the_table(fitted):
    back = fitted.inverse_transform(fitted.transform(X))
    assert np.square(back - X).sum() < 0.15 * np.square(X - X.mean(axis=0)).sum()
    np.testing.assert_allclose(back.mean(axis=0), X.mean(axis=0), rtol=0.05)


def test_the_score_of_an_autoencoder_is_a_log_density_of_the_rows(fitted):
    """log p(x | code) from SciPy, with the mean and the learned variance in the units of each column."""
    deviation = np.exp(0.5 * float(fitted.model_.likelihood.mean_and_log_var(0.0)[1])) * X.std(axis=0)
    mean = fitted.inverse_transform(fitted.transform(X))
    expected = norm.logpdf(X, mean, deviation).sum(axis=1)
    np.testing.assert_allclose(fitted.score_samples(X), expected, rtol=1e-3, atol=1e-3)
    assert fitted.score(X) == pytest.approx(expected.mean(), abs=1e-3)
    assert fitted.score_samples(X + 5).max() < fitted.score_samples(X).min()


def test_the_score_of_a_vae_is_the_bound():
    found = made("vae", likelihood="normal", options={"posterior": "full"}).fit(X)
    standard = (X - X.mean(axis=0)) / X.std(axis=0)
    terms = keras_ae.evaluation.elbo(found.model_, standard.astype("float32"), samples=300)
    bound = terms.elbo.mean() - np.log(X.std(axis=0)).sum()
    assert found.score(X) == pytest.approx(bound, abs=0.1)
    assert np.array_equal(found.score_samples(X), found.score_samples(X))


def test_the_linear_model_scores_by_squared_error():
    found = made("linear_ae", hidden=None).fit(X)
    standard = (X - X.mean(axis=0)) / X.std(axis=0)
    back = (found.inverse_transform(found.transform(X)) - X.mean(axis=0)) / X.std(axis=0)
    score = found.score_samples(X) + np.log(X.std(axis=0)).sum()  # apart, since both may nearly cancel
    np.testing.assert_allclose(score, -np.square(back - standard).sum(axis=1), rtol=1e-4)


def test_the_seed_decides_and_a_pickle_keeps(fitted):
    codes = fitted.transform(X)
    again = clone(fitted).fit(X)
    np.testing.assert_array_equal(codes, again.transform(X))
    assert not np.allclose(codes, again.set_params(random_state=1, epochs=1).fit(X).transform(X))
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(codes, loaded.transform(X))
    np.testing.assert_array_equal(fitted.score_samples(X), loaded.score_samples(X))
    np.testing.assert_array_equal(fitted.inverse_transform(codes), loaded.inverse_transform(codes))


def test_it_works_in_a_grid_of_pipelines(capfd):
    y = load_iris().target
    pipeline = make_pipeline(made(epochs=20, learning_rate=0.02), LogisticRegression())
    search = GridSearchCV(pipeline, {"autoencodertransformer__model": ["ae", "vae"]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.6
    names = search.best_estimator_[:-1].get_feature_names_out()
    assert names.tolist() == ["autoencodertransformer0", "autoencodertransformer1"]
    printed = capfd.readouterr()
    assert not printed.out and "retracing" not in printed.err


def test_rows_that_are_binary_images(digits):
    x = digits[0][:100].reshape(100, 64)
    found = made(network="conv", hidden=None, input_shape=(8, 8, 1)).fit(x)
    assert found.scaler_ is None and isinstance(found.model_.likelihood, keras_ae.distributions.likelihoods.Bernoulli)
    np.testing.assert_array_equal(found.transform(x), found.model_.encode(digits[0][:100]))
    back = found.inverse_transform(found.transform(x))
    assert back.shape == (100, 64) and back.min() >= 0 and back.max() <= 1


def test_a_trained_model_stays_as_it_is(digits):
    model = keras_ae.create("vae", (8, 8, 1), 3, network_options={"hidden": (8,)}, seed=0)
    before = [weight.copy() for weight in model.get_weights()]
    x = digits[1].reshape(-1, 64)
    found = AutoencoderTransformer(model).fit(x)
    assert found.model_ is model and all(map(np.array_equal, before, model.get_weights()))
    np.testing.assert_array_equal(found.transform(x), model.encode(digits[1]))
    np.testing.assert_array_equal(clone(found).fit(x).transform(x), found.transform(x))
    assert found.score(x) == pytest.approx(-model_loss(model, digits[1]), abs=0.2)


def model_loss(model, x):
    """The negative ELBO by the evaluation."""
    return -keras_ae.evaluation.elbo(model, x, samples=100).elbo.mean()


def test_mistakes_are_named(fitted):
    conditional = keras_ae.create("conditional_vae", (4,), 2, condition_dim=2)
    for options, words in (
        ({"model": "vea"}, "Did you mean 'vae'"),
        ({"model": 3}, "model must be text or an Autoencoder"),
        ({"model": "conditional_vae"}, "ConditionalVAE needs a condition for each row"),
        ({"model": conditional}, "ConditionalVAE needs a condition for each row"),
        ({"model": keras_ae.create("ae", (5,), 2)}, "must have 5 columns"),
        ({"input_shape": (3, 3)}, "must have 9 columns"),
        ({"likelihood": "normla"}, "Did you mean 'normal'"),
        ({"likelihood": "bernoulli"}, "Bernoulli likelihood explains values in"),
        ({"model": "linear_ae", "likelihood": "bernoulli"}, "leave likelihood at 'auto'"),
        ({"options": {"beta": 2}}, "Unknown argument of model 'ae': 'beta'"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
    ):
        with pytest.raises(keras_ae.InputError, match=words):
            made(**options).fit(X)
    with pytest.raises(keras_ae.InputError, match="codes of 2 values"):
        fitted.inverse_transform(X)
    for method in ("transform", "inverse_transform", "score_samples"):
        with pytest.raises(NotFittedError):
            getattr(made(), method)(X)
