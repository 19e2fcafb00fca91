"""Sparse autoencoders: the penalty by hand, bounded columns, exact zeros."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from scipy import special

import keras_ae
from keras_ae.errors import InputError
from keras_ae.models import Batch, KLSparseAE, SparseAE
from tests.conformance.table import same, weights

VALUES, LATENT = 6, 4


def create(name="sparse_ae", shape=(VALUES,), network="dense", network_options=None, **arguments):
    model = keras_ae.create(
        name, shape, LATENT, network=network, network_options=network_options or {"hidden": (8, 5)}, seed=0, **arguments
    )
    model.compile(keras_ae.optimizers.Adam(0.05), run_eagerly=True)
    return model


@pytest.fixture(scope="module")
def x():
    return (np.random.default_rng(0).random((32, VALUES)) > 0.5).astype("float32")


def sparsity(model, x, weight=None):
    return np.asarray(model.objective(Batch(x, x, weight=weight), training=False)["sparsity"])


# The norms of what leaves each unit of the decoder


def columns(kernel, transposed=False):
    """Norms of the weights that leave each unit: of a row of a dense kernel (units, outputs), of a transposed
    convolution's (height, width, outputs, units), of a convolution's (height, width, units, outputs)."""
    kernel = np.asarray(kernel, "float64")
    units = np.moveaxis(kernel, -1 if transposed else -2, 0)
    return np.linalg.norm(units.reshape(len(units), -1), axis=1)


def norms(model):
    """Of every layer from the code to x."""
    decoder = [layer for layer in model.decoder.layers if hasattr(layer, "kernel")]
    found = [columns(layer.kernel, isinstance(layer, layers.Conv2DTranspose)) for layer in decoder]
    return found if model.output_head is None else [*found, columns(model.output_head.kernel)]


NETWORKS = {
    "dense": ((VALUES,), {}),
    "linear": ((VALUES,), {"network_options": {"hidden": ()}}),
    "conv": ((8, 8, 1), {"network": "conv", "network_options": {"filters": (3, 4), "units": 5}}),
    "resnet": ((8, 8, 1), {"network": "resnet", "network_options": {"filters": (3, 4), "units": 5}}),
    "dcgan": ((16, 16, 1), {"network": "dcgan", "network_options": {"filters": 2}}),
}


@pytest.mark.parametrize("max_norm", [1.0, 0.3])
@pytest.mark.parametrize("shape, options", NETWORKS.values(), ids=NETWORKS)
def test_columns_of_the_decoder_stay_bounded(shape, options, max_norm, rng, tmp_path):
    model = create(shape=shape, max_norm=max_norm, penalty=0.01, **options)
    x = (rng.random((16, *shape)) > 0.5).astype("float32")
    units = {
        "dense": [4, 5, 8],
        "linear": [4],
        "conv": [4, 5, 4, 3, 3],
        "resnet": [4, 5, 4, 4, 4, 3, 3, 3],
        "dcgan": [4, 4, 2],
    }
    name = next(key for key, value in NETWORKS.items() if value == (shape, options))
    for _ in range(2):
        assert [len(norm) for norm in norms(model)] == units[name]
        assert all((norm <= max_norm * (1 + 1e-5)).all() for norm in norms(model))
        before = weights(model)
        model.fit(x, batch_size=8, epochs=2, verbose=0)
        assert not same(before, weights(model))
    if max_norm == 0.3:
        assert any(np.isclose(norm, max_norm, rtol=1e-4).any() for norm in norms(model))
        model.save(tmp_path / "model.keras")
        again = keras_ae.load_model(tmp_path / "model.keras")
        again.fit(x, batch_size=8, verbose=0)
        assert all((norm <= max_norm * (1 + 1e-5)).all() for norm in norms(again))


def test_without_a_bound_columns_grow(x):
    model = create(max_norm=None, penalty=0.0)
    model.fit(x, batch_size=8, epochs=2, verbose=0)
    assert max(norm.max() for norm in norms(model)) > 1.05


def test_the_bound_leaves_smaller_columns_and_the_encoder_alone(x):
    bounded, free = create(max_norm=1.0), create(max_norm=None)
    assert same(weights(bounded.encoder), weights(free.encoder))
    for one, other in zip(bounded.decoder.get_weights()[::2], free.decoder.get_weights()[::2], strict=True):
        small = columns(other) <= 1
        np.testing.assert_array_equal(one[small], other[small])
        np.testing.assert_allclose(columns(one)[~small], 1, rtol=1e-5)


# What is penalised


def test_the_penalty_is_the_l1_norm_of_the_code(x):
    model = create(penalty=0.3)
    np.testing.assert_allclose(sparsity(model, x), 0.3 * np.abs(model.encode(x)).sum(axis=1), rtol=1e-5)
    signed = create(penalty=0.3, code_activation=None)
    assert (signed.encode(x) < 0).any()
    np.testing.assert_allclose(sparsity(signed, x), 0.3 * np.abs(signed.encode(x)).sum(axis=1), rtol=1e-5)


def own_networks():
    x, z = keras.Input((8, 8, 1)), keras.Input((LATENT,))
    edges = layers.Conv2D(3, 3, strides=2, activation="tanh", name="edges")(x)
    parts = layers.Dense(5, activation="relu", name="parts")(layers.Flatten()(edges))
    return keras.Model(x, parts), keras.Model(z, layers.Dense(5, "relu")(z))


@pytest.mark.parametrize("names", ["edges", ("parts",), ("edges", "parts"), ["code", "edges"]], ids=str)
def test_named_layers_of_the_encoder_are_penalised(names, rng, tmp_path):
    model = SparseAE(*own_networks(), LATENT, penalty=0.2, penalized_layers=names, seed=0)
    x = rng.random((6, 8, 8, 1)).astype("float32")
    expected = np.zeros(6)
    for name in [names] if isinstance(names, str) else names:
        h = x
        for layer in model.encoder.layers[1:]:
            h = layer(h)
            if layer.name == name:
                break
        h = model.encode(x) if name == "code" else np.asarray(h)
        expected += 0.2 * np.abs(h).reshape(6, -1).sum(axis=1)
    np.testing.assert_allclose(sparsity(model, x), expected, rtol=1e-4)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(sparsity(keras_ae.load_model(tmp_path / "model.keras"), x), expected, rtol=1e-4)


def test_a_penalty_makes_the_code_exactly_zero_where_it_is_small(x):
    shares = []
    for penalty in (0.0, 3.0):
        model = create(penalty=penalty)
        model.fit(x, epochs=4, batch_size=16, verbose=0)
        code = model.encode(x)
        assert (code >= 0).all()
        shares.append((code == 0).mean())
    assert shares[1] > shares[0] + 0.2


def test_the_networks_are_those_that_were_given():
    encoder, decoder = own_networks()
    model = SparseAE(encoder, decoder, LATENT, penalized_layers="parts")
    assert model.encoder is encoder and model.decoder is decoder
    of_parts = [*encoder.trainable_weights, *decoder.trainable_weights]
    of_parts += [*model.code_head.trainable_weights, *model.output_head.trainable_weights]
    assert len({id(weight) for weight in model.trainable_weights}) == len(model.trainable_weights) == len(of_parts)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"penalty": -1}, "penalty must be.*-1"),
        ({"max_norm": 0}, "max_norm must be .*0"),
        ({"max_norm": np.nan}, "max_norm must be .*nan"),
        ({"penalized_layers": "prts"}, "layer of the encoder: 'prts'.*'parts'"),
        ({"penalized_layers": ("code", "edge")}, "'edge'.*'edges'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        SparseAE(*own_networks(), LATENT, **arguments)


@pytest.mark.parametrize("name", ["sparse_ae", "kl_sparse_ae"])
def test_the_activation_of_the_code_in_its_place(name):
    kind = keras_ae.zoo.model_class(name)
    model = kind(*own_networks(), LATENT, "bernoulli", "dense", "hard_sigmoid", 3)
    assert (model.code_activation, model.seed) == ("hard_sigmoid", 3)
    with pytest.raises(TypeError, match="multiple values for argument 'seed'"):
        kind(*own_networks(), LATENT, "bernoulli", "dense", None, 3, seed=4)


# A target for the mean activation


def test_the_penalty_of_the_mean_activation_by_hand(x):
    model = create("kl_sparse_ae", penalty=0.7, target=0.1)
    h = model.encode(x).astype("float64")
    for weight in (None, np.arange(32) % 3):
        mean = np.average(h, axis=0, weights=weight)
        expected = special.rel_entr(0.1, mean) + special.rel_entr(0.9, 1 - mean)
        assert float(sparsity(model, x, weight)) == pytest.approx(0.7 * expected.sum(), rel=1e-4)


def test_the_mean_activation_comes_to_its_target(x):
    model = create("kl_sparse_ae", penalty=20.0, target=0.2)
    before = model.encode(x).mean(axis=0)
    model.fit(x, epochs=8, batch_size=32, verbose=0)
    after = model.encode(x).mean(axis=0)
    assert np.abs(after - 0.2).max() < 0.1 < np.abs(before - 0.2).max()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"target": 0.0}, "target must be.*0.0"),
        ({"target": 1}, "target must be.*1"),
        ({"code_activation": "relu"}, r"values in \(0, 1\).*'relu'"),
        ({"code_activation": None}, r"values in \(0, 1\).*None"),
        ({"code_activation": "tanh"}, r"values in \(0, 1\).*'tanh'"),
    ],
)
def test_bad_arguments_of_the_target(arguments, message):
    with pytest.raises(InputError, match=message):
        KLSparseAE(*own_networks(), LATENT, **arguments)
    assert KLSparseAE(*own_networks(), LATENT, code_activation=ops.sigmoid).target == 0.05
