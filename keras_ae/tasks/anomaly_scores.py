"""How normal examples are, by a trained autoencoder."""

import numpy as np
from sklearn.covariance import LedoitWolf

from keras_ae import errors, evaluation
from keras_ae.models import Autoencoder, Variational

CRITERIA = ("combined", "reconstruction", "code", "elbo", "likelihood")
OF_VARIATIONAL = {"elbo": (1, 32), "likelihood": (100, 1)}  # K of the importance-weighted bound; how many are averaged
LEAST_VARIANCE = 0.01  # of a value's residual, relative to the mean over the values


def check(criterion: str, kind: type[Autoencoder]) -> None:
    """Raises InputError for an unknown criterion, or one that models of this kind do not have."""
    if criterion not in CRITERIA:
        raise errors.unknown("criterion", criterion, CRITERIA)
    if criterion in OF_VARIATIONAL and not issubclass(kind, Variational):
        raise errors.InputError(
            f"{kind.__name__} has no likelihood of x, so no criterion={criterion!r}. Use 'reconstruction', 'code' or "
            "'combined', or a variational model such as 'vae'."
        )
    if kind.conditional:
        raise errors.InputError(f"{kind.__name__} needs a condition for each example: use a model without one.")


class Normality:
    """Scores of one model, with what they need to know of normal examples.

        reconstruction(x) = -1/2 sum_j e_j^2 / s_j^2                e = x - E[x | code of x]
        code(x)           = -1/2 (c - m)^T S^-1 (c - m)             c: the code of x

    s_j^2 is the mean of e_j^2, of images also over the pixels, m the mean of the codes and S their shrunk covariance
    (Ledoit and Wolf, 2004), all over normal examples. Both scores are logarithms of normal densities without their
    constants, so that their sum, `"combined"`, is one, too. In place of a missing value's part stands the mean of this
    part over normal examples, about 1/2: an example is not the more normal the less is known of it.

    Args:
        model: a trained model.
        criterion: one of `CRITERIA`.
        x: (n, *event), mostly normal examples.
        observed: (n, *event), false where a value is missing.
    """

    def __init__(self, model: Autoencoder, criterion: str, x: np.ndarray, observed: np.ndarray) -> None:
        self.model, self.criterion = model, criterion
        if criterion in ("combined", "reconstruction"):
            squares = self.squared_errors(x, observed)
            alike = (0, 1, 2) if x.ndim == 4 else 0  # pixels have one scale; those that are mostly dark tell no more
            variance = squares.sum(axis=alike) / np.maximum(observed.sum(axis=alike), 1)
            self.residual_variance = np.maximum(variance, max(LEAST_VARIANCE * variance.mean(), 1e-12))
            self.mean_contribution = 0.5 * variance / self.residual_variance
        if criterion in ("combined", "code"):
            self.codes = LedoitWolf().fit(self.flat_codes(x))

    def __call__(self, x: np.ndarray, observed: np.ndarray, seed: int) -> np.ndarray:
        """(n,) scores in nats, higher for what is more normal, -inf for values so large that float32 does not hold what
        the networks make of them; `seed` fixes the draws that some need."""
        scores = self.scores(x, observed, seed)
        return np.where(np.isnan(scores), -np.inf, scores)

    def scores(self, x: np.ndarray, observed: np.ndarray, seed: int) -> np.ndarray:
        """The same with NaN for such values."""
        if self.criterion in OF_VARIATIONAL:
            samples, times = OF_VARIATIONAL[self.criterion]
            bounds = [evaluation.log_likelihood(self.model, x, samples=samples, seed=seed + i) for i in range(times)]
            return np.mean([bound.log_prob for bound in bounds], axis=0)
        total = np.zeros(len(x))
        if self.criterion in ("combined", "reconstruction"):
            total -= self.contributions(x, observed).reshape(len(x), -1).sum(axis=1)
        if self.criterion in ("combined", "code"):
            total -= 0.5 * self.squared_distances(self.flat_codes(x))
        return total

    def contributions(self, x: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """e_j^2 / (2 s_j^2) of every value, and its mean over normal examples where one is missing: (n, *event)."""
        return np.where(
            observed, 0.5 * self.squared_errors(x, observed) / self.residual_variance, self.mean_contribution
        )

    def squared_errors(self, x: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """e_j^2, 0 where a value is missing."""
        return np.where(observed, np.square(x.astype("float64") - self.model.reconstruct(x)), 0.0)

    def squared_distances(self, codes: np.ndarray) -> np.ndarray:
        """(c - m)^T S^-1 (c - m) of codes, (n, d) -> (n,); infinite where a code is."""
        found, finite = np.full(len(codes), np.inf), np.isfinite(codes).all(axis=1)
        if finite.any():
            found[finite] = self.codes.mahalanobis(codes[finite])
        return found

    def flat_codes(self, x: np.ndarray) -> np.ndarray:
        """Codes as vectors."""
        return self.model.encode(x).reshape(len(x), -1).astype("float64")
