"""Variants whose argument switches off what is theirs are the model that they vary."""

import functools

import keras
import numpy as np
import pytest

import keras_ae
from keras_ae import layers
from keras_ae.zoo.registry import MODELS
from tests.conformance.table import same

VALUES, LATENT, CLASSES = 6, 2, 3
X = (np.random.default_rng(0).random((24, VALUES)) > 0.5).astype("float32")


def create(name, **arguments):
    model = keras_ae.create(name, (VALUES,), LATENT, seed=0, network_options={"hidden": (8,)}, **arguments)
    model.compile(keras_ae.optimizers.Adam(0.01), run_eagerly=True)
    return model


def weights(model):
    """Of the networks and the heads, without what a variant adds."""
    heads = ("code_head", "mean_head", "log_var_head", "output_head")
    parts = [model.encoder, model.decoder, *(getattr(model, head) for head in heads if hasattr(model, head))]
    return [weight.numpy() for part in parts for weight in part.trainable_weights]


def train(name, **arguments):
    """A model, its initial weights, and its loss in each epoch."""
    model = create(name, **arguments)
    initial = weights(model)
    return model, initial, model.fit(X, batch_size=8, epochs=2, verbose=0).history["loss"]


train_once = functools.cache(train)
IDENTITIES = {
    "beta_vae": (("beta_vae", {"beta": 1.0}), ("vae", {})),
    "beta_vae without capacity": (("beta_vae", {"beta": 1.0, "capacity": 0.0}), ("vae", {})),
    "beta_vae without free bits": (("beta_vae", {"beta": 1.0, "free_bits": 0.0}), ("vae", {})),
    "beta_vae full": (("beta_vae", {"beta": 1, "posterior": "full"}), ("vae", {"posterior": "full"})),
    "sparse_ae": (("sparse_ae", {"penalty": 0.0, "max_norm": None, "code_activation": None}), ("ae", {})),
    "sparse_ae with relu": (("sparse_ae", {"penalty": 0, "max_norm": None}), ("ae", {"code_activation": "relu"})),
    "sparse_ae with a wide bound": (
        ("sparse_ae", {"penalty": 0, "max_norm": 1e3, "code_activation": None}),
        ("ae", {}),
    ),
    "contractive_ae": (("contractive_ae", {"penalty": 0.0}), ("ae", {})),
    "contractive_ae hutchinson": (("contractive_ae", {"penalty": 0.0, "estimator": "hutchinson"}), ("ae", {})),
    "denoising_ae gaussian": (("denoising_ae", {"corruption": keras.layers.GaussianNoise(0.0)}), ("ae", {})),
    "denoising_ae masking": (("denoising_ae", {"corruption": layers.MaskingNoise(0.0)}), ("ae", {})),
    "denoising_ae salt": (("denoising_ae", {"corruption": layers.SaltAndPepperNoise(0.0)}), ("ae", {})),
    "dropout_ae": (("dropout_ae", {"rate": 0.0}), ("ae", {})),
    "kl_sparse_ae": (("kl_sparse_ae", {"penalty": 0.0}), ("ae", {"code_activation": "sigmoid"})),
    "wae_mmd": (("wae_mmd", {"penalty": 0.0}), ("ae", {})),
    "wae_w2": (("wae_w2", {"penalty": 0.0}), ("ae", {})),
    "wae_gan": (("wae_gan", {"penalty": 0.0}), ("ae", {})),
    "iwae": (("iwae", {"samples": 1}), ("vae", {"kl": "sample"})),
    "iwae full": (("iwae", {"samples": 1, "posterior": "full"}), ("vae", {"kl": "sample", "posterior": "full"})),
}


