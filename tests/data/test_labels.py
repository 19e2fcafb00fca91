"""Few labels of many examples."""

import numpy as np
import pytest

from keras_ae.data import semi_supervised_batches
from keras_ae.errors import InputError

N, LABELS = 103, 7
X = np.arange(N, dtype="float32")[:, None]
Y = np.where(np.arange(N) < LABELS, np.arange(N) % 3, -1)


def epoch(batches):
    return [tuple(np.asarray(part) for part in batch) for batch in batches]


def test_batches_hold_examples_with_and_without_a_label():
    """Each without a label once in an epoch, each with a label as often as others of its kind, with its own class."""
    batches = semi_supervised_batches(X, Y, unlabelled=12, labelled=7, seed=0)
    first, second = epoch(batches), epoch(batches)
    assert len(first) == len(batches) == (N - LABELS) // 12
    for x, y, _ in first:
        assert (y[:12] == -1).all() and (y == Y[x[:, 0].astype(int)]).all()
        assert sorted(x[12:, 0]) == [*range(LABELS)]
    without = np.concatenate([x[:12, 0] for x, _, _ in first])
    assert sorted(without) == [*range(LABELS, N)]
    assert any((a[0] != b[0]).any() for a, b in zip(first, second, strict=True))
    again = epoch(semi_supervised_batches(X, Y, unlabelled=12, labelled=7, seed=0))
    assert all((a[0] == b[0]).all() for a, b in zip(first, again, strict=True))


def test_weights_keep_the_proportions_of_the_examples():
    weights = [weight for _, _, weight in epoch(semi_supervised_batches(X, Y, unlabelled=12, labelled=5, seed=0))]
    assert all((weight[:12] == 1).all() for weight in weights)
    assert sum(weight[12:].sum() for weight in weights) == pytest.approx(LABELS)


@pytest.mark.parametrize(
    ("x", "y", "unlabelled", "message"),
    [
        (X, Y[:-1], 12, "one class for each of the 103 examples"),
        (X, np.full(N, -1), 12, "Received: 103 and 0"),
        (X, Y, 97, "Received: 96 and 7. Lower `unlabelled`"),
        (X, Y, 0, "unlabelled must be a whole number"),
    ],
)
def test_what_cannot_make_such_batches_is_named(x, y, unlabelled, message):
    with pytest.raises(InputError, match=message):
        semi_supervised_batches(x, y, unlabelled=unlabelled)
