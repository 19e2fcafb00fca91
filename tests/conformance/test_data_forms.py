"""The models take every form of data, and make the same of each."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.pipeline import Batches
from tests.conformance.table import given, make, paths, same, targets, weights

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


THOROUGH = ("ae", "conditional_vae", "vae")  # take every form; for the others, which see the same `Batch`, a few do
FEW = ("(x, x, weight)", "tf.data of (x, labels)")


def tensors(*arrays):
    arrays = arrays if len(arrays) > 1 else arrays[0]
    return tf.data.Dataset.from_tensor_slices(arrays).batch(SIZE)


LABELS = (np.arange(40) % 10).astype("int64")
ONES = np.ones(40, "float32")


def with_target(x, y):
    """y for x as its own target; y is the condition, or None."""
    return x if y is None else {"target": x, "condition": y}


def some(*arrays):
    """Those that are not None."""
    return [array for array in arrays if array is not None]


ARRAYS = {  # x, condition or None -> the arguments of fit
    "(x, x)": lambda x, y: {"x": x, "y": with_target(x, y)},
    "(x, labels)": lambda x, y: {"x": x, "y": LABELS if y is None else y},
    "(x, column of labels)": lambda x, y: {"x": x, "y": (LABELS if y is None else y)[:, None].astype("int32")},
    "(x, dict)": lambda x, y: {"x": x, "y": {"label": LABELS, **({} if y is None else {"condition": y})}},
    "(x, x, weight)": lambda x, y: {"x": x, "y": with_target(x, y), "sample_weight": ONES},
    "float64": lambda x, y: {"x": x.astype("float64"), "y": y},
    "uint8": lambda x, y: {"x": x.astype("uint8"), "y": y},
    "bool": lambda x, y: {"x": x.astype("bool"), "y": y},
    "list": lambda x, y: {"x": x.tolist(), "y": y},
    "tensor": lambda x, y: {"x": tf.constant(x), "y": y},
}
DATASETS = {  # x, condition or None -> one object that holds all
    "tf.data of x": lambda x, y: tensors(*some(x, y)),
    "tf.data of (x, labels)": lambda x, y: tensors(x, LABELS[: len(x)] if y is None else y),
    "tf.data of (x, x)": lambda x, y: tensors(x, with_target(x, y)),
    "tf.data of (x, dict)": lambda x, y: tensors(x, {"target": x, **({} if y is None else {"condition": y})}),
    "tf.data of (x, x, weight)": lambda x, y: tensors(x, with_target(x, y), ONES[: len(x)]),
    "PyDataset of x": lambda x, y: Sequence(*some(x, y)),
    "PyDataset of (x, x, weight)": lambda x, y: Sequence(x, x if y is None else y, ONES[: len(x)]),
    "Batches of x": lambda x, y: Batches(tuple(some(x, y)), SIZE),
    "Batches of (x, dict, weight)": lambda x, y: Batches(
        (x, {"target": x} if y is None else with_target(x, y), ONES[: len(x)]), SIZE
    ),
}
VALIDATION = {
    "x": lambda x, y: x if y is None else (x, y),
    "(x,)": lambda x, y: tuple(some(x, y)),
    "(x, x)": lambda x, y: (x, with_target(x, y)),
    "(x, labels, weight)": lambda x, y: (x, LABELS[: len(x)] if y is None else y, ONES[: len(x)]),
    **{name: DATASETS[name] for name in ("tf.data of x", "PyDataset of x", "Batches of x")},
}


def forms(row, table):
    """The forms that a row is tried with."""
    return [(name, form) for name, form in table.items() if row in THOROUGH or name in FEW]


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


@paths
def test_fit(row, digits):
    """40 examples, the last batch of 8: the same weights from each form, noise included."""
    x = digits[0][:40]
    y = targets(start(row), x)
    expected, history = trained(row, x=x, y=y, batch_size=SIZE)
    for name, form in forms(row, ARRAYS):
        found, _ = trained(row, **form(x, y), batch_size=SIZE)
        assert same(expected, found, atol=1e-6), name
    for name, form in forms(row, DATASETS):
        found, found_history = trained(row, x=form(x, y))
        assert same(expected, found, atol=1e-6), name
        assert found_history["loss"] == pytest.approx(history["loss"], rel=1e-5), name


@pytest.mark.parametrize("row", THOROUGH)
def test_validation(row, digits):
    x, test = digits[0][:40], digits[1][:24]
    y, losses = targets(start(row), x), {}
    for name, form in VALIDATION.items():
        validation = form(test, targets(start(row), test))
        _, history = trained(row, x=x, y=y, batch_size=SIZE, validation_data=validation)
        losses[name] = history["val_loss"][-1]
    assert losses == {name: pytest.approx(losses["(x,)"], rel=1e-5) for name in losses}


@pytest.mark.parametrize("row", THOROUGH)
def test_validation_split_is_the_last_part(row, digits):
    x, weight = digits[0][:40], np.linspace(0, 2, 40)
    first, last = ((part, targets(start(row), part)) for part in (x[:30], x[30:]))
    split = trained(row, x=x, y=targets(start(row), x), sample_weight=weight, batch_size=SIZE, validation_split=0.25)
    by_hand = trained(
        row, x=first[0], y=first[1], sample_weight=weight[:30], batch_size=SIZE, validation_data=(*last, weight[30:])
    )
    assert same(split[0], by_hand[0], atol=1e-6)
    assert split[1]["val_loss"] == pytest.approx(by_hand[1]["val_loss"], rel=1e-5)


@pytest.mark.parametrize("row", THOROUGH)
def test_class_weight_is_the_weight_of_the_examples_of_a_class(row, digits):
    x = digits[0][:40]
    y = LABELS % 3
    by_class = trained(row, x=x, y=y, class_weight={0: 0.5, 1: 2.0, 2: 1.0}, batch_size=SIZE)
    by_hand = trained(row, x=x, y=y, sample_weight=np.array([0.5, 2.0, 1.0])[y], batch_size=SIZE)
    assert same(by_class[0], by_hand[0], atol=1e-6)
    assert by_class[1]["loss"] == pytest.approx(by_hand[1]["loss"], rel=1e-5)
    for without in (None, x, {"condition": y}):
        with pytest.raises(InputError, match="class_weight needs the class of each example"):
            start(row).fit(x, without, class_weight={0: 0.5, 1: 2.0, 2: 1.0}, verbose=0)


@paths
def test_evaluate(row, digits):
    x = digits[1][:40]
    y = targets(start(row), x)
    expected = start(row).evaluate(x, y, batch_size=SIZE, verbose=0)
    for name, form in forms(row, ARRAYS):
        assert start(row).evaluate(**form(x, y), batch_size=SIZE, verbose=0) == pytest.approx(expected, rel=1e-5), name
    for name, form in forms(row, DATASETS):
        assert start(row).evaluate(form(x, y), verbose=0) == pytest.approx(expected, rel=1e-5), name


@paths
def test_single_batches(row, digits):
    x = digits[0][:8]
    y = targets(start(row), x)
    expected, history = trained(row, x=x, y=y)
    model = start(row)
    loss = model.train_on_batch(x, y, return_dict=True)
    assert loss["loss"] == pytest.approx(history["loss"][0], rel=1e-5)
    assert same(weights(model), expected, atol=1e-6)
    assert np.isfinite(model.test_on_batch(x, y)).all()
    data = {"x": x, **given(model, x)} if model.conditional else x
    np.testing.assert_allclose(model.predict_on_batch(data), model.reconstruct(x, **given(model, x)), atol=1e-6)


@pytest.mark.parametrize("row", THOROUGH)
def test_a_y_that_fits_nothing_is_refused(row, digits):
    x = digits[0][:40]
    model = start(row)
    before = weights(model)
    for y in (np.full(40, 0.5), np.zeros((40, 5)), np.zeros((40, 8, 8, 2)), np.zeros((40, 4), "int32")):
        for data in ({"x": x, "y": y}, {"x": tensors(x, y)}, {"x": Sequence(x, y)}, {"x": Batches((x, y), SIZE)}):
            with pytest.raises(InputError, match="condition must" if model.conditional else "y fits nothing"):
                model.fit(**data, verbose=0)
    with pytest.raises(InputError, match=r"'tarjet'.*'target'"):
        model.fit(x, {"tarjet": x}, verbose=0)
    assert same(before, weights(model))
