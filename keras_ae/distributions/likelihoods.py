"""Observation models p(x | z): what the decoder's output means.

A likelihood owns the number of parameters that it needs for every value of x. The parameters of an example of shape
(..., C) are one tensor of shape (..., C * parameters), so that the last convolution of a network can yield them.
All log-probabilities are in nats for each example, with every normalisation constant, summed over the example's axes;
parameters may have more axes in front than x (several samples of z).
"""

import functools
import math
from typing import Annotated, Any, Literal

import keras
import numpy as np
from keras import ops

from keras_ae import errors
from keras_ae.checks import Count, checked
from keras_ae.distributions.levels import BetaBinomial, DiscretizedLogistic, QuantizedNormal, check_levels
from keras_ae.distributions.likelihood import Likelihood
from keras_ae.distributions.normal import bound, normal_log_density

__all__ = [
    "Bernoulli",
    "BetaBinomial",
    "Categorical",
    "DiscretizedLogistic",
    "Likelihood",
    "Normal",
    "QuantizedNormal",
    "get",
]

MIN_VARIANCE = 1e-6
Variance = Annotated[float, "[1e-30, 1e30]"]


@keras.saving.register_keras_serializable("keras_ae")
class Bernoulli(Likelihood):
    """x in {0, 1} with probability sigmoid(logit): log p = x logit - softplus(logit).

    On grey levels in [0, 1] the same formula is a cross-entropy and no log-probability.

    Example:
        >>> float(Bernoulli().log_prob(ops.ones((1, 4)), ops.zeros((1, 4)))[0])  # 4 log(1/2)
        -2.7725887298583984
    """

    discrete = True

    def event_log_prob(self, x: Any, params: Any) -> Any:
        return x * params - ops.softplus(params)

    def mean(self, params: Any) -> Any:
        return ops.sigmoid(params)

    def probabilities(self, params: Any) -> Any:
        return ops.stack([ops.sigmoid(-params), ops.sigmoid(params)], axis=-1)

    def sample(self, params: Any, seed: keras.random.SeedGenerator) -> Any:
        uniform = keras.random.uniform(ops.shape(params), dtype="float32", seed=seed)
        return ops.cast(uniform < ops.sigmoid(params), "float32")

    def check(self, x: np.ndarray, name: str) -> None:
        low, high = np.fmin.reduce(x, axis=None), np.fmax.reduce(x, axis=None)
        if low < 0 or high > 1:
            scale = f" Scale it first: {name.split()[0]} / 255." if low >= 0 and 1 < high <= 255 else ""
            raise errors.InputError(
                f"{name} has values from {low:g} to {high:g}, but a Bernoulli likelihood explains values in [0, 1]."
                f"{scale} For real values use likelihood='normal'."
            )


@keras.saving.register_keras_serializable("keras_ae")
class Normal(Likelihood):
    """x ~ N(mean, variance), independent over values.

    Args:
        variance: a positive number; `"learned"`, one variance for all values, learned with the networks; or
            `"per_value"`, a variance for every value, from the decoder. Learned ones stay above 1e-6.

    Example:
        >>> float(Normal(1.0).log_prob(ops.zeros((1, 1)), ops.zeros((1, 1)))[0])  # -0.5 log 2 pi
        -0.9189385175704956
    """

    @checked
    def __init__(self, variance: Literal["learned", "per_value"] | Variance = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.variance = variance
        if variance == "learned":
            self.raw_log_var = self.add_weight(shape=(), initializer="zeros", name="raw_log_var")
        if variance == "per_value":
            self.parameters = 2

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "variance": self.variance}

    def mean_and_log_var(self, params: Any) -> tuple[Any, Any]:
        """Mean and logarithm of the variance; the latter broadcasts against the former."""
        if self.variance == "per_value":
            both = self._split(params)
            return both[..., 0], _floored(both[..., 1])
        if self.variance == "learned":
            return params, _floored(ops.convert_to_tensor(self.raw_log_var))
        return params, ops.convert_to_tensor(math.log(self.variance), dtype="float32")

    def event_log_prob(self, x: Any, params: Any) -> Any:
        return normal_log_density(x, *self.mean_and_log_var(params))

    def mean(self, params: Any) -> Any:
        return self.mean_and_log_var(params)[0]

    def sample(self, params: Any, seed: keras.random.SeedGenerator) -> Any:
        mean, log_var = self.mean_and_log_var(params)
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), dtype="float32", seed=seed)


