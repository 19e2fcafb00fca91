"""Divergences and statistics of samples against SciPy, Monte Carlo, integration and double loops."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import integrate, linalg, special, stats

from keras_ae import divergences
from keras_ae.distributions import DiagonalNormal, FullNormal, StandardNormal
from keras_ae.divergences import entropy, kl, mmd, nuclear_norm, wasserstein2, wasserstein2_codes

BATCH, DRAWS = 3, 20000
KINDS = ("diagonal", "full")
PAIRS = list(itertools.product(KINDS, (*KINDS, "standard")))
ALL_PAIRS = list(itertools.product((*KINDS, "standard"), repeat=2))


def gaussian(kind, dim, rng):
    """A distribution, and its mean and covariance for every example."""
    mean, log_var = rng.normal(size=(2, BATCH, dim)).astype("float32")
    if kind == "standard":
        return StandardNormal((dim,)), np.zeros((BATCH, dim)), np.broadcast_to(np.eye(dim), (BATCH, dim, dim))
    lower = rng.normal(size=(BATCH, dim * (dim - 1) // 2)).astype("float32")
    factor = np.zeros((BATCH, dim, dim))
    factor[:, range(dim), range(dim)] = np.exp(0.5 * log_var)
    if kind == "diagonal":
        return DiagonalNormal(*map(ops.array, (mean, log_var))), mean, factor @ factor.swapaxes(1, 2)
    factor[(slice(None), *np.tril_indices(dim, -1))] = lower
    return FullNormal.from_parameters(*map(ops.array, (mean, log_var, lower))), mean, factor @ factor.swapaxes(1, 2)


def pair(kinds, dim, rng):
    """Two distributions, and for each example both as SciPy's."""
    (q, *of_q), (p, *of_p) = (gaussian(kind, dim, rng) for kind in kinds)
    scipy = [[stats.multivariate_normal(m, s) for m, s in zip(*of, strict=True)] for of in (of_q, of_p)]
    return q, p, list(zip(*scipy, strict=True))


