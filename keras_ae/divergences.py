"""Numbers between distributions, and statistics of samples: pure functions, in nats where they are divergences.

Divergences of distributions give one value per example. Statistics of samples (`mmd`, `wasserstein2_codes`) give one
value per batch; `weight` lets examples count more or less, as repeated examples would.
"""

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from keras import ops

from keras_ae import errors
from keras_ae.checks import Positive, Rows, Tensor, argument, checked
from keras_ae.distributions.normal import LOG_2PI, DiagonalNormal, FullNormal, log_ratio, sum_event
from keras_ae.distributions.priors import StandardNormal

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
TINY = 1e-7  # keeps logarithms of mean activations finite
FAR = 1e15  # codes that no kernel tells from farther ones, and whose squared distances float32 holds


def _distribution(name: str, value: Any) -> Any:
    """`value`, or an error where it has no `log_prob`."""
    if inspect.isclass(value) or not hasattr(value, "log_prob"):
        raise errors.wrong(name, "a distribution, with a method log_prob", value)
    return value


Distribution = Annotated[Any, _distribution]
Diagonal = Annotated[Any, functools.partial(argument, DiagonalNormal)]
Normal = Annotated[Any, functools.partial(argument, DiagonalNormal | FullNormal | StandardNormal)]


@checked
def kl_diagonal_standard(q: DiagonalNormal, p: StandardNormal) -> Any:
    """KL(N(m, diag s^2) || N(0, I)) = 0.5 sum(m^2 + s^2 - log s^2 - 1) (Kingma and Welling, 2014, appendix B)."""
    return sum_event(kl_by_dimension(q), len(p.event_shape))


@checked
def kl_by_dimension(q: Diagonal) -> Any:
    """The summands of `kl_diagonal_standard`, one per dimension of the code."""
    return 0.5 * (ops.square(q.mean) + ops.expm1(q.log_var) - q.log_var)


@checked
def kl_full_standard(q: FullNormal, p: StandardNormal) -> Any:
    """KL(N(m, S) || N(0, I)) = 0.5 (|m|^2 + tr S - log det S - d), with S = L L^T."""
    trace = ops.sum(ops.square(q.scale_tril), axis=(-2, -1))
    return 0.5 * (ops.sum(ops.square(q.mean), axis=-1) + trace - q.log_det() - q.mean.shape[-1])


@checked
def kl_diagonal(q: DiagonalNormal, p: DiagonalNormal) -> Any:
    """KL(N(m1, diag s1^2) || N(m2, diag s2^2)) = 0.5 sum((s1^2 + (m1 - m2)^2) / s2^2 - log s1^2 / s2^2 - 1)."""
    log_variances = q.log_var - p.log_var
    shift = (q.mean - p.mean) * ops.exp(-0.5 * p.log_var)
    terms = ops.square(shift) + ops.expm1(log_variances) - log_variances
    return 0.5 * sum_event(terms, ops.ndim(q.mean) - 1)


@checked
def kl_full(q: DiagonalNormal | FullNormal, p: DiagonalNormal | FullNormal) -> Any:
    """KL(N(m1, S1) || N(m2, S2)) = 0.5 (tr S2^-1 S1 + (m2 - m1)^T S2^-1 (m2 - m1) - d + log(det S2 / det S1))
    (Rasmussen and Williams, 2006, Gaussian Processes for Machine Learning, eq. A.23).

    With S = L L^T all is triangular: tr S2^-1 S1 = |L2^-1 L1|^2.
    """
    q, p = as_full(q), as_full(p)
    inverse = p.inverse_scale()
    ratio, shift = inverse @ q.scale_tril, inverse @ (p.mean - q.mean)[..., None]
    squares = ops.sum(ops.square(ratio), axis=(-2, -1)) + ops.sum(ops.square(shift), axis=(-2, -1))
    return 0.5 * (squares - q.mean.shape[-1] + p.log_det() - q.log_det())


@checked
def as_full(q: DiagonalNormal | FullNormal) -> FullNormal:
    """The same distribution with its Cholesky factor."""
    if isinstance(q, FullNormal):
        return q
    return FullNormal(q.mean, ops.exp(0.5 * q.log_var)[..., None] * ops.eye(q.mean.shape[-1], dtype=q.mean.dtype))


CLOSED_FORMS: dict[tuple[type, type], Callable] = {
    (DiagonalNormal, StandardNormal): kl_diagonal_standard,
    (FullNormal, StandardNormal): kl_full_standard,
    (DiagonalNormal, DiagonalNormal): kl_diagonal,
    (DiagonalNormal, FullNormal): kl_full,
    (FullNormal, DiagonalNormal): kl_full,
    (FullNormal, FullNormal): kl_full,
}


