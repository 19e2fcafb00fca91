"""Baselines and the report against values computed by hand."""

import math

import numpy as np
import pytest
from scipy import stats

import keras_ae
from keras_ae.distributions.likelihoods import Bernoulli, BetaBinomial, Categorical, Normal
from keras_ae.evaluation import baselines, evaluate, find_knee
from keras_ae.evaluation.baselines import pca
from keras_ae.evaluation.perplexity import of_bound
from keras_ae.evaluation.report import dimensions, quantity

SMALL = {"network_options": {"hidden": (8,)}}


def test_independent_bernoulli():
    train, test = np.array([[0.0, 1], [1, 1], [0, 1]]), np.array([[1.0, 0], [0, 1]])
    found = baselines(train, test, 1, Bernoulli())[1]
    expected = (math.log(2 / 5) + math.log(1 / 5) + math.log(3 / 5) + math.log(4 / 5)) / 2
    assert found["log_prob"] == pytest.approx(expected)
    assert found["squared_error"] == pytest.approx(((2 / 3) ** 2 + 1 + (1 / 3) ** 2) / 2)


def test_independent_categorical():
    train, test = np.array([[0.0], [0], [2]]), np.array([[0.0], [1], [2], [2]])
    found = baselines(train, test, 1, Categorical(3))[1]
    assert found["log_prob"] == pytest.approx(np.log([3 / 6, 1 / 6, 2 / 6, 2 / 6]).mean())
    one_hot = baselines(
        np.eye(3)[[0, 0, 2]][:, None], np.eye(3)[[0, 1, 2, 2]][:, None], 1, Categorical(3, one_hot=True)
    )
    assert one_hot[1]["log_prob"] == pytest.approx(found["log_prob"])


def test_independent_normal(rng):
    train, test = rng.normal(2, 3, size=(50, 4)), rng.normal(2, 3, size=(20, 4))
    train[:, 3] = test[:, 3] = 1.0  # a constant: the floor of the variance
    found = baselines(train, test, 1, Normal())[1]
    scale = np.append(train.std(axis=0)[:3], 1e-3)
    assert found["log_prob"] == pytest.approx(stats.norm(train.mean(axis=0), scale).logpdf(test).sum(axis=1).mean())


def test_pca(rng):
    """Data on a line and noise across it: what remains is the noise, and log p(x) is that of the fitted Gaussian."""
    train, test = (
        (rng.normal(size=(n, 1)) * [3.0, 4, 0] + rng.normal(size=(n, 3)) * 0.1).reshape(n, 3, 1) for n in (500, 300)
    )
    found = pca(train, test, 1, Normal())
    assert found["squared_error"] == pytest.approx(2 * 0.01, rel=0.15)
    direction = np.array([[0.6], [0.8], [0]])
    exact = stats.multivariate_normal(np.zeros(3), 25 * direction @ direction.T + 0.01 * np.eye(3))
    assert found["log_prob"] == pytest.approx(exact.logpdf(test[..., 0]).mean(), abs=0.1)
    assert pca(train, test, 1, Bernoulli())["log_prob"] is None
    assert pca(train, test, 9, Normal())["squared_error"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "likelihood, scale, quantity",
    [
        (Bernoulli, 1.0, "log-probability"),
        (Bernoulli, 0.5, "cross-entropy"),
        (Normal, 1.0, "log-density"),
        (lambda: Categorical(2), 1.0, "log-probability"),
    ],
)
def test_the_report_says_what_its_figures_are(digits, likelihood, scale, quantity):
    train, test = digits[0][:60] * np.float32(scale), digits[1][:20] * np.float32(scale)
    model = keras_ae.create("vae", (8, 8, 1), 2, seed=0, likelihood=likelihood(), **SMALL)
    model.compile("adam")
    report = evaluate(model, test, train, samples=10)
    assert report.quantity == quantity
    assert report.examples == 20 and report.estimator == "importance, K=10" and report.dimensions == 64
    assert report.terms["loss"] == pytest.approx(report.terms["reconstruction"] + report.terms["kl"], rel=1e-5)
    error = np.square(model.reconstruct(test) - test).sum() / 20
    assert report.squared_error == pytest.approx(error, rel=1e-5)
    log_prob = keras_ae.evaluation.log_likelihood(model, test, samples=10).log_prob
    assert report.bound == pytest.approx(log_prob.mean(), rel=1e-6)
    assert report.bound_standard_error == pytest.approx(log_prob.std() / np.sqrt(20), rel=1e-6)
    if quantity == "log-probability":
        assert report.bits_per_dimension == pytest.approx(-log_prob.mean() / 64 / math.log(2), rel=1e-6)
    else:
        assert report.bits_per_dimension is None and report.bits(-3.0) is None
    assert [row["name"].split()[0] for row in report.baselines] == ["PCA,", "independent"]
    assert report.as_dict()["baselines"] == report.baselines


