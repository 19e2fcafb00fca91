"""Distributions of codes before any data is seen."""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_ae import backend
from keras_ae.checks import Shape, Size, Tensor, checked
from keras_ae.distributions.normal import LOG_2PI, LOWEST, DiagonalNormal, FullNormal, check_event, sum_event


class StandardNormal:
    """N(0, I) over codes of shape `event_shape`.

    Example:
        >>> float(StandardNormal((2,)).log_prob(ops.zeros((1, 2)))[0]) < 0
        True
    """

    @checked
    def __init__(self, event_shape: Shape) -> None:
        self.event_shape = tuple(event_shape)

    @checked
    def log_prob(self, z: Tensor) -> Any:
        """log p(z) in nats, summed over the event axes."""
        check_event("z", z, self.event_shape)
        return sum_event(-0.5 * (LOG_2PI + ops.square(z)), len(self.event_shape))

    @checked
    def sample(self, n: Size, seed: Any) -> Any:
        """`n` independent codes, shape (n, *event_shape)."""
        return backend.normal_noise((n, *self.event_shape), seed)


class NormalMixture(NamedTuple):
    """sum_c pi_c N(mean_c, S_c), of K components.

    Args:
        logits: (K,), pi = softmax(logits).
        components: the normals, of any covariance S_c; their batch are the K components.

    Example:
        >>> two = DiagonalNormal(ops.convert_to_tensor([[-3.0], [3.0]]), ops.zeros((2, 1)))
        >>> p = NormalMixture(ops.zeros(2), two)
        >>> [[round(float(v), 3) for v in row] for row in p.posterior(ops.convert_to_tensor([[0.0], [3.0]]))]
        [[0.5, 0.5], [0.0, 1.0]]
    """

    logits: Any
    components: DiagonalNormal | FullNormal

    @checked
    def log_joint(self, z: Tensor) -> Any:
        """log p(z, c) in nats for every component: (..., *event) -> (..., K)."""
        event = ops.ndim(self.components.mean) - 1
        return self.components.log_prob(ops.expand_dims(z, -event - 1)) + ops.log_softmax(self.logits)

    def log_prob(self, z: Any) -> Any:
        """log p(z) in nats: (..., *event) -> (...)."""
        return ops.logsumexp(self.log_joint(z), axis=-1)

    def posterior(self, z: Any) -> Any:
        """p(c | z) of every component: (..., *event) -> (..., K); equal where z is so far away that float32 takes every
        density for 0."""
        return ops.softmax(ops.maximum(self.log_joint(z), LOWEST), axis=-1)

    @checked
    def sample(self, n: Size, seed: Any) -> Any:
        """`n` independent codes, shape (n, *event)."""
        uniform = keras.random.uniform((n, self.logits.shape[0]), 1e-7, 1.0, dtype="float32", seed=seed)
        chosen = ops.argmax(self.logits - ops.log(-ops.log(uniform)), axis=-1)  # the Gumbel-max trick
        each = type(self.components)(*(ops.take(values, chosen, axis=0) for values in self.components))
        return each.rsample(backend.normal_noise(ops.shape(each.mean), seed))

    @property
    def mean(self) -> Any:
        """Its mean, (1, *event)."""
        return self._average(self.components.mean)

    def variance(self) -> Any:
        """The variance of each dimension, (1, *event)."""
        return self._average(self.components.variance() + ops.square(self.components.mean - self.mean))

    def _average(self, values: Any) -> Any:
        return ops.tensordot(ops.softmax(self.logits)[None], values, axes=1)