@checked
def kl(q: Distribution, p: Distribution, z: Tensor | None = None) -> Any:
    """KL(q || p): the closed form where there is one, else the sampled value at z.

    Args:
        q: a distribution with one set of parameters per example.
        p: a distribution.
        z: a sample of q, needed only where there is no closed form.

    Example:
        >>> q = DiagonalNormal(ops.ones((1, 2)), ops.zeros((1, 2)))
        >>> float(kl(q, StandardNormal((2,)))[0])  # |mean|^2 / 2
        1.0
    """
    closed_form = CLOSED_FORMS.get((type(q), type(p)))
    return closed_form(q, p) if closed_form else kl_sample(q, p, z)


@checked
def kl_sample(q: Distribution, p: Distribution, z: Tensor) -> Any:
    """log q(z) - log p(z): unbiased for KL(q || p) when z is drawn from q.

    For anything with `log_prob`. With several samples, z of shape (samples, batch, *event), their mean is the Monte
    Carlo estimate.
    """
    return -log_ratio(p.log_prob(z), q.log_prob(z))


@checked
def kl_bernoulli(p: Tensor, q: Tensor) -> Any:
    """KL(Bernoulli(p) || Bernoulli(q)) = p log(p / q) + (1 - p) log((1 - p) / (1 - q)), of every value, in nats.

    >>> float(kl_bernoulli(0.5, 0.5))
    0.0
    """
    p, q = (ops.clip(ops.cast(value, "float32"), TINY, 1 - TINY) for value in (p, q))
    return p * ops.log(p / q) + (1 - p) * ops.log((1 - p) / (1 - q))


@checked
def entropy(q: DiagonalNormal | FullNormal) -> Any:
    """H(N(m, S)) = 0.5 (d log 2 pi e + log det S) in nats (Cover and Thomas, 2006, theorem 8.4.1).

    >>> round(float(entropy(DiagonalNormal(ops.zeros((1, 1)), ops.zeros((1, 1))))[0]), 4)
    1.4189
    """
    return 0.5 * (math.prod(q.mean.shape[1:]) * (LOG_2PI + 1) + q.log_det())


@checked
def wasserstein2(q: Normal, p: Normal) -> Any:
    """The squared 2-Wasserstein distance between normals (Givens and Shortt, 1984; Dowson and Landau, 1982).

        W2^2 = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))

    With S = L L^T the last trace is the nuclear norm |L1^T L2|_*, the sum of its singular values.

    Args:
        q, p: `DiagonalNormal`, `FullNormal` or `StandardNormal`.

    Example:
        >>> q = DiagonalNormal(ops.ones((1, 2)), ops.zeros((1, 2)))
        >>> float(wasserstein2(q, StandardNormal((2,)))[0])
        2.0
    """
    q, p = (_as_normal(d, like) for d, like in ((q, p), (p, q)))
    squared_shift = sum_event(ops.square(q.mean - p.mean), ops.ndim(q.mean) - 1)
    if isinstance(q, DiagonalNormal) and isinstance(p, DiagonalNormal):
        scales = ops.exp(0.5 * q.log_var) - ops.exp(0.5 * p.log_var)
        return squared_shift + sum_event(ops.square(scales), ops.ndim(q.mean) - 1)
    first, second = (as_full(d).scale_tril for d in (q, p))
    traces = ops.sum(ops.square(first), axis=(-2, -1)) + ops.sum(ops.square(second), axis=(-2, -1))
    return squared_shift + traces - 2 * nuclear_norm(ops.matmul(ops.swapaxes(first, -2, -1), second))


def _as_normal(p: Any, like: Any) -> Any:
    """The standard normal with the parameters of a `DiagonalNormal`."""
    if not isinstance(p, StandardNormal):
        return p
    zeros = ops.zeros((1, *p.event_shape)) if isinstance(like, StandardNormal) else ops.zeros_like(like.mean)
    return DiagonalNormal(zeros, zeros)


@checked
def nuclear_norm(a: Tensor) -> Any:
    """The sum of the singular values of a matrix.

    Its gradient is U V^T, here taken from one decomposition of constants: derivatives of the decomposition itself, or
    of eigenvalues, are infinite where singular values vanish or coincide.
    """
    if len(a.shape) < 2:
        raise errors.wrong("a", "a matrix", a)
    u, _, vh = ops.linalg.svd(ops.stop_gradient(a), full_matrices=False)
    return ops.sum(ops.stop_gradient(ops.matmul(u, vh)) * a, axis=(-2, -1))


