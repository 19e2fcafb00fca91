"""The linear layer between features and parameters."""

import keras
import numpy as np
import pytest

from keras_ae.layers import Head


@pytest.mark.parametrize(
    "features, shape, kernel",
    [((5,), (3,), (5, 3)), ((5,), (2, 2, 1), (5, 4)), ((4, 4, 6), (4, 4, 2), (6, 2)), ((2, 2, 3), (7,), (12, 7))],
)
def test_it_is_linear(features, shape, kernel, rng):
    layer = Head(shape, seed=0)
    x = rng.normal(size=(3, *features)).astype("float32")
    found = np.asarray(layer(x))
    assert found.shape == (3, *shape) == (3, *layer.compute_output_shape((None, *features))[1:])
    assert tuple(layer.kernel.shape) == kernel
    layer.bias.assign(rng.normal(size=layer.bias.shape))
    flat = x if layer.last_axis_only else x.reshape(3, -1)
    expected = (flat @ np.asarray(layer.kernel) + np.asarray(layer.bias)).reshape(3, *shape)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_activation_seed_and_configuration():
    x = np.ones((2, 4), "float32")
    layer = Head((3,), "relu", seed=1)
    assert (np.asarray(layer(x)) >= 0).all()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    np.testing.assert_array_equal(again(x), layer(x))
    assert not np.array_equal(Head((3,), seed=2)(x), Head((3,), seed=1)(x))
