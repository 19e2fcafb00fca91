"""The evaluation that `keras-ae evaluate` prints."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from keras_ae import models
from keras_ae.checks import Count, Natural, Seed, checked
from keras_ae.distributions import likelihoods
from keras_ae.evaluation.baselines import baselines
from keras_ae.evaluation.bound import elbo
from keras_ae.evaluation.clustering import clustering
from keras_ae.evaluation.codes import active_units
from keras_ae.evaluation.common import variational
from keras_ae.evaluation.inference import inference_gap
from keras_ae.evaluation.likelihood import log_likelihood
from keras_ae.evaluation.perplexity import of_bound
from keras_ae.evaluation.probes import KINDS, LABELS, probe_codes
from keras_ae.evaluation.quality import sample_quality


@dataclass
class Report:
    """Averages over the examples of one split.

    Args:
        examples: how many.
        terms: the loss and each of its terms, nats per example (squared error in the units of x squared).
        squared_error: of the reconstruction, summed over the values of an example; None for tokens.
        quantity: what the log-likelihood figures are: a log-probability (discrete data and likelihood), a log-density,
            or a cross-entropy bound (a Bernoulli on grey levels). Figures of different kinds are not comparable.
        bound: the estimate of log p(x) in nats, or None for a deterministic model (so all further figures of the code).
        bound_standard_error: of `bound`, over examples.
        samples: K of the estimate.
        estimator: how `bound` was estimated.
        effective_sample_size: of the estimate, mean over examples; near 1 the bound is loose.
        distortion, rate: the two terms of the negative ELBO: E_q[-log p(x|z)] and KL(q(z|x) || p(z)), in nats.
        mutual_information, total_correlation, dimension_wise_kl: the three parts of `rate`, see `elbo`; None where
            p(z) is not N(0, I).
        active_units: dimensions of the code that are used, see `active_units`, of `units`.
        gap: total, approximation and amortisation gap in nats of the first `gap_examples`, with the estimator of
            log p(x); see `inference_gap`.
        probes: of the codes, see `probe`: kind, number of training labels, accuracy and its standard error.
        clustering: of the clusters that a model has found, against the labels, see `clustering`.
        classification: of a model that classifies, its accuracy.
        sample_quality: of as many samples as there are examples, see `sample_quality`.
        dimensions: D, values of an example; where values are missing, the mean number of those that are not.
        bits_per_dimension: -bound / (D log 2) for a log-probability, else None.
        perplexity: of a model of tokens, see `perplexity`.
        baselines: the same figures of PCA and of the independent model; none for tokens, and where values
            are missing.
    """

    examples: int
    terms: dict[str, float]
    squared_error: float | None
    quantity: str
    bound: float | None = None
    bound_standard_error: float | None = None
    samples: int | None = None
    estimator: str | None = None
    effective_sample_size: float | None = None
    distortion: float | None = None
    rate: float | None = None
    mutual_information: float | None = None
    total_correlation: float | None = None
    dimension_wise_kl: float | None = None
    active_units: int | None = None
    units: int | None = None
    gap: dict[str, Any] | None = None
    probes: list[dict[str, Any]] = field(default_factory=list)
    clustering: dict[str, float] | None = None
    classification: float | None = None
    sample_quality: dict[str, Any] | None = None
    dimensions: float = 0
    bits_per_dimension: float | None = None
    perplexity: float | None = None
    baselines: list[dict[str, Any]] = field(default_factory=list)

    def bits(self, log_prob: float | None) -> float | None:
        """-log_prob / (D log 2), or None where `log_prob` is no log-probability."""
        if log_prob is None or self.squared_error is None or self.quantity != "log-probability":
            return None
        return -log_prob / (self.dimensions * math.log(2))

    def as_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return asdict(self)


def quantity(likelihood: likelihoods.Likelihood, x: np.ndarray) -> str:
    """What log p(x | z) is for this data; missing values (NaN) do not count.

    >>> quantity(likelihoods.Bernoulli(), np.array([0.0, 0.5]))
    'cross-entropy'
    """
    if not likelihood.discrete:
        return "log-density"
    return "log-probability" if np.array_equal(x, np.round(x), equal_nan=True) else "cross-entropy"


def dimensions(x: np.ndarray) -> float:
    """Values of an example that were observed: a whole number where nothing is missing."""
    missing = int(np.isnan(x).sum())
    return x[0].size - missing / len(x) if missing else x[0].size


@checked
def evaluate(
    model: models.Autoencoder,
    test: np.ndarray,
    train: np.ndarray | None = None,
    samples: Count = 100,
    seed: Seed = 0,
    condition: Any = None,
    method: str = "importance",
    steps: Count = 500,
    gap_examples: Natural = 0,
    labels: tuple[np.ndarray, np.ndarray] | None = None,
    with_samples: bool = False,
) -> Report:
    """Every figure of a model on test data, with baselines fitted on training data.

    Args:
        model: a compiled model.
        test: (n, *event), what is judged.
        train: (m, *event), what the baselines are fitted on; None for no baselines.
        samples: K of the estimate of log p(x).
        seed: integer of its noise.
        condition: of each test example, for a conditional model.
        method, steps: of the estimate, see `log_likelihood`.
        gap_examples: of how many of the first examples the inference gap is found; 0 for none.
        labels: of train and test, for probes of the codes of a model without condition, and for its clusters; None for
            neither.
        with_samples: whether samples of the model are compared with `test`, in the features of digits.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("vae", input_shape=(4,), latent_dim=2, seed=0)
        >>> model.compile("adam")
        >>> evaluate(model, np.ones((8, 4), "float32"), samples=5).quantity
        'log-probability'
    """
    test = models.inputs.check_x(model, test, "test")
    train = None if train is None else models.inputs.check_x(model, train, "train", explained=False)
    condition = models.inputs.check_condition(model, condition, len(test), with_x=True)
    y = None if condition is None else {"condition": condition}
    terms = {name: float(value) for name, value in model.evaluate(test, y, return_dict=True, verbose=0).items()}
    tokens = isinstance(model, models.Sequences) and model.tokens
    error = None if tokens else _squared_error(model, test, condition)
    report = Report(len(test), terms, error, quantity(model.likelihood, test), dimensions=dimensions(test))
    if isinstance(model, models.Variational):
        found = log_likelihood(model, test, method, samples, seed, condition=condition, steps=steps)
        report.bound, report.samples = float(found.log_prob.mean()), samples
        report.estimator = f"{method}, K={samples}" + (f", {steps} temperatures" if method == "ais" else "")
        with np.errstate(invalid="ignore"):  # where a value is -inf there is no standard error
            report.bound_standard_error = float(found.log_prob.std() / math.sqrt(len(test)))
        report.effective_sample_size = float(found.effective_sample_size.mean())
        report.bits_per_dimension = report.bits(report.bound)
        if tokens:
            report.perplexity = of_bound(model, test, found.log_prob).perplexity
        _describe_codes(report, model, test, seed, condition)
        if gap_examples:
            report.gap = _gap(model, test, gap_examples, seed, condition)
    elif gap_examples or method != "importance":
        variational("model", model)
    if train is not None and labels is not None and not model.conditional:
        report.probes = _probes(model, (train, labels[0]), (test, labels[1]), seed)
    if labels is not None and isinstance(model, models.GaussianMixtureVAE) and float(model.found):
        report.clustering = clustering(labels[1], model.cluster(test))._asdict()
    if condition is not None and isinstance(model, models.SemiSupervisedVAE):
        report.classification = float((model.classify(test) == np.asarray(condition).argmax(axis=1)).mean())
    if with_samples:
        new = model.sample(len(test), seed=seed, condition=condition)
        report.sample_quality = sample_quality(test, new, seed=seed)._asdict()
    if train is not None and not tokens and not np.isnan(train).any() and not np.isnan(test).any():
        report.baselines = baselines(train, test, math.prod(model.latent_shape), model.likelihood)
    return report


def _squared_error(model: models.Autoencoder, x: np.ndarray, condition: Any) -> float:
    """Of the reconstruction of what was observed, summed over the values of an example."""
    error = np.square(model.reconstruct(x, condition=condition) - x, dtype="float64")
    return float(np.nansum(error.reshape(len(x), -1), axis=1).mean())


def _describe_codes(report: Report, model: models.Variational, x: np.ndarray, seed: int, condition: Any) -> None:
    """Fills in the terms of the bound and the use of the code."""
    terms = elbo(model, x, seed=seed, condition=condition)
    report.distortion, report.rate = float(terms.distortion.mean()), float(terms.rate.mean())
    if terms.dimension_wise_kl is not None:
        report.mutual_information, report.total_correlation = terms.mutual_information, terms.total_correlation
        report.dimension_wise_kl = float(terms.dimension_wise_kl.sum())
    if len(x) > 1:
        units = active_units(model, x, condition)
        report.active_units, report.units = units.number, len(units.active)


def _gap(model: models.Variational, x: np.ndarray, n: int, seed: int, condition: Any) -> dict[str, Any]:
    """Averages of the inference gap."""
    found = inference_gap(model, x[:n], seed=seed, condition=None if condition is None else condition[:n])
    parts = {name: float(getattr(found, name).mean()) for name in ("total", "approximation", "amortisation")}
    return {"examples": len(found.elbo), "estimator": found.estimator, **parts}


def _probes(model: models.Autoencoder, train: tuple, test: tuple, seed: int) -> list[dict[str, Any]]:
    """Both kinds of probes, with as many labels as there are."""
    counts = [count for count in LABELS if count is None or count < len(train[1])]
    codes = [model.encode(x) for x, _ in (train, test)]
    return [
        {"kind": kind, **result._asdict()}
        for kind in KINDS
        for result in probe_codes(codes[0], train[1], codes[1], test[1], counts, kind, seed)
    ]
