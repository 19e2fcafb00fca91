"""What frozen codes know of labels or factors: simple predictors, trained on few or many labels."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from keras_ae import checks, errors
from keras_ae.checks import Seed, checked
from keras_ae.data import balanced
from keras_ae.models import Autoencoder

FOLDS = 5
LABELS = (100, 1000, None)
KINDS = LINEAR, KNN = "linear", "knn"
NEIGHBOURS = (1, 5, 20)


class ProbeResult(NamedTuple):
    """How well one probe predicts.

    Args:
        labels: number of training labels.
        score: accuracy on the test set; of factors R^2, (factors,).
        standard_error: of the score, for the test set as a sample of its distribution: binomial for accuracy, by the
            delta method for R^2. How the training labels were drawn adds to it: vary the seed.
        chosen: the hyper-parameter that cross-validation chose, such as {"C": 0.1}.
    """

    labels: int
    score: Any
    standard_error: Any
    chosen: dict[str, float]


@checked
def probe(
    model: Autoencoder,
    train: tuple[Any, Any],
    test: tuple[Any, Any],
    labels: Sequence[int | None] = LABELS,
    kind: str = LINEAR,
    seed: Seed = 0,
    conditions: tuple[Any, Any] = (None, None),
) -> list[ProbeResult]:
    """Trains predictors of labels on the codes of a model that itself is not trained further (Alain and Bengio, 2016,
    arXiv:1610.01644, "linear classifier probes").

    Args:
        model: any trained autoencoder.
        train: x, (n, *event), and y: whole numbers, (n,), for classes; floats, (n,) or (n, factors), for factors.
        test: x and y of the test set.
        labels: how many training labels, for each probe; None for all.
        kind: `"linear"`, logistic regression (ridge regression of factors), or `"knn"`, nearest neighbours.
        seed: integer of the drawing of labels and folds.
        conditions: of a conditional model: those of train and test.

    Returns:
        One `ProbeResult` for each of `labels`. See `probe_codes`.

    Raises:
        InputError: see `probe_codes`.

    Example:
        >>> import keras_ae
        >>> train, test = (keras_ae.data.load("digits", split) for split in ("train", "test"))
        >>> model = keras_ae.create("linear_ae", input_shape=train.shape, latent_dim=8, seed=0)
        >>> result, = probe(model, (train.x, train.y), (test.x, test.y), labels=[100])
        >>> result.labels, bool(result.score > 0.5)
        (100, True)
    """
    if not isinstance(model, Autoencoder):
        raise errors.InputError(
            f"model must be a model of keras_ae. Received: {type(model).__name__}. For arrays of codes: probe_codes."
        )
    codes = []
    for name, (x, _), condition in (("train", train, conditions[0]), ("test", test, conditions[1])):
        with errors.about(name if condition is None else f"{name}, conditions"):
            codes.append(model.encode(x, condition=condition))
    return probe_codes(codes[0], train[1], codes[1], test[1], labels, kind, seed)


@checked
def probe_codes(
    train_codes: Any,
    train_y: Any,
    test_codes: Any,
    test_y: Any,
    labels: Sequence[int | None] = LABELS,
    kind: str = LINEAR,
    seed: Seed = 0,
) -> list[ProbeResult]:
    """Trains predictors of labels on codes, or on the pixels as a baseline.

    The codes are standardised; the one hyper-parameter of the predictor (C of the logistic regression, alpha of the
    ridge regression, the number of neighbours) is chosen on the training labels by cross-validation in 5 folds, fewer
    where a class has fewer labels.

    Args:
        train_codes, test_codes: (n, ...), flattened.
        train_y, test_y: whole numbers, (n,), for classes; floats, (n,) or (n, factors), for factors.
        labels: how many training labels, for each probe; None for all. Of classes the same number each (or one more)
            is drawn. The draws of one seed are nested: 100 labels are among the 1,000.
        kind: `"linear"` or `"knn"`.
        seed: integer of the drawing of labels and folds.

    Raises:
        InputError: lengths differ; values are not finite; there is one class only, or a class in test_y that is not in
            train_y; fewer than 2 labels a class, or more than there are; fewer than 4 labels for factors.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(200, 3))
        >>> result, = probe_codes(x[:100], x[:100] @ [1.0, 2.0, 3.0], x[100:], x[100:] @ [1.0, 2.0, 3.0], labels=[None])
        >>> round(float(result.score), 3)
        1.0
    """
    if kind not in KINDS:
        raise errors.unknown("kind of probe", kind, KINDS)
    train_codes, train_y = _checked(train_codes, train_y, "train")
    test_codes, test_y = _checked(test_codes, test_y, "test")
    if train_codes.shape[1] != test_codes.shape[1] or train_y.shape[1:] != test_y.shape[1:]:
        raise errors.InputError(
            "train_codes and test_codes must have one shape, and so must train_y and test_y. Received: "
            f"{train_codes.shape} and {test_codes.shape}, {train_y.shape} and {test_y.shape}."
        )
    classes = train_y.dtype.kind != "f"
    if classes != (test_y.dtype.kind != "f"):
        raise errors.InputError(
            "train_y and test_y must both be whole numbers (classes), or floats (factors). Received: "
            f"{train_y.dtype} and {test_y.dtype}."
        )
    unseen = np.setdiff1d(test_y, train_y)
    if classes and len(unseen):
        raise errors.InputError(
            f"test holds classes that train lacks: {', '.join(map(str, unseen[:5]))}. A probe cannot predict them."
        )
    if not classes and (np.ptp(test_y, axis=0) == 0).any():
        raise errors.InputError("A factor has the same value in all of test: R^2 is not defined. Drop that factor.")
    results = []
    for wanted in labels:
        count = len(train_y) if wanted is None else errors.whole_number("labels", wanted)
        if count > len(train_y):
            raise errors.InputError(f"labels={count} is more than there are: train has {len(train_y)} examples.")
        drawn = _drawn(train_y, wanted if wanted is None else count, classes, np.random.default_rng(seed))
        with threadpool_limits(1 if kind == LINEAR else None):  # threads that wait for each other are slower than one
            search = _search(kind, classes, train_y[drawn], seed).fit(train_codes[drawn], train_y[drawn])
        score, standard_error = (_accuracy if classes else _r2)(test_y, search.predict(test_codes))
        chosen = {name.split("__")[1]: value for name, value in search.best_params_.items()}
        results.append(ProbeResult(count, score, standard_error, chosen))
    return results


def _checked(codes: Any, y: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes as vectors, (n, d), and y: classes as whole numbers."""
    of_codes, of_y = f"{name}_codes", f"{name}_y"
    codes, factors = checks.examples(of_codes, codes), checks.array(of_y, y).dtype.kind == "f"
    y = (checks.examples if factors else checks.labels)(of_y, y)
    if y.dtype.kind == "U" or y.ndim > 2:
        raise errors.wrong(of_y, "whole numbers, (n,), for classes, or floats, (n,) or (n, factors), for factors", y)
    if codes.ndim < 2 or len(codes) != len(y):
        both = f"{codes.shape} and {y.shape}"
        raise errors.InputError(f"{of_codes} and {of_y} must be as many, (n, ...) and (n,). Received: {both}.")
    return codes.reshape(len(codes), -1), y


