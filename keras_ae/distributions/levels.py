"""Observation models of whole numbers 0..K-1 in their order, such as grey levels."""

import math
from collections.abc import Callable
from typing import Annotated, Any

import keras
import numpy as np
from keras import ops

from keras_ae import backend, errors
from keras_ae.checks import Count, checked
from keras_ae.distributions.likelihood import Likelihood
from keras_ae.distributions.normal import bound

MIN_LOG_SCALE = -7.0  # of half the range of the levels: well below one level of 256


class Levels(Likelihood):
    """Base of the likelihoods of ordered levels; `level_log_prob` is all that a new one has to give.

    Args:
        levels: K. Values are the integers 0..K-1; the encoder sees them divided by K - 1.
    """

    discrete = True
    parameters = 2

    @checked
    def __init__(self, levels: Annotated[int, "[2, inf)"] = 256, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.levels = levels

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "levels": self.levels}

    def encoder_input(self, x: Any) -> Any:
        return x / (self.levels - 1)

    def level_log_prob(self, x: Any, parameters: Any) -> Any:
        """log p of levels x, which broadcast against the list of parameters."""
        raise NotImplementedError

    def event_log_prob(self, x: Any, params: Any) -> Any:
        return self.level_log_prob(x, self._listed(params))

    def probabilities(self, params: Any) -> Any:
        levels = ops.arange(self.levels, dtype="float32")
        return ops.exp(self.level_log_prob(levels, [parameter[..., None] for parameter in self._listed(params)]))

    def mean(self, params: Any) -> Any:
        parameters = self._listed(params)

        def add(level: Any, total: Any) -> Any:  # one level at a time: all of them fill the memory
            level = ops.cast(level, "float32")
            return total + level * ops.exp(self.level_log_prob(level, parameters))

        return ops.fori_loop(0, self.levels, add, ops.zeros_like(parameters[0]))

    def sample(self, params: Any, seed: keras.random.SeedGenerator) -> Any:
        log_p = ops.log(self.probabilities(params) + 1e-30)
        flat = keras.random.categorical(ops.reshape(log_p, (-1, self.levels)), 1, dtype="int32", seed=seed)
        return ops.cast(ops.reshape(flat, ops.shape(log_p)[:-1]), "float32")

    def check(self, x: np.ndarray, name: str) -> None:
        check_levels(x, name, self.levels, type(self).__name__)

    def _listed(self, params: Any) -> list[Any]:
        return ops.unstack(self._split(params), self.parameters, axis=-1)

    def _location(self, raw: Any) -> Any:
        """0 is the middle of the levels, -1 and 1 are the ends."""
        return 0.5 * (self.levels - 1) * (1 + raw)

    def _scale(self, raw: Any) -> Any:
        """A scale in levels; 0 is half of their range."""
        log_scale = MIN_LOG_SCALE + ops.softplus(bound(raw) - MIN_LOG_SCALE)
        return 0.5 * (self.levels - 1) * ops.exp(log_scale)


class Quantized(Levels):
    """Base of the distributions of real numbers that are integrated over the levels: sums of many levels are cheap."""

    def masses(self, params: Any, edges: Any) -> Any:
        """P(edges[i] <= x < edges[i + 1]) of every value.

        Args:
            params: (..., parameters of all values).
            edges: whole numbers from 0 to K that rise, of a shape that broadcasts with (..., values, edges).

        Returns:
            (..., values, edges - 1).
        """
        raise NotImplementedError

    def probabilities(self, params: Any) -> Any:
        return self.masses(params, np.arange(self.levels + 1, dtype="float32"))

    def _masses(self, edges: Any, m: Any, s: Any, above: Callable[[Any], Any]) -> Any:
        """Of a symmetric distribution around m with the scale s; `above(z)` is P(x > m + s z).

        Above m it is the difference of what lies above the edges, so that no numbers near 1 are subtracted.
        """
        at = ops.where(edges <= 0, -math.inf, ops.where(edges >= self.levels, math.inf, edges - 0.5))
        below, tail = at < m, above(ops.abs(at - m) / s)
        low, high = below[..., :-1], below[..., 1:]
        rise = ops.where(low, -1.0, 1.0) * tail[..., :-1] + ops.where(high, 1.0, -1.0) * tail[..., 1:]
        return ops.maximum(rise + ops.where(ops.logical_and(low, ops.logical_not(high)), 1.0, 0.0), 0.0)


