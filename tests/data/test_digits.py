"""The embedded digits, and how pixels become targets."""

import keras
import numpy as np
import pytest

from keras_ae import backend
from keras_ae.data import list_datasets, load
from keras_ae.errors import InputError
from keras_ae.pipeline import Batches


def test_digits_are_split_in_a_fixed_way():
    from sklearn.datasets import load_digits

    train, test = load("digits"), load("digits", "test")
    assert (len(train), len(test), train.shape, train.x.dtype) == (1437, 360, (8, 8, 1), np.float32)
    order = np.random.default_rng(0).permutation(1797)
    together = np.concatenate([train.x, test.x])[..., 0]
    np.testing.assert_array_equal(together, load_digits().images[order] / 16)
    np.testing.assert_array_equal(np.concatenate([train.y, test.y]), load_digits().target[order])
    assert train.num_classes == 10 and train.pixels == "grey" and not train.is_discrete
    assert train.range == (0.0, 1.0) and train.transform is None and train.levels is None
    assert train.sample(0) is train.x


def test_threshold():
    grey, data = load("digits"), load("digits", binarize="threshold")
    np.testing.assert_array_equal(data.x, grey.x > 0.5)
    assert data.pixels == "threshold" and data.is_discrete and data.transform is None and data.x.dtype == np.float32


def test_fixed_is_one_draw_with_grey_levels_as_probabilities():
    grey, data = load("digits"), load("digits", binarize="fixed")
    _assert_is_a_draw(data.x, grey.x)
    np.testing.assert_array_equal(data.x, load("digits", binarize="fixed").x)
    assert data.pixels == "fixed" and data.is_discrete and data.transform is None


def test_dynamic_keeps_grey_and_draws_anew():
    grey, data = load("digits"), load("digits", binarize="dynamic")
    np.testing.assert_array_equal(data.x, grey.x)
    assert data.is_discrete and data.range == (0.0, 1.0)
    _assert_is_a_draw(data.sample(3), grey.x)
    np.testing.assert_array_equal(data.sample(3), data.sample(3))
    assert (data.sample(3) != data.sample(4)).any()

    first = keras.ops.convert_to_numpy(data.transform(data.x, backend.KeyedSeed(1)))
    again = keras.ops.convert_to_numpy(data.transform(data.x, backend.KeyedSeed(1)))
    other = keras.ops.convert_to_numpy(data.transform(data.x, backend.KeyedSeed(2)))
    _assert_is_a_draw(first, grey.x)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_dynamic_in_the_pipeline():
    data = load("digits", "test", binarize="dynamic")
    batches = Batches((data.x,), batch_size=100, transform=data.transform)

    def epoch(number: int) -> np.ndarray:
        batches.set_epoch(number)
        stream = batches.for_keras()
        if keras.backend.backend() != "tensorflow":
            stream = map(stream.__getitem__, range(len(stream)))
        return np.concatenate([keras.ops.convert_to_numpy(batch[0]) for batch in stream])

    first, second = epoch(0), epoch(1)
    _assert_is_a_draw(first, data.x)
    assert (first != second).any()
    np.testing.assert_array_equal(first, epoch(0))


def _assert_is_a_draw(x: np.ndarray, probability: np.ndarray) -> None:
    assert x.dtype == np.float32 and set(np.unique(x)) == {0.0, 1.0}
    assert (x[probability == 0] == 0).all() and (x[probability == 1] == 1).all()
    between = (probability > 0) & (probability < 1)
    for level in np.unique(probability[between]):
        here = x[probability == level]
        deviation = np.sqrt(level * (1 - level) / here.size)
        assert abs(here.mean() - level) < 5 * deviation


def test_levels():
    data = load("digits", levels=True)
    np.testing.assert_array_equal(data.x, load("digits").x * 16)
    assert data.levels == 17 and data.pixels == "levels" and data.range == (0.0, 16.0) and data.is_discrete


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"binarize": "treshold"}, "Unknown binarize: 'treshold'. Did you mean 'threshold'"),
        ({"binarize": True}, "binarize must be text.*True"),
        ({"binarize": "fixed", "levels": True}, "binarize and levels exclude each other"),
        ({"split": "valid"}, "Unknown split of 'digits': 'valid'.*Known: test, train"),
        ({"split": None}, "split must be text"),
        ({"name": None}, "name must be a data set"),
        ({"name": ""}, "name must be a data set"),
    ],
)
def test_errors(options, message):
    with pytest.raises(InputError, match=message):
        load(**{"name": "digits", **options})


@pytest.mark.parametrize("value", [-0.5, 1.5, np.nan])
def test_binarize_needs_the_unit_range(tmp_path, value):
    np.save(tmp_path / "x.npy", np.full((10, 3), value))
    for binarize in ("threshold", "fixed", "dynamic"):
        with pytest.raises(InputError, match=rf"binarize='{binarize}' needs values in \[0, 1\]"):
            load(tmp_path / "x.npy", binarize=binarize)


def test_levels_need_images_of_integers(tmp_path):
    np.save(tmp_path / "x.npy", np.full((10, 3), 0.3))
    with pytest.raises(InputError, match=r"levels=True needs images of 8-bit pixels.*float64"):
        load(tmp_path / "x.npy", levels=True)


def test_list_and_describe():
    assert "digits" in list_datasets() and "mnist" in list_datasets()
    text = load("digits", "test", levels=True).describe()
    assert text == "digits, test: 360 examples of shape (8, 8, 1), integer levels in [0, 16], 10 classes"
    assert len(repr(load("digits"))) < 500
