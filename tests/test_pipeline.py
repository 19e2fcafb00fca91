"""Batches of training are a function of (seed, epoch), and those of use fit into the memory."""

import keras
import numpy as np
import pytest

import keras_ae
from keras_ae import pipeline
from keras_ae.pipeline import Batches, Rows, _Gathered

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


@pytest.fixture(params=["float32", "float64", ">f4", "uint8"])
def memory_map(request, tmp_path):
    """Numbers from 0 in a file, and some rows of it."""
    array = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", request.param, (40, 2))
    array[:] = np.arange(80).reshape(40, 2)
    array.flush()
    return np.load(tmp_path / "x.npy", mmap_mode="r")[7 : 7 + N]


def test_memory_maps_give_the_same_batches(memory_map, epochs, monkeypatch):
    monkeypatch.setattr(pipeline, "ROWS", 9)
    options = {"batch_size": 5, "shuffle": True, "seed": 3}
    y, of_memory = np.arange(N), np.array(memory_map, memory_map.dtype.newbyteorder("="))
    found = epochs(Batches((memory_map, {"target": memory_map, "label": y}), **options), 0, 1)
    expected = epochs(Batches((of_memory, {"target": of_memory, "label": y}), **options), 0, 1)
    keras.tree.map_structure(np.testing.assert_array_equal, found, expected)
    assert all(batch[0].dtype == np.float32 for batch in found[0])


def test_fit_reads_a_memory_map_batch_by_batch(memory_map, monkeypatch):
    read, getitem, weights = [], Rows.__getitem__, []
    monkeypatch.setattr(Rows, "__getitem__", lambda self, rows: read.append(len(rows)) or getitem(self, rows))
    for x in (memory_map, np.array(memory_map, "float32")):
        model = keras_ae.create("ae", (2,), 1, likelihood="normal", seed=0, network_options={"hidden": (3,)})
        model.compile("adam", run_eagerly=True)
        model.fit(x, x, validation_split=0.25, batch_size=8, verbose=0)
        weights.append(model.get_weights())
    assert read == [8, 8, 8, 8, 2, 2, 5, 5]  # x and its target, of 18 rows; then of 5
    keras.tree.map_structure(np.testing.assert_array_equal, *weights)


def test_a_memory_map_is_checked_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "AT_ONCE", 6)
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", "float32", (10, 2))
    assert [(start, len(part)) for start, part in pipeline.parts(x)] == [(0, 3), (3, 3), (6, 3), (9, 1)]
    x[8, 1] = np.inf
    model = keras_ae.create("ae", (2,), 1, seed=0, network_options={"hidden": (3,)})
    with pytest.raises(keras_ae.InputError, match=r"first at index \(8, 1\)"):
        model.encode(x)
    copied = np.load(tmp_path / "x.npy", mmap_mode="c")
    copied[:] = 1  # in the memory alone: it must not be let go
    assert [part.sum() for _, part in pipeline.parts(copied)] == [6, 6, 6, 2] and (copied == 1).all()


def test_an_epoch_may_show_each_example_several_times(epochs):
    """The same batches as those of as many copies."""
    x = np.arange(N, dtype="float32")[:, None]
    options = {"batch_size": 10, "shuffle": True, "seed": 3}
    found, expected = (
        epochs(Batches((values,), repeats=repeats, **options), 0, 1)
        for values, repeats in ((x, 3), (np.tile(x, (3, 1)), 1))
    )
    keras.tree.map_structure(np.testing.assert_array_equal, found, expected)
    assert len(Batches((x,), 10, repeats=3)) == 7
