"""How well a model of sequences predicts tokens."""

import math
from typing import Any, NamedTuple

import numpy as np

from keras_ae import errors
from keras_ae.checks import Count, Seed, checked
from keras_ae.evaluation.common import VariationalModel
from keras_ae.evaluation.likelihood import log_likelihood
from keras_ae.models import inputs

LARGEST = 700.0  # nats whose exponential is a number


class Perplexity(NamedTuple):
    """Per token, over all examples.

    Args:
        perplexity: exp of the nats per token.
        nats_per_token: the bound on -log p(x), summed over the examples, over the number of tokens.
        tokens: how many there are, the ends of the sequences among them.
    """

    perplexity: float
    nats_per_token: float
    tokens: int


@checked
def perplexity(
    model: VariationalModel, x: Any, method: str = "importance", samples: Count = 100, seed: Seed = 0, **options: Any
) -> Perplexity:
    """An upper bound on the perplexity exp(-1/N sum_i log p(x_i)) of N tokens (Bowman et al., 2016, arXiv:1511.06349,
    sec. 5.1), from a lower bound on log p(x).

    Args:
        model: a variational model of sequences of tokens.
        x: (n, steps) tokens; the 0 that ends a sequence counts as one.
        method, samples, seed, **options: of the estimate of log p(x), see `log_likelihood`.

    Raises:
        InputError: the model is deterministic, or not one of tokens.

    Example:
        >>> import keras_ae
        >>> from keras_ae.distributions import likelihoods
        >>> model = keras_ae.create("sequence_vae", (3,), 2, likelihood=likelihoods.Categorical(4), seed=0)
        >>> found = perplexity(model, [[1, 2, 3], [2, 0, 0]], samples=5)
        >>> found.tokens, 3.5 < found.perplexity < 4.5
        (5, True)
    """
    if not getattr(model, "tokens", None):
        raise errors.InputError(
            f"Perplexity is of tokens, which {type(model).__name__} does not have here. Use a model of sequences with "
            "a Categorical likelihood."
        )
    x = inputs.check_x(model, x)
    return of_bound(model, x, log_likelihood(model, x, method, samples, seed, **options).log_prob)


def of_bound(model: Any, x: np.ndarray, log_prob: np.ndarray) -> Perplexity:
    """The perplexity that an estimate of log p(x) of each example gives."""
    count = int(np.asarray(model.pack((x,)).mask).sum())
    nats = -float(log_prob.sum()) / count
    return Perplexity(math.exp(nats) if nats < LARGEST else math.inf, nats, count)
