"""The fused batch normalisation does what Keras' does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import FusedBatchNormalization

SHAPE = (6, 5, 4, 3)


def pair(rng, **options):
    """Keras' layer and the fused one, with the same weights, none of them trivial."""
    layers = keras.layers.BatchNormalization(**options), FusedBatchNormalization(**options)
    for layer in layers:
        layer.build(SHAPE)
    weights = [rng.uniform(0.5, 2.0, weight.shape) for weight in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def trained(layer, x, target):
    """Output, gradients of a loss, and the moving statistics, after one step."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        loss = tf.reduce_sum(tf.square(tf.cast(y, "float32") - target))
    return [y, *tape.gradient(loss, [x, *layer.trainable_variables]), *layer.non_trainable_variables]


@pytest.mark.parametrize("options", [{}, {"momentum": 0.5, "epsilon": 0.1}, {"scale": False}, {"axis": 1}], ids=str)
@pytest.mark.parametrize("compiled", [False, True])
def test_outputs_gradients_and_statistics_are_those_of_keras(options, compiled, rng):
    x, target = (tf.constant(rng.normal(2, 3, SHAPE), "float32") for _ in range(2))
    keras_layer, fused = pair(rng, **options)
    run = tf.function(trained) if compiled else trained
    expected, found = (run(layer, x, target) for layer in (keras_layer, fused))
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(keras_layer(x, training=False), fused(x, training=False), rtol=1e-4, atol=1e-5)


def test_the_operation_is_used_in_training_only(rng):
    _, fused = pair(rng)
    x = tf.zeros(SHAPE)
    for training in (True, False):
        graph = tf.function(lambda x, training=training: fused(x, training=training)).get_concrete_function(x).graph
        assert ("FusedBatchNormV3" in {op.type for op in graph.get_operations()}) == training


def test_a_frozen_layer_keeps_its_statistics(rng):
    _, fused = pair(rng)
    before = fused.get_weights()
    fused.trainable = False
    x = tf.constant(rng.normal(2, 3, SHAPE), "float32")
    np.testing.assert_array_equal(fused(x, training=True), fused(x, training=False))
    assert all(np.array_equal(a, b) for a, b in zip(before, fused.get_weights(), strict=True))


def test_half_precision(rng):
    layer = FusedBatchNormalization(dtype="mixed_bfloat16")
    x = rng.normal(2, 3, SHAPE).astype("float32")
    y = layer(x, training=True)
    assert y.dtype == "bfloat16" and layer.moving_mean.dtype == "float32"
    expected = (x - x.mean((0, 1, 2))) / x.std((0, 1, 2))
    np.testing.assert_allclose(tf.cast(y, "float32"), expected, atol=0.05)


def test_a_file_keeps_it(rng, tmp_path):
    model = keras.Sequential([keras.Input(SHAPE[1:]), FusedBatchNormalization()])
    x = tf.constant(rng.normal(2, 3, SHAPE), "float32")
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.layers[0], FusedBatchNormalization)
    np.testing.assert_array_equal(again(x), model(x))
