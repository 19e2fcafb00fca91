"""How good generated examples are: precision, recall, density, coverage and Frechet distance in a space of features."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from scipy.spatial.distance import cdist

from keras_ae import errors, reading
from keras_ae.checks import Count, Examples, Seed, checked
from keras_ae.models import claims, files, inputs

ROWS = 1000  # of a matrix of distances, held at once
DIGIT_FEATURES = Path("mnist_features", "model.keras")


class SampleQuality(NamedTuple):
    """How close generated examples are to real ones. Only values of one feature space, number of examples and number of
    neighbours are comparable.

    Args:
        precision: share of generated examples on the manifold of the real ones, from 0 to 1.
        recall: share of real examples on the manifold of the generated ones, from 0 to 1.
        density: how many real neighbourhoods a generated example lies in, relative to their number `neighbours`; its
            expectation is 1 when both distributions are equal, and it may exceed 1.
        coverage: share of real examples with a generated one in their neighbourhood, from 0 to 1.
        frechet_distance: squared Frechet distance of the normal distributions fitted to the features, in units of the
            features squared. It is not the FID, which is this distance in the features of an Inception network.
        feature_space: name of the features.
        examples: number of real examples and of generated ones that were compared.
        neighbours: k.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    frechet_distance: float
    feature_space: str
    examples: int
    neighbours: int

    def __repr__(self) -> str:
        figures = ", ".join(f"{name}={value:.4g}" for name, value in zip(self._fields[:4], self[:4], strict=True))
        return (
            f"SampleQuality({figures}, frechet_distance={self.frechet_distance:.4g} in feature space "
            f"{self.feature_space!r} (not the Inception FID), examples={self.examples}, neighbours={self.neighbours})"
        )


@checked
def sample_quality(
    real: Any,
    generated: Any,
    features: keras.Model | Callable[[np.ndarray], Any] | None = None,
    neighbours: Count = 5,
    seed: Seed = 0,
) -> SampleQuality:
    """Compares generated examples with real ones in a space of features.

    With B(a) the ball around the features of a whose radius is the distance to its k-th nearest neighbour among the
    examples of its own kind, for real r_i and generated g_j:

        precision = mean_j 1[g_j is in some B(r_i)]             Kynkaanniemi et al., 2019, arXiv:1904.06991, eq. 1, 2
        recall    = mean_i 1[r_i is in some B(g_j)]
        density   = mean_j sum_i 1[g_j is in B(r_i)] / k        Naeem et al., 2020, arXiv:2002.09797, sec. 3.2
        coverage  = mean_i 1[some g_j is in B(r_i)]

    and the Frechet distance of `frechet_distance` between normal distributions fitted to the features.

    Args:
        real: (n, *event), real examples; those of a test set, if the model was trained on the training set.
        generated: (m, *event), samples of the model. Where m is not n, as many of the more numerous as there are of the
            others are drawn: the radii depend on the number.
        features: a Keras model, whose (last) output is flattened; a function from (n, *event) to (n, ...), such as
            `model.encode`; or None, for images of digits of 28x28x1 in [0, 1]: `digit_features()`.
        neighbours: k.
        seed: integer of that drawing.

    Raises:
        InputError: too few examples, shapes that differ, features that are not finite, or no default features.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> def identity(x):
        ...     return x
        >>> quality = sample_quality(rng.normal(size=(500, 2)), rng.normal(size=(500, 2)) + [9, 0], identity)
        >>> round(quality.precision, 1), round(quality.recall, 1), round(quality.frechet_distance / 81, 1)
        (0.0, 0.0, 1.0)
    """
    real, generated = np.asarray(real), np.asarray(generated)
    if real.shape[1:] != generated.shape[1:]:
        raise errors.InputError(
            f"real and generated must be examples of the same shape. Received: {real.shape} and {generated.shape}."
        )
    n, rng = min(len(real), len(generated)), np.random.default_rng(seed)
    if n <= neighbours:
        raise errors.InputError(
            f"neighbours={neighbours} needs at least {neighbours + 1} real and generated examples. Received: "
            f"{len(real)} and {len(generated)}. Pass more examples, or a smaller number of neighbours."
        )
    real, generated = (x if len(x) == n else rng.permutation(x)[:n] for x in (real, generated))
    if features is None:
        features = digit_features()
        _check_digits(real, "real")
        _check_digits(generated, "generated")
    real, generated = _in_features(features, real, "real"), _in_features(features, generated, "generated")

    radii, generated_radii = _squared_radii(real, neighbours), _squared_radii(generated, neighbours)
    balls = np.zeros(n, int)  # in how many B(r_i) each g_j is
    recalled, covered = [], []
    for rows, squared in _squared_distances(real, generated):
        in_real = squared <= radii[rows, None]
        balls += in_real.sum(axis=0)
        covered.append(in_real.any(axis=1))
        recalled.append((squared <= generated_radii).any(axis=1))
    moments = [f(x) for x in (real, generated) for f in (lambda x: x.mean(axis=0), _covariance)]
    return SampleQuality(
        precision=float((balls > 0).mean()),
        recall=float(np.concatenate(recalled).mean()),
        density=float(balls.mean() / neighbours),
        coverage=float(np.concatenate(covered).mean()),
        frechet_distance=frechet_distance(*moments),
        feature_space=str(
            getattr(features, "name" if isinstance(features, keras.Model) else "__name__", type(features).__name__)
        ),
        examples=n,
        neighbours=neighbours,
    )


