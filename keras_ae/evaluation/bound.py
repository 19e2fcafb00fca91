"""The evidence lower bound of a variational model, and what its terms are made of."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ae import backend, divergences
from keras_ae.checks import Count, Seed, checked
from keras_ae.distributions import DiagonalNormal, FullNormal, StandardNormal
from keras_ae.distributions.normal import LOG_2PI
from keras_ae.evaluation.common import ROWS, VariationalModel, key_of
from keras_ae.models import Variational, inputs

BLOCK = 2**22  # pairs of a code and a posterior held at once


@dataclass(frozen=True)
class Elbo:
    """The bound of each example, and the split of its KL term over the data set; all in nats.

    Args:
        distortion: (n,) the reconstruction term, E_q(z|x)[-log p(x|z)].
        rate: (n,) KL(q(z|x) || p(z)).
        mutual_information: I(x; z) of an example's index and its code; at most log n.
        total_correlation: KL(q(z) || prod_j q(z_j)): how dependent the dimensions are.
        dimension_wise_kl: (dim,) KL(q(z_j) || p(z_j)) of each dimension.

    The last three are None where p(z) depends on the condition.
    """

    distortion: np.ndarray
    rate: np.ndarray
    mutual_information: float | None
    total_correlation: float | None
    dimension_wise_kl: np.ndarray | None

    @property
    def elbo(self) -> np.ndarray:
        """(n,) -distortion - rate, a lower bound on log p(x) in expectation."""
        return -self.distortion - self.rate


@checked
def elbo(
    model: VariationalModel,
    x: Any,
    samples: Count = 10,
    seed: Seed = 0,
    rows: Count = ROWS,
    condition: Any = None,
    draws: Count = 1000,
) -> Elbo:
    """The evidence lower bound, term by term (Kingma and Welling, 2014, arXiv:1312.6114, eq. 3).

        ELBO = -distortion - rate = E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z))

    With the aggregated posterior q(z) = 1/n sum_i q(z|x_i), the mean rate is the sum of three (Chen et al., 2018,
    arXiv:1802.04942, eq. 2; Hoffman and Johnson, 2016):

        1/n sum_i KL(q(z|x_i) || p(z)) = I(x; z) + KL(q(z) || prod_j q(z_j)) + sum_j KL(q(z_j) || p(z_j))

    Here q(z) is that of the given x, all of them, without the bias of minibatches. The rate is the closed form, where
    there is one; the three are averages over `draws` codes, and add up to it exactly.

    Args:
        model: a variational model.
        x: (n, *event).
        samples: codes an example for the distortion.
        seed: integer of the codes.
        rows: codes decoded at once.
        condition: of each example, for a conditional model.
        draws: codes for the split, of as many examples.

    Raises:
        InputError: the model is deterministic, or an argument does not fit.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("vae", input_shape=(4,), latent_dim=2, seed=0)
        >>> found = elbo(model, np.ones((3, 4)))
        >>> parts = found.mutual_information + found.total_correlation + found.dimension_wise_kl.sum()
        >>> bool(np.isclose(parts, found.rate.mean(), atol=1e-5))
        True
    """
    x = inputs.check_x(model, x)
    condition = inputs.check_condition(model, condition, len(x))
    distortion, rate = _terms(model, x, condition, samples, seed, max(rows // samples, 1))
    split: tuple = (None, None, None)
    if isinstance(model.prior_given(condition), StandardNormal):
        q = model.over_batches("posterior", x, condition=condition)
        split = _split(flattened(q), draws, np.random.default_rng(seed))
    return Elbo(distortion, rate, *split)


def _terms(
    model: Variational, x: np.ndarray, condition: Any, samples: int, seed: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distortion and rate of each example."""

    def terms(key: Any, x: Any, condition: Any = None) -> tuple[Any, Any]:
        batch = model.pack((x,))._replace(condition=condition)
        q = model.posterior(batch.x, condition=condition)
        noise = keras.random.normal((samples, *ops.shape(q.mean)), dtype="float32", seed=backend.KeyedSeed(key))
        z = q.rsample(noise)
        distortion = -ops.mean(model.log_conditional(batch, z), axis=0)
        rate = divergences.kl(q, model.prior_given(condition), z)
        return distortion, ops.mean(ops.reshape(rate, (-1, ops.shape(q.mean)[0])), axis=0)

    arrays = [x] if condition is None else [x, condition]
    signature = [keras.KerasTensor((None, *array.shape[1:]), "float32") for array in arrays]
    compiled = model.compiled_once(f"elbo_{samples}", terms, keras.KerasTensor((), "int32"), *signature)
    parts = []
    for part, start in enumerate(range(0, len(x), size)):
        key = ops.convert_to_tensor(key_of(seed, part), "int32")
        values = compiled(key, *(ops.cast(array[start : start + size], "float32") for array in arrays))
        parts.append([ops.convert_to_numpy(value).astype("float64") for value in values])
    distortion, rate = (np.concatenate(values) for values in zip(*parts, strict=True))
    return distortion, rate


