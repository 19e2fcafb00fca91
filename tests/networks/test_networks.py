"""Networks of any input shape, that a seed fixes."""

import keras
import numpy as np
import pytest

import keras_ae
from keras_ae import networks
from keras_ae.distributions.likelihoods import Normal

CASES = {
    "dense": (networks.dense, (6, 5, 2), {"hidden": (7, 5)}, (5,), (7,)),
    "dense vector": (networks.dense, (9,), {"hidden": (4,)}, (4,), (4,)),
    "linear": (networks.dense, (3, 2), {"hidden": ()}, (6,), (3,)),
    "conv": (networks.conv, (8, 8, 1), {"filters": (4, 6), "units": 5}, (5,), (8, 8, 4)),
    "conv odd": (networks.conv, (9, 7, 3), {"filters": (4, 6, 8), "units": 5}, (5,), (9, 7, 4)),
    "resnet": (networks.resnet, (8, 8, 1), {"filters": (4, 6), "units": 5}, (5,), (8, 8, 1)),
    "resnet odd": (
        networks.resnet,
        (9, 7, 3),
        {"filters": (4, 6, 8), "units": 5, "blocks": 2, "parameters": 2},
        (5,),
        (9, 7, 6),
    ),
    "dcgan": (networks.dcgan, (16, 16, 1), {"filters": 2}, (4 * 4 * 4,), (16, 16, 1)),
    "dcgan odd": (networks.dcgan, (21, 18, 3), {"filters": 2, "parameters": 2}, (6 * 5 * 4,), (21, 18, 6)),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def make(case, seed=0):
    function, shape, options, *_ = case
    return function(shape, 3, seed=seed, **options)


def test_shapes(case, rng):
    (encoder, decoder), (_, shape, _, features, values) = make(case), case
    assert encoder.input_shape == (None, *shape) and encoder.output_shape == (None, *features)
    assert decoder.input_shape == (None, 3) and decoder.output_shape == (None, *values)
    assert encoder(rng.normal(size=(2, *shape))).shape == (2, *features)
    assert decoder(rng.normal(size=(2, 3))).shape == (2, *values)


def test_the_seed_fixes_the_weights(case):
    def kernels(seed):
        return [w.numpy() for network in make(case, seed) for w in network.trainable_weights if len(w.shape) > 1]

    first, again, other = kernels(1), kernels(1), kernels(2)
    for a, b, c in zip(first, again, other, strict=True):
        assert np.array_equal(a, b) and not np.isclose(a, c).any()
    assert len({kernel.tobytes() for kernel in first}) == len(first)


@pytest.mark.parametrize("name, shape", [("conv", (9, 7, 1)), ("resnet", (9, 7, 2)), ("dcgan", (17, 16, 3))])
@pytest.mark.parametrize("variance", [1.0, "per_value"])
def test_they_train_in_a_model(name, shape, variance, tmp_path):
    options = {"filters": (4,), "units": 8} if name != "dcgan" else {"filters": 2}
    model = keras_ae.create(name="vae", input_shape=shape, latent_dim=2, seed=0, network=name,
                            network_options=options, likelihood=Normal(variance))  # fmt: skip
    model.compile("adam")
    x = np.random.default_rng(0).random((20, *shape), "float32")
    history = model.fit(x, batch_size=10, epochs=3, verbose=0).history["loss"]
    assert np.isfinite(history).all() and history[-1] < history[0]
    assert model.reconstruct(x).shape == x.shape
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras_ae.load_model(tmp_path / "model.keras").reconstruct(x), model.reconstruct(x))


def test_a_network_of_ones_own(rng):
    """Any pair of Keras models will do, with an output layer of one's own."""
    encoder = keras.Sequential([keras.Input((6, 4)), keras.layers.LSTM(5)])
    decoder = keras.Sequential(
        [keras.Input((2,)), keras.layers.RepeatVector(6), keras.layers.LSTM(5, return_sequences=True)]
    )
    model = keras_ae.VAE(encoder, decoder, 2, likelihood="normal", output_layer=keras.layers.Dense(4), seed=0)
    model.compile("adam")
    x = rng.normal(size=(8, 6, 4)).astype("float32")
    assert np.isfinite(model.fit(x, verbose=0).history["loss"]).all()
    assert model.reconstruct(x).shape == x.shape


def test_a_block_adds_to_what_it_is_given(rng):
    """Without the second convolution of each block, the network is the one without blocks."""
    options = {"filters": (4, 6), "units": 5}
    with_blocks, without = (networks.resnet((9, 7, 3), 3, blocks=blocks, seed=0, **options) for blocks in (2, 0))
    for full, bare, shape in zip(with_blocks, without, [(9, 7, 3), (3,)], strict=True):
        adds = [layer for layer in full.layers if isinstance(layer, keras.layers.Add)]
        assert len(adds) == 4
        inside = set()
        for add in adds:
            last = add.input[1]._keras_history.operation
            inside |= {last.name, last.input._keras_history.operation.name}
            last.set_weights([np.zeros_like(weight) for weight in last.get_weights()])
        outside = [layer for layer in full.layers if layer.weights and layer.name not in inside]
        for layer, other in zip(outside, [layer for layer in bare.layers if layer.weights], strict=True):
            other.set_weights(layer.get_weights())
        x = rng.normal(size=(2, *shape)).astype("float32")
        np.testing.assert_allclose(full(x), bare(x), rtol=1e-5, atol=1e-6)


def test_four_channels_become_four_pixels():
    """Shi et al. (2016): a decoder of one resolution whose features are constant repeats its 2x2 pixels."""
    _, decoder = networks.resnet((6, 4, 2), 2, filters=(3,), blocks=0, units=4, parameters=2, seed=0)
    last = decoder.get_layer("parameters")
    bias = np.arange(16, dtype="float32")
    last.set_weights([np.zeros_like(last.kernel), bias])
    pixels = np.asarray(decoder(np.zeros((1, 2), "float32")))[0]
    assert pixels.shape == (6, 4, 4)
    np.testing.assert_array_equal(pixels[2:4, 2:4], bias.reshape(2, 2, 4))


def test_the_encoder_misses_inputs_in_training_only():
    encoder, _ = networks.dense((50,), 2, hidden=(3,), activation=None, input_dropout=0.5, seed=0)
    (kernel, bias), x = encoder.layers[-1].get_weights(), np.ones((4000, 50), "float32")
    np.testing.assert_allclose(encoder(x, training=False), x @ kernel + bias, rtol=1e-5, atol=1e-5)
    noisy = np.asarray(encoder(x, training=True)) - bias
    np.testing.assert_allclose(noisy.var(axis=0), np.square(kernel).sum(axis=0), rtol=0.1)  # of 0 or 2


@pytest.fixture
def set_format():
    yield keras.config.set_image_data_format
    keras.config.set_image_data_format("channels_last")


def test_the_channels_are_last_whatever_the_setting_of_keras(case, rng, set_format):
    x, z = rng.normal(size=(2, *case[1])).astype("float32"), rng.normal(size=(2, 3)).astype("float32")
    found = []
    for setting in ("channels_first", "channels_last"):
        set_format(setting)
        found.append([network(values) for network, values in zip(make(case), (x, z), strict=True)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
