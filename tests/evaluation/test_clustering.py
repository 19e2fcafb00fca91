"""Clusters against classes."""

import itertools
import math

import numpy as np
import pytest

from keras_ae.errors import InputError
from keras_ae.evaluation import clustering

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("clusters", [3, 4, 2])
def test_accuracy_is_that_of_the_best_matching(clusters):
    y, found = RNG.integers(3, size=50), RNG.integers(clusters, size=50)
    size = max(3, clusters)
    best = max((np.array(names)[found] == y).mean() for names in itertools.permutations(range(size)))
    assert clustering(y, found).accuracy == pytest.approx(best)


def test_names_of_clusters_do_not_matter():
    y = RNG.integers(4, size=40)
    assert clustering(y, (y + 1) % 4) == pytest.approx((1, 1, 1))
    assert clustering(y, np.zeros(40)).nmi == pytest.approx(0, abs=1e-9)
    assert abs(clustering(y, RNG.permutation(y)).ari) < 0.15


def test_nmi_by_hand():
    """Two halves, split again in one of them: I = H(y) = log 2, H(clusters) = 1.5 log 2."""
    assert clustering([0, 0, 1, 1], [0, 0, 1, 2]).nmi == pytest.approx(math.log(2) / (1.25 * math.log(2)))


@pytest.mark.parametrize("y, clusters", [([0, 1], [0]), ([], []), ([[0, 1]], [[0, 1]])])
def test_what_is_not_as_many_is_refused(y, clusters):
    with pytest.raises(InputError, match=r"must be (as many|an array \(n,\))"):
        clustering(y, clusters)