@checked
def wasserstein2_codes(z: Rows, weight: Tensor | None = None) -> Any:
    """W2^2(N(m, S), N(0, I)), with m and S the mean and the covariance (divided by n) of a batch of codes.

    The singular values of the centred codes give the square root of S, which may be singular: fewer examples than
    dimensions are fine.

    Args:
        z: (n, *event).
        weight: (n,) or None.
    """
    z = ops.reshape(z, (-1, math.prod(z.shape[1:])))
    share = _shares(z, weight)[:, None]
    mean = ops.sum(share * z, axis=0)
    root = ops.sqrt(share) * (z - mean)  # S = root^T root
    return ops.sum(ops.square(mean)) + ops.sum(ops.square(root)) + z.shape[1] - 2 * nuclear_norm(root)


def _weights(z: Any, weight: Any) -> Any:
    """The weight of each example: (n,)."""
    if weight is None:
        return ops.ones_like(z[:, 0])
    if len(weight.shape) != 1 or (weight.shape[0] or z.shape[0]) != (z.shape[0] or weight.shape[0]):
        raise errors.wrong("weight", f"a tensor of shape ({z.shape[0]},)", weight)
    return ops.cast(weight, z.dtype)


def _shares(z: Any, weight: Any) -> Any:
    """The share of each example in a mean over the batch: (n,), adding up to one."""
    weight = _weights(z, weight)
    return ops.divide_no_nan(weight, ops.sum(weight))


@checked
def batch_mean(values: Rows, weight: Tensor | None = None) -> Any:
    """The mean over the batch, weighted if there is a weight: (n, *shape) -> shape."""
    flat = ops.reshape(values, (ops.shape(values)[0], -1))
    return ops.reshape(ops.sum(_shares(flat, weight)[:, None] * flat, axis=0), values.shape[1:])


def _inverse_multiquadratic(squares: Any, scale: float) -> Any:
    return scale / (scale + squares)


def _rbf(squares: Any, scale: float) -> Any:
    return ops.exp(-squares / scale)


KERNELS = {"imq": _inverse_multiquadratic, "rbf": _rbf}


@checked
def mmd(
    x: Rows,
    y: Rows,
    kernel: str = "imq",
    scales: Sequence[Positive] = SCALES,
    weight: Tensor | None = None,
) -> Any:
    """The squared maximum mean discrepancy of two samples, unbiased (Gretton et al., 2012, JMLR 13, eq. 3).

        MMD^2 = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)

    Being unbiased, it can be negative. It is zero where a sample has fewer than two examples.

    Args:
        x: (n, *event).
        y: (m, *event).
        kernel: `"imq"`, k = sum_s C / (C + |x - y|^2), or `"rbf"`, k = sum_s exp(-|x - y|^2 / C), with C = 2 d s, the
            expected squared distance of two draws of N(0, I) in d dimensions times s (Tolstikhin et al., 2018,
            arXiv:1711.01558, sec. 4 and appendix D).
        scales: the s.
        weight: (n,) of x, or None.

    Example:
        >>> x = ops.convert_to_tensor([[0.0], [1.0]])
        >>> float(mmd(x, x + 100.0, "rbf", scales=(1.0,))) > float(mmd(x, x + 1.0, "rbf", scales=(1.0,)))
        True
    """
    if kernel not in KERNELS:
        raise errors.unknown("kernel", kernel, KERNELS)
    dim = math.prod(x.shape[1:])
    if math.prod(y.shape[1:]) != dim:
        raise errors.wrong("y", f"examples of as many values as those of x, {dim}", y)
    x, y = (ops.clip(ops.reshape(sample, (-1, dim)), -FAR, FAR) for sample in (x, y))
    weight = _weights(x, weight)

    def similarity(a: Any, b: Any) -> Any:
        squares = ops.sum(ops.square(a), 1)[:, None] + ops.sum(ops.square(b), 1) - 2 * ops.matmul(a, ops.transpose(b))
        return sum(KERNELS[kernel](ops.maximum(squares, 0.0), 2 * dim * scale) for scale in scales)

    def within(a: Any, w: Any) -> tuple[Any, Any]:
        """The mean similarity of two different examples, and the number of such pairs."""
        pairs = w[:, None] * w * (1 - ops.eye(ops.shape(a)[0], dtype=a.dtype))
        return ops.divide_no_nan(ops.sum(pairs * similarity(a, a)), ops.sum(pairs)), ops.sum(pairs)

    of_x, pairs_of_x = within(x, weight)
    of_y, pairs_of_y = within(y, ops.ones_like(y[:, 0]))
    between = ops.sum(_shares(x, weight)[:, None] * similarity(x, y)) / ops.cast(ops.shape(y)[0], x.dtype)
    enough = ops.logical_and(pairs_of_x > 0, pairs_of_y > 0)
    return ops.where(enough, of_x + of_y - 2 * between, 0.0)