def flattened(q: DiagonalNormal | FullNormal) -> DiagonalNormal | FullNormal:
    """A distribution of arrays over codes as vectors, in float64."""
    if isinstance(q, FullNormal):
        return FullNormal(*(np.asarray(value, "float64") for value in q))
    return DiagonalNormal(*(np.asarray(value, "float64").reshape(len(value), -1) for value in q))


def _split(q: Any, draws: int, rng: np.random.Generator) -> tuple[float, float, np.ndarray]:
    """Mutual information, total correlation and dimension-wise KL of the mixture of n posteriors."""
    n, dim = q.mean.shape
    chosen = rng.permutation(n)[:draws]
    noise = rng.normal(size=(len(chosen), dim))
    if isinstance(q, FullNormal):
        z = q.mean[chosen] + np.einsum("bij,bj->bi", q.scale_tril[chosen], noise)
        log_det = 2 * np.log(np.diagonal(q.scale_tril, axis1=1, axis2=2)).sum(axis=1)
        variance = np.square(q.scale_tril).sum(axis=2)
        whiten = np.linalg.inv(q.scale_tril)
    else:
        variance = np.exp(q.log_var)
        z, log_det = q.mean[chosen] + np.sqrt(variance[chosen]) * noise, q.log_var.sum(axis=1)
        whiten = None

    negative_entropy = -0.5 * (log_det.mean() + dim * (LOG_2PI + 1))
    log_q, log_q_j = np.empty(len(z)), np.empty((len(z), dim))
    for start in range(0, len(z), max(BLOCK // n, 1)):
        block = slice(start, start + max(BLOCK // n, 1))
        squares = np.zeros((len(z[block]), n))
        for j in range(dim):
            difference = z[block, j, None] - q.mean[:, j]
            log_q_j[block, j] = _log_mean_exp(
                -0.5 * (difference**2 / variance[:, j] + np.log(variance[:, j]) + LOG_2PI)
            )
            if whiten is None:
                squares += difference**2 / variance[:, j]
        if whiten is not None:
            white = np.einsum("nij,nj->ni", whiten, q.mean)
            for j in range(dim):
                squares += (z[block] @ whiten[:, j].T - white[:, j]) ** 2
        log_q[block] = _log_mean_exp(-0.5 * (squares + log_det + dim * LOG_2PI))
    marginals = log_q_j.mean(axis=0)
    mean_log_prior = -0.5 * ((np.square(q.mean) + variance).mean(axis=0) + LOG_2PI)
    return (
        float(negative_entropy - log_q.mean()),
        float(log_q.mean() - marginals.sum()),
        marginals - mean_log_prior,
    )


def _log_mean_exp(values: np.ndarray) -> np.ndarray:
    """log of the mean of exp over the last axis."""
    largest = values.max(axis=-1, keepdims=True)
    return largest[..., 0] + np.log(np.exp(values - largest).mean(axis=-1))