@keras.saving.register_keras_serializable("keras_ae")
class DiscretizedLogistic(Quantized):
    """A logistic distribution, or a mixture of them, integrated over the levels (Salimans et al., 2017,
    arXiv:1701.05517, eq. 2).

        p(k) = sigmoid((k + 1/2 - m) / s) - sigmoid((k - 1/2 - m) / s)        the outer levels reach to infinity

    Args:
        levels: number of levels K.
        components: of the mixture, whose weights, locations m and scales s come from the decoder.

    Example:
        >>> p = DiscretizedLogistic(levels=4).probabilities(ops.zeros((1, 2)))
        >>> round(float(ops.sum(p)), 4)
        1.0
    """

    @checked
    def __init__(self, levels: int = 256, components: Count = 1, **kwargs: Any) -> None:
        super().__init__(levels, **kwargs)
        self.components = components
        self.parameters = 2 if components == 1 else 3 * components

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "components": self.components}

    def event_log_prob(self, x: Any, params: Any) -> Any:
        split = ops.split(self._split(params), 2 if self.components == 1 else 3, axis=-1)
        parts = self._component(x[..., None], split[0], split[1])  # (..., values, components)
        if self.components == 1:
            return parts[..., 0]
        return ops.logsumexp(ops.log_softmax(split[2], axis=-1) + parts, axis=-1)

    def masses(self, params: Any, edges: Any) -> Any:
        mixture = [(weight[..., None], m[..., None], s[..., None]) for weight, m, s in self._mixture(params)]
        return sum(weight * self._masses(edges, m, s, lambda z: ops.sigmoid(-z)) for weight, m, s in mixture)

    def mean(self, params: Any) -> Any:
        mixture = self._mixture(params)

        def add(level: Any, total: Any) -> Any:  # E[x] = sum of P(x >= k) over the levels k above 0
            edge = ops.cast(level, "float32") - 0.5
            return total + sum(weight * ops.sigmoid((m - edge) / s) for weight, m, s in mixture)

        return ops.fori_loop(1, self.levels, add, ops.zeros_like(mixture[0][1]))

    def _mixture(self, params: Any) -> list[tuple[Any, Any, Any]]:
        """Weight, location and scale of every component."""
        parameters, count = self._listed(params), self.components
        weights = [ops.ones_like(parameters[0])]
        if count > 1:
            logits = ops.stack(parameters[2 * count :], axis=-1)
            weights = ops.unstack(ops.softmax(logits, axis=-1), count, axis=-1)
        return [(weights[i], self._location(parameters[i]), self._scale(parameters[count + i])) for i in range(count)]

    def _component(self, x: Any, location: Any, scale: Any) -> Any:
        """log(sigmoid(a) - sigmoid(b)) = log sigmoid(a) + log sigmoid(-b) + log(1 - exp(b - a)): nothing cancels."""
        m, s = self._location(location), self._scale(scale)
        at_most, at_least = ops.log_sigmoid((x + 0.5 - m) / s), ops.log_sigmoid((m - x + 0.5) / s)
        inner = at_most + at_least + ops.log(-ops.expm1(-1 / s))
        return ops.where(x < 0.5, at_most, ops.where(x > self.levels - 1.5, at_least, inner))


@keras.saving.register_keras_serializable("keras_ae")
class QuantizedNormal(Quantized):
    """A normal distribution integrated over the levels; the outer ones reach to infinity.

        p(k) = (1 - e) (Phi((k + 1/2 - m) / s) - Phi((k - 1/2 - m) / s)) + e / K,    e = 1e-5

    The uniform part keeps the logarithm, and its gradient, finite far from m.

    Example:
        >>> p = QuantizedNormal(levels=4).probabilities(ops.zeros((1, 2)))
        >>> round(float(ops.sum(p)), 4)
        1.0
    """

    uniform = 1e-5

    def masses(self, params: Any, edges: Any) -> Any:
        location, raw_scale = self._listed(params)
        m, s = self._location(location)[..., None], self._scale(raw_scale)[..., None]
        inside = self._masses(edges, m, s, lambda z: 0.5 * ops.erfc(z / math.sqrt(2)))
        return (1 - self.uniform) * inside + self.uniform / self.levels * (edges[..., 1:] - edges[..., :-1])

    def level_log_prob(self, x: Any, parameters: Any) -> Any:
        location, scale = self._location(parameters[0]), self._scale(parameters[1])
        above = ops.where(x > self.levels - 1.5, math.inf, (x + 0.5 - location) / scale)
        below = ops.where(x < 0.5, -math.inf, (x - 0.5 - location) / scale)
        # In the tail where both are positive: the difference of two small numbers, not of two near 1.
        low, high = ops.where(below + above > 0, -above, below), ops.where(below + above > 0, -below, above)
        inside = 0.5 * (ops.erfc(-high / math.sqrt(2)) - ops.erfc(-low / math.sqrt(2)))
        return ops.log((1 - self.uniform) * inside + self.uniform / self.levels)


@keras.saving.register_keras_serializable("keras_ae")
class BetaBinomial(Levels):
    """A binomial distribution of n = K - 1 trials whose chance of success has a Beta(a, b) distribution.

        p(k) = C(n, k) B(k + a, n - k + b) / B(a, b)

    Example:
        >>> BetaBinomial(levels=4).probabilities(ops.zeros((1, 2)))[0].shape == (1, 4)  # a = b = 1: uniform
        True
    """

    limit = 7.0  # of |log a| and |log b|: beyond, float32 cannot tell their log-gammas

    def level_log_prob(self, x: Any, parameters: Any) -> Any:
        a, b = (ops.exp(bound(raw, self.limit)) for raw in parameters)
        n, log_gamma = float(self.levels - 1), backend.log_gamma
        choose = math.lgamma(n + 1) - log_gamma(x + 1) - log_gamma(n - x + 1)
        ends = log_gamma(a + b) - log_gamma(a) - log_gamma(b)
        return choose + log_gamma(x + a) + log_gamma(n - x + b) - log_gamma(n + a + b) + ends


def check_levels(x: np.ndarray, name: str, levels: int, who: str) -> None:
    """Raises InputError unless x holds whole numbers 0..levels - 1; NaN stands for missing."""
    observed = x[~np.isnan(x)] if np.issubdtype(x.dtype, np.floating) else x
    if observed.size and (observed.min() < 0 or observed.max() >= levels or (observed != np.round(observed)).any()):
        raise errors.InputError(
            f"{name} must hold whole numbers from 0 to {levels - 1} for {who}(levels={levels}). "
            f"Received: values from {observed.min():g} to {observed.max():g}."
        )
