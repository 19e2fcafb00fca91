"""The classifier starts where the autoencoder stopped."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_ae
from keras_ae.distributions.likelihoods import Categorical
from keras_ae.tasks import classifier

LOSS = "sparse_categorical_crossentropy"


def trained(name="vae", **options):
    return keras_ae.create(name, (8, 8, 1), 3, seed=0, network_options={"hidden": (16,)}, **options)


@pytest.fixture
def labels(digits):
    return np.arange(64) % 10


@pytest.mark.parametrize("name", ["ae", "denoising_ae", "vae"])
@pytest.mark.parametrize("on", ["features", "code"])
def test_it_is_the_encoder_and_a_layer(name, on, digits):
    model = trained(name)
    found = classifier(model, 10, on=on, activation=None, seed=1)
    x = digits[0][:8]
    values = np.asarray(model.features(ops.convert_to_tensor(x))) if on == "features" else model.encode(x)
    kernel, bias = found.get_layer("classes").get_weights()
    np.testing.assert_allclose(found(x), values @ kernel + bias, atol=1e-5)


def test_whole_number_pixels_are_scaled_as_for_the_encoder():
    model = trained("ae", likelihood=Categorical(17))
    x = np.arange(128).reshape(2, 8, 8, 1) % 17
    found = classifier(model, 3, activation=None)
    kernel, bias = found.get_layer("classes").get_weights()
    np.testing.assert_allclose(found(x), np.asarray(model.encoder(x / 16)) @ kernel + bias, atol=1e-5)


@pytest.mark.parametrize("copy", [True, False])
def test_training_changes_the_autoencoder_only_when_it_is_shared(copy, digits, labels):
    model = trained()
    before = model.encoder.get_weights()
    found = classifier(model, 10, copy=copy)
    found.compile("adam", LOSS)
    loss = found.fit(digits[0][:64], labels, epochs=2, verbose=0).history["loss"]
    assert loss[1] < loss[0]
    same = all(np.array_equal(a, b) for a, b in zip(before, model.encoder.get_weights(), strict=True))
    assert same == copy
    assert not np.array_equal(before[0], found.get_layer("pretrained").get_weights()[0])


def test_a_frozen_encoder_keeps_weights_and_statistics(rng):
    model = keras_ae.create("vae", (16, 16, 1), 3, network="dcgan", seed=0, network_options={"filters": 4})
    found = classifier(model, 3, freeze=True)
    before = found.get_layer("pretrained").get_weights()
    found.compile("adam", LOSS)
    found.fit(rng.random((32, 16, 16, 1)), np.arange(32) % 3, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, found.get_layer("pretrained").get_weights(), strict=True))
    assert len(found.trainable_weights) == 2
    assert model.trainable and len(model.encoder.trainable_weights) > 2


def test_frozen_dropout_is_silent(digits, labels):
    model = trained("dropout_ae", rate=0.5)
    x = digits[0][:8]
    frozen, free = (classifier(model, 10, freeze=freeze, seed=0) for freeze in (True, False))
    np.testing.assert_allclose(frozen(x, training=True), free(x, training=False), atol=1e-6)
    assert not np.allclose(free(x, training=True), free(x, training=False))
    assert len(frozen.trainable_weights) == 2


@pytest.mark.parametrize("freeze", [True, False])
def test_it_comes_back_from_a_file(freeze, digits, labels, tmp_path):
    found = classifier(trained("denoising_ae"), 10, freeze=freeze, on="code")
    found.compile("adam", LOSS)
    found.fit(digits[0][:64], labels, verbose=0)
    found.save(tmp_path / "classifier.keras")
    again = keras.saving.load_model(tmp_path / "classifier.keras", safe_mode=True)
    assert np.array_equal(found.predict(digits[1][:9], verbose=0), again.predict(digits[1][:9], verbose=0))


def test_mistakes_are_named():
    model = trained()
    for arguments, words in (
        ({"model": model.encoder}, "model must be an Autoencoder of keras_ae"),
        ({"num_classes": 0}, "num_classes"),
        ({"on": "cod"}, "Did you mean 'code'"),
        ({"freeze": True, "copy": False}, "freeze=True needs copy=True"),
        ({"model": trained("conditional_vae", condition_dim=2)}, "needs a condition"),
        ({"model": keras_ae.create("linear_ae", (8, 8, 1), 3)}, "Use on='code'"),
    ):
        with pytest.raises(keras_ae.InputError, match=words):
            classifier(**{"model": model, "num_classes": 10, **arguments})
