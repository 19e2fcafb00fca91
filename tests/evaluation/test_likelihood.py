"""The importance-weighted bound against the exact log p(x) of linear models."""

import numpy as np
import pytest
from scipy import stats

import keras_ae
from keras_ae.backend import KeyedSeed
from keras_ae.distributions.likelihoods import Normal
from keras_ae.evaluation import log_likelihood
from keras_ae.evaluation.likelihood import _Total, importance
from keras_ae.models import Batch

VALUES, VARIANCE = 12, 0.5


def linear_vae(latent_dim, widen=1.0, shift=0.0, kl="analytic"):
    """A linear Gaussian model and its exact log p(x).

    p(x|z) = N(W z + b, s2 I), so p(x) = N(b, W W^T + s2 I) and p(z|x) = N(M W^T (x - b) / s2, M) with
    M = (I + W^T W / s2)^-1. q(z|x) has that mean plus `shift` and `widen` times that covariance.
    """
    rng = np.random.default_rng(latent_dim)
    w, b = rng.normal(size=(VALUES, latent_dim)) / np.sqrt(latent_dim), rng.normal(size=VALUES)
    options = {"network_options": {"hidden": ()}, "posterior": "full", "likelihood": Normal(VARIANCE), "kl": kl}
    model = keras_ae.create("vae", (VALUES,), latent_dim, seed=0, **options)
    model.compile("adam")
    covariance = np.linalg.inv(np.eye(latent_dim) + w.T @ w / VARIANCE)
    to_mean = covariance @ w.T / VARIANCE
    factor = np.linalg.cholesky(widen * covariance)
    log_var = 2 * np.log(np.diag(factor))
    log_var = log_var / np.sqrt(1 - (log_var / 20) ** 2)  # undoes the bound
    for head, kernel, bias in (
        (model.output_head, w.T, b),
        (model.mean_head, to_mean.T, shift - to_mean @ b),
        (model.log_var_head, np.zeros((VALUES, latent_dim)), log_var),
        (model.lower_head, 0, factor[np.tril_indices(latent_dim, -1)]),
    ):
        head.kernel.assign(np.broadcast_to(kernel, head.kernel.shape))
        head.bias.assign(bias)
    exact = stats.multivariate_normal(b, w @ w.T + VARIANCE * np.eye(VALUES))
    x = exact.rvs(size=30, random_state=1).astype("float32")
    return model, x, exact.logpdf(x)


@pytest.mark.parametrize("latent_dim", [2, 20])
def test_the_exact_posterior_gives_the_exact_value_from_one_sample(latent_dim):
    model, x, exact = linear_vae(latent_dim)
    np.testing.assert_allclose(log_likelihood(model, x, samples=1).log_prob, exact, atol=1e-3)
    found = log_likelihood(model, x, samples=20)
    np.testing.assert_allclose(found.log_prob, exact, atol=1e-3)
    np.testing.assert_allclose(found.effective_sample_size, 20, rtol=1e-4)
    assert (found.standard_error < 1e-3).all()
    assert model.evaluate(np.repeat(x, 20, axis=0), verbose=0)[0] == pytest.approx(-exact.mean(), abs=0.3)


@pytest.mark.parametrize("latent_dim, widen", [(2, 2.0), (20, 1.2)])
def test_it_meets_the_exact_value_with_another_posterior(latent_dim, widen):
    model, x, exact = linear_vae(latent_dim, widen)
    found = log_likelihood(model, x, samples=5000)
    assert (np.abs(found.log_prob - exact) < 5 * found.standard_error).all()
    assert (found.standard_error < 0.1).all()
    assert (found.standard_error > 0).all()
    assert ((found.effective_sample_size > 100) & (found.effective_sample_size < 4900)).all()


def test_it_does_not_decrease_with_samples():
    model, x, exact = linear_vae(2, widen=3.0, shift=0.5)
    means, errors = [], []
    for samples in (1, 4, 16, 64):
        values = [log_likelihood(model, x, samples=samples, seed=seed).log_prob.mean() for seed in range(30)]
        means.append(np.mean(values))
        errors.append(np.std(values) / np.sqrt(30))
    for k in range(3):
        assert means[k + 1] > means[k] - 3 * np.hypot(errors[k], errors[k + 1])
    assert means[3] > means[0] + 0.1
    assert means[3] < exact.mean() + 3 * errors[3]