def _drawn(y: np.ndarray, count: int | None, classes: bool, rng: np.random.Generator) -> np.ndarray:
    """Indices of `count` labels, the same number of each class (or one more); all for None."""
    if not classes:
        least = len(y) if count is None else count
        if least < 4:
            raise errors.InputError(f"Cross-validation needs at least 4 labels. Received: {least}.")
        return rng.permutation(len(y))[:count]
    names = np.unique(y)
    if len(names) < 2:
        raise errors.InputError(f"train has one class only: {names[0]}. A probe needs at least two.")
    if count is None:
        drawn = np.concatenate([rng.permutation(np.flatnonzero(y == name)) for name in names])
    else:
        drawn = balanced(y, count, rng)
    sizes = np.array([(y[drawn] == name).sum() for name in names])
    if sizes.min() < 2:
        raise errors.InputError(
            f"Cross-validation needs at least 2 labels of each of the {len(names)} classes. Received: {sizes.min()} of "
            f"class {names[sizes.argmin()]}."
        )
    return drawn


def _search(kind: str, classes: bool, y: np.ndarray, seed: int) -> GridSearchCV:
    """A predictor whose hyper-parameter is chosen by cross-validation."""
    estimator: Any
    if kind == LINEAR and classes:
        estimator, name, grid = LogisticRegression(max_iter=1000), "C", [0.001, 0.01, 0.1, 1.0, 10.0]
    elif kind == LINEAR:
        estimator, name, grid = Ridge(), "alpha", [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]
    else:
        estimator = KNeighborsClassifier() if classes else KNeighborsRegressor()
        name, grid = "n_neighbors", [k for k in NEIGHBOURS if k <= len(y) // 4]  # no more than a fold leaves
    smallest = np.unique(y, return_counts=True)[1].min() if classes else len(y) // 2
    folds = (StratifiedKFold if classes else KFold)(min(FOLDS, smallest), shuffle=True, random_state=seed)
    pipeline = make_pipeline(StandardScaler(), estimator)
    return GridSearchCV(pipeline, {f"{type(estimator).__name__.lower()}__{name}": grid}, cv=folds)


def _accuracy(y: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    accuracy = float(np.mean(y == predicted))
    return accuracy, float(np.sqrt(accuracy * (1 - accuracy) / len(y)))


def _r2(y: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R^2 = 1 - mean e^2 / mean d^2 of each factor, and its standard error as that of a ratio of means."""
    score = r2_score(y, predicted, multioutput="raw_values").reshape(y.shape[1:])
    error, deviation = np.square(y - predicted), np.square(y - y.mean(axis=0))
    spread = np.std(error - (1 - score) * deviation, axis=0)
    return score, spread / deviation.mean(axis=0) / np.sqrt(len(y))