class Own(Bernoulli):
    """A likelihood that no baseline knows."""


class OwnLevels(BetaBinomial):
    """A likelihood of levels: frequencies need no family."""


def test_a_likelihood_of_ones_own():
    x = np.array([[0.0, 1], [1, 1], [0, 1]])
    (_, own), (_, levels) = (baselines(x, x, 1, likelihood) for likelihood in (Own(), OwnLevels(2)))
    assert own["name"] == "independent Own" and own["log_prob"] is None and own["squared_error"] > 0
    assert levels["log_prob"] == pytest.approx(baselines(x, x, 1, Bernoulli())[1]["log_prob"])


def test_baselines_name_what_does_not_fit():
    x = np.ones((3, 2))
    for train, test, message in (
        (x, x[:, :1], r"examples of one shape.*\(3, 2\) and \(3, 1\)"),
        (x, x[:0], "examples of one shape"),
        (x * np.nan, x, "train has 6 values"),
        (x, x * np.nan, "test has 6 values"),
    ):
        with pytest.raises(keras_ae.InputError, match=message):
            baselines(train, test, 1, Normal())


def test_binary_data_with_gaps_has_a_log_probability():
    """Of what was observed, over whose values the bits are counted."""
    x = np.array([[0.0, 1.0, np.nan], [1.0, 0.0, 1.0]])
    assert quantity(Bernoulli(), x) == "log-probability" and dimensions(x) == 2.5
    assert quantity(Bernoulli(), x / 2) == "cross-entropy" and dimensions(np.zeros((2, 3))) == 3


def test_a_bound_that_is_infinite():
    model = keras_ae.create("vae", (4,), 2, seed=0, likelihood="normal", **SMALL)
    model.compile("adam", run_eagerly=True)
    x = np.zeros((4, 4), "float32")
    x[1] = 1e20
    report = evaluate(model, x, samples=5)
    assert report.bound == -math.inf and math.isnan(report.bound_standard_error)


def test_a_perplexity_that_no_number_holds():
    model = keras_ae.create("sequence_vae", (3,), 2, likelihood=Categorical(4), network_options={"units": 5})
    for log_prob, expected in ((np.full(2, -4000.0), math.inf), (np.full(2, -np.inf), math.inf), (np.zeros(2), 1.0)):
        assert of_bound(model, np.ones((2, 3)), log_prob).perplexity == expected


def test_no_knee_of_scores_that_are_no_numbers():
    scores = np.zeros((3, 1, 5))
    scores[1, 0, 2] = -np.inf
    assert find_knee([1, 2, 4], scores).advice.startswith("No knee: the score of an example is infinite")


@pytest.mark.parametrize("name", ["ae", "linear_ae"])
def test_a_deterministic_model_has_no_bound(name, digits):
    model = keras_ae.create(name, (8, 8, 1), 2, seed=0)
    model.compile("adam")
    report = evaluate(model, digits[1][:20])
    assert report.bound is report.bits_per_dimension is report.estimator is report.rate is report.active_units is None
    assert report.baselines == []