@pytest.mark.parametrize("dim", [1, 2, 4])
@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_kl_against_monte_carlo(kinds, dim, rng):
    q, p, scipy = pair(kinds, dim, rng)
    found = np.asarray(kl(q, p))
    assert found.shape == (BATCH,)
    for value, (of_q, of_p) in zip(found, scipy, strict=True):
        z = of_q.rvs(DRAWS, random_state=rng)
        draws = of_q.logpdf(z) - of_p.logpdf(z)
        assert abs(value - draws.mean()) < 5 * draws.std() / np.sqrt(DRAWS)


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_kl_against_integration(kinds, dim, rng):
    """The trapezoidal rule, along the axes of q's covariance, over 9 standard deviations to each side."""
    q, p, scipy = pair(kinds, dim, rng)
    grid = np.stack(np.meshgrid(*[np.linspace(-9, 9, 201)] * dim), axis=-1)
    for value, (of_q, of_p) in zip(np.asarray(kl(q, p)), scipy, strict=True):
        z = of_q.mean + grid @ linalg.cholesky(of_q.cov)
        terms = np.exp(of_q.logpdf(z)) * (of_q.logpdf(z) - of_p.logpdf(z)) * np.sqrt(linalg.det(of_q.cov))
        for _ in range(dim):
            terms = integrate.trapezoid(terms, dx=18 / 200, axis=0)
        np.testing.assert_allclose(value, terms, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("other", ["diagonal", "standard"])
def test_kl_of_a_grid_of_codes_is_that_of_its_values_in_a_row(other, rng):
    q, p, scipy = pair(("diagonal", other), 6, rng)
    grid = DiagonalNormal(*(ops.reshape(value, (BATCH, 2, 3)) for value in q))
    shape = (BATCH, 2, 3)
    of_p = StandardNormal((2, 3)) if other == "standard" else DiagonalNormal(*(ops.reshape(v, shape) for v in p))
    found = kl(grid, of_p)
    for value, (a, b) in zip(np.asarray(found), scipy, strict=True):
        z = a.rvs(DRAWS, random_state=rng)
        draws = a.logpdf(z) - b.logpdf(z)
        assert abs(value - draws.mean()) < 5 * draws.std() / np.sqrt(DRAWS)
    np.testing.assert_allclose(found, kl(q, p), rtol=1e-5)


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_kl_is_zero_only_between_equals(kinds, rng):
    q, p, _ = pair(kinds, 3, rng)
    assert (np.asarray(kl(q, p)) > 0.1).all()
    equal = DiagonalNormal(ops.zeros((1, 3)), ops.zeros((1, 3)))
    forms = {"diagonal": equal, "full": divergences.as_full(equal), "standard": StandardNormal((3,))}
    np.testing.assert_allclose(kl(*(forms[kind] for kind in kinds)), [0], atol=1e-6)


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_the_mean_of_kl_sample_is_the_closed_form(kinds, rng):
    q, p, _ = pair(kinds, 3, rng)
    z = q.rsample(ops.array(rng.normal(size=(DRAWS, BATCH, 3)).astype("float32")))
    draws = np.asarray(divergences.kl_sample(q, p, z), "float64")
    assert (np.abs(draws.mean(axis=0) - kl(q, p)) < 5 * draws.std(axis=0) / np.sqrt(DRAWS)).all()


@pytest.mark.parametrize("dim", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_entropy(kind, dim, rng):
    q, mean, covariance = gaussian(kind, dim, rng)
    expected = [stats.multivariate_normal(m, s).entropy() for m, s in zip(mean, covariance, strict=True)]
    np.testing.assert_allclose(entropy(q), expected, rtol=1e-5, atol=1e-6)


def test_entropy_of_a_grid_of_codes(rng):
    mean, log_var = rng.normal(size=(2, BATCH, 2, 3)).astype("float32")
    expected = stats.norm(mean, np.exp(0.5 * log_var)).entropy().sum(axis=(1, 2))
    np.testing.assert_allclose(entropy(DiagonalNormal(mean, log_var)), expected, rtol=1e-5)


def squared_distance(mean1, cov1, mean2, cov2):
    """W2^2 with the matrix square root of SciPy."""
    root = linalg.sqrtm(cov1)
    between = linalg.sqrtm(root @ cov2 @ root).real
    return np.sum((mean1 - mean2) ** 2) + np.trace(cov1 + cov2 - 2 * between)


@pytest.mark.parametrize("dim", [1, 4])
@pytest.mark.parametrize("kinds", ALL_PAIRS, ids="-".join)
def test_wasserstein2(kinds, dim, rng):
    (q, *of_q), (p, *of_p) = (gaussian(kind, dim, rng) for kind in kinds)
    found = np.asarray(wasserstein2(q, p))
    expected = [squared_distance(*each) for each in zip(*of_q, *of_p, strict=True)]
    assert found.shape == (1 if kinds == ("standard", "standard") else BATCH,)
    np.testing.assert_allclose(found, expected[: len(found)], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [*KINDS, "standard"])
def test_wasserstein2_of_equals_is_zero(kind, rng):
    q, *_ = gaussian(kind, 4, rng)
    np.testing.assert_allclose(wasserstein2(q, q), 0, atol=1e-4)


def test_wasserstein2_of_a_grid_of_codes(rng):
    mean, log_var = rng.normal(size=(2, BATCH, 2, 3)).astype("float32")
    expected = (mean**2 + (np.exp(0.5 * log_var) - 1) ** 2).sum(axis=(1, 2))  # one dimension at a time
    np.testing.assert_allclose(wasserstein2(DiagonalNormal(mean, log_var), StandardNormal((2, 3))), expected, rtol=1e-5)


def of_codes(z):
    """W2^2 between the normal with the moments of z and N(0, I), in float64."""
    z = np.asarray(z, "float64")
    covariance = np.atleast_2d(np.cov(z.T, bias=True))
    roots = np.sqrt(np.maximum(linalg.eigvalsh(covariance), 0))
    return np.sum(z.mean(axis=0) ** 2) + np.trace(covariance) + z.shape[1] - 2 * roots.sum()


@pytest.mark.parametrize("n, dim", [(20, 3), (20, 1), (4, 6), (1, 3)])
def test_wasserstein2_of_codes(n, dim, rng):
    z = (rng.normal(size=(n, dim)) @ rng.normal(size=(dim, dim)) + 0.5).astype("float32")
    np.testing.assert_allclose(wasserstein2_codes(z), of_codes(z), rtol=1e-4)
    if n > dim:
        covariance = np.atleast_2d(np.cov(z.T, bias=True))
        expected = squared_distance(z.mean(axis=0), covariance, np.zeros(dim), np.eye(dim))
        np.testing.assert_allclose(wasserstein2_codes(z), expected, rtol=1e-4)


def test_wasserstein2_of_a_grid_of_codes_is_that_of_its_values_in_a_row(rng):
    z = rng.normal(size=(20, 2, 2)).astype("float32")
    np.testing.assert_allclose(wasserstein2_codes(z), of_codes(z.reshape(20, 4)), rtol=1e-4)


def test_weighted_wasserstein2_is_that_of_repeated_examples(rng):
    z, weight = rng.normal(size=(12, 3)).astype("float32"), np.arange(12) % 4
    assert float(wasserstein2_codes(z, weight)) == pytest.approx(of_codes(np.repeat(z, weight, axis=0)), rel=1e-4)
    assert float(wasserstein2_codes(z, 0.3 * weight)) == pytest.approx(float(wasserstein2_codes(z, weight)), rel=1e-5)


def gradient(function, z):
    z = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = function(z)
    return tape.gradient(value, z).numpy()


def finite_differences(function, z, step=1e-5):
    z = np.asarray(z, "float64")
    found = np.zeros_like(z)
    for index in np.ndindex(z.shape):
        shift = np.zeros_like(z)
        shift[index] = step
        found[index] = (function(z + shift) - function(z - shift)) / (2 * step)
    return found


def test_the_gradient_of_wasserstein2_of_codes(rng):
    z = (rng.normal(size=(7, 3)) * [1, 0.5, 2] + 1).astype("float32")
    np.testing.assert_allclose(gradient(wasserstein2_codes, z), finite_differences(of_codes, z), rtol=1e-3, atol=1e-4)


SINGULAR = {
    "more dimensions than examples": np.random.default_rng(0).normal(size=(3, 5)),
    "equal examples": np.ones((4, 3)),
    "all zero": np.zeros((4, 3)),
    "one example": np.arange(3.0)[None],
    "a constant dimension": np.random.default_rng(0).normal(size=(6, 3)) * [1, 0, 1],
    "equal variances": np.concatenate([np.eye(3), -np.eye(3)]),
}


@pytest.mark.parametrize("z", SINGULAR.values(), ids=SINGULAR)
def test_singular_covariances_give_finite_values_and_gradients(z):
    z = z.astype("float32")
    for weight in (None, np.arange(len(z)), np.zeros(len(z))):
        assert np.isfinite(wasserstein2_codes(z, weight))
        assert np.isfinite(gradient(lambda z, weight=weight: wasserstein2_codes(z, weight), z)).all()
    np.testing.assert_allclose(wasserstein2_codes(z), of_codes(z), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 4), (5, 2), (2, 5), (3, 4, 2)])
