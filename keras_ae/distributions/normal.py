"""Normal distributions over codes.

They are named tuples of tensors, so that they pass through Keras layers and compiled functions as they are. The first
axis of the parameters is the batch, the others are the event; `log_prob` also takes values with more axes in front
(several samples an example).
"""

import math
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_ae import errors
from keras_ae.checks import Positive, Tensor, checked

LOG_VAR_BOUND = 20.0
LARGEST = 1e18  # values whose square float32 holds
LOWEST = -1e38  # logarithms that float32 holds
LOG_2PI = math.log(2 * math.pi)


@checked
def bound(log_var: Tensor, limit: Positive = LOG_VAR_BOUND) -> Any:
    """`log_var` bounded smoothly to [-limit, limit]: x / sqrt(1 + (x / limit)^2).

    exp(log_var) overflows float32 at 89. A hard clip has zero gradient outside its interval, so that a unit which left
    it never returns; here the gradient falls off only as a power of x.

    >>> float(bound(1e6)), float(bound(-1e30))
    (20.0, -20.0)
    """
    log_var = ops.clip(ops.convert_to_tensor(log_var), -LARGEST, LARGEST)
    return log_var / ops.sqrt(1 + ops.square(log_var / limit))


def check_event(name: str, value: Any, event: Any) -> None:
    """Raises InputError where the last axes of a value are not those of an event."""
    event = tuple(event)
    if event and tuple(value.shape[-len(event) :]) != event:
        raise errors.wrong(name, f"a tensor of shape (..., {', '.join(map(str, event))})", value)


def log_ratio(log_p: Any, log_q: Any) -> Any:
    """log p(z) / q(z) of a z with q(z) > 0, such as a draw of q: -inf where p(z) is 0, even if log q(z) is so low that
    float32 takes q(z) for 0, too."""
    return ops.where(ops.isinf(log_p), log_p, log_p - log_q)


def sum_event(values: Any, event_ndim: int) -> Any:
    """The sum over the last `event_ndim` axes."""
    return ops.sum(values, axis=tuple(range(-event_ndim, 0))) if event_ndim else values


def normal_log_density(x: Any, mean: Any, log_var: Any) -> Any:
    """log N(x; mean, exp(log_var)) of every value, in nats."""
    return -0.5 * (LOG_2PI + log_var + ops.square((x - mean) * ops.exp(-0.5 * log_var)))


class DiagonalNormal(NamedTuple):
    """N(mean, diag(exp(log_var))).

    Args:
        mean: tensor of shape (batch, *event).
        log_var: logarithm of the variances, same shape.

    Example:
        >>> q = DiagonalNormal(ops.zeros((1, 2)), ops.zeros((1, 2)))
        >>> [round(float(v), 4) for v in q.log_prob(ops.zeros((1, 2)))]
        [-1.8379]
    """

    mean: Any
    log_var: Any

    @checked
    def rsample(self, noise: Tensor) -> Any:
        """z = mean + exp(0.5 log_var) * noise, the reparameterisation trick (Kingma and Welling, 2014, eq. 10)."""
        return self.mean + ops.exp(0.5 * self.log_var) * noise

    @checked
    def log_prob(self, z: Tensor) -> Any:
        """log q(z) in nats, summed over the event axes."""
        check_event("z", z, self.mean.shape[1:])
        return sum_event(normal_log_density(z, self.mean, self.log_var), ops.ndim(self.mean) - 1)

    def log_det(self) -> Any:
        """The logarithm of the covariance's determinant, of every example."""
        return sum_event(self.log_var, ops.ndim(self.log_var) - 1)

    def variance(self) -> Any:
        """The variance of every dimension."""
        return ops.exp(self.log_var)


class FullNormal(NamedTuple):
    """N(mean, L L^T) with a lower triangular L of positive diagonal (its Cholesky factor).

    Args:
        mean: tensor of shape (batch, dim).
        scale_tril: L, tensor of shape (batch, dim, dim).
    """

    mean: Any
    scale_tril: Any

    @classmethod
    @checked
    def from_parameters(cls, mean: Tensor, log_var: Tensor, lower: Tensor) -> "FullNormal":
        """Builds L from the logarithms of its squared diagonal (batch, dim) and its (batch, dim (dim - 1) / 2) entries
        below the diagonal, row by row."""
        dim = mean.shape[-1]
        place = [[1 + i * (i - 1) // 2 + j if j < i else 0 for j in range(dim)] for i in range(dim)]
        padded = ops.concatenate([ops.zeros_like(log_var[:, :1]), lower], axis=-1)
        below = ops.take(padded, ops.array(place, dtype="int32"), axis=-1)
        return cls(mean, below + ops.exp(0.5 * log_var)[..., None] * ops.eye(dim, dtype=mean.dtype))

    @checked
    def rsample(self, noise: Tensor) -> Any:
        """z = mean + L noise."""
        return self.mean + ops.einsum("bij,...bj->...bi", self.scale_tril, noise)

    @checked
    def log_prob(self, z: Tensor) -> Any:
        """log q(z) in nats: -0.5 (d log 2 pi + |L^-1 (z - mean)|^2) - sum log diag L."""
        check_event("z", z, self.mean.shape[1:])
        white = ops.einsum("bij,...bj->...bi", self.inverse_scale(), z - self.mean)
        return -0.5 * (self.mean.shape[-1] * LOG_2PI + ops.sum(ops.square(white), axis=-1) + self.log_det())

    def inverse_scale(self) -> Any:
        """L^-1, by [[A, 0], [C, B]]^-1 = [[A^-1, 0], [-B^-1 C A^-1, B^-1]] for diagonal blocks of size 1, 2, 4, ...

        Products of matrices alone: where several batches are under way on JAX and a CPU, LAPACK's solvers of batches
        wait for each other in the threads that have to do their work, and never end (jaxlib 0.10).
        """
        dim = self.mean.shape[-1]
        eye = ops.eye(dim, dtype=self.scale_tril.dtype)
        inverse, size = eye / ops.diagonal(self.scale_tril, axis1=-2, axis2=-1)[..., None], 1
        while size < dim:
            block = np.arange(dim) // size
            is_c = (block[:, None] % 2 == 1) & (block[:, None] - block == 1)
            c = ops.where(is_c, self.scale_tril, 0.0)
            inverse, size = inverse - inverse @ c @ inverse, 2 * size
        return inverse

    def log_det(self) -> Any:
        """log det(L L^T) of every example."""
        return 2 * ops.sum(ops.log(ops.diagonal(self.scale_tril, axis1=-2, axis2=-1)), axis=-1)

    def variance(self) -> Any:
        """The variance of every dimension: the diagonal of L L^T."""
        return ops.sum(ops.square(self.scale_tril), axis=-1)