def test_one_sample_is_the_elbo():
    """In expectation that of the loss, and for the same noise log p(x, z) - log q(z|x) by hand."""
    model, x, _ = linear_vae(2, widen=2.0, shift=0.3)
    batch = Batch(x, x)
    z, _ = model.propose(batch, 1, KeyedSeed(5))
    q = model.posterior(x)
    params = np.asarray(model.decode_params(z[0]), "float64")
    by_hand = stats.norm(params, np.sqrt(VARIANCE)).logpdf(x).sum(axis=1) + stats.norm.logpdf(z[0]).sum(axis=1)
    by_hand -= [
        stats.multivariate_normal(q.mean[i], q.scale_tril[i] @ np.transpose(q.scale_tril[i])).logpdf(z[0, i])
        for i in range(len(x))
    ]
    np.testing.assert_allclose(importance(model, batch, 1, KeyedSeed(5))[0], by_hand, rtol=1e-4)
    np.testing.assert_allclose(-model.score(batch, KeyedSeed(5), 1), by_hand, rtol=1e-4)
    draws = np.array([log_likelihood(model, x, samples=1, seed=seed).log_prob.mean() for seed in range(100)])
    losses = np.array([model.evaluate(x, verbose=0)[0] for _ in range(30)])
    assert abs(draws.mean() + losses.mean()) < 4 * np.hypot(draws.std() / 10, losses.std() / np.sqrt(30))


def test_the_standard_error_is_honest():
    model, x, _ = linear_vae(2, widen=2.0)
    runs = [log_likelihood(model, x, samples=100, seed=seed) for seed in range(100)]
    spread = np.std([run.log_prob for run in runs], axis=0)
    reported = np.mean([run.standard_error for run in runs], axis=0)
    assert 0.8 < (spread / reported).mean() < 1.25
    assert np.isnan(log_likelihood(model, x, samples=1).standard_error).all()


def test_chunks_change_no_more_than_the_noise():
    model, x, exact = linear_vae(2, widen=2.0)
    for rows in (1, 640, 8192):
        found = log_likelihood(model, x, samples=203, rows=rows)
        assert found.log_prob.shape == found.standard_error.shape == exact.shape
        assert (np.abs(found.log_prob - exact) < 5 * found.standard_error).all()
        assert (found.effective_sample_size > 100).all()
    whole = log_likelihood(*linear_vae(2)[:2], samples=203, rows=640)
    np.testing.assert_allclose(whole.log_prob, exact, atol=1e-3)


def test_the_seed_fixes_the_estimate():
    model, x, _ = linear_vae(2, widen=2.0)
    first, again, other = (log_likelihood(model, x, samples=10, seed=seed).log_prob for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.isclose(first, other).all()


def test_large_weights_do_not_overflow():
    model, x, _ = linear_vae(2, shift=200.0)
    found = log_likelihood(model, x, samples=50)
    assert np.isfinite(found.log_prob).all() and np.isfinite(found.effective_sample_size).all()
    assert (found.log_prob < -1e4).all()


def test_both_forms_of_the_kl_have_the_same_expectation():
    losses = {}
    for kl in ("analytic", "sample"):
        model, x, _ = linear_vae(2, widen=2.0, shift=0.3, kl=kl)
        draws = [model.evaluate(x, verbose=0, return_dict=True)["kl"] for _ in range(50)]
        losses[kl] = np.mean(draws), np.std(draws) / np.sqrt(50)
    assert losses["analytic"][1] < 1e-5 < losses["sample"][1]
    assert abs(losses["analytic"][0] - losses["sample"][0]) < 4 * losses["sample"][1]


@pytest.mark.parametrize("name", ["ae", "linear_ae"])
def test_a_deterministic_model_has_no_likelihood(name):
    model = keras_ae.create(name, (4,), 2)
    with pytest.raises(keras_ae.InputError, match=r"is deterministic.*variational model"):
        log_likelihood(model, np.ones((3, 4)))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"samples": 0}, "samples must be"),
        ({"samples": 2.5}, "samples must be"),
        ({"rows": 0}, "rows must be"),
        ({"method": "importence"}, "'importence'.*'importance'"),
    ],
)
def test_bad_arguments(arguments, message):
    model, x, _ = linear_vae(2)
    with pytest.raises(keras_ae.InputError, match=message):
        log_likelihood(model, x, **arguments)


def test_running_sums_are_those_of_all_weights(rng):
    """Whether the largest weight comes early or late; by hand in float64."""
    log_w = rng.normal(scale=3, size=(30, 8)) - 500
    log_w[:, 0], log_w[:, 1] = np.sort(log_w[:, 0]), -np.sort(-log_w[:, 1])
    total = _Total(8)
    for chunk in np.split(log_w, 6):
        total.add(chunk)
    w = np.exp(log_w + 500)
    found = total.result(30)
    np.testing.assert_allclose(found.log_prob, np.log(w.mean(axis=0)) - 500, rtol=1e-9)
    np.testing.assert_allclose(found.effective_sample_size, w.sum(axis=0) ** 2 / np.square(w).sum(axis=0), rtol=1e-9)
    by_delta_method = w.std(axis=0, ddof=1) / np.sqrt(30) / w.mean(axis=0)
    np.testing.assert_allclose(found.standard_error, by_delta_method, rtol=1e-9)