@pytest.mark.parametrize("variant, plain", IDENTITIES.values(), ids=IDENTITIES)
def test_it_trains_to_the_weights_of_the_plain_model(variant, plain):
    one, first, one_loss = train(variant[0], **variant[1])
    other, second, other_loss = train_once(plain[0], **plain[1])
    assert same(weights(one), weights(other), atol=1e-6)
    np.testing.assert_allclose(one_loss, other_loss, rtol=1e-5)
    assert not any(np.allclose(a, b, atol=1e-4) for a, b in zip(first, weights(one), strict=True))
    np.testing.assert_allclose(one(X), other(X), atol=1e-6)
    assert same(first, second)


PENALISED = {
    "beta_vae": {"beta": 3.0},
    "sparse_ae": {"penalty": 0.5, "max_norm": None, "code_activation": None},
    "contractive_ae": {"penalty": 0.5},
    "kl_sparse_ae": {"penalty": 0.5},
    "wae_gan": {"penalty": 3.0},
    "wae_mmd": {"penalty": 3.0},
    "wae_w2": {"penalty": 3.0},
}


@pytest.mark.parametrize("name", PENALISED)
def test_a_penalty_changes_the_encoder(name):
    """So that the identities above do not hold for want of a penalty."""
    variant, plain = IDENTITIES[name]
    one, other = train(name, **{**variant[1], **PENALISED[name]})[0], train_once(plain[0], **plain[1])[0]
    assert not same(weights(one)[:2], weights(other)[:2], atol=1e-3)


def test_a_constant_condition_is_an_offset_of_the_first_layers():
    """A conditional VAE whose examples share one class is the VAE with that class's weights in its biases, for the
    same noise."""
    conditional, plain = create("conditional_vae", condition_dim=CLASSES), create("vae")
    for head in ("mean_head", "log_var_head", "output_head"):
        getattr(plain, head).set_weights(getattr(conditional, head).get_weights())
    for role, size in (("encoder", VALUES), ("decoder", LATENT)):
        kernel, bias = getattr(conditional, role).get_weights()
        getattr(plain, role).set_weights([kernel[:size], bias + kernel[size + 1]])
    found = conditional.evaluate(X, np.ones(len(X), "int32"), verbose=0, return_dict=True)
    assert found == pytest.approx(plain.evaluate(X, verbose=0, return_dict=True), rel=1e-5)
    other = conditional.evaluate(X, np.zeros(len(X), "int32"), verbose=0, return_dict=True)
    assert other["kl"] != pytest.approx(found["kl"], rel=1e-3)


def test_a_learned_prior_begins_as_the_fixed_one():
    y = np.arange(len(X)) % CLASSES
    models = [create("conditional_vae", condition_dim=CLASSES, learned_prior=learned) for learned in (False, True)]
    losses = [model.evaluate(X, y, verbose=0, return_dict=True) for model in models]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_one_sample_has_the_value_of_the_elbo_however_it_is_differentiated():
    losses = [
        create(name, **arguments).evaluate(X, verbose=0, return_dict=True)["loss"]
        for name, arguments in (
            ("iwae", {"samples": 1}),
            ("iwae", {"samples": 1, "doubly_reparameterized": True}),
            ("vae", {"kl": "sample"}),
        )
    ]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)


ONE_INPUT = [name for name, kind in MODELS.items() if not kind.conditional and not kind.autoregressive]


@pytest.mark.parametrize("name", [name for name in ONE_INPUT if name != "linear_ae"])
def test_sequential_networks_are_the_functional_networks_of_the_same_layers(name):
    """linear_ae has networks of its own."""
    encoder = keras.Sequential([keras.Input((VALUES,)), keras.layers.Dense(8, "relu")])
    decoder = keras.Sequential([keras.Input((LATENT,)), keras.layers.Dense(8, "relu")])
    functional = [keras.Model(network.inputs[0], network.outputs[0]) for network in (encoder, decoder)]
    found = [MODELS[name](*networks, LATENT, seed=0)(X) for networks in ((encoder, decoder), functional)]
    np.testing.assert_allclose(*found, rtol=1e-5)
