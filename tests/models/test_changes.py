"""What is compiled follows what the model is now; what cannot change says so."""

import keras
import numpy as np
import pytest

import keras_ae
from keras_ae.errors import InputError
from keras_ae.schedules import Linear
from tests.conformance.table import MODELS, make, make_eager, targets

X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")


def create(name="beta_vae", **options):
    model = keras_ae.create(name, (6,), 2, likelihood="normal", network_options={"hidden": (4,)}, seed=0, **options)
    model.compile("adam")
    return model


def test_a_weight_assigned_between_epochs_takes_effect():
    model = create(beta=0.0)

    class Anneal(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.beta = epoch

    history = model.fit(X, epochs=3, verbose=0, callbacks=[Anneal()]).history
    found = [(p + k) / k for p, k in zip(history["penalty"], history["kl"], strict=True)]
    assert found == pytest.approx([0, 1, 2], abs=1e-3)
    model.beta = 10.0
    for logs in (model.fit(X, verbose=0).history, model.evaluate(X, verbose=0, return_dict=True)):
        penalty, kl = np.ravel(logs["penalty"])[0], np.ravel(logs["kl"])[0]
        assert (penalty + kl) / kl == pytest.approx(10, abs=1e-2)
    assert model.get_config()["beta"] == 10.0
    model.beta = Linear(0.0, 1.0, steps=5)
    assert keras.saving.deserialize_keras_object(model.get_config()["beta"]).steps == 5


@pytest.mark.parametrize("row", MODELS)
def test_every_weight_takes_effect_or_is_refused(row):
    """Each constructor argument of each model."""
    model = make_eager(row)
    x = keras_ae.data.load("digits", "test", binarize="threshold").x[:20]
    before = model.evaluate(x, targets(model, x), verbose=0)
    for name in model.schedulable:
        if getattr(model, name) is not None:
            setattr(model, name, 7.5)
            assert model.evaluate(x, targets(model, x), verbose=0) != pytest.approx(before, rel=1e-3)
            with pytest.raises(InputError, match=f"{name} must be"):
                setattr(model, name, -1.0)
    for name in {*model.settings, "encoder", "likelihood", "latent_dim", "seed"} - {*model.schedulable}:
        if getattr(model, name, None) is not None:
            with pytest.raises(InputError, match=f"{name} is fixed"):
                setattr(model, name, 3)


def test_methods_follow_the_layers():
    model = create("vae")
    code, image = model.encode(X), model.reconstruct(X)
    trained = model.fit(X, verbose=0).history["loss"]
    model.encoder.layers[-1].activation = keras.activations.tanh
    assert np.abs(model.encode(X) - code).max() > 1e-3
    assert np.abs(model.reconstruct(X) - image).max() > 1e-3
    expected = np.asarray(model.code(X))
    np.testing.assert_allclose(model.encode(X), expected, atol=1e-6)
    assert model.fit(X, verbose=0).history["loss"] != pytest.approx(trained, rel=1e-6)


def test_methods_follow_a_quantized_network():
    model = create("ae")
    code = model.encode(X)
    for layer in model.encoder.layers[2:]:  # of an InputLayer Keras warns
        layer.quantize("int8")
    found = model.encode(X)
    assert 0 < np.abs(found - code).max() < 0.2
    np.testing.assert_allclose(found, np.asarray(model.code(X)), atol=1e-5)


def test_what_is_frozen_and_unfrozen():
    model = create("ae")
    model.encoder.trainable = False
    before = [w.numpy() for w in model.encoder.weights]
    model.compile("adam")
    model.fit(X, verbose=0)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, model.encoder.weights, strict=True))
    model.encoder.trainable = True
    with pytest.raises(InputError, match=r"became trainable after `compile`.*compile\(\.\.\.\) again"):
        model.fit(X, verbose=0)
    model.compile("adam")
    model.fit(X, verbose=0)
    assert not all(np.array_equal(a, b.numpy()) for a, b in zip(before, model.encoder.weights, strict=True))


def test_nothing_is_compiled_twice_without_a_change():
    model = create("vae")
    for _ in range(2):
        model.fit(X, verbose=0)
        model.encode(X)
    functions = model.train_function, model._compiled_functions["code"]
    model.fit(X, verbose=0)
    model.encode(X)
    assert functions == (model.train_function, model._compiled_functions["code"])


def test_the_seed_of_keras_fixes_all():
    networks = {"dense": {"hidden": (4,)}, "conv": {"filters": (4,)}, "resnet": {"filters": (4,)}}
    for network, options in networks.items():
        found = []
        for _ in range(2):
            keras.utils.set_random_seed(812)
            model = keras_ae.create("vae", (8, 8, 1), 2, network=network, network_options=options)
            found.append((model.seed, *model.get_weights()))
        assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True)), network


class Orthogonal(keras.layers.Layer):
    def call(self, x):
        self.add_loss(10.0 * keras.ops.mean(keras.ops.square(x)))
        return x


@pytest.mark.parametrize("metrics", [None, ["mse"]])
def test_what_layers_add_is_a_term_and_counts_once(metrics):
    def penalised(*layers):
        encoder = keras.Sequential([keras.Input((6,)), *layers])
        decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
        model = keras_ae.AE(encoder, decoder, 2, likelihood="normal", seed=0)
        model.compile("adam", metrics=metrics, run_eagerly=True)
        return model

    regularizer = keras.regularizers.L2(1.0)
    dense = keras.layers.Dense(4, kernel_regularizer=regularizer, activity_regularizer=regularizer)
    model = penalised(dense, Orthogonal())
    h, kernel = np.asarray(dense(X)), np.asarray(dense.kernel)
    expected = np.square(h).sum() / len(X) + np.square(kernel).sum() + 10 * np.square(h).mean()
    for logs in (model.evaluate(X, verbose=0, return_dict=True, batch_size=64), model.fit(X, verbose=0).history):
        total, extra = np.ravel(logs["loss"])[0], np.ravel(logs["regularization"])[0]
        assert total == pytest.approx(np.ravel(logs["reconstruction"])[0] + extra, rel=1e-6)
        if np.ndim(logs["loss"]) == 0:
            assert extra == pytest.approx(expected, rel=1e-5)
    assert "regularization" not in make("ae", run_eagerly=True).term_means.result()
