"""Examples by their codes: the nearest of them, and the most typical."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors

from keras_ae import errors, plots
from keras_ae.checks import Count, checked, of_each
from keras_ae.models import Autoencoder, inputs


@dataclass(frozen=True)
class Neighbours:
    """The nearest examples in code space.

    Args:
        indices: (n, k) of the neighbours, nearest first.
        distances: (n, k) between the codes.
    """

    indices: np.ndarray
    distances: np.ndarray

    @checked
    def plot(self, x: plots.Images, examples: plots.Images) -> Figure:
        """Each query, and right of it its neighbours; for the arrays that `nearest_neighbours` was given."""
        if len(x) != len(self.indices) or x.shape[1:] != examples.shape[1:] or self.indices.max() >= len(examples):
            raise errors.wrong(
                "x and examples", "the arrays that nearest_neighbours was given", (x.shape, examples.shape)
            )
        images = np.concatenate([x[:, None], examples[self.indices]], axis=1)
        return plots.image_table(images, columns=["query", *map(str, range(1, images.shape[1]))])


@checked
def nearest_neighbours(
    model: Autoencoder,
    x: Any,
    examples: Any,
    k: Count = 8,
    metric: str = "euclidean",
    condition: Any = None,
    examples_condition: Any = None,
) -> Neighbours:
    """Which of the examples have the codes nearest to those of x.

    Args:
        model: a trained autoencoder.
        x: (n, *event), the queries. A query that is among the examples is its own first neighbour.
        examples: (m, *event), where neighbours are looked for.
        k: neighbours of each query, at most m.
        metric: `"euclidean"`, `"cosine"` or another that `sklearn.neighbors.NearestNeighbors` knows.
        condition, examples_condition: of x and of the examples, for a conditional model.

    Raises:
        InputError: k is larger than m, or an argument does not fit.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("ae", input_shape=(4,), latent_dim=2, seed=0)
        >>> x = np.eye(4, dtype="float32")
        >>> nearest_neighbours(model, x, x, k=1).indices[:, 0].tolist()
        [0, 1, 2, 3]
    """
    codes = model.encode(x, condition=condition)
    with errors.about("examples" if examples_condition is None else "examples, examples_condition"):
        candidates = model.encode(examples, condition=examples_condition)
    if k > len(candidates):
        raise errors.InputError(f"k must be at most the number of examples, {len(candidates)}. Received: k={k}.")
    try:
        index = NearestNeighbors(n_neighbors=k, metric=metric).fit(candidates.reshape(len(candidates), -1))
    except ValueError as error:
        raise errors.InputError(f"metric must be one that scikit-learn's NearestNeighbors knows: {error}") from error
    distances, indices = index.kneighbors(codes.reshape(len(codes), -1))
    return Neighbours(indices, distances)


@dataclass(frozen=True)
class Prototypes:
    """What is typical of each class.

    Args:
        classes: (k,) the labels that occur, sorted.
        codes: (k, *latent), the mean code of each class.
        images: (k, *event), what these decode to.
        medoids: (k,) index of the example whose code is nearest, summed over distances, to all codes of its class.
        examples: (k, *event), these examples.
    """

    classes: np.ndarray
    codes: np.ndarray
    images: np.ndarray
    medoids: np.ndarray
    examples: np.ndarray

    @checked
    def plot(self, names: Sequence[str] = ()) -> Figure:
        """The decoded means above the medoids; `names` of the classes stand above instead of their labels."""
        if len(names) not in (0, len(self.classes)):
            raise errors.wrong("names", f"a name for each of the {len(self.classes)} classes", names)
        rows = ["decoded mean", "medoid"]
        return plots.image_table(np.stack([self.images, self.examples]), rows, names or [str(c) for c in self.classes])


@checked
def prototypes(model: Autoencoder, x: Any, labels: Any, condition: Any = None) -> Prototypes:
    """What is typical of each class, by its codes: their decoded mean, and the example in their middle.

        medoid = argmin_i sum_j |f(x_i) - f(x_j)| over the class (Kaufman and Rousseeuw, 1987),    f: the encoder

    Args:
        model: a trained autoencoder.
        x: (n, *event).
        labels: (n,), the class of each example.
        condition: of each example, for a conditional model; the mean code is decoded with the class's mean condition.

    Raises:
        InputError: there is not one label for each example.

    Example:
        >>> import keras_ae
        >>> model = keras_ae.create("ae", input_shape=(4,), latent_dim=2, seed=0)
        >>> found = prototypes(model, np.eye(4, dtype="float32"), [3, 3, 7, 7])
        >>> found.classes.tolist(), found.images.shape
        ([3, 7], (2, 4))
    """
    codes = model.encode(x, condition=condition)
    labels = of_each("labels", labels, len(codes))
    condition = inputs.check_condition(model, condition, len(codes))
    classes = np.unique(labels)
    members = [np.flatnonzero(labels == label) for label in classes]
    means = np.stack([codes[chosen].mean(axis=0) for chosen in members])
    given = None if condition is None else np.stack([condition[chosen].mean(axis=0) for chosen in members])
    medoids = np.array([chosen[_medoid(codes[chosen].reshape(len(chosen), -1))] for chosen in members])
    return Prototypes(classes, means, model.decode(means, condition=given), medoids, np.asarray(x)[medoids])


def _medoid(points: np.ndarray) -> int:
    """Index of the point with the smallest sum of distances to all points."""
    sums = pairwise_distances_chunked(points, reduce_func=lambda distances, start: distances.sum(axis=1))
    return int(np.argmin(np.concatenate(list(sums))))
