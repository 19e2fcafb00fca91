"""The strided convolutions do what Keras' do, their gradients included."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import StridedConv2D, StridedConv2DTranspose

LAYERS = {
    StridedConv2D: (keras.layers.Conv2D, (6, 7, 3)),
    StridedConv2DTranspose: (keras.layers.Conv2DTranspose, (3, 4, 3)),
}
OPTIONS = [
    {},
    {"use_bias": False, "strides": 3},
    {"activation": "tanh", "kernel_size": (4, 2)},
    {"padding": "valid"},
    {"dtype": "mixed_bfloat16"},
]


def trained(layer, x):
    """Output, and the gradients of a loss."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True) if isinstance(layer, tuple(LAYERS)) else layer(x)
        loss = tf.reduce_sum(tf.sin(tf.cast(y, "float32")))
    return [tf.cast(y, "float32"), *tape.gradient(loss, [x, *layer.trainable_variables])]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("strided", LAYERS)
def test_outputs_and_gradients_are_those_of_keras(strided, options, rng):
    plain, shape = LAYERS[strided]
    options = {"kernel_size": 5, "strides": 2, "padding": "same", **options}
    expected_of, found_of = plain(4, **options), strided(4, **options)
    x = tf.constant(rng.normal(size=(2, *shape)), "float32")
    expected_of.build(x.shape)
    found_of.build(x.shape)
    found_of.set_weights(expected_of.get_weights())
    for expected, found in zip(trained(expected_of, x), trained(found_of, x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("strided", LAYERS)
@pytest.mark.parametrize("side", [4, 16])
def test_patches_are_used_in_training_on_small_images_only(strided, side, rng):
    layer = strided(2, 3, strides=2, padding="same")
    x = tf.zeros((1, side, side, 2))
    layer.build(x.shape)
    for training in (True, False):

        @tf.function
        def gradient(x, training=training):
            with tf.GradientTape() as tape:
                y = layer(x, training=training)
            return tape.gradient(y, layer.kernel.value)

        used = {op.type for op in gradient.get_concrete_function(x).graph.get_operations()}
        assert ("ExtractImagePatches" in used) == (training and side == 4)
