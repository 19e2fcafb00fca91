"""What a model has to beat: PCA, and a model in which all values are independent."""

from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from keras_ae import errors
from keras_ae.checks import Count, checked
from keras_ae.distributions import likelihoods
from keras_ae.distributions.levels import Levels
from keras_ae.models import inputs

MIN_VARIANCE = likelihoods.MIN_VARIANCE


def pca(train: np.ndarray, test: np.ndarray, dimensions: int, likelihood: likelihoods.Likelihood) -> dict[str, Any]:
    """Squared error of PCA, and for a Normal likelihood log p(x) of probabilistic PCA (Tipping and Bishop, 1999).

    Both in the units of a model's evaluation: summed over the values of an example, averaged over examples.
    """
    train, test = (values.reshape(len(values), -1).astype("float64") for values in (train, test))
    dimensions = min(dimensions, *train.shape)
    fitted = PCA(dimensions, svd_solver="full").fit(train)
    error = float(np.square(test - fitted.inverse_transform(fitted.transform(test))).sum(axis=1).mean())
    log_prob = None
    if isinstance(likelihood, likelihoods.Normal) and dimensions < min(train.shape) and fitted.noise_variance_ > 0:
        log_prob = float(fitted.score(test))
    return {"name": f"PCA, {dimensions} dimensions", "squared_error": error, "log_prob": log_prob}


def independent(train: np.ndarray, test: np.ndarray, likelihood: likelihoods.Likelihood) -> dict[str, Any]:
    """Every value by itself: its mean as reconstruction, and its fitted distribution of the likelihood's family.

    Frequencies are smoothed by one pseudo-count a class, variances floored at 1e-6. A likelihood of one's own, of which
    nobody knows how to fit it to values, has no log_prob, but that of levels has, whose frequencies need no family.
    """
    mean = train.mean(axis=0, dtype="float64")
    error = float(np.square(test - mean).reshape(len(test), -1).sum(axis=1).mean())
    fitted = INDEPENDENT.get(type(likelihood), _categorical if isinstance(likelihood, Levels) else None)
    log_prob = None
    if fitted is not None:
        log_prob = float(fitted(train, test, likelihood).reshape(len(test), -1).sum(axis=1).mean())
    return {"name": f"independent {type(likelihood).__name__}", "squared_error": error, "log_prob": log_prob}


def _bernoulli(train: np.ndarray, test: np.ndarray, _: Any) -> np.ndarray:
    p = (train.sum(axis=0, dtype="float64") + 1) / (len(train) + 2)
    return test * np.log(p) + (1 - test) * np.log1p(-p)


def _normal(train: np.ndarray, test: np.ndarray, _: Any) -> np.ndarray:
    mean, variance = train.mean(axis=0, dtype="float64"), np.maximum(train.var(axis=0, dtype="float64"), MIN_VARIANCE)
    return -0.5 * (np.log(2 * np.pi * variance) + np.square(test - mean) / variance)


def _categorical(train: np.ndarray, test: np.ndarray, likelihood: Any) -> np.ndarray:
    if getattr(likelihood, "one_hot", False):
        p = (train.sum(axis=0, dtype="float64") + 1) / (len(train) + likelihood.levels)
        return test * np.log(p)
    counts = np.stack([(train == level).sum(axis=0) for level in range(likelihood.levels)])
    p = (counts + 1) / (len(train) + likelihood.levels)
    return np.log(np.take_along_axis(p, test.astype(int), axis=0))


INDEPENDENT: dict[type, Any] = {
    likelihoods.Bernoulli: _bernoulli,
    likelihoods.Normal: _normal,
    likelihoods.Categorical: _categorical,
}


@checked
def baselines(
    train: np.ndarray, test: np.ndarray, dimensions: Count, likelihood: likelihoods.Likelihood
) -> list[dict[str, Any]]:
    """The baselines fitted on `train` and judged on `test`.

    Args:
        train, test: (n, *event).
        dimensions: of PCA.
        likelihood: whose family the independent model has.

    Returns:
        One dict a baseline: name, squared_error and log_prob (nats per example, or None), as averages over `test`.
    """
    if train.ndim < 2 or train.shape[1:] != test.shape[1:] or not len(train) or not len(test):
        raise errors.InputError(
            f"train and test must hold examples of one shape, (n, *event). Received: {train.shape} and {test.shape}."
        )
    for name, values in (("train", train), ("test", test)):
        inputs.check_finite(values, name)
    return [pca(train, test, dimensions, likelihood), independent(train, test, likelihood)]