@checked
def frechet_distance(mean: Examples, covariance: Examples, other_mean: Examples, other_covariance: Examples) -> float:
    """The squared Frechet distance (2-Wasserstein distance) of two normal distributions.

        d^2 = |m - m'|^2 + tr(C + C' - 2 (C^1/2 C' C^1/2)^1/2)

    (Dowson and Landau, 1982, Journal of Multivariate Analysis 12, 450-455; (C C')^1/2 there has the same trace).

    Args:
        mean, other_mean: (d,).
        covariance, other_covariance: (d, d), possibly singular.

    Example:
        >>> frechet_distance([0, 0], np.eye(2), [3, 4], np.eye(2))
        25.0
    """
    shapes = [value.shape for value in (mean, covariance, other_mean, other_covariance)]
    if shapes != [(mean.size,), (mean.size, mean.size)] * 2:
        what = "mean, covariance, other_mean and other_covariance must have the shapes (d,), (d, d), (d,) and (d, d)"
        raise errors.InputError(f"{what}. Received: {', '.join(map(str, shapes))}.")
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    common = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other_covariance @ root), 0)).sum()
    squared = np.square(np.subtract(mean, other_mean)).sum()
    return float(max(squared + np.trace(covariance) + np.trace(other_covariance) - 2 * common, 0))


def digit_features() -> keras.Model:
    """The default feature space, for images of digits: the 64 values of the penultimate layer of an MNIST classifier.

    It is looked for as `mnist_features/model.keras` in the folder that the environment variable KERAS_AE_HOME names,
    then in `saved_models/` of the repository.

    Returns:
        A Keras model from images, (batch, 28, 28, 1) in [0, 1], to features, (batch, 64).

    Raises:
        InputError: it is in neither.
    """
    tried = [home / DIGIT_FEATURES for home in files.homes()]
    for file in tried:
        if file.is_file():
            with reading.readable(file, "a feature space"), claims.bounded(file):
                return keras.saving.load_model(file, compile=False, safe_mode=True)
    raise errors.InputError(
        f"There is no default feature space: {' and '.join(map(str, tried))} do not exist. Make it with python "
        f"benchmarks/quality/features.py in the repository, set {files.HOME} to the folder "
        f"that holds {DIGIT_FEATURES}, or pass features=..., a Keras model or a function."
    )


def _check_digits(x: np.ndarray, name: str) -> None:
    in_range = x.size and x.dtype.kind in "fiub" and x.min() >= 0 and x.max() <= 1
    if x.shape[1:] != (28, 28, 1) or not in_range:
        values = f" with values from {x.min()} to {x.max()}" if x.dtype.kind in "fiub" else f" of dtype {x.dtype}"
        raise errors.InputError(
            f"The default features are those of digits: {name} must hold images of 28x28x1 in [0, 1]. Received: shape "
            f"{x.shape}{values}. Clip them, or pass features=..., a Keras model or a function such as model.encode."
        )


def _in_features(features: Any, x: np.ndarray, name: str) -> np.ndarray:
    """The features of x as vectors, (n, d)."""
    if isinstance(features, keras.Model):
        values = features.predict(x, batch_size=1024, verbose=0)
        values = list(values.values()) if isinstance(values, dict) else values
        values = values[-1] if isinstance(values, list | tuple) else values
    elif callable(features):
        values = features(x)
    else:
        raise errors.InputError(
            f"features must be a Keras model, a function or None. Received: {type(features).__name__}."
        )
    values = np.asarray(values)
    if values.shape[:1] != x.shape[:1]:
        raise errors.InputError(
            f"features must give one row an example, {len(x)} for {name}. Received: an array of shape {values.shape}."
        )
    values = values.reshape(len(x), -1).astype("float64")
    inputs.check_finite(values, f"features of {name}")
    return values


def _covariance(x: np.ndarray) -> np.ndarray:
    return np.atleast_2d(np.cov(x, rowvar=False))


def _squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of the matrix of squared distances, with the rows that they are."""
    for start in range(0, len(a), ROWS):
        rows = slice(start, start + ROWS)
        yield rows, cdist(a[rows], b, "sqeuclidean")


def _squared_radii(x: np.ndarray, neighbours: int) -> np.ndarray:
    """The squared distance of each example to its k-th nearest neighbour, itself not counted: (n,)."""
    return np.concatenate(
        [np.partition(squared, neighbours, axis=1)[:, neighbours] for _, squared in _squared_distances(x, x)]
    )
