"""The fused Adam is Keras' Adam."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_ae
from keras_ae.optimizers import Adam

OPTIONS = {
    "plain": {},
    "rates": {"learning_rate": 0.05, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
    "schedule": {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)},
    "weight_decay": {"weight_decay": 0.1},
    "clipnorm": {"clipnorm": 0.1},
    "clipvalue": {"clipvalue": 0.01},
    "amsgrad": {"amsgrad": True},
    "average": {"use_ema": True, "ema_overwrite_frequency": 4},
    "accumulation": {"gradient_accumulation_steps": 2},
}


def path(optimizer, compiled):
    """Two variables over some steps of gradients that change size and sign."""
    variables = [keras.Variable(np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)), keras.Variable(0.5)]
    optimizer.build(variables)

    def step(scale):
        optimizer.apply([scale * (variable.value - 0.3) for variable in variables], variables)

    step = tf.function(step) if compiled else step
    found = []
    for i in range(10):
        step(tf.constant(10.0 ** (i % 3 - 1)))
        found.append(np.concatenate([variable.numpy().ravel() for variable in variables]))
    return np.array(found), int(optimizer.iterations)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_same_steps(options, compiled):
    fused, iterations = path(Adam(**options), compiled)
    stock, expected = path(keras.optimizers.Adam(**options), compiled)
    assert iterations == expected
    assert np.abs(np.diff(stock, axis=0)).max() > 1e-4
    np.testing.assert_allclose(fused, stock, rtol=1e-5, atol=5e-6)  # 1 - 0.999^t cancels digits


def test_the_same_training(digits, tmp_path):
    models = {}
    for optimizer in ("adam", keras.optimizers.Adam()):
        model = keras_ae.create("vae", (8, 8, 1), 2, seed=0, network_options={"hidden": (16,)})
        model.compile(optimizer)
        model.fit(digits[0][:200], epochs=2, verbose=0)
        models[type(model.optimizer)] = model
    fused, stock = models[Adam], models[keras.optimizers.Adam]
    for a, b in zip(fused.variables, stock.variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-6)
    configs = [{**model.optimizer.get_config(), "name": None} for model in (fused, stock)]
    assert configs[0] == configs[1]
    for a, b in zip(fused.optimizer.variables, stock.optimizer.variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    fused.save(tmp_path / "model.keras")
    again = keras_ae.load_model(tmp_path / "model.keras").optimizer
    assert type(again) is Adam and isinstance(again, keras.optimizers.Adam)
    for a, b in zip(fused.optimizer.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_compiled_schedule_is_followed(digits):
    model = keras_ae.create("ae", (8, 8, 1), 2, seed=0, network_options={"hidden": (16,)})
    model.compile(Adam(keras.optimizers.schedules.PiecewiseConstantDecay([4], [0.01, 0.0])))
    model.fit(digits[0][:160], epochs=1, verbose=0)
    after_five = [weight.numpy() for weight in model.trainable_weights]
    model.fit(digits[0][:160], epochs=1, verbose=0)
    for before, weight in zip(after_five, model.trainable_weights, strict=True):
        np.testing.assert_array_equal(before, weight)
