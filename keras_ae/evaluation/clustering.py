"""How well clusters agree with classes."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from keras_ae import errors
from keras_ae.checks import Labels, checked


class Clustering(NamedTuple):
    """Agreement of clusters with classes.

    Args:
        accuracy: share of examples in the class of their cluster, where each cluster is given one class and each class
            one cluster, in the best way (Yang et al., 2010, doi:10.1109/TIP.2010.2049235, eq. 30).
        nmi: mutual information over the arithmetic mean of the entropies, from 0 to 1.
        ari: Rand index adjusted for chance: 0 for random clusters, 1 for the classes (Hubert and Arabie, 1985).
    """

    accuracy: float
    nmi: float
    ari: float


@checked
def clustering(y: Labels, clusters: Labels) -> Clustering:
    """Compares clusters with the classes of the same examples; names of clusters do not matter.

    Args:
        y: (n,) classes.
        clusters: (n,) clusters; there may be more or fewer than classes.

    Raises:
        InputError: the two are not as many.

    Example:
        >>> clustering([0, 0, 1, 1], [1, 1, 0, 2]).accuracy
        0.75
    """
    y, clusters = np.asarray(y), np.asarray(clusters)
    if y.ndim != 1 or y.shape != clusters.shape or not len(y):
        raise errors.InputError(f"y and clusters must be as many, (n,). Received: shapes {y.shape}, {clusters.shape}.")
    table = contingency_matrix(y, clusters)
    matched = table[linear_sum_assignment(table, maximize=True)].sum() / len(y)
    nmi, ari = normalized_mutual_info_score(y, clusters), adjusted_rand_score(y, clusters)
    return Clustering(float(matched), float(nmi), float(ari))
