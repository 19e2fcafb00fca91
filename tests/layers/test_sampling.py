"""The reparameterisation trick."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_ae.distributions import DiagonalNormal, FullNormal
from keras_ae.layers import Sampling


@pytest.fixture
def mean_and_log_var(rng):
    return [tf.constant(rng.normal(size=(4, 3)).astype("float32")) for _ in range(2)]


def test_gradients(mean_and_log_var):
    mean, log_var = mean_and_log_var
    with tf.GradientTape() as tape:
        tape.watch([mean, log_var])
        z = Sampling(seed=0)([mean, log_var])
    to_mean, to_log_var = tape.gradient(z, [mean, log_var])
    sigma = np.exp(0.5 * log_var)
    noise = (z - mean) / sigma
    np.testing.assert_allclose(to_mean, np.ones((4, 3)))
    np.testing.assert_allclose(to_log_var, 0.5 * sigma * noise, rtol=1e-4, atol=1e-6)
    assert np.abs(noise).min() > 0


def test_moments():
    log_var = np.array([[-4.0, 0.0, 1.5]], "float32").repeat(50000, axis=0)
    z = np.asarray(Sampling(seed=0)([np.zeros_like(log_var), log_var]), "float64")
    np.testing.assert_allclose(z.var(axis=0), np.exp(log_var[0]), rtol=0.03)
    for i in range(3):
        assert stats.kstest(z[:, i] / np.exp(0.5 * log_var[0, i]), "norm").pvalue > 1e-3


def test_noise_is_new_at_each_call_and_repeats_with_the_seed(mean_and_log_var):
    def draws(seed):
        layer = Sampling(seed=seed)
        return [layer(mean_and_log_var).numpy() for _ in range(3)]

    first, again, other = draws(1), draws(1), draws(2)
    assert np.array_equal(first, again)
    assert len({draw.tobytes() for draw in (*first, *other)}) == 6
    assert not np.array_equal(draws(None), draws(None))


def test_noise_is_new_inside_a_compiled_function(mean_and_log_var):
    layer = Sampling(seed=0)
    compiled = tf.function(lambda inputs: layer(inputs))
    assert not np.isclose(compiled(mean_and_log_var), compiled(mean_and_log_var)).any()


def test_it_takes_a_posterior(mean_and_log_var):
    mean, log_var = mean_and_log_var
    from_list = Sampling(seed=0)([mean, log_var])
    np.testing.assert_array_equal(Sampling(seed=0)(DiagonalNormal(mean, log_var)), from_list)
    scale = tf.linalg.diag(tf.exp(0.5 * log_var))
    np.testing.assert_allclose(Sampling(seed=0)(FullNormal(mean, scale)), from_list, rtol=1e-5)


def test_float32_under_mixed_precision(mean_and_log_var):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        z = Sampling(seed=0)(mean_and_log_var)
    finally:
        keras.config.set_dtype_policy(before)
    assert z.dtype == "float32"
    np.testing.assert_array_equal(z, Sampling(seed=0)(mean_and_log_var))


def test_in_a_functional_model(tmp_path):
    features = keras.Input((5,))
    mean, log_var = keras.layers.Dense(2)(features), keras.layers.Dense(2)(features)
    model = keras.Model(features, Sampling(seed=3)([mean, log_var]))
    assert model.output_shape == (None, 2)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = np.ones((4, 5), "float32")
    np.testing.assert_array_equal(model(x), again(x))
    assert again.layers[-1].get_config()["seed"] == 3
