"""A model that accepts missing values learns from what was observed."""

import numpy as np
import pytest

import keras_ae
from keras_ae import networks
from keras_ae.models import AE


class Partial(AE):
    """An autoencoder of incomplete data."""

    accepts_missing = True


@pytest.fixture
def model():
    model = Partial(*networks.dense((8, 8, 1), 2, hidden=(16,), seed=0), 2, seed=0)
    model.compile("adam")
    return model


@pytest.fixture
def incomplete(digits, rng):
    x = digits[0][:64].copy()
    x[rng.random(x.shape) < 0.3] = np.nan
    return x


def test_it_trains(model, incomplete):
    history = model.fit(incomplete, epochs=5, verbose=0).history["loss"]
    assert np.isfinite(history).all() and history[-1] < history[0]
    assert np.isfinite([weight.numpy().sum() for weight in model.trainable_weights]).all()


def test_a_missing_value_does_not_count(model, digits, incomplete):
    """The loss is that of the observed values alone, by hand."""
    missing = np.isnan(incomplete)
    logits = np.asarray(model.decode_params(model.code(np.where(missing, 0, incomplete))), "float64")
    values = np.where(missing, 0, digits[0][:64] * logits - np.logaddexp(0, logits))
    assert model.evaluate(incomplete, verbose=0)[0] == pytest.approx(-values.sum() / 64, rel=1e-5)
    target, other = digits[0][:64].copy(), digits[0][:64].copy()
    target[missing] = np.nan
    other[~missing] = 1 - other[~missing]
    losses = [model.evaluate(digits[0][:64], y, verbose=0)[0] for y in (target, other)]
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


def test_other_models_refuse_what_is_missing(incomplete):
    model = keras_ae.create("ae", (8, 8, 1), 2)
    model.compile("adam")
    with pytest.raises(keras_ae.InputError, match=r"not a number.*index \(0, "):
        model.fit(incomplete, verbose=0)


def test_infinity_is_refused_all_the_same(model, incomplete):
    incomplete[3, 2, 1, 0] = np.inf
    with pytest.raises(keras_ae.InputError, match=r"infinite.*index \(3, 2, 1, 0\)"):
        model.fit(incomplete, verbose=0)
