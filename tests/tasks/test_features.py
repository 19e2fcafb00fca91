"""What the layers of an encoder say of x."""

import copy
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_ae
from keras_ae import networks
from keras_ae.distributions.likelihoods import Categorical
from keras_ae.tasks import feature_extractor, feature_layers, features

SHAPE = (8, 8, 1)


def made(name="ae", network="conv", **options):
    sizes = {"filters": (3, 5), "units": 7} if network == "conv" else {"hidden": (16,)}
    return keras_ae.create(name, SHAPE, 3, network=network, network_options=sizes, seed=0, **options)


def by_hand(model, x, end):
    """x through the encoder's layers one after the other."""
    for layer in model.encoder.layers[1:end]:
        x = layer(x)
    return np.asarray(x)


@pytest.mark.parametrize("position", range(4))
def test_they_are_what_the_layers_give_one_after_the_other(position, grey_digits):
    model, x = made(), grey_digits[1][:9]
    expected = by_hand(model, x, position + 2)
    found = features(model, x, layer=position, batch_size=4)
    assert found.shape[1:] == list(feature_layers(model).values())[position]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    name = list(feature_layers(model))[position]
    np.testing.assert_allclose(feature_extractor(model, name).predict(x, verbose=0), expected, atol=1e-5)


def test_pooling_is_over_height_and_width(grey_digits):
    model, x = made(), grey_digits[1][:5]
    maps = features(model, x, layer=1)
    assert maps.shape == (5, 2, 2, 5)
    for pooling, expected in (
        ("average", maps.mean(axis=(1, 2))),
        ("max", maps.max(axis=(1, 2))),
        ("flat", maps.reshape(5, 20)),
    ):
        np.testing.assert_allclose(features(model, x, layer=1, pooling=pooling), expected, atol=1e-6)
    np.testing.assert_array_equal(features(model, x, layer=-1, pooling="max"), features(model, x, layer=-1))


@pytest.mark.parametrize("name", ["vae", "denoising_ae", "dropout_ae"])
def test_without_a_layer_they_are_the_codes(name, digits):
    options = {"posterior": "full"} if name == "vae" else {}
    model = made(name, "dense", **options)
    np.testing.assert_allclose(features(model, digits[1]), model.encode(digits[1]), atol=1e-6)


def test_a_conditional_model_keeps_its_second_input(digits):
    model, x = made("conditional_vae", condition_dim=3), digits[1][:6]
    classes = np.arange(6) % 3
    found = features(model, x, layer=-1, condition=classes)
    extractor = feature_extractor(model, layer=-1)
    np.testing.assert_allclose(found, extractor([x, np.eye(3)[classes]]), atol=1e-6)
    assert not np.allclose(found, features(model, x, layer=-1, condition=0))
    np.testing.assert_allclose(features(model, x, condition=classes), model.encode(x, condition=classes), atol=1e-6)


def test_a_semi_supervised_model_infers_the_class(digits):
    model, x = made("semi_supervised_vae", "dense", condition_dim=10), digits[1][:9]
    expected = features(model, x, -1, condition=model.classify(x))
    assert np.array_equal(features(model, x, -1), expected)
    assert not np.array_equal(features(model, x, -1, condition=(model.classify(x) + 1) % 10), expected)


def test_missing_values_and_levels_reach_the_layers_as_they_reach_the_encoder():
    model, x = made("denoising_ae"), np.ones((2, *SHAPE), "float32")
    x[0, 3, 3] = np.nan
    np.testing.assert_array_equal(features(model, x, 0), features(model, np.nan_to_num(x), 0))
    model = made(likelihood=Categorical(17))
    whole = np.arange(128).reshape(2, *SHAPE) % 17
    np.testing.assert_allclose(features(model, whole, layer=0), model.encoder.layers[1](whole / 16.0), atol=1e-6)


def test_the_extractor_shares_the_weights_and_comes_back_from_a_file(digits, tmp_path):
    model, x = made("denoising_ae", "dense"), digits[1][:4]
    extractor = feature_extractor(model, layer=-1)
    before = features(model, x, layer=-1)
    weight = model.encoder.trainable_weights[0]
    weight.assign(weight + 0.1)
    after = extractor.predict(x, verbose=0)
    assert not np.allclose(after, before)
    copied = copy.deepcopy(extractor)
    np.testing.assert_allclose(features(model, x, layer=-1), after, atol=1e-6)
    weight.assign(weight - 0.1)
    np.testing.assert_array_equal(copied.predict(x, verbose=0), after)
    weight.assign(weight + 0.1)
    extractor.save(tmp_path / "features.keras")
    again = keras.saving.load_model(tmp_path / "features.keras", safe_mode=True)
    np.testing.assert_allclose(again.predict(x, verbose=0), after, atol=1e-6)


def test_networks_of_ones_own(digits):
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(5, "relu", name="wide")])
    encoder.add(keras.layers.Dense(4, name="narrow"))
    model = keras_ae.AE(encoder, networks.dense(SHAPE, 2, hidden=(4,))[1], 2, seed=0)
    x = digits[1][:4]
    np.testing.assert_allclose(features(model, x, "wide"), encoder.layers[1](x.reshape(4, -1)), atol=1e-6)


def test_mistakes_are_named(digits):
    model = made(network="dense")
    name = list(feature_layers(model))[-1]
    for arguments, words in (
        ({"layer": name[:-1]}, rf"Did you mean '{name}'.*Known: .*flatten"),
        ({"layer": 2}, "Unknown layer of the encoder"),
        ({"pooling": "avg"}, "Unknown pooling"),
        ({"x": digits[0][..., 0]}, "Add the channel axis"),
        ({"condition": 1}, "takes no condition"),
        ({"batch_size": 0}, "batch_size"),
        ({"model": model.encoder}, "model must be an Autoencoder of keras_ae"),
    ):
        with pytest.raises(keras_ae.InputError, match=words):
            features(**{"model": model, "x": digits[0], **arguments})


@pytest.mark.slow
def test_the_guide_runs():
    page = (Path(__file__).parents[2] / "docs" / "features.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    names: dict = {}
    exec(code.replace("epochs=20", "epochs=2"), names)
    assert names["codes"].shape == (len(names["test"]), 8) and names["wide"].shape == (len(names["test"]), 256)
    assert names["head"](names["test"].x[:3]).shape == (3, 10)
    assert names["accuracy"] > 0.2


def test_layers_that_two_networks_share(digits):
    """A dropout autoencoder's encoder has the layers of the network that it was given, and more between them."""
    model, x = made("dropout_ae", "dense"), digits[1][:6]
    hidden = [layer for layer in model.encoder.layers if isinstance(layer, keras.layers.Dense)]
    expected = np.maximum(x.reshape(6, -1) @ hidden[0].kernel + hidden[0].bias, 0)
    np.testing.assert_allclose(features(model, x, hidden[0].name), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(features(model, x, -1), model.features(x), rtol=1e-4, atol=1e-6)
