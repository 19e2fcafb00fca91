"""Noise layers corrupt the share that they say, to the values that they say, in training only."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_ae.errors import InputError
from keras_ae.layers import MaskingNoise, NormalNoise, SaltAndPepperNoise

N = 20000
LAYERS = {"masking": MaskingNoise, "salt and pepper": SaltAndPepperNoise}
both = pytest.mark.parametrize("kind", LAYERS.values(), ids=LAYERS)
every = pytest.mark.parametrize("kind", [*LAYERS.values(), NormalNoise], ids=[*LAYERS, "normal"])


def corrupted(layer, shape=(N // 4, 2, 2), value=0.5):
    return np.asarray(layer(np.full(shape, value, "float32"), training=True))


def share_is(rate, chosen):
    """Within five standard errors of a binomial share."""
    return abs(chosen.mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / chosen.size) + 1e-9


@both
@pytest.mark.parametrize("rate", [0, 0.1, 0.5, 0.9, 1.0])
def test_the_share_of_corrupted_values(kind, rate):
    chosen = corrupted(kind(rate, seed=0)) != 0.5
    assert share_is(rate, chosen)
    assert np.all([share_is(rate, chosen[:, i, j]) for i, j in np.ndindex(2, 2)])


@both
def test_values_are_chosen_independently(kind):
    chosen = (corrupted(kind(0.3, seed=0), (N, 4)) != 0.5).astype(float)
    assert np.abs(np.corrcoef(chosen.T) - np.eye(4)).max() < 5 / np.sqrt(N)
    assert abs(np.corrcoef(chosen[1:, 0], chosen[:-1, 0])[0, 1]) < 5 / np.sqrt(N)


def test_masked_values_are_zero_and_the_others_as_they_were(rng):
    x = rng.normal(size=(50, 6)).astype("float32")
    y = np.asarray(MaskingNoise(0.4, seed=0)(x, training=True))
    assert set(np.unique(y[y != x])) == {0}


@pytest.mark.parametrize("deviation", [0, 0.5, 3.0])
def test_normal_noise_has_its_moments(deviation):
    noise = corrupted(NormalNoise(deviation, seed=0)) - 0.5
    assert abs(noise.mean()) <= 5 * deviation / np.sqrt(noise.size)
    assert abs(noise.std() - deviation) <= 5 * deviation / np.sqrt(2 * noise.size)
    assert deviation == 0 or stats.kstest(noise.ravel() / deviation, "norm").pvalue > 1e-4


@pytest.mark.parametrize("deviation", [-0.1, np.nan, np.inf, "0.3", True, None])
def test_a_deviation_that_is_none(deviation):
    with pytest.raises(InputError, match="deviation must be a number of at least 0"):
        NormalNoise(deviation)


@pytest.mark.parametrize("low, high", [(0.0, 1.0), (-2.0, 3.0)])
def test_salt_and_pepper_are_a_fair_coin(low, high):
    y = corrupted(SaltAndPepperNoise(0.4, low, high, seed=0))
    assert set(np.unique(y)) == {low, 0.5, high}
    assert share_is(0.5, y[y != 0.5] == high)
    assert share_is(0.2, y == low) and share_is(0.2, y == high)


@every
def test_nothing_happens_at_inference(kind, rng):
    x = rng.normal(size=(5, 3)).astype("float32")
    layer = kind(1.0, seed=0)
    before = layer.seed_generator.state.numpy()
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer(x, training=False), x)
    np.testing.assert_array_equal(layer.seed_generator.state, before)


@every
def test_noise_is_new_at_each_call_and_repeats_with_the_seed(kind):
    def draws(seed):
        layer = kind(0.5, seed=seed)
        return [corrupted(layer, (10, 10)).tobytes() for _ in range(3)]

    assert draws(1) == draws(1)
    assert len({*draws(1), *draws(2)}) == 6
    assert draws(None) != draws(None)
    layer = kind(0.5, seed=0)
    compiled = tf.function(lambda x: layer(x, training=True))
    x = np.full((10, 10), 0.5, "float32")
    assert not np.array_equal(compiled(x), compiled(x))


@every
def test_it_is_serialised(kind, tmp_path):
    layer = kind(0.3, seed=4, name="noise")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is kind and again.get_config() == layer.get_config()
    np.testing.assert_array_equal(corrupted(again, (6, 6)), corrupted(layer, (6, 6)))
    model = keras.Sequential([keras.Input((6,)), kind(0.3, seed=4)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").layers[-1]
    assert loaded.seed == 4 and 0.3 in loaded.get_config().values()


def test_the_values_of_salt_and_pepper_are_serialised():
    layer = SaltAndPepperNoise.from_config(SaltAndPepperNoise(1.0, -1.0, 2.0).get_config())
    assert set(np.unique(corrupted(layer))) == {-1, 2}


@every
def test_in_a_functional_model(kind):
    x = keras.Input((3, 2))
    model = keras.Model(x, kind(1.0, seed=0)(x))
    assert model.output_shape == (None, 3, 2)
    values = np.full((4, 3, 2), 0.5, "float32")
    np.testing.assert_array_equal(model.predict(values, verbose=0), values)
    assert (np.asarray(model(values, training=True)) != 0.5).all()


@both
def test_float32_under_mixed_precision(kind):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        y = kind(0.5, seed=0)(np.full((5, 5), 0.1, "float32"), training=True)
    finally:
        keras.config.set_dtype_policy(before)
    assert y.dtype == "float32" and np.float32(0.1) in np.asarray(y)


@both
@pytest.mark.parametrize("rate", [-0.1, 1.5, np.nan, "0.3", True, None])
def test_a_rate_that_is_none(kind, rate):
    with pytest.raises(InputError, match=r"rate must be a number in \[0, 1\]"):
        kind(rate)
