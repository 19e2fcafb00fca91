"""The observation models against SciPy."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import integrate, special, stats

from keras_ae.distributions import likelihoods
from keras_ae.distributions.likelihoods import Bernoulli, Categorical, Normal
from keras_ae.errors import InputError

EVENT = (2, 3)
N = 20000


def learned(raw):
    likelihood = Normal("learned")
    likelihood.raw_log_var.assign(raw)
    return likelihood


LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "normal": lambda: Normal(0.3),
    "learned": lambda: learned(-1.0),
    "per_value": lambda: Normal("per_value"),
    "categorical": lambda: Categorical(4),
    "one_hot": lambda: Categorical(3, one_hot=True),
}


def variance_of(likelihood, params):
    """By hand, in NumPy: the mean and the variance of every value of a Normal."""
    if likelihood.variance == "per_value":
        pairs = params.reshape(*params.shape[:-1], -1, 2)
        raw = pairs[..., 1]
        return pairs[..., 0], np.exp(raw / np.sqrt(1 + (raw / 20) ** 2)) + 1e-6
    if likelihood.variance == "learned":
        return params, np.exp(-1 / np.sqrt(1 + 1 / 400)) + 1e-6
    return params, likelihood.variance


def reference(likelihood, params):
    """log p(x) of every value, mean and variance, by SciPy: (function of x, mean, variance)."""
    if isinstance(likelihood, Bernoulli):
        frozen = stats.bernoulli(special.expit(params))
        return frozen.logpmf, frozen.mean(), frozen.var()
    if isinstance(likelihood, Normal):
        mean, variance = variance_of(likelihood, params)
        return stats.norm(mean, np.sqrt(variance)).logpdf, mean, np.broadcast_to(variance, mean.shape)
    if likelihood.one_hot:
        p = special.softmax(params, axis=-1)
        return (lambda x: x * np.log(p)), p, p * (1 - p)
    p = special.softmax(params.reshape(*params.shape[:-1], -1, 4), axis=-1)
    mean = p @ np.arange(4)
    return (
        lambda x: np.log(np.take_along_axis(p, x.astype(int)[..., None], -1))[..., 0],
        mean,
        p @ np.arange(4) ** 2 - mean**2,
    )


@pytest.fixture(params=LIKELIHOODS)
def likelihood(request):
    return LIKELIHOODS[request.param]()


@pytest.fixture
def params(likelihood, rng):
    return rng.normal(size=(5, *likelihood.param_shape(EVENT))).astype("float32")


@pytest.fixture
def x(likelihood, params):
    return np.asarray(likelihood.sample(ops.array(params), keras.random.SeedGenerator(1)))


def test_log_prob(likelihood, params, x):
    expected = reference(likelihood, params.astype("float64"))[0](x)
    found = np.asarray(likelihood.log_prob(x, params))
    assert found.shape == (5,) and found.dtype == "float32"
    np.testing.assert_allclose(found, expected.sum(axis=(1, 2)), rtol=1e-5)


def test_log_prob_of_several_samples_of_a_code(likelihood, params, x):
    several = np.stack([params, params + 1])
    found = likelihood.log_prob(x, several)
    np.testing.assert_allclose(found, [likelihood.log_prob(x, params), likelihood.log_prob(x, params + 1)], rtol=1e-6)


def test_mask(likelihood, params, x):
    """Values that were not observed do not count, whatever they are."""
    mask = np.broadcast_to(np.array([[True, True, False], [True, False, False]]), x.shape)
    if getattr(likelihood, "one_hot", False):
        mask = np.broadcast_to(np.array([[True], [False]]), x.shape)
    values = reference(likelihood, params.astype("float64"))[0](x)
    garbage = np.where(mask, x, 0)
    found = likelihood.log_prob(garbage, params, mask)
    np.testing.assert_allclose(found, np.where(mask, values, 0).sum(axis=(1, 2)), rtol=1e-5)


def test_mean_and_samples(likelihood, rng):
    params = rng.normal(size=(1, *likelihood.param_shape(EVENT))).astype("float32")
    _, mean, variance = reference(likelihood, params.astype("float64"))
    np.testing.assert_allclose(likelihood.mean(params), mean, rtol=1e-5, atol=1e-6)
    x = np.asarray(likelihood.sample(np.repeat(params, N, axis=0), keras.random.SeedGenerator(0)), "float64")
    assert x.shape == (N, *EVENT)
    assert (np.abs(x.mean(axis=0) - mean) < 5 * np.sqrt(variance / N)).all()
    np.testing.assert_allclose(x.var(axis=0), variance[0], rtol=0.1)


def test_probabilities_add_up_to_one():
    logits = ops.array(np.random.default_rng(0).normal(size=(1, 4)).astype("float32"))
    for likelihood, params, values in (
        (Bernoulli(), logits[:, :1], [[0.0], [1.0]]),
        (Categorical(4), logits, [[0.0], [1.0], [2.0], [3.0]]),
        (Categorical(4, one_hot=True), logits, np.eye(4)),
    ):
        log_prob = [likelihood.log_prob(ops.array([x], dtype="float32"), params)[0] for x in values]
        np.testing.assert_allclose(np.exp(log_prob).sum(), 1, rtol=1e-5)


@pytest.mark.parametrize("kind", ["normal", "learned", "per_value"])
def test_densities_integrate_to_one(kind):
    likelihood = LIKELIHOODS[kind]()
    params = ops.array([[0.4, -0.7][: likelihood.parameters]])
    total, _ = integrate.quad(
        lambda x: np.exp(float(likelihood.log_prob(ops.array([[x]]), params)[0])), -8, 8, limit=30
    )
    assert total == pytest.approx(1, rel=1e-4)


def test_variances_have_a_floor():
    for likelihood, params in ((learned(-1e9), [[0.0]]), (Normal("per_value"), [[0.0, -1e9]])):
        density = float(likelihood.log_prob(ops.array([[0.0]]), ops.array(params))[0])
        assert density == pytest.approx(stats.norm(0, 1e-3).logpdf(0), rel=1e-3)


def test_per_value_interleaves_mean_and_variance():
    params = ops.array([[[1.0, -1.0, 2.0, -2.0, 3.0, -3.0]]])
    mean, log_var = Normal("per_value").mean_and_log_var(params)
    np.testing.assert_allclose(mean, [[[1, 2, 3]]])
    np.testing.assert_allclose(log_var, [[[-1, -2, -3]]], atol=0.05)
    assert Normal("per_value").param_shape((8, 8, 3)) == (8, 8, 6)
    assert Categorical(16).param_shape((8, 8, 3)) == (8, 8, 48)


def test_the_encoder_sees_levels_in_the_unit_interval():
    np.testing.assert_allclose(Categorical(17).encoder_input(np.array([0.0, 8.0, 16.0])), [0, 0.5, 1])
    assert Categorical(3, one_hot=True).encoder_input(1.0) == 1.0


def test_configuration(likelihood):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(likelihood))
    assert type(again) is type(likelihood)
    assert again.get_config() == likelihood.get_config()


@pytest.mark.parametrize("variance", [0, -1.0, float("nan"), float("inf"), True, "large"])
def test_a_variance_that_is_none(variance):
    with pytest.raises(InputError, match=r"variance must be .* a number in \[1e-30, 1e30\]"):
        Normal(variance)


@pytest.mark.parametrize("levels", [0, 2.5, True])
def test_a_number_of_levels_that_is_none(levels):
    with pytest.raises(InputError, match="levels must be a whole number"):
        Categorical(levels)


def test_by_name():
    assert isinstance(likelihoods.get("bernoulli"), Bernoulli)
    with pytest.raises(InputError, match=r"'bernuli'.*'bernoulli'"):
        likelihoods.get("bernuli")