def _floored(raw: Any) -> Any:
    """log(exp(bound(raw)) + MIN_VARIANCE)."""
    return ops.logaddexp(bound(raw), math.log(MIN_VARIANCE))


@keras.saving.register_keras_serializable("keras_ae")
class Categorical(Likelihood):
    """x is one of `levels` classes at every value, with probabilities softmax(logits).

    Args:
        levels: number of classes K. Values are the integers 0..K-1; the encoder sees them divided by K - 1.
        one_hot: the last axis of x is a one-hot vector of K classes instead.

    `mean` is the expected level (for one-hot vectors the probabilities).
    """

    discrete = True

    @checked
    def __init__(self, levels: Count = 256, one_hot: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.levels = levels
        self.one_hot = one_hot
        self.parameters = 1 if one_hot else self.levels

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "levels": self.levels, "one_hot": self.one_hot}

    def encoder_input(self, x: Any) -> Any:
        return x if self.one_hot else x / max(self.levels - 1, 1)

    def event_log_prob(self, x: Any, params: Any) -> Any:
        if self.one_hot:
            return x * ops.log_softmax(params, axis=-1)
        classes = ops.one_hot(ops.cast(x, "int32"), self.levels, axis=-1, dtype="float32")
        return ops.sum(classes * ops.log_softmax(self._split(params), axis=-1), axis=-1)

    def mean(self, params: Any) -> Any:
        probabilities = self.probabilities(params)
        return probabilities if self.one_hot else ops.matmul(probabilities, ops.arange(self.levels, dtype="float32"))

    def probabilities(self, params: Any) -> Any:
        return ops.softmax(params if self.one_hot else self._split(params), axis=-1)

    def sample(self, params: Any, seed: keras.random.SeedGenerator) -> Any:
        logits = params if self.one_hot else self._split(params)
        flat = keras.random.categorical(ops.reshape(logits, (-1, self.levels)), 1, dtype="int32", seed=seed)
        classes = ops.reshape(flat, ops.shape(logits)[:-1])
        return ops.one_hot(classes, self.levels, dtype="float32") if self.one_hot else ops.cast(classes, "float32")

    def check(self, x: np.ndarray, name: str) -> None:
        if self.one_hot:
            if x.shape[-1] != self.levels or not np.allclose(x.sum(-1), 1) or np.nanmin(x) < 0:
                raise errors.InputError(
                    f"{name} must hold one-hot vectors of {self.levels} classes on its last axis. Received: shape "
                    f"{x.shape}, sums from {x.sum(-1).min():g} to {x.sum(-1).max():g}."
                )
        else:
            check_levels(x, name, self.levels, type(self).__name__)


def tokens(likelihood: Any) -> int | None:
    """How many tokens there are where a likelihood explains sequences of them; None where it does not.

    >>> tokens(Categorical(30)), tokens(Normal())
    (30, None)
    """
    return likelihood.levels if isinstance(likelihood, Categorical) and not likelihood.one_hot else None


OF_LEVELS: dict[str, Any] = {  # whole numbers 0..levels - 1
    "categorical": Categorical,
    "discretized_logistic": DiscretizedLogistic,
    "discretized_logistic_mixture": functools.partial(DiscretizedLogistic, components=5),
    "quantized_normal": QuantizedNormal,
    "beta_binomial": BetaBinomial,
}
LOSSES = {  # of Keras -> the likelihood whose -log p they are, up to a constant
    **dict.fromkeys(("mse", "mean_squared_error", "meansquarederror", "gaussian"), "normal"),
    **dict.fromkeys(("bce", "binary_crossentropy", "binarycrossentropy"), "bernoulli"),
    **dict.fromkeys(("categorical_crossentropy", "sparse_categorical_crossentropy"), "categorical"),
}
KNOWN = {"bernoulli": Bernoulli, "normal": Normal, **OF_LEVELS}


def get(identifier: str | Likelihood) -> Likelihood:
    """The likelihood of a name (with its defaults), or the object itself.

    Raises:
        InputError: the name is unknown, or the object is no likelihood.

    >>> get("normal").variance
    1.0
    """
    if isinstance(identifier, Likelihood):
        return identifier
    if isinstance(identifier, str) and identifier in KNOWN:
        return KNOWN[identifier]()
    meant = LOSSES.get(str(identifier).lower())
    hint = f" Of the losses of Keras, {identifier!r} is the likelihood {meant!r}." if meant else ""
    raise errors.InputError(f"{errors.unknown('likelihood', identifier, KNOWN)}{hint}")
