"""Every registered model takes every form of data, and makes the same of each."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.pipeline import Batches
from tests.conformance.table import make, rows, same, weights

SIZE = 16


class Sequence(keras.utils.PyDataset):
    """Batches of arrays."""

    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return -(-len(self.arrays[0]) // SIZE)

    def __getitem__(self, i):
        batch = tuple(array[i * SIZE : (i + 1) * SIZE] for array in self.arrays)
        return batch if len(batch) > 1 else batch[0]


def tensors(*arrays):
    arrays = arrays if len(arrays) > 1 else arrays[0]
    return tf.data.Dataset.from_tensor_slices(arrays).batch(SIZE)


LABELS = (np.arange(40) % 10).astype("int64")
ONES = np.ones(40, "float32")
ARRAYS = {  # x -> the arguments of fit
    "(x, x)": lambda x: {"x": x, "y": x},
    "(x, labels)": lambda x: {"x": x, "y": LABELS},
    "(x, column of labels)": lambda x: {"x": x, "y": LABELS[:, None].astype("int32")},
    "(x, dict)": lambda x: {"x": x, "y": {"target": x, "label": LABELS}},
    "(x, x, weight)": lambda x: {"x": x, "y": x, "sample_weight": ONES},
    "float64": lambda x: {"x": x.astype("float64")},
    "uint8": lambda x: {"x": x.astype("uint8")},
    "bool": lambda x: {"x": x.astype("bool")},
    "list": lambda x: {"x": x.tolist()},
    "tensor": lambda x: {"x": tf.constant(x)},
}
DATASETS = {  # x -> one object that holds all
    "tf.data of x": lambda x: tensors(x),
    "tf.data of (x, labels)": lambda x: tensors(x, LABELS[: len(x)]),
    "tf.data of (x, x)": lambda x: tensors(x, x),
    "tf.data of (x, dict)": lambda x: tensors(x, {"target": x}),
    "tf.data of (x, x, weight)": lambda x: tensors(x, x, ONES[: len(x)]),
    "PyDataset of x": lambda x: Sequence(x),
    "PyDataset of (x, x, weight)": lambda x: Sequence(x, x, ONES[: len(x)]),
    "Batches of x": lambda x: Batches((x,), SIZE),
    "Batches of (x, dict, weight)": lambda x: Batches((x, {"target": x}, ONES[: len(x)]), SIZE),
}
VALIDATION = {
    "x": lambda x: x,
    "(x,)": lambda x: (x,),
    "(x, x)": lambda x: (x, x),
    "(x, labels, weight)": lambda x: (x, LABELS[: len(x)], ONES[: len(x)]),
    **{name: DATASETS[name] for name in ("tf.data of x", "PyDataset of x", "Batches of x")},
}


@functools.cache
def fresh(row):
    """One model, for the steps that Keras has traced, and the state that it began with."""
    model = make(row)
    variables = model.variables + model.optimizer.variables
    return model, [(variable, variable.numpy()) for variable in variables]


def start(row):
    """A model that begins anew."""
    model, state = fresh(row)
    for variable, value in state:
        variable.assign(value)
    return model


def trained(row, **data):
    model = start(row)
    history = model.fit(**data, shuffle=False, verbose=0).history
    return weights(model), history


@rows
def test_fit(row, digits):
    """40 examples, the last batch of 8: the same weights from each form, noise included."""
    x = digits[0][:40]
    expected, history = trained(row, x=x, batch_size=SIZE)
    for name, form in ARRAYS.items():
        found, _ = trained(row, **form(x), batch_size=SIZE)
        assert same(expected, found, atol=1e-6), name
    for name, form in DATASETS.items():
        found, found_history = trained(row, x=form(x))
        assert same(expected, found, atol=1e-6), name
        assert found_history["loss"] == pytest.approx(history["loss"], rel=1e-5), name


@rows
def test_validation(row, digits):
    x, test = digits[0][:40], digits[1][:24]
    losses = {}
    for name, form in VALIDATION.items():
        _, history = trained(row, x=x, batch_size=SIZE, validation_data=form(test))
        losses[name] = history["val_loss"][-1]
    assert losses == {name: pytest.approx(losses["x"], rel=1e-5) for name in VALIDATION}


@rows
def test_validation_split_is_the_last_part(row, digits):
    x, weight = digits[0][:40], np.linspace(0, 2, 40)
    split = trained(row, x=x, sample_weight=weight, batch_size=SIZE, validation_split=0.25)
    by_hand = trained(
        row, x=x[:30], sample_weight=weight[:30], batch_size=SIZE, validation_data=(x[30:], x[30:], weight[30:])
    )
    assert same(split[0], by_hand[0], atol=1e-6)
    assert split[1]["val_loss"] == pytest.approx(by_hand[1]["val_loss"], rel=1e-5)


@rows
def test_evaluate(row, digits):
    x = digits[1][:40]
    expected = start(row).evaluate(x, batch_size=SIZE, verbose=0)
    for name, form in ARRAYS.items():
        assert start(row).evaluate(**form(x), batch_size=SIZE, verbose=0) == pytest.approx(expected, rel=1e-5), name
    for name, form in DATASETS.items():
        assert start(row).evaluate(form(x), verbose=0) == pytest.approx(expected, rel=1e-5), name


@rows
def test_single_batches(row, digits):
    x = digits[0][:8]
    expected, history = trained(row, x=x)
    model = start(row)
    loss = model.train_on_batch(x, return_dict=True)
    assert loss["loss"] == pytest.approx(history["loss"][0], rel=1e-5)
    assert same(weights(model), expected, atol=1e-6)
    assert np.isfinite(model.test_on_batch(x)).all()
    np.testing.assert_allclose(model.predict_on_batch(x), model.reconstruct(x), atol=1e-6)


@rows
def test_a_y_that_fits_nothing_is_refused(row, digits):
    x = digits[0][:40]
    model = start(row)
    before = weights(model)
    for y in (np.zeros(40), np.zeros((40, 3)), np.zeros((40, 8, 8, 2)), np.zeros((40, 4), "int32")):
        for data in ({"x": x, "y": y}, {"x": tensors(x, y)}, {"x": Sequence(x, y)}, {"x": Batches((x, y), SIZE)}):
            with pytest.raises(InputError, match="y fits nothing"):
                model.fit(**data, verbose=0)
    with pytest.raises(InputError, match=r"'tarjet'.*'target'"):
        model.fit(x, {"tarjet": x}, verbose=0)
    assert same(before, weights(model))