def test_nuclear_norm(shape, rng):
    a = rng.normal(size=shape).astype("float32")
    norms = np.linalg.svd(a.astype("float64"), compute_uv=False).sum(axis=-1)
    np.testing.assert_allclose(nuclear_norm(a), norms, rtol=1e-5)
    if a.ndim == 2:
        assert float(nuclear_norm(a)) == pytest.approx(np.linalg.norm(a, "nuc"), rel=1e-5)
        expected = finite_differences(lambda a: np.linalg.norm(a, "nuc"), a)
        np.testing.assert_allclose(gradient(nuclear_norm, a), expected, rtol=1e-3, atol=1e-4)


KERNELS = {"imq": lambda squares, c: c / (c + squares), "rbf": lambda squares, c: np.exp(-squares / c)}


def mmd_by_loops(x, y, kernel, scales, weight=None):
    """Means over pairs: of different examples within a sample, of all between them. A pair of x's examples counts
    w_i w_j, an example of x w_i."""
    weight = np.ones(len(x)) if weight is None else weight

    def k(a, b):
        return sum(KERNELS[kernel](np.sum((a - b) ** 2), 2 * x.shape[1] * scale) for scale in scales)

    def mean(terms):
        values, weights = np.transpose(list(terms))
        return np.average(values, weights=weights)

    n, m = range(len(x)), range(len(y))
    within_x = mean((k(x[i], x[j]), weight[i] * weight[j]) for i in n for j in n if i != j)
    within_y = mean((k(y[i], y[j]), 1) for i in m for j in m if i != j)
    between = mean((k(x[i], y[j]), weight[i]) for i in n for j in m)
    return within_x + within_y - 2 * between


