"""Batches of training are a function of (seed, epoch), and those of use fit into the memory."""

import keras
import numpy as np
import pytest

import keras_ae
from keras_ae.pipeline import Batches, _Gathered

N = 23


class Unknown(keras.Model):
    """A network of one's own that says nothing of its layers."""


def noisy(x, seed):
    return x + keras.random.uniform(keras.ops.shape(x), dtype="float32", seed=seed) / 2


def batches(**options):
    x = np.arange(N, dtype="float32")[:, None]
    y = {"label": np.arange(N), "target": x}
    return Batches((x, y, x[:, 0]), **{"batch_size": 5, "shuffle": True, "seed": 3, **options})


def tensorflow(source):
    return source.for_keras()


def gathered(source):
    """What the other backends iterate over."""
    found = _Gathered(source)
    return (found[i] for i in range(len(found)))


@pytest.fixture(params=[tensorflow, gathered])
def epochs(request):
    def run(source, *numbers):
        """The batches of some epochs, one after the other, as lists of arrays."""
        found, kept = [], None
        for epoch in numbers:
            source.set_epoch(epoch)
            kept = kept if kept is not None and request.param is tensorflow else request.param(source)
            found.append([keras.tree.map_structure(np.asarray, batch) for batch in kept])
        return found

    return run


def rows(epoch):
    return [int(value) for batch in epoch for value in batch[0][:, 0]]


def test_every_example_once_an_epoch(epochs):
    first, second = epochs(batches(), 0, 1)
    assert [len(batch[0]) for batch in first] == [5, 5, 5, 5, 3]
    for epoch in (first, second):
        assert sorted(rows(epoch)) == list(range(N))
        for x, y, weight in epoch:
            np.testing.assert_array_equal(x[:, 0], y["label"])
            np.testing.assert_array_equal(x, y["target"])
            np.testing.assert_array_equal(x[:, 0], weight)
    assert rows(first) != rows(second) != list(range(N))


def test_the_order_is_a_function_of_seed_and_epoch(epochs):
    zero, one, two, zero_again = map(rows, epochs(batches(), 0, 1, 2, 0))
    assert zero == zero_again and len({tuple(zero), tuple(one), tuple(two)}) == 3
    assert rows(*epochs(batches(), 2)) == two  # what a resumed run sees
    assert rows(*epochs(batches(seed=4), 0)) != zero
    assert zero == batches().order(0).tolist()


def test_no_shuffling(epochs):
    assert [rows(epoch) for epoch in epochs(batches(shuffle=False), 0, 1)] == [list(range(N))] * 2


def test_the_transform_is_new_for_every_batch_and_epoch(epochs):
    options = {"transform": noisy, "shuffle": False}

    def noise(epoch):
        return np.concatenate([batch[0][:, 0] for batch in epoch]) - np.arange(N)

    zero, one, again = map(noise, epochs(batches(**options), 0, 1, 0))
    assert np.array_equal(zero, again)
    assert not np.isclose(zero, one).any()
    assert not np.isclose(zero[:5], zero[5:10]).any()
    assert (zero > 0).all() and (zero < 0.5).all()
    assert np.array_equal(noise(*epochs(batches(**options), 1)), one)
    assert not np.isclose(noise(*epochs(batches(**options, seed=4), 0)), zero).any()
    (plain,) = epochs(batches(**options), 0)
    np.testing.assert_array_equal(np.concatenate([batch[1]["target"][:, 0] for batch in plain]), np.arange(N))


def test_small_integers_become_floats(epochs):
    source = Batches((np.arange(6, dtype="uint8")[:, None],), batch_size=4)
    (found,) = epochs(source, 0)
    assert [batch[0].dtype for batch in found] == ["float32", "float32"]
    assert rows(found) == list(range(6))


def test_both_kinds_are_the_same():
    source = batches()
    source.set_epoch(2)
    first, second = [batch[0] for batch in source.for_keras()], [batch[0] for batch in gathered(source)]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(source) == int(source.for_keras().cardinality()) == len(_Gathered(source)) == 5


def test_examples_go_through_the_networks_in_batches_that_fit():
    small, wide, levels = (
        keras_ae.create("vae", (8, 8, 1), 3, seed=0, network_options=options, likelihood=likelihood)
        for options, likelihood in (
            ({"hidden": (8,)}, "bernoulli"),
            ({"hidden": (32_768,)}, "bernoulli"),
            ({"hidden": (8,)}, keras_ae.distributions.likelihoods.Categorical(1024)),
        )
    )
    assert small.rows_at_once() == 4096
    assert wide.rows_at_once() == 1024
    assert levels.rows_at_once() == 512
    assert small.rows_at_once(7) == 7
    vars(wide).update(encoder=Unknown(), decoder=Unknown())
    assert wide.rows_at_once() == 4096
    with pytest.raises(keras_ae.InputError, match="batch_size"):
        small.encode(np.zeros((3, 8, 8, 1)), batch_size=0)
    x = np.random.default_rng(0).random((10, 8, 8, 1), "float32")
    for whole, parts in zip(*(small.over_batches("posterior", x, size) for size in (10, 3)), strict=True):
        np.testing.assert_allclose(whole, parts, atol=1e-6)
