"""The evaluation that `keras-ae evaluate` prints."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from keras_ae import models
from keras_ae.distributions import likelihoods
from keras_ae.evaluation.baselines import baselines
from keras_ae.evaluation.likelihood import log_likelihood


@dataclass
class Report:
    """Averages over the examples of one split.

    Args:
        examples: how many.
        terms: the loss and each of its terms, nats per example (squared error in the units of x squared).
        squared_error: of the reconstruction, summed over the values of an example.
        quantity: what the log-likelihood figures are: a log-probability (discrete data and likelihood), a log-density,
            or a cross-entropy bound (a Bernoulli on grey levels). Figures of different kinds are not comparable.
        bound: the importance-weighted bound on log p(x) in nats, or None for a deterministic model.
        bound_standard_error: of `bound`, over examples.
        samples: K of the bound.
        dimensions: D, values of an example.
        bits_per_dimension: -bound / (D log 2) for a log-probability, else None.
        baselines: the same figures of PCA and of the independent model.
    """

    examples: int
    terms: dict[str, float]
    squared_error: float
    quantity: str
    bound: float | None = None
    bound_standard_error: float | None = None
    samples: int | None = None
    dimensions: int = 0
    bits_per_dimension: float | None = None
    baselines: list[dict[str, Any]] = field(default_factory=list)

    def bits(self, log_prob: float | None) -> float | None:
        """-log_prob / (D log 2), or None where `log_prob` is no log-probability."""
        if log_prob is None or self.quantity != "log-probability":
            return None
        return -log_prob / (self.dimensions * math.log(2))

    def as_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return asdict(self)


def quantity(likelihood: likelihoods.Likelihood, x: np.ndarray) -> str:
    """What log p(x | z) is for this data.

    >>> quantity(likelihoods.Bernoulli(), np.array([0.0, 0.5]))
    'cross-entropy'
    """
    if not likelihood.discrete:
        return "log-density"
    return "log-probability" if np.array_equal(x, np.round(x)) else "cross-entropy"


def evaluate(
    model: models.Autoencoder,
    test: np.ndarray,
    train: np.ndarray | None = None,
    samples: int = 100,
    seed: int = 0,
    condition: Any = None,
) -> Report:
    """Every figure of a model on test data, with baselines fitted on training data.

    Args:
        model: a compiled model.
        test: (n, *event), what is judged.
        train: (m, *event), what the baselines are fitted on; None for no baselines.
        samples: K of the importance-weighted bound.
        seed: integer of the bound's noise.
        condition: of each test example, for a conditional model.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("vae", input_shape=(4,), latent_dim=2, seed=0)
        >>> model.compile("adam")
        >>> evaluate(model, np.ones((8, 4), "float32"), samples=5).quantity
        'log-probability'
    """
    y = None if condition is None else {"condition": condition}
    terms = {name: float(value) for name, value in model.evaluate(test, y, return_dict=True, verbose=0).items()}
    error = np.square(model.reconstruct(test, condition=condition) - test).reshape(len(test), -1).sum(axis=1).mean()
    report = Report(len(test), terms, float(error), quantity(model.likelihood, test), dimensions=test[0].size)
    if isinstance(model, models.Variational):
        log_prob = log_likelihood(model, test, samples=samples, seed=seed, condition=condition).log_prob
        report.bound, report.samples = float(log_prob.mean()), samples
        report.bound_standard_error = float(log_prob.std() / math.sqrt(len(log_prob)))
        report.bits_per_dimension = report.bits(report.bound)
    if train is not None:
        report.baselines = baselines(train, test, math.prod(model.latent_shape), model.likelihood)
    return report