@pytest.mark.parametrize("scales", [(1.0,), divergences.SCALES])
@pytest.mark.parametrize("kernel", KERNELS)
def test_mmd_against_a_double_loop(kernel, scales, rng):
    x, y = rng.normal(size=(6, 3)).astype("float32"), (2 * rng.normal(size=(9, 3)) + 1).astype("float32")
    expected = mmd_by_loops(x, y, kernel, scales)
    np.testing.assert_allclose(mmd(x, y, kernel, scales), expected, rtol=1e-4, atol=1e-5)
    for weight in (np.array([1, 3, 2, 0, 1, 2]), rng.random(6).astype("float32")):
        expected = mmd_by_loops(x, y, kernel, scales, weight)
        np.testing.assert_allclose(mmd(x, y, kernel, scales, weight), expected, rtol=1e-4, atol=1e-5)


def test_an_integer_weight_of_mmd_repeats_an_example_without_pairing_it_with_itself(rng):
    """Repeated examples paired with their copies would add k(x, x) = 1, as if the sample were less spread."""
    x, y, weight = rng.normal(size=(6, 3)).astype("float32"), rng.normal(size=(9, 3)).astype("float32"), 2
    weighted, plain = mmd(x, y, weight=np.full(6, weight)), mmd(x, y)
    np.testing.assert_allclose(weighted, plain, rtol=1e-5)
    assert float(mmd(np.repeat(x, weight, axis=0), y)) > float(plain) + 0.01


def test_an_example_of_weight_zero_is_left_out_of_mmd(rng):
    x, y = rng.normal(size=(8, 2)).astype("float32"), rng.normal(size=(5, 2)).astype("float32")
    keep = np.arange(8) % 3 > 0
    x[~keep] = 50.0
    np.testing.assert_allclose(mmd(x, y, weight=keep), mmd(x[keep], y), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weight", [None, (1.0, 3.0, 0.0, 1.0, 2.0)], ids=["plain", "weighted"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_mmd_of_one_distribution_is_zero_in_expectation(kernel, weight, rng):
    x, y = rng.normal(size=(2, 1000, 5, 2)).astype("float32")
    draw = tf.function(lambda x, y: mmd(x, y, kernel, weight=weight))
    draws = np.array([draw(*map(tf.constant, both)) for both in zip(x, y, strict=True)])
    error = draws.std() / np.sqrt(len(draws))
    assert abs(draws.mean()) < 4 * error
    assert error < 0.05 and (draws < 0).any()  # pairs of an example with itself would add about one


@pytest.mark.parametrize("kernel", KERNELS)
def test_mmd_of_a_grid_of_codes(kernel, rng):
    x, y = rng.normal(size=(2, 6, 2, 2)).astype("float32")
    expected = mmd_by_loops(x.reshape(6, 4), y.reshape(6, 4), kernel, (0.5, 1.0))
    np.testing.assert_allclose(mmd(x, y, kernel, (0.5, 1.0)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "n, m, weight", [(1, 1, None), (1, 5, None), (5, 1, None), (5, 5, [0, 0, 2, 0, 0]), (5, 5, [0, 0, 0, 0, 0])]
)
def test_mmd_of_fewer_than_two_examples_is_zero(n, m, weight, rng):
    x, y = (rng.normal(size=(size, 2)).astype("float32") for size in (n, m))
    weight = None if weight is None else np.array(weight)
    assert float(mmd(x, y, weight=weight)) == 0
    assert np.isfinite(gradient(lambda x: mmd(x, y, weight=weight), x)).all()


def test_kl_of_bernoulli_variables():
    p, q = np.meshgrid([0.01, 0.3, 0.5, 0.95], [0.02, 0.5, 0.9])
    expected = special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)
    np.testing.assert_allclose(divergences.kl_bernoulli(p, q), expected, rtol=1e-4, atol=1e-6)
    p, q = np.array([0.0, 1.0, 1.0]), np.array([0.3, 0.3, 1.0])
    expected = special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)
    np.testing.assert_allclose(divergences.kl_bernoulli(p, q), expected, rtol=1e-4, atol=1e-5)
    assert np.isfinite(divergences.kl_bernoulli(0.5, np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_batch_mean(shape, rng):
    values, weight = rng.normal(size=(7, *shape)).astype("float32"), np.arange(7) % 3
    np.testing.assert_allclose(divergences.batch_mean(values), values.mean(axis=0), rtol=1e-5, atol=1e-6)
    expected = np.average(values, axis=0, weights=weight)
    np.testing.assert_allclose(divergences.batch_mean(values, weight), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(divergences.batch_mean(values, 0 * weight), np.zeros(shape))


def test_an_unknown_kernel():
    with pytest.raises(ValueError, match=r"'rbff'.*'rbf'"):
        mmd(np.zeros((2, 1)), np.zeros((2, 1)), "rbff")
