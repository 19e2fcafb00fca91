"""Estimators of log p(x) against the exact log p(x) of linear models."""

import numpy as np
import pytest
from scipy import stats

import keras_ae
from keras_ae.backend import KeyedSeed
from keras_ae.distributions import DiagonalNormal
from keras_ae.evaluation import ais, bidirectional, likelihood, log_likelihood
from keras_ae.evaluation.likelihood import _Total, importance
from keras_ae.models import Batch
from tests.linear import VARIANCE, linear_vae


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    with pytest.raises(keras_ae.InputError, match=r"model must be variational.* is deterministic"):
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


METHODS = {
    "prior": {"method": "prior", "samples": 4000},
    "importance": {"samples": 2000},
    "ais": {"method": "ais", "samples": 8, "steps": 100},
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("latent_dim", [2, 50])
def test_every_estimator_meets_the_exact_value(latent_dim, method):
    """With noise so large that even codes of the prior explain x in 50 dimensions."""
    model, x, exact = linear_vae(latent_dim, widen=1.1, values=60, n=8, variance=20.0)
    found = log_likelihood(model, x, **METHODS[method])
    assert (np.abs(found.log_prob - exact) < 5 * found.standard_error).all()
    assert (found.standard_error < 0.3).all() and (found.standard_error > 0).all()
    assert (found.effective_sample_size <= METHODS[method]["samples"] * (1 + 1e-6)).all()
    assert abs((found.log_prob - exact).mean()) < 0.15


def test_the_prior_is_honest_where_it_fails():
    model, x, exact = linear_vae(50, values=60, n=8)
    found = log_likelihood(model, x, "prior", samples=500)
    assert (found.effective_sample_size < 20).all()
    assert (found.log_prob < exact - 5).all()


def test_annealing_approaches_the_exact_value_and_knows_its_error():
    """Where x says much of z: more temperatures lose less, and bidirectional Monte Carlo encloses the truth."""
    model, x, exact = linear_vae(50, values=60, n=4)
    few, many = (log_likelihood(model, x, "ais", samples=8, steps=steps).log_prob for steps in (10, 200))
    assert few.mean() < many.mean() < exact.mean() + 0.5
    assert abs(many.mean() - exact.mean()) < 1.5
    short, long = (bidirectional(model, 8, samples=8, steps=steps) for steps in (10, 200))
    assert 0 < long.gap < short.gap
    assert long.gap < 3


def test_bidirectional_bounds_enclose_the_exact_value_of_simulated_examples(monkeypatch):
    model, _, _ = linear_vae(2, n=1)
    seen = []
    tune = ais.Annealer.tune
    monkeypatch.setattr(
        ais.Annealer, "tune", lambda self, arrays, key: seen.append(arrays[0]) or tune(self, arrays, key)
    )
    found = bidirectional(model, 30, samples=8, steps=100)
    w, b = np.asarray(model.output_head.kernel, "float64").T, np.asarray(model.output_head.bias, "float64")
    exact = stats.multivariate_normal(b, w @ w.T + VARIANCE * np.eye(12)).logpdf(np.concatenate(seen))
    assert found.lower.mean() - 0.05 < exact.mean() < found.upper.mean() + 0.05
    np.testing.assert_allclose(found.lower, exact, atol=1)
    np.testing.assert_allclose(found.upper, exact, atol=1)
    assert found.gap == pytest.approx((found.upper - found.lower).mean())


def test_a_transition_leaves_its_distribution_invariant(rng):
    """Of p(z) p(x|z)^beta, which is normal: many chains that start there stay there."""
    beta, chains = 0.3, 4000
    model, x, _ = linear_vae(2, n=1)
    w, b = np.asarray(model.output_head.kernel, "float64").T, np.asarray(model.output_head.bias, "float64")
    covariance = np.linalg.inv(np.eye(2) + beta * w.T @ w / VARIANCE)
    mean = covariance @ w.T @ (x[0] - b) * beta / VARIANCE
    z = rng.multivariate_normal(mean, covariance, size=(chains, 1)).astype("float32")
    batch, first, accepted = Batch(x, x), z, []
    for i in range(3):
        z, accept = ais.transition(model, batch, z, beta, np.array([0.4], "float32"), KeyedSeed(i))
        accepted.append(np.mean(accept))
    z = np.asarray(z)[:, 0]
    assert min(accepted) > 0.3 and max(accepted) < 1
    assert np.abs(z - first[:, 0]).max() > 0.5
    assert (np.abs(z.mean(axis=0) - mean) < 4 * np.sqrt(np.diag(covariance) / chains)).all()
    np.testing.assert_allclose(np.cov(z.T), covariance, atol=0.1 * np.sqrt(np.linalg.det(covariance)))


def test_schedules():
    betas = ais.sigmoid_schedule(10)
    assert betas[0] == 0 and betas[-1] == 1 and (np.diff(betas) > 0).all()
    np.testing.assert_allclose(betas + betas[::-1], 1)
    flat = ais.refined(betas, np.ones(10), 4)
    np.testing.assert_allclose(flat, [0, 0.25, 0.5, 0.75, 1])
    wide = ais.refined(np.array([0, 0.5, 1.0]), np.array([3.0, 1.0]), 4)  # three quarters of the path before 0.5
    np.testing.assert_allclose(wide, [0, 1 / 6, 2 / 6, 0.5, 1])


def test_a_proposal_replaces_the_posterior():
    """The exact posterior where the encoder's is bad; and the prior, which is the method of that name."""
    model, x, exact = linear_vae(2, widen=3.0, shift=1.0)
    good, _, _ = linear_vae(2)
    q = good.over_batches("posterior", x)
    np.testing.assert_allclose(log_likelihood(model, x, samples=2, proposal=q).log_prob, exact, atol=1e-3)
    zeros = np.zeros((len(x), 2), "float32")
    model, x, _ = linear_vae(2, variance=20.0)
    by_prior = log_likelihood(model, x, "prior", samples=2000)
    by_proposal = log_likelihood(model, x, samples=2000, proposal=DiagonalNormal(zeros, zeros))
    np.testing.assert_allclose(by_proposal.log_prob, by_prior.log_prob, atol=0.1)
    with pytest.raises(keras_ae.InputError, match=r"each of the 30 examples.*parameters for 4"):
        log_likelihood(model, x, proposal=DiagonalNormal(zeros[:4], zeros[:4]))
    with pytest.raises(keras_ae.InputError, match="method='prior'"):
        log_likelihood(model, x, "prior", proposal=DiagonalNormal(zeros, zeros))


def test_it_shrinks_the_chunk_where_memory_runs_out(monkeypatch):
    model, x, _ = linear_vae(2)
    expected, by_chunks, tried = log_likelihood(model, x, samples=5, rows=16), likelihood._by_chunks, []

    def small_memory(model, arrays, proposal, method, samples, seed, rows):
        tried.append(rows)
        if rows > 16:
            raise MemoryError("cannot allocate")
        return by_chunks(model, arrays, proposal, method, samples, seed, rows)

    monkeypatch.setattr(likelihood, "_by_chunks", small_memory)
    with pytest.warns(RuntimeWarning, match="Memory ran out: log_likelihood goes on with rows="):
        found = log_likelihood(model, x, samples=5, rows=64)
    assert tried == [64, 32, 16]
    np.testing.assert_array_equal(found.log_prob, expected.log_prob)


@pytest.mark.parametrize("method", METHODS)
def test_a_learned_prior(method, rng):
    """Of the condition: each estimator samples and weighs by p(z|y)."""
    model = keras_ae.create(
        "conditional_vae", (6,), 2, seed=0, condition_dim=3, learned_prior=True, network_options={"hidden": (8,)}
    )
    model.prior_mean_head.kernel.assign(rng.normal(size=(3, 2)))
    model.prior_log_var_head.kernel.assign(rng.normal(size=(3, 2)))
    x, y = rng.integers(0, 2, (6, 6)).astype("float32"), np.arange(6) % 3
    options = METHODS[method] | ({"steps": 50} if method == "ais" else {})
    reference = log_likelihood(model, x, samples=5000, seed=7, condition=y)
    found = log_likelihood(model, x, condition=y, **options)
    assert (np.abs(found.log_prob - reference.log_prob) < 5 * np.hypot(found.standard_error, 0.02)).all()
