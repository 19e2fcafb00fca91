"""Numbers between distributions: pure functions, in nats, one value per example."""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_ae.distributions.normal import DiagonalNormal, FullNormal, sum_event
from keras_ae.distributions.priors import StandardNormal


def kl_diagonal_standard(q: DiagonalNormal, p: StandardNormal) -> Any:
    """KL(N(m, diag s^2) || N(0, I)) = 0.5 sum(m^2 + s^2 - log s^2 - 1) (Kingma and Welling, 2014, appendix B)."""
    terms = ops.square(q.mean) + ops.expm1(q.log_var) - q.log_var
    return 0.5 * sum_event(terms, len(p.event_shape))


def kl_full_standard(q: FullNormal, p: StandardNormal) -> Any:
    """KL(N(m, S) || N(0, I)) = 0.5 (|m|^2 + tr S - log det S - d), with S = L L^T."""
    trace = ops.sum(ops.square(q.scale_tril), axis=(-2, -1))
    return 0.5 * (ops.sum(ops.square(q.mean), axis=-1) + trace - q.log_det() - q.mean.shape[-1])


CLOSED_FORMS: dict[tuple[type, type], Callable] = {
    (DiagonalNormal, StandardNormal): kl_diagonal_standard,
    (FullNormal, StandardNormal): kl_full_standard,
}


def kl(q: Any, p: Any, z: Any = None) -> Any:
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


def kl_sample(q: Any, p: Any, z: Any) -> Any:
    """log q(z) - log p(z): unbiased for KL(q || p) when z is drawn from q."""
    return q.log_prob(z) - p.log_prob(z)
